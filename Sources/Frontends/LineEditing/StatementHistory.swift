// What was entered before: one entry a statement, kept in a file that several shells may write.

import Diagnostics

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Entries from the oldest to the newest, each once. A file holds one entry a line, line feeds as `\n` and backslashes
/// doubled. Shells append to it under a lock; the one that finds it too long writes it anew beside and renames it.
package final class StatementHistory {
    package static let entryCountMax = 5000
    package static let byteCountMax = 4 << 20
    private static let entryByteCountMax = 64 << 10

    package private(set) var entries: [String] = []
    private let path: String?

    /// Reads the file if there is one. `nil` keeps the history in memory only.
    package init(path: String?) {
        self.path = path
        guard let path, let text = try? ScriptFile.read(path) else { return }
        let lines = text.split(separator: "\n").map(Self.unescaped)
        entries = Self.compacted(lines)
        if lines.count > Self.entryCountMax * 2 || text.utf8.count > Self.byteCountMax * 2 { rewrite(path) }
    }

    /// Appends a statement. One that begins with a blank is private and not kept.
    package func add(_ statement: String) {
        guard let first = statement.first, first != " " else { return }
        let entry = Self.trimmedEnd(statement)
        guard !entry.isEmpty, entry != entries.last, entry.utf8.count <= Self.entryByteCountMax else { return }
        if let earlier = entries.firstIndex(of: entry) { entries.remove(at: earlier) }
        entries.append(entry)
        if entries.count > Self.entryCountMax { entries.removeFirst() }
        if let path { append(entry, path) }
    }

    /// The newest entry with the text, at most at `index`; `nil` if there is none.
    package func search(_ text: String, before index: Int) -> Int? {
        guard !text.isEmpty else { return nil }
        let wanted = text.lowercased()
        return entries[..<min(index, entries.count)].lastIndex { $0.lowercased().contains(wanted) }
    }

    // MARK: - File

    private func append(_ entry: String, _ path: String) {
        Self.makeDirectory(for: path)
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        flock(descriptor, LOCK_EX)
        let bytes = Array((Self.escaped(entry) + "\n").utf8)
        _ = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    }

    private func rewrite(_ path: String) {
        let temporary = "\(path).\(getpid())"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        let bytes = Array(entries.map { Self.escaped($0) + "\n" }.joined().utf8)
        let written = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        close(descriptor)
        if written == bytes.count { rename(temporary, path) } else { unlink(temporary) }
    }

    private static func makeDirectory(for path: String) {
        var at = path.startIndex
        while at < path.endIndex, let slash = path[path.index(after: at)...].firstIndex(of: "/") {
            mkdir(String(path[..<slash]), 0o700)
            at = slash
        }
    }

    // MARK: - Entries

    /// Each entry at its last place, and no more than the limits allow.
    private static func compacted(_ all: [String]) -> [String] {
        var seen: Set<String> = []
        var kept: [String] = []
        var byteCount = 0
        for entry in all.reversed() where seen.insert(entry).inserted {
            byteCount += entry.utf8.count + 1
            guard kept.count < entryCountMax, byteCount <= byteCountMax else { break }
            kept.append(entry)
        }
        return kept.reversed()
    }

    private static func escaped(_ entry: String) -> String {
        var result = ""
        for scalar in entry.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func unescaped(_ line: Substring) -> String {
        var result = ""
        var isEscape = false
        for scalar in line.unicodeScalars {
            if isEscape {
                result.unicodeScalars.append(scalar == "n" ? "\n" : scalar)
                isEscape = false
            } else if scalar == "\\" {
                isEscape = true
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func trimmedEnd(_ text: String) -> String {
        var rest = text[...]
        while rest.last?.isWhitespace == true { rest = rest.dropLast() }
        return String(rest)
    }
}
