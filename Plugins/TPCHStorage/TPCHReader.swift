// Reads a split: makes the filters' columns first, and the others only for blocks of which rows are left.

import Columnar
import Storage
import TPCHData

final class TPCHReader: BatchReader {
    private let generator: any TableGenerator
    private let request: ScanRequest
    private let context: ScanContext
    private let placeholders: [Vector]
    private var rowsGiven = 0

    init(_ generator: any TableGenerator, schema: Schema, request: ScanRequest, context: ScanContext) {
        self.generator = generator
        self.request = request
        self.context = context
        placeholders = request.projection.map { Vector(flat: schema.fields[$0].type, capacity: 0) }
    }

    func next() throws -> Batch? {
        while true {
            try context.checkCancellation()
            if let limit = request.limit, request.predicates.isEmpty, context.filters.isEmpty, rowsGiven >= limit {
                return nil
            }
            let count = generator.advance()
            if count == 0 { return nil }
            guard let batch = try filtered(count) else { continue }
            rowsGiven += batch.rowCount
            return batch
        }
    }

    /// The current block after all filters; `nil` if no row is left.
    private func filtered(_ count: Int) throws -> Batch? {
        var columns = placeholders
        var isMade = [Bool](repeating: false, count: columns.count)
        func make(_ position: Int) {
            if isMade[position] { return }
            columns[position] = generator.column(request.projection[position])
            isMade[position] = true
        }
        var selection: Selection?
        for filter in context.filters {
            for position in filter.positions { make(position) }
            let batch = Batch(columns: columns, rowCount: count, selection: selection)
            if let selected = try filter.select(batch) {
                if selected.count == 0 { return nil }
                selection = batch.selecting(selected).selection
            }
        }
        for position in columns.indices { make(position) }
        return Batch(columns: columns, rowCount: count, selection: selection)
    }
}
