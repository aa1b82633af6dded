// Who gives memory back when a worker has none left, as a value without clock and threads.
//
// In order: what the query that asks could write to disk, then what others could, the largest first; then a wait; then the
// query with the largest reservation is ended. One query is ended at a time, and the next one only after it has let go.

import ClusterMembership
import Diagnostics

/// Figures of the arbiter.
package struct MemoryArbiterOptions: Sendable, Hashable {
    /// How long a request waits for what others were asked for, or may give back by themselves.
    package var waitLimit: Duration = .seconds(10)
    /// How long a query that was ended may take to let go before another one is ended.
    package var releaseLimit: Duration = .seconds(30)
    /// Holdings below are not worth being asked for.
    package var revocableByteMin = 64 << 10
    package init() {}
}

/// What a query holds at the moment.
package struct MemoryHolder: Sendable, Hashable {
    package var query: QueryID
    package var reservedByteCount: Int
    package var revocableByteCount: Int
    package init(query: QueryID, reservedByteCount: Int, revocableByteCount: Int) {
        self.query = query
        self.reservedByteCount = reservedByteCount
        self.revocableByteCount = revocableByteCount
    }
}

package enum MemoryArbiterDecision: Sendable {
    /// There is room: try again.
    case retry
    /// Look again soon. The queries, if there are any, are to write to disk what they can.
    case wait(asking: [QueryID])
    /// The query is to be ended with this error; look again soon.
    case end(QueryID, QueryError)
    /// The request fails with this error.
    case refuse(QueryError)
}

package struct MemoryArbiterInstance: Sendable {
    private struct Waiter: Sendable {
        var query: QueryID
        var since: MonotonicInstant
    }

    package let options: MemoryArbiterOptions
    package let limit: Int
    private let name: String
    /// Requests that wait, by their number.
    private var waiters: [Int: Waiter] = [:]
    /// When a query was last asked, until it has given what it had.
    private var asked: [QueryID: MonotonicInstant] = [:]
    private var ended: (query: QueryID, at: MonotonicInstant)?
    /// Queries that have been ended and have not let go of everything.
    private var ending: Set<QueryID> = []

    package init(name: String, limit: Int, options: MemoryArbiterOptions = MemoryArbiterOptions()) {
        self.name = name
        self.limit = limit
        self.options = options
    }

    package var waitingCount: Int { waiters.count }

    /// A request is over, whatever came of it.
    package mutating func leave(_ request: Int) { waiters[request] = nil }

    /// The query has no task here any more.
    package mutating func forget(_ query: QueryID) {
        asked[query] = nil
        ending.remove(query)
        if ended?.query == query { ended = nil }
    }

    /// What the query that needs `count` bytes at once has to do. It may not wait: others are only asked.
    package mutating func ask(
        _ count: Int, for query: QueryID, holders: [MemoryHolder], now: MonotonicInstant
    ) -> [QueryID] {
        let others = holders.filter { $0.query != query }
        return revocations(count, own: nil, others: others, now: now)
    }

    /// What comes next for a request that waits, with `used` bytes taken of the worker's memory, by queries or otherwise. `request`
    /// stays the same until `leave`.
    package mutating func decide(
        _ request: Int, _ count: Int, for query: QueryID, used: Int, holders: [MemoryHolder], now: MonotonicInstant
    ) -> MemoryArbiterDecision {
        let since = waiters[request]?.since ?? now
        waiters[request] = Waiter(query: query, since: since)
        if used + count <= limit { return .retry }
        let own = holders.first { $0.query == query }
        let others = holders.filter { $0.query != query }
        if ending.contains(query) { return .refuse(endedError(own?.reservedByteCount ?? 0)) }
        let asking = revocations(count, own: own, others: others, now: now)
        if !asking.isEmpty { return .wait(asking: asking) }
        // Somebody is still writing, or letting go.
        if let ended, now < ended.at + options.releaseLimit, others.contains(where: { $0.query == ended.query }) {
            return .wait(asking: [])
        }
        let isGiving = others.contains { holder in
            guard let at = asked[holder.query], holder.revocableByteCount >= options.revocableByteMin else {
                return false
            }
            return now < at + options.waitLimit
        }
        if isGiving { return .wait(asking: []) }
        // As long as another query that holds memory can go on, it may give some back by ending.
        let waiting = Set(waiters.values.map(\.query))
        let canGoOn = others.contains { $0.reservedByteCount > 0 && !waiting.contains($0.query) }
        if canGoOn, now < since + options.waitLimit { return .wait(asking: []) }
        return end(count, query, own, others, now)
    }

    /// Queries that are asked now: enough for the request, the own one first. Nobody is asked twice for the same.
    private mutating func revocations(
        _ count: Int, own: MemoryHolder?, others: [MemoryHolder], now: MonotonicInstant
    ) -> [QueryID] {
        var missing = count
        var asking: [QueryID] = []
        let largestFirst = others.sorted {
            ($0.revocableByteCount, $0.query.text) > ($1.revocableByteCount, $1.query.text)
        }
        for holder in (own.map { [$0] } ?? []) + largestFirst where missing > 0 {
            guard holder.revocableByteCount >= options.revocableByteMin, !ending.contains(holder.query) else {
                continue
            }
            missing -= holder.revocableByteCount
            if let at = asked[holder.query], now < at + options.waitLimit / 10 { continue }
            asked[holder.query] = now
            asking.append(holder.query)
        }
        return asking
    }

    private mutating func end(
        _ count: Int, _ query: QueryID, _ own: MemoryHolder?, _ others: [MemoryHolder], _ now: MonotonicInstant
    ) -> MemoryArbiterDecision {
        let candidates = (others + (own.map { [$0] } ?? [])).filter { !ending.contains($0.query) }
        // Among equals the youngest: identifiers begin with the time.
        let victim = candidates.max {
            ($0.reservedByteCount, $0.query.text) < ($1.reservedByteCount, $1.query.text)
        }
        guard let victim, victim.query != query, victim.reservedByteCount > 0 else {
            return .refuse(
                QueryError(
                    .outOfMemory, "out of memory",
                    detail:
                        "The query asked for \(count) bytes; it holds \(own?.reservedByteCount ?? 0) of the \(limit) "
                        + "bytes of \(name), more than any other, and nothing is left that could be written to disk.",
                    hint: "Raise the memory limit, or make the query smaller."))
        }
        ending.insert(victim.query)
        ended = (victim.query, now)
        return .end(victim.query, endedError(victim.reservedByteCount))
    }

    private func endedError(_ held: Int) -> QueryError {
        QueryError(
            .outOfMemory, "out of memory",
            detail:
                "The query was ended because it held \(held) of the \(limit) bytes of \(name), more than any other, "
                + "when another one needed memory and nothing was left that could be written to disk.",
            hint: "Raise the memory limit, or run fewer queries at the same time.")
    }
}
