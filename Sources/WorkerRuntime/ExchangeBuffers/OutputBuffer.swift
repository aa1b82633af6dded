// WorkerRuntime runs task attempts on a node. This file: what a task has produced and nobody has fetched yet.
//
//   ExchangeBuffers/   output of tasks by partition, and the streams that serve it
//   Task/              task attempts: their life, their environment, their states
//
// A buffer is bounded in bytes: a full one parks the drivers that fill it, taking a batch wakes them. An elastic one never
// parks anybody: what goes beyond its bound, or finds no memory, goes to disk.

import Columnar
import Diagnostics
import PhysicalOps
import Synchronization
import Transport

/// The output of one task attempt: a queue of batches for each partition of its readers.
package final class OutputBuffer: TaskOutput, Sendable {
    fileprivate struct Partition {
        var batches: [Batch] = []
        /// Index of the next batch in `batches`; the array is compacted when it empties.
        var next = 0
        /// What came after the batches, on disk.
        var overflow: OutputOverflow?
        var isClosed = false
        var wake: (@Sendable () -> Void)?

        var isEmpty: Bool { next == batches.count && overflow == nil }
    }

    fileprivate struct State {
        /// Those of the rows; behind them those of hints.
        var partitions: [Partition]
        let partitionCount: Int
        var bufferedByteCount = 0
        /// What of it `memory` has been asked for.
        var reservedByteCount = 0
        var isFinished = false
        var failure: QueryError?
        var waitingProducers: [@Sendable () -> Void] = []
    }

    /// Partitions of rows. Further ones may hold hints: small, of no concern to the end of the output, and not counted, so
    /// that hints that nobody fetches stop nobody.
    package let partitionCount: Int
    let hintCount: Int
    /// Bytes beyond which producers are asked to wait, or an elastic buffer goes to disk. A batch in hand is always taken.
    private let byteLimit: Int
    /// Pays for what is buffered; for elastic buffers.
    private let memory: MemoryPool?
    /// Where an elastic buffer puts what finds no room; without it its readers get error 53200.
    private let spill: (any SpillStore)?
    private let state: Mutex<State>

    /// With `memory` the buffer is elastic.
    package init(
        partitionCount: Int, hintCount: Int = 0, byteLimit: Int, memory: MemoryPool? = nil,
        spill: (any SpillStore)? = nil
    ) {
        self.spill = spill
        self.partitionCount = partitionCount
        self.hintCount = hintCount
        self.byteLimit = byteLimit
        self.memory = memory
        state = Mutex(
            State(
                partitions: (0..<partitionCount + hintCount).map { _ in Partition() }, partitionCount: partitionCount))
    }

    // MARK: - The producing side

    package func enqueue(_ batch: Batch, partition: Int) {
        // Readers may be on other threads: each gets a batch object of its own over the shared vectors.
        let dense = batch.densified()
        let own = Batch(columns: dense.columns, rowCount: dense.rowCount)
        let (wake, failure) = state.withLock { state -> ((@Sendable () -> Void)?, QueryError?) in
            if state.partitions[partition].isClosed || state.failure != nil { return (nil, nil) }
            do { try put(own, partition, &state) } catch { return (nil, QueryError.wrapping(error)) }
            return (state.partitions[partition].takeWake(), nil)
        }
        if let failure { fail(failure) }
        wake?()
    }

    private func put(_ batch: Batch, _ partition: Int, _ state: inout State) throws {
        let size = batch.estimatedByteCount
        if let memory {
            // Once rows of a partition are on disk, those that follow go there too: they are read in their order.
            let fits = state.partitions[partition].overflow == nil && state.bufferedByteCount + size <= byteLimit
            if try !(fits || spill == nil) || !reserve(size, memory) {
                guard let spill else { return }
                var overflow = state.partitions[partition].overflow ?? OutputOverflow(store: spill)
                try overflow.append(batch)
                state.partitions[partition].overflow = overflow
                return
            }
            state.reservedByteCount += size
        }
        state.partitions[partition].batches.append(batch)
        state.bufferedByteCount += size
    }

    /// `false`: there is no memory, but a disk.
    private func reserve(_ size: Int, _ memory: MemoryPool) throws -> Bool {
        do {
            try memory.reserve(size, for: "the rows that several parts of the query read")
            return true
        } catch let error as QueryError where error.state == .outOfMemory && spill != nil {
            return false
        }
    }

    /// The same for a hint to one reader.
    package func enqueueHint(_ batch: Batch, partition: Int) {
        let own = Batch(columns: batch.columns, rowCount: batch.rowCount)
        let wake = state.withLock { state -> (@Sendable () -> Void)? in
            guard state.partitions.indices.contains(partition), partition >= partitionCount,
                !state.partitions[partition].isClosed, state.failure == nil, !state.isFinished
            else { return nil }
            state.partitions[partition].batches.append(own)
            return state.partitions[partition].takeWake()
        }
        wake?()
    }

    /// Gives back what is no longer buffered.
    private func settle() {
        guard let memory else { return }
        state.withLock { state in
            let change = state.reservedByteCount - state.bufferedByteCount
            guard change > 0 else { return }
            memory.release(change)
            state.reservedByteCount -= change
        }
    }

    deinit {
        if let memory { memory.release(state.withLock { $0.reservedByteCount }) }
    }

    package func isFull(wake: @escaping @Sendable () -> Void) -> Bool {
        state.withLock { state in
            guard memory == nil, state.bufferedByteCount >= byteLimit, state.failure == nil, state.hasOpenPartition
            else {
                return false
            }
            state.waitingProducers.append(wake)
            return true
        }
    }

    /// `false` once every reader has gone or the task was ended: nothing that is produced now will be read.
    package var wantsMore: Bool { state.withLock { $0.hasOpenPartition && $0.failure == nil } }

    package func finish() {
        wakeAll { $0.isFinished = true }
    }

    package func fail(_ error: QueryError) {
        wakeAll { state in
            if state.failure == nil { state.failure = error }
            state.dropBatches()
        }
        settle()
    }

    private func wakeAll(_ change: (inout State) -> Void) {
        let wakes = state.withLock { state -> [@Sendable () -> Void] in
            change(&state)
            var wakes: [@Sendable () -> Void] = []
            for index in state.partitions.indices {
                if let wake = state.partitions[index].takeWake() { wakes.append(wake) }
            }
            if state.failure != nil {
                wakes += state.waitingProducers
                state.waitingProducers = []
            }
            return wakes
        }
        for wake in wakes { wake() }
    }

    // MARK: - The reading side

    package func poll(partition: Int, wake: @escaping @Sendable () -> Void) throws -> ExchangeEvent {
        let (event, producers) = try state.withLock { state -> (ExchangeEvent, [@Sendable () -> Void]) in
            if let failure = state.failure { throw failure }
            // What others have read or given up must not look like an end.
            if state.partitions[partition].isClosed {
                throw QueryError(.exchangeFailed, "the rows that a reader wants were given up already")
            }
            guard let batch = state.partitions[partition].takeBatch() else {
                if let batch = try state.partitions[partition].takeOverflow() { return (.batch(batch), []) }
                if state.isFinished { return (.finished, []) }
                state.partitions[partition].wake = wake
                return (.pending, [])
            }
            if partition < partitionCount { state.bufferedByteCount -= batch.estimatedByteCount }
            return (.batch(batch), state.takeProducersIfRoom(byteLimit: byteLimit))
        }
        settle()
        for producer in producers { producer() }
        return event
    }

    package func close(partition: Int) {
        let producers = state.withLock { state -> [@Sendable () -> Void] in
            guard !state.partitions[partition].isClosed else { return [] }
            state.partitions[partition].isClosed = true
            while let batch = state.partitions[partition].takeBatch() {
                if partition < partitionCount { state.bufferedByteCount -= batch.estimatedByteCount }
            }
            state.partitions[partition].overflow = nil
            state.partitions[partition].wake = nil
            return state.takeProducersIfRoom(byteLimit: byteLimit)
        }
        settle()
        for producer in producers { producer() }
    }

    /// Whether all is produced and fetched, so that the buffer can be forgotten.
    package var isDrained: Bool {
        state.withLock { state in
            !state.hasOpenPartition
                || (state.isFinished && state.partitions.prefix(partitionCount).allSatisfy(\.isEmpty))
        }
    }

    package var bufferedByteCount: Int { state.withLock { $0.bufferedByteCount } }
}

extension OutputBuffer.Partition {
    fileprivate mutating func takeWake() -> (@Sendable () -> Void)? {
        defer { wake = nil }
        return wake
    }

    fileprivate mutating func takeBatch() -> Batch? {
        guard next < batches.count else { return nil }
        let batch = batches[next]
        next += 1
        if next == batches.count || next > 64 {
            batches.removeFirst(next)
            next = 0
        }
        return batch
    }
}

extension OutputBuffer.Partition {
    fileprivate mutating func takeOverflow() throws -> Batch? {
        guard let batch = try overflow?.next() else {
            overflow = nil
            return nil
        }
        return batch
    }
}

extension OutputBuffer.State {
    fileprivate var hasOpenPartition: Bool { partitions.prefix(partitionCount).contains { !$0.isClosed } }

    fileprivate mutating func dropBatches() {
        for index in partitions.indices {
            partitions[index].batches = []
            partitions[index].next = 0
            partitions[index].overflow = nil
        }
        bufferedByteCount = 0
    }

    fileprivate mutating func takeProducersIfRoom(byteLimit: Int) -> [@Sendable () -> Void] {
        guard bufferedByteCount < byteLimit || !hasOpenPartition else { return [] }
        defer { waitingProducers = [] }
        return waitingProducers
    }
}
