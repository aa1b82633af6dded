// Building vectors value by value.

/// Collects values of one type into a flat vector. For readers, VALUES and tests; kernels write into vectors directly.
package final class VectorBuilder {
    package let type: DataType
    package private(set) var count = 0
    private var vector: Vector
    private var capacity: Int
    private let heap = StringHeap()
    private var hasNulls = false

    package init(type: DataType, capacity: Int = Batch.standardRowCount) {
        self.type = type
        self.capacity = max(1, capacity)
        vector = Vector(flat: type, capacity: self.capacity)
    }

    private func grow() {
        let larger = Vector(flat: type, capacity: capacity * 2)
        larger.data.copyMemory(from: vector.data, byteCount: count * type.physical.width)
        if hasNulls, let old = vector.validity {
            let words = larger.ensureValidity()
            words.update(from: old, count: Validity.wordCount(count))
        }
        capacity *= 2
        vector = larger
    }

    @inline(__always)
    private func slot() -> Int {
        if count == capacity { grow() }
        let index = count
        count &+= 1
        return index
    }

    package func appendNull() {
        let index = slot()
        (vector.data + index * type.physical.width).initializeMemory(
            as: UInt8.self, repeating: 0, count: type.physical.width)
        hasNulls = true
        Validity.setNull(vector.ensureValidity(), index)
    }

    /// Appends a value that has the layout of the type.
    @inline(__always)
    package func append<T: BitwiseCopyable>(_ value: T) {
        let index = slot()
        vector.values(T.self)[index] = value
    }

    package func append(bytes: UnsafePointer<UInt8>, count: Int) {
        let index = slot()
        vector.views[index] = heap.copy(bytes, count: count)
    }

    package func append(string: String) {
        let index = slot()
        vector.views[index] = heap.copy(string)
    }

    /// Appends any value, null too. Not for hot code.
    package func append(_ value: ScalarValue) {
        if value.isNull {
            appendNull()
        } else {
            // First the slot: it may replace the vector.
            let index = slot()
            vector.store(value, at: index, heap: heap)
        }
    }

    /// The vector; the builder must not be used afterwards.
    package func finish() -> Vector {
        vector.count = count
        vector.pinned = heap.buffers
        return vector
    }
}

extension Batch {
    /// A batch from rows of values; for VALUES and tests.
    package static func rows(_ rows: [[ScalarValue]], types: [DataType]) -> Batch {
        let builders = types.map { VectorBuilder(type: $0, capacity: rows.count) }
        for row in rows {
            for (builder, value) in zip(builders, row) { builder.append(value) }
        }
        return Batch(columns: builders.map { $0.finish() }, rowCount: rows.count)
    }
}
