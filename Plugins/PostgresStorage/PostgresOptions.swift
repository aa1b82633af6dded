// The keys of a catalogue of type "postgres".

import CLibPQ
import Diagnostics
import EngineConfiguration

/// What a section of the configuration says, checked.
package struct PostgresOptions: Sendable {
    package static let keys = [
        ConfigurationKey(
            "dsn", .secret, "",
            "Server and database, as postgres://USER@HOST:PORT/DATABASE or as host=… dbname=…; what is left out comes "
                + "from the variables PGHOST, PGPORT, … of the process."),
        ConfigurationKey("password", .secret, "", "Password, so that it need not stand in dsn."),
        ConfigurationKey(
            "pool-minimum", .integer(minimum: 0, maximum: 10_000), "0", "Connections that each node keeps open."),
        ConfigurationKey(
            "pool-maximum", .integer(minimum: 2, maximum: 10_000), "10",
            "Connections that each node has at most. Half of them can keep snapshots for statements."),
        ConfigurationKey(
            "pool-idle-time", .duration, "5min", "Time after which a connection that nobody uses is closed; 0 is never."
        ),
        ConfigurationKey(
            "pool-life-time", .duration, "30min", "Age at which a connection is replaced by a new one; 0 is never."),
        ConfigurationKey(
            "pool-wait-timeout", .duration, "30s", "Longest time that a scan waits for a connection; then error 53300."),
        ConfigurationKey("connect-timeout", .duration, "5s", "Longest time that opening a connection takes."),
        ConfigurationKey(
            "statement-timeout", .duration, "0s",
            "Longest time that the server may take for one statement; 0 is no limit."),
        ConfigurationKey("split-size", .byteCount, "64MiB", "Bytes of a table that one reader reads at a time."),
        ConfigurationKey("read-only", .boolean, "false", "Whether statements that change the database are refused."),
    ]

    /// The catalogue's name, for messages.
    package var name: String
    var parameters: [(keyword: String, value: String)]
    package var pool: PoolInstance.Options
    var connectMilliseconds: Int
    var splitByteCount: Int
    var isReadOnly: Bool

    package init(_ section: ConfigurationSection) throws {
        let values = try section.values(of: Self.keys)
        name = section.name
        func milliseconds(_ key: String) -> Int { ConfigurationValue.milliseconds(values[key] ?? "") ?? 0 }
        func integer(_ key: String) -> Int { Int(values[key] ?? "") ?? 0 }
        connectMilliseconds = max(100, milliseconds("connect-timeout"))
        splitByteCount = max(8192, ConfigurationValue.byteCount(values["split-size"] ?? "") ?? 0)
        isReadOnly = ConfigurationValue.boolean(values["read-only"] ?? "") ?? false
        pool = PoolInstance.Options(
            minimum: integer("pool-minimum"), maximum: integer("pool-maximum"),
            idleMilliseconds: milliseconds("pool-idle-time"), lifeMilliseconds: milliseconds("pool-life-time"),
            waitMilliseconds: milliseconds("pool-wait-timeout"))
        guard pool.minimum <= pool.maximum else {
            throw QueryError(
                .configurationFileError, "\(section.name): pool-minimum is larger than pool-maximum",
                object: "pool-minimum")
        }
        parameters = try Self.parse(values["dsn"] ?? "", name: section.name)
        if let password = values["password"], !password.isEmpty { set("password", password) }
        setDefault("application_name", "martlet")
        // A peer that is gone without a word is noticed in half a minute.
        setDefault("keepalives_idle", "15")
        setDefault("keepalives_interval", "5")
        setDefault("keepalives_count", "3")
        setDefault("tcp_user_timeout", "30000")
        set("client_encoding", "UTF8")
        var settings =
            "-c datestyle=ISO -c intervalstyle=postgres -c timezone=UTC -c extra_float_digits=3 -c bytea_output=hex"
            + " -c standard_conforming_strings=on -c idle_in_transaction_session_timeout=0"
        let limit = milliseconds("statement-timeout")
        if limit > 0 { settings += " -c statement_timeout=\(limit)" }
        if isReadOnly { settings += " -c default_transaction_read_only=on" }
        let given = parameters.first { $0.keyword == "options" }.map { $0.value + " " } ?? ""
        set("options", given + settings)
    }

    private mutating func set(_ keyword: String, _ value: String) {
        parameters.removeAll { $0.keyword == keyword }
        parameters.append((keyword, value))
    }

    private mutating func setDefault(_ keyword: String, _ value: String) {
        if !parameters.contains(where: { $0.keyword == keyword }) { parameters.append((keyword, value)) }
    }

    private static func parse(_ text: String, name: String) throws -> [(keyword: String, value: String)] {
        if text.isEmpty { return [] }
        var message: UnsafeMutablePointer<CChar>?
        guard let options = PQconninfoParse(text, &message) else {
            let reason = message.map { String(cString: $0) } ?? "out of memory"
            message.map { PQfreemem($0) }
            throw QueryError(
                .configurationFileError, "\(name): dsn cannot be understood", detail: ConnectionErrors.line(reason),
                object: "dsn")
        }
        defer { PQconninfoFree(options) }
        var result: [(keyword: String, value: String)] = []
        var at = options
        while let keyword = at.pointee.keyword {
            if let value = at.pointee.val { result.append((String(cString: keyword), String(cString: value))) }
            at += 1
        }
        return result
    }

    func checkWritable() throws {
        guard isReadOnly else { return }
        throw QueryError(
            .readOnlySQLTransaction, "catalog \"\(name)\" is read-only", hint: "Its key read-only says so.")
    }
}
