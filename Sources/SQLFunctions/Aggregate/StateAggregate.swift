// The common shape of aggregates whose state is a small plain value in the group's row.

import Columnar
import Diagnostics

/// What one aggregate does with one group's state. `State` must be plain data of 8-byte alignment; `Input` holds pointers
/// into a batch. Adopters are concrete types, so that `StateAggregate` is specialised for them.
protocol AggregateLogic: Sendable {
    associatedtype State
    associatedtype Input

    var initial: State { get }
    /// Types of an exported state; empty: it cannot be exported.
    var exportedTypes: [DataType] { get }
    var resultType: DataType { get }
    /// Whether rows with a null argument are left out.
    var skipsNulls: Bool { get }

    /// Pointers into flat arguments.
    func prepare(_ arguments: [Vector]) -> Input
    func add(_ state: UnsafeMutablePointer<State>, _ input: Input, _ row: Int)
    /// Adds all rows to one state, faster than one by one; `false` leaves it to the caller.
    func addAll(_ state: UnsafeMutablePointer<State>, _ input: Input, validity: UnsafePointer<UInt64>?, count: Int)
        -> Bool
    func combine(_ state: UnsafeMutablePointer<State>, _ other: UnsafePointer<State>)
    /// Writes a state to row `row` of flat vectors of `exportedTypes`.
    func export(_ state: UnsafePointer<State>, to columns: [Vector], row: Int)
    /// The state that a row of flat exported columns stands for.
    func load(_ columns: [Vector], row: Int) -> State
    /// Writes the result to row `row` of a flat vector of `resultType`.
    func finish(_ state: UnsafePointer<State>, to result: Vector, row: Int) throws
    func destroy(_ state: UnsafeMutablePointer<State>)
    var needsDestroy: Bool { get }
}

extension AggregateLogic {
    var skipsNulls: Bool { true }
    var needsDestroy: Bool { false }
    func addAll(_ state: UnsafeMutablePointer<State>, _ input: Input, validity: UnsafePointer<UInt64>?, count: Int)
        -> Bool
    {
        false
    }
    func destroy(_ state: UnsafeMutablePointer<State>) {}
}

/// Runs an `AggregateLogic` over the states of all groups.
///
/// The methods of a generic class that are reached through a protocol are compiled for any type at all. The loops
/// therefore live in closures that `init` makes: it is inlined where the logic's type is known, and so they are compiled
/// for that type.
final class StateAggregate<Logic: AggregateLogic>: AggregateExecutor {
    typealias States = UnsafePointer<UnsafeMutableRawPointer>

    let stateByteCount: Int
    let exportedTypes: [DataType]
    let needsDestroy: Bool
    private let initializeStates: @Sendable (States, Int, Int) -> Void
    private let updateStates: @Sendable (States, Int, [Vector], Int) -> Void
    private let updateOne: @Sendable (UnsafeMutableRawPointer, [Vector], Int) -> Void
    private let mergeStates: @Sendable (States, Int, [Vector], Int) -> Void
    private let combineStates: @Sendable (States, States, Int, Int) -> Void
    private let exportStates: @Sendable (States, Int, Int) -> [Vector]
    private let finishStates: @Sendable (States, Int, Int) throws -> Vector
    private let destroyStates: @Sendable (States, Int, Int) -> Void

    @inline(__always)
    init(_ logic: Logic) {
        stateByteCount = (MemoryLayout<Logic.State>.size + 7) & ~7
        exportedTypes = logic.exportedTypes
        needsDestroy = logic.needsDestroy
        initializeStates = { StateLoops.initialize(logic, $0, offset: $1, count: $2) }
        updateStates = { StateLoops.update(logic, $0, offset: $1, arguments: $2, count: $3) }
        updateOne = { StateLoops.updateSingle(logic, $0, arguments: $1, count: $2) }
        mergeStates = { StateLoops.merge(logic, $0, offset: $1, exported: $2, count: $3) }
        combineStates = { StateLoops.combine(logic, $0, sources: $1, offset: $2, count: $3) }
        exportStates = { StateLoops.export(logic, $0, offset: $1, count: $2) }
        finishStates = { try StateLoops.finish(logic, $0, offset: $1, count: $2) }
        destroyStates = { StateLoops.destroy(logic, $0, offset: $1, count: $2) }
    }

    func initialize(_ states: States, offset: Int, count: Int) { initializeStates(states, offset, count) }
    func update(_ states: States, offset: Int, arguments: [Vector], count: Int) throws {
        updateStates(states, offset, arguments, count)
    }
    func updateSingle(_ target: UnsafeMutableRawPointer, arguments: [Vector], count: Int) throws {
        updateOne(target, arguments, count)
    }
    func merge(_ states: States, offset: Int, exported: [Vector], count: Int) throws {
        mergeStates(states, offset, exported, count)
    }
    func combine(_ states: States, sources: States, offset: Int, count: Int) throws {
        combineStates(states, sources, offset, count)
    }
    func export(_ states: States, offset: Int, count: Int) throws -> [Vector] { exportStates(states, offset, count) }
    func finalize(_ states: States, offset: Int, count: Int) throws -> Vector {
        try finishStates(states, offset, count)
    }
    func destroy(_ states: States, offset: Int, count: Int) { destroyStates(states, offset, count) }
}

/// The loops of `StateAggregate`, inlined into its closures.
private enum StateLoops {
    typealias States = UnsafePointer<UnsafeMutableRawPointer>

    @inline(__always)
    private static func state<State>(_ base: UnsafeMutableRawPointer, _ offset: Int) -> UnsafeMutablePointer<State> {
        (base + offset).assumingMemoryBound(to: State.self)
    }

    @inline(__always)
    static func initialize<Logic: AggregateLogic>(_ logic: Logic, _ states: States, offset: Int, count: Int) {
        let initial = logic.initial
        var index = 0
        while index < count {
            state(states[index], offset).initialize(to: initial)
            index &+= 1
        }
    }

    /// Arguments flat, and one bitmap of the rows where none is null.
    private static func prepared(_ arguments: [Vector], skipsNulls: Bool, _ count: Int) -> (
        arguments: [Vector], validity: Vector?
    ) {
        let flat = arguments.map { $0.flattened() }
        guard skipsNulls else { return (flat, nil) }
        let masks = flat.filter { $0.validity != nil }
        if masks.count <= 1 { return (flat, masks.first) }
        let carrier = ValidityMask.apply(Array(masks.dropFirst()), to: ValidityMask.shallowCopy(masks[0]), count: count)
        return (flat, carrier)
    }

    @inline(__always)
    static func update<Logic: AggregateLogic>(
        _ logic: Logic, _ states: States, offset: Int, arguments: [Vector], count: Int
    ) {
        let (flat, mask) = prepared(arguments, skipsNulls: logic.skipsNulls, count)
        let input = logic.prepare(flat)
        var row = 0
        if let validity = mask?.validity {
            while row < count {
                if Validity.isValid(validity, row) { logic.add(state(states[row], offset), input, row) }
                row &+= 1
            }
        } else {
            while row < count {
                logic.add(state(states[row], offset), input, row)
                row &+= 1
            }
        }
        withExtendedLifetime((flat, mask)) {}
    }

    @inline(__always)
    static func updateSingle<Logic: AggregateLogic>(
        _ logic: Logic, _ target: UnsafeMutableRawPointer, arguments: [Vector], count: Int
    ) {
        let (flat, mask) = prepared(arguments, skipsNulls: logic.skipsNulls, count)
        let input = logic.prepare(flat)
        let state: UnsafeMutablePointer<Logic.State> = state(target, 0)
        let validity = mask?.validity
        if !logic.addAll(state, input, validity: validity.map { UnsafePointer($0) }, count: count) {
            var row = 0
            while row < count {
                if validity.map({ Validity.isValid($0, row) }) ?? true { logic.add(state, input, row) }
                row &+= 1
            }
        }
        withExtendedLifetime((flat, mask)) {}
    }

    @inline(__always)
    static func merge<Logic: AggregateLogic>(
        _ logic: Logic, _ states: States, offset: Int, exported: [Vector], count: Int
    ) {
        let columns = exported.map { $0.flattened() }
        var row = 0
        while row < count {
            var other = logic.load(columns, row: row)
            logic.combine(state(states[row], offset), &other)
            logic.destroy(&other)
            row &+= 1
        }
    }

    @inline(__always)
    static func combine<Logic: AggregateLogic>(
        _ logic: Logic, _ states: States, sources: States, offset: Int, count: Int
    ) {
        var index = 0
        while index < count {
            let source: UnsafeMutablePointer<Logic.State> = state(sources[index], offset)
            logic.combine(state(states[index], offset), source)
            index &+= 1
        }
    }

    @inline(__always)
    static func export<Logic: AggregateLogic>(_ logic: Logic, _ states: States, offset: Int, count: Int) -> [Vector] {
        let columns = logic.exportedTypes.map { Vector(flat: $0, capacity: count) }
        var index = 0
        while index < count {
            logic.export(state(states[index], offset), to: columns, row: index)
            index &+= 1
        }
        return columns
    }

    @inline(__always)
    static func finish<Logic: AggregateLogic>(_ logic: Logic, _ states: States, offset: Int, count: Int) throws
        -> Vector
    {
        let result = Vector(flat: logic.resultType, capacity: count)
        var index = 0
        while index < count {
            try logic.finish(state(states[index], offset), to: result, row: index)
            index &+= 1
        }
        return result
    }

    @inline(__always)
    static func destroy<Logic: AggregateLogic>(_ logic: Logic, _ states: States, offset: Int, count: Int) {
        var index = 0
        while index < count {
            logic.destroy(state(states[index], offset))
            index &+= 1
        }
    }
}

extension Vector {
    /// Makes a row of a flat vector null, with a value of zero bits.
    func setNull(_ row: Int) {
        let width = physical.width
        (data + row * width).initializeMemory(as: UInt8.self, repeating: 0, count: width)
        Validity.setNull(ensureValidity(), row)
    }
}

extension FunctionRegistry {
    /// Registers an aggregate of a fixed result type.
    func aggregate(
        _ name: String, _ parameters: [ParameterType], _ result: DataType, isOrderedSet: Bool = false,
        isOrderSensitive: Bool = false, _ documentation: FunctionDocumentation,
        make: @escaping @Sendable ([DataType], DataType) throws -> any AggregateExecutor
    ) {
        aggregate(
            name, parameters, typed: { _ in result }, isOrderedSet: isOrderedSet, isOrderSensitive: isOrderSensitive,
            documentation, make: make)
    }

    func aggregate(
        _ name: String, _ parameters: [ParameterType],
        typed result: @escaping @Sendable ([DataType]) throws -> DataType,
        isOrderedSet: Bool = false, isOrderSensitive: Bool = false, _ documentation: FunctionDocumentation,
        make: @escaping @Sendable ([DataType], DataType) throws -> any AggregateExecutor
    ) {
        register(
            AggregateFunction(
                name, parameters, resultType: result, isOrderedSet: isOrderedSet, isOrderSensitive: isOrderSensitive,
                documentation: documentation, makeExecutor: make))
    }
}
