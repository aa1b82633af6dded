// Runs of the whole cluster under virtual time, with faults drawn from a seed.
//
// MARTLET_TEST_SEEDS=N runs N seeds (`make simulate SEEDS=N`), MARTLET_TEST_SEED=S one of them with its log.

import ClusterMembership
import Coordination
import Foundation
import Testing

@Suite("Simulated clusters")
struct SimulationTests {
    private static let environment = ProcessInfo.processInfo.environment

    private func report(_ seed: UInt64, _ cluster: SimulatedCluster) {
        guard let first = cluster.violations.first else { return }
        let tail = cluster.kernel.log.suffix(60).joined(separator: "\n")
        Issue.record("seed \(seed): \(first)\n\(tail)")
    }

    @Test("no mix of faults gives a wrong row, a query that never ends, or something left behind")
    func swarm() throws {
        let count = Self.environment["MARTLET_TEST_SEEDS"].flatMap { UInt64($0) } ?? 60
        let only = Self.environment["MARTLET_TEST_SEED"].flatMap { UInt64($0) }
        var fired: [String: Int] = [:]
        var outcomes: [String: Int] = [:]
        var retried = 0
        var detections: [Duration] = []
        let start = ContinuousClock.now
        var events = 0
        var virtual = 0.0
        for seed in only.map({ $0...$0 }) ?? 1...count {
            let cluster = try SimulatedCluster(seed: seed, scenario: .swarm(seed: seed))
            cluster.run()
            report(seed, cluster)
            for (fault, times) in cluster.firedFaults { fired[fault, default: 0] += times }
            for query in cluster.queries {
                outcomes[query.scheduler.state.rawValue, default: 0] += 1
                if query.scheduler.queryAttempt > 0, query.scheduler.state == .finished { retried += 1 }
            }
            detections += cluster.detectionTimes
            events += cluster.kernel.eventCount
            virtual += Double(cluster.kernel.now.nanoseconds) / 1e9
            if !cluster.violations.isEmpty { break }
        }
        let elapsed = (ContinuousClock.now - start).fractionalSeconds
        detections.sort()
        print("faults: \(fired.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))")
        print("queries: \(outcomes.sorted { $0.key < $1.key }), finished after a retry: \(retried)")
        if let last = detections.last {
            print("a dead process was lost after \(detections[detections.count / 2]) (median), \(last) at most")
        }
        print("\(events) events, \(Int(virtual)) virtual seconds in \(elapsed) s")
        guard only == nil, count >= 60 else { return }
        for fault in [
            "crash", "pause", "partition", "reset", "lost frame", "lost call", "lost reply", "repeated call",
            "slow call", "deposed coordinator",
        ] {
            #expect(fired[fault, default: 0] > 0, "no \(fault) has happened")
        }
        #expect(retried > 0)
    }

    @Test("the same seed gives the same run")
    func repeats() throws {
        for seed in 1...3 as ClosedRange<UInt64> {
            let runs = try (0..<2).map { _ in
                let cluster = try SimulatedCluster(seed: seed, scenario: .swarm(seed: seed))
                cluster.run()
                return cluster.kernel.digest
            }
            #expect(runs[0] == runs[1])
        }
    }

    @Test("without faults every query gives its rows at the first attempt")
    func calm() throws {
        var scenario = Scenario()
        scenario.crashes = 0
        scenario.pauses = 0
        scenario.partitions = 0
        scenario.resets = 0
        scenario.drains = 0
        scenario.pairPartitions = 0
        scenario.lostCalls = 0
        scenario.lostReplies = 0
        scenario.repeatedCalls = 0
        scenario.slowCalls = 0
        scenario.flippedBits = 0
        scenario.lostFrames = 0
        scenario.cancels = 0
        for seed in 1...10 as ClosedRange<UInt64> {
            let cluster = try SimulatedCluster(seed: seed, scenario: scenario)
            cluster.run()
            report(seed, cluster)
            #expect(cluster.queries.count == scenario.queries)
            for query in cluster.queries {
                #expect(query.scheduler.state == .finished && query.scheduler.queryAttempt == 0)
            }
        }
    }

    @Test("a query that brings its workers down gets no third one; the others do not suffer for it")
    func poison() throws {
        var scenario = Scenario()
        (scenario.crashes, scenario.pauses, scenario.partitions, scenario.resets) = (0, 0, 0, 0)
        (scenario.drains, scenario.pairPartitions, scenario.cancels, scenario.flippedBits) = (0, 0, 0, 0)
        (scenario.lostCalls, scenario.lostReplies, scenario.repeatedCalls, scenario.slowCalls) = (0, 0, 0, 0)
        scenario.poison = 0.15
        var (poisoned, named) = (0, 0)
        for seed in 1...30 as ClosedRange<UInt64> {
            let cluster = try SimulatedCluster(seed: seed, scenario: scenario)
            cluster.run()
            report(seed, cluster)
            for query in cluster.queries {
                // A query whose first rows have gone to the client is not repeated: it ends with the loss of its worker.
                let mayBreakOff =
                    query.scheduler.isReleased
                    && [.workerLost, .exchangeFailed].contains(query.scheduler.failure?.state)
                let failure = query.scheduler.failure.map { "\($0)" } ?? "none"
                guard query.plan.poisonedSplit != nil else {
                    #expect(query.scheduler.state == .finished || mayBreakOff, "seed \(seed): \(query.id): \(failure)")
                    continue
                }
                poisoned += 1
                #expect(query.deaths <= 2, "seed \(seed): \(query.id) brought down \(query.deaths) workers")
                // Its attempts may be used up before both workers are back to say what they died of.
                #expect(
                    query.scheduler.state == .failed,
                    "seed \(seed): \(query.id) after \(query.deaths) deaths: \(failure)")
                if query.scheduler.failure?.state == .poisonQuery { named += 1 }
            }
        }
        #expect(poisoned > 10 && named * 2 > poisoned, "\(named) of \(poisoned)")
    }

    /// Faults that make the mutation matter.
    private func provoking(_ mutation: Mutation) -> Scenario {
        var scenario = Scenario()
        scenario.mutation = mutation
        scenario.queries = 20
        switch mutation {
        case .skipsChecksum: scenario.flippedBits = 0.05
        case .skipsCounts: scenario.shortenedEnds = 0.05
        case .acceptsWithoutLease: scenario.slowCalls = 0.3
        case .dropsReaper: scenario.lostCalls = 0.4
        case .selectsTwoAttempts: scenario.crashes = 2
        case .ignoresAdmission: scenario.runningMax = 1
        case .resumesBehindLostFrames, .resendsTakenFrames: scenario.lostFrames = 0.1
        case .forgetsDeadlines, .offersToSuspects: scenario.partitions = 1.5
        case .acceptsOldEpochs: (scenario.hasDeposed, scenario.resets) = (true, 6)
        }
        return scenario
    }

    @Test("an engine that is broken on purpose is noticed", arguments: Mutation.allCases)
    func mutations(_ mutation: Mutation) throws {
        var found: Violation?
        for seed in 1...40 as ClosedRange<UInt64> where found == nil {
            let cluster = try SimulatedCluster(seed: seed, scenario: provoking(mutation))
            cluster.run()
            found = cluster.violations.first
        }
        #expect(found != nil, "\(mutation) went unnoticed")
        print("\(mutation): \(found.map { "\($0)" } ?? "-")")
    }

    @Test("a cluster of a thousand workers runs faster than the clock", arguments: [1000])
    func scale(_ count: Int) throws {
        var scenario = Scenario()
        scenario.workers = count
        scenario.queries = 20
        scenario.seconds = 30
        scenario.crashes = 0.02
        scenario.pauses = 0.01
        scenario.partitions = 0.01
        scenario.pairPartitions = 0
        scenario.drains = 0
        let start = ContinuousClock.now
        let cluster = try SimulatedCluster(seed: 1, scenario: scenario)
        cluster.kernel.keepsLog = false
        cluster.run()
        report(1, cluster)
        let elapsed = (ContinuousClock.now - start).fractionalSeconds
        let virtual = Double(cluster.kernel.now.nanoseconds) / 1e9
        print(
            "\(count) workers: \(cluster.kernel.eventCount) events, \(virtual) virtual seconds in \(elapsed) s,"
                + " \(Int(virtual / elapsed)) × real time")
        #expect(virtual > elapsed)
    }

    @Test(
        "ten thousand workers, if asked for",
        .enabled(if: environment["MARTLET_TEST_SCALE"] != nil))
    func largeScale() throws { try scale(10_000) }
}
