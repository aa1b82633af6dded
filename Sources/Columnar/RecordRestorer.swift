// Gives columns of records back the fields of their type, and values with labels their labels: the frames of an exchange
// leave them out.

/// Made once for a stream of batches; costs nothing where no column is of such a type.
package struct RecordRestorer: Sendable {
    private let types: [DataType]
    private let columns: [Int]

    package init(_ types: [DataType]) {
        self.types = types
        columns = types.indices.filter { types[$0].isPartialInFrames }
    }

    package func restored(_ batch: Batch) -> Batch {
        if columns.isEmpty || batch.columnCount != types.count { return batch }
        var vectors = batch.columns
        for index in columns where vectors[index].type.isPartialInFrames {
            vectors[index] = vectors[index].retyped(types[index])
        }
        return Batch(columns: vectors, rowCount: batch.physicalCount, selection: batch.selection)
    }
}
