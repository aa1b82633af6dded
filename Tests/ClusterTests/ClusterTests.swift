// A coordinator and workers as real processes: right rows, and typed errors when processes die.

import Diagnostics
import EngineTestSupport
import Foundation
import Testing

@Suite("Clusters of processes", .serialized)
struct ClusterTests {
    /// A query that reads enough to be interrupted.
    private static let longQuery =
        "SELECT count(*) FROM tpch.sf10.lineitem l, tpch.sf10.orders o WHERE l_orderkey = o_orderkey AND l_comment LIKE '%x%y%z%'"

    @Test("scripts give the same rows as embedded")
    func scripts() async throws {
        var recordCount = 0
        for script in try SQLScript.all() where script.stores.isEmpty {
            let cluster = try ProcessCluster(workers: 2)
            defer { cluster.shutdown() }
            try await cluster.waitForWorkers(2)
            for failure in await ScriptRunner.run(script, on: try cluster.connect()) { Issue.record("\(failure)") }
            recordCount += script.records.count
        }
        print("\(recordCount) records on processes")
    }

    @Test("workers may come before and after queries, and leave between them")
    func comingAndGoing() async throws {
        let cluster = try ProcessCluster(workers: 1)
        defer { cluster.shutdown() }
        let connection = try cluster.connect()
        let query = "SELECT count(*), sum(l_quantity) FROM tpch.tiny.lineitem"
        let expected = [["60175", "1536127.00"]]
        #expect(try await connection.run(query) == expected)
        // This one finds the coordinator by its name.
        try cluster.addWorker(byName: true)
        try await cluster.waitForWorkers(2)
        #expect(try await connection.run(query) == expected)
        cluster.workers[0].kill()
        // The loss is seen by the closed connection; a query in the gap may fail, the next ones may not.
        try await Task.sleep(for: .seconds(2))
        #expect(try await connection.run(query) == expected)
        try cluster.addWorker()
        try await cluster.waitForWorkers(2)
        #expect(try await connection.run(query) == expected)
    }

    @Test("without workers a query fails with ME002; statements that need none run")
    func noWorkers() async throws {
        let cluster = try ProcessCluster(workers: 0)
        defer { cluster.shutdown() }
        let connection = try cluster.connect()
        #expect(try await connection.run("SHOW server_encoding") == [["UTF8"]])
        do {
            _ = try await connection.run("SELECT count(*) FROM tpch.tiny.orders")
            Issue.record("there was no worker, but the query ran")
        } catch let error as QueryError {
            #expect(error.state == .noWorkers)
        }
        // Whoever wants to know why gets an answer.
        #expect(try await connection.run("SELECT count(*) FROM system.workers") == [["0"]])
        try cluster.addWorker()
        #expect(try await connection.run("SELECT count(*) FROM tpch.tiny.orders") == [["15000"]])
    }

    @Test("a prepared query that has kept its plan fails with ME002, too, once the last worker is gone")
    func noWorkersForKeptPlans() async throws {
        let cluster = try ProcessCluster(workers: 1, localRowLimit: 100)
        defer { cluster.shutdown() }
        try await cluster.waitForWorkers(1)
        let connection = try cluster.connect()
        _ = try await connection.run("PREPARE regions AS SELECT count(*) FROM tpch.tiny.region")
        for _ in 0..<3 { #expect(try await connection.run("EXECUTE regions") == [["5"]]) }
        cluster.workers[0].kill()
        // Its loss is noticed within five seconds.
        let deadline = ContinuousClock.now + .seconds(5)
        var state: SQLState?
        while state == nil, ContinuousClock.now < deadline {
            do {
                _ = try await connection.run("EXECUTE regions")
                try await Task.sleep(for: .milliseconds(50))
            } catch let error as QueryError { state = error.state }
        }
        #expect(state == .noWorkers)
    }

    @Test("small queries run on the coordinator, large ones on workers")
    func smallQueries() async throws {
        let cluster = try ProcessCluster(workers: 2, localRowLimit: 100)
        defer { cluster.shutdown() }
        try await cluster.waitForWorkers(2)
        let connection = try cluster.connect()
        func exchangeCount(_ sql: String) async throws -> Int {
            try await connection.run("EXPLAIN " + sql).filter { $0[0]?.contains("Exchange") == true }.count
        }
        let small =
            "SELECT r_name, count(*) FROM tpch.tiny.nation JOIN tpch.tiny.region ON n_regionkey = r_regionkey"
            + " GROUP BY r_name ORDER BY r_name"
        #expect(try await exchangeCount(small) == 0)
        #expect(try await connection.run(small).count == 5)
        #expect(try await exchangeCount("SELECT count(*) FROM tpch.tiny.customer") > 0)
        #expect(
            try await exchangeCount("SELECT count(*) FROM tpch.tiny.nation a, tpch.tiny.nation b, tpch.tiny.nation c")
                > 0)
        #expect(try await connection.run("SELECT count(*) FROM tpch.tiny.customer") == [["1500"]])
    }

    @Test("a worker that is asked to leave drains, and no query fails by it")
    func drain() async throws {
        let cluster = try ProcessCluster(workers: 2)
        defer { cluster.shutdown() }
        try await cluster.waitForWorkers(2)
        let connection = try cluster.connect()
        #expect(try await connection.run("SELECT count(*) FROM tpch.tiny.orders") == [["15000"]])
        #expect(cluster.workers[0].terminate())
        #expect(try await connection.run("SELECT count(*) FROM tpch.tiny.orders") == [["15000"]])
    }

    @Test("the standalone server is coordinator and worker in one process")
    func standalone() async throws {
        let server = try ServerProcess(["standalone", "--pg-port", "0", "--grpc-port", "0", "--http-port", "0"])
        defer { server.kill() }
        let connection = try WireConnection(server)
        #expect(try await connection.run("SELECT 1 + 1") == [["2"]])
        _ = try await connection.run("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'), (2, NULL)")
        #expect(try await connection.run("SELECT * FROM t ORDER BY a") == [["1", "x"], ["2", nil]])
        do {
            _ = try await connection.run("SELECT 1 / 0")
            Issue.record("division by zero succeeded")
        } catch let error as QueryError {
            #expect(error.state == .divisionByZero)
        }
        #expect(server.terminate())
    }

    @Test("a client that goes away while its query runs leaves no work behind")
    func clientGone() async throws {
        let server = try ServerProcess(["standalone", "--pg-port", "0", "--grpc-port", "0", "--http-port", "0"])
        defer { server.kill() }
        let lost = try WireConnection(server)
        let running = Task { try await lost.run(Self.longQuery) }
        try await Task.sleep(for: .milliseconds(500))
        lost.close()
        _ = try? await running.value
        let http = try #require(server.addresses["http"])
        var isRunning = true
        for _ in 0..<50 where isRunning {
            try await Task.sleep(for: .milliseconds(100))
            isRunning = try httpBody(http, "/v1/queries").contains("\"running\"")
        }
        #expect(!isRunning)
    }

    /// A file system of one mebibyte that only the server's process sees; needs a kernel that gives users namespaces.
    static func smallDisk(at directory: String) -> [String] {
        let mount = "mount -t tmpfs -o size=1m tmpfs '\(directory)' && exec \"$@\""
        return ["/usr/bin/unshare", "--user", "--map-root-user", "--mount", "/bin/sh", "-c", mount, "sh"]
    }

    static let canMount: Bool = {
        let process = Process()
        let wrapper = smallDisk(at: FileManager.default.temporaryDirectory.path)
        process.executableURL = URL(fileURLWithPath: wrapper[0])
        process.arguments = wrapper.dropFirst() + ["/bin/true"]
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }()

    @Test("a full disk is error 53100 and leaves nothing behind; the server goes on", .enabled(if: canMount))
    func fullDisk() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("disk-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let server = try ServerProcess(
            ["standalone", "--pg-port", "0", "--grpc-port", "0", "--http-port", "0"],
            wrapper: Self.smallDisk(at: directory))
        defer { server.kill() }
        let connection = try WireConnection(server)
        let seen = "/proc/\(server.identifier)/root\(directory)"
        for name in ["lines.parquet", "lines.csv"] {
            let format = name.hasSuffix("csv") ? "csv" : "parquet"
            do {
                _ = try await connection.run(
                    "COPY (SELECT * FROM tpch.tiny.lineitem) TO '\(directory)/\(name)' (FORMAT \(format))")
                Issue.record("\(name) found room; the disk is too large for this test")
            } catch let error as QueryError {
                #expect(error.state == .diskFull, "\(error)")
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: seen).isEmpty)
        }
        _ = try await connection.run("COPY (SELECT * FROM tpch.tiny.nation) TO '\(directory)/n.csv' (FORMAT csv)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: seen) == ["n.csv"])
        #expect(try await connection.run("SELECT count(*) FROM '\(directory)/n.csv'") == [["25"]])
    }

    private static let canDropRights: Bool =
        getuid() == 0 && FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv")

    @Test("the server needs no rights of an administrator", .enabled(if: canDropRights || getuid() != 0))
    func ordinaryUser() async throws {
        let wrapper =
            getuid() == 0 ? ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : []
        let server = try ServerProcess(
            ["standalone", "--pg-port", "0", "--grpc-port", "0", "--http-port", "0"], wrapper: wrapper)
        defer { server.kill() }
        let connection = try WireConnection(server)
        #expect(try await connection.run("SELECT count(*) FROM tpch.tiny.region") == [["5"]])
        #expect(server.terminate())
    }
}
