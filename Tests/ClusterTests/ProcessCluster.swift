// Clusters of real processes for tests: every process binds loopback on a free port, owns its directory, and is ended by
// its process id.

import Columnar
import Diagnostics
import EngineTestSupport
import Foundation
import Frontends
import TransportConformance

/// One `martlet` process that serves.
final class ServerProcess: @unchecked Sendable {
    // Used by one test at a time.
    private let process = Process()
    /// `postgres`, `grpc`, `http`, `exchange` as the ready line names them.
    let addresses: [String: String]
    var identifier: Int32 { process.processIdentifier }

    /// The program of this build, beside the test bundle.
    static let program: URL? = {
        var candidates = [
            Bundle.main.bundleURL, URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent(),
        ]
        for bundle in Bundle.allBundles { candidates.append(bundle.bundleURL.deletingLastPathComponent()) }
        return candidates.map { $0.appendingPathComponent("martlet") }.first {
            FileManager.default.isExecutableFile(atPath: $0.path)
        }
    }()

    /// Starts the program and waits for its ready line, at most 20 seconds. `wrapper` is a command that ends by running
    /// what comes behind it in its own process (`env`, `unshare`, `sh -c '… exec "$@"' sh`).
    init(_ arguments: [String], wrapper: [String] = [], environment: [String: String] = [:]) throws {
        guard let program = Self.program else {
            throw QueryError(.undefinedFile, "the program martlet was not built")
        }
        if let command = wrapper.first {
            process.executableURL = URL(fileURLWithPath: command)
            process.arguments = wrapper.dropFirst() + [program.path] + arguments
        } else {
            process.executableURL = program
            process.arguments = arguments
        }
        process.environment = ProcessInfo.processInfo.environment
            .merging(["MARTLET_SERVER_FILE_ROOTS": "/", "MARTLET_TEST_FUNCTIONS": "1"]) { $1 }.merging(environment) {
                $1
            }
        let output = Pipe()
        process.standardOutput = output
        process.standardError =
            ProcessInfo.processInfo.environment["MARTLET_TEST_LOG"] == nil
            ? FileHandle.nullDevice : FileHandle.standardError
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let line = ServerProcess.firstLine(of: output.fileHandleForReading, seconds: 20)
        var addresses: [String: String] = [:]
        for part in line.split(separator: " ").dropFirst() {
            let pair = part.split(separator: "=", maxSplits: 1)
            if pair.count == 2 { addresses[String(pair[0])] = String(pair[1]) }
        }
        self.addresses = addresses
        guard line.hasPrefix("ready ") else {
            process.terminate()
            throw QueryError(.cannotConnectNow, "the process did not get ready: \(line)")
        }
    }

    private static func firstLine(of handle: FileHandle, seconds: Double) -> String {
        var bytes: [UInt8] = []
        var poll = pollfd(fd: handle.fileDescriptor, events: Int16(POLLIN), revents: 0)
        let deadline = Date().addingTimeInterval(seconds)
        while Date() < deadline {
            guard Glibc.poll(&poll, 1, 200) > 0 else { continue }
            var byte: UInt8 = 0
            guard read(handle.fileDescriptor, &byte, 1) == 1 else { break }
            if byte == UInt8(ascii: "\n") { break }
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    var isRunning: Bool { process.isRunning }
    /// Memory that the process has in use.
    var residentByteCount: Int {
        let text = (try? String(contentsOfFile: "/proc/\(identifier)/statm", encoding: .utf8)) ?? ""
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
    /// The name that a worker was given.
    var name: String? {
        let arguments = process.arguments ?? []
        return arguments.firstIndex(of: "--id").map { arguments[$0 + 1] }
    }

    /// Ends the process at once, as a crash would.
    func kill() {
        if process.isRunning { Glibc.kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }

    /// Stops the process where it is, as a machine that hangs would be.
    func pause() { Glibc.kill(process.processIdentifier, SIGSTOP) }
    func resume() { Glibc.kill(process.processIdentifier, SIGCONT) }
    /// Whether the system says that it stands still.
    var isStopped: Bool {
        let text = (try? String(contentsOfFile: "/proc/\(process.processIdentifier)/stat", encoding: .utf8)) ?? ""
        return text.split(separator: ")").last?.trimmingCharacters(in: .whitespaces).first == "T"
    }

    /// Asks it to leave. Returns whether it did within `seconds`.
    func terminate(seconds: Double = 30) -> Bool {
        guard process.isRunning else { return true }
        process.terminate()
        let deadline = Date().addingTimeInterval(seconds)
        while process.isRunning && Date() < deadline { usleep(20_000) }
        return !process.isRunning
    }

    deinit { if process.isRunning { Glibc.kill(process.processIdentifier, SIGKILL) } }
}

/// A coordinator and its workers.
final class ProcessCluster: @unchecked Sendable {
    // Used by one test at a time.
    let coordinator: ServerProcess
    private(set) var workers: [ServerProcess] = []
    private let workerEnvironment: [String: String]

    /// Small queries go to the workers too unless `localRowLimit` says otherwise: scripts read few rows.
    init(
        workers count: Int, dataDirectory: String? = nil, localRowLimit: Int = 0, environment: [String: String] = [:],
        workerEnvironment: [String: String] = [:]
    ) throws {
        self.workerEnvironment = workerEnvironment
        var arguments = ["coordinator", "--pg-port", "0", "--grpc-port", "0", "--http-port", "0", "--threads", "2"]
        if let dataDirectory { arguments += ["--data", dataDirectory] }
        coordinator = try ServerProcess(
            arguments,
            environment: environment.merging(["MARTLET_COORDINATOR_LOCAL_ROW_LIMIT": String(localRowLimit)]) { $1 })
        for _ in 0..<count { try addWorker() }
    }

    @discardableResult
    func addWorker(
        id: String? = nil, through proxy: FaultProxy? = nil, wrapper: [String] = [], arguments: [String] = [],
        byName: Bool = false
    ) throws -> ServerProcess {
        guard var join = proxy?.address ?? coordinator.addresses["grpc"] else {
            throw QueryError(.cannotConnectNow, "the coordinator did not say where workers join")
        }
        if byName { join = "dns://" + join.replacingOccurrences(of: "127.0.0.1", with: "localhost") }
        var all = ["worker", "--join", join, "--grpc-port", "0", "--threads", "2"]
        if let id { all += ["--id", id] }
        let worker = try ServerProcess(all + arguments, wrapper: wrapper, environment: workerEnvironment)
        workers.append(worker)
        return worker
    }

    func removeWorker(at index: Int) { workers.remove(at: index) }

    /// Waits until the coordinator has taken `count` workers in.
    func waitForWorkers(_ count: Int, seconds: Double = 20) async throws {
        guard let http = coordinator.addresses["http"], let url = URL(string: "http://\(http)/v1/workers") else {
            return
        }
        let deadline = Date().addingTimeInterval(seconds)
        while Date() < deadline {
            if let text = try? httpBody(http, "/v1/workers") {
                let active = text.components(separatedBy: "\"active\"").count - 1
                if active >= count { return }
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw QueryError(.noWorkers, "\(count) workers did not register in time")
    }

    /// Waits until every worker has said that it runs tasks.
    func waitForRunningTasks(seconds: Double = 20) async throws {
        let deadline = Date().addingTimeInterval(seconds)
        while Date() < deadline {
            if let http = coordinator.addresses["http"], let text = try? httpBody(http, "/v1/workers") {
                let idle = text.components(separatedBy: "\"running_tasks\":0,").count - 1
                let all = text.components(separatedBy: "\"running_tasks\":").count - 1
                if all > 0 && idle == 0 { return }
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw QueryError(.noWorkers, "the workers got no tasks in time")
    }

    /// Waits until no worker that lives has a task.
    func waitForIdleWorkers(seconds: Double = 15) async throws {
        let deadline = Date().addingTimeInterval(seconds)
        while Date() < deadline {
            let busy = try await connect().run(
                "SELECT count(*) FROM system.workers WHERE state NOT IN ('lost', 'drained') AND running_task_count > 0")
            if busy == [["0"]] { return }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw QueryError(.internalError, "tasks were left behind")
    }

    func connect() throws -> any ScriptConnection { try WireConnection(coordinator) }

    func shutdown() {
        for worker in workers { worker.kill() }
        coordinator.kill()
    }
}

/// A client as a process of its own: it runs statements one after the other, and does not take a thread of the tests.
final class ClientProcess: @unchecked Sendable {
    // Used by one test at a time.
    private let process = Process()
    private let path = FileManager.default.temporaryDirectory.appendingPathComponent("client-\(UUID().uuidString)").path

    init(_ server: ServerProcess, _ sql: String) throws {
        let parts = (server.addresses["grpc"] ?? "").split(separator: ":").map(String.init)
        guard parts.count == 2, let program = ServerProcess.program,
            FileManager.default.createFile(atPath: path, contents: nil),
            let output = FileHandle(forWritingAtPath: path)
        else { throw QueryError(.cannotConnectNow, "the server did not say where clients connect") }
        process.executableURL = program
        process.arguments = ["sql", "--host", parts[0], "--port", parts[1], "--format", "csv", "-c", sql]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
    }

    var isRunning: Bool { process.isRunning }
    var hasSucceeded: Bool { !process.isRunning && process.terminationStatus == 0 }
    var output: String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }

    func waitForEnd(seconds: Double = 300) async throws {
        let deadline = Date().addingTimeInterval(seconds)
        while process.isRunning && Date() < deadline { try await Task.sleep(for: .milliseconds(20)) }
    }

    deinit {
        if process.isRunning { Glibc.kill(process.processIdentifier, SIGKILL) }
        try? FileManager.default.removeItem(atPath: path)
    }
}

/// What a server answers to a GET, headers included. Blocks for a moment.
func httpBody(_ address: String, _ path: String) throws -> String {
    let parts = address.split(separator: ":")
    guard parts.count == 2, let port = UInt16(parts[1]) else {
        throw QueryError(.connectionFailure, "\(address) is no address")
    }
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var target = sockaddr_in()
    target.sin_family = sa_family_t(AF_INET)
    target.sin_port = port.bigEndian
    target.sin_addr.s_addr = inet_addr(String(parts[0]))
    let connected = withUnsafePointer(to: &target) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
    guard connected == 0 else { throw QueryError(.connectionFailure, "cannot connect to \(address)") }
    let request = "GET \(path) HTTP/1.1\r\nHost: \(address)\r\nConnection: close\r\n\r\n"
    _ = request.withCString { send(descriptor, $0, strlen($0), 0) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
        let count = read(descriptor, &chunk, chunk.count)
        if count <= 0 { break }
        bytes += chunk[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
}

/// A connection over the PostgreSQL protocol.
final class WireConnection: ScriptConnection {
    private let connection: ServerConnection

    init(_ server: ServerProcess) throws {
        let parts = (server.addresses["postgres"] ?? "").split(separator: ":")
        guard parts.count == 2, let port = Int(parts[1]) else {
            throw QueryError(.cannotConnectNow, "the server did not say where clients connect")
        }
        connection = try ServerConnection(
            ServerAddress(host: String(parts[0]), port: port, user: "test", database: "martlet"))
    }

    func run(_ sql: String) async throws -> [[String?]] {
        var rows: [[String?]] = []
        var columnCount = 0
        try await connection.run(sql) { event in
            switch event {
            case .columns(let columns):
                rows = []
                columnCount = columns.count
            case .rows(let batch):
                for row in 0..<batch.rowCount {
                    rows.append(
                        (0..<columnCount).map { column in
                            if batch.isNull(row, column) { return nil }
                            var text: [UInt8] = []
                            batch.append(row, column, into: &text)
                            return String(decoding: text, as: UTF8.self)
                        })
                }
            case .notice, .copyData: break
            case .done:
                // A statement without columns has no rows.
                if columnCount == 0 { rows = [] }
            }
        }
        return rows
    }

    func close() { connection.close() }
}
