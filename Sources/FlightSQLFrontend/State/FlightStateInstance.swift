// What a Flight SQL server remembers between calls: sessions, prepared statements, tickets, transactions. No clock, no I/O.

import Diagnostics

/// Bytes that name something of the server's; they are random, so that nobody guesses another's.
struct FlightHandle: Hashable, Sendable, CustomStringConvertible {
    var bytes: [UInt8]
    init(_ bytes: [UInt8]) { self.bytes = bytes }

    static func random() -> FlightHandle {
        var generator = SystemRandomNumberGenerator()
        return FlightHandle((0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) })
    }

    /// In hexadecimal digits: what a bearer token is.
    var description: String {
        bytes.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}

/// How a call says which session it belongs to.
enum FlightSessionKey: Hashable, Sendable {
    case token(String)
    /// Calls without a token: those of one connection and user.
    case peer(String, user: String)
}

package struct FlightLimits: Sendable {
    package var sessionCountMax = 500
    package var statementCountMax = 1000
    package var ticketCountMax = 1000
    /// A session that nobody uses ends after this.
    package var sessionLifetime: Duration = .seconds(30 * 60)
    /// A result that nobody fetches is dropped after this.
    package var ticketLifetime: Duration = .seconds(5 * 60)
    /// A transaction without statements is rolled back after this.
    package var transactionLifetime: Duration = .seconds(10 * 60)
    package init() {}
}

/// `Session`, `Statement` and `Ticket` are what the server keeps for each; times are durations since any moment.
struct FlightStateInstance<Session: Sendable, Statement: Sendable, Ticket: Sendable>: Sendable {
    private struct SessionState {
        var value: Session
        var user: String
        var lastUsed: Duration
        var callCount = 0
        var statements: [FlightHandle: Statement] = [:]
        var transaction: FlightHandle?
        var transactionUsed: Duration = .zero
        var savepoints: [FlightHandle: String] = [:]
        var savepointCount = 0
    }
    private struct TicketState {
        var value: Ticket
        var owner: FlightSessionKey
        var user: String
        var expires: Duration
    }

    /// What has come to its end with time.
    struct Expired {
        var sessions: [Session] = []
        var tickets: [Ticket] = []
        /// Sessions whose transaction is to be rolled back.
        var transactions: [Session] = []
    }

    let limits: FlightLimits
    private var sessions: [FlightSessionKey: SessionState] = [:]
    private var tickets: [FlightHandle: TicketState] = [:]

    init(limits: FlightLimits) { self.limits = limits }

    var sessionCount: Int { sessions.count }
    var ticketCount: Int { tickets.count }

    // MARK: - Sessions

    mutating func open(_ key: FlightSessionKey, user: String, _ value: Session, at now: Duration) throws {
        guard sessions.count < limits.sessionCountMax else {
            throw QueryError(
                .tooManyConnections, "sorry, too many clients already",
                hint: "There may be \(limits.sessionCountMax) Flight SQL sessions at the same time.")
        }
        sessions[key] = SessionState(value: value, user: user, lastUsed: now)
    }

    /// A call of the session begins; `nil` if there is none.
    mutating func beginCall(_ key: FlightSessionKey, at now: Duration) -> Session? {
        guard sessions[key] != nil else { return nil }
        sessions[key]?.callCount += 1
        sessions[key]?.lastUsed = now
        return sessions[key]?.value
    }

    mutating func endCall(_ key: FlightSessionKey, at now: Duration) {
        sessions[key]?.callCount -= 1
        sessions[key]?.lastUsed = now
        if sessions[key]?.transaction != nil { sessions[key]?.transactionUsed = now }
    }

    /// Ends a session with all that belongs to it.
    mutating func close(_ key: FlightSessionKey) -> (session: Session, tickets: [Ticket])? {
        guard let state = sessions.removeValue(forKey: key) else { return nil }
        let owned = tickets.filter { $0.value.owner == key }
        for handle in owned.keys { tickets[handle] = nil }
        return (state.value, owned.values.map(\.value))
    }

    mutating func closeAll() -> [Session] {
        defer {
            sessions = [:]
            tickets = [:]
        }
        return sessions.values.map(\.value)
    }

    // MARK: - Prepared statements

    mutating func addStatement(_ handle: FlightHandle, _ statement: Statement, of key: FlightSessionKey) throws {
        guard let count = sessions[key]?.statements.count else { throw Self.noSession }
        guard count < limits.statementCountMax else {
            throw QueryError(
                Self.limitExceeded, "the session has \(count) prepared statements already",
                hint: "Close those that are not needed any more.")
        }
        sessions[key]?.statements[handle] = statement
    }

    func statement(_ handle: FlightHandle, of key: FlightSessionKey) throws -> Statement {
        guard let statement = sessions[key]?.statements[handle] else {
            throw QueryError(.invalidSQLStatementName, "the prepared statement does not exist")
        }
        return statement
    }

    mutating func removeStatement(_ handle: FlightHandle, of key: FlightSessionKey) -> Statement? {
        sessions[key]?.statements.removeValue(forKey: handle)
    }

    // MARK: - Tickets

    mutating func addTicket(_ handle: FlightHandle, _ ticket: Ticket, of key: FlightSessionKey, at now: Duration) throws
    {
        guard let user = sessions[key]?.user else { throw Self.noSession }
        guard tickets.values.reduce(0, { $0 + ($1.owner == key ? 1 : 0) }) < limits.ticketCountMax else {
            throw QueryError(
                Self.limitExceeded, "\(limits.ticketCountMax) results of the session wait to be fetched already")
        }
        tickets[handle] = TicketState(value: ticket, owner: key, user: user, expires: now + limits.ticketLifetime)
    }

    /// Redeems a ticket: it is of no use afterwards. Sessions of the same user may redeem each other's.
    mutating func takeTicket(
        _ handle: FlightHandle, of key: FlightSessionKey, at now: Duration
    ) throws -> (ticket: Ticket, owner: FlightSessionKey, session: Session) {
        guard let user = sessions[key]?.user else { throw Self.noSession }
        guard let state = tickets[handle], state.user == user, state.expires > now,
            let session = sessions[state.owner]?.value
        else {
            throw QueryError(
                .invalidCursorName, "the ticket is not valid",
                detail: "A ticket is redeemed once, within \(limits.ticketLifetime.components.seconds) seconds.")
        }
        tickets[handle] = nil
        return (state.value, state.owner, session)
    }

    // MARK: - Transactions

    mutating func beginTransaction(_ handle: FlightHandle, of key: FlightSessionKey, at now: Duration) throws {
        guard sessions[key] != nil else { throw Self.noSession }
        guard sessions[key]?.transaction == nil else {
            throw QueryError(
                .activeSQLTransaction, "there is already a transaction in progress",
                detail: "A session has one transaction at a time.")
        }
        sessions[key]?.transaction = handle
        sessions[key]?.transactionUsed = now
    }

    /// Checks what a statement says of its transaction.
    func checkTransaction(_ handle: FlightHandle?, of key: FlightSessionKey) throws {
        let open = sessions[key]?.transaction
        switch (handle, open) {
        case (nil, nil): return
        case (nil, _?):
            throw QueryError(
                .activeSQLTransaction, "the statement does not name the transaction that is open on its session",
                hint: "Give its transaction_id, or run the statement on another session.")
        case (let handle?, _):
            guard handle == open else { throw Self.noTransaction }
        }
    }

    func hasTransaction(_ key: FlightSessionKey) -> Bool { sessions[key]?.transaction != nil }

    mutating func endTransaction(_ handle: FlightHandle, of key: FlightSessionKey) throws {
        guard let open = sessions[key]?.transaction, open == handle else { throw Self.noTransaction }
        forgetTransaction(of: key)
    }

    private mutating func forgetTransaction(of key: FlightSessionKey) {
        sessions[key]?.transaction = nil
        sessions[key]?.savepoints = [:]
    }

    /// The SQL name of a new savepoint.
    mutating func addSavepoint(
        _ handle: FlightHandle, in transaction: FlightHandle, of key: FlightSessionKey
    ) throws -> String {
        try checkTransaction(transaction, of: key)
        let number = (sessions[key]?.savepointCount ?? 0) + 1
        sessions[key]?.savepointCount = number
        let name = "flight savepoint \(number)"
        sessions[key]?.savepoints[handle] = name
        return name
    }

    mutating func savepoint(_ handle: FlightHandle, of key: FlightSessionKey, removing: Bool) throws -> String {
        guard let name = sessions[key]?.savepoints[handle] else {
            throw QueryError(SQLState("3B001"), "the savepoint does not exist")
        }
        if removing { sessions[key]?.savepoints[handle] = nil }
        return name
    }

    // MARK: - Time

    mutating func expire(at now: Duration) -> Expired {
        var expired = Expired()
        for (handle, ticket) in tickets where ticket.expires <= now {
            expired.tickets.append(ticket.value)
            tickets[handle] = nil
        }
        for (key, state) in sessions where state.callCount == 0 {
            if now - state.lastUsed >= limits.sessionLifetime {
                if let closed = close(key) {
                    expired.sessions.append(closed.session)
                    expired.tickets += closed.tickets
                }
            } else if state.transaction != nil, now - state.transactionUsed >= limits.transactionLifetime {
                forgetTransaction(of: key)
                expired.transactions.append(state.value)
            }
        }
        return expired
    }

    // MARK: - Errors

    static var limitExceeded: SQLState { SQLState("53400") }
    static var noSession: QueryError {
        QueryError(.invalidAuthorization, "the session does not exist or has ended", hint: "Connect again.")
    }
    static var noTransaction: QueryError {
        QueryError(.noActiveSQLTransaction, "the transaction does not exist or has ended")
    }
}
