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
    func addAll(_ state: UnsafeMutablePointer<State>, _ input: Input, validity: UnsafePointer<UInt64>?, count: Int) -> Bool
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
    func addAll(_ state: UnsafeMutablePointer<State>, _ input: Input, validity: UnsafePointer<UInt64>?, count: Int) -> Bool {
        false
    }
    func destroy(_ state: UnsafeMutablePointer<State>) {}
}

/// Runs an `AggregateLogic` over the states of all groups.
final class StateAggregate<Logic: AggregateLogic>: AggregateExecutor {
    private let logic: Logic

    init(_ logic: Logic) { self.logic = logic }

    var stateByteCount: Int { (MemoryLayout<Logic.State>.size + 7) & ~7 }
    var exportedTypes: [DataType] { logic.exportedTypes }
    var needsDestroy: Bool { logic.needsDestroy }

    @inline(__always)
    private func state(_ base: UnsafeMutableRawPointer, _ offset: Int) -> UnsafeMutablePointer<Logic.State> {
        (base + offset).assumingMemoryBound(to: Logic.State.self)
    }

    func initialize(_ states: UnsafePointer<UnsafeMutableRawPointer>, offset: Int, count: Int) {
        let initial = logic.initial
        var index = 0
        while index < count {
            state(states[index], offset).initialize(to: initial)
            index &+= 1
        }
    }

    /// Arguments flat, and one bitmap of the rows where none is null; `nil` for the arguments: every row is left out.
    private func prepared(_ arguments: [Vector], _ count: Int) -> (arguments: [Vector], validity: Vector?)? {
        let flat = arguments.map { $0.flattened() }
        guard logic.skipsNulls else { return (flat, nil) }
        let masks = flat.filter { $0.validity != nil }
        if masks.count <= 1 { return (flat, masks.first) }
        let carrier = ValidityMask.apply(Array(masks.dropFirst()), to: ValidityMask.shallowCopy(masks[0]), count: count)
        return (flat, carrier)
    }

    func update(
        _ states: UnsafePointer<UnsafeMutableRawPointer>, offset: Int, arguments: [Vector], count: Int
    ) throws {
        guard let (flat, mask) = prepared(arguments, count) else { return }
        let input = logic.prepare(flat)
        let logic = logic
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

    func updateSingle(_ target: UnsafeMutableRawPointer, arguments: [Vector], count: Int) throws {
        guard let (flat, mask) = prepared(arguments, count) else { return }
        let input = logic.prepare(flat)
        let logic = logic
        let state = target.assumingMemoryBound(to: Logic.State.self)
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

    func merge(
        _ states: UnsafePointer<UnsafeMutableRawPointer>, offset: Int, exported: [Vector], count: Int
    ) throws {
        let columns = exported.map { $0.flattened() }
        for row in 0..<count {
            var other = logic.load(columns, row: row)
            logic.combine(state(states[row], offset), &other)
            logic.destroy(&other)
        }
    }

    func combine(
        _ states: UnsafePointer<UnsafeMutableRawPointer>, sources: UnsafePointer<UnsafeMutableRawPointer>, offset: Int,
        count: Int
    ) throws {
        var index = 0
        while index < count {
            logic.combine(state(states[index], offset), state(sources[index], offset))
            index &+= 1
        }
    }

    func export(_ states: UnsafePointer<UnsafeMutableRawPointer>, offset: Int, count: Int) throws -> [Vector] {
        let columns = logic.exportedTypes.map { Vector(flat: $0, capacity: count) }
        for index in 0..<count { logic.export(state(states[index], offset), to: columns, row: index) }
        return columns
    }

    func finalize(_ states: UnsafePointer<UnsafeMutableRawPointer>, offset: Int, count: Int) throws -> Vector {
        let result = Vector(flat: logic.resultType, capacity: count)
        for index in 0..<count { try logic.finish(state(states[index], offset), to: result, row: index) }
        return result
    }

    func destroy(_ states: UnsafePointer<UnsafeMutableRawPointer>, offset: Int, count: Int) {
        for index in 0..<count { logic.destroy(state(states[index], offset)) }
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
        _ name: String, _ parameters: [ParameterType], typed result: @escaping @Sendable ([DataType]) throws -> DataType,
        isOrderedSet: Bool = false, isOrderSensitive: Bool = false, _ documentation: FunctionDocumentation,
        make: @escaping @Sendable ([DataType], DataType) throws -> any AggregateExecutor
    ) {
        register(
            AggregateFunction(
                name, parameters, resultType: result, isOrderedSet: isOrderedSet, isOrderSensitive: isOrderSensitive,
                documentation: documentation, makeExecutor: make))
    }
}
