// Empty stores for a test or an SQL script: a database of the shared PostgreSQL, a file of SQLite, a prefix of the shared object
// store.

import Diagnostics
import EngineTestSupport
import Foundation
import PluginHost
import PostgresStorage
import S3Storage
import SQLiteStorage

package struct TestStores: Sendable {
    package private(set) var catalogs: [(name: String, type: String, values: [String: String])] = []
    package private(set) var programs: [String: any ScriptStore] = [:]
    package let plugins: [any EnginePlugin] = [PostgresStoragePlugin(), SQLiteStoragePlugin(), S3StoragePlugin()]

    /// Why a store cannot be had; `nil` if it can.
    package static func missing(_ store: SQLScript.Store) -> String? {
        switch store.type {
        case "postgres": PostgresServer.programs == nil ? PostgresServer.reason : nil
        case "s3": S3Server.program == nil ? S3Server.reason : nil
        default: nil
        }
    }

    package init(_ stores: [SQLScript.Store]) throws {
        for store in stores {
            switch store.type {
            case "postgres":
                let server = try PostgresServer.shared()
                let database = "test_\(UInt32.random(in: 0...UInt32.max))"
                guard server.psql("CREATE DATABASE \(database)") != nil else {
                    throw QueryError(.ioError, "CREATE DATABASE failed")
                }
                let values = ["dsn": "postgres://postgres@127.0.0.1:\(server.port)/\(database)", "split-size": "64kB"]
                catalogs.append((store.catalog, "postgres", values))
                programs[store.catalog] = ScriptDatabase(server: server, name: database)
            case "sqlite":
                let file = try DatabaseFile()
                catalogs.append((store.catalog, "sqlite", file.values(["create": "true", "split-rows": "1000"])))
                programs[store.catalog] = ScriptFile(file: file)
            case "s3":
                let server = try S3Server.shared()
                let root = S3Server.prefix("script")
                catalogs.append((store.catalog, "s3", server.values(["root": root, "writable": "true"])))
            default: throw QueryError(.syntaxError, "unknown store \(store.type)")
            }
        }
    }
}

private struct ScriptDatabase: ScriptStore {
    let server: PostgresServer
    let name: String

    func run(_ sql: String) throws -> [String] {
        let options = ["-P", "null=NULL", "-F", "\t"]
        guard let text = server.psql(sql, database: name, options: options) else {
            throw QueryError(.ioError, "psql refuses \(sql)")
        }
        if text.isEmpty { return [] }
        return text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.split(separator: "\t", omittingEmptySubsequences: false).map { $0.isEmpty ? "(empty)" : $0 }
                .joined(separator: "\t")
        }
    }
}

private struct ScriptFile: ScriptStore {
    let file: DatabaseFile

    func run(_ sql: String) throws -> [String] {
        try file.run(sql).map { row in
            row.map { $0.map { $0.isEmpty ? "(empty)" : $0 } ?? "NULL" }.joined(separator: "\t")
        }
    }
}
