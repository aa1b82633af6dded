// Workers that fail again and again are put aside for a while.

import ClusterMembership
import Diagnostics
import Testing

@Suite("Quarantine")
struct QuarantineTests {
    private let options = MembershipOptions()

    @Test("three strikes in a minute are quarantine, then probation, then trust")
    func strikes() throws {
        let cluster = try VirtualCluster(workers: 2)
        cluster.run(for: .seconds(5))
        for _ in 0..<3 { cluster.post(.strike(WorkerID("w0"))) }
        cluster.run(for: .seconds(1))
        #expect(cluster.state(0) == .quarantined)
        #expect(cluster.coordinator.placeableWorkers.map(\.worker) == [WorkerID("w1")])
        cluster.run(for: options.quarantineInitial)
        #expect(cluster.state(0) == .probation)
        #expect(cluster.coordinator.placeableWorkers.count == 2)
        cluster.run(for: options.probation)
        #expect(cluster.state(0) == .active)
    }

    @Test("a strike during probation brings a longer quarantine")
    func relapse() throws {
        let cluster = try VirtualCluster(workers: 2)
        cluster.run(for: .seconds(5))
        for _ in 0..<3 { cluster.post(.strike(WorkerID("w0"))) }
        cluster.run(for: options.quarantineInitial + .seconds(1))
        #expect(cluster.state(0) == .probation)
        cluster.post(.strike(WorkerID("w0")))
        cluster.run(for: options.quarantineInitial + .seconds(10))
        #expect(cluster.state(0) == .quarantined)
        cluster.run(for: options.quarantineInitial)
        #expect(cluster.state(0) == .probation)
    }

    @Test("strikes far apart do no harm")
    func rareStrikes() throws {
        let cluster = try VirtualCluster(workers: 2)
        cluster.run(for: .seconds(5))
        for _ in 0..<6 {
            cluster.post(.strike(WorkerID("w0")))
            cluster.run(for: .seconds(31))
        }
        #expect(cluster.state(0) == .active)
    }

    @Test("a worker that dies every few seconds is put aside although every life of it is new")
    func flapping() throws {
        let cluster = try VirtualCluster(workers: 3)
        cluster.run(for: .seconds(5))
        for life in 0..<4 {
            cluster.kill(0)
            cluster.run(for: .seconds(5))
            try cluster.restart(0, incarnation: UInt64(life + 2))
            cluster.run(for: .seconds(5))
        }
        #expect(cluster.state(0) == .quarantined)
        #expect(cluster.state(1) == .active && cluster.state(2) == .active)
    }

    @Test("without any other worker one in quarantine gets work")
    func lastWorker() throws {
        let cluster = try VirtualCluster(workers: 1)
        cluster.run(for: .seconds(5))
        for _ in 0..<3 { cluster.post(.strike(WorkerID("w0"))) }
        cluster.run(for: .seconds(1))
        #expect(cluster.state(0) == .quarantined)
        #expect(cluster.coordinator.placeableWorkers.map(\.worker) == [WorkerID("w0")])
    }
}
