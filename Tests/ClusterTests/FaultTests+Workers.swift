// Workers that do not come back, that a query brings down, that stand still together, that come and go, that are slow.

import Diagnostics
import EngineTestSupport
import Foundation
import Testing

extension FaultTests {
    @Test("the last worker is killed and none comes back: a typed error, within the time that is set for it")
    func noWorkerComesBack() async throws {
        let cluster = try ProcessCluster(workers: 2, environment: ["MARTLET_COORDINATOR_WORKER_TIMEOUT": "2s"])
        defer { cluster.shutdown() }
        try await cluster.waitForWorkers(2)
        var killedAt = Date()
        let outcome = try await duringQuery(cluster) {
            for worker in cluster.workers { worker.kill() }
            killedAt = Date()
        }
        let error = try #require(throws: QueryError.self) { _ = try outcome.get() }
        #expect(error.state == .noWorkers, "\(error)")
        // The loss, the pause before the next attempt and the wait; the rest is for a busy machine.
        #expect(Date().timeIntervalSince(killedAt) < 20)
        try cluster.addWorker()
        #expect(try await cluster.connect().run("SELECT count(*) FROM tpch.tiny.orders") == [["15000"]])
    }

    @Test(
        "a query that crashes its workers is not given to a third one; another query outlives both crashes")
    func poisonQuery() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("notes-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        // A backtrace takes longer than the test.
        let environment = ["MARTLET_SPILL_DIRECTORY": directory, "SWIFT_BACKTRACE": "enable=no"]
        let expected = try await Self.oracle.rows(Self.query())
        // However long a busy machine takes to start them again.
        let patient = environment.merging(["MARTLET_COORDINATOR_CRASH_REPORT_TIMEOUT": "60s"]) { $1 }
        let cluster = try ProcessCluster(workers: 0, environment: patient, workerEnvironment: environment)
        defer { cluster.shutdown() }
        for name in ["a", "b", "c"] { try cluster.addWorker(id: name) }
        try await cluster.waitForWorkers(3)
        var crashes = 0
        /// Starts again what has crashed, as whatever looks after processes does.
        func restartCrashed() async throws {
            for index in cluster.workers.indices where !cluster.workers[index].isRunning {
                crashes += 1
                let name = try #require(cluster.workers[index].name)
                cluster.removeWorker(at: index)
                try cluster.addWorker(id: name)
                return
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        let innocent = try cluster.connect()
        let gate = try Gate()
        defer { gate.open() }
        let other = Task { try await innocent.run(Self.query(gate)) }
        try await cluster.waitForRunningTasks()
        let connection = try cluster.connect()
        let end = Flag()
        let running = Task {
            defer { end.raise() }
            return try await connection.run(
                "SELECT count(debug_trap(CASE o_orderkey WHEN 7 THEN 300 ELSE 1 END)) FROM tpch.tiny.orders")
        }
        let deadline = Date().addingTimeInterval(120)
        while !end.isRaised, Date() < deadline { try await restartCrashed() }
        let error = try await #require(throws: QueryError.self) { _ = try await running.value }
        #expect(error.state == .poisonQuery, "\(error)")
        for _ in 0..<5 { try await restartCrashed() }
        #expect(crashes == 2)
        gate.open()
        #expect(try await other.value == expected)
        // Notes are read once, and nothing else is left.
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory).isEmpty)
        #expect(try await cluster.connect().run("SELECT count(*) FROM tpch.tiny.orders") == [["15000"]])
    }

    @Test(
        "all workers stand still for longer than their lease: nobody is lost, and the rows are right")
    func allWorkersPaused() async throws {
        let expected = try await Self.oracle.rows(Self.query())
        let cluster = try ProcessCluster(workers: 2)
        defer { cluster.shutdown() }
        try await cluster.waitForWorkers(2)
        let incarnations = "SELECT worker_id, incarnation FROM system.workers ORDER BY 1"
        let before = try await cluster.connect().run(incarnations)
        let outcome = try await duringQuery(cluster) {
            for worker in cluster.workers { worker.pause() }
            try await Task.sleep(for: .seconds(11))
            for worker in cluster.workers { #expect(worker.isStopped) }
            let states = try await cluster.connect().run("SELECT DISTINCT state FROM system.workers")
            #expect(states == [["suspect"]])
            for worker in cluster.workers { worker.resume() }
        }
        #expect(try outcome.get() == expected)
        try await cluster.waitForWorkers(2)
        #expect(try await cluster.connect().run(incarnations) == before)
        try await cluster.waitForIdleWorkers()
    }

    @Test("a worker that comes and goes is put into quarantine, then on probation, then back to work")
    func flappingWorker() async throws {
        let cluster = try ProcessCluster(workers: 1, environment: ["MARTLET_COORDINATOR_WORKER_QUARANTINE": "3s"])
        defer { cluster.shutdown() }
        var flapping = try cluster.addWorker(id: "flapping")
        try await cluster.waitForWorkers(2)
        let connection = try cluster.connect()
        func state() async throws -> String {
            try await connection.run("SELECT state FROM system.workers WHERE worker_id = 'flapping'")[0][0] ?? ""
        }
        var seen: [String] = []
        func watch(until wanted: String, seconds: Double = 20) async throws {
            let deadline = Date().addingTimeInterval(seconds)
            while seen.last != wanted, Date() < deadline {
                let now = try await state()
                if seen.last != now { seen.append(now) }
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        for life in 0..<3 {
            if life > 0 { try await watch(until: "active") }
            flapping.kill()
            try await watch(until: "lost")
            flapping = try cluster.addWorker(id: "flapping")
        }
        try await watch(until: "quarantined")
        // Meanwhile the other one does all the work.
        #expect(try await connection.run("SELECT count(*) FROM tpch.tiny.orders") == [["15000"]])
        try await watch(until: "probation")
        #expect(try await connection.run("SELECT count(*) FROM tpch.tiny.orders") == [["15000"]])
        try await watch(until: "active")
        let tail = seen.filter { ["quarantined", "probation", "active"].contains($0) }.suffix(3)
        #expect(tail == ["quarantined", "probation", "active"], "\(seen)")
    }

    @Test("a worker that gets a tenth of the processor is slow and not lost; the rows are right")
    func slowWorker() async throws {
        let expected = try await Self.oracle.rows(Self.query())
        let cluster = try ProcessCluster(workers: 2)
        defer { cluster.shutdown() }
        try await cluster.waitForWorkers(2)
        let slow = cluster.workers[0]
        let end = Flag()
        let stops = Counter()
        let brake = Task {
            while !end.isRaised {
                slow.pause()
                try await Task.sleep(for: .milliseconds(180))
                if slow.isStopped { stops.increment() }
                slow.resume()
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        defer { end.raise() }
        let outcome = try await duringQuery(cluster) {
            let before = stops.value
            while stops.value < before + 20 { try await Task.sleep(for: .milliseconds(20)) }
        }
        #expect(try outcome.get() == expected)
        let states = try await cluster.connect().run("SELECT count(*) FROM system.workers WHERE state = 'lost'")
        #expect(states == [["0"]])
        end.raise()
        try await brake.value
    }
}

/// Something that has happened.
final class Flag: @unchecked Sendable {
    // Guarded by the lock.
    private let lock = NSLock()
    private var value = false
    var isRaised: Bool { lock.withLock { value } }
    func raise() { lock.withLock { value = true } }
}

/// How often something has happened.
final class Counter: @unchecked Sendable {
    // Guarded by the lock.
    private let lock = NSLock()
    private var count = 0
    var value: Int { lock.withLock { count } }
    func increment() { lock.withLock { count += 1 } }
}
