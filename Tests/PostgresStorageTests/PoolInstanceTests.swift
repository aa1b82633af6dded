// The pool's state machine: events and times in, directives out.

import Diagnostics
import Testing

@testable import PostgresStorage

@Suite struct PoolInstanceTests {
    private func request(_ number: Int) -> RequestID { RequestID(number: number) }
    private func connection(_ number: Int) -> ConnectionID { ConnectionID(number: number) }

    /// A pool with connections 1…count, all idle since 0.
    private func pool(_ options: PoolInstance.Options, idle count: Int = 0) -> PoolInstance {
        var pool = PoolInstance(options)
        for number in 0..<count {
            _ = pool.handle(.requested(request(1000 + number), .work), now: 0)
            _ = pool.handle(.opened(connection(number + 1)), now: 0)
            _ = pool.handle(.checked(connection(number + 1), isUsable: true), now: 0)
        }
        for number in 0..<count { _ = pool.handle(.returned(connection(number + 1), isUsable: true), now: 0) }
        return pool
    }

    @Test func opensOnDemandAndLends() {
        var pool = PoolInstance(.init(maximum: 2))
        #expect(pool.handle(.tick, now: 0) == [])
        #expect(pool.handle(.requested(request(1), .work), now: 1) == [.open(connection(1))])
        #expect(pool.handle(.opened(connection(1)), now: 2) == [.check(connection(1), isDeep: false)])
        #expect(
            pool.handle(.checked(connection(1), isUsable: true), now: 2) == [.lend(connection(1), to: request(1))])
        #expect(pool.lentCount == 1)
        #expect(pool.handle(.returned(connection(1), isUsable: true), now: 3) == [])
        // It is used again, not a second one opened.
        #expect(
            pool.handle(.requested(request(2), .work), now: 4) == [.check(connection(1), isDeep: false)])
    }

    @Test func neverMoreThanTheMaximumAndFirstComeFirstServed() {
        var pool = pool(.init(maximum: 2), idle: 2)
        for number in 1...4 { _ = pool.handle(.requested(request(number), .work), now: 1) }
        var lent: [PoolInstance.Directive] = []
        for number in 1...2 { lent += pool.handle(.checked(connection(number), isUsable: true), now: 1) }
        #expect(lent.count == 2 && pool.connectionCount == 2 && pool.waitingCount == 2)
        #expect(
            pool.handle(.returned(connection(1), isUsable: true), now: 2)
                == [.check(connection(1), isDeep: false)])
        #expect(
            pool.handle(.checked(connection(1), isUsable: true), now: 2) == [.lend(connection(1), to: request(3))])
    }

    @Test func waitingEndsInTime() {
        var pool = pool(.init(maximum: 2, waitMilliseconds: 100), idle: 2)
        for number in 1...3 { _ = pool.handle(.requested(request(number), .work), now: 0) }
        for number in 1...2 { _ = pool.handle(.checked(connection(number), isUsable: true), now: 0) }
        #expect(pool.handle(.tick, now: 99) == [])
        #expect(pool.handle(.tick, now: 100) == [.refuse(request(3), .timedOut(maximum: 2))])
        #expect(pool.counters.timeouts == 1)
        // Those who went away are not served.
        _ = pool.handle(.requested(request(4), .work), now: 101)
        _ = pool.handle(.withdrawn(request(4)), now: 102)
        #expect(pool.handle(.returned(connection(1), isUsable: true), now: 103) == [])
    }

    @Test func snapshotsLeaveHalfOfTheConnectionsToReaders() {
        var pool = pool(.init(maximum: 4), idle: 4)
        for number in 1...3 { _ = pool.handle(.requested(request(number), .snapshot), now: 1) }
        #expect(pool.waitingCount == 3)
        var lent = 0
        for number in 1...4 {
            for case .lend in pool.handle(.checked(connection(number), isUsable: true), now: 1) { lent += 1 }
        }
        #expect(lent == 2)
        // A reader is served though a snapshot waits before it.
        let directives = pool.handle(.requested(request(9), .work), now: 2)
        #expect(directives.count == 1)
        guard case .check(let id, _)? = directives.first else { return #expect(Bool(false)) }
        #expect(pool.handle(.checked(id, isUsable: true), now: 2) == [.lend(id, to: request(9))])
    }

    @Test func brokenConnectionsAreReplaced() {
        var pool = pool(.init(maximum: 2), idle: 1)
        _ = pool.handle(.requested(request(1), .work), now: 5)
        #expect(
            pool.handle(.checked(connection(1), isUsable: false), now: 5)
                == [.close(connection(1)), .open(connection(2))])
        _ = pool.handle(.opened(connection(2)), now: 6)
        #expect(
            pool.handle(.checked(connection(2), isUsable: true), now: 6) == [.lend(connection(2), to: request(1))])
        #expect(pool.handle(.returned(connection(2), isUsable: false), now: 7) == [.close(connection(2))])
        #expect(pool.connectionCount == 0)
    }

    @Test func longIdleOnesAreAsked() {
        var pool = pool(.init(maximum: 2), idle: 1)
        #expect(
            pool.handle(.requested(request(1), .work), now: 60_000) == [.check(connection(1), isDeep: true)])
    }

    @Test func failuresAreToldAndNotRepeatedAtOnce() {
        var pool = PoolInstance(.init(maximum: 2))
        let error = QueryError(SQLState("08001"), "no server")
        _ = pool.handle(.requested(request(1), .work), now: 0)
        #expect(
            pool.handle(.openFailed(connection(1), error), now: 1) == [.refuse(request(1), .failed(error))])
        #expect(
            pool.handle(.requested(request(2), .work), now: 100) == [.refuse(request(2), .failed(error))])
        #expect(pool.handle(.requested(request(3), .work), now: 501) == [.open(connection(2))])
        _ = pool.handle(.opened(connection(2)), now: 502)
        #expect(
            pool.handle(.checked(connection(2), isUsable: true), now: 502)
                == [.lend(connection(2), to: request(3))])
    }

    @Test func idleAndOldOnesGo() {
        var pool = pool(.init(minimum: 1, maximum: 4, idleMilliseconds: 100, lifeMilliseconds: 1000), idle: 3)
        #expect(pool.handle(.tick, now: 99) == [])
        #expect(pool.handle(.tick, now: 100) == [.close(connection(1)), .close(connection(2))])
        // The last one stays, until it is too old; then another takes its place.
        #expect(pool.handle(.tick, now: 500) == [])
        let directives = pool.handle(.tick, now: 1000)
        #expect(directives.contains(.close(connection(3))) && directives.count == 2)
    }

    @Test func closingRefusesAndCloses() {
        var pool = pool(.init(maximum: 2), idle: 2)
        _ = pool.handle(.requested(request(1), .work), now: 1)
        _ = pool.handle(.checked(connection(1), isUsable: true), now: 1)
        _ = pool.handle(.checked(connection(2), isUsable: true), now: 1)
        let directives = pool.handle(.closed, now: 2)
        #expect(directives.count == 1)
        #expect(pool.handle(.requested(request(2), .work), now: 3) == [.refuse(request(2), .closed)])
        for number in 1...2 { _ = pool.handle(.returned(connection(number), isUsable: true), now: 4) }
        #expect(pool.connectionCount == 0)
    }
}
