// The worker's end of the streams that carry the calls of coordinators.

import Diagnostics
import Foundation
import GRPCCore
import Synchronization
import Transport

/// Tasks of this worker.
struct WorkerControlServer: Martlet_V1_WorkerControl.SimpleServiceProtocol {
    /// The descriptors of a call are put together up to this size.
    static let descriptorByteLimit = 256 << 20

    let service: any WorkerService
    /// What the calls come on.
    let loop: ControlLoop

    func link(
        request: RPCAsyncSequence<Martlet_V1_WorkerCalls, any Error>,
        response: RPCWriter<Martlet_V1_WorkerAnswers>, context: ServerContext
    ) async throws {
        let answers = Outbox<Martlet_V1_WorkerAnswer> { answer in
            switch answer.kind {
            case .status(let status): 64 + status.metrics.count * 64 + status.error.message.utf8.count
            case .error(let error): 64 + error.message.utf8.count
            case .done, nil: 64
            }
        }
        let calls = LinkedCalls(service: service, answers: answers, loop: loop)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while let some = await answers.next() {
                    var message = Martlet_V1_WorkerAnswers()
                    message.answers = some
                    try await response.write(message)
                }
            }
            defer {
                calls.end()
                answers.finish()
                group.cancelAll()
            }
            for try await message in request { for call in message.calls { calls.take(call) } }
        }
    }
}

/// The calls of one stream. `take` is called by one task, the rest runs beside it.
private final class LinkedCalls: Sendable {
    private struct State {
        /// What runs: calls, and watches until they end.
        var running: [UInt64: Task<Void, Never>] = [:]
        var isOver = false
    }
    /// Answers that nobody waits for go with the next one, or alone after this time.
    private static let delay: Duration = .milliseconds(20)
    fileprivate struct Parts {
        var tasks: [(attempt: TaskAttemptID, descriptor: [UInt8])] = []
        var byteCount = 0
        var failure: QueryError?
    }

    private let service: any WorkerService
    private let answers: Outbox<Martlet_V1_WorkerAnswer>
    private let loop: ControlLoop
    private let state = Mutex(State())
    /// Tasks that have not come wholly yet.
    private let parts = Mutex<[UInt64: Parts]>([:])

    init(service: any WorkerService, answers: Outbox<Martlet_V1_WorkerAnswer>, loop: ControlLoop) {
        self.service = service
        self.answers = answers
        self.loop = loop
    }

    /// The coordinator is gone: nobody wants the answers.
    func end() {
        let running = state.withLock { state in
            state.isOver = true
            return state.running.values
        }
        for task in running { task.cancel() }
    }

    func take(_ call: Martlet_V1_WorkerCall) {
        let number = call.number
        switch call.kind {
        case .start(let chunk): take(chunk, number)
        case .cancel(let cancel):
            run(number, on: loop) { [service] in await service.cancelTasks(cancel.attempts.map(\.value)) }
        case .addSplits(let added):
            run(number, on: loop) { [service] in try await service.addSplits(added.value) }
        case .watch(let watch):
            run(number, on: loop) { [service, answers, loop] in
                for try await status in service.taskStatuses(query: QueryID(watch.query)) {
                    var answer = Martlet_V1_WorkerAnswer()
                    answer.number = number
                    answer.status = Martlet_V1_TaskStatusUpdate(status)
                    // Nobody goes on because of a finished task as long as the query's other tasks run.
                    if status.state == .finished, service.runsTasks(of: status.attempt.query) {
                        answers.push(answer, within: Self.delay, of: loop)
                    } else {
                        answers.push([answer])
                    }
                }
            }
        case .unwatch: state.withLock { $0.running.removeValue(forKey: number) }?.cancel()
        case .ping: answer(number, nil)
        case nil: answer(number, QueryError(.versionMismatch, "this worker does not know the call"))
        }
    }

    private func take(_ chunk: Martlet_V1_StartTaskChunk, _ number: UInt64) {
        let complete = parts.withLock { all -> Parts? in
            var parts = all.removeValue(forKey: number) ?? Parts()
            parts.add(chunk)
            if chunk.isLast { return parts }
            all[number] = parts
            return nil
        }
        guard let complete else { return }
        if let failure = complete.failure { return answer(number, failure) }
        // On any thread, because opening the tables of a task can take a while. That it has begun is mostly heard with its first
        // state, so nobody waits for the answer.
        run(number, on: nil, mayWait: true) { [service] in
            for task in complete.tasks { try await service.startTask(task.attempt, descriptor: task.descriptor) }
        }
    }

    private func run(
        _ number: UInt64, on executor: (any TaskExecutor)?, mayWait: Bool = false,
        _ body: @escaping @Sendable () async throws -> Void
    ) {
        state.withLock { state in
            guard !state.isOver else { return }
            state.running[number] = Task(executorPreference: executor) { [weak self] in
                var failure: QueryError?
                do { try await body() } catch { failure = QueryError.wrapping(error) }
                // A watch that nobody wants any more is forgotten already, and has no answer.
                guard let self, self.state.withLock({ $0.running.removeValue(forKey: number) }) != nil,
                    !Task.isCancelled
                else { return }
                self.answer(number, failure, mayWait: mayWait)
            }
        }
    }

    private func answer(_ number: UInt64, _ failure: QueryError?, mayWait: Bool = false) {
        var answer = Martlet_V1_WorkerAnswer()
        answer.number = number
        if let failure {
            answer.error = GRPCErrors.info(failure, textLimit: 256 << 10)
        } else {
            answer.done = Martlet_V1_Done()
            if mayWait { return answers.push(answer, within: Self.delay, of: loop) }
        }
        answers.push([answer])
    }
}

extension LinkedCalls.Parts {
    mutating func add(_ chunk: Martlet_V1_StartTaskChunk) {
        guard failure == nil else { return }
        byteCount += chunk.descriptor.count
        guard byteCount <= WorkerControlServer.descriptorByteLimit else {
            tasks = []
            failure = QueryError(
                .programLimitExceeded,
                "the descriptors of tasks exceed \(WorkerControlServer.descriptorByteLimit) bytes")
            return
        }
        if chunk.hasAttempt { tasks.append((chunk.attempt.value, [])) }
        guard !tasks.isEmpty else {
            failure = QueryError(.protocolViolation, "a task without attempt")
            return
        }
        tasks[tasks.count - 1].descriptor.append(contentsOf: chunk.descriptor)
    }
}
