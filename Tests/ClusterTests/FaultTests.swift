// Faults in clusters of real processes: processes killed, stopped and started again while queries run. The rows are those
// that an engine in one process gives. Every test makes sure that its fault has happened.

import Diagnostics
import EngineTestSupport
import Foundation
import Testing
import TransportConformance

@Suite("Faults in clusters of processes", .serialized)
struct FaultTests {
    /// Reads and joins. With a gate it stands still on every worker that has rows, until the test opens it: faults happen
    /// while it runs, however fast or busy the machine is.
    static func query(_ gate: Gate? = nil) -> String {
        """
        SELECT o_orderpriority, count(*), sum(o_totalprice) \(gate.map { "FILTER (WHERE \($0.condition))" } ?? "")
        FROM tpch.tiny.orders, tpch.tiny.customer WHERE o_custkey = c_custkey AND o_comment LIKE '%x%y%' GROUP BY 1 ORDER BY 1
        """
    }
    /// The same, and sleeps for about a second in all, behind WHERE, whose parts are tried in the order that pays.
    static let sleepingQuery =
        """
        SELECT o_orderpriority, count(*), sum(o_totalprice)
            FILTER (WHERE o_orderkey % 20000 <> 7 OR pg_sleep(0.4) IS NOT NULL)
        FROM tpch.tiny.orders, tpch.tiny.customer WHERE o_custkey = c_custkey AND o_comment LIKE '%x%y%' GROUP BY 1 ORDER BY 1
        """

    /// What one process says, found out once.
    static let oracle = Oracle()
    actor Oracle {
        private var known: [String: [[String?]]] = [:]
        func rows(_ sql: String) async throws -> [[String?]] {
            if let rows = known[sql] { return rows }
            let engine = try await TestEngine.start()
            let rows = try await engine.query(sql)
            await engine.shutdown()
            known[sql] = rows
            return rows
        }
    }

    /// Runs `body` while the query stands at a gate on the workers, then opens that, and gives the query's outcome.
    func duringQuery(
        _ cluster: ProcessCluster, _ body: () async throws -> Void
    ) async throws -> Result<[[String?]], any Error> {
        let gate = try Gate()
        defer { gate.open() }
        return try await duringQuery(cluster, Self.query(gate)) {
            try await body()
            gate.open()
        }
    }

    /// Runs `body` while a query runs on all workers, and gives the query's outcome.
    func duringQuery(
        _ cluster: ProcessCluster, _ sql: String, _ body: () async throws -> Void
    ) async throws -> Result<[[String?]], any Error> {
        let connection = try cluster.connect()
        let running = Task { try await connection.run(sql) }
        do {
            try await cluster.waitForRunningTasks()
        } catch {
            // Where the query stands says more than that the fault did not happen.
            let states = try? await cluster.connect().run(
                "SELECT state, attempt_count, queued_reason, error_message FROM system.queries ORDER BY started_at")
            let tasks = try? await cluster.connect().run("SELECT * FROM system.tasks")
            Issue.record("queries: \(states ?? []), tasks: \(tasks ?? [])")
            throw error
        }
        try await body()
        return await running.result
    }

    /// How often the last query of this text was tried.
    func attempts(_ cluster: ProcessCluster, _ marker: String) async throws -> Int {
        // The client has its rows a moment before the query has ended.
        let text = """
            SELECT attempt_count FROM system.queries WHERE query LIKE '%\(marker)%' AND query NOT LIKE '%attempt_count%'
                AND state = 'finished' ORDER BY started_at DESC LIMIT 1
            """
        let deadline = Date().addingTimeInterval(20)
        while Date() < deadline {
            if let count = try await cluster.connect().run(text).first?.first?.flatMap({ $0 }).flatMap({ Int($0) }) {
                return count
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        return 0
    }

    @Test("a worker that is killed goes unnoticed: the rows are right, after one more attempt")
    func killedWorker() async throws {
        let expected = try await Self.oracle.rows(Self.query())
        let cluster = try ProcessCluster(workers: 3)
        defer { cluster.shutdown() }
        try await cluster.waitForWorkers(3)
        let outcome = try await duringQuery(cluster) { cluster.workers[1].kill() }
        #expect(try outcome.get() == expected)
        #expect(try await attempts(cluster, "o_orderpriority") == 2)
        try await cluster.waitForIdleWorkers()
    }

    @Test("all workers are killed and one comes back: the query waits for it and gives the right rows")
    func allWorkersKilled() async throws {
        let expected = try await Self.oracle.rows(Self.query())
        let cluster = try ProcessCluster(workers: 2)
        defer { cluster.shutdown() }
        try await cluster.waitForWorkers(2)
        let outcome = try await duringQuery(cluster) {
            for worker in cluster.workers { worker.kill() }
            try await Task.sleep(for: .seconds(3))
            try cluster.addWorker()
        }
        #expect(try outcome.get() == expected)
        #expect(try await attempts(cluster, "o_orderpriority") >= 2)
    }

    @Test("a worker that starts again under its name mid-query is a new one; the old tasks' answers count no more")
    func restartedWorker() async throws {
        let expected = try await Self.oracle.rows(Self.query())
        let cluster = try ProcessCluster(workers: 1)
        defer { cluster.shutdown() }
        let first = try cluster.addWorker(id: "phoenix")
        try await cluster.waitForWorkers(2)
        let outcome = try await duringQuery(cluster) {
            first.kill()
            try cluster.addWorker(id: "phoenix")
        }
        #expect(try outcome.get() == expected)
        #expect(try await attempts(cluster, "o_orderpriority") >= 2)
        let incarnations = try await cluster.connect().run(
            "SELECT state FROM system.workers WHERE worker_id = 'phoenix'")
        #expect(incarnations == [["active"]])
    }

    @Test("a worker that stands still for four seconds is not lost, and the rows are right")
    func pausedWorker() async throws {
        let expected = try await Self.oracle.rows(Self.query())
        let cluster = try ProcessCluster(workers: 2)
        defer { cluster.shutdown() }
        try await cluster.waitForWorkers(2)
        let outcome = try await duringQuery(cluster) {
            cluster.workers[0].pause()
            try await Task.sleep(for: .seconds(4))
            #expect(cluster.workers[0].isStopped)
            cluster.workers[0].resume()
        }
        #expect(try outcome.get() == expected)
        let lost = try await cluster.connect().run("SELECT count(*) FROM system.workers WHERE state = 'lost'")
        #expect(lost == [["0"]])
    }

    @Test(
        "a worker whose link to the coordinator is cut for five seconds is not lost; after a longer cut it comes back anew"
    )
    func cutLink() async throws {
        let expected = try await Self.oracle.rows(Self.query())
        let cluster = try ProcessCluster(workers: 1)
        defer { cluster.shutdown() }
        let proxy = try FaultProxy(to: try #require(cluster.coordinator.addresses["grpc"]))
        defer { proxy.shutdown() }
        try cluster.addWorker(id: "remote", through: proxy)
        try await cluster.waitForWorkers(2)
        let connection = try cluster.connect()
        func state() async throws -> [String?] {
            try await connection.run("SELECT state FROM system.workers WHERE worker_id = 'remote'")[0]
        }
        let incarnations = "SELECT incarnation FROM system.workers WHERE worker_id = 'remote'"
        let first = try await connection.run(incarnations)
        proxy.cut(true)
        try await Task.sleep(for: .seconds(5))
        #expect(proxy.heldCount > 0)
        #expect(try await state() != ["lost"])
        proxy.cut(false)
        try await cluster.waitForWorkers(2)
        #expect(try await connection.run(incarnations) == first)
        proxy.cut(true)
        try await Task.sleep(for: .seconds(12))
        #expect(try await state() == ["lost"])
        #expect(try await connection.run(Self.query()) == expected)
        proxy.cut(false)
        try await cluster.waitForWorkers(2)
        #expect(try await connection.run(incarnations) != first)
        #expect(try await connection.run(Self.query()) == expected)
    }

    @Test("ALTER WORKER … DRAIN makes a worker leave in good order while a query runs")
    func drainStatement() async throws {
        let expected = try await Self.oracle.rows(Self.query())
        let cluster = try ProcessCluster(workers: 1)
        defer { cluster.shutdown() }
        let leaving = try cluster.addWorker(id: "leaving")
        try await cluster.waitForWorkers(2)
        let outcome = try await duringQuery(cluster) {
            _ = try await cluster.connect().run("ALTER WORKER leaving DRAIN")
            let state = try await cluster.connect().run(
                "SELECT state FROM system.workers WHERE worker_id = 'leaving'")
            #expect(state == [["draining"]])
        }
        #expect(try outcome.get() == expected)
        let deadline = Date().addingTimeInterval(30)
        while leaving.isRunning, Date() < deadline { try await Task.sleep(for: .milliseconds(50)) }
        #expect(!leaving.isRunning)
        #expect(try await cluster.connect().run(Self.query()).count == 5)
    }

    @Test("once rows went to the client a killed worker is a typed error, and no row is wrong")
    func killedAfterRelease() async throws {
        // Nothing is held back, and the result is large: the client has seen rows when the worker dies.
        let cluster = try ProcessCluster(
            workers: 2, environment: ["MARTLET_COORDINATOR_RESULT_HOLD_BACK": "1kB"])
        defer { cluster.shutdown() }
        try await cluster.waitForWorkers(2)
        // On a busy machine the worker may die before its first rows went out; then the query is repeated and ends well.
        var error: QueryError?
        for round in 0..<4 where error == nil {
            if round > 0 { try await cluster.waitForWorkers(2) }
            // All but a few rows pass: both workers are seen at work, whoever gets more of the few.
            let gate = try Gate()
            defer { gate.open() }
            let outcome = try await duringQuery(
                cluster,
                "SELECT o_orderkey FROM tpch.sf1.orders WHERE o_orderkey % 80000 <> 7 OR \(gate.condition)"
            ) {
                // The others are on their way by now.
                try await Task.sleep(for: .milliseconds(500))
                cluster.workers[1].kill()
                gate.open()
            }
            switch outcome {
            case .failure(let failure): error = try #require(failure as? QueryError)
            case .success(let rows):
                #expect(rows.count == 1_500_000)
                #expect(try await attempts(cluster, "o_orderkey") >= 2)
                cluster.removeWorker(at: 1)
                try cluster.addWorker()
            }
        }
        let state = try #require(error?.state, "no round lost rows that were on their way")
        #expect([.workerLost, .exchangeFailed].contains(state), "\(String(describing: error))")
        let count = try await cluster.connect().run("SELECT count(*) FROM tpch.tiny.orders")
        #expect(count == [["15000"]])
    }

    @Test("workers that are asked to leave while queries run finish or move their tasks: no query fails")
    func drainUnderLoad() async throws {
        let cluster = try ProcessCluster(workers: 2)
        defer { cluster.shutdown() }
        try await cluster.waitForWorkers(2)
        let once = try ClientProcess(cluster.coordinator, Self.sleepingQuery)
        try await once.waitForEnd()
        let expected = once.output
        #expect(once.hasSucceeded && expected.contains("5-LOW"))
        let count = 12
        let clients = try (0..<3).map { _ in
            try ClientProcess(
                cluster.coordinator, [String](repeating: Self.sleepingQuery, count: count).joined(separator: ";"))
        }
        var drained = 0
        while drained < 3 || clients.contains(where: \.isRunning) {
            try cluster.addWorker()
            try await cluster.waitForWorkers(3)
            #expect(cluster.workers[0].terminate())
            cluster.removeWorker(at: 0)
            drained += 1
        }
        for client in clients {
            try await client.waitForEnd()
            #expect(client.hasSucceeded, "\(client.output.suffix(500))")
            #expect(client.output == String(repeating: expected, count: count))
        }
    }

    @Test("a cancel at any moment of a query's life leaves no task behind")
    func cancelledQueries() async throws {
        let cluster = try ProcessCluster(workers: 2)
        defer { cluster.shutdown() }
        try await cluster.waitForWorkers(2)
        let connection = try cluster.connect()
        let gate = try Gate()
        defer { gate.open() }
        var cancelled = 0
        for moment in 0..<12 {
            do {
                _ = try await connection.run("SET statement_timeout = \(1 + moment * moment * 8); \(Self.query(gate))")
            } catch let error as QueryError {
                #expect(error.state == .queryCanceled, "\(error)")
                cancelled += 1
            }
            _ = try await connection.run("SET statement_timeout = 0")
        }
        #expect(cancelled == 12)
        try await cluster.waitForIdleWorkers()
        #expect(try await connection.run("SELECT count(*) FROM tpch.tiny.orders") == [["15000"]])
    }

    @Test("LIMIT stops its producers: nothing runs a moment later")
    func limitStopsProducers() async throws {
        let cluster = try ProcessCluster(workers: 2)
        defer { cluster.shutdown() }
        try await cluster.waitForWorkers(2)
        let connection = try cluster.connect()
        for _ in 0..<50 {
            #expect(try await connection.run("SELECT l_comment FROM tpch.sf1.lineitem LIMIT 10").count == 10)
        }
        try await cluster.waitForIdleWorkers(seconds: 5)
    }

    @Test("a client that vanishes while its query runs in the cluster leaves no task behind")
    func vanishedClient() async throws {
        let cluster = try ProcessCluster(workers: 2)
        defer { cluster.shutdown() }
        try await cluster.waitForWorkers(2)
        let lost = try WireConnection(cluster.coordinator)
        let gate = try Gate()
        defer { gate.open() }
        let running = Task { try await lost.run(Self.query(gate)) }
        try await cluster.waitForRunningTasks()
        lost.close()
        _ = try? await running.value
        try await cluster.waitForIdleWorkers()
    }

    @Test("a burst of queries never passes the limit of running ones, and every one gets its answer")
    func admissionBurst() async throws {
        let cluster = try ProcessCluster(
            workers: 1, environment: ["MARTLET_COORDINATOR_MAX_RUNNING_QUERIES": "2"])
        defer { cluster.shutdown() }
        try await cluster.waitForWorkers(1)
        let clients = try (0..<8).map { _ in
            try ClientProcess(
                cluster.coordinator,
                [String](repeating: "SELECT count(*) FROM tpch.tiny.lineitem", count: 4).joined(separator: ";"))
        }
        let connection = try cluster.connect()
        var highest = 0
        var hasQueued = false
        while clients.contains(where: \.isRunning) {
            let row = try await connection.run("SELECT running_count, queued_count FROM system.admission")[0]
            highest = max(highest, row[0].flatMap { Int($0) } ?? 0)
            hasQueued = hasQueued || row[1] != "0"
            try await Task.sleep(for: .milliseconds(5))
        }
        for client in clients {
            try await client.waitForEnd()
            #expect(client.hasSucceeded)
            #expect(client.output.components(separatedBy: "60175").count == 5)
        }
        // Two, and the slot that queries of the catalogue have to themselves: that of the query that looks.
        #expect(highest <= 3)
        #expect(hasQueued)
    }
}

/// A file that holds queries up: rows that meet its condition wait as long as it exists.
final class Gate: Sendable {
    private let path = FileManager.default.temporaryDirectory.appendingPathComponent("gate-\(UUID().uuidString)").path
    /// True, once the gate is open.
    var condition: String { "debug_gate('\(path)')" }

    init() throws {
        guard FileManager.default.createFile(atPath: path, contents: nil) else {
            throw QueryError(.ioError, "cannot create \(path)")
        }
    }

    func open() { try? FileManager.default.removeItem(atPath: path) }
    deinit { open() }
}
