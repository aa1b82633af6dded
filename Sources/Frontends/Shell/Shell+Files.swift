// Files: those given as arguments become tables; scripts, and the data of COPY between files and the connection.

import Diagnostics

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension Shell {
    /// A text as SQL writes it.
    static func literal(_ text: String) -> String { "'" + text.replacing("'", with: "''") + "'" }

    /// Makes a view over a file or folder, named after it in lower case, without directories and endings.
    package func register(file path: String) async -> Bool {
        var name = path[...]
        while name.hasSuffix("/") { name = name.dropLast() }
        if let slash = name.lastIndex(of: "/") { name = name[name.index(after: slash)...] }
        if let point = name.firstIndex(of: "."), point != name.startIndex { name = name[..<point] }
        let table = name.lowercased().replacing("\"", with: "\"\"")
        let sql = "CREATE OR REPLACE VIEW \"\(table)\" AS SELECT * FROM \(Shell.literal(path))"
        do {
            try await connection.run(sql) { _ in }
            return true
        } catch {
            report(QueryError.wrapping(error))
            return false
        }
    }

    /// `\copy TABLE FROM FILE`, `\copy (QUERY) TO FILE`: COPY with a file of this side instead of the server's.
    func copy(_ text: String) async -> Bool {
        let characters = Array(text)
        let tokens = SQLToken.tokens(characters)
        var depth = 0
        var place: Int?
        for (index, token) in tokens.enumerated() {
            let word = token.text(characters).uppercased()
            if word == "(" { depth += 1 }
            if word == ")" { depth -= 1 }
            if depth == 0, token.kind == .word, word == "FROM" || word == "TO" {
                place = index
                break
            }
        }
        guard let place, let last = characters.indices.last else {
            return reportAndFail(
                .syntaxError, "\\copy: FROM or TO is missing", hint: "\\copy TABLE FROM 'FILE' CSV HEADER")
        }
        let start = tokens[place].range.upperBound
        let behind = String(characters[start...last])
        guard let (path, options) = Shell.firstWord(behind) else {
            return reportAndFail(.syntaxError, "\\copy: the file is missing")
        }
        let isFrom = tokens[place].text(characters).uppercased() == "FROM"
        let head = String(characters[..<start])
        do {
            switch (isFrom, path.lowercased()) {
            case (true, "stdin"), (true, "pstdin"):
                return await execute("COPY \(head) STDIN \(options)", input: try CopyInput(path: "-"))
            case (true, _): return await execute("COPY \(head) STDIN \(options)", input: try CopyInput(path: path))
            case (false, "stdout"), (false, "pstdout"): return await execute("COPY \(head) STDOUT \(options)")
            case (false, _):
                let file = try TextOutput(path: path)
                return await execute("COPY \(head) STDOUT \(options)", copyOutput: file)
            }
        } catch {
            report(QueryError.wrapping(error))
            return false
        }
    }

    /// The first word or text, and what follows it.
    private static func firstWord(_ text: String) -> (String, String)? {
        var rest = text[...]
        while rest.first?.isWhitespace == true { rest = rest.dropFirst() }
        guard let first = rest.first else { return nil }
        if first == "'" {
            let inner = rest.dropFirst()
            guard let end = inner.firstIndex(of: "'") else { return nil }
            return (String(inner[..<end]), String(inner[inner.index(after: end)...]))
        }
        let end = rest.firstIndex { $0.isWhitespace || $0 == ";" } ?? rest.endIndex
        let options = rest[end...].last == ";" ? rest[end...].dropLast() : rest[end...]
        return (String(rest[..<end]), String(options))
    }
}

/// Data for COPY FROM STDIN. Read by one statement.
package final class CopyInput: @unchecked Sendable {
    // Only the statement that runs reads: `@unchecked` because the compiler does not know that.
    private var lines: [UInt8]
    private let descriptor: Int32

    /// Data that are there already.
    package init(bytes: [UInt8]) {
        lines = bytes
        descriptor = -1
    }

    /// A file; `-` is standard input.
    package init(path: String) throws {
        lines = []
        descriptor = path == "-" ? 0 : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw QueryError(.undefinedFile, "\(path): \(String(cString: strerror(errno)))", object: path)
        }
    }

    deinit { if descriptor > 0 { close(descriptor) } }

    /// The next piece; `nil` at the end.
    package func next() throws -> [UInt8]? {
        if descriptor < 0 {
            defer { lines = [] }
            return lines.isEmpty ? nil : lines
        }
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = posixRead(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw QueryError(.ioError, "could not read: \(String(cString: strerror(errno)))") }
            return count == 0 ? nil : Array(piece[..<count])
        }
    }
}

/// Files of statements.
package enum ScriptFile {
    /// The whole text; `-` is standard input.
    package static func read(_ path: String) throws -> String {
        let descriptor = path == "-" ? 0 : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw QueryError(.undefinedFile, "\(path): \(String(cString: strerror(errno)))", object: path)
        }
        defer { if descriptor > 0 { close(descriptor) } }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = posixRead(descriptor, &piece, piece.count)
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                throw QueryError(.ioError, "\(path): \(String(cString: strerror(errno)))", object: path)
            }
            bytes.append(contentsOf: piece[..<count])
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension String {
    fileprivate func replacing(_ character: Character, with text: String) -> String {
        contains(character)
            ? split(separator: character, omittingEmptySubsequences: false).joined(separator: text) : self
    }
}
