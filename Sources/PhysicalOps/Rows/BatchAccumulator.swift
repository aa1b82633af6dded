// Collects rows of many batches into dense batches of a good size.

import CKernels
import Columnar

/// Neighbouring rows of one of several batches.
struct RowRun {
    var source: Int
    var start: Int
    var count: Int
}

/// One growing batch. Strings are not copied: the batch pins the memory that they lie in. Confined to one driver.
package final class BatchAccumulator {
    private var columns: [ColumnAccumulator]
    package private(set) var rowCount = 0

    /// `capacity` is a hint; any number of rows up to `Batch.rowCountMax` can be appended.
    package init(types: [DataType], capacity: Int = Batch.standardRowCount) {
        columns = types.map { ColumnAccumulator(type: $0, capacity: capacity) }
    }

    /// Appends rows: positions among the *physical* rows of the batch's columns.
    package func append(_ batch: Batch, rows: UnsafePointer<UInt16>, count: Int) {
        for index in columns.indices { columns[index].append(batch.columns[index], rows: rows, count: count) }
        rowCount += count
    }

    /// Appends runs of rows of several batches, `count` rows together. The batches are dense; those of which no run is may be
    /// missing.
    func append(_ batches: [Batch?], runs: [RowRun], count: Int) {
        for index in columns.indices {
            columns[index].append(batches.map { $0?.columns[index] }, runs: runs, count: count)
        }
        rowCount += count
    }

    /// Appends all live rows.
    package func append(_ batch: Batch) {
        let selection = batch.selection ?? Selection.all(batch.physicalCount)
        append(batch, rows: selection.rows, count: selection.count)
    }

    /// The rows so far as a batch; the accumulator starts again.
    package func take() -> Batch {
        let vectors = columns.indices.map { columns[$0].take(count: rowCount) }
        let batch = Batch(columns: vectors, rowCount: rowCount)
        rowCount = 0
        return batch
    }
}

/// One column. Stays a dictionary vector as long as all rows come from the same dictionary.
private final class ColumnAccumulator {
    private let type: DataType
    private let initialCapacity: Int
    private var capacity = 0
    private var count = 0
    private var vector: Vector?
    private var codes: Buffer?
    private var dictionary: Vector?
    private var lastPinned: (any AnyObject)?

    init(type: DataType, capacity: Int) {
        self.type = type
        initialCapacity = capacity
    }

    func append(_ source: Vector, rows: UnsafePointer<UInt16>, count added: Int) {
        if added == 0 { return }
        if source.encoding == .dictionary, source.validity == nil, vector == nil,
            dictionary == nil || dictionary === source.dictionary
        {
            dictionary = source.dictionary
            appendCodes(source.codes, rows: rows, count: added)
            return
        }
        if dictionary != nil { flatten() }
        reserve(added)
        let target = vector.unsafelyUnwrapped
        copyValues(source, rows: rows, count: added, into: target)
        copyValidity(source, rows: rows, count: added, into: target)
        if type.physical == .view { pin(source) }
        count += added
    }

    func append(_ sources: [Vector?], runs: [RowRun], count added: Int) {
        guard sources.allSatisfy({ $0?.encoding ?? .flat == .flat }) else {
            let all = Selection.all(runs.reduce(0) { max($0, $1.start + $1.count) })
            for run in runs {
                guard let source = sources[run.source] else { continue }
                append(source, rows: all.rows + run.start, count: run.count)
            }
            return
        }
        if dictionary != nil { flatten() }
        reserve(added)
        let target = vector.unsafelyUnwrapped
        let width = type.physical.width
        let bases = sources.map { $0?.data }
        var end = target.data + count * width
        runs.withUnsafeBufferPointer { runs in
            bases.withUnsafeBufferPointer { bases in
                for run in runs {
                    guard let base = bases[run.source] else { continue }
                    end.copyMemory(from: base + run.start * width, byteCount: run.count * width)
                    end += run.count * width
                }
            }
        }
        if sources.contains(where: { $0?.mayHaveNulls ?? false }) {
            var position = count
            for run in runs {
                if let source = sources[run.source], source.mayHaveNulls {
                    for row in 0..<run.count where source.isNull(run.start + row) { setNull(position + row, target) }
                }
                position += run.count
            }
        }
        if type.physical == .view { for case let source? in sources { pin(source) } }
        count += added
    }

    private func setNull(_ row: Int, _ target: Vector) {
        if target.validity == nil {
            let buffer = Validity.make(rows: capacity, valid: true)
            target.validityOwner = buffer
            target.validity = buffer.base.assumingMemoryBound(to: UInt64.self)
        }
        Validity.setNull(target.validity.unsafelyUnwrapped, row)
    }

    private func appendCodes(_ source: UnsafePointer<UInt32>, rows: UnsafePointer<UInt16>, count added: Int) {
        if codes == nil || capacity < count + added {
            let larger = max(initialCapacity, max(capacity * 2, count + added))
            let buffer = Buffer(byteCount: larger * 4)
            if let codes { buffer.base.copyMemory(from: codes.base, byteCount: count * 4) }
            codes = buffer
            capacity = larger
        }
        let target = codes.unsafelyUnwrapped.base.assumingMemoryBound(to: UInt32.self) + count
        var index = 0
        while index < added {
            target[index] = source[Int(rows[index])]
            index &+= 1
        }
        count += added
    }

    private func flatten() {
        let flat = Vector(codes: codes.unsafelyUnwrapped, count: count, dictionary: dictionary.unsafelyUnwrapped)
            .flattened()
        codes = nil
        dictionary = nil
        capacity = count
        vector = flat
    }

    private func reserve(_ added: Int) {
        let needed = count + added
        if vector != nil && needed <= capacity { return }
        let larger = max(initialCapacity, max(capacity * 2, needed))
        let grown = Vector(flat: type, capacity: larger)
        if let vector {
            grown.data.copyMemory(from: vector.data, byteCount: count * type.physical.width)
            grown.pinned = vector.pinned
            if let old = vector.validity {
                grown.ensureValidity().update(from: old, count: Validity.wordCount(count))
            }
        }
        vector = grown
        capacity = larger
    }

    private func pin(_ source: Vector) {
        let owner: any AnyObject = source.dictionary?.dataOwner ?? source.dataOwner
        if lastPinned === owner { return }
        lastPinned = owner
        vector?.pinned += source.dictionary?.pinned ?? source.pinned
        // The bytes of long strings may lie in the buffer itself.
        vector?.pinned.append(owner)
    }

    private func copyValues(_ source: Vector, rows: UnsafePointer<UInt16>, count: Int, into target: Vector) {
        switch type.physical.width {
        case 1: copy(source, rows, count, target.values(UInt8.self))
        case 2: copy(source, rows, count, target.values(UInt16.self))
        case 4: copy(source, rows, count, target.values(UInt32.self))
        case 8: copy(source, rows, count, target.values(UInt64.self))
        default: copy(source, rows, count, target.values(SIMD2<UInt64>.self))
        }
    }

    @inline(__always)
    private func copy<T>(
        _ source: Vector, _ rows: UnsafePointer<UInt16>, _ added: Int, _ target: UnsafeMutablePointer<T>
    ) {
        let target = target + count
        var index = 0
        switch source.encoding {
        case .flat:
            let values = UnsafePointer(source.values(T.self))
            while index < added {
                target[index] = values[Int(rows[index])]
                index &+= 1
            }
        case .constant: target.update(repeating: source.values(T.self)[0], count: added)
        case .dictionary:
            let values = UnsafePointer(source.dictionary.unsafelyUnwrapped.values(T.self))
            let codes = source.codes
            let limit = UInt32(truncatingIfNeeded: max(1, source.dictionary.unsafelyUnwrapped.count)) &- 1
            while index < added {
                // The code of a null row may be anything.
                target[index] = values[Int(min(codes[Int(rows[index])], limit))]
                index &+= 1
            }
        }
    }

    private func copyValidity(_ source: Vector, rows: UnsafePointer<UInt16>, count added: Int, into target: Vector) {
        if !source.mayHaveNulls { return }
        var index = 0
        while index < added {
            if source.isNull(Int(rows[index])) { setNull(count &+ index, target) }
            index &+= 1
        }
    }

    func take(count rows: Int) -> Vector {
        defer {
            vector = nil
            codes = nil
            dictionary = nil
            lastPinned = nil
            capacity = 0
            count = 0
        }
        if let codes, let dictionary { return Vector(codes: codes, count: rows, dictionary: dictionary) }
        guard let vector else { return Vector(flat: type, capacity: 0) }
        vector.count = rows
        return vector
    }
}
