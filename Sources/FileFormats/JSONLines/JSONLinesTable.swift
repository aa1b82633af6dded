// A table made of files of JSON lines: one object a line, its members the columns.

import Columnar
import Diagnostics
import QueryPlan
import Storage

/// One or more files of JSON lines. Columns are the members seen in the first lines; a member that a line does not have is
/// NULL. Splits are byte ranges, or whole compressed files.
package final class JSONLinesTable: TableProvider {
    private static let sniffedFileMax = 16
    private static let splitByteCount = 8 << 20
    /// How much longer text is than its gzip file, as a rule.
    private static let compressionRatio = 6.0

    package let schema: Schema
    private let store: any FileStore
    private let files: [FileIdentity]
    private let bytesPerLine: Double

    package init(name: String, files: [FileIdentity], in store: any FileStore = LocalFiles.shared) throws {
        guard !files.isEmpty else {
            throw QueryError(.undefinedFile, "table \"\(name)\" has no files", object: name)
        }
        var found = JSONLinesSchema()
        for file in files.prefix(JSONLinesTable.sniffedFileMax) { try found.add(store.open(file)) }
        schema = Schema(try found.fields())
        guard !schema.fields.isEmpty else {
            throw QueryError(
                .dataCorrupted, "no columns could be found in \"\(files[0].path)\"",
                hint: "A file of JSON lines has one object in each line.", object: files[0].path)
        }
        self.store = store
        self.files = files
        bytesPerLine = found.lineCount == 0 ? 100 : Double(found.byteCount) / Double(found.lineCount)
    }

    private func estimatedRowCount(_ file: FileIdentity) -> Double {
        let ratio = JSONLinesInput.isCompressed(file) ? JSONLinesTable.compressionRatio : 1
        return (Double(file.byteCount) * ratio / bytesPerLine).rounded(.up)
    }

    package func statistics() async throws -> TableStatistics {
        TableStatistics(
            rowCount: files.reduce(0) { $0 + estimatedRowCount($1) },
            byteCount: Double(files.reduce(0) { $0 + $1.byteCount }),
            columns: schema.fields.map { _ in ColumnStatistics() })
    }

    package func splits(for request: ScanRequest) async throws -> [Split] {
        var splits: [Split] = []
        for file in files where file.byteCount > 0 {
            let step = JSONLinesInput.isCompressed(file) ? file.byteCount : JSONLinesTable.splitByteCount
            for start in stride(from: 0, to: file.byteCount, by: step) {
                let end = min(start + step, file.byteCount)
                let rows = estimatedRowCount(file) * Double(end - start) / Double(file.byteCount)
                splits.append(
                    Split(
                        payload: FilePart(identity: file, start: start, end: end).payload,
                        estimatedRowCount: max(1, Int(rows)), estimatedByteCount: end - start))
            }
        }
        return splits
    }

    package func makeReader(for split: Split, request: ScanRequest, context: ScanContext) throws -> any BatchReader {
        try JSONLinesReader(
            FilePart(payload: split.payload), in: store, schema: schema, request: request, context: context)
    }
}
