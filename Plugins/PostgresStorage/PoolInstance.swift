// The pool of connections as a state machine without clock, threads or sockets.

import Diagnostics

/// A connection of a pool, or one that is being opened.
package struct ConnectionID: Hashable, Sendable {
    let number: Int
}

/// Somebody who waits for a connection.
package struct RequestID: Hashable, Sendable {
    let number: Int
}

/// Decides which connections are opened, lent and closed. Times are milliseconds of one clock.
///
/// Requests are served in the order in which they came. Connections that keep a snapshot for the length of a statement
/// are at most half of all, and those that take rows while others read at most the other half but one. So there is always
/// one for work that ends by itself, as reading a split: whoever keeps a connection and waits for another one waits only for
/// such work, never in a circle. Two connections are too few for that; then rows are sent when all reading is done.
package struct PoolInstance: Sendable {
    package struct Options: Hashable, Sendable {
        package var minimum: Int
        package var maximum: Int
        /// Zeros are without limit.
        package var idleMilliseconds: Int
        package var lifeMilliseconds: Int
        package var waitMilliseconds: Int
        /// Connections that were idle for so long are asked before they are lent.
        package var checkMilliseconds = 30_000
        /// After a failed attempt to open a connection nobody tries again for this time.
        package var retryMilliseconds = 500

        package init(
            minimum: Int = 0, maximum: Int = 10, idleMilliseconds: Int = 300_000, lifeMilliseconds: Int = 1_800_000,
            waitMilliseconds: Int = 30_000
        ) {
            self.minimum = minimum
            self.maximum = max(2, maximum)
            self.idleMilliseconds = idleMilliseconds
            self.lifeMilliseconds = lifeMilliseconds
            self.waitMilliseconds = waitMilliseconds
        }

        var keeperMaximum: Int { maximum / 2 }
        /// 0: nobody may keep a connection for rows that are still being computed.
        package var writerMaximum: Int { maximum - keeperMaximum - 1 }
    }

    /// What a connection is wanted for.
    package enum Purpose: Hashable, Sendable {
        /// One statement to the server, or a few.
        case work
        /// Keeping a snapshot while others work.
        case snapshot
        /// Taking rows as they are computed.
        case write
    }

    package enum Event: Sendable {
        case requested(RequestID, Purpose)
        /// The requester does not want it any more.
        case withdrawn(RequestID)
        case opened(ConnectionID)
        case openFailed(ConnectionID, QueryError)
        /// Whether an idle connection that was to be lent still works.
        case checked(ConnectionID, isUsable: Bool)
        case returned(ConnectionID, isUsable: Bool)
        case tick
        case closed
    }

    package enum Directive: Equatable, Sendable {
        case open(ConnectionID)
        /// To be answered by `checked`; `isDeep` asks the server, otherwise the socket tells.
        case check(ConnectionID, isDeep: Bool)
        case lend(ConnectionID, to: RequestID)
        case refuse(RequestID, PoolRefusal)
        case close(ConnectionID)
    }

    /// For metrics.
    package struct Counters: Equatable, Sendable {
        package var opened = 0
        package var openFailures = 0
        package var lent = 0
        package var waits = 0
        package var timeouts = 0
        package var foundBroken = 0
    }

    private enum Phase: Equatable {
        case opening
        case idle(since: Int)
        case checking(RequestID?)
        case lent(Purpose)
    }
    private struct Connection {
        var phase: Phase
        var openedAt: Int
        var isIdle: Bool { if case .idle = phase { true } else { false } }
        var idleSince: Int { if case .idle(let since) = phase { since } else { .min } }
    }
    private struct Request {
        var id: RequestID
        var purpose: Purpose
        var since: Int
    }

    private let options: Options
    private var connections: [ConnectionID: Connection] = [:]
    private var queue: [Request] = []
    private var lastNumber = 0
    private var failure: (error: QueryError, until: Int)?
    private var isClosed = false
    package private(set) var counters = Counters()

    package init(_ options: Options) { self.options = options }

    package var connectionCount: Int { connections.count }
    package var waitingCount: Int { queue.count }
    package var lentCount: Int { connections.values.count { if case .lent = $0.phase { true } else { false } } }
    private func lentCount(_ purpose: Purpose) -> Int { connections.values.count { $0.phase == .lent(purpose) } }

    package mutating func handle(_ event: Event, now: Int) -> [Directive] {
        var directives: [Directive] = []
        switch event {
        case .requested(let id, let purpose):
            if isClosed {
                directives.append(.refuse(id, .closed))
            } else {
                queue.append(Request(id: id, purpose: purpose, since: now))
            }
        case .withdrawn(let id): queue.removeAll { $0.id == id }
        case .opened(let id):
            counters.opened += 1
            failure = nil
            if isClosed {
                connections[id] = nil
                directives.append(.close(id))
            } else {
                connections[id] = Connection(phase: .idle(since: now), openedAt: now)
            }
        case .openFailed(let id, let error):
            counters.openFailures += 1
            connections[id] = nil
            failure = (error, now + options.retryMilliseconds)
        case .checked(let id, let isUsable):
            guard case .checking(let requester)? = connections[id]?.phase else { break }
            if !isUsable {
                counters.foundBroken += 1
                connections[id] = nil
                directives.append(.close(id))
            } else if let request = queue.first(where: { $0.id == requester }) {
                lend(id, to: request, &directives)
            } else {
                connections[id]?.phase = .idle(since: now)
            }
        case .returned(let id, let isUsable):
            guard let connection = connections[id] else { break }
            if !isUsable || isClosed || isOld(connection, now) {
                connections[id] = nil
                directives.append(.close(id))
            } else {
                connections[id]?.phase = .idle(since: now)
            }
        case .tick: expire(now, &directives)
        case .closed:
            isClosed = true
            for request in queue { directives.append(.refuse(request.id, .closed)) }
            queue = []
            for (id, connection) in connections where connection.isIdle {
                connections[id] = nil
                directives.append(.close(id))
            }
        }
        if !isClosed { serve(now, &directives) }
        return directives
    }

    private func isOld(_ connection: Connection, _ now: Int) -> Bool {
        options.lifeMilliseconds > 0 && now - connection.openedAt >= options.lifeMilliseconds
    }

    private mutating func lend(_ id: ConnectionID, to request: Request, _ directives: inout [Directive]) {
        queue.removeAll { $0.id == request.id }
        connections[id]?.phase = .lent(request.purpose)
        counters.lent += 1
        directives.append(.lend(id, to: request.id))
    }

    /// Gives idle connections to those who wait, and opens as many as are missing.
    private mutating func serve(_ now: Int, _ directives: inout [Directive]) {
        var (keepers, writers) = (lentCount(.snapshot), lentCount(.write))
        var promised: Set<RequestID> = []
        for connection in connections.values {
            if case .checking(let requester?) = connection.phase { promised.insert(requester) }
        }
        for request in queue where promised.contains(request.id) {
            switch request.purpose {
            case .work: break
            case .snapshot: keepers += 1
            case .write: writers += 1
            }
        }
        var missing = 0
        for request in queue where !promised.contains(request.id) {
            switch request.purpose {
            case .work: break
            case .snapshot:
                if keepers >= options.keeperMaximum { continue }
                keepers += 1
            case .write:
                if writers >= options.writerMaximum { continue }
                writers += 1
            }
            // The one that was used last: others may grow old and go.
            let idle = connections.filter { $0.value.isIdle && !isOld($0.value, now) }
                .max { ($0.value.idleSince, $0.key.number) < ($1.value.idleSince, $1.key.number) }
            if let (id, connection) = idle {
                connections[id]?.phase = .checking(request.id)
                directives.append(.check(id, isDeep: now - connection.idleSince >= options.checkMilliseconds))
            } else {
                missing += 1
            }
        }
        var opening = connections.values.count { $0.phase == .opening }
        if let failure, now < failure.until {
            // Those for whom a connection would have to be opened learn why there is none; others wait for what is lent.
            guard opening == 0, connections.isEmpty else { return }
            for request in queue { directives.append(.refuse(request.id, .failed(failure.error))) }
            queue = []
            return
        }
        while opening < missing || connections.count < options.minimum {
            if connections.count >= options.maximum {
                // A connection that is too old to be lent makes room.
                guard let old = connections.first(where: { $0.value.isIdle })?.key else { break }
                connections[old] = nil
                directives.append(.close(old))
            }
            lastNumber += 1
            let id = ConnectionID(number: lastNumber)
            connections[id] = Connection(phase: .opening, openedAt: now)
            directives.append(.open(id))
            opening += 1
        }
    }

    private mutating func expire(_ now: Int, _ directives: inout [Directive]) {
        let late = queue.filter { options.waitMilliseconds > 0 && now - $0.since >= options.waitMilliseconds }
        for request in late {
            counters.timeouts += 1
            queue.removeAll { $0.id == request.id }
            directives.append(.refuse(request.id, .timedOut(maximum: options.maximum)))
        }
        var spare = connections.count - options.minimum
        for (id, connection) in connections.sorted(by: { $0.key.number < $1.key.number }) where connection.isIdle {
            let isUnused = options.idleMilliseconds > 0 && now - connection.idleSince >= options.idleMilliseconds
            guard isOld(connection, now) || (isUnused && spare > 0) else { continue }
            spare -= 1
            connections[id] = nil
            directives.append(.close(id))
        }
    }
}

/// Why a request got no connection.
package enum PoolRefusal: Equatable, Sendable {
    case closed
    case timedOut(maximum: Int)
    case failed(QueryError)

    package static func == (a: PoolRefusal, b: PoolRefusal) -> Bool {
        switch (a, b) {
        case (.closed, .closed): true
        case (.timedOut(let x), .timedOut(let y)): x == y
        case (.failed(let x), .failed(let y)): x.state == y.state
        default: false
        }
    }
}
