// Every key of the configuration, declared once. `martlet config` prints this list.

package enum ConfigurationRegistry {
    package static let keys: [ConfigurationKey] = [
        ConfigurationKey(
            "host", .text, "127.0.0.1",
            "Address that a node listens on. A server needs users on one that other machines reach (server.allow-unauthenticated)."
        ),
        ConfigurationKey("data", .path, "", "Directory whose Parquet and CSV files are tables of the schema public."),
        ConfigurationKey(
            "threads", .integer(minimum: 0, maximum: 1024), "0", "Threads that run queries; 0 is one for each core."),
        ConfigurationKey(
            "memory-limit", .byteCount, "0",
            "Memory for queries on this node; 0 is 80 % of what the machine or group has."),
        ConfigurationKey(
            "cache-limit", .byteCount, "0",
            "Memory for what is kept of files from query to query (dictionaries of Parquet columns, columns of small files); "
                + "0 is a 128th of memory-limit, but at least 16 MB or a 16th, and at most 256 MB. 1 byte keeps nothing."
        ),
        ConfigurationKey(
            "spill-directory", .path, "",
            "Where operators write what does not fit into their memory; empty is $TMPDIR or /tmp."),

        ConfigurationKey(
            "cluster.id", .text, "martlet", "Name of the cluster; workers join only a coordinator of the same name."),
        ConfigurationKey("coordinator.pg-port", .port, "5433", "Port of the PostgreSQL protocol; 0 is any free one."),
        ConfigurationKey("coordinator.grpc-port", .port, "50051", "Port on which workers register; 0 is any free one."),
        ConfigurationKey(
            "coordinator.http-port", .port, "8080",
            "Port of the dashboard, the HTTP API and metrics; 0 is any free one."),
        ConfigurationKey(
            "coordinator.http-origins", .list, "",
            "Origins of web pages, besides the coordinator's own, that may use its HTTP API, with commas between them."),
        ConfigurationKey(
            "coordinator.dashboard", .path, "",
            "Directory of the dashboard's files; empty is one near the program."),
        ConfigurationKey(
            "coordinator.advertised-host", .text, "",
            "Address that workers fetch the coordinator's rows from; empty is host."),
        ConfigurationKey(
            "coordinator.exchange-port", .port, "0", "Port on which the coordinator serves rows; 0 is any free one."),
        ConfigurationKey(
            "coordinator.local-row-limit", .integer(minimum: 0, maximum: 1_000_000_000), "20000",
            "Queries over tables of no more rows together run on the coordinator, not on workers; 0 is none."),
        ConfigurationKey(
            "coordinator.result-hold-back", .byteCount, "32MiB",
            "Bytes of a result kept from its client so that a lost worker goes unnoticed; 0 is none."),
        ConfigurationKey(
            "coordinator.max-running-queries", .integer(minimum: 0, maximum: 100_000), "100",
            "Queries that run at the same time; further ones wait. 0 is no limit."),
        ConfigurationKey(
            "coordinator.max-queued-queries", .integer(minimum: 0, maximum: 1_000_000), "1000",
            "Queries that wait at the same time; further ones are refused. 0 is no limit."),
        ConfigurationKey(
            "coordinator.max-reserved-memory", .byteCount, "0",
            "Memory that running queries reserve on one worker together; 0 is the coordinator's memory-limit."),
        ConfigurationKey(
            "coordinator.queue-timeout", .duration, "5min", "Longest time that a query waits for its place."),
        ConfigurationKey(
            "coordinator.worker-timeout", .duration, "60s",
            "Longest time that a query which has lost every worker waits for another one."),
        ConfigurationKey(
            "coordinator.crash-report-timeout", .duration, "5s",
            "Longest time that a query which has lost a second worker waits for both to say why they died."),
        ConfigurationKey(
            "coordinator.worker-quarantine", .duration, "60s",
            "Time without work for a worker that fails often; twice as long each time, up to 30 minutes."),

        ConfigurationKey(
            "worker.join", .list, "",
            "Coordinators to join, with commas between them: HOST:PORT, or dns://NAME:PORT for all that have the name."),
        ConfigurationKey("worker.id", .text, "", "Name of the worker; empty is one made of host and port."),
        ConfigurationKey(
            "worker.grpc-port", .port, "50052",
            "Port on which a worker takes tasks; 0 is any free one. If not set, the first free one from the default on."
        ),
        ConfigurationKey("worker.exchange-port", .port, "0", "Port on which a worker serves rows; 0 is any free one."),
        ConfigurationKey(
            "worker.advertised-host", .text, "", "Address that other nodes reach the worker by; empty is host."),
        ConfigurationKey(
            "worker.advertised-exchange-port", .port, "0",
            "Port that other nodes reach the worker's rows by; 0 is the one on which it serves them."),
        ConfigurationKey(
            "worker.drain-timeout", .duration, "30s", "Time for running tasks to end when a worker is stopped."),

        ConfigurationKey(
            "transport.control", .choice(["grpc", "inprocess"]), "grpc", "Transport of tasks and membership."),
        ConfigurationKey(
            "transport.exchange", .choice(["tcp", "grpc", "inprocess"]), "tcp", "Transport of rows between nodes."),

        ConfigurationKey(
            "server.max-connections", .integer(minimum: 1, maximum: 100_000), "500",
            "PostgreSQL connections at the same time."),
        ConfigurationKey(
            "server.allow-unauthenticated", .boolean, "false",
            "Whether a server without users may listen on an address that other machines reach."),
        ConfigurationKey(
            "server.authentication-timeout", .duration, "60s",
            "Time for a PostgreSQL client to begin its session, in which it proves who it is."),
        ConfigurationKey(
            "server.max-message-size", .byteCount, "64MiB",
            "Longest message taken from a client of PostgreSQL or Flight SQL."),

        ConfigurationKey(
            "flight.max-sessions", .integer(minimum: 1, maximum: 100_000), "500",
            "Flight SQL sessions at the same time."),
        ConfigurationKey(
            "flight.session-timeout", .duration, "30min", "A Flight SQL session that makes no calls ends after this."),
        ConfigurationKey(
            "flight.ticket-timeout", .duration, "5min", "A Flight SQL result that nobody fetches is dropped after this."
        ),
        ConfigurationKey(
            "flight.transaction-timeout", .duration, "10min",
            "A transaction of Flight SQL without calls is rolled back after this."),

        ConfigurationKey(
            "server.file-roots", .list, "",
            "Directories below which a server's statements read and write files by their paths, with commas between them; "
                + "empty: files are read anywhere and written nowhere."),

        ConfigurationKey(
            "tls.certificate", .path, "",
            "File with the certificate that clients see and those that it depends on, in PEM; empty: no TLS. It serves the "
                + "ports of PostgreSQL, HTTP and Flight SQL."),
        ConfigurationKey("tls.key", .path, "", "File with the private key of tls.certificate, in PEM."),
        ConfigurationKey(
            "tls.required", .boolean, "false",
            "Whether clients that do not use TLS are refused; over HTTP all but /healthz and /readyz."),

        ConfigurationKey(
            "cluster.tls.certificate", .path, "",
            "File with this node's certificate, in PEM, by which nodes of the cluster know each other; empty: they do not ask."
        ),
        ConfigurationKey("cluster.tls.key", .path, "", "File with the private key of cluster.tls.certificate, in PEM."),
        ConfigurationKey(
            "cluster.tls.authority", .path, "",
            "File with the certificate of the authority that signs the nodes' certificates, in PEM."),
        ConfigurationKey(
            "cluster.allow-unauthenticated", .boolean, "false",
            "Whether a node without cluster.tls may listen on an address that other machines reach."),

        ConfigurationKey(
            "state.store", .choice(["sqlite", "postgres", "none"]), "sqlite",
            "Where a coordinator keeps its history of queries over its end."),
        ConfigurationKey(
            "state.path", .path, "",
            "File of the store sqlite; empty is .martlet/state.db in the directory data, and none without one."),
        ConfigurationKey("state.dsn", .secret, "", "Server and database of the store postgres."),
        ConfigurationKey(
            "state.history-max", .integer(minimum: 0, maximum: 100_000_000), "10000", "Queries that the store keeps."),
        ConfigurationKey(
            "state.queue-max", .integer(minimum: 1, maximum: 1_000_000), "1000",
            "Changes that wait for the store; further ones are dropped and counted."),

        ConfigurationKey(
            "log.level", .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]), "info",
            "Least severity of log lines."),
        ConfigurationKey("log.format", .choice(["text", "json"]), "text", "Form of log lines."),

        ConfigurationKey(
            "trace.endpoint", .text, "",
            "Collector that a coordinator sends the traces of its queries to by OTLP over HTTP, as http://HOST:4318/v1/traces; "
                + "empty: none."),
        ConfigurationKey(
            "trace.share", .text, "1",
            "Share of the queries that come without a client's trace of which one is made, from 0 to 1. With a client's trace its "
                + "flag decides."),
        ConfigurationKey("trace.service-name", .text, "martlet", "Name of the service in traces."),
        ConfigurationKey(
            "trace.statements", .boolean, "false",
            "Whether traces have the texts of statements, values in them included."),
        ConfigurationKey(
            "trace.headers", .secret, "", "Headers sent to the collector, as NAME=VALUE with commas between them."),

        ConfigurationKey(
            "shell.history-file", .path, "", "Where the shell keeps its history; empty is below ~/.local/state."),
        ConfigurationKey("shell.format", .choice(shellFormats), "table", "Form in which the shell prints rows."),
    ]

    package static let shellFormats = [
        "table", "expanded", "csv", "tsv", "json", "jsonl", "markdown", "html", "parquet", "arrow",
    ]

    private static let byName = Dictionary(keys.map { ($0.name, $0) }) { first, _ in first }
    package static func key(_ name: String) -> ConfigurationKey? { byName[name] }

    /// Prefix of the keys of catalogues: `catalogs.NAME.type` and the plug-in's own.
    package static let catalogPrefix = "catalogs."
    package static let catalogText = "Catalogue NAME: its storage plug-in (type) and the keys of that plug-in."

    /// Prefix of the keys of users: `users.NAME.password` and its like.
    package static let userPrefix = "users."
    /// Keys of each user, by themselves, with what they mean.
    package static let userKeys: [ConfigurationKey] = [
        ConfigurationKey(
            "password", .secret, "", "The password, or its verifier: SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY."
        ),
        ConfigurationKey("password-file", .path, "", "File with the password or its verifier."),
        ConfigurationKey("password-variable", .text, "", "Environment variable with the password or its verifier."),
        ConfigurationKey("token", .secret, "", "Bearer token for the HTTP API and Flight SQL."),
        ConfigurationKey("token-file", .path, "", "File with the token."),
        ConfigurationKey("token-variable", .text, "", "Environment variable with the token."),
        ConfigurationKey(
            "administrator", .boolean, "false", "Whether the user sees and stops, over HTTP, what others run."),
    ]

    /// The user and the key of a name `users.NAME.KEY`; names may have points in them.
    static func userKey(_ name: String) -> (user: String, key: ConfigurationKey)? {
        guard name.hasPrefix(userPrefix), let point = name.lastIndex(of: ".") else { return nil }
        let start = name.index(name.startIndex, offsetBy: userPrefix.count)
        guard start < point, let key = userKeys.first(where: { $0.name == name[name.index(after: point)...] }) else {
            return nil
        }
        return (String(name[start..<point]), key)
    }

    /// Variables with our prefix that are no keys: switches of the build, of tests and of scripts.
    static func isForeign(_ variable: String) -> Bool {
        foreignVariables.contains(variable) || variable.hasPrefix("MARTLET_TEST_")
    }
    private static let foreignVariables: Set<String> = [
        "MARTLET_ISA", "MARTLET_OPTIMIZE", "MARTLET_ENGINE_ONLY", "MARTLET_CONFIG", "MARTLET_BENCHMARKS",
        "MARTLET_CORPUS_REPORT", "MARTLET_CSV", "MARTLET_KEEP", "MARTLET_PRINT_PLAN", "MARTLET_PROGRAM", "MARTLET_TPCH",
        "MARTLET_UPDATE_GOLDEN",
    ]
}
