// What is measured: sessions of an engine in this process, or of a server.

import Coordination
import Diagnostics

/// Opens sessions, as many as there are clients.
package struct BenchmarkTarget: Sendable {
    /// As reports name it.
    package var name: String
    package var isEmbedded: Bool
    package var open: @Sendable () async throws -> any ShellConnection

    package static func embedded(_ engine: QueryEngine) -> BenchmarkTarget {
        BenchmarkTarget(name: "embedded", isEmbedded: true) {
            EmbeddedConnection(engine: engine, applicationName: "martlet bench")
        }
    }

    package static func server(_ address: ServerAddress, connect: @escaping ServerConnector) -> BenchmarkTarget {
        var address = address
        address.applicationName = "martlet bench"
        let opened = address
        return BenchmarkTarget(name: "\(address.host):\(address.port)", isEmbedded: false) {
            try await connect(opened)
        }
    }
}

/// What one run of a statement gave.
struct BenchmarkRun: Sendable {
    var microseconds: Int64
    var digest: ResultDigest
}

extension ShellConnection {
    /// Runs a statement to its last row. Only on demand the rows are looked at.
    func measure(_ sql: String, digests: Bool = false) async throws -> BenchmarkRun {
        let start = ContinuousClock.now
        var digest = ResultDigest()
        var columnCount = 0
        var rowCount = 0
        try await run(sql) { event in
            switch event {
            case .columns(let columns): columnCount = columns.count
            case .rows(let rows):
                rowCount += rows.rowCount
                guard digests else { return }
                for row in 0..<rows.rowCount {
                    digest.add(
                        (0..<columnCount).map { column in
                            guard !rows.isNull(row, column) else { return nil }
                            var text: [UInt8] = []
                            rows.append(row, column, into: &text)
                            return text
                        })
                }
            case .notice, .copyData, .done: return
            }
        }
        let elapsed = (ContinuousClock.now - start).components
        return BenchmarkRun(
            microseconds: elapsed.seconds * 1_000_000 + elapsed.attoseconds / 1_000_000_000_000,
            digest: digests ? digest : ResultDigest(rowCount: rowCount, value: 0))
    }
}

/// What the process has used.
enum ProcessMemory {
    /// The largest resident size so far, 0 where the system does not say.
    static var peakByteCount: Int64 {
        guard let text = try? ScriptFile.read("/proc/self/status") else { return 0 }
        for line in text.split(separator: "\n") where line.hasPrefix("VmHWM:") {
            return (line.split(separator: " ").dropFirst().first.flatMap { Int64($0) } ?? 0) * 1024
        }
        return 0
    }
}
