// What every control transport must do.

import ClusterMembership
import Diagnostics
import Synchronization
import Transport

/// A worker that remembers what it was asked.
package final class RecordingWorker: WorkerService {
    private struct State {
        var started: [TaskAttemptID: [UInt8]] = [:]
        var cancelled: [TaskAttemptID] = []
        var grants: [SplitGrant] = []
        var watchers: [QueryID: AsyncThrowingStream<TaskStatus, any Error>.Continuation] = [:]
    }
    private let state = Mutex(State())
    /// Tasks of this query are refused.
    package static let refusedQuery = QueryID("refused")
    package static let refusal = QueryError(
        .outOfMemory, "out of memory", detail: "Failed on request of size 7.", hint: "less", object: "pool")

    package init() {}

    package func descriptor(_ attempt: TaskAttemptID) -> [UInt8]? { state.withLock { $0.started[attempt] } }
    package var grants: [SplitGrant] { state.withLock { $0.grants } }
    package var cancelled: [TaskAttemptID] { state.withLock { $0.cancelled } }
    package func isWatched(_ query: QueryID) -> Bool { state.withLock { $0.watchers[query] != nil } }

    package func startTask(_ attempt: TaskAttemptID, descriptor: [UInt8]) async throws {
        if attempt.query == Self.refusedQuery { throw Self.refusal }
        state.withLock { $0.started[attempt] = descriptor }
    }
    package func cancelTasks(_ attempts: [TaskAttemptID]) async {
        state.withLock { $0.cancelled += attempts }
        for attempt in attempts { endReports(attempt.query) }
    }
    package func addSplits(_ grant: SplitGrant) async throws {
        if grant.attempt.query == Self.refusedQuery { throw Self.refusal }
        state.withLock { $0.grants.append(grant) }
    }
    package func taskStatuses(query: QueryID) -> AsyncThrowingStream<TaskStatus, any Error> {
        let (stream, continuation) = AsyncThrowingStream<TaskStatus, any Error>.makeStream()
        state.withLock { $0.watchers[query] = continuation }
        continuation.onTermination = { [weak self] _ in
            guard let self else { return }
            self.state.withLock { $0.watchers[query] = nil }
        }
        return stream
    }
    package func runsTasks(of query: QueryID) -> Bool { false }
    package func report(_ status: TaskStatus) {
        _ = state.withLock { $0.watchers[status.attempt.query]?.yield(status) }
    }
    package func endReports(_ query: QueryID) {
        let watcher = state.withLock { $0.watchers[query] }
        watcher?.finish()
    }
}

/// A coordinator that answers every message and remembers it.
package final class RecordingCoordinator: WorkerSessionService {
    private struct State {
        var received: [WorkerMessage] = []
        var ended = 0
    }
    private let state = Mutex(State())

    package init() {}

    package var received: [WorkerMessage] { state.withLock { $0.received } }
    package var ended: Int { state.withLock { $0.ended } }

    package static let registration = Registration(
        epoch: 7, lease: .milliseconds(8001), heartbeatInterval: .milliseconds(999), protocolVersion: 1, resumed: true)
    package static let refusal = RegistrationRefusal(
        .notLeader, "standby", retryAfter: .milliseconds(5), leaderHint: "c2:1")

    package func session(
        incoming: AsyncThrowingStream<WorkerMessage, any Error>,
        send: @escaping @Sendable (CoordinatorMessage) async throws -> Void
    ) async {
        do {
            for try await message in incoming {
                state.withLock { $0.received.append(message) }
                switch message {
                case .register(let description):
                    if description.zone == "refuse" {
                        try await send(.refused(Self.refusal))
                        state.withLock { $0.ended += 1 }
                        return
                    }
                    try await send(.registered(Self.registration))
                case .heartbeat(let sequence, _):
                    try await send(
                        .acknowledged(
                            HeartbeatAcknowledgement(sequence: sequence, drainWithin: sequence == 2 ? .seconds(3) : nil)
                        ))
                case .drain, .goodbye: break
                }
            }
        } catch {
            // The end of a session by failure is an end as well.
        }
        state.withLock { $0.ended += 1 }
    }
}

package struct ControlConformance: Sendable {
    package enum Case: String, Sendable, CaseIterable, CustomStringConvertible {
        case startsAndCancelsTasks
        case carriesRefusals
        case reportsTaskStates
        case carriesSplits
        case reportsALostWorker
        case outlivesManyQueries
        case refusesToConnectToNobody
        case carriesASession
        case endsASessionFromEitherSide

        package var description: String { rawValue }
    }

    private let address = Endpoint(host: "127.0.0.1", port: 0)
    private let makeTransport: @Sendable () -> any ControlTransport

    package init(makeTransport: @escaping @Sendable () -> any ControlTransport) { self.makeTransport = makeTransport }

    package func run(_ testCase: Case) async throws {
        try await within(.seconds(30), "\(testCase)") {
            switch testCase {
            case .startsAndCancelsTasks: try await startsAndCancelsTasks()
            case .carriesRefusals: try await carriesRefusals()
            case .reportsTaskStates: try await reportsTaskStates()
            case .carriesSplits: try await carriesSplits()
            case .reportsALostWorker: try await reportsALostWorker()
            case .outlivesManyQueries: try await outlivesManyQueries()
            case .refusesToConnectToNobody: try await refusesToConnectToNobody()
            case .carriesASession: try await carriesASession()
            case .endsASessionFromEitherSide: try await endsASessionFromEitherSide()
            }
        }
    }

    private static func attempt(_ number: Int, query: String = "q") -> TaskAttemptID {
        TaskAttemptID(query: QueryID(query), queryAttempt: 1, stage: StageID(2), partition: number, attempt: 3)
    }

    private func withWorker(
        _ body: (RecordingWorker, any WorkerConnection, _ node: any ControlTransport) async throws -> Void
    ) async throws {
        let worker = RecordingWorker()
        let node = makeTransport()
        let endpoint = try await node.serveWorker(worker, on: address)
        let coordinator = makeTransport()
        let connection = try await coordinator.connect(toWorker: endpoint)
        try await body(worker, connection, node)
        await connection.close()
        await coordinator.shutdown()
        await node.shutdown()
    }

    private func startsAndCancelsTasks() async throws {
        try await withWorker { worker, connection, _ in
            for (number, size) in [0, 1, 1 << 20, 9_000_001].enumerated() {
                let descriptor = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) }
                try await connection.startTask(Self.attempt(number), descriptor: descriptor)
                try require(worker.descriptor(Self.attempt(number)) == descriptor, "descriptor \(number) differs")
            }
            let together = (10..<14).map { number in
                (attempt: Self.attempt(number), descriptor: [UInt8](repeating: UInt8(number), count: number * 200_000))
            }
            try await connection.startTasks(together)
            for task in together {
                try require(worker.descriptor(task.attempt) == task.descriptor, "descriptor \(task.attempt) differs")
            }
            try await connection.cancelTasks([Self.attempt(0), Self.attempt(5)])
            try require(worker.cancelled == [Self.attempt(0), Self.attempt(5)], "other tasks were cancelled")
            try await connection.ping()
        }
    }

    private func carriesRefusals() async throws {
        try await withWorker { worker, connection, _ in
            do {
                try await connection.startTasks([
                    (Self.attempt(1), [1]), (Self.attempt(0, query: "refused"), [1]), (Self.attempt(2), [1]),
                ])
                throw ConformanceFailure("the refusal among several is missing")
            } catch let error as QueryError {
                try require(error.state == RecordingWorker.refusal.state, "\(error)")
                try require(worker.descriptor(Self.attempt(1)) != nil, "the first task was not handed over")
                try require(worker.descriptor(Self.attempt(2)) == nil, "a task behind a refusal was handed over")
            }
            do {
                try await connection.startTask(Self.attempt(0, query: "refused"), descriptor: [1])
                throw ConformanceFailure("the refusal is missing")
            } catch let error as QueryError {
                let sent = RecordingWorker.refusal
                try require(
                    error.state == sent.state && error.message == sent.message && error.detail == sent.detail
                        && error.hint == sent.hint && error.object == sent.object, "\(error)")
            }
        }
    }

    private func reportsTaskStates() async throws {
        try await withWorker { worker, connection, _ in
            let statuses = connection.taskStatuses(query: QueryID("q"))
            try await eventually(.seconds(10), "watching") { worker.isWatched(QueryID("q")) }
            let error = QueryError(.divisionByZero, "division by zero", at: SourcePosition(offset: 9))
            let metrics = OperatorMetrics(
                node: 1, rowsIn: 2, rowsOut: 3, nanoseconds: 4, bytesRead: 5, memoryBytesPeak: 6, spilledBytes: 7)
            let states: [TaskState] = [.running, .finished, .failed, .cancelled]
            for (version, state) in states.enumerated() {
                worker.report(
                    TaskStatus(
                        attempt: Self.attempt(0), version: version, state: state, error: state == .failed ? error : nil,
                        metrics: [metrics]))
            }
            worker.endReports(QueryID("q"))
            var got: [TaskStatus] = []
            for try await status in statuses { got.append(status) }
            try require(got.map(\.state) == states, "states \(got.map(\.state))")
            try require(got.map(\.version) == [0, 1, 2, 3], "versions \(got.map(\.version))")
            try require(got.allSatisfy { $0.attempt == Self.attempt(0) && $0.metrics == [metrics] }, "other contents")
            try require(
                got.count > 2 && got[2].error?.state == .divisionByZero && got[2].error?.position == error.position,
                "another error")
        }
    }

    private func carriesSplits() async throws {
        try await withWorker { worker, connection, _ in
            let wishes = [SplitWish(node: 4, number: 0), SplitWish(node: 9, number: 12)]
            let statuses = connection.taskStatuses(query: QueryID("q"))
            try await eventually(.seconds(10), "watching") { worker.isWatched(QueryID("q")) }
            worker.report(TaskStatus(attempt: Self.attempt(0), version: 1, state: .running, wishes: wishes))
            worker.endReports(QueryID("q"))
            var got: [[SplitWish]] = []
            for try await status in statuses { got.append(status.wishes) }
            try require(got == [wishes], "other wishes: \(got)")
            var grants: [SplitGrant] = []
            for (number, size) in [0, 3, 700_000].enumerated() {
                grants.append(
                    SplitGrant(
                        attempt: Self.attempt(1), node: 4, number: number,
                        splits: (0..<size).map { UInt8(truncatingIfNeeded: $0) }, isLast: number == 2))
                try await connection.addSplits(grants[number])
            }
            try require(worker.grants == grants, "other splits")
            do {
                try await connection.addSplits(
                    SplitGrant(
                        attempt: Self.attempt(0, query: "refused"), node: 1, number: 0, splits: [], isLast: true))
                throw ConformanceFailure("the refusal of splits is missing")
            } catch let error as QueryError {
                try require(error.state == RecordingWorker.refusal.state, "\(error)")
            }
        }
    }

    /// Queries come and go by the hundred each second, and following one ends long before the connection does. A stream of
    /// HTTP/2 for each would not do: servers end a connection after some hundred resets of its streams.
    private func outlivesManyQueries() async throws {
        try await withWorker { worker, connection, _ in
            let lasting = connection.taskStatuses(query: QueryID("lasting"))
            try await eventually(.seconds(10), "watching") { worker.isWatched(QueryID("lasting")) }
            for number in 0..<500 {
                let query = QueryID("q\(number)")
                let following = Task {
                    for try await _ in connection.taskStatuses(query: query) {}
                }
                try await eventually(.seconds(10), "watching query \(number)") { worker.isWatched(query) }
                following.cancel()
                _ = await following.result
                try await connection.cancelTasks([Self.attempt(0, query: query.text)])
            }
            try await eventually(.seconds(20), "the end of all reports") {
                (0..<500).allSatisfy { !worker.isWatched(QueryID("q\($0)")) }
            }
            worker.report(TaskStatus(attempt: Self.attempt(0, query: "lasting"), version: 1, state: .finished))
            worker.endReports(QueryID("lasting"))
            var got: [TaskState] = []
            for try await status in lasting { got.append(status.state) }
            try require(got == [.finished], "the connection was lost: \(got)")
        }
    }

    private func reportsALostWorker() async throws {
        try await withWorker { worker, connection, node in
            let statuses = connection.taskStatuses(query: QueryID("q"))
            try await eventually(.seconds(10), "watching") { worker.isWatched(QueryID("q")) }
            await node.shutdown()
            do {
                for try await _ in statuses {}
                throw ConformanceFailure("the loss is missing")
            } catch let error as QueryError {
                try require(error.state == .workerLost, "\(error)")
            }
            do {
                try await connection.startTask(Self.attempt(0), descriptor: [1])
                throw ConformanceFailure("a lost worker takes tasks")
            } catch let error as QueryError {
                try require(error.state == .workerLost, "\(error)")
            }
        }
    }

    private func refusesToConnectToNobody() async throws {
        let node = makeTransport()
        let endpoint = try await node.serveWorker(RecordingWorker(), on: address)
        await node.shutdown()
        let other = makeTransport()
        do {
            _ = try await other.connect(toWorker: endpoint)
            throw ConformanceFailure("a connection to nobody")
        } catch is QueryError {}
        do {
            let (outgoing, _) = AsyncStream<WorkerMessage>.makeStream()
            try await other.openSession(withCoordinator: endpoint, outgoing: outgoing) { _ in }
            throw ConformanceFailure("a session with nobody")
        } catch is QueryError {}
        await other.shutdown()
    }

    private static func description(zone: String = "z") -> WorkerDescription {
        WorkerDescription(
            worker: WorkerID("w1"), incarnation: Incarnation(1 << 60), clusterID: "c", controlAddress: "h:1",
            exchangeAddress: "h:2", protocolMinimum: 1, protocolMaximum: 4, build: "b", zone: zone,
            labels: [.init(name: "a", value: "1"), .init(name: "b", value: "")], memoryBytes: 1 << 40, slots: 9,
            diskBytes: 5)
    }

    private func carriesASession() async throws {
        let service = RecordingCoordinator()
        let node = makeTransport()
        let endpoint = try await node.serveCoordinator(service, on: address)
        let worker = makeTransport()
        let (outgoing, continuation) = AsyncStream<WorkerMessage>.makeStream()
        let answers = Mutex<[CoordinatorMessage]>([])
        var requests = Histogram(bounds: MeterReading.requestBounds)
        for seconds in [0.0001, 0.3, 99] { requests.record(seconds) }
        let load = HeartbeatLoad(
            runningTasks: 3, memoryFreeBytes: 4, diskFreeBytes: 5, attemptsDigest: .max, processorNanoseconds: 6,
            residentBytes: 7,
            meters: MeterReading(
                exchangeReaderWaitNanoseconds: 8, exchangeWriterWaitNanoseconds: 9, exchangeCreditWaitNanoseconds: 10,
                heldSpillBytes: 11, orphanedSpillBytes: 12, storeRequests: ["a": requests]))
        let sent: [WorkerMessage] = [
            .register(Self.description()), .heartbeat(sequence: 1, load), .heartbeat(sequence: 2, load),
            .drain(within: .milliseconds(25_001)), .goodbye,
        ]
        for message in sent { continuation.yield(message) }
        continuation.finish()
        try await worker.openSession(withCoordinator: endpoint, outgoing: outgoing) { message in
            answers.withLock { $0.append(message) }
        }
        try require(service.received == sent, "received \(service.received)")
        let expected: [CoordinatorMessage] = [
            .registered(RecordingCoordinator.registration),
            .acknowledged(HeartbeatAcknowledgement(sequence: 1)),
            .acknowledged(HeartbeatAcknowledgement(sequence: 2, drainWithin: .seconds(3))),
        ]
        try require(answers.withLock { $0 } == expected, "answers \(answers.withLock { $0 })")
        await worker.shutdown()
        await node.shutdown()
    }

    private func endsASessionFromEitherSide() async throws {
        let service = RecordingCoordinator()
        let node = makeTransport()
        let endpoint = try await node.serveCoordinator(service, on: address)
        // The coordinator ends it: the call returns although the worker would go on.
        let first = makeTransport()
        let (refused, refusedContinuation) = AsyncStream<WorkerMessage>.makeStream()
        refusedContinuation.yield(.register(Self.description(zone: "refuse")))
        let answers = Mutex<[CoordinatorMessage]>([])
        try await first.openSession(withCoordinator: endpoint, outgoing: refused) { message in
            answers.withLock { $0.append(message) }
        }
        try require(answers.withLock { $0 } == [.refused(RecordingCoordinator.refusal)], "no refusal")
        // The worker's node goes: the coordinator's side ends.
        let second = makeTransport()
        let (outgoing, continuation) = AsyncStream<WorkerMessage>.makeStream()
        continuation.yield(.register(Self.description()))
        let session = Task {
            try await second.openSession(withCoordinator: endpoint, outgoing: outgoing) { _ in }
        }
        try await eventually(.seconds(10), "the registration") { service.received.count == 2 }
        await second.shutdown()
        try await eventually(.seconds(10), "the end of the session") { service.ended == 2 }
        _ = await session.result
        // The coordinator's node goes: the worker hears of it.
        let third = makeTransport()
        let (more, moreContinuation) = AsyncStream<WorkerMessage>.makeStream()
        moreContinuation.yield(.register(Self.description()))
        let last = Task {
            try await third.openSession(withCoordinator: endpoint, outgoing: more) { _ in }
        }
        try await eventually(.seconds(10), "the registration") { service.received.count == 3 }
        await node.shutdown()
        _ = await last.result
        await first.shutdown()
        await third.shutdown()
    }
}
