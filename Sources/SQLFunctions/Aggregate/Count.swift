// count(*) and count(x).

import Columnar
import Diagnostics
import QueryPlan

func countFunctions() -> [AggregateFunction] {
    [
        AggregateFunction(
            "count", [], resultType: { _ in .int64 },
            documentation: FunctionDocumentation("Aggregate", "Number of rows.", example: "count(*)"),
            makeExecutor: { _, _ in CountExecutor() }),
        AggregateFunction(
            "count", [.any], resultType: { _ in .int64 },
            documentation: FunctionDocumentation("Aggregate", "Number of rows whose argument is not null.", example: "count(x)"),
            makeExecutor: { _, _ in CountExecutor() }),
    ]
}

/// State: the count, Int64.
final class CountExecutor: AggregateExecutor {
    let stateByteCount = 8
    let exportedTypes: [DataType] = [.int64]

    func initialize(_ states: StatePointers, offset: Int, count: Int) {
        for index in 0..<count { (states[index] + offset).storeBytes(of: 0, as: Int64.self) }
    }

    func update(_ states: StatePointers, offset: Int, arguments: [Vector], count: Int) throws {
        guard let argument = arguments.first, argument.mayHaveNulls else {
            var row = 0
            while row < count {
                let state = (states[row] + offset).assumingMemoryBound(to: Int64.self)
                state.pointee &+= 1
                row &+= 1
            }
            return
        }
        let flat = argument.encoding == .flat ? argument : argument.flattened()
        let validity = flat.validity
        var row = 0
        while row < count {
            let state = (states[row] + offset).assumingMemoryBound(to: Int64.self)
            state.pointee &+= isPresent(validity, row) ? 1 : 0
            row &+= 1
        }
    }

    func updateSingle(_ state: UnsafeMutableRawPointer, arguments: [Vector], count: Int) throws {
        let target = state.assumingMemoryBound(to: Int64.self)
        guard let argument = arguments.first, argument.mayHaveNulls else {
            target.pointee &+= Int64(count)
            return
        }
        let flat = argument.encoding == .flat ? argument : argument.flattened()
        target.pointee &+= Int64(flat.validity.map { Validity.validCount($0, rows: count) } ?? count)
    }

    func merge(_ states: StatePointers, offset: Int, exported: [Vector], count: Int) throws {
        let counts = exported[0].flattened().values(Int64.self)
        for row in 0..<count { (states[row] + offset).assumingMemoryBound(to: Int64.self).pointee &+= counts[row] }
    }

    func combine(_ states: StatePointers, sources: StatePointers, offset: Int, count: Int) throws {
        for row in 0..<count {
            let value = (sources[row] + offset).load(as: Int64.self)
            (states[row] + offset).assumingMemoryBound(to: Int64.self).pointee &+= value
        }
    }

    func export(_ states: StatePointers, offset: Int, count: Int) throws -> [Vector] {
        [try finalize(states, offset: offset, count: count)]
    }

    func finalize(_ states: StatePointers, offset: Int, count: Int) throws -> Vector {
        let result = Vector(flat: .int64, capacity: count)
        let values = result.values(Int64.self)
        for row in 0..<count { values[row] = (states[row] + offset).load(as: Int64.self) }
        return result
    }
}
