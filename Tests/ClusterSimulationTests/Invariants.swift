// What must hold at every moment, and what must be left at the end: nothing.

import ClusterMembership
import Coordination
import Diagnostics
import Transport

extension SimulatedCluster {
    func carryOut(_ directives: [AdmissionDirective]) {
        for directive in directives {
            switch directive {
            case .admit(let id): queries.first { $0.id == id }?.feed(.start)
            case .refuse(let id, let error): queries.first { $0.id == id }?.refuse(error)
            }
        }
    }

    /// I13: places are never given beyond the limits.
    func checkAdmission() {
        let running = queries.count { query in
            !query.isOver && query.scheduler.state != .queued
        }
        let limit = scenario.runningMax + max(1, Int(Double(scenario.runningMax) * 0.1))
        if running > limit { violate("I13", "\(running) queries run, \(limit) may") }
    }

    /// I14: work goes to workers that may get it.
    func checkOffer(_ index: Int) {
        guard let record = membership.worker(WorkerID("w\(index)")) else {
            return violate("I14", "w\(index) got work although it is unknown")
        }
        let hasBetter = membership.workers.contains { $0.state.takesWork }
        if record.state.takesWork || (!hasBetter && record.state == .quarantined) { return }
        violate("I14", "w\(index) got work while it was \(record.state)")
    }

    /// I10: what has ended leaves nothing behind.
    func checkNothingLeft() {
        for worker in workers where worker.isAlive {
            let left = worker.tasks.heldCount
            if left > 0 {
                violate("I10", "\(worker.id) still holds \(worker.tasks.attempts.map { "\($0)" })")
            }
            if !worker.watchers.isEmpty { violate("I10", "\(worker.id) is still followed") }
        }
        for query in queries where !query.scheduler.isSettled && query.scheduler.state.isTerminal {
            violate("I10", "\(query.id) still waits for \(query.scheduler.unconfirmedWorkers)")
        }
        if admission.runningCount > 0 || admission.queuedCount > 0 || admission.memoryByteCount > 0 {
            violate("I10", "places were not given back")
        }
    }
}
