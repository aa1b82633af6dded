// Files given as arguments become tables.

import Diagnostics

extension Shell {
    /// Makes a view over a file or folder, named after it in lower case, without directories and endings.
    package func register(file path: String) async -> Bool {
        var name = path[...]
        while name.hasSuffix("/") { name = name.dropLast() }
        if let slash = name.lastIndex(of: "/") { name = name[name.index(after: slash)...] }
        if let point = name.firstIndex(of: "."), point != name.startIndex { name = name[..<point] }
        let table = name.lowercased().replacing("\"", with: "\"\"")
        let text = path.replacing("'", with: "''")
        let sql = "CREATE OR REPLACE VIEW \"\(table)\" AS SELECT * FROM '\(text)'"
        do {
            try await connection.run(sql) { _ in }
            return true
        } catch {
            report(QueryError.wrapping(error), severity: "ERROR", sql: nil)
            return false
        }
    }
}

extension String {
    fileprivate func replacing(_ character: Character, with text: String) -> String {
        contains(character)
            ? split(separator: character, omittingEmptySubsequences: false).joined(separator: text) : self
    }
}
