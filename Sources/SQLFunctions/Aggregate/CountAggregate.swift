// count(*) and count(x).

import Columnar
import Diagnostics

enum CountAggregates {
    static func register(in registry: FunctionRegistry) {
        registry.aggregate("count", [], .int64, FunctionDocumentation("Aggregate", "Number of rows.")) { _, _ in
            CountExecutor()
        }
        registry.aggregate(
            "count", [.any], .int64,
            FunctionDocumentation("Aggregate", "Number of rows where the argument is not null.")
        ) { _, _ in CountExecutor() }
    }
}

/// Counts rows; with an argument, those where it is not null. State: one Int64.
final class CountExecutor: AggregateExecutor {
    var stateByteCount: Int { 8 }
    var exportedTypes: [DataType] { [.int64] }

    @inline(__always)
    private func counter(_ base: UnsafeMutableRawPointer, _ offset: Int) -> UnsafeMutablePointer<Int64> {
        (base + offset).assumingMemoryBound(to: Int64.self)
    }

    func initialize(_ states: UnsafePointer<UnsafeMutableRawPointer>, offset: Int, count: Int) {
        var index = 0
        while index < count {
            counter(states[index], offset).initialize(to: 0)
            index &+= 1
        }
    }

    func update(_ states: UnsafePointer<UnsafeMutableRawPointer>, offset: Int, arguments: [Vector], count: Int) throws {
        var row = 0
        guard let argument = arguments.first, argument.mayHaveNulls else {
            while row < count {
                counter(states[row], offset).pointee &+= 1
                row &+= 1
            }
            return
        }
        if argument.encoding == .flat, let validity = argument.validity {
            while row < count {
                let bit = (validity[row &>> 6] &>> UInt64(row & 63)) & 1
                counter(states[row], offset).pointee &+= Int64(truncatingIfNeeded: bit)
                row &+= 1
            }
            return
        }
        while row < count {
            if !argument.isNull(row) { counter(states[row], offset).pointee &+= 1 }
            row &+= 1
        }
    }

    func updateSingle(_ state: UnsafeMutableRawPointer, arguments: [Vector], count: Int) throws {
        var valid = count
        if let argument = arguments.first, argument.mayHaveNulls {
            switch argument.encoding {
            case .flat: valid = argument.validity.map { Validity.validCount($0, rows: count) } ?? count
            case .constant: valid = argument.isNull(0) ? 0 : count
            case .dictionary:
                valid = 0
                for row in 0..<count where !argument.isNull(row) { valid &+= 1 }
            }
        }
        counter(state, 0).pointee &+= Int64(valid)
    }

    func merge(_ states: UnsafePointer<UnsafeMutableRawPointer>, offset: Int, exported: [Vector], count: Int) throws {
        let values = exported[0].flattened()
        for row in 0..<count { counter(states[row], offset).pointee &+= values.values(Int64.self)[row] }
    }

    func combine(
        _ states: UnsafePointer<UnsafeMutableRawPointer>, sources: UnsafePointer<UnsafeMutableRawPointer>, offset: Int,
        count: Int
    ) throws {
        for index in 0..<count { counter(states[index], offset).pointee &+= counter(sources[index], offset).pointee }
    }

    func export(_ states: UnsafePointer<UnsafeMutableRawPointer>, offset: Int, count: Int) throws -> [Vector] {
        [try finalize(states, offset: offset, count: count)]
    }

    func finalize(_ states: UnsafePointer<UnsafeMutableRawPointer>, offset: Int, count: Int) throws -> Vector {
        let result = Vector(flat: .int64, capacity: count)
        let values = result.values(Int64.self)
        for index in 0..<count { values[index] = counter(states[index], offset).pointee }
        return result
    }
}
