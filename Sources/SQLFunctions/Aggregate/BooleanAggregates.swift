// bool_and, bool_or, every.

import Columnar
import Diagnostics
import QueryPlan

func booleanAggregateFunctions() -> [AggregateFunction] {
    func make(_ name: String, isAnd: Bool) -> AggregateFunction {
        AggregateFunction(
            name, [.exact(.boolean)], resultType: { _ in .boolean },
            documentation: FunctionDocumentation(
                "Aggregate", isAnd ? "Whether all arguments that are not null are true." : "Whether some argument is true.",
                example: "\(name)(x)")
        ) { _, _ in BooleanExecutor(isAnd: isAnd) }
    }
    return [make("bool_and", isAnd: true), make("every", isAnd: true), make("bool_or", isAnd: false)]
}

/// State: Int64, -1 without a value, else 0 or 1.
final class BooleanExecutor: AggregateExecutor {
    let stateByteCount = 8
    let exportedTypes: [DataType] = [.boolean]
    private let isAnd: Bool
    init(isAnd: Bool) { self.isAnd = isAnd }

    func initialize(_ states: StatePointers, offset: Int, count: Int) {
        for index in 0..<count { (states[index] + offset).storeBytes(of: -1, as: Int64.self) }
    }

    private func offer(_ value: Int64, _ state: UnsafeMutableRawPointer) {
        let held = state.load(as: Int64.self)
        state.storeBytes(of: held < 0 ? value : isAnd ? held & value : held | value, as: Int64.self)
    }

    func update(_ states: StatePointers, offset: Int, arguments: [Vector], count: Int) throws {
        let vector = arguments[0].flattened()
        for row in 0..<count where isPresent(vector.validity, row) {
            offer(Int64(vector.values(UInt8.self)[row]), states[row] + offset)
        }
    }

    func updateSingle(_ state: UnsafeMutableRawPointer, arguments: [Vector], count: Int) throws {
        let vector = arguments[0].flattened()
        for row in 0..<count where isPresent(vector.validity, row) { offer(Int64(vector.values(UInt8.self)[row]), state) }
    }

    func merge(_ states: StatePointers, offset: Int, exported: [Vector], count: Int) throws {
        try update(states, offset: offset, arguments: exported, count: count)
    }

    func combine(_ states: StatePointers, sources: StatePointers, offset: Int, count: Int) throws {
        for row in 0..<count {
            let value = (sources[row] + offset).load(as: Int64.self)
            if value >= 0 { offer(value, states[row] + offset) }
        }
    }

    func export(_ states: StatePointers, offset: Int, count: Int) throws -> [Vector] {
        [try finalize(states, offset: offset, count: count)]
    }

    func finalize(_ states: StatePointers, offset: Int, count: Int) throws -> Vector {
        let vector = Vector(flat: .boolean, capacity: count)
        for row in 0..<count {
            let value = (states[row] + offset).load(as: Int64.self)
            vector.values(UInt8.self)[row] = UInt8(max(0, value))
            if value < 0 { Validity.setNull(vector.ensureValidity(), row) }
        }
        return vector
    }
}
