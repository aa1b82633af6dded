// EngineTestSupport: whole engines for tests, and the runner of SQL scripts.
//
//   TestEngine       an engine in this process: embedded, or a cluster of several workers
//   SQLScript        the script format and its parser
//   ScriptRunner     runs a script against any connection and reports what differs

import Columnar
import Coordination
import Diagnostics
import EmbeddedCluster
import InProcessTransport
import LocalFileStorage
import Logging
import MemoryStorage
import PluginHost
import QueryPlan
import StaticDiscovery
import TPCHStorage

/// Where the repository's fixtures lie.
package enum Fixtures {
    package static let root: String = {
        // Tests/EngineTestSupport/TestEngine.swift is three levels below the repository.
        var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        parts.removeLast(3)
        return parts.joined(separator: "/")
    }()
    package static func path(_ name: String) -> String { "\(root)/Fixtures/\(name)" }
}

/// An engine in this process with catalogues `martlet` (memory), `tpch`, `files`, and `data` if a directory is given.
package final class TestEngine: Sendable {
    package let node: EngineNode

    private init(node: EngineNode) { self.node = node }

    package static let plugins = PluginRegistry([
        MemoryStoragePlugin(), LocalFileStoragePlugin(), TPCHPlugin(), InProcessPlugin(), StaticDiscoveryPlugin(),
    ])

    package static func start(
        workers: Int = 1, threads: Int = 2, memoryByteLimit: Int = 2 << 30, dataDirectory: String? = nil,
        spillDirectory: String? = nil, localRowLimit: Int = 0, holdBackByteLimit: Int? = nil,
        catalogs more: [(name: String, type: String, values: [String: String])] = [],
        plugins others: [any EnginePlugin] = [], state: StateConfiguration? = nil,
        accounts: (any AccountAuthority)? = nil
    ) async throws -> TestEngine {
        var catalogs = [CatalogConfiguration(name: "martlet", type: "memory")]
        if let dataDirectory {
            catalogs.append(CatalogConfiguration(name: "data", type: "file", values: ["directory": dataDirectory]))
        }
        catalogs.append(CatalogConfiguration(name: "files", type: "file"))
        catalogs.append(CatalogConfiguration(name: "tpch", type: "tpch"))
        for other in more {
            catalogs.append(CatalogConfiguration(name: other.name, type: other.type, values: other.values))
        }
        let plugins = PluginRegistry(plugins.plugins + others)
        var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        var configuration = NodeConfiguration(
            threads: threads, memoryByteLimit: memoryByteLimit, localWorkers: workers, catalogs: catalogs,
            localRowLimit: localRowLimit, spillDirectory: spillDirectory)
        if let holdBackByteLimit { configuration.holdBackByteLimit = holdBackByteLimit }
        configuration.state = state
        configuration.accounts = accounts
        return TestEngine(node: try await EngineNode.start(configuration, plugins: plugins, logger: logger))
    }

    /// What is reserved on all workers now, and the most that was reserved on one of them.
    package var reservedByteCount: Int { node.workerMemory.reduce(0) { $0 + $1.reservedByteCount } }
    package var peakByteCount: Int { node.workerMemory.map(\.peakByteCount).max() ?? 0 }

    package func makeConnection(user: String = "martlet") -> any ScriptConnection {
        EngineConnection(node.engine.makeSession(user: user))
    }
    package func shutdown() async { await node.shutdown() }

    /// The rows of the last statement of a text.
    package func query(_ sql: String) async throws -> [[String?]] {
        try await EngineConnection(node.engine.makeSession()).run(sql)
    }
}

/// Something that runs SQL and gives rows as text.
package protocol ScriptConnection: Sendable {
    /// The rows of the last statement; `nil` is NULL. Throws `QueryError`.
    func run(_ sql: String) async throws -> [[String?]]
}

/// A session of an engine in this process.
private final class EngineConnection: ScriptConnection {
    private let session: Session
    init(_ session: Session) { self.session = session }

    func run(_ sql: String) async throws -> [[String?]] {
        var rows: [[String?]] = []
        try await session.run(sql) { result in
            rows = []
            let types = (result.fields ?? []).map(\.type)
            var settings = session.settings.textSettings
            settings.objectNames = result.objectNames
            while let batch = try await result.next() {
                let columns = batch.columns.indices.map { batch.column($0) }
                for row in 0..<batch.rowCount {
                    rows.append(
                        zip(columns, types).map { column, type in
                            column.isNull(row)
                                ? nil : TextFormat.text(of: column.value(at: row), type: type, settings: settings)
                        })
                }
            }
        }
        return rows
    }
}
