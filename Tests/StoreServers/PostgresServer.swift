// StoreServers: the stores that tests start for themselves.
//
//   PostgresServer   a PostgreSQL: directory, port and process
//   S3Server         SeaweedFS, whose S3 interface checks signatures and has conditional writes
//   DatabaseFile     a file of SQLite, and the library itself to look at it from outside

import Diagnostics
import EngineConfiguration
import Foundation
import PostgresStorage
import Storage

/// Starts `postgres` on a free port of the loopback and ends it by its process.
package final class PostgresServer: @unchecked Sendable {
    /// Where the programs of PostgreSQL are; `nil` if they are not installed.
    package static let programs: String? = {
        let candidates =
            [ProcessInfo.processInfo.environment["MARTLET_TEST_POSTGRES"]].compactMap { $0 }
            + (14...18).reversed().map { "/usr/lib/postgresql/\($0)/bin" }
        let preferred = ["/usr/lib/postgresql/15/bin"] + candidates
        return preferred.first { FileManager.default.isExecutableFile(atPath: $0 + "/postgres") }
    }()
    package static let reason = "PostgreSQL is not installed in /usr/lib/postgresql"

    let directory: String
    package let port: Int
    private var process: Process?

    private static let started = Result {
        let server = try PostgresServer()
        SharedServerEnd.note(server.process?.processIdentifier, server.directory)
        return server
    }
    /// One for all tests that do not stop it or look at it as a whole; it ends with the process.
    package static func shared() throws -> PostgresServer { try started.get() }

    package init() throws {
        directory = "/tmp/martlet-postgres-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        port = try Self.freePort()
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        // The server refuses to run as root.
        if getuid() == 0, let entry = getpwnam("postgres") {
            chown(directory, entry.pointee.pw_uid, entry.pointee.pw_gid)
        }
        let made = try run(
            "initdb",
            ["-D", directory + "/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"])
        made.waitUntilExit()
        guard made.terminationStatus == 0 else { throw QueryError(.ioError, "initdb failed") }
        try start()
    }

    deinit {
        stop()
        try? FileManager.default.removeItem(atPath: directory)
    }

    package func start(_ settings: [String] = []) throws {
        process = try run(
            "postgres",
            [
                "-D", directory + "/data", "-p", "\(port)", "-k", directory, "-c", "listen_addresses=127.0.0.1", "-c",
                "fsync=off", "-c", "shared_buffers=32MB", "-c", "max_connections=40", "-c", "autovacuum=off",
            ] + settings.flatMap { ["-c", $0] })
        let deadline = Date().addingTimeInterval(20)
        while Date() < deadline {
            if psql("SELECT 1") == "1" { return }
            usleep(50_000)
        }
        throw QueryError(.ioError, "the server did not start")
    }

    /// Ends it at once, as a fast shutdown or without any warning.
    package func stop(abruptly: Bool = false) {
        guard let process, process.isRunning else { return }
        kill(process.processIdentifier, abruptly ? SIGQUIT : SIGINT)
        process.waitUntilExit()
        self.process = nil
    }

    private func run(_ program: String, _ arguments: [String]) throws -> Process {
        let process = Process()
        let path = (Self.programs ?? "") + "/" + program
        if getuid() == 0 {
            process.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
            process.arguments = ["--reuid=postgres", "--regid=postgres", "--clear-groups", path] + arguments
        } else {
            process.executableURL = URL(fileURLWithPath: path)
            process.arguments = arguments
        }
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    private static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard bound else { throw QueryError(.ioError, "no free port") }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    /// What psql prints for a statement, `nil` if it fails.
    @discardableResult
    package func psql(_ sql: String, database: String = "postgres", options: [String] = []) -> String? {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: (Self.programs ?? "") + "/psql")
        process.arguments =
            [
                "-h", "127.0.0.1", "-p", "\(port)", "-U", "postgres", "-d", database, "-qAtX", "-v", "ON_ERROR_STOP=1",
            ] + options + ["-c", sql]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        do { try process.run() } catch { return nil }
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { return nil }
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .newlines)
    }

    /// Keys of a catalogue on this server.
    package func values(_ more: [String: String] = [:]) -> [String: String] {
        ["dsn": "postgres://postgres@127.0.0.1:\(port)/postgres"].merging(more) { _, new in new }
    }

    package func backend(_ more: [String: String] = [:]) throws -> PostgresBackend {
        PostgresBackend(try PostgresOptions(ConfigurationSection(name: "pg", values: values(more))))
    }
}
