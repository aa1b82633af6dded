// Copies of rows into flat vectors with their own memory.

import Columnar

enum BatchCopy {
    /// Appends rows of a dense vector to a builder.
    static func append(_ column: Vector, _ rows: Range<Int>, to builder: VectorBuilder) {
        for row in rows { append(column, row, to: builder) }
    }

    @inline(__always)
    static func append(_ column: Vector, _ row: Int, to builder: VectorBuilder) {
        if column.isNull(row) { return builder.appendNull() }
        let (vector, index) = column.position(row)
        switch column.physical {
        case .boolean, .int8: builder.append(vector.values(UInt8.self)[index])
        case .int16: builder.append(vector.values(UInt16.self)[index])
        case .int32, .float32: builder.append(vector.values(UInt32.self)[index])
        case .int64, .float64: builder.append(vector.values(UInt64.self)[index])
        case .int128, .interval, .uuid: builder.append(vector.values(SIMD2<UInt64>.self)[index])
        case .view:
            let view = vector.views + index
            builder.append(bytes: StringView.bytes(at: view), count: view.pointee.count)
        }
    }

    static func concatenated(_ batches: [Batch], types: [DataType]) -> Batch {
        let count = batches.reduce(0) { $0 + $1.rowCount }
        let builders = types.map { VectorBuilder(type: $0, capacity: count) }
        for batch in batches {
            for (index, builder) in builders.enumerated() {
                append(batch.column(index), 0..<batch.rowCount, to: builder)
            }
        }
        return Batch(columns: builders.map { $0.finish() }, rowCount: count)
    }

    static func rows(_ rows: [Int], of batch: Batch, types: [DataType]) -> Batch {
        let builders = types.map { VectorBuilder(type: $0, capacity: rows.count) }
        for (index, builder) in builders.enumerated() {
            let column = batch.column(index)
            for row in rows { append(column, row, to: builder) }
        }
        return Batch(columns: builders.map { $0.finish() }, rowCount: rows.count)
    }
}
