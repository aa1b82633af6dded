// Cursors: queries whose rows are taken bit by bit, in either direction.

import Columnar
import Diagnostics
import Synchronization

/// An open cursor, or a named portal of the protocol. Used by one statement after the other.
package final class Cursor: Sendable {
    /// Which rows a cursor keeps to give them again.
    enum Scrolling: Sendable {
        /// NO SCROLL.
        case none
        /// Neither is said: as long as they are few. Going back then works for those who look at some rows, and costs those
        /// nothing who read millions of them.
        case few
        /// SCROLL.
        case all
    }

    /// What a portal runs when its first row is asked for.
    struct Work: Sendable {
        var statement: PreparedStatement
        var parameters: [ScalarValue]
    }

    private struct State {
        var result: StatementResult?
        var rows: ScrolledRows?
        /// Rows that were taken from the result and not yet given, when none are kept.
        var rest: Batch?
        /// The row that it is on: 0 before the first one, one more than there are behind the last one.
        var position = 0
        /// Rows that it has been on, or has kept.
        var takenCount = 0
        var isExhausted = false
        var isClosed = false
        var isHeld = false
    }

    /// Bytes of rows up to which they are few.
    static let fewByteCount = 4 << 20

    package let fields: [Field]
    /// WITH HOLD: it stays when the transaction commits.
    let withHold: Bool
    let work: Work?
    private let scrolling: Scrolling
    private let state: Mutex<State>

    /// Of DECLARE.
    init(_ result: StatementResult, fields: [Field], scrolling: Scrolling, rows: ScrolledRows?, withHold: Bool) {
        self.fields = fields
        self.withHold = withHold
        self.scrolling = scrolling
        work = nil
        state = Mutex(State(result: result, rows: rows))
    }

    /// Of the protocol: forwards only.
    init(_ work: Work, fields: [Field]) {
        self.fields = fields
        self.work = work
        withHold = false
        scrolling = .none
        state = Mutex(State())
    }

    /// `nil` until a portal has been started.
    package var result: StatementResult? { state.withLock { $0.result } }
    package var isClosed: Bool { state.withLock { $0.isClosed } }
    /// Whether the transaction that opened it has committed.
    var isHeld: Bool {
        get { state.withLock { $0.isHeld } }
        set { state.withLock { $0.isHeld = newValue } }
    }
    var position: Int { state.withLock { $0.position } }
    var isOnRow: Bool { state.withLock { $0.position > 0 && $0.position <= $0.takenCount } }

    /// A portal's query runs.
    package func start(_ result: StatementResult) { state.withLock { $0.result = result } }

    func cancel(_ error: QueryError) { result?.cancel(error) }

    func close() {
        let result = state.withLock { state -> StatementResult? in
            state.isClosed = true
            state.rest = nil
            state.rows = nil
            return state.result
        }
        result?.cancel()
    }

    // MARK: - Rows

    /// The next rows, at most `count` and no more than come at once; `nil` behind the last one.
    package func forward(_ count: Int) async throws -> Batch? {
        guard count > 0 else { return nil }
        if let batch = try forwardKept(count) { return batch }
        let (result, rest) = state.withLock { state -> (StatementResult?, Batch?) in
            defer { state.rest = nil }
            return (state.isExhausted ? nil : state.result, state.rest)
        }
        var next = rest
        if next == nil { next = try await result?.next() }
        guard let batch = next else {
            state.withLock { state in
                state.isExhausted = true
                state.position = state.takenCount + 1
            }
            return nil
        }
        if try keep(batch) { return try forwardKept(count) }
        return state.withLock { state in
            let given = min(count, batch.rowCount)
            if given < batch.rowCount { state.rest = batch.slice(given, batch.rowCount - given) }
            state.position += given
            state.takenCount += given
            return batch.prefix(given)
        }
    }

    /// Rows of before, the nearest first; `nil` before the first one. Throws 55000 if there is no way back.
    func backward(_ count: Int) throws -> Batch? {
        let (rows, position) = state.withLock { ($0.rows, $0.position) }
        guard let rows else {
            throw QueryError(
                .objectNotInPrerequisiteState, "cursor can only scan forward",
                hint: "Declare it with SCROLL option to enable backward scan.")
        }
        guard count > 0 else { return nil }
        guard position > 1 else {
            state.withLock { $0.position = 0 }
            return nil
        }
        let batch = try rows.rowsBackwards(before: position - 1, atMost: count)
        state.withLock { $0.position = position - batch.rowCount }
        return batch
    }

    /// Goes and says how many rows it came by.
    func pass(_ step: CursorStep) async throws -> Int {
        var reader = CursorReader(cursor: self, step: step)
        var count = 0
        while let batch = try await reader.next() { count += batch.rowCount }
        return count
    }

    /// Rows after the position that are kept; `nil` if there are none.
    private func forwardKept(_ count: Int) throws -> Batch? {
        let (rows, position, taken) = state.withLock { ($0.rows, $0.position, $0.takenCount) }
        guard let rows, position < taken else { return nil }
        let batch = try rows.rows(from: position, atMost: count)
        state.withLock { $0.position += batch.rowCount }
        return batch
    }

    /// Keeps rows that have just come, if they are to be kept.
    private func keep(_ batch: Batch) throws -> Bool {
        guard let rows = state.withLock({ $0.rows }) else { return false }
        if scrolling == .few, rows.byteCount + batch.estimatedByteCount > Self.fewByteCount {
            state.withLock { $0.rows = nil }
            return false
        }
        try rows.append(batch)
        state.withLock { $0.takenCount += batch.rowCount }
        return true
    }
}

/// The rows of one step of a cursor, as they are asked for.
struct CursorReader: Sendable {
    let cursor: Cursor
    private let isForward: Bool
    private var left: Int

    init(cursor: Cursor, step: CursorStep) {
        self.cursor = cursor
        isForward = step.isForward
        left = step.count
    }

    mutating func next() async throws -> Batch? {
        guard left > 0 else { return nil }
        let batch = isForward ? try await cursor.forward(left) : try cursor.backward(left)
        guard let batch else {
            left = 0
            return nil
        }
        if left != .max { left -= batch.rowCount }
        return batch
    }
}
