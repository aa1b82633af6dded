// A database file of the test's own, and the library itself to look at it from outside.

import CSQLite
import Diagnostics
import EngineConfiguration
import EngineTestSupport
import Foundation
import SQLiteStorage
import Storage

package final class DatabaseFile: Sendable {
    package let directory: String
    package var path: String { directory + "/data.db" }

    package init(_ sql: String? = nil) throws {
        directory = NSTemporaryDirectory() + "martlet-sqlite-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        if let sql { try run(sql) }
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// Runs SQL on a connection of its own; gives the rows of all statements as text.
    @discardableResult
    package func run(_ sql: String) throws -> [[String?]] {
        let connection = try Outsider(path)
        return try connection.run(sql)
    }

    package func values(_ more: [String: String] = [:]) -> [String: String] {
        ["path": path, "busy-timeout": "2s"].merging(more) { _, new in new }
    }

    package func backend(_ more: [String: String] = [:]) throws -> SQLiteBackend {
        SQLiteBackend(try SQLiteOptions(ConfigurationSection(name: "lite", values: values(more))))
    }

    package func engine(workers: Int = 1, _ more: [String: String] = [:]) async throws -> TestEngine {
        try await TestEngine.start(
            workers: workers, catalogs: [("lite", "sqlite", values(more))], plugins: [SQLiteStoragePlugin()])
    }
}

/// Another program with the file open.
package final class Outsider {
    private var handle: OpaquePointer?

    package init(_ path: String) throws {
        guard sqlite3_open(path, &handle) == SQLITE_OK else { throw QueryError(.ioError, "cannot open \(path)") }
        sqlite3_busy_timeout(handle, 10_000)
    }

    deinit { sqlite3_close(handle) }

    @discardableResult
    package func run(_ sql: String) throws -> [[String?]] {
        final class Rows { var rows: [[String?]] = [] }
        let rows = Rows()
        let code = sqlite3_exec(
            handle, sql,
            { context, count, values, _ in
                guard let context, let values else { return 0 }
                let rows = Unmanaged<Rows>.fromOpaque(context).takeUnretainedValue()
                rows.rows.append((0..<Int(count)).map { values[$0].map { String(cString: $0) } })
                return 0
            }, Unmanaged.passUnretained(rows).toOpaque(), nil)
        guard code == SQLITE_OK else {
            throw QueryError(.ioError, "\(sql.prefix(80)): \(String(cString: sqlite3_errmsg(handle)))")
        }
        return rows.rows
    }
}
