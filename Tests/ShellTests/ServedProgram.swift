// The program as a server, and runs of it that end by themselves.

import Foundation
import Testing

/// A standalone server of this build; it ends with the test.
final class ServedProgram {
    /// By service: `grpc`, `postgres`, `http`.
    private(set) var addresses: [String: String] = [:]
    private let process = Process()
    private let path = NSTemporaryDirectory() + "martlet-served-\(UUID().uuidString)"

    /// Ports that are not given are any free ones.
    init(_ arguments: [String] = [], ports: [String: String] = [:], environment: [String: String] = [:]) throws {
        FileManager.default.createFile(atPath: path, contents: nil)
        process.executableURL = URL(fileURLWithPath: try #require(PseudoTerminal.program))
        process.arguments =
            ["standalone"]
            + [("grpc", "--grpc-port"), ("postgres", "--pg-port"), ("http", "--http-port")].flatMap {
                [$0.1, ports[$0.0] ?? "0"]
            } + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle(forWritingAtPath: path)
        process.standardError = FileHandle.nullDevice
        try process.run()
        let deadline = Date().addingTimeInterval(60)
        while addresses.isEmpty, Date() < deadline, process.isRunning {
            usleep(10_000)
            let text = try String(contentsOfFile: path, encoding: .utf8)
            guard text.hasPrefix("ready "), text.hasSuffix("\n") else { continue }
            for part in text.split(whereSeparator: \.isWhitespace) {
                let sides = part.split(separator: "=", maxSplits: 1)
                if sides.count == 2 { addresses[String(sides[0])] = String(sides[1]) }
            }
        }
        try #require(!addresses.isEmpty, "the server does not begin")
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
        try? FileManager.default.removeItem(atPath: path)
    }
}

/// What a run of the shell gave.
struct ShellRun {
    var status: Int32
    var output: String
    var errors: String

    init(_ arguments: [String], input: String = "", environment: [String: String] = [:]) throws {
        let base = NSTemporaryDirectory() + "martlet-run-\(UUID().uuidString)"
        defer { for end in ["in", "out", "err"] { try? FileManager.default.removeItem(atPath: "\(base).\(end)") } }
        try input.write(toFile: base + ".in", atomically: true, encoding: .utf8)
        for end in ["out", "err"] { FileManager.default.createFile(atPath: "\(base).\(end)", contents: nil) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(PseudoTerminal.program))
        process.arguments = ["sql"] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle(forReadingAtPath: base + ".in")
        process.standardOutput = FileHandle(forWritingAtPath: base + ".out")
        process.standardError = FileHandle(forWritingAtPath: base + ".err")
        try process.run()
        process.waitUntilExit()
        status = process.terminationStatus
        output = String(decoding: try Data(contentsOf: URL(fileURLWithPath: base + ".out")), as: UTF8.self)
        errors = String(decoding: try Data(contentsOf: URL(fileURLWithPath: base + ".err")), as: UTF8.self)
    }

    /// The first line that is another one; `nil` if both are the same.
    func difference(from other: ShellRun) -> String? {
        if status != other.status { return "status \(status), not \(other.status)" }
        for (mine, its) in [(output, other.output), (errors, other.errors)] where mine != its {
            let lines = [mine, its].map { $0.split(separator: "\n", omittingEmptySubsequences: false) }
            let place = zip(lines[0], lines[1]).prefix { $0 == $1 }.count
            return "line \(place + 1): "
                + lines.map { place < $0.count ? String($0[place]) : "no line" }.joined(separator: ", not ")
        }
        return nil
    }
}
