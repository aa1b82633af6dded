// Functions that stand for parts of a query: samples of tables, and row counts that are known only while the query runs.

import Columnar
import Diagnostics

enum QuerySupportFunctions {
    private static func text(_ text: String) -> FunctionDocumentation { FunctionDocumentation("Queries", text) }

    static func register(in registry: FunctionRegistry) {
        registry.scalar(
            "row sample", [.float64, .any], .float64, isVariadic: true, isStrict: false,
            text("A number from 0 to below 1 that a seed and the values of a row decide: TABLESAMPLE … REPEATABLE.")
        ) { arguments, type, count, _ in
            let result = Vector(flat: type, capacity: count)
            result.count = count
            let buffer = Buffer(byteCount: max(1, count) * 8)
            let hashes = buffer.base.assumingMemoryBound(to: UInt64.self)
            for (index, argument) in arguments.enumerated() {
                Hashing.hash(argument.flattened(), into: hashes, combining: index > 0)
            }
            let values = result.values(Double.self)
            for row in 0..<count { values[row] = Double(Hashing.mix(hashes[row]) >> 11) * 0x1p-53 }
            return result
        }
        registry.scalar(
            "row count", [.int64, .boolean], .int64, canFail: true,
            text("A number of rows for LIMIT or OFFSET, which must not be negative.")
        ) { arguments, _, count, _ in
            let counts = arguments[0].flattened()
            for row in 0..<count where !counts.isNull(row) && counts.values(Int64.self)[row] < 0 {
                let isLimit = arguments[1].value(at: row) == .boolean(true)
                throw QueryError(
                    isLimit ? .invalidRowCountInLimitClause : .invalidRowCountInResultOffsetClause,
                    "\(isLimit ? "LIMIT" : "OFFSET") must not be negative")
            }
            return counts
        }
    }
}
