// A scan's splits that come bit by bit.

import PhysicalOps
import Storage
import Synchronization
import Testing
import WorkerRuntime

private final class Notes: Sendable {
    private let numbers = Mutex<[Int]>([])
    func note(_ number: Int) { numbers.withLock { $0.append(number) } }
    var all: [Int] { numbers.withLock { $0 } }
}

@Suite struct LateSplitsTests {
    private func split(_ number: Int) -> Split { Split(payload: [UInt8(number)], estimatedRowCount: number) }

    private func taken(_ event: SplitEvent) -> Int? {
        if case .split(let split) = event { split.estimatedRowCount } else { nil }
    }

    @Test func asksOnceBeforeItRunsOut() throws {
        let asked = Notes()
        let woken = Notes()
        let late = LateSplits((0..<4).map(split), lowWater: 1) { asked.note($0) }
        #expect(late.remainingCount == nil)
        for number in 0..<2 { #expect(taken(try late.next {}) == number) }
        #expect(asked.all.isEmpty)
        for number in 2..<4 { #expect(taken(try late.next {}) == number) }
        #expect(asked.all == [0])
        for reader in 0..<2 {
            guard case .pending = try late.next(wake: { woken.note(reader) }) else {
                Issue.record("nothing is left")
                return
            }
        }
        #expect(asked.all == [0] && woken.all.isEmpty)
        #expect(late.take([split(4), split(5)], number: 0, isLast: false))
        #expect(woken.all == [0, 1])
        // Again, and out of turn.
        #expect(!late.take([split(4), split(5)], number: 0, isLast: false))
        #expect(!late.take([split(9)], number: 2, isLast: true))
        #expect(taken(try late.next {}) == 4)
        #expect(asked.all == [0, 1])
        #expect(late.take([split(6)], number: 1, isLast: true))
        #expect(late.remainingCount == 2)
        #expect(taken(try late.next {}) == 5)
        #expect(taken(try late.next {}) == 6)
        guard case .finished = try late.next(wake: {}) else {
            Issue.record("there is an end")
            return
        }
        #expect(asked.all == [0, 1])
        #expect(!late.take([split(7)], number: 2, isLast: true))
    }

    @Test func anEmptyListAsksAtOnce() throws {
        let asked = Notes()
        let late = LateSplits([], lowWater: 2) { asked.note($0) }
        guard case .pending = try late.next(wake: {}) else {
            Issue.record("something may come")
            return
        }
        #expect(asked.all == [0])
        #expect(late.take([], number: 0, isLast: true))
        guard case .finished = try late.next(wake: {}) else {
            Issue.record("nothing comes")
            return
        }
    }
}
