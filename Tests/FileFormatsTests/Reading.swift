// What the tests of file formats share: reading tables, filters, scratch directories.

import Columnar
import Diagnostics
import Foundation
import QueryPlan
import Storage

/// Reads all rows of a table.
func rows(
    _ table: any TableProvider, _ projection: [Int]? = nil, predicates: [QueryPlan.Expression] = [],
    filters: [any ScanFilter] = []
) async throws -> [[ScalarValue]] {
    let request = ScanRequest(projection: projection ?? Array(0..<table.schema.count), predicates: predicates)
    var result: [[ScalarValue]] = []
    for split in try await table.splits(for: request) {
        let reader = try table.makeReader(for: split, request: request, context: ScanContext(filters: filters))
        while let batch = try reader.next() {
            for row in 0..<batch.rowCount { result.append(batch.row(row)) }
        }
    }
    return result
}

/// Number of rows, without making values of them.
func countRows(
    _ table: any TableProvider, _ projection: [Int], filters: [any ScanFilter] = []
) async throws -> Int {
    let request = ScanRequest(projection: projection)
    var count = 0
    for split in try await table.splits(for: request) {
        let reader = try table.makeReader(for: split, request: request, context: ScanContext(filters: filters))
        while let batch = try reader.next() { count += batch.rowCount }
    }
    return count
}

/// A filter from a condition on rows of values.
final class ValueFilter: ScanFilter {
    let positions: [Int]
    let prunable: QueryPlan.Expression?
    let condition: ([ScalarValue]) -> Bool
    init(_ positions: [Int], prunable: QueryPlan.Expression? = nil, _ condition: @escaping ([ScalarValue]) -> Bool) {
        self.positions = positions
        self.prunable = prunable
        self.condition = condition
    }
    func select(_ batch: Batch) throws -> Selection? {
        let selection = Selection(capacity: batch.rowCount)
        var count = 0
        for row in 0..<batch.rowCount where condition(positions.map { batch.column($0).value(at: row) }) {
            selection.rows[count] = UInt16(row)
            count += 1
        }
        selection.count = count
        return selection
    }
}

/// The repository's Fixtures directory.
let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Fixtures").path

/// A directory that lives as long as the object.
final class ScratchDirectory {
    let path: String
    init() throws {
        // In memory where there is such a place: some tests write thousands of files.
        let memory = "/dev/shm/"
        let base = FileManager.default.isWritableFile(atPath: memory) ? memory : NSTemporaryDirectory()
        path = base + "martlet-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
    func write(_ name: String, _ data: Data) throws -> String {
        let full = path + "/" + name
        try FileManager.default.createDirectory(
            atPath: (full as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try data.write(to: URL(fileURLWithPath: full))
        return full
    }
    func write(_ name: String, _ text: String) throws -> String { try write(name, Data(text.utf8)) }
}
