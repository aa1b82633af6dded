// Splits that tasks ask for: each is given once, and whoever asks more often reads more.

import Coordination
import Diagnostics
import Storage
import Testing
import Transport

@Suite struct SplitPoolTests {
    private func splits(_ count: Int) -> [Split] {
        (0..<count).map { Split(payload: [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)], estimatedRowCount: $0) }
    }

    private func attempt(_ partition: Int) -> TaskAttemptID {
        TaskAttemptID(query: QueryID("q"), queryAttempt: 0, stage: StageID(1), partition: partition)
    }

    @Test(arguments: [1, 2, 7, 100, 1000]) func everySplitIsGivenOnce(_ count: Int) {
        let all = splits(count)
        for taskCount in [1, 2, 5, 64] {
            var pool = SplitPool(all, taskCount: taskCount)
            var given: [Split] = []
            var numbers = [Int](repeating: 0, count: taskCount)
            var isOver = [Bool](repeating: false, count: taskCount)
            var turn = 0
            while isOver.contains(false) {
                // Some ask thrice as often.
                let task = turn % taskCount
                turn += 1
                for _ in 0..<(task % 2 == 0 ? 3 : 1) where !isOver[task] {
                    guard let grant = pool.grant(attempt(task), number: numbers[task]) else {
                        Issue.record("no grant")
                        return
                    }
                    numbers[task] += 1
                    isOver[task] = grant.isLast
                    given += grant.splits
                }
            }
            #expect(given == all)
            #expect(pool.leftCount == 0)
            // Nobody has to ask often.
            #expect((numbers.max() ?? 0) <= 40, "\(numbers)")
        }
    }

    @Test func aGrantIsTheSameWhenItIsAskedForAgain() {
        var pool = SplitPool(splits(100), taskCount: 2)
        let first = pool.grant(attempt(0), number: 0)
        let other = pool.grant(attempt(1), number: 0)
        let second = pool.grant(attempt(0), number: 1)
        let left = pool.leftCount
        let again = (pool.grant(attempt(0), number: 0), pool.grant(attempt(0), number: 1))
        #expect(again.0?.splits == first?.splits && again.1?.splits == second?.splits)
        #expect(pool.leftCount == left)
        let outOfTurn = [pool.grant(attempt(0), number: 5), pool.grant(attempt(0), number: -1)]
        #expect(outOfTurn.allSatisfy { $0 == nil })
        let given = [first, other, second].flatMap { $0?.splits ?? [] }
        #expect(!given.isEmpty && Set(given).count == 100 - left)
    }

    @Test("a grant of splits with long descriptions fits into a message, and all of them are given")
    func grantsFitIntoMessages() {
        let long = (0..<200).map { Split(payload: [UInt8](repeating: UInt8($0), count: 100_000), estimatedRowCount: 1) }
        let longest = Split(payload: [UInt8](repeating: 7, count: 2 << 20), estimatedRowCount: 1)
        var pool = SplitPool(long + [longest], taskCount: 1)
        var given = 0
        var number = 0
        while pool.leftCount > 0 {
            let splits = pool.grant(attempt(0), number: number)?.splits ?? []
            number += 1
            given += splits.count
            #expect(!splits.isEmpty)
            #expect(splits.count == 1 || splits.reduce(0) { $0 + $1.payload.count } <= 1 << 20)
            if splits.isEmpty { return }
        }
        #expect(given == 201)
    }

    @Test("a task that asks four times as often reads most of the pool, and the other's last grant is small")
    func fastTasksReadMore() {
        var pool = SplitPool(splits(400), taskCount: 2)
        var read = [0, 0]
        var numbers = [0, 0]
        var largest = 0
        var turn = 0
        while pool.leftCount > 0 {
            let task = turn % 5 == 4 ? 1 : 0
            turn += 1
            let grant = pool.grant(attempt(task), number: numbers[task])
            numbers[task] += 1
            read[task] += grant?.splits.count ?? 0
            if turn > 6 { largest = max(largest, grant?.splits.count ?? 0) }
        }
        #expect(read[0] > 3 * read[1])
        #expect(largest <= 50)
    }
}
