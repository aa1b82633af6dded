// Generous bounds on the time of hot kernels: they catch a kernel that has lost its specialisation, not a slow machine.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import Testing

@Suite(.serialized) struct PerformanceTests {
    private static let rows = 2048

    /// Nanoseconds a row, the best of several runs.
    private func measure(_ body: () throws -> Void) rethrows -> Double {
        let clock = ContinuousClock()
        var best = Double.infinity
        for _ in 0..<20 {
            let elapsed = try clock.measure { for _ in 0..<50 { try body() } }
            let nanoseconds = Double(elapsed.components.seconds) * 1e9 + Double(elapsed.components.attoseconds) / 1e9
            best = min(best, nanoseconds / Double(50 * PerformanceTests.rows))
        }
        return best
    }

    private func report(_ what: String, _ nanoseconds: Double, below limit: Double) {
        print("performance: \(what) \((nanoseconds * 1000).rounded() / 1000) ns a row")
        #expect(nanoseconds < limit, "\(what) took \(nanoseconds) ns a row")
    }

    private func integers(_ type: DataType, _ body: (Int) -> Int64) -> Vector {
        let vector = Vector(flat: type, capacity: PerformanceTests.rows)
        for row in 0..<PerformanceTests.rows { vector.values(Int64.self)[row] = body(row) }
        return vector
    }

    @Test func compareWithConstant() throws {
        let batch = Batch(columns: [integers(.int64) { Int64($0 &* 7919 % 1000) }], rowCount: PerformanceTests.rows)
        let predicate = Expression.comparison("<", .input(0, .int64), .literal(.integer(500), .int64))
        let evaluator = try ExpressionEvaluator([predicate], registry: .builtIn, context: EvaluationContext())
        report("compare with a constant to a selection", try measure { _ = try evaluator.select(batch) }, below: 12)
    }

    @Test func decimalChain() throws {
        let type = DataType.decimal(precision: 15, scale: 2)
        let batch = Batch(
            columns: [
                integers(type) { Int64(90_000 + $0 * 37) }, integers(type) { Int64($0 % 11) },
                integers(type) { Int64($0 % 9) },
            ],
            rowCount: PerformanceTests.rows)
        let registry = FunctionRegistry.builtIn
        let one = Expression.literal(.integer(1), .int32)
        let discounted = try registry.call("*", [.input(0, type), registry.call("-", [one, .input(1, type)])])
        let charge = try registry.call("*", [discounted, registry.call("+", [one, .input(2, type)])])
        #expect(discounted.type == .decimal(precision: 31, scale: 4))
        let evaluator = try ExpressionEvaluator([discounted, charge], registry: registry, context: EvaluationContext())
        report("decimal multiply chain", try measure { _ = try evaluator.evaluate(batch) }, below: 40)
    }

    @Test func likeContains() throws {
        let builder = VectorBuilder(type: .text)
        for row in 0..<PerformanceTests.rows {
            builder.append(
                string: row % 10 == 0
                    ? "carefully special packages requests \(row)" : "furiously final deposits sleep \(row)")
        }
        let batch = Batch(columns: [builder.finish()], rowCount: PerformanceTests.rows)
        let predicate = try FunctionRegistry.builtIn.call(
            "~~", [.input(0, .text), .literal(.string("%special%requests%"), .unknown)])
        let evaluator = try ExpressionEvaluator([predicate], registry: .builtIn, context: EvaluationContext())
        report("LIKE '%x%y%'", try measure { _ = try evaluator.select(batch) }, below: 150)
    }

    @Test func sumUpdate() throws {
        let type = DataType.decimal(precision: 15, scale: 2)
        let vector = integers(type) { Int64($0 * 100) }
        let resolved = try FunctionRegistry.builtIn.resolveAggregate("sum", [type])
        let executor = try resolved.function.makeExecutor(resolved.parameterTypes, resolved.resultType)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: executor.stateByteCount * 8, alignment: 8)
        defer { memory.deallocate() }
        let states = (0..<PerformanceTests.rows).map { memory + ($0 & 7) * executor.stateByteCount }
        try states.withUnsafeBufferPointer { pointers in
            guard let base = pointers.baseAddress else { return }
            executor.initialize(base, offset: 0, count: 8)
            report(
                "sum of groups",
                try measure {
                    try executor.update(base, offset: 0, arguments: [vector], count: PerformanceTests.rows)
                }, below: 30)
            report(
                "sum of one group",
                try measure {
                    try executor.updateSingle(memory, arguments: [vector], count: PerformanceTests.rows)
                }, below: 8)
        }
    }
}
