// Aggregates through their executors: grouped, single, combined and exported states give the same.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import Testing

/// Runs an aggregate over rows in several ways and gives the text of each.
enum AggregateFixture {
    static func vector(_ values: [ScalarValue], _ type: DataType) -> Vector {
        let builder = VectorBuilder(type: type, capacity: max(1, values.count))
        for value in values { builder.append(value) }
        return builder.finish()
    }

    static func run(_ name: String, _ arguments: [Vector], count: Int) throws -> [String] {
        let resolved = try FunctionRegistry.builtIn.resolveAggregate(name, arguments.map(\.type))
        let cast = try zip(arguments, resolved.parameterTypes).map {
            try Casting.cast($0, to: $1, kind: .strict, context: EvaluationContext())
        }
        let executor = try resolved.function.makeExecutor(resolved.parameterTypes, resolved.resultType)
        let size = executor.stateByteCount
        let memory = UnsafeMutableRawPointer.allocate(byteCount: size * 3 + 24, alignment: 16)
        defer { memory.deallocate() }
        // States at 8-byte boundaries that are none of 16 bytes.
        let states = (0..<3).map { memory + 8 + $0 * (size + 7) / 8 * 8 }
        var results: [String] = []
        func finish(_ index: Int) throws {
            let one = [states[index]]
            let result = try one.withUnsafeBufferPointer { try executor.finalize($0.baseAddress!, offset: 0, count: 1) }
            results.append(ExpressionFixture.text(result, 0))
        }
        try states.withUnsafeBufferPointer { pointers in
            let base = pointers.baseAddress!
            executor.initialize(base, offset: 0, count: 3)
            try executor.updateSingle(states[0], arguments: cast, count: count)
            try finish(0)
            // Alternate rows to two groups, then combine.
            let rows = (0..<count).map { states[1 + ($0 % 2)] }
            try rows.withUnsafeBufferPointer {
                if let rowBase = $0.baseAddress {
                    try executor.update(rowBase, offset: 0, arguments: cast, count: count)
                }
            }
            if !executor.exportedTypes.isEmpty {
                let exported = try executor.export(base + 1, offset: 0, count: 2)
                let fresh = UnsafeMutableRawPointer.allocate(byteCount: size + 8, alignment: 16)
                defer { fresh.deallocate() }
                let target = [fresh, fresh]
                try target.withUnsafeBufferPointer {
                    executor.initialize($0.baseAddress!, offset: 0, count: 1)
                    try executor.merge($0.baseAddress!, offset: 0, exported: exported, count: 2)
                    let result = try executor.finalize($0.baseAddress!, offset: 0, count: 1)
                    results.append(ExpressionFixture.text(result, 0))
                    executor.destroy($0.baseAddress!, offset: 0, count: 1)
                }
            }
            try executor.combine(base + 1, sources: base + 2, offset: 0, count: 1)
            try finish(1)
            executor.destroy(base, offset: 0, count: 3)
        }
        return results
    }

    static func integers(_ values: [Int64?], _ type: DataType = .int32) -> Vector {
        vector(values.map { $0.map { .integer($0) } ?? .null }, type)
    }
    static func floats(_ values: [Double?]) -> Vector {
        vector(values.map { $0.map { .float($0) } ?? .null }, .float64)
    }
    static func texts(_ values: [String?]) -> Vector { vector(values.map { $0.map { .string($0) } ?? .null }, .text) }
}

@Suite struct AggregateTests {
    private func expect(
        _ name: String, _ arguments: [Vector], _ expected: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let results = try AggregateFixture.run(name, arguments, count: arguments[0].count)
        for result in results { #expect(result == expected, "\(name)", sourceLocation: sourceLocation) }
    }

    @Test func sums() throws {
        let numbers = AggregateFixture.integers([1, 2, nil, 4])
        try expect("sum", [numbers], "7")
        try expect("avg", [numbers], "2.3333333333333333")
        try expect("count", [numbers], "3")
        try expect("sum", [AggregateFixture.integers([nil, nil])], "\\N")
        try expect("avg", [AggregateFixture.integers([nil])], "\\N")
        try expect("sum", [AggregateFixture.integers([.max, .max, 1], .int64)], "18446744073709551615")
        let decimals = AggregateFixture.vector(
            [.decimal(150), .decimal(-225), .null], .decimal(precision: 15, scale: 2))
        try expect("sum", [decimals], "-0.75")
        try expect("avg", [decimals], "-0.37500000000000000000")
        let wide = AggregateFixture.vector(
            [.decimal(PowerOfTen.value(30)), .decimal(1)], .decimal(precision: 38, scale: 4))
        try expect("sum", [wide], "100000000000000000000000000.0001")
        try expect("sum", [AggregateFixture.floats([1.5, nil, 2.25])], "3.75")
        try expect("avg", [AggregateFixture.floats([1, 2])], "1.5")
    }

    @Test func sumOutOfRange() {
        let wide = AggregateFixture.vector(
            [.decimal(PowerOfTen.value(38) - 1), .decimal(1)], .decimal(precision: 38, scale: 0))
        #expect { try AggregateFixture.run("sum", [wide], count: 2) } throws: {
            ($0 as? QueryError)?.state == .numericValueOutOfRange
        }
    }

    @Test func extremes() throws {
        try expect("min", [AggregateFixture.integers([3, nil, -1, 2])], "-1")
        try expect("max", [AggregateFixture.integers([3, nil, -1, 2])], "3")
        try expect("max", [AggregateFixture.floats([1, .nan, 2])], "NaN")
        try expect(
            "min", [AggregateFixture.texts(["pear", "a longer text than twelve bytes", nil, "zebra"])],
            "a longer text than twelve bytes")
        try expect(
            "max", [AggregateFixture.texts(["pear", "zzz longer text than twelve bytes", "zebra"])],
            "zzz longer text than twelve bytes")
        try expect(
            "min", [AggregateFixture.vector([.decimal(5), .decimal(-7)], .decimal(precision: 30, scale: 1))], "-0.7")
        try expect(
            "max",
            [
                AggregateFixture.vector(
                    [.interval(IntervalValue(days: 29)), .interval(IntervalValue(months: 1))], .interval)
            ], "1 mon")
        try expect("min", [AggregateFixture.integers([nil])], "\\N")
        try expect("any_value", [AggregateFixture.integers([nil, 7])], "7")
    }

    @Test func booleansAndBits() throws {
        let flags = AggregateFixture.vector([.boolean(true), .null, .boolean(false)], .boolean)
        try expect("bool_and", [flags], "f")
        try expect("bool_or", [flags], "t")
        try expect("bit_or", [AggregateFixture.integers([1, 4, nil])], "5")
        try expect("bit_and", [AggregateFixture.integers([7, 3])], "3")
        try expect("bit_xor", [AggregateFixture.integers([7, 3])], "4")
    }

    @Test func statistics() throws {
        let values = AggregateFixture.floats([2, 4, 4, 4, 5, 5, 7, 9])
        try expect("stddev_pop", [values], "2")
        try expect("var_pop", [values], "4")
        try expect("stddev", [AggregateFixture.floats([1])], "\\N")
        let y = AggregateFixture.floats([2, 4, 6, 8])
        let x = AggregateFixture.floats([1, 2, 3, 4])
        try expect("corr", [y, x], "1")
        try expect("regr_slope", [y, x], "2")
        try expect("regr_intercept", [y, x], "0")
        try expect("regr_count", [y, x], "4")
        try expect("covar_pop", [y, x], "2.5")
    }

    @Test func collections() throws {
        let single = { (name: String, arguments: [Vector]) throws in
            try AggregateFixture.run(name, arguments, count: arguments[0].count)[0]
        }
        #expect(try single("array_agg", [AggregateFixture.integers([1, nil, 3])]) == "{1,NULL,3}")
        let texts = AggregateFixture.texts(["a", nil, "c"])
        let separators = AggregateFixture.texts([",", ",", ","])
        #expect(try single("string_agg", [texts, separators]) == "a,c")
        #expect(
            try single("arg_max", [AggregateFixture.texts(["x", "y"]), AggregateFixture.integers([1, 2])]) == "y")
        #expect(
            try single("arg_min", [AggregateFixture.texts(["x", "y"]), AggregateFixture.integers([1, 2])]) == "x")
        #expect(try single("median", [AggregateFixture.floats([1, 2, 3, 10])]) == "2.5")
        let half = AggregateFixture.floats([0.5, 0.5, 0.5, 0.5])
        #expect(try single("percentile_cont", [half, AggregateFixture.floats([1, 2, 3, 4])]) == "2.5")
        #expect(try single("percentile_disc", [half, AggregateFixture.integers([1, 2, 3, 4])]) == "2")
        #expect(try single("mode", [AggregateFixture.integers([1, 2, 2, 3])]) == "2")
    }

    @Test func distinctSketch() throws {
        let values = AggregateFixture.integers((0..<20_000).map { Int64($0 % 10_000) }, .int64)
        for result in try AggregateFixture.run("approx_count_distinct", [values], count: 20_000) {
            let estimate = Int(result) ?? 0
            #expect(abs(estimate - 10_000) < 600)
        }
    }
}
