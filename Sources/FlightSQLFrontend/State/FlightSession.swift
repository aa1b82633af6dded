// One client's session: the engine's, and the order in which its statements run.

import Columnar
import Coordination
import Diagnostics
import FileFormats
import Frontends
import GRPCCore
import Synchronization

/// A session of the engine whose statements begin one after the other. Rows of several may be read at the same time.
final class FlightSession: Sendable {
    let key: FlightSessionKey
    let user: String
    let session: Session
    /// Whether the session lives as long as the call that opened it, and its client is told its state.
    let isAttached: Bool
    private let gate = CallGate()
    private let ending: AsyncStream<Never>
    private let end: AsyncStream<Never>.Continuation

    init(key: FlightSessionKey, user: String, session: Session, isAttached: Bool = false) {
        self.key = key
        self.user = user
        self.session = session
        self.isAttached = isAttached
        (ending, end) = AsyncStream<Never>.makeStream()
        if isAttached { session.copyChannel = CopyInputChannel(input: nil) }
    }

    /// Runs `body` when no other statement of the session is being run. A client that goes away, or whose time is over,
    /// cancels what `body` runs.
    func exclusively<Result: Sendable>(_ body: @Sendable () async throws -> Result) async throws -> Result {
        let cancellation = CallCancellation(session)
        return try await withRPCCancellationHandler {
            await gate.enter()
            defer { gate.leave() }
            try cancellation.begin()
            defer { cancellation.end() }
            return try await body()
        } onCancelRPC: {
            cancellation.cancel()
        }
    }

    /// Runs statements to their ends; the number of rows that the last one affected, -1 if it does not say.
    func run(_ sql: String) async throws -> Int64 {
        let count = Mutex<Int64>(-1)
        try await session.run(sql) { result in
            guard result.copyWriter == nil else {
                result.cancel()
                throw QueryError.notSupported("COPY TO STDOUT over Flight SQL", hint: "Use a query.")
            }
            CallReport.current?.noteNotices(result)
            while try await result.next() != nil {}
            CallReport.current?.noteEnd(result)
            count.withLock { $0 = AffectedRows.count(result.tag) }
        }
        return count.withLock { $0 }
    }

    /// The same, with data for COPY FROM STDIN.
    func run(_ sql: String, copyData: any CopyChannel) async throws -> Int64 {
        let before = session.copyChannel
        session.copyChannel = copyData
        defer { session.copyChannel = before }
        return try await run(sql)
    }

    /// How rows are sent: those of an attached session look on the other side as they would here.
    var rowForm: ArrowColumnForm.Fields { isAttached ? .exact : .result }

    /// For values that are read back: no setting makes them shorter than they are.
    var exactTextSettings: TextSettings {
        var settings = session.settings.textSettings
        settings.style = TextStyle()
        return settings
    }

    func close() {
        session.close()
        end.finish()
    }

    /// Until the session is closed, or the task is cancelled.
    func waitForEnd() async { for await _ in ending {} }
}

/// A prepared statement and the values that its parameters have been given.
final class FlightStatement: Sendable {
    let prepared: PreparedStatement
    private let bound = Mutex<[ScalarValue]?>(nil)

    init(_ prepared: PreparedStatement) { self.prepared = prepared }

    var parameters: [ScalarValue] {
        get { bound.withLock { $0 } ?? [] }
        set { bound.withLock { $0 = newValue } }
    }
}

/// What a ticket stands for.
enum FlightTicketContent: Sendable {
    /// A query that runs when it is fetched.
    case query(PreparedStatement, parameters: [ScalarValue])
    /// A statement that has run, with its rows.
    case result(StatementResult, fields: [Field])
    /// COPY TO STDOUT, which has begun.
    case copy(StatementResult, CopyWriter)

    func drop() {
        switch self {
        case .query: break
        case .result(let result, _), .copy(let result, _): result.cancel()
        }
    }
}

enum AffectedRows {
    /// The number at the end of a command tag; -1 if there is none.
    static func count(_ tag: String) -> Int64 { tag.split(separator: " ").last.flatMap { Int64($0) } ?? -1 }
}

/// Stops what a call runs when its client has gone.
private final class CallCancellation: Sendable {
    private enum Stage { case waiting, running, ended, cancelled }
    private let stage = Mutex(Stage.waiting)
    private let session: Session

    init(_ session: Session) { self.session = session }

    func begin() throws {
        try stage.withLock { stage in
            guard stage == .waiting else { throw CancellationError() }
            stage = .running
        }
    }

    func end() { stage.withLock { $0 = .ended } }

    func cancel() {
        let wasRunning = stage.withLock { stage in
            let wasRunning = stage == .running
            if stage == .waiting { stage = .cancelled }
            return wasRunning
        }
        guard wasRunning else { return }
        session.cancelCurrent()
        // The call may have been between two statements, or about to begin its first.
        Task {
            for pause in [10, 100, 1000] {
                try await Task.sleep(for: .milliseconds(pause))
                guard stage.withLock({ $0 == .running }) else { return }
                session.cancelCurrent()
            }
        }
    }
}

/// Lets one call in at a time, in the order in which they came.
final class CallGate: Sendable {
    private struct State {
        var isTaken = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())

    func enter() async {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                if state.isTaken {
                    state.waiting.append(continuation)
                    return false
                }
                state.isTaken = true
                return true
            }
            if isFree { continuation.resume() }
        }
    }

    func leave() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard !state.waiting.isEmpty else {
                state.isTaken = false
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume()
    }
}
