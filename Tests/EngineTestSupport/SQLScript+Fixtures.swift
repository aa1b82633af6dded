// The scripts of this repository.

import Foundation

extension SQLScript {
    /// All scripts under Fixtures/sql, sorted by name.
    package static func all() throws -> [SQLScript] {
        let root = Fixtures.path("sql")
        guard let files = FileManager.default.enumerator(atPath: root) else { return [] }
        return try files.compactMap { $0 as? String }.filter { $0.hasSuffix(".slt") }.sorted().map { name in
            try SQLScript(name: name, text: String(contentsOfFile: "\(root)/\(name)", encoding: .utf8))
        }
    }
}
