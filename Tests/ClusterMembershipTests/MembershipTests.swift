// Membership under virtual time: joining, silence, loss, return, drain.

import ClusterMembership
import Diagnostics
import Testing

@Suite struct MembershipTests {
    @Test func workersJoinAndStayActive() throws {
        let cluster = try VirtualCluster(workers: 5)
        cluster.run(for: .seconds(120))
        for index in 0..<5 { #expect(cluster.state(index) == .active) }
        #expect(cluster.transitions.count == 10)
        #expect(cluster.nodes.allSatisfy { $0.session.holdsLease })
    }

    @Test func killedProcessIsLostWithinTwoSeconds() throws {
        let cluster = try VirtualCluster(workers: 3)
        cluster.run(for: .seconds(10))
        let killedAt = cluster.now
        cluster.kill(1)
        cluster.run(for: .seconds(2))
        #expect(cluster.state(1) == .lost)
        let lost = try #require(cluster.transitions.last { $0.change.to == .lost })
        #expect(lost.change.cause == .noRedial)
        #expect(lost.time.since(killedAt) < .milliseconds(1300))
        #expect(cluster.state(0) == .active)
        #expect(cluster.state(2) == .active)
    }

    @Test func resetStreamIsRedialledWithoutLoss() throws {
        let cluster = try VirtualCluster(workers: 2)
        cluster.run(for: .seconds(10))
        cluster.resetStream(of: 0)
        cluster.run(for: .seconds(5))
        #expect(cluster.state(0) == .active)
        #expect(!cluster.transitions.contains { $0.change.to == .lost })
        #expect(cluster.nodes[0].session.holdsLease)
    }

    @Test func silentHostIsSuspectedThenLostAfterItsOwnLease() throws {
        let cluster = try VirtualCluster(workers: 3)
        cluster.run(for: .seconds(60))
        let cut = cluster.now
        cluster.nodes[2].isPartitioned = true
        cluster.run(for: .seconds(15))
        let suspect = try #require(cluster.transitions.last { $0.change.to == .suspect })
        #expect(suspect.change.cause == .silence)
        #expect(suspect.time.since(cut) < .milliseconds(4500))
        let lost = try #require(cluster.transitions.last { $0.change.to == .lost })
        #expect(lost.change.cause == .leaseExpired)
        #expect(lost.time.since(cut) < .milliseconds(9600))
        // The worker gave up before the coordinator did.
        #expect(!cluster.nodes[2].session.holdsLease)
    }

    @Test func workerGivesUpItsLeaseBeforeTheCoordinator() throws {
        for seed in 1...50 as ClosedRange<UInt64> {
            let cluster = try VirtualCluster(workers: 1, seed: seed)
            cluster.delay = 1_000_000...400_000_000
            cluster.run(for: .seconds(20) + .milliseconds(Int(seed) * 37))
            cluster.nodes[0].isPartitioned = true
            while cluster.state(0) != .lost {
                cluster.run(for: .milliseconds(10))
                if cluster.state(0) == .lost { #expect(!cluster.nodes[0].session.holdsLease) }
            }
        }
    }

    @Test func healedPartitionComesBackAsNewIncarnation() throws {
        let cluster = try VirtualCluster(workers: 2)
        cluster.run(for: .seconds(10))
        cluster.nodes[0].isPartitioned = true
        cluster.run(for: .seconds(20))
        #expect(cluster.state(0) == .lost)
        cluster.nodes[0].isPartitioned = false
        cluster.run(for: .seconds(20))
        #expect(cluster.state(0) == .active)
        #expect(cluster.coordinator.worker(WorkerID("w0"))?.incarnation == Incarnation(2))
        #expect(cluster.nodes[0].directives.contains(.abandonWork))
        #expect(cluster.nodes[0].directives.contains(.incarnationChanged(Incarnation(2))))
    }

    @Test func shortPartitionKeepsTheIncarnation() throws {
        let cluster = try VirtualCluster(workers: 2)
        cluster.run(for: .seconds(10))
        cluster.nodes[0].isPartitioned = true
        cluster.run(for: .seconds(6))
        #expect(cluster.state(0) == .suspect)
        cluster.nodes[0].isPartitioned = false
        cluster.run(for: .seconds(5))
        #expect(cluster.state(0) == .active)
        #expect(cluster.coordinator.worker(WorkerID("w0"))?.incarnation == Incarnation(1))
        #expect(!cluster.nodes[0].directives.contains(.abandonWork))
    }

    @Test func newerIncarnationEndsTheOldOneAtOnce() throws {
        let cluster = try VirtualCluster(workers: 1)
        cluster.run(for: .seconds(5))
        cluster.nodes[0].isPartitioned = true
        try cluster.restart(0, incarnation: 2)
        cluster.run(for: .seconds(1))
        let lost = try #require(cluster.transitions.first { $0.change.to == .lost })
        #expect(lost.change.cause == .newerIncarnation)
        #expect(lost.change.incarnation == Incarnation(1))
        #expect(cluster.state(0) == .active)
    }

    @Test func drainedWorkerLeavesInGoodOrder() throws {
        let cluster = try VirtualCluster(workers: 2)
        cluster.run(for: .seconds(5))
        cluster.post(.drainRequested(within: nil), to: 1)
        cluster.run(for: .seconds(2))
        #expect(cluster.state(1) == .draining)
        #expect(cluster.nodes[1].directives.contains(.stopAccepting))
        cluster.post(.workFinished, to: 1)
        cluster.run(for: .seconds(1))
        #expect(cluster.state(1) == .drained)
        #expect(cluster.nodes[1].session.isFinished)
        #expect(cluster.evacuations.isEmpty)
    }

    @Test func operatorDrainReachesTheWorkerAndItsDeadlineEndsIt() throws {
        let cluster = try VirtualCluster(workers: 1)
        cluster.run(for: .seconds(5))
        cluster.post(.drain(WorkerID("w0"), within: .seconds(10)))
        cluster.run(for: .seconds(4))
        #expect(cluster.nodes[0].session.isDraining)
        #expect(cluster.evacuations.isEmpty)
        cluster.run(for: .seconds(2))
        #expect(cluster.evacuations == [WorkerID("w0")])
        cluster.run(for: .seconds(7))
        #expect(cluster.state(0) == .drained)
        #expect(cluster.nodes[0].directives.contains(.abandonWork))
    }

    @Test func refusals() throws {
        var instance = MembershipInstance(clusterID: "test")
        func reason(_ description: WorkerDescription) -> RegistrationRefusal.Reason? {
            for directive in instance.handle(.register(SessionID(9), description), now: .zero) {
                if case .refuse(_, let refusal) = directive { return refusal.reason }
            }
            return nil
        }
        #expect(reason(VirtualCluster.describe(1, cluster: "other")) == .wrongCluster)
        var future = VirtualCluster.describe(1)
        future.protocolMinimum = 7
        future.protocolMaximum = 9
        #expect(reason(future) == .versionMismatch)
        #expect(reason(VirtualCluster.describe(1, incarnation: 5)) == nil)
        #expect(reason(VirtualCluster.describe(1, incarnation: 4)) == .staleIncarnation)
    }

    @Test func fetchFailuresOfTwoPeersMakeAWorkerSuspect() throws {
        let cluster = try VirtualCluster(workers: 3)
        cluster.run(for: .seconds(5))
        cluster.post(.fetchFailed(reporter: WorkerID("w0"), worker: WorkerID("w2")))
        cluster.run(for: .milliseconds(10))
        #expect(cluster.state(2) == .active)
        cluster.post(.fetchFailed(reporter: WorkerID("w1"), worker: WorkerID("w2")))
        cluster.run(for: .milliseconds(10))
        #expect(cluster.transitions.contains { $0.change.cause == .peersReportFailures })
        cluster.run(for: .seconds(2))
        #expect(cluster.state(2) == .active)
    }

    @Test func lateCoordinatorDoesNotBlameItsWorkers() throws {
        var instance = MembershipInstance(clusterID: "test")
        _ = instance.handle(.register(SessionID(1), VirtualCluster.describe(1)), now: .zero)
        _ = instance.handle(.heartbeat(SessionID(1), sequence: 1, HeartbeatLoad()), now: .zero)
        // The coordinator was stopped for 20 seconds; its first tick runs before the heartbeats that wait.
        let later = MonotonicInstant.zero + .seconds(20)
        _ = instance.handle(.tick, now: later)
        #expect(instance.worker(WorkerID("w1"))?.state == .suspect)
        #expect(instance.isFrozen(now: later))
        _ = instance.handle(.heartbeat(SessionID(1), sequence: 2, HeartbeatLoad()), now: later + .milliseconds(1))
        #expect(instance.worker(WorkerID("w1"))?.state == .active)
    }

    @Test func suspicionIsCountedAsHeartbeatsCome() throws {
        var instance = MembershipInstance(clusterID: "test")
        _ = instance.handle(.register(SessionID(1), VirtualCluster.describe(1)), now: .zero)
        for second in 1...20 {
            let now = MonotonicInstant.zero + .seconds(second)
            _ = instance.handle(.heartbeat(SessionID(1), sequence: UInt64(second), HeartbeatLoad()), now: now)
        }
        #expect(instance.suspicions.count == 20)
        #expect(instance.suspicions.counts.first == 20)
        // Nearly given up: the threshold is 8, and a silence of eight seconds is far beyond it.
        _ = instance.handle(.heartbeat(SessionID(1), sequence: 21, HeartbeatLoad()), now: .zero + .seconds(28))
        #expect(instance.suspicions.counts.last == 1)
    }

    @Test func lossyNetworkNeverLosesALiveWorkerForLong() throws {
        let cluster = try VirtualCluster(workers: 50, seed: 7)
        cluster.lossRate = 0.05
        cluster.run(for: .seconds(300))
        cluster.lossRate = 0
        cluster.run(for: .seconds(60))
        for index in 0..<50 { #expect(cluster.state(index) == .active) }
    }

    @Test func sameSeedSameRun() throws {
        func digest(_ seed: UInt64) throws -> UInt64 {
            let cluster = try VirtualCluster(workers: 20, seed: seed)
            cluster.lossRate = 0.2
            cluster.run(for: .seconds(60))
            cluster.kill(3)
            cluster.run(for: .seconds(60))
            return cluster.digest
        }
        #expect(try digest(1) == digest(1))
        #expect(try digest(1) != digest(2))
    }

    @Test func everyWorkerEndsInATerminalStateWhenAllDie() throws {
        let cluster = try VirtualCluster(workers: 10)
        cluster.run(for: .seconds(5))
        for index in 0..<10 { cluster.kill(index) }
        cluster.run(for: .seconds(45))
        for index in 0..<10 { #expect(cluster.state(index) == .lost) }
        cluster.run(for: .seconds(700))
        #expect(cluster.coordinator.workers.isEmpty)
        #expect(cluster.coordinator.nextDeadline == nil)
    }

    @Test func contradictingOptionsAreRefused() {
        var options = MembershipOptions()
        options.workerLease = .seconds(2)
        #expect(throws: QueryError.self) { try options.validate() }
        #expect(throws: Never.self) { try MembershipOptions().validate() }
        #expect(throws: Never.self) { try MembershipOptions().scaled(forWorkers: 10_000).validate() }
    }
}

@Suite struct WorkerSessionTests {
    private func session() throws -> WorkerSessionInstance {
        try WorkerSessionInstance(description: VirtualCluster.describe(1), coordinators: ["a", "b"])
    }

    @Test func triesCoordinatorsInTurnWithGrowingDelays() throws {
        var session = try session()
        var now = MonotonicInstant.zero
        var directives = session.handle(.start, now: now)
        var addresses: [String] = []
        var delays: [Duration] = []
        for _ in 0..<10 {
            guard case .dial(let id, let address) = directives.first else { break }
            addresses.append(address)
            _ = session.handle(.dialFailed(id, message: "refused"), now: now)
            let due = try #require(session.nextDeadline)
            delays.append(due.since(now))
            now = due
            directives = session.handle(.tick, now: now)
        }
        #expect(addresses == ["a", "b", "a", "b", "a", "b", "a", "b", "a", "b"])
        #expect(delays[0] <= .milliseconds(100))
        #expect(delays[9] >= .milliseconds(2500) && delays[9] <= .seconds(5))
    }

    @Test func dialAndRegistrationHaveDeadlines() throws {
        var session = try session()
        _ = session.handle(.start, now: .zero)
        let closed = session.handle(.tick, now: .zero + .seconds(3))
        #expect(closed == [.close(SessionID(1))])
        let redial = session.handle(.tick, now: .zero + .seconds(4))
        #expect(redial == [.dial(SessionID(2), address: "b")])
        _ = session.handle(.dialed(SessionID(2)), now: .zero + .seconds(4))
        #expect(session.handle(.tick, now: .zero + .seconds(9)) == [.close(SessionID(2))])
    }

    @Test func leaderHintIsFollowedAtOnce() throws {
        var session = try session()
        _ = session.handle(.start, now: .zero)
        _ = session.handle(.dialed(SessionID(1)), now: .zero)
        let refusal = RegistrationRefusal(.notLeader, "standby", leaderHint: "leader:1")
        _ = session.handle(.refused(SessionID(1), refusal), now: .zero)
        #expect(session.handle(.tick, now: .zero) == [.dial(SessionID(2), address: "leader:1")])
    }

    @Test func finalRefusalEndsTheSession() throws {
        var session = try session()
        _ = session.handle(.start, now: .zero)
        _ = session.handle(.dialed(SessionID(1)), now: .zero)
        let refusal = RegistrationRefusal(.wrongCluster, "no")
        let directives = session.handle(.refused(SessionID(1), refusal), now: .zero)
        #expect(directives.last == .finished(refusal))
        #expect(session.nextDeadline == nil)
    }

    @Test func orphanedWorkIsAbandoned() throws {
        var session = try session()
        _ = session.handle(.start, now: .zero)
        _ = session.handle(.dialed(SessionID(1)), now: .zero)
        let registration = Registration(epoch: 1, lease: .seconds(8), heartbeatInterval: .seconds(1))
        _ = session.handle(.registered(SessionID(1), registration), now: .zero)
        #expect(session.holdsLease)
        var all: [WorkerSessionDirective] = []
        var now = MonotonicInstant.zero
        while now < .zero + .seconds(70), let due = session.nextDeadline {
            now = max(now, due)
            all += session.handle(.tick, now: now)
        }
        #expect(all.contains(.leaseLost))
        #expect(all.contains(.abandonWork))
        #expect(session.description.incarnation == Incarnation(2))
    }

    @Test func noCoordinatorIsAConfigurationError() {
        #expect(throws: QueryError.self) {
            try WorkerSessionInstance(description: VirtualCluster.describe(1), coordinators: [])
        }
    }
}

/// A worker whose coordinators are found out, by the state machine alone.
@Suite struct WorkerDiscoveryTests {
    private func session() throws -> WorkerSessionInstance {
        try WorkerSessionInstance(
            description: WorkerDescription(
                worker: WorkerID("w"), incarnation: Incarnation(1), clusterID: "test", controlAddress: "w:1",
                exchangeAddress: "w:2"),
            coordinators: [], discovers: true)
    }

    private func dialled(_ directives: [WorkerSessionDirective]) -> [String] {
        directives.compactMap { if case .dial(_, let address) = $0 { address } else { nil } }
    }

    @Test func asksFirstAndDialsWhatItIsTold() throws {
        var session = try session()
        let started = session.handle(.start, now: .zero)
        #expect(started == [.discover])
        #expect(dialled(session.handle(.discovered(["a:1", "b:1"]), now: .zero)) == ["a:1"])
    }

    @Test func asksAgainBeforeEachRoundAndFollowsANameThatMoves() throws {
        var session = try session()
        var now = MonotonicInstant.zero
        _ = session.handle(.start, now: now)
        var directives = session.handle(.discovered(["a:1", "b:1"]), now: now)
        var order: [String] = []
        var questions = 0
        for _ in 0..<40 {
            for directive in directives {
                switch directive {
                case .dial(let number, let address):
                    order.append(address)
                    _ = session.handle(.dialFailed(number, message: "nobody"), now: now)
                case .discover:
                    questions += 1
                    if questions == 1 { _ = session.handle(.discovered(["c:1"]), now: now) }
                default: break
                }
            }
            guard let due = session.nextDeadline else { break }
            now = due
            directives = session.handle(.tick, now: now)
        }
        // Both of a round, then the question; the dial that comes with it still goes to the old address.
        #expect(order.prefix(3) == ["a:1", "b:1", "a:1"])
        #expect(questions > 2)
        #expect(order.count > 3 && order.dropFirst(3).allSatisfy { $0 == "c:1" }, "\(order)")
    }

    @Test func keepsWhatItKnewWhenNobodyKnowsAnything() throws {
        var session = try session()
        _ = session.handle(.start, now: .zero)
        #expect(session.handle(.discovered([]), now: .zero).isEmpty)
        let due = try #require(session.nextDeadline)
        #expect(session.handle(.tick, now: due).contains(.discover))
        #expect(dialled(session.handle(.discovered(["a:1"]), now: due)) == ["a:1"])
        #expect(session.handle(.discovered([]), now: due).isEmpty)
    }

    @Test func needsAnAddressOrAWayToFindOne() {
        let error = #expect(throws: QueryError.self) {
            try WorkerSessionInstance(
                description: WorkerDescription(
                    worker: WorkerID("w"), incarnation: Incarnation(1), clusterID: "test", controlAddress: "w:1",
                    exchangeAddress: "w:2"),
                coordinators: [])
        }
        #expect(error?.state == .configurationFileError)
    }
}
