// The bitmap of numbers that have come before, against a set.

import Columnar
import Testing

@testable import PhysicalOps

@Suite struct SeenIntegersTests {
    private func vector(_ values: [Int64?]) -> Vector {
        let builder = VectorBuilder(type: .int64, capacity: max(1, values.count))
        for value in values { builder.append(value.map { .integer($0) } ?? .null) }
        return builder.finish()
    }

    /// The chosen rows' values; checked against what a set says.
    private func check(_ seen: SeenIntegers, _ values: [Int64?], _ known: inout Set<Int64?>) {
        guard let selection = seen.select(vector(values), count: values.count) else {
            Issue.record("the range was refused")
            return
        }
        let given = (0..<selection.count).map { Int(selection.rows[$0]) }
        let expected = values.indices.filter { known.insert(values[$0]).inserted }
        #expect(given == Array(expected))
    }

    @Test func numbersAreGivenOnce() {
        var random = TestRandom(7)
        let ranges: [(base: Int64, spread: Int)] = [
            (0, 10), (-500, 1000), (1 << 40, 100_000), (.min + 100, 5000), (.max - 200_000, 1000),
        ]
        for (base, spread) in ranges {
            let seen = SeenIntegers()
            var known: Set<Int64?> = []
            for batch in 0..<30 {
                // Batches wander, so that the range grows on both sides.
                let shift = Int64(batch % 2 == 0 ? batch : -batch) * Int64(spread) / 8
                let values = (0..<random.below(GroupTable.chunkRows) + 1).map { _ -> Int64? in
                    if batch > 10, random.below(20) == 0 { return nil }
                    return base + max(-90, shift) + Int64(random.below(spread))
                }
                check(seen, values, &known)
            }
        }
    }

    @Test func aRangeThatIsTooLargeIsRefusedAndNothingNoted() {
        let seen = SeenIntegers()
        var known: Set<Int64?> = []
        check(seen, [5, 7, nil, 5], &known)
        #expect(seen.select(vector([6, 5 + SeenIntegers.rangeMax]), count: 2) == nil)
        #expect(seen.select(vector([.min, .max]), count: 2) == nil)
        check(seen, [6, 7, nil, 8], &known)
        #expect(seen.byteCount < 1 << 20)
    }

    @Test func onlyNulls() {
        let seen = SeenIntegers()
        var known: Set<Int64?> = []
        check(seen, [nil, nil], &known)
        check(seen, [nil, 1000], &known)
    }
}
