// min and max over every ordered type, any_value, and the boolean and bit aggregates.

import Columnar
import Diagnostics

enum ExtremeAggregates {
    static func register(in registry: FunctionRegistry) {
        let types: [ParameterType] = [
            .exact(.int8), .int16, .int32, .int64, .float32, .float64, .anyDecimal, .numeric, .text, .bytea, .date,
            .time, .timeTZ,
            .timestamp,
            .timestampTZ, .interval, .exact(.uuid), .exact(.oid), .boolean, .anyArray,
            .anyEnumeration,
        ]
        for (name, isMax) in [("min", false), ("max", true)] {
            let text = FunctionDocumentation(
                "Aggregate", "The \(isMax ? "largest" : "smallest") value that is not null.")
            for type in types {
                registry.aggregate(name, [type], typed: { $0[0] }, text) { types, result in
                    try executor(types[0], result, isMax: isMax)
                }
            }
        }
        for name in ["any_value", "first"] {
            registry.aggregate(
                name, [.any], typed: { $0[0] }, isOrderSensitive: name == "first",
                FunctionDocumentation("Aggregate", "The first value that is not null, in the order of the rows.")
            ) { try first($0[0], $1) }
        }
        registerBooleans(in: registry)
        registerBits(in: registry)
    }

    private static func executor(_ type: DataType, _ result: DataType, isMax: Bool) throws -> any AggregateExecutor {
        if case .array(let element) = type {
            return BoxAggregate(ArrayExtreme(type: result, element: element, isMax: isMax))
        }
        switch type.physical {
        case .boolean: return plain(UInt8.self, result, isMax) { $0 < $1 }
        case .int8: return plain(Int8.self, result, isMax) { $0 < $1 }
        case .int16: return integers(Int16.self, result, isMax)
        case .int32: return integers(Int32.self, result, isMax)
        case .int64: return integers(Int64.self, result, isMax)
        case .int128: return plain(Int128.self, result, isMax) { $0 < $1 }
        case .float32: return plain(Float.self, result, isMax) { FloatOrder.less($0, $1) }
        case .float64: return plain(Double.self, result, isMax) { FloatOrder.less($0, $1) }
        case .interval:
            return plain(IntervalValue.self, result, isMax) { $0.comparisonMicroseconds < $1.comparisonMicroseconds }
        case .uuid:
            return plain(UUIDValue.self, result, isMax) { $0.high != $1.high ? $0.high < $1.high : $0.low < $1.low }
        case .view: return StateAggregate(ViewExtreme(resultType: result, mode: isMax ? .max : .min))
        }
    }

    private static func integers<T: FixedWidthInteger & SignedInteger & Sendable>(
        _: T.Type, _ result: DataType, _ isMax: Bool
    ) -> any AggregateExecutor {
        if isMax { return StateAggregate(IntegerExtreme<T, Largest>(resultType: result)) }
        return StateAggregate(IntegerExtreme<T, Smallest>(resultType: result))
    }

    private static func plain<T: Sendable>(
        _: T.Type, _ result: DataType, _ isMax: Bool, _ less: @escaping @Sendable (T, T) -> Bool
    ) -> any AggregateExecutor {
        if isMax { return StateAggregate(PlainExtreme<T>(resultType: result, replaces: { less($1, $0) })) }
        return StateAggregate(PlainExtreme<T>(resultType: result, replaces: less))
    }

    private static func first(_ type: DataType, _ result: DataType) throws -> any AggregateExecutor {
        switch type.physical.width {
        case 1: return StateAggregate(PlainExtreme<UInt8>(resultType: result, replaces: { _, _ in false }))
        case 2: return StateAggregate(PlainExtreme<UInt16>(resultType: result, replaces: { _, _ in false }))
        case 4: return StateAggregate(PlainExtreme<UInt32>(resultType: result, replaces: { _, _ in false }))
        case 8: return StateAggregate(PlainExtreme<UInt64>(resultType: result, replaces: { _, _ in false }))
        default:
            if type.physical == .view { return StateAggregate(ViewExtreme(resultType: result, mode: .first)) }
            return StateAggregate(PlainExtreme<UUIDValue>(resultType: result, replaces: { _, _ in false }))
        }
    }

    private static func registerBooleans(in registry: FunctionRegistry) {
        for (name, isAnd) in [("bool_and", true), ("every", true), ("bool_or", false)] {
            registry.aggregate(
                name, [.boolean], .boolean,
                FunctionDocumentation(
                    "Aggregate", isAnd ? "Whether all values are true." : "Whether some value is true.")
            ) { _, type in integers(Int8.self, type, !isAnd) }
        }
    }

    private static func registerBits(in registry: FunctionRegistry) {
        for (name, operation, text) in [
            ("bit_and", BitFold.Operation.and, "Bitwise AND of all values."),
            ("bit_or", .or, "Bitwise OR of all values."),
            ("bit_xor", .xor, "Bitwise exclusive OR of all values."),
        ] {
            for type in [DataType.int16, .int32, .int64] {
                registry.aggregate(name, [.exact(type)], type, FunctionDocumentation("Aggregate", text)) { _, result in
                    StateAggregate(BitFold(resultType: result, operation: operation))
                }
            }
            registry.aggregate(
                name, [.exact(.bit(length: nil))], typed: { $0[0] }, FunctionDocumentation("Aggregate", text)
            ) { _, result in
                BoxAggregate(BitStringFold(resultType: result, operation: operation))
            }
        }
    }
}

/// A direction known when the kernel is compiled.
protocol ExtremeDirection: Sendable {
    static func better<T: Comparable>(_ a: T, _ b: T) -> Bool
    static func neutral<T: FixedWidthInteger>(_: T.Type) -> T
}
enum Smallest: ExtremeDirection {
    @inline(__always) static func better<T: Comparable>(_ a: T, _ b: T) -> Bool { a < b }
    @inline(__always) static func neutral<T: FixedWidthInteger>(_: T.Type) -> T { T.max }
}
enum Largest: ExtremeDirection {
    @inline(__always) static func better<T: Comparable>(_ a: T, _ b: T) -> Bool { a > b }
    @inline(__always) static func neutral<T: FixedWidthInteger>(_: T.Type) -> T { T.min }
}

struct ExtremeState<T> {
    var value: T
    var isPresent: Bool
}

/// min and max of integers and of what is stored as integers.
struct IntegerExtreme<T: FixedWidthInteger & SignedInteger & Sendable, Direction: ExtremeDirection>: AggregateLogic {
    let resultType: DataType
    var initial: ExtremeState<T> { ExtremeState(value: Direction.neutral(T.self), isPresent: false) }
    var exportedTypes: [DataType] { [resultType] }

    func prepare(_ arguments: [Vector]) -> UnsafePointer<T> { UnsafePointer(arguments[0].values(T.self)) }
    @inline(__always)
    func add(_ state: UnsafeMutablePointer<ExtremeState<T>>, _ input: UnsafePointer<T>, _ row: Int) {
        let value = input[row]
        if Direction.better(value, state.pointee.value) { state.pointee.value = value }
        state.pointee.isPresent = true
    }
    func addAll(
        _ state: UnsafeMutablePointer<ExtremeState<T>>, _ input: UnsafePointer<T>, validity: UnsafePointer<UInt64>?,
        count: Int
    ) -> Bool {
        if validity != nil || count == 0 { return false }
        var best = state.pointee.value
        var row = 0
        while row < count {
            let value = input[row]
            best = Direction.better(value, best) ? value : best
            row &+= 1
        }
        state.pointee = ExtremeState(value: best, isPresent: true)
        return true
    }
    func combine(_ state: UnsafeMutablePointer<ExtremeState<T>>, _ other: UnsafePointer<ExtremeState<T>>) {
        if Direction.better(other.pointee.value, state.pointee.value) { state.pointee.value = other.pointee.value }
        state.pointee.isPresent = state.pointee.isPresent || other.pointee.isPresent
    }
    func export(_ state: UnsafePointer<ExtremeState<T>>, to columns: [Vector], row: Int) {
        if state.pointee.isPresent {
            columns[0].values(T.self)[row] = state.pointee.value
        } else {
            columns[0].setNull(row)
        }
    }
    func load(_ columns: [Vector], row: Int) -> ExtremeState<T> {
        columns[0].isNull(row) ? initial : ExtremeState(value: columns[0].values(T.self)[row], isPresent: true)
    }
    func finish(_ state: UnsafePointer<ExtremeState<T>>, to result: Vector, row: Int) throws {
        export(state, to: [result], row: row)
    }
}

/// A value kept until a better one comes, for plain types. Only 8-byte alignment can be relied on, so 16-byte values are
/// copied bytewise.
struct PlainState {
    var first: UInt64 = 0
    var second: UInt64 = 0
    var isPresent: UInt64 = 0

    @inline(__always) func value<T>(_: T.Type) -> T {
        withUnsafeBytes(of: self) { $0.loadUnaligned(as: SIMD2<UInt64>.self) }.reinterpreted(as: T.self)
    }
    @inline(__always) mutating func set<T>(_ value: T) {
        var wide = SIMD2<UInt64>(0, 0)
        withUnsafeMutableBytes(of: &wide) { target in
            withUnsafeBytes(of: value) { target.copyMemory(from: $0) }
        }
        first = wide[0]
        second = wide[1]
        isPresent = 1
    }
}

extension SIMD2<UInt64> {
    /// The leading bytes as another plain type of at most 16 bytes.
    @inline(__always) fileprivate func reinterpreted<T>(as: T.Type) -> T {
        withUnsafeBytes(of: self) { $0.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: T.self).pointee }
    }
}

struct PlainExtreme<T: Sendable>: AggregateLogic {
    let resultType: DataType
    /// Whether the first value takes the place of the second.
    let replaces: @Sendable (T, T) -> Bool
    var initial: PlainState { PlainState() }
    var exportedTypes: [DataType] { [resultType] }

    func prepare(_ arguments: [Vector]) -> UnsafePointer<T> { UnsafePointer(arguments[0].values(T.self)) }
    func add(_ state: UnsafeMutablePointer<PlainState>, _ input: UnsafePointer<T>, _ row: Int) {
        if state.pointee.isPresent == 0 || replaces(input[row], state.pointee.value(T.self)) {
            state.pointee.set(input[row])
        }
    }
    func combine(_ state: UnsafeMutablePointer<PlainState>, _ other: UnsafePointer<PlainState>) {
        if other.pointee.isPresent == 0 { return }
        if state.pointee.isPresent == 0 || replaces(other.pointee.value(T.self), state.pointee.value(T.self)) {
            state.pointee = other.pointee
        }
    }
    func export(_ state: UnsafePointer<PlainState>, to columns: [Vector], row: Int) {
        if state.pointee.isPresent == 0 { return columns[0].setNull(row) }
        columns[0].values(T.self)[row] = state.pointee.value(T.self)
    }
    func load(_ columns: [Vector], row: Int) -> PlainState {
        var state = PlainState()
        if !columns[0].isNull(row) { state.set(columns[0].values(T.self)[row]) }
        return state
    }
    func finish(_ state: UnsafePointer<PlainState>, to result: Vector, row: Int) throws {
        export(state, to: [result], row: row)
    }
}

/// A view whose long bytes the state owns.
struct OwnedViewState {
    var view = StringView()
    /// Bytes allocated for a long value; the address outlives shorter successors.
    var memory: UnsafeMutablePointer<UInt8>?
    var capacity: Int = 0
    var isPresent: Bool = false

    mutating func set(_ source: StringView) {
        isPresent = true
        if source.isInline {
            view = source
            return
        }
        if capacity < source.count {
            memory?.deallocate()
            capacity = max(32, source.count + source.count / 2)
            memory = .allocate(capacity: capacity)
        }
        guard let memory else { return }
        memory.update(from: source.pointer, count: source.count)
        view = StringView(memory, count: source.count)
    }
}

/// min, max and first of text and bytes.
struct ViewExtreme: AggregateLogic {
    enum Mode: Sendable { case min, max, first }
    let resultType: DataType
    let mode: Mode
    private let kind: ViewKind
    init(resultType: DataType, mode: Mode) {
        self.resultType = resultType
        self.mode = mode
        kind = ViewKind(resultType)
    }
    var initial: OwnedViewState { OwnedViewState() }
    var exportedTypes: [DataType] { [resultType] }
    var needsDestroy: Bool { true }

    func prepare(_ arguments: [Vector]) -> UnsafePointer<StringView> { UnsafePointer(arguments[0].views) }

    private func consider(_ state: UnsafeMutablePointer<OwnedViewState>, _ candidate: UnsafePointer<StringView>) {
        if state.pointee.isPresent {
            if mode == .first { return }
            let order = withUnsafePointer(to: state.pointee.view) { kind.compare(candidate, $0) }
            if mode == .min ? order >= 0 : order <= 0 { return }
        }
        state.pointee.set(candidate.pointee)
    }
    func add(_ state: UnsafeMutablePointer<OwnedViewState>, _ input: UnsafePointer<StringView>, _ row: Int) {
        consider(state, input + row)
    }
    func combine(_ state: UnsafeMutablePointer<OwnedViewState>, _ other: UnsafePointer<OwnedViewState>) {
        if !other.pointee.isPresent { return }
        withUnsafePointer(to: other.pointee.view) { consider(state, $0) }
    }
    func export(_ state: UnsafePointer<OwnedViewState>, to columns: [Vector], row: Int) {
        guard state.pointee.isPresent else { return columns[0].setNull(row) }
        let view = state.pointee.view
        if view.isInline {
            columns[0].views[row] = view
        } else {
            let buffer = Buffer(byteCount: view.count)
            let bytes = buffer.base.assumingMemoryBound(to: UInt8.self)
            bytes.update(from: view.pointer, count: view.count)
            columns[0].views[row] = StringView(bytes, count: view.count)
            columns[0].pinned.append(buffer)
        }
    }
    func load(_ columns: [Vector], row: Int) -> OwnedViewState {
        var state = OwnedViewState()
        if !columns[0].isNull(row) { state.set(columns[0].views[row]) }
        return state
    }
    func finish(_ state: UnsafePointer<OwnedViewState>, to result: Vector, row: Int) throws {
        export(state, to: [result], row: row)
    }
    func destroy(_ state: UnsafeMutablePointer<OwnedViewState>) {
        state.pointee.memory?.deallocate()
        state.pointee = OwnedViewState()
    }
}

struct BitState {
    var value: Int64 = 0
    var isPresent: Int64 = 0
}

/// Bitwise folds of integers.
struct BitFold: AggregateLogic {
    enum Operation: Sendable { case and, or, xor }
    let resultType: DataType
    let operation: Operation
    var initial: BitState { BitState() }
    var exportedTypes: [DataType] { [resultType] }

    func prepare(_ arguments: [Vector]) -> Vector { arguments[0] }
    private func read(_ vector: Vector, _ row: Int) -> Int64 {
        switch vector.physical {
        case .int16: Int64(vector.values(Int16.self)[row])
        case .int32: Int64(vector.values(Int32.self)[row])
        default: vector.values(Int64.self)[row]
        }
    }
    private func fold(_ state: UnsafeMutablePointer<BitState>, _ value: Int64) {
        if state.pointee.isPresent == 0 {
            state.pointee = BitState(value: value, isPresent: 1)
            return
        }
        switch operation {
        case .and: state.pointee.value &= value
        case .or: state.pointee.value |= value
        case .xor: state.pointee.value ^= value
        }
    }
    func add(_ state: UnsafeMutablePointer<BitState>, _ input: Vector, _ row: Int) { fold(state, read(input, row)) }
    func combine(_ state: UnsafeMutablePointer<BitState>, _ other: UnsafePointer<BitState>) {
        if other.pointee.isPresent != 0 { fold(state, other.pointee.value) }
    }
    func export(_ state: UnsafePointer<BitState>, to columns: [Vector], row: Int) {
        if state.pointee.isPresent == 0 { return columns[0].setNull(row) }
        switch columns[0].physical {
        case .int16: columns[0].values(Int16.self)[row] = Int16(truncatingIfNeeded: state.pointee.value)
        case .int32: columns[0].values(Int32.self)[row] = Int32(truncatingIfNeeded: state.pointee.value)
        default: columns[0].values(Int64.self)[row] = state.pointee.value
        }
    }
    func load(_ columns: [Vector], row: Int) -> BitState {
        columns[0].isNull(row) ? BitState() : BitState(value: read(columns[0], row), isPresent: 1)
    }
    func finish(_ state: UnsafePointer<BitState>, to result: Vector, row: Int) throws {
        export(state, to: [result], row: row)
    }
}
