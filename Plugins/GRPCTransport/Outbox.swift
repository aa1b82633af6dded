// Messages on their way to a stream: what comes while one is written goes together with the next.

import Synchronization

/// A queue of many senders and one writer, which takes all that is there. Thread-safe.
final class Outbox<Message: Sendable>: Sendable {
    private struct State {
        var messages: [Message] = []
        var writer: CheckedContinuation<Void, Never>?
        /// The writer will be woken for messages that can wait.
        var isWakeDue = false
        var isFinished = false
    }
    private let state = Mutex(State())
    /// How much of what one write takes a message is; what they make together is `capacity` and a message at most.
    private let size: @Sendable (Message) -> Int
    private let capacity: Int

    init(capacity: Int = 1 << 20, size: @escaping @Sendable (Message) -> Int) {
        self.capacity = capacity
        self.size = size
    }

    /// Sends soon.
    func push(_ messages: [Message]) {
        let writer = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if state.isFinished { return nil }
            state.messages += messages
            defer { state.writer = nil }
            return state.writer
        }
        writer?.resume()
    }

    /// Sends with the next message, or alone when none has come within `delay`.
    func push(_ message: Message, within delay: Duration, of loop: ControlLoop) {
        let isFirst = state.withLock { state in
            if state.isFinished { return false }
            state.messages.append(message)
            defer { state.isWakeDue = true }
            return !state.isWakeDue
        }
        if isFirst { loop.schedule(in: delay) { [weak self] in self?.wake() } }
    }

    private func wake() {
        let writer = state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.isWakeDue = false
            if state.messages.isEmpty { return nil }
            defer { state.writer = nil }
            return state.writer
        }
        writer?.resume()
    }

    /// The messages that are there, at least one, once the writer was woken; `nil` after `finish` or when the task is cancelled.
    func next() async -> [Message]? {
        await withTaskCancellationHandler {
            while true {
                let (messages, isFinished) = state.withLock { state -> ([Message], Bool) in
                    (take(&state), state.isFinished)
                }
                if !messages.isEmpty { return messages }
                if isFinished { return nil }
                await withCheckedContinuation { continuation in
                    let goesOn = state.withLock { state in
                        if state.isFinished || !state.messages.isEmpty { return true }
                        state.writer = continuation
                        return false
                    }
                    if goesOn { continuation.resume() }
                }
            }
        } onCancel: {
            finish()
        }
    }

    private func take(_ state: inout State) -> [Message] {
        var total = 0
        var count = 0
        while count < state.messages.count, total < capacity {
            total += size(state.messages[count])
            count += 1
        }
        if count == state.messages.count {
            defer { state.messages = [] }
            return state.messages
        }
        defer { state.messages.removeFirst(count) }
        return Array(state.messages[..<count])
    }

    /// Nothing more is sent but what is there already.
    func finish() {
        let writer = state.withLock { state in
            state.isFinished = true
            defer { state.writer = nil }
            return state.writer
        }
        writer?.resume()
    }
}
