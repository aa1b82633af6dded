// Attempts and stages of the current query attempt.

import ClusterMembership
import Diagnostics
import Transport

extension QuerySchedulerInstance {
    struct AttemptRecord: Sendable {
        var assignment: TaskAssignment
        var state = AttemptState.offered
        /// The newest status taken in.
        var version = -1
        /// The place of its stage in `stageRecords`.
        var stage: Int
    }

    struct StageRecord: Sendable {
        var id: StageID
        var state = StageState.planned
        /// Counts the restarts of the stage, from 0.
        var stageAttempt = -1
    }

    /// Where every task of the current attempt runs and how far it is.
    package var taskStates: [(assignment: TaskAssignment, state: AttemptState)] {
        attempts.map { ($0.assignment, $0.state) }
    }

    /// The stages and their states, in the order of launch.
    package var stages: [(id: StageID, stageAttempt: Int, state: StageState)] {
        stageRecords.map { ($0.id, $0.stageAttempt, $0.state) }
    }

    /// The attempts whose output the result is made of: one for each task at most.
    package var selectedAttempts: [TaskAttemptID] {
        attempts.filter { $0.state == .selected }.map(\.assignment.attempt)
    }

    func holdsTasks(_ worker: WorkerID) -> Bool { attempts.contains { $0.assignment.worker == worker } }

    /// Offers all tasks of an attempt, producers first.
    mutating func offer(_ placement: QueryPlacement, _ directives: inout [SchedulerDirective]) {
        workersByAddress = placement.workersByAddress
        for assignment in placement.assignments {
            let stage: Int
            if let known = stageRecords.firstIndex(where: { $0.id == assignment.attempt.stage }) {
                stage = known
            } else {
                stage = stageRecords.count
                stageRecords.append(StageRecord(id: assignment.attempt.stage))
            }
            indexes[assignment.attempt] = attempts.count
            attempts.append(AttemptRecord(assignment: assignment, stage: stage))
        }
        for index in stageRecords.indices {
            stageRecords[index].stageAttempt += 1
            changeStage(index, to: .ready)
        }
        for assignment in placement.assignments { directives.append(.startTask(assignment)) }
    }

    mutating func changeAttempt(_ index: Int, to next: AttemptState) {
        assert(attempts[index].state.mayBecome(next), "an attempt cannot go from \(attempts[index].state) to \(next)")
        attempts[index].state = next
        switch next {
        case .running: advanceStage(of: index, when: { $0 != .offered }, from: .ready, to: .running)
        case .flushing:
            advanceStage(of: index, when: { $0 != .offered && $0 != .running }, from: .running, to: .flushing)
        default: break
        }
    }

    private mutating func advanceStage(
        of index: Int, when isReady: (AttemptState) -> Bool, from: StageState, to next: StageState
    ) {
        let stage = attempts[index].stage
        guard stageRecords[stage].state == from,
            attempts.allSatisfy({ $0.stage != stage || isReady($0.state) })
        else { return }
        changeStage(stage, to: next)
    }

    private mutating func changeStage(_ index: Int, to next: StageState) {
        assert(
            stageRecords[index].state.mayBecome(next),
            "a stage cannot go from \(stageRecords[index].state) to \(next)")
        stageRecords[index].state = next
    }

    /// The result is complete and the attempt's output is part of it: it is the selected one of its task.
    mutating func completeAttempt(_ index: Int) {
        changeAttempt(index, to: .finished)
        changeAttempt(index, to: .selected)
        let stage = attempts[index].stage
        guard stageRecords[stage].state == .flushing,
            attempts.allSatisfy({ $0.stage != stage || $0.state == .selected })
        else { return }
        changeStage(stage, to: .succeeded)
    }

    mutating func loseAttempts(of worker: WorkerID) {
        for index in attempts.indices
        where attempts[index].assignment.worker == worker && !attempts[index].state.isTerminal {
            changeAttempt(index, to: .lost)
        }
    }

    /// Ends what is left of the attempt and tells every worker about all its tasks, so that it forgets their output.
    mutating func giveUpAttempt(
        as outcome: StageState, _ now: MonotonicInstant, _ directives: inout [SchedulerDirective]
    ) {
        for index in attempts.indices {
            switch attempts[index].state {
            case .offered, .running, .flushing: changeAttempt(index, to: .cancelled)
            case .finished: changeAttempt(index, to: .discarded)
            case .rejected, .failed, .cancelled, .lost, .selected, .discarded: break
            }
        }
        for index in stageRecords.indices where stageRecords[index].state.mayBecome(outcome) {
            changeStage(index, to: outcome)
        }
        release(now, &directives)
    }
}
