// The common shape of aggregates whose state is an object on the heap: collections, ordered sets, sketches.

import Columnar
import Diagnostics

/// What one group collects. Confined to the thread that runs its operator.
protocol AggregateBox: AnyObject {
    func add(_ arguments: [Vector], _ row: Int) throws
    /// Takes over what another group's box has, behind what is here.
    func absorb(_ other: Self) throws
}

protocol BoxLogic: Sendable {
    associatedtype Box: AggregateBox
    func makeBox() -> Box
    /// What boxes are given for the flat arguments of a batch.
    func prepare(_ arguments: [Vector], count: Int) -> [Vector]
    /// Whether the rows with a null in argument 0 are left out.
    var skipsNulls: Bool { get }
    var resultType: DataType { get }
    var exportedTypes: [DataType] { get }
    /// Writes the result; `nil` is a group without rows.
    func finish(_ box: Box?, to result: Vector, row: Int, heap: StringHeap) throws
    /// Writes an exported state; only called when `exportedTypes` is not empty.
    func export(_ box: Box?, to columns: [Vector], row: Int, heap: StringHeap) throws
    func load(_ columns: [Vector], row: Int) throws -> Box?
}

extension BoxLogic {
    func prepare(_ arguments: [Vector], count: Int) -> [Vector] { arguments }
    var skipsNulls: Bool { true }
    var exportedTypes: [DataType] { [] }
    func export(_ box: Box?, to columns: [Vector], row: Int, heap: StringHeap) throws {
        throw QueryError.internalError("this aggregate's states cannot be exported")
    }
    func load(_ columns: [Vector], row: Int) throws -> Box? {
        throw QueryError.internalError("this aggregate's states cannot be exported")
    }
}

/// Runs a `BoxLogic`: a state is one retained pointer, zero while the group has no rows.
final class BoxAggregate<Logic: BoxLogic>: AggregateExecutor {
    private let logic: Logic
    init(_ logic: Logic) { self.logic = logic }

    var stateByteCount: Int { 8 }
    var exportedTypes: [DataType] { logic.exportedTypes }
    var needsDestroy: Bool { true }

    private func slot(_ base: UnsafeMutableRawPointer, _ offset: Int) -> UnsafeMutablePointer<UnsafeMutableRawPointer?>
    {
        (base + offset).assumingMemoryBound(to: UnsafeMutableRawPointer?.self)
    }
    private func box(_ base: UnsafeMutableRawPointer, _ offset: Int) -> Logic.Box? {
        slot(base, offset).pointee.map { Unmanaged<Logic.Box>.fromOpaque($0).takeUnretainedValue() }
    }
    private func ensureBox(_ base: UnsafeMutableRawPointer, _ offset: Int) -> Logic.Box {
        if let box = box(base, offset) { return box }
        let box = logic.makeBox()
        slot(base, offset).pointee = Unmanaged.passRetained(box).toOpaque()
        return box
    }

    func initialize(_ states: UnsafePointer<UnsafeMutableRawPointer>, offset: Int, count: Int) {
        for index in 0..<count { slot(states[index], offset).initialize(to: nil) }
    }

    func update(_ states: UnsafePointer<UnsafeMutableRawPointer>, offset: Int, arguments: [Vector], count: Int) throws {
        let flat = logic.prepare(arguments.map { $0.flattened() }, count: count)
        for row in 0..<count {
            if logic.skipsNulls && flat[0].isNull(row) { continue }
            try ensureBox(states[row], offset).add(flat, row)
        }
    }
    func updateSingle(_ state: UnsafeMutableRawPointer, arguments: [Vector], count: Int) throws {
        let flat = logic.prepare(arguments.map { $0.flattened() }, count: count)
        for row in 0..<count {
            if logic.skipsNulls && flat[0].isNull(row) { continue }
            try ensureBox(state, 0).add(flat, row)
        }
    }
    func merge(_ states: UnsafePointer<UnsafeMutableRawPointer>, offset: Int, exported: [Vector], count: Int) throws {
        let columns = exported.map { $0.flattened() }
        for row in 0..<count {
            if let other = try logic.load(columns, row: row) { try ensureBox(states[row], offset).absorb(other) }
        }
    }
    func combine(
        _ states: UnsafePointer<UnsafeMutableRawPointer>, sources: UnsafePointer<UnsafeMutableRawPointer>, offset: Int,
        count: Int
    ) throws {
        for index in 0..<count {
            if let other = box(sources[index], offset) { try ensureBox(states[index], offset).absorb(other) }
        }
    }
    func export(_ states: UnsafePointer<UnsafeMutableRawPointer>, offset: Int, count: Int) throws -> [Vector] {
        let columns = logic.exportedTypes.map { Vector(flat: $0, capacity: count) }
        let heap = StringHeap(chunkByteCount: 16 << 10)
        for index in 0..<count { try logic.export(box(states[index], offset), to: columns, row: index, heap: heap) }
        for column in columns { column.pinned = heap.buffers }
        return columns
    }
    func finalize(_ states: UnsafePointer<UnsafeMutableRawPointer>, offset: Int, count: Int) throws -> Vector {
        let result = Vector(flat: logic.resultType, capacity: count)
        let heap = StringHeap(chunkByteCount: 16 << 10)
        for index in 0..<count { try logic.finish(box(states[index], offset), to: result, row: index, heap: heap) }
        result.pinned += heap.buffers
        return result
    }
    func destroy(_ states: UnsafePointer<UnsafeMutableRawPointer>, offset: Int, count: Int) {
        for index in 0..<count {
            let slot = slot(states[index], offset)
            if let pointer = slot.pointee { Unmanaged<Logic.Box>.fromOpaque(pointer).release() }
            slot.pointee = nil
        }
    }
}

/// Values of one column, collected row by row.
final class ValueList: AggregateBox {
    private(set) var vector: Vector
    private(set) var count = 0
    private var capacity = 8
    private let heap = StringHeap(chunkByteCount: 1 << 10)
    /// Which argument is collected.
    private let argument: Int

    init(type: DataType, argument: Int = 0) {
        vector = Vector(flat: type, capacity: 8)
        self.argument = argument
    }

    func add(_ arguments: [Vector], _ row: Int) { append(arguments[argument], row) }

    /// Appends a row of a flat vector.
    func append(_ source: Vector, _ row: Int) {
        if count == capacity { grow() }
        let width = vector.physical.width
        let target = vector.data + count * width
        if source.isNull(row) {
            target.initializeMemory(as: UInt8.self, repeating: 0, count: width)
            Validity.setNull(vector.ensureValidity(), count)
        } else if vector.physical == .view {
            vector.views[count] = heap.copy(source.views[row])
        } else {
            target.copyMemory(from: source.data + row * width, byteCount: width)
        }
        count += 1
    }

    private func grow() {
        let larger = Vector(flat: vector.type, capacity: capacity * 2)
        larger.data.copyMemory(from: vector.data, byteCount: count * vector.physical.width)
        if let old = vector.validity {
            larger.ensureValidity().update(from: old, count: Validity.wordCount(count))
        }
        capacity *= 2
        vector = larger
    }

    func absorb(_ other: ValueList) {
        for row in 0..<other.count { append(other.vector, row) }
    }

    /// The values as a vector of exactly `count` rows.
    func finished() -> Vector {
        vector.count = count
        vector.pinned = heap.buffers
        return vector
    }
}

/// min and max of arrays: the best value so far as a list of one.
struct ArrayExtreme: BoxLogic {
    let type: DataType
    let element: DataType
    let isMax: Bool
    var resultType: DataType { type }

    final class Best: AggregateBox {
        var list: ValueList
        let isMax: Bool
        init(type: DataType, isMax: Bool) {
            list = ValueList(type: type)
            self.isMax = isMax
        }
        private func consider(_ source: Vector, _ row: Int) {
            if list.count > 0 {
                let order = Comparison.compareValues(source, row, list.vector, 0)
                if isMax ? order <= 0 : order >= 0 { return }
            }
            list = ValueList(type: list.vector.type)
            list.append(source, row)
        }
        func add(_ arguments: [Vector], _ row: Int) { consider(arguments[0], row) }
        func absorb(_ other: Best) { if other.list.count > 0 { consider(other.list.vector, 0) } }
    }
    func makeBox() -> Best { Best(type: type, isMax: isMax) }
    func finish(_ box: Best?, to result: Vector, row: Int, heap: StringHeap) throws {
        guard let box, box.list.count > 0 else { return result.setNull(row) }
        result.views[row] = heap.copy(box.list.vector.views[0])
    }
}
