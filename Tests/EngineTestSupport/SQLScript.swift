// The format of SQL scripts: sqllogictest records, one after the other.
//
//   statement ok                 the statements must succeed
//   statement error SQLSTATE     they must fail with that code
//   query [rowsort]              the rows must be those behind ----, one line a row, values separated by tabs; in this
//                                order if the statement has ORDER BY and rowsort is not given
//   plan                         each line behind ---- must occur in what EXPLAIN says of the statement; with `not ` in front
//                                it must not
//   store TYPE NAME              a line of its own in front of all records: the script needs an empty store of that type
//                                (postgres, sqlite, s3) as the catalogue NAME. It is left out where the program is missing
//   native NAME                  SQL for the store's own program; rows as for a query, or none if they do not matter
//
// NULL is written NULL, an empty text (empty). `#` begins a comment line. Records end with an empty line.
// `$FIXTURES` in SQL stands for the directory of the fixtures, `$SCRATCH` for an empty one that the script may write to; it
// goes with the script. scripts/complete-slt.py fills expectations in.

import Diagnostics
import Foundation

/// A directory that lives as long as its script.
package final class ScriptScratch: Sendable {
    package let path = NSTemporaryDirectory() + "martlet-script-" + UUID().uuidString
    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }
}

package struct SQLScript: Sendable {
    package enum Expectation: Sendable, Hashable {
        case success
        case failure(SQLState)
        case rows([String], isSorted: Bool)
        /// What the plan says, and what it does not.
        case plan([String])
        /// The rows that the program of a catalogue's store gives; `nil`: it succeeds.
        case native(catalog: String, [String]?)
    }
    package struct Record: Sendable {
        package var line: Int
        package var sql: String
        package var expectation: Expectation
    }
    /// A store that the script needs.
    package struct Store: Sendable, Hashable {
        package var type: String
        package var catalog: String
        package init(type: String, catalog: String) {
            self.type = type
            self.catalog = catalog
        }
    }
    package var name: String
    package var records: [Record]
    package var stores: [Store] = []
    private let scratch: ScriptScratch?

    package init(name: String, text: String) throws {
        self.name = name
        scratch = text.contains("$SCRATCH") ? try ScriptScratch() : nil
        records = []
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var position = 0
        while position < lines.count {
            let line = lines[position]
            if line.isEmpty || line.hasPrefix("#") {
                position += 1
                continue
            }
            let header = line.split(separator: " ").map(String.init)
            let start = position + 1
            position += 1
            var sql: [String] = []
            while position < lines.count, !lines[position].isEmpty, lines[position] != "----" {
                sql.append(lines[position])
                position += 1
            }
            let text = sql.joined(separator: "\n").replacing("$FIXTURES", with: Fixtures.path("."))
                .replacing("$SCRATCH", with: scratch?.path ?? "")
            func result() -> [String] {
                guard position < lines.count, lines[position] == "----" else { return [] }
                let end = lines[position...].firstIndex(of: "") ?? lines.count
                defer { position = end }
                return Array(lines[(position + 1)..<end])
            }
            switch header.first {
            case "store" where header.count == 3 && sql.isEmpty:
                stores.append(Store(type: header[1], catalog: header[2]))
            case "plan": records.append(Record(line: start, sql: text, expectation: .plan(result())))
            case "native" where header.count == 2:
                let isQuery = position < lines.count && lines[position] == "----"
                let rows = result()
                records.append(
                    Record(
                        line: start, sql: text, expectation: .native(catalog: header[1], isQuery ? rows : nil)))
            case "statement" where header.count >= 2 && header[1] == "ok":
                records.append(Record(line: start, sql: text, expectation: .success))
            case "statement" where header.count == 3 && header[1] == "error":
                records.append(Record(line: start, sql: text, expectation: .failure(SQLState(header[2]))))
            case "query":
                records.append(
                    Record(
                        line: start, sql: text,
                        expectation: .rows(
                            result(), isSorted: header.contains("rowsort") || !ordersRows(text))))
            default: throw QueryError(.syntaxError, "\(name):\(start): unknown record \"\(line)\"")
            }
        }
    }
}

/// A store that a script talks to beside the engine.
package protocol ScriptStore: Sendable {
    /// The rows of the last statement, values separated by tabs, NULL and empty texts as in scripts.
    func run(_ sql: String) throws -> [String]
}

/// Runs scripts.
package enum ScriptRunner {
    /// Records take milliseconds, on a busy machine seconds.
    private static let recordLimit = Duration.seconds(120)

    /// Descriptions of the records that did not do what they should; empty when all is well.
    package static func run(
        _ script: SQLScript, on connection: any ScriptConnection, stores: [String: any ScriptStore] = [:]
    ) async -> [String] {
        var failures: [String] = []
        for record in script.records {
            let watch = Task.detached {
                // Second by second: time in which the process stood still does not count.
                for _ in 0..<recordLimit.components.seconds { try await Task.sleep(for: .seconds(1)) }
                // Nothing ends a statement that waits for a call that never comes; the process at least says which.
                fatalError("\(script.name):\(record.line) has not ended after \(recordLimit)\n    \(record.sql)")
            }
            defer { watch.cancel() }
            if let failure = await check(record, on: connection, stores) {
                failures.append("\(script.name):\(record.line): \(failure)\n    \(record.sql)")
            }
        }
        return failures
    }

    private static func check(
        _ record: SQLScript.Record, on connection: any ScriptConnection, _ stores: [String: any ScriptStore]
    ) async -> String? {
        do {
            if case .native(let catalog, let expected) = record.expectation {
                guard let store = stores[catalog] else { return "no store \(catalog)" }
                let actual = try store.run(record.sql)
                guard let expected, expected != actual else { return nil }
                return
                    "rows differ\n  expected:\n    \(expected.joined(separator: "\n    "))\n  actual:\n    \(actual.prefix(50).joined(separator: "\n    "))"
            }
            if case .plan(let wanted) = record.expectation {
                let plan = try await connection.run("EXPLAIN " + record.sql).compactMap { $0[0] }.joined(
                    separator: "\n")
                let missed = wanted.filter { line in
                    line.hasPrefix("not ") ? plan.contains(line.dropFirst(4)) : !plan.contains(line)
                }
                return missed.isEmpty ? nil : "the plan does not say: \(missed.joined(separator: "; "))\n\(plan)"
            }
            let rows = try await connection.run(record.sql)
            switch record.expectation {
            case .plan, .native: return nil
            case .success: return nil
            case .failure(let state): return "succeeded, but should fail with \(state)"
            case .rows(let expected, let isSorted):
                let actual = rows.map { row in row.map(text).joined(separator: "\t") }
                let matches = isSorted ? actual.sorted() == expected.sorted() : actual == expected
                return matches
                    ? nil
                    : "rows differ\n  expected:\n    \(expected.joined(separator: "\n    "))\n  actual:\n    \(actual.prefix(50).joined(separator: "\n    "))"
            }
        } catch {
            let error = QueryError.wrapping(error)
            if case .failure(error.state) = record.expectation { return nil }
            return "failed: \(error)"
        }
    }

    private static func text(_ value: String?) -> String {
        guard let value else { return "NULL" }
        return value.isEmpty ? "(empty)" : value.replacing("\n", with: "\\n").replacing("\t", with: "\\t")
    }
}

/// Whether a statement says in which order its rows come: ORDER BY outside of parentheses and strings. Without it any order is
/// right, and several drivers and workers give another one each time.
private func ordersRows(_ sql: String) -> Bool {
    var depth = 0
    var outer: [UInt8] = []
    var quote: UInt8?
    for byte in sql.utf8 {
        if let open = quote {
            if byte == open { quote = nil }
            continue
        }
        switch byte {
        case UInt8(ascii: "'"), UInt8(ascii: "\""): quote = byte
        case UInt8(ascii: "("), UInt8(ascii: "["): depth += 1
        case UInt8(ascii: ")"), UInt8(ascii: "]"): depth -= 1
        default: if depth == 0 { outer.append(byte) }
        }
    }
    return String(decoding: outer, as: UTF8.self).lowercased().split(whereSeparator: \.isWhitespace)
        .joined(separator: " ").contains("order by")
}
