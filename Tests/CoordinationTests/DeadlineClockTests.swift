// One timer for many deadlines: each rings once, in time, whatever the order in which they were set.

import Synchronization
import Testing

@testable import Coordination

private final class Owner: Sendable {
    let name: String
    init(_ name: String) { self.name = name }
}

@Suite struct DeadlineClockTests {
    private func wait(for condition: () -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(30)
        while !condition(), ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(2)) }
        #expect(condition())
    }

    @Test func deadlinesRingInTheirOrder() async throws {
        let clock = DeadlineClock()
        let rung = Mutex<[String]>([])
        let owners = ["far", "late", "early", "replaced", "removed"].map { Owner($0) }
        let start = ContinuousClock.now
        func set(_ owner: Owner, _ after: Duration) {
            clock.set(owner, at: start + after) { rung.withLock { $0.append(owner.name) } }
        }
        // A timer for a time that is far away runs when sooner ones are set.
        set(owners[0], .seconds(3600))
        set(owners[1], .milliseconds(300))
        set(owners[2], .milliseconds(20))
        set(owners[3], .milliseconds(30))
        set(owners[3], .milliseconds(150))
        set(owners[4], .milliseconds(40))
        clock.remove(owners[4])
        try await wait { rung.withLock { $0.count >= 3 } }
        #expect(ContinuousClock.now >= start + .milliseconds(300))
        #expect(rung.withLock { $0 } == ["early", "replaced", "late"])
        clock.remove(owners[0])
    }

    @Test func aDeadlineMayBeSetWhileOneRings() async throws {
        let clock = DeadlineClock()
        let owner = Owner("again")
        let count = Atomic(0)
        @Sendable func ring() {
            let number = count.wrappingAdd(1, ordering: .relaxed).newValue
            if number < 5 { clock.set(owner, at: .now + .milliseconds(1), ring: ring) }
        }
        clock.set(owner, at: .now - .seconds(1), ring: ring)
        try await wait { count.load(ordering: .relaxed) == 5 }
    }
}
