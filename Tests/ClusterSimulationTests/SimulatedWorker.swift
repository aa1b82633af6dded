// A worker in the simulation: the real session and the real task list, and tasks that only count rows.

import ClusterMembership
import Diagnostics
import Transport
import WorkerRuntime

/// One frame of an exchange channel.
struct SimulatedFrame {
    var sequence: Int
    var rows: [UInt64]
    var checksum: UInt64

    init(sequence: Int, rows: [UInt64]) {
        self.sequence = sequence
        self.rows = rows
        checksum = Self.checksum(rows)
    }
    static func checksum(_ rows: [UInt64]) -> UInt64 { rows.reduce(7) { SimulationRandom.mix($0 ^ $1) } }
}

/// What a worker has produced for one partition of its readers.
struct SimulatedOutput {
    var frames: [SimulatedFrame] = []
    /// Set once all is there.
    var isFinished = false
    /// Whether a reader has had its end.
    var isTaken = false
    var readers: [SimulatedReader] = []
}

/// A task on a worker.
final class SimulatedTask {
    let attempt: TaskAttemptID
    let plan: SimulatedPlan
    let splits: [Int]
    /// Tasks of the stage that is read, with their workers.
    let sources: [(attempt: TaskAttemptID, worker: Int)]
    var outputs: [SimulatedOutput]
    var readers: [SimulatedReader] = []
    var isStopped = false
    var hasEnded = false
    var nextSplit = 0

    init(
        attempt: TaskAttemptID, plan: SimulatedPlan, splits: [Int], sources: [(attempt: TaskAttemptID, worker: Int)],
        partitions: Int
    ) {
        self.attempt = attempt
        self.plan = plan
        self.splits = splits
        self.sources = sources
        outputs = [SimulatedOutput](repeating: SimulatedOutput(), count: partitions)
    }
}

/// The reading end of a channel, on a worker or on the coordinator.
final class SimulatedReader {
    let producer: TaskAttemptID
    /// The producer's worker, and its life when the channel was opened.
    let worker: Int
    let partition: Int
    /// The reader's node; -1 is the coordinator.
    let node: Int
    var life = 0
    /// The frame that the reader wants next, and the one that its producer's side sends next.
    var nextSequence = 0
    var sentSequence = 0
    /// Counts the connections that have carried the channel.
    var connection = 0
    var rowCount = 0
    var isOver = false
    /// Whether a frame is under way.
    var isServed = false
    /// When something last came from the producer's node.
    var lastSign: MonotonicInstant?
    let onRows: ([UInt64]) -> Void
    let onEnd: () -> Void
    let onFailure: (QueryError) -> Void

    init(
        producer: TaskAttemptID, worker: Int, partition: Int, node: Int, onRows: @escaping ([UInt64]) -> Void,
        onEnd: @escaping () -> Void, onFailure: @escaping (QueryError) -> Void
    ) {
        self.producer = producer
        self.worker = worker
        self.partition = partition
        self.node = node
        self.onRows = onRows
        self.onEnd = onEnd
        self.onFailure = onFailure
    }
}

final class SimulatedWorker {
    let index: Int
    var id: WorkerID { WorkerID("w\(index)") }
    /// Counts the lives of the process.
    var life = 1
    var isAlive = true
    var isPaused = false
    /// What has come while the process stood still.
    var held: [() -> Void] = []
    var session: WorkerSessionInstance
    var tasks = WorkerTasksInstance(isAccepting: false)
    var running: [TaskAttemptID: SimulatedTask] = [:]
    /// The worker's own session number → the number of the stream.
    var streams: [SessionID: UInt64] = [:]
    /// Streams of task states: query → what to call with a state.
    var watchers: [QueryID: [Int: (TaskStatus) -> Void]] = [:]
    var nextTick: MonotonicInstant?
    /// On its disk: what its last lives died of.
    var crashNotes: [WorkerCrash] = []
    /// The term of the coordinator that has accepted it last, and the latest whose lease this process has had.
    var offeredEpoch: UInt64 = 0
    var seenEpoch: UInt64 = 0
    /// The one that counts, and the one of an earlier term.
    static let coordinators = ["c0", "c1"]

    init(index: Int, incarnation: UInt64, hasDeposed: Bool) throws {
        self.index = index
        session = try Self.session(index, incarnation, hasDeposed: hasDeposed)
    }

    static func session(
        _ index: Int, _ incarnation: UInt64, crashes: [WorkerCrash] = [], hasDeposed: Bool
    ) throws -> WorkerSessionInstance {
        try WorkerSessionInstance(
            description: WorkerDescription(
                worker: WorkerID("w\(index)"), incarnation: Incarnation(incarnation), clusterID: "test",
                controlAddress: "w\(index):1", exchangeAddress: "w\(index):2", crashes: crashes),
            coordinators: hasDeposed ? coordinators : [coordinators[0]])
    }
}
