// The control plane between coordinator and workers: registration, tasks, their states.

import ClusterMembership
import Diagnostics

package enum TaskState: UInt8, Hashable, Sendable {
    case running, finished, failed, cancelled
}

/// A task's state as its worker sees it. `version` grows with every change; older ones are ignored.
package struct TaskStatus: Sendable {
    package var attempt: TaskAttemptID
    package var version: Int
    package var state: TaskState
    package var error: QueryError?
    /// Operator metrics in `OperatorMetrics` coding; complete when the task has ended.
    package var metrics: [OperatorMetrics]
    /// Splits that a running task waits for, or soon will.
    package var wishes: [SplitWish]
    package init(
        attempt: TaskAttemptID, version: Int, state: TaskState, error: QueryError? = nil,
        metrics: [OperatorMetrics] = [], wishes: [SplitWish] = []
    ) {
        self.attempt = attempt
        self.version = version
        self.state = state
        self.error = error
        self.metrics = metrics
        self.wishes = wishes
    }
}

/// A scan that has nearly read the splits it has. It is told again with every state until they have come.
package struct SplitWish: Hashable, Sendable {
    /// The scan's node.
    package var node: Int
    /// How many times splits have come for it already.
    package var number: Int
    package init(node: Int, number: Int) {
        self.node = node
        self.number = number
    }
}

/// The answer to a wish.
package struct SplitGrant: Hashable, Sendable {
    package var attempt: TaskAttemptID
    package var node: Int
    /// That of the wish; a worker that has it already does nothing.
    package var number: Int
    /// Coded by `WireCodec.SplitCodec`.
    package var splits: [UInt8]
    /// There are no more.
    package var isLast: Bool
    package init(attempt: TaskAttemptID, node: Int, number: Int, splits: [UInt8], isLast: Bool) {
        self.attempt = attempt
        self.node = node
        self.number = number
        self.splits = splits
        self.isLast = isLast
    }
}

/// What one operator of a task has done, by the node's id in the plan.
package struct OperatorMetrics: Hashable, Sendable {
    package var node: Int
    package var rowsIn: Int
    package var rowsOut: Int
    /// Time on driver threads.
    package var nanoseconds: Int
    package var bytesRead: Int
    package var memoryBytesPeak: Int
    package var spilledBytes: Int
    package init(
        node: Int, rowsIn: Int = 0, rowsOut: Int = 0, nanoseconds: Int = 0, bytesRead: Int = 0,
        memoryBytesPeak: Int = 0, spilledBytes: Int = 0
    ) {
        self.node = node
        self.rowsIn = rowsIn
        self.rowsOut = rowsOut
        self.nanoseconds = nanoseconds
        self.bytesRead = bytesRead
        self.memoryBytesPeak = memoryBytesPeak
        self.spilledBytes = spilledBytes
    }
}

/// The coordinator's way to one worker.
package protocol WorkerConnection: AnyObject, Sendable {
    /// Hands over a task, coded by `WireCodec.TaskCodec` (chunked by the transport: no size limit). Returns when the worker
    /// has accepted it; throws its refusal.
    func startTask(_ attempt: TaskAttemptID, descriptor: [UInt8]) async throws
    /// The same for several tasks, in one message where the transport can. Throws the first refusal; tasks behind it were not
    /// offered. What was accepted before may be handed over again.
    func startTasks(_ tasks: [(attempt: TaskAttemptID, descriptor: [UInt8])]) async throws
    /// Stops the attempts. Unknown ones are ignored. Returns when the worker has heard it.
    func cancelTasks(_ attempts: [TaskAttemptID]) async throws
    /// More splits for a task. Returns when the worker has them.
    func addSplits(_ grant: SplitGrant) async throws
    /// States of a query's tasks as they change; ends when the connection does.
    func taskStatuses(query: QueryID) -> AsyncThrowingStream<TaskStatus, any Error>
    /// Round trip for health checks.
    func ping() async throws
    func close() async
    /// The thread that answers and states come on, for short work that follows them; `nil`: any.
    var executor: (any TaskExecutor)? { get }
}

extension WorkerConnection {
    package var executor: (any TaskExecutor)? { nil }

    package func startTasks(_ tasks: [(attempt: TaskAttemptID, descriptor: [UInt8])]) async throws {
        for task in tasks { try await startTask(task.attempt, descriptor: task.descriptor) }
    }
}

/// What a worker does for its coordinator; WorkerRuntime implements it, control transports call it.
package protocol WorkerService: AnyObject, Sendable {
    func startTask(_ attempt: TaskAttemptID, descriptor: [UInt8]) async throws
    func cancelTasks(_ attempts: [TaskAttemptID]) async
    /// For a task that runs no more it does nothing.
    func addSplits(_ grant: SplitGrant) async throws
    func taskStatuses(query: QueryID) -> AsyncThrowingStream<TaskStatus, any Error>
    /// Whether a task of the query runs here, so that another of its states is yet to come.
    func runsTasks(of query: QueryID) -> Bool
}

/// Messages of the session that a worker keeps open to its coordinator. Their meaning is ClusterMembership's.
package enum WorkerMessage: Hashable, Sendable {
    case register(WorkerDescription)
    case heartbeat(sequence: UInt64, HeartbeatLoad)
    /// No new tasks, please: the worker leaves within this time, earlier when what runs has ended.
    case drain(within: Duration)
    case goodbye
}

package enum CoordinatorMessage: Hashable, Sendable {
    case registered(Registration)
    case refused(RegistrationRefusal)
    case acknowledged(HeartbeatAcknowledgement)
}

/// The coordinator's side of worker sessions; Coordination implements it, control transports call it.
package protocol WorkerSessionService: AnyObject, Sendable {
    /// A worker opened a session. Its messages are `incoming`; what is yielded to `outgoing` goes to the worker. Returns
    /// when the session has ended; the worker is told by the end of the stream.
    func session(
        incoming: AsyncThrowingStream<WorkerMessage, any Error>,
        send: @escaping @Sendable (CoordinatorMessage) async throws -> Void
    ) async
}

/// Control between nodes. `inprocess` and `grpc` are the implementations.
package protocol ControlTransport: AnyObject, Sendable {
    /// Serves this coordinator's sessions. Returns where workers reach it.
    func serveCoordinator(_ service: any WorkerSessionService, on endpoint: Endpoint) async throws -> Endpoint
    /// Serves this worker's tasks. Returns where coordinators reach it.
    func serveWorker(_ service: any WorkerService, on endpoint: Endpoint) async throws -> Endpoint
    /// Connects to a worker.
    func connect(toWorker endpoint: Endpoint) async throws -> any WorkerConnection
    /// Opens a session with a coordinator: `outgoing` is sent, `receive` is called for what comes back. Returns or throws
    /// when the session ends.
    func openSession(
        withCoordinator endpoint: Endpoint, outgoing: AsyncStream<WorkerMessage>,
        receive: @escaping @Sendable (CoordinatorMessage) async -> Void
    ) async throws
    func shutdown() async
}
