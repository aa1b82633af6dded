// The table of docs/layering.md, the manifest's targets and the imports of sources, in one comparable form.

import Foundation
import TestSupport

/// A row of the table: what a target may import, of ours and from outside.
struct LayeringRow {
    var target: String
    var own: Set<String>
    var outside: Set<String>
    var all: Set<String> { own.union(outside) }
}

struct LayeringTable {
    let rows: [LayeringRow]
    var targets: Set<String> { Set(rows.map(\.target)) }
    subscript(target: String) -> LayeringRow? { rows.first { $0.target == target } }

    /// Rows are the lines `| target | targets of ours | modules from outside |` below the heading "The table".
    init(markdown: String) {
        var rows: [LayeringRow] = []
        var isInTable = false
        for line in markdown.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("## ") { isInTable = line == "## The table" }
            guard isInTable, line.hasPrefix("| `") else { continue }
            let cells = line.split(separator: "|").map { Self.names(in: $0) }
            guard cells.count == 3, let target = cells[0].first else { continue }
            rows.append(LayeringRow(target: target, own: Set(cells[1]), outside: Set(cells[2])))
        }
        self.rows = rows
    }

    private static func names(in cell: Substring) -> [String] {
        cell.matches(of: #/`([A-Za-z0-9_]+)`/#).map { String($0.1) }
    }

    static func load() throws -> LayeringTable { LayeringTable(markdown: try Repository.text("docs/layering.md")) }
}

enum Manifest {
    /// The targets of ours that each target of Package.swift depends on, as the manifest's text gives them.
    static func dependencies() throws -> [String: Set<String>] {
        let text = try Repository.text("Package.swift")
        var result: [String: Set<String>] = [:]
        for match in text.matches(of: #/\b(?:library|plugin)\(\s*"(\w+)",\s*\[([^\]]*)\]/#) {
            result[String(match.1)] = names(in: match.2)
        }
        for match in text.matches(of: #/programDependencies[^=\n]*=\s*\[([^\]]*)\]/#) {
            result["martlet", default: []].formUnion(names(in: match.1))
        }
        return result
    }

    private static func names(in list: Substring) -> Set<String> {
        let withoutProducts = list.replacing(#/\.product\([^)]*\)/#, with: "")
        return Set(withoutProducts.matches(of: #/"(\w+)"/#).map { String($0.1) })
    }
}

/// An import in a source file.
struct SourceImport: Hashable {
    var module: String
    var line: Int

    /// All imports of a file, those inside `#if` as well.
    static func all(in text: String) -> [SourceImport] {
        var result: [SourceImport] = []
        let pattern =
            #/^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|private|fileprivate)\s+)?import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)/#
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if let match = line.firstMatch(of: pattern) {
                result.append(SourceImport(module: String(match.1), line: index + 1))
            }
        }
        return result
    }
}
