// Which output buffers a node has, and the streams through which transports and local readers take from them.

import Columnar
import Diagnostics
import Synchronization
import Transport

/// All output buffers of a node, by task attempt. A reader may come before its producer: it waits a while.
package final class OutputRegistry: ExchangeSource, Sendable {
    private struct State {
        var buffers: [TaskAttemptID: OutputBuffer] = [:]
        /// Attempts that have ended and been forgotten: readers that come late get the reason instead of a wait.
        var released: [TaskAttemptID: QueryError] = [:]
        var releasedOrder: [TaskAttemptID] = []
        /// Wake calls of readers whose producer is not there yet.
        var waiting: [TaskAttemptID: [@Sendable () -> Void]] = [:]
    }
    private let state = Mutex(State())

    /// How long a reader waits for a producer to appear.
    package static let mailboxDuration: Duration = .seconds(30)
    /// How many released attempts are remembered.
    private static let releasedCountMax = 4096

    package init() {}

    package func add(_ buffer: OutputBuffer, for attempt: TaskAttemptID) {
        let wakes = state.withLock { state in
            state.buffers[attempt] = buffer
            return state.waiting.removeValue(forKey: attempt) ?? []
        }
        for wake in wakes { wake() }
    }

    package func buffer(_ attempt: TaskAttemptID) -> OutputBuffer? { state.withLock { $0.buffers[attempt] } }

    /// Forgets an attempt's output; readers get `reason`.
    package func release(_ attempt: TaskAttemptID, reason: QueryError) {
        let (buffer, wakes) = state.withLock { state -> (OutputBuffer?, [@Sendable () -> Void]) in
            if state.released.updateValue(reason, forKey: attempt) == nil { state.releasedOrder.append(attempt) }
            if state.releasedOrder.count > Self.releasedCountMax {
                for old in state.releasedOrder.prefix(Self.releasedCountMax / 2) { state.released[old] = nil }
                state.releasedOrder.removeFirst(Self.releasedCountMax / 2)
            }
            return (state.buffers.removeValue(forKey: attempt), state.waiting.removeValue(forKey: attempt) ?? [])
        }
        buffer?.fail(reason)
        for wake in wakes { wake() }
    }

    /// Wakes every waiting reader so that it looks at its deadline; called about once a second.
    package func wakeWaitingReaders() {
        let wakes = state.withLock { state -> [@Sendable () -> Void] in
            defer { state.waiting = [:] }
            return state.waiting.values.flatMap { $0 }
        }
        for wake in wakes { wake() }
    }

    package var attemptCount: Int { state.withLock { $0.buffers.count } }

    package func openStream(_ channel: ExchangeChannel) -> any ExchangeStream { BufferStream(channel, registry: self) }

    /// The buffer, or `nil` after registering `wake` for its arrival.
    fileprivate func buffer(_ attempt: TaskAttemptID, wake: @escaping @Sendable () -> Void) throws -> OutputBuffer? {
        try state.withLock { state in
            if let buffer = state.buffers[attempt] { return buffer }
            if let reason = state.released[attempt] { throw reason }
            state.waiting[attempt, default: []].append(wake)
            return nil
        }
    }
}

/// One reader's view of one partition.
private final class BufferStream: ExchangeStream, ExchangeReader, Sendable {
    private struct State {
        var buffer: OutputBuffer?
        var isClosed = false
    }
    private let channel: ExchangeChannel
    private let registry: OutputRegistry
    private let deadline = ContinuousClock.now + OutputRegistry.mailboxDuration
    private let state = Mutex(State())

    init(_ channel: ExchangeChannel, registry: OutputRegistry) {
        self.channel = channel
        self.registry = registry
    }

    func poll(wake: @escaping @Sendable () -> Void) throws -> ExchangeEvent {
        do {
            return try next(wake)
        } catch {
            // Closed from another thread meanwhile.
            if state.withLock({ $0.isClosed }) { return .finished }
            throw error
        }
    }

    private func next(_ wake: @escaping @Sendable () -> Void) throws -> ExchangeEvent {
        let (known, isClosed) = state.withLock { ($0.buffer, $0.isClosed) }
        if isClosed { return .finished }
        if let known { return try known.poll(partition: channel.partition, wake: wake) }
        guard let found = try registry.buffer(channel.producer, wake: wake) else {
            if ContinuousClock.now > deadline {
                throw QueryError(
                    .exchangeFailed, "the task that produces the data did not appear",
                    detail: "Task \(channel.producer) is unknown here.")
            }
            return .pending
        }
        guard channel.partition < found.partitionCount + found.hintCount else {
            throw QueryError(
                .protocolViolation, "there is no partition \(channel.partition) in task \(channel.producer)")
        }
        state.withLock { $0.buffer = found }
        return try found.poll(partition: channel.partition, wake: wake)
    }

    func close() {
        let buffer = state.withLock { state -> OutputBuffer? in
            state.isClosed = true
            return state.buffer
        }
        (buffer ?? registry.buffer(channel.producer))?.close(partition: channel.partition)
    }
}

extension OutputRegistry {
    /// A reader within the node: no transport in between.
    package func openLocalReader(_ channel: ExchangeChannel) -> any ExchangeReader {
        BufferStream(channel, registry: self)
    }
}
