// min, max and any_value.

import Columnar
import Diagnostics
import QueryPlan

func minimumMaximumFunctions() -> [AggregateFunction] {
    func make(_ name: String, _ choice: ExtremeChoice, _ text: String) -> AggregateFunction {
        AggregateFunction(
            name, [.any], resultType: { $0[0] == .unknown ? .text : $0[0] },
            documentation: FunctionDocumentation("Aggregate", text, example: "\(name)(x)")
        ) { arguments, result in
            if arguments[0].elementType != nil { throw QueryError.notSupported("\(name) of arrays") }
            return makeExtreme(result, choice)
        }
    }
    return [
        make("min", .smallest, "Smallest argument that is not null."),
        make("max", .largest, "Largest argument that is not null."),
        make("any_value", .first, "Some argument that is not null."),
    ]
}

enum ExtremeChoice: Sendable { case smallest, largest, first }

private func makeExtreme(_ type: DataType, _ choice: ExtremeChoice) -> any AggregateExecutor {
    switch type.physical {
    case .boolean: FixedExtremeExecutor<UInt8>(type, choice) { $0 < $1 }
    case .int8: FixedExtremeExecutor<Int8>(type, choice) { $0 < $1 }
    case .int16: FixedExtremeExecutor<Int16>(type, choice) { $0 < $1 }
    case .int32: FixedExtremeExecutor<Int32>(type, choice) { $0 < $1 }
    case .int64: FixedExtremeExecutor<Int64>(type, choice) { $0 < $1 }
    case .int128: FixedExtremeExecutor<Int128>(type, choice) { $0 < $1 }
    // NaN is larger than every number.
    case .float32: FixedExtremeExecutor<Float>(type, choice) { $1.isNaN ? !$0.isNaN : $0 < $1 }
    case .float64: FixedExtremeExecutor<Double>(type, choice) { $1.isNaN ? !$0.isNaN : $0 < $1 }
    case .interval:
        FixedExtremeExecutor<IntervalValue>(type, choice) { $0.comparisonMicroseconds < $1.comparisonMicroseconds }
    case .uuid: FixedExtremeExecutor<UUIDValue>(type, choice) { $0.high != $1.high ? $0.high < $1.high : $0.low < $1.low }
    case .view: ViewExtremeExecutor(type, choice)
    }
}

/// State: the value (16 bytes at most, at an 8-byte boundary) behind a flag (Int64: 1 when there is one).
final class FixedExtremeExecutor<T: BitwiseCopyable & Sendable>: AggregateExecutor {
    let stateByteCount = 24
    let exportedTypes: [DataType]
    private let type: DataType
    private let choice: ExtremeChoice
    private let isLess: @Sendable (T, T) -> Bool

    init(_ type: DataType, _ choice: ExtremeChoice, isLess: @escaping @Sendable (T, T) -> Bool) {
        self.type = type
        self.choice = choice
        self.isLess = isLess
        exportedTypes = [type]
    }

    func initialize(_ states: StatePointers, offset: Int, count: Int) {
        for index in 0..<count { (states[index] + offset).storeBytes(of: 0, as: Int64.self) }
    }

    @inline(__always)
    private func offer(_ value: T, _ state: UnsafeMutableRawPointer) {
        if state.load(as: Int64.self) != 0 {
            let held = (state + 8).loadUnaligned(as: T.self)
            switch choice {
            case .smallest: if !isLess(value, held) { return }
            case .largest: if !isLess(held, value) { return }
            case .first: return
            }
        }
        state.storeBytes(of: 1, as: Int64.self)
        withUnsafeBytes(of: value) { (state + 8).copyMemory(from: $0.baseAddress.unsafelyUnwrapped, byteCount: $0.count) }
    }

    func update(_ states: StatePointers, offset: Int, arguments: [Vector], count: Int) throws {
        let vector = arguments[0].encoding == .flat ? arguments[0] : arguments[0].flattened()
        let values = vector.values(T.self)
        let validity = vector.validity
        var row = 0
        while row < count {
            if isPresent(validity, row) { offer(values[row], states[row] + offset) }
            row &+= 1
        }
    }

    func updateSingle(_ state: UnsafeMutableRawPointer, arguments: [Vector], count: Int) throws {
        let vector = arguments[0].encoding == .flat ? arguments[0] : arguments[0].flattened()
        let values = vector.values(T.self)
        for row in 0..<count where isPresent(vector.validity, row) { offer(values[row], state) }
    }

    func merge(_ states: StatePointers, offset: Int, exported: [Vector], count: Int) throws {
        try update(states, offset: offset, arguments: exported, count: count)
    }

    func combine(_ states: StatePointers, sources: StatePointers, offset: Int, count: Int) throws {
        for row in 0..<count {
            let source = sources[row] + offset
            if source.load(as: Int64.self) != 0 { offer((source + 8).loadUnaligned(as: T.self), states[row] + offset) }
        }
    }

    func export(_ states: StatePointers, offset: Int, count: Int) throws -> [Vector] {
        [try finalize(states, offset: offset, count: count)]
    }

    func finalize(_ states: StatePointers, offset: Int, count: Int) throws -> Vector {
        let vector = Vector(flat: type, capacity: count)
        let width = MemoryLayout<T>.stride
        for row in 0..<count {
            let state = states[row] + offset
            if state.load(as: Int64.self) != 0 {
                (vector.data + row * width).copyMemory(from: state + 8, byteCount: width)
            } else {
                (vector.data + row * width).initializeMemory(as: UInt8.self, repeating: 0, count: width)
                Validity.setNull(vector.ensureValidity(), row)
            }
        }
        return vector
    }
}

/// Text and bytes. State: flag (Int64), then a view; the bytes of a long value are the state's own.
final class ViewExtremeExecutor: AggregateExecutor {
    let stateByteCount = 24
    let exportedTypes: [DataType]
    var needsDestroy: Bool { true }
    private let type: DataType
    private let choice: ExtremeChoice

    init(_ type: DataType, _ choice: ExtremeChoice) {
        self.type = type
        self.choice = choice
        exportedTypes = [type]
    }

    func initialize(_ states: StatePointers, offset: Int, count: Int) {
        for index in 0..<count { (states[index] + offset).storeBytes(of: 0, as: Int64.self) }
    }

    private func offer(_ view: UnsafePointer<StringView>, _ state: UnsafeMutableRawPointer) {
        let held = (state + 8).assumingMemoryBound(to: StringView.self)
        if state.load(as: Int64.self) != 0 {
            switch choice {
            case .smallest: if StringView.compare(view, held) >= 0 { return }
            case .largest: if StringView.compare(view, held) <= 0 { return }
            case .first: return
            }
            release(held.pointee)
        }
        state.storeBytes(of: 1, as: Int64.self)
        if view.pointee.isInline {
            held.pointee = view.pointee
        } else {
            let count = view.pointee.count
            let own = UnsafeMutablePointer<UInt8>.allocate(capacity: count + Buffer.padding)
            own.update(from: view.pointee.pointer, count: count)
            held.pointee = StringView(own, count: count)
        }
    }

    private func release(_ view: StringView) {
        if !view.isInline { UnsafeMutablePointer(mutating: view.pointer).deallocate() }
    }

    func update(_ states: StatePointers, offset: Int, arguments: [Vector], count: Int) throws {
        let vector = arguments[0].encoding == .flat ? arguments[0] : arguments[0].flattened()
        for row in 0..<count where isPresent(vector.validity, row) { offer(vector.views + row, states[row] + offset) }
    }

    func updateSingle(_ state: UnsafeMutableRawPointer, arguments: [Vector], count: Int) throws {
        let vector = arguments[0].encoding == .flat ? arguments[0] : arguments[0].flattened()
        for row in 0..<count where isPresent(vector.validity, row) { offer(vector.views + row, state) }
    }

    func merge(_ states: StatePointers, offset: Int, exported: [Vector], count: Int) throws {
        try update(states, offset: offset, arguments: exported, count: count)
    }

    func combine(_ states: StatePointers, sources: StatePointers, offset: Int, count: Int) throws {
        for row in 0..<count {
            let source = sources[row] + offset
            if source.load(as: Int64.self) != 0 {
                offer((source + 8).assumingMemoryBound(to: StringView.self), states[row] + offset)
            }
        }
    }

    func export(_ states: StatePointers, offset: Int, count: Int) throws -> [Vector] {
        [try finalize(states, offset: offset, count: count)]
    }

    func finalize(_ states: StatePointers, offset: Int, count: Int) throws -> Vector {
        let vector = Vector(flat: type, capacity: count)
        let heap = StringHeap()
        for row in 0..<count {
            let state = states[row] + offset
            if state.load(as: Int64.self) != 0 {
                vector.views[row] = heap.copy((state + 8).load(as: StringView.self))
            } else {
                vector.views[row] = StringView()
                Validity.setNull(vector.ensureValidity(), row)
            }
        }
        vector.pinned = heap.buffers
        return vector
    }

    func destroy(_ states: StatePointers, offset: Int, count: Int) {
        for row in 0..<count where (states[row] + offset).load(as: Int64.self) != 0 {
            release((states[row] + offset + 8).load(as: StringView.self))
        }
    }
}
