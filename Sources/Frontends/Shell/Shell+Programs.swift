// Other programs that have the terminal for a while: the person's editor and pager.

import Diagnostics

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension Shell {
    /// The text after it was edited in `$VISUAL`, `$EDITOR` or vi; `nil` if that went wrong.
    func editInProgram(_ text: String) -> String? {
        let program = Self.editor
        var template = Array("\(Self.variable("TMPDIR") ?? "/tmp")/martlet-XXXXXX.sql".utf8CString)
        let descriptor = mkstemps(&template, 4)
        guard descriptor >= 0 else {
            report(QueryError(.ioError, "could not make a file to edit: \(String(cString: strerror(errno)))"))
            return nil
        }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { unlink(path) }
        let bytes = Array((text + "\n").utf8)
        _ = bytes.withUnsafeBytes { posixWrite(descriptor, $0.baseAddress, $0.count) }
        close(descriptor)
        guard runProgram("\(program) '\(path)'") == 0 else {
            report(QueryError(.ioError, "\(program) ended with an error; the text is as it was"))
            return nil
        }
        guard var edited = try? ScriptFile.read(path) else { return nil }
        while edited.last?.isWhitespace == true { edited.removeLast() }
        return edited
    }

    /// Runs a command line in the terminal's foreground and gives its status.
    func runProgram(_ command: String) -> Int32 {
        let run: () -> Int32 = {
            let status = system(command)
            return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
        }
        return terminal.map { $0.lend(run) } ?? run()
    }

    static var editor: String { variable("VISUAL") ?? variable("EDITOR") ?? "vi" }

    static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
}
