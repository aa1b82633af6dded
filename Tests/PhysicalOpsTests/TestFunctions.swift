// Aggregates for tests: small, strict about their contracts, and they count what they own.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import Synchronization

enum TestFunctions {
    /// test_count(*), test_count(x), test_sum(int64), test_list(int64) → text.
    static let registry: FunctionRegistry = {
        let registry = FunctionRegistry.makeTestRegistry()
        let documentation = FunctionDocumentation("test", "for tests")
        registry.register(
            AggregateFunction("test_count", [], resultType: { _ in .int64 }, documentation: documentation) { _, _ in
                CountExecutor()
            })
        registry.register(
            AggregateFunction("test_count", [.any], resultType: { _ in .int64 }, documentation: documentation) { _, _ in
                CountExecutor()
            })
        registry.register(
            AggregateFunction("test_sum", [.exact(.int64)], resultType: { _ in .int64 }, documentation: documentation) {
                _, _ in
                SumExecutor()
            })
        registry.register(
            AggregateFunction(
                "test_list", [.exact(.int64)], resultType: { _ in .text }, isOrderSensitive: true,
                documentation: documentation
            ) { _, _ in ListExecutor() })
        return registry
    }()

    static func count(_ argument: Expression? = nil, distinct: Bool = false, filter: Expression? = nil) -> AggregateCall
    {
        AggregateCall(
            name: "test_count", arguments: argument.map { [$0] } ?? [], isDistinct: distinct, filter: filter,
            type: .int64)
    }
    static func sum(_ argument: Expression, distinct: Bool = false, filter: Expression? = nil) -> AggregateCall {
        AggregateCall(name: "test_sum", arguments: [argument], isDistinct: distinct, filter: filter, type: .int64)
    }
    static func list(_ argument: Expression, distinct: Bool = false, ordering: [SortKey]) -> AggregateCall {
        AggregateCall(name: "test_list", arguments: [argument], isDistinct: distinct, ordering: ordering, type: .text)
    }
}

typealias States = UnsafePointer<UnsafeMutableRawPointer>

/// count: one int64.
final class CountExecutor: AggregateExecutor {
    var stateByteCount: Int { 8 }
    var exportedTypes: [DataType] { [.int64] }
    func initialize(_ states: States, offset: Int, count: Int) {
        for index in 0..<count { (states[index] + offset).storeBytes(of: 0, as: Int.self) }
    }
    func add(_ state: UnsafeMutableRawPointer, _ value: Int) {
        state.storeBytes(of: state.load(as: Int.self) + value, as: Int.self)
    }
    func update(_ states: States, offset: Int, arguments: [Vector], count: Int) throws {
        for row in 0..<count where arguments.first.map({ !$0.isNull(row) }) ?? true { add(states[row] + offset, 1) }
    }
    func updateSingle(_ state: UnsafeMutableRawPointer, arguments: [Vector], count: Int) throws {
        for row in 0..<count where arguments.first.map({ !$0.isNull(row) }) ?? true { add(state, 1) }
    }
    func merge(_ states: States, offset: Int, exported: [Vector], count: Int) throws {
        let vector = exported[0].flattened()
        let values = vector.values(Int.self)
        for row in 0..<count { add(states[row] + offset, values[row]) }
    }
    func combine(_ states: States, sources: States, offset: Int, count: Int) throws {
        for row in 0..<count { add(states[row] + offset, sources[row].load(fromByteOffset: offset, as: Int.self)) }
    }
    func export(_ states: States, offset: Int, count: Int) throws -> [Vector] {
        [try finalize(states, offset: offset, count: count)]
    }
    func finalize(_ states: States, offset: Int, count: Int) throws -> Vector {
        let vector = Vector(flat: .int64, capacity: count)
        for row in 0..<count { vector.values(Int.self)[row] = states[row].load(fromByteOffset: offset, as: Int.self) }
        return vector
    }
}

/// sum: the sum and the number of values; null without any.
final class SumExecutor: AggregateExecutor {
    var stateByteCount: Int { 16 }
    var exportedTypes: [DataType] { [.int64, .int64] }
    func initialize(_ states: States, offset: Int, count: Int) {
        for index in 0..<count { (states[index] + offset).initializeMemory(as: Int.self, repeating: 0, count: 2) }
    }
    func add(_ state: UnsafeMutableRawPointer, _ value: Int, _ count: Int) {
        let words = state.assumingMemoryBound(to: Int.self)
        words[0] &+= value
        words[1] &+= count
    }
    func update(_ states: States, offset: Int, arguments: [Vector], count: Int) throws {
        let vector = arguments[0].flattened()
        for row in 0..<count where !vector.isNull(row) { add(states[row] + offset, vector.values(Int.self)[row], 1) }
    }
    func updateSingle(_ state: UnsafeMutableRawPointer, arguments: [Vector], count: Int) throws {
        let vector = arguments[0].flattened()
        for row in 0..<count where !vector.isNull(row) { add(state, vector.values(Int.self)[row], 1) }
    }
    func merge(_ states: States, offset: Int, exported: [Vector], count: Int) throws {
        let columns = exported.map { $0.flattened() }
        let sums = columns[0].values(Int.self)
        let counts = columns[1].values(Int.self)
        for row in 0..<count { add(states[row] + offset, sums[row], counts[row]) }
    }
    func combine(_ states: States, sources: States, offset: Int, count: Int) throws {
        for row in 0..<count {
            let words = (sources[row] + offset).assumingMemoryBound(to: Int.self)
            add(states[row] + offset, words[0], words[1])
        }
    }
    func export(_ states: States, offset: Int, count: Int) throws -> [Vector] {
        (0..<2).map { word in
            let vector = Vector(flat: .int64, capacity: count)
            for row in 0..<count {
                vector.values(Int.self)[row] = states[row].load(fromByteOffset: offset + word * 8, as: Int.self)
            }
            return vector
        }
    }
    func finalize(_ states: States, offset: Int, count: Int) throws -> Vector {
        let vectors = try export(states, offset: offset, count: count)
        for row in 0..<count where vectors[1].values(Int.self)[row] == 0 {
            Validity.setNull(vectors[0].ensureValidity(), row)
        }
        return vectors[0]
    }
}

/// A list of values in the order in which they came, as text; owns memory.
final class ListExecutor: AggregateExecutor {
    final class Box {
        var values: [Int] = []
        init() { ListExecutor.live.add(1, ordering: .relaxed) }
        deinit { ListExecutor.live.subtract(1, ordering: .relaxed) }
    }
    /// Boxes that exist.
    static let live = Atomic<Int>(0)

    var stateByteCount: Int { 8 }
    var exportedTypes: [DataType] { [] }
    var needsDestroy: Bool { true }
    func initialize(_ states: States, offset: Int, count: Int) {
        for index in 0..<count {
            (states[index] + offset).storeBytes(
                of: Unmanaged.passRetained(Box()).toOpaque(), as: UnsafeMutableRawPointer.self)
        }
    }
    func box(_ state: UnsafeMutableRawPointer) -> Box {
        Unmanaged<Box>.fromOpaque(state.load(as: UnsafeMutableRawPointer.self)).takeUnretainedValue()
    }
    func update(_ states: States, offset: Int, arguments: [Vector], count: Int) throws {
        let vector = arguments[0].flattened()
        for row in 0..<count where !vector.isNull(row) {
            box(states[row] + offset).values.append(vector.values(Int.self)[row])
        }
    }
    func updateSingle(_ state: UnsafeMutableRawPointer, arguments: [Vector], count: Int) throws {
        let vector = arguments[0].flattened()
        for row in 0..<count where !vector.isNull(row) { box(state).values.append(vector.values(Int.self)[row]) }
    }
    func merge(_ states: States, offset: Int, exported: [Vector], count: Int) throws {}
    func combine(_ states: States, sources: States, offset: Int, count: Int) throws {
        for row in 0..<count { box(states[row] + offset).values += box(sources[row] + offset).values }
    }
    func export(_ states: States, offset: Int, count: Int) throws -> [Vector] { [] }
    func finalize(_ states: States, offset: Int, count: Int) throws -> Vector {
        let builder = VectorBuilder(type: .text, capacity: count)
        for row in 0..<count {
            builder.append(string: box(states[row] + offset).values.map { "\($0)" }.joined(separator: ","))
        }
        return builder.finish()
    }
    func destroy(_ states: States, offset: Int, count: Int) {
        for row in 0..<count {
            Unmanaged<Box>.fromOpaque(states[row].load(fromByteOffset: offset, as: UnsafeMutableRawPointer.self))
                .release()
        }
    }
}

extension FunctionRegistry {
    /// All built-in functions; tests add theirs.
    static func makeTestRegistry() -> FunctionRegistry { FunctionRegistry(builtIns: ()) }
}
