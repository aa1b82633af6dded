// An object store of the tests' own.

import Diagnostics
import EngineConfiguration
import FileFormats
import Foundation
import Storage

@testable import S3Storage

/// Starts `weed server` on free ports of the loopback, once for all tests, and ends it with the process.
package final class S3Server: @unchecked Sendable {
    /// The program; `nil` if it is not installed.
    package static let program: String? = {
        let environment = ProcessInfo.processInfo.environment
        let candidates =
            [environment["MARTLET_TEST_WEED"]].compactMap { $0 }
            + (environment["PATH"] ?? "").split(separator: ":").map { $0 + "/weed" } + [fetched]
        return candidates.first { FileManager.default.isExecutableFile(atPath: $0) }
    }()
    /// Where `scripts/install-dependencies --test-tools` puts it.
    private static let fetched = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../.build/tools/weed").standardized.path
    package static let reason =
        "SeaweedFS is not installed: scripts/install-dependencies --test-tools, or MARTLET_TEST_WEED=…/weed"

    package static let accessKey = "tester"
    package static let secretKey = "a secret of tests"
    /// May do nothing.
    package static let weakAccessKey = "nobody"

    private static let started = Result { try S3Server() }
    package static func shared() throws -> S3Server { try started.get() }

    package let port: Int
    let directory: String
    private let process = Process()

    package var endpoint: String { "http://127.0.0.1:\(port)" }

    private init() throws {
        directory = "/tmp/martlet-s3-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        try FileManager.default.createDirectory(atPath: directory + "/data", withIntermediateDirectories: true)
        let users = """
            {"identities": [
              {"name": "tester", "credentials": [{"accessKey": "\(Self.accessKey)", "secretKey": "\(Self.secretKey)"}],
               "actions": ["Admin", "Read", "List", "Tagging", "Write"]},
              {"name": "nobody", "credentials": [{"accessKey": "\(Self.weakAccessKey)", "secretKey": "\(Self.secretKey)"}],
               "actions": ["Read:other", "List:other"]}]}
            """
        try users.write(toFile: directory + "/users.json", atomically: true, encoding: .utf8)
        // The gRPC ports lie 10,000 above: ports below the range that the system hands out.
        var ports: [Int] = []
        while ports.count < 4 {
            let port = Int.random(in: 12_000..<21_000)
            if !ports.contains(port), Self.isFree(port), Self.isFree(port + 10_000) { ports.append(port) }
        }
        port = ports[3]
        process.executableURL = URL(fileURLWithPath: Self.program ?? "")
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        process.arguments = [
            "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-dir=\(directory)/data", "-master.port=\(ports[0])",
            "-volume.port=\(ports[1])", "-volume.max=30", "-filer", "-filer.port=\(ports[2])", "-s3",
            "-s3.port=\(port)",
            // Interfaces that no test uses would take fixed ports.
            "-s3.port.iceberg=0", "-s3.port.lance=0",
            "-s3.config=\(directory)/users.json", "-master.telemetry=false", "-master.volumeSizeLimitMB=128",
        ]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        SharedServerEnd.note(process.processIdentifier, directory)
        try waitForBucket()
    }

    private static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    package static let bucket = "martlet"

    private func waitForBucket() throws {
        let store = try store()
        let deadline = Date().addingTimeInterval(60)
        while Date() < deadline {
            let request = S3Store.Request(method: "PUT", path: ObjectPath(bucket: Self.bucket, key: ""))
            let probe = ObjectPath(bucket: Self.bucket, key: "ready")
            if let response = try? store.answer(store.start(request), "make", probe),
                response.isSuccess || response.status == 409,
                (try? store.put(probe, [1], ifAbsent: false)) == .stored
            {
                return
            }
            usleep(200_000)
        }
        throw QueryError(.ioError, "the server did not start")
    }

    package func values(_ more: [String: String] = [:]) -> [String: String] {
        [
            "endpoint": endpoint, "credentials": "keys", "access-key": Self.accessKey, "secret-key": Self.secretKey,
        ].merging(more) { $1 }
    }

    private func store() throws -> S3Store {
        S3Store(try S3Options(ConfigurationSection(name: "s", values: values()), environment: [:]))
    }

    /// A prefix that no other test has.
    package static func prefix(_ name: String) -> String {
        "s3://\(bucket)/\(name)-\(UInt32.random(in: 0...UInt32.max))"
    }
}
