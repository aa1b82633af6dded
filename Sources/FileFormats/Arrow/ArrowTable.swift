// A table made of Arrow IPC files.

import Columnar
import Diagnostics
import QueryPlan
import Storage

/// One or more Arrow files of the same columns. Splits are record batches.
package final class ArrowTable: TableProvider {
    package let schema: Schema
    private let files: [ArrowFile]

    package init(name: String, files: [FileIdentity], in store: any FileStore = LocalFiles.shared) throws {
        let opened = try files.map { try ArrowFile($0, in: store) }
        guard let first = opened.first else {
            throw QueryError(.undefinedFile, "table \"\(name)\" has no files", object: name)
        }
        var seen: Set<String> = []
        for column in first.columns where !seen.insert(column.name).inserted {
            throw QueryError(
                .duplicateColumn, "column \"\(column.name)\" appears twice in \"\(first.identity.path)\"",
                object: first.identity.path)
        }
        for other in opened.dropFirst()
        where other.columns.map(\.name) != first.columns.map(\.name)
            || other.columns.map(\.type) != first.columns.map(\.type)
        {
            throw QueryError(
                .datatypeMismatch, "the files of table \"\(name)\" do not agree about their columns",
                detail: "Files: \(first.identity.path), \(other.identity.path).", object: name)
        }
        self.files = opened
        schema = Schema(
            first.columns.indices.map { index in
                var field = first.columns[index].field
                field.isNullable = opened.contains { $0.columns[index].isNullable }
                return field
            })
    }

    package func statistics() async throws -> TableStatistics {
        TableStatistics(
            rowCount: Double(files.reduce(0) { $0 + $1.batches.reduce(0) { $0 + $1.rowCount } }),
            byteCount: Double(files.reduce(0) { $0 + $1.identity.byteCount }),
            columns: schema.fields.map { _ in ColumnStatistics() })
    }

    package func splits(for request: ScanRequest) async throws -> [Split] {
        files.flatMap { file in
            file.batches.indices.filter { file.batches[$0].rowCount > 0 }.map { index in
                Split(
                    payload: FilePart(identity: file.identity, start: index, end: index + 1).payload,
                    estimatedRowCount: file.batches[index].rowCount,
                    estimatedByteCount: file.batches[index].bodyByteCount)
            }
        }
    }

    package func makeReader(for split: Split, request: ScanRequest, context: ScanContext) throws -> any BatchReader {
        let part = try FilePart(payload: split.payload)
        guard let file = files.first(where: { $0.identity == part.identity }), file.batches.indices.contains(part.start)
        else {
            throw QueryError(
                .ioError, "file \"\(part.identity.path)\" changed while the query ran", hint: "Run the query again.",
                object: part.identity.path)
        }
        let columns = request.projection.map { file.columns[$0] }
        if let unsupported = columns.lazy.compactMap(\.unsupported).first { throw QueryError.notSupported(unsupported) }
        return try ArrowReader(file, file.batches[part.start], columns, request, context)
    }
}

/// Gives the rows of one record batch. Confined to one thread.
private final class ArrowReader: BatchReader {
    private let vectors: [Vector]
    private let rowCount: Int
    private let context: ScanContext
    private var row = 0
    private var limit: Int
    private var held: HeldBytes?

    init(
        _ file: ArrowFile, _ block: ArrowFile.Block, _ columns: [ArrowColumn], _ request: ScanRequest,
        _ context: ScanContext
    ) throws {
        self.context = context
        rowCount = block.rowCount
        limit = context.filters.isEmpty && request.predicates.isEmpty ? request.limit ?? .max : .max
        if columns.isEmpty {
            vectors = []
            return
        }
        var opened = try file.store.open(file.identity)
        if opened.isRemote {
            let range = block.offset..<block.offset + block.metadataByteCount + block.bodyByteCount
            held = HeldBytes(context)
            try held?.add(range.count)
            opened = try PrefetchedFile(opened, [range])
        }
        let batch = try ArrowBatch(ArrowFile.header(opened, block, kind: 3), block, ArrowFileBody(file: opened))
        guard batch.rowCount == block.rowCount else { throw ArrowFile.corrupted("a batch has changed") }
        vectors = try columns.map { column in
            try batch.vector(column, dictionary: column.dictionary.map { try file.dictionary($0, of: column, opened) })
        }
        context.bytesRead += batch.byteCount
    }

    func next() throws -> Batch? {
        while row < rowCount, limit > 0 {
            try context.checkCancellation()
            let count = min(Batch.standardRowCount, rowCount - row, limit)
            let start = row
            row += count
            var selection: Selection?
            let columns = vectors.map { $0.rows(start, count) }
            for filter in context.filters {
                if selection?.count == 0 { break }
                if let chosen = try filter.select(Batch(columns: columns, rowCount: count, selection: selection)) {
                    selection = selection?.composed(with: chosen) ?? chosen
                }
            }
            if let chosen = selection {
                if chosen.count == 0 { continue }
                if chosen.count == count { selection = nil }
            }
            let batch = Batch(columns: columns, rowCount: count, selection: selection)
            limit -= batch.rowCount
            return batch
        }
        return nil
    }
}

extension Vector {
    /// `count` rows from `start`, a multiple of 64, in the same memory.
    fileprivate func rows(_ start: Int, _ count: Int) -> Vector {
        if encoding == .constant { return Vector.constant(value(at: 0), type: type, count: count) }
        let width = encoding == .dictionary ? 4 : physical.width
        let part = Vector(
            type: type, encoding: encoding, count: count, data: data + start * width, dataOwner: dataOwner,
            dictionary: dictionary, pinned: pinned)
        if let validity {
            part.validity = validity + start / 64
            part.validityOwner = validityOwner
        }
        return part
    }
}
