// Damage to what queries write and send: bits on disk, disks that are full, connections between workers.

import Diagnostics
import EngineTestSupport
import Foundation
import Testing
import TransportConformance

extension FaultTests {
    /// Sorts more than fits into the memory of `smallMemory`, and sleeps meanwhile: what was spilled is not read yet.
    static let spillingQuery =
        """
        SELECT o_orderkey, o_comment FROM tpch.tiny.orders
        WHERE o_orderkey % 2048 <> 33 OR pg_sleep(0.15) IS NOT NULL ORDER BY o_comment, o_orderkey
        """
    static let smallMemory = ["MARTLET_MEMORY_LIMIT": "2MiB"]

    /// The spill files that a process has open, as paths that reach them although they have no name.
    static func spillFiles(of process: Int32) -> [String] {
        let directory = "/proc/\(process)/fd"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return names.map { "\(directory)/\($0)" }.filter { path in
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: path)
            return target?.contains("martlet-spill-") == true
        }
    }

    /// Flips one bit in the middle of what a worker has spilled. `false`: it has spilled nothing yet.
    static func flipSpilledBit(of worker: ServerProcess) -> Bool {
        for path in spillFiles(of: worker.identifier) {
            let descriptor = open(path, O_RDWR)
            guard descriptor >= 0 else { continue }
            defer { close(descriptor) }
            var facts = stat()
            guard fstat(descriptor, &facts) == 0, facts.st_size > 32 << 10 else { continue }
            var byte: UInt8 = 0
            let offset = facts.st_size / 2
            guard pread(descriptor, &byte, 1, offset) == 1 else { continue }
            byte ^= 1 << 3
            if pwrite(descriptor, &byte, 1, offset) == 1 { return true }
        }
        return false
    }

    @Test("one bit of a spill file flips: the rows are right after one more attempt, never wrong")
    func flippedSpillBit() async throws {
        let expected = try await Self.oracle.rows(Self.spillingQuery)
        let cluster = try ProcessCluster(workers: 2, environment: Self.smallMemory, workerEnvironment: Self.smallMemory)
        defer { cluster.shutdown() }
        try await cluster.waitForWorkers(2)
        var isFlipped = false
        let outcome = try await duringQuery(cluster, Self.spillingQuery) {
            let deadline = Date().addingTimeInterval(20)
            while !isFlipped, Date() < deadline {
                isFlipped = cluster.workers.contains { Self.flipSpilledBit(of: $0) }
                if !isFlipped { try await Task.sleep(for: .milliseconds(10)) }
            }
        }
        #expect(isFlipped, "nothing was spilled")
        #expect(try outcome.get() == expected)
        #expect(try await attempts(cluster, "o_comment") == 2)
    }

    @Test(
        "the disk fills while a query spills: error 53100, and the worker goes on", .enabled(if: ClusterTests.canMount))
    func fullSpillDisk() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("spill-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let cluster = try ProcessCluster(
            workers: 0, environment: Self.smallMemory,
            workerEnvironment: Self.smallMemory.merging(["MARTLET_SPILL_DIRECTORY": directory]) { $1 })
        defer { cluster.shutdown() }
        let worker = try cluster.addWorker(wrapper: ClusterTests.smallDisk(at: directory))
        try await cluster.waitForWorkers(1)
        let connection = try cluster.connect()
        let error = try await #require(throws: QueryError.self) {
            _ = try await connection.run("SELECT l_comment, l_orderkey FROM tpch.tiny.lineitem ORDER BY 1, 2")
        }
        #expect(error.state == .diskFull, "\(error)")
        try await cluster.waitForIdleWorkers()
        #expect(Self.spillFiles(of: worker.identifier).isEmpty)
        #expect(try await connection.run("SELECT count(*) FROM tpch.tiny.orders") == [["15000"]])
    }

    /// A cluster of two workers; rows of the second one are reached through a proxy only.
    private func clusterWithProxy() async throws -> (cluster: ProcessCluster, proxy: FaultProxy) {
        let cluster = try ProcessCluster(workers: 1)
        let port = FaultProxy.freePort()
        let proxy = try FaultProxy(to: "127.0.0.1:\(port)")
        let advertised = proxy.address.split(separator: ":")[1]
        try cluster.addWorker(
            id: "remote",
            arguments: ["--exchange-port", String(port), "--advertised-exchange-port", String(advertised)])
        try await cluster.waitForWorkers(2)
        return (cluster, proxy)
    }

    @Test("nobody reaches a worker's rows while it is well otherwise: other workers take over, and it is not lost")
    func cutExchange() async throws {
        let expected = try await Self.oracle.rows(Self.query())
        let (cluster, proxy) = try await clusterWithProxy()
        defer {
            cluster.shutdown()
            proxy.shutdown()
        }
        let incarnations = "SELECT worker_id, incarnation FROM system.workers ORDER BY 1"
        let before = try await cluster.connect().run(incarnations)
        proxy.cut(true)
        #expect(try await cluster.connect().run(Self.query()) == expected)
        #expect(proxy.heldCount > 0)
        #expect(try await attempts(cluster, "o_orderpriority") >= 2)
        proxy.cut(false)
        try await cluster.waitForWorkers(2)
        #expect(try await cluster.connect().run(incarnations) == before)
    }

    @Test("connections between workers that live are reset again and again: the query goes on where it was")
    func resetExchange() async throws {
        // Rows of every size cross the connection for as long as the gate holds the last ones back.
        func query(_ condition: String) -> String {
            """
            SELECT count(*), sum(l_quantity), sum(length(c)) FROM (
                SELECT l_orderkey, l_quantity, l_comment AS c FROM tpch.tiny.lineitem WHERE l_linenumber < 7 OR \(condition)
            ) l JOIN tpch.tiny.orders ON l_orderkey = o_orderkey
            """
        }
        let expected = try await Self.oracle.rows(query("true"))
        let (cluster, proxy) = try await clusterWithProxy()
        defer {
            cluster.shutdown()
            proxy.shutdown()
        }
        let gate = try Gate()
        defer { gate.open() }
        let outcome = try await duringQuery(cluster, query(gate.condition)) {
            let deadline = Date().addingTimeInterval(30)
            var rounds = 0
            var answers = -1
            while rounds < 10, Date() < deadline {
                // Only a connection over which something has come: on a busy machine one may take longer to stand than any
                // time between two resets, and a link that never stands is another fault.
                if proxy.answerCount > answers {
                    answers = proxy.answerCount
                    let before = proxy.resetCount
                    proxy.reset(onlyAnswered: true)
                    if proxy.resetCount > before { rounds += 1 }
                }
                // Now and then while rows are under way, too.
                if rounds == 5 { gate.open() }
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        #expect(proxy.resetCount > 0)
        #expect(try outcome.get() == expected)
        let attemptCount = try await attempts(cluster, "l_quantity")
        #expect(attemptCount == 1, "\(attemptCount)")
        try await cluster.waitForIdleWorkers()
    }

    @Test("a worker dies while others build hash tables of its rows: the rows are right, after one more attempt")
    func killedDuringBuild() async throws {
        // The side with fewer rows is the build side, and sleeps.
        let query = """
            SELECT count(*), sum(l_quantity) FROM tpch.tiny.lineitem JOIN (
                SELECT o_orderkey FROM tpch.tiny.orders WHERE o_orderkey % 8000 <> 7 OR pg_sleep(1.5) IS NOT NULL
            ) o ON l_orderkey = o_orderkey
            """
        let expected = try await Self.oracle.rows(query)
        let cluster = try ProcessCluster(workers: 3)
        defer { cluster.shutdown() }
        try await cluster.waitForWorkers(3)
        let outcome = try await duringQuery(cluster, query) { cluster.workers[0].kill() }
        #expect(try outcome.get() == expected)
        #expect(try await attempts(cluster, "l_quantity") == 2)
    }

    @Test("more queries than may wait are refused at once, and the coordinator does not grow by them")
    func floodedQueue() async throws {
        let cluster = try ProcessCluster(
            workers: 1,
            environment: [
                "MARTLET_COORDINATOR_MAX_RUNNING_QUERIES": "1", "MARTLET_COORDINATOR_MAX_QUEUED_QUERIES": "4",
            ])
        defer { cluster.shutdown() }
        try await cluster.waitForWorkers(1)
        let gate = try Gate()
        defer { gate.open() }
        let held = "SELECT count(*) FROM tpch.tiny.orders WHERE \(gate.condition)"
        // One runs and four wait.
        let waiting = try (0..<5).map { _ in try ClientProcess(cluster.coordinator, held) }
        let connection = try cluster.connect()
        func counts() async throws -> [String?] {
            // Whoever asks for this has a place that others do not get.
            try await connection.run("SELECT running_count - 1, queued_count FROM system.admission")[0]
        }
        let deadline = Date().addingTimeInterval(60)
        while try await counts() != ["1", "4"], Date() < deadline { try await Task.sleep(for: .milliseconds(20)) }
        #expect(try await counts() == ["1", "4"])
        func refuse(_ count: Int) async throws {
            for _ in 0..<count {
                let error = try await #require(throws: QueryError.self) { _ = try await connection.run(held) }
                #expect(error.state == .configurationLimitExceeded, "\(error)")
            }
        }
        try await refuse(200)
        let before = cluster.coordinator.residentByteCount
        let start = Date()
        try await refuse(1000)
        // All of them together take less than one of them would wait.
        #expect(Date().timeIntervalSince(start) < 120)
        #expect(cluster.coordinator.residentByteCount < before + 24 << 20)
        #expect(waiting.filter(\.isRunning).count == 5)
        gate.open()
        for client in waiting {
            try await client.waitForEnd(seconds: 60)
            #expect(client.hasSucceeded && client.output.contains("15000"), "\(client.output)")
        }
        #expect(try await counts() == ["0", "0"])
    }
}
