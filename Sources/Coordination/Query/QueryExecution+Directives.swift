// What the scheduler says, carried out.

import Diagnostics
import Logging
import Transport

extension QueryExecution {
    /// In their order; tasks that start on the same remote worker travel together, behind the rest.
    func carryOut(_ directives: [SchedulerDirective]) {
        var starting: [(worker: WorkerID, assignments: [TaskAssignment])] = []
        for directive in directives {
            guard case .startTask(let assignment) = directive,
                state.withLock({ $0.workers[assignment.worker].map { $0.local == nil } ?? false })
            else {
                carryOut(directive)
                continue
            }
            if let index = starting.firstIndex(where: { $0.worker == assignment.worker }) {
                starting[index].assignments.append(assignment)
            } else {
                starting.append((assignment.worker, [assignment]))
            }
        }
        for (worker, assignments) in starting { startTasks(assignments, on: worker) }
    }

    func carryOut(_ directive: SchedulerDirective) {
        switch directive {
        case .place(let queryAttempt, let avoiding):
            setting.logger.info(
                "the query is tried again", metadata: ["query": "\(query)", "attempt": "\(queryAttempt)"])
            _ = state.withLock { $0.placements }?.yield(
                PlacementRequest(queryAttempt: queryAttempt, avoiding: avoiding))
        case .openResult(let queryAttempt): openResult(queryAttempt)
        case .startTask(let assignment): startTask(assignment)
        case .cancelTasks(let worker, let queryAttempt, let attempts): cancelTasks(worker, queryAttempt, attempts)
        case .dropResult(let queryAttempt): rows.drop(queryAttempt: queryAttempt)
        case .reportFailedFetch(let reporter, let worker):
            Task { [directory = setting.directory] in
                await directory.reportFailedFetch(reporter: reporter, worker: worker)
            }
        case .strike(let worker):
            Task { [directory = setting.directory] in await directory.reportStrike(worker) }
        case .fail(let error): rows.fail(error)
        case .finished: end()
        case .settled:
            state.withLock { $0.told = [:] }
            setting.clock.remove(self)
        }
    }

    private func openResult(_ queryAttempt: Int) {
        do {
            let location = state.withLock { $0.layout.result }
            rows.open(try setting.openReader(location), queryAttempt: queryAttempt)
        } catch {
            feed(.resultFailed(queryAttempt: queryAttempt, QueryError.wrapping(error)))
        }
    }

    private func cancelTasks(_ worker: WorkerID, _ queryAttempt: Int, _ attempts: [TaskAttemptID]) {
        guard let handle = state.withLock({ $0.told[queryAttempt]?[worker] }) else {
            return feed(.cancelConfirmed(worker, queryAttempt: queryAttempt))
        }
        if let local = handle.local {
            local.release(attempts)
            return feed(.cancelConfirmed(worker, queryAttempt: queryAttempt))
        }
        if state.withLock({ $0.scheduler.state == .finished && $0.scheduler.queryAttempt == queryAttempt }) {
            // All its tasks have ended.
            return setting.directory.releases.add(attempts, on: handle) {
                self.feed(.cancelConfirmed(worker, queryAttempt: queryAttempt))
            }
        }
        // Not in the background list: it must go out although the query is over.
        Task {
            do {
                try await Self.reaching { try await handle.connection.cancelTasks(attempts) }
                self.feed(.cancelConfirmed(worker, queryAttempt: queryAttempt))
            } catch {
                self.setting.logger.info(
                    "cannot cancel tasks", metadata: ["worker": "\(worker)", "error": "\(error)"])
            }
        }
    }
}
