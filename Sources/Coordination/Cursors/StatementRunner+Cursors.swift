// DECLARE, FETCH, MOVE and CLOSE, and the portals of the protocol, which share their names with cursors.

import Columnar
import Diagnostics
import QueryPlan
import SQLParser

extension StatementRunner {
    func declareCursor(
        _ name: String, _ plan: LogicalPlan, _ fields: [Field], _ syntax: DeclareCursor
    ) async throws -> StatementResult {
        // Statements sent together are a block, too.
        let isInBlock = session.state.withLock { $0.block != nil }
        guard isInBlock || syntax.withHold else {
            throw QueryError(.noActiveSQLTransaction, "DECLARE CURSOR can only be used in transaction blocks")
        }
        guard session.cursor(name) == nil else { throw Cursor.duplicate(name) }
        let result = try await runQuery(plan, fields: fields) { "FETCH \($0)" }
        let scrolling: Cursor.Scrolling = syntax.scroll.map { $0 ? .all : .none } ?? .few
        let rows = scrolling == .none ? nil : engine.makeScrolledRows(types: fields.map(\.type))
        let cursor = Cursor(
            result, fields: fields, scrolling: scrolling, rows: rows, withHold: syntax.withHold)
        // Without a block the transaction ends with this statement.
        cursor.isHeld = !isInBlock
        session.state.withLock { $0.cursors[name] = cursor }
        // Nothing but FETCH waits for it.
        session.interruption.removeHandlers()
        return StatementResult(tag: "DECLARE CURSOR")
    }

    func fetch(_ fetch: Fetch) async throws -> StatementResult {
        let name = fetch.cursor.text
        guard let cursor = session.cursor(name) else { throw Cursor.missing(name) }
        try await session.start(cursor)
        session.interruption.onRequest { cursor.cancel($0) }
        let wasOnRow = cursor.isOnRow
        let movement = CursorMovement(fetch.direction, position: cursor.position, isOnRow: wasOnRow)
        if fetch.isMove, fetch.direction.staysInPlace { return StatementResult(tag: "MOVE \(wasOnRow ? 1 : 0)") }
        for step in movement.passed { _ = try await cursor.pass(step) }
        let given = movement.given ?? .forward(0)
        if fetch.isMove { return StatementResult(tag: "MOVE \(try await cursor.pass(given))") }
        // Where there is no way back the statement fails, not its first row.
        if !given.isForward, given.count > 0 { _ = try cursor.backward(0) }
        return StatementResult(
            fields: cursor.fields, reader: CursorReader(cursor: cursor, step: given),
            objectNames: cursor.result?.objectNames)
    }

    func closeCursor(_ name: String?) throws -> StatementResult {
        guard let name else {
            session.closeCursors()
            return StatementResult(tag: "CLOSE CURSOR ALL")
        }
        guard session.closeCursor(name) else { throw Cursor.missing(name) }
        return StatementResult(tag: "CLOSE CURSOR")
    }
}

extension Session {
    func cursor(_ name: String) -> Cursor? { state.withLock { $0.cursors[name] } }

    /// Columns of an open cursor; clients may describe it like a portal of the protocol.
    package func cursorFields(_ name: String) -> [Field]? { cursor(name)?.fields }

    /// Gives a named portal of the protocol to FETCH and MOVE, too. Throws 42P03 if there is a cursor of that name.
    package func openPortal(_ name: String, _ statement: PreparedStatement, _ parameters: [ScalarValue]) throws
        -> Cursor
    {
        let cursor = Cursor(Cursor.Work(statement: statement, parameters: parameters), fields: statement.fields ?? [])
        try state.withLock { state in
            if state.cursors[name] != nil { throw Cursor.duplicate(name) }
            state.cursors[name] = cursor
        }
        return cursor
    }

    /// Whether there was one. Its query's work stops.
    @discardableResult
    package func closeCursor(_ name: String) -> Bool {
        guard let cursor = state.withLock({ $0.cursors.removeValue(forKey: name) }) else { return false }
        cursor.close()
        return true
    }

    func closeCursors(where isWanted: (Cursor) -> Bool = { _ in true }) {
        let closed = state.withLock { state -> [Cursor] in
            let closed = state.cursors.filter { isWanted($0.value) }
            for name in closed.keys { state.cursors[name] = nil }
            return Array(closed.values)
        }
        for cursor in closed { cursor.close() }
    }

    /// Cursors end with their transaction, but for those WITH HOLD when it commits and those of transactions before.
    func closeCursorsOfEndedTransaction(commits: Bool) {
        closeCursors { cursor in
            if commits, cursor.withHold { cursor.isHeld = true }
            return !cursor.isHeld
        }
    }

    /// Runs the query of a portal whose rows are asked for by FETCH or MOVE first.
    fileprivate func start(_ cursor: Cursor) async throws {
        guard cursor.result == nil, let work = cursor.work, let statement = work.statement.statement else { return }
        let literals = zip(work.parameters, work.statement.parameterTypes).map { QueryPlan.Expression.literal($0, $1) }
        cursor.start(try await execute(work.statement, statement, parameters: literals))
        interruption.removeHandlers()
    }
}

extension Cursor {
    fileprivate static func missing(_ name: String) -> QueryError {
        QueryError(.invalidCursorName, "cursor \"\(name)\" does not exist", object: name)
    }

    fileprivate static func duplicate(_ name: String) -> QueryError {
        QueryError(SQLState("42P03"), "cursor \"\(name)\" already exists", object: name)
    }
}

extension Fetch.Direction {
    /// No rows in any direction: the row that the cursor is on.
    fileprivate var staysInPlace: Bool {
        switch self {
        case .forward(0), .backward(0), .relative(0): true
        default: false
        }
    }
}
