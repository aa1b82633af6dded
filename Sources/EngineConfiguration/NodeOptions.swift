// Read-only options of the parts of a process, with what is left open filled in from the machine.

import Diagnostics

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Options of every process that runs queries.
package struct NodeOptions: Sendable {
    private static let clusterTLSKeys = ["certificate", "key", "authority"]

    package let host: String
    /// At least 1.
    package let threads: Int
    /// Bytes.
    package let memoryLimit: Int
    /// Bytes that are kept of files from query to query.
    package let cacheLimit: Int
    package let spillDirectory: String
    package let dataDirectory: String?
    package let clusterID: String
    package let controlTransport: String
    package let exchangeTransport: String
    package let catalogs: [ConfigurationSection]
    /// The keys of `cluster.tls` by themselves; empty without.
    package let clusterTLS: [String: String]

    package init(_ configuration: EngineConfiguration) throws {
        host = configuration["host"]
        let threads = configuration.integer("threads")
        self.threads = threads > 0 ? threads : Machine.coreCount
        let limit = configuration.byteCount("memory-limit")
        memoryLimit = limit > 0 ? limit : Machine.memoryByteCount / 10 * 8
        let cache = configuration.byteCount("cache-limit")
        cacheLimit = cache > 0 ? cache : min(memoryLimit / 16, max(16 << 20, memoryLimit / 128), 256 << 20)
        let spill = configuration["spill-directory"]
        spillDirectory = spill.isEmpty ? getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp" : spill
        let data = configuration["data"]
        dataDirectory = data.isEmpty ? nil : data
        clusterID = configuration["cluster.id"]
        controlTransport = configuration["transport.control"]
        exchangeTransport = configuration["transport.exchange"]
        var files: [String: String] = [:]
        for key in Self.clusterTLSKeys where !configuration["cluster.tls.\(key)"].isEmpty {
            files[key] = configuration["cluster.tls.\(key)"]
        }
        if !files.isEmpty, let missing = Self.clusterTLSKeys.first(where: { files[$0] == nil }) {
            throw QueryError(
                .configurationFileError,
                "cluster.tls.certificate, cluster.tls.key and cluster.tls.authority are set together or not at all",
                object: "cluster.tls.\(missing)")
        }
        clusterTLS = files
        // By a server's switch too: it stands for all that the process serves.
        guard
            !files.isEmpty || HostAddress.isLoopback(host) || configuration.boolean("cluster.allow-unauthenticated")
                || configuration.boolean("server.allow-unauthenticated")
        else {
            throw QueryError(
                .configurationFileError,
                "a node whose cluster has no certificates listens only on addresses of this machine, not on \"\(host)\"",
                hint: "Set cluster.tls.certificate, .key and .authority (`martlet certs` makes such files), "
                    + "or cluster.allow-unauthenticated to true.",
                object: "host")
        }
        catalogs = configuration.catalogs
        for catalog in catalogs { _ = try catalog.required("type") }
    }
}

package struct CoordinatorOptions: Sendable {
    package let postgresPort: Int
    package let grpcPort: Int
    package let httpPort: Int
    package let httpOrigins: [String]
    package let dashboardDirectory: String?
    package let exchangePort: Int
    package let advertisedHost: String?
    package let localRowLimit: Int
    package let holdBackByteLimit: Int
    package let maxRunningQueries: Int
    package let maxQueuedQueries: Int
    /// 0: as much as the node has.
    package let maxReservedMemory: Int
    package let queueMilliseconds: Int
    package let workerTimeoutMilliseconds: Int
    package let quarantineMilliseconds: Int
    package let crashReportMilliseconds: Int
    package let maxConnections: Int
    package let maxMessageByteCount: Int
    package let allowsUnauthenticated: Bool
    package let authenticationMilliseconds: Int
    /// Paths of the files; `nil` without TLS.
    package let tls: (certificate: String, key: String)?
    package let isTLSRequired: Bool
    package let maxFlightSessions: Int
    package let flightSessionMilliseconds: Int
    package let flightTicketMilliseconds: Int
    package let flightTransactionMilliseconds: Int

    package init(_ configuration: EngineConfiguration) throws {
        postgresPort = configuration.integer("coordinator.pg-port")
        grpcPort = configuration.integer("coordinator.grpc-port")
        httpPort = configuration.integer("coordinator.http-port")
        httpOrigins = configuration.list("coordinator.http-origins")
        let dashboard = configuration["coordinator.dashboard"]
        dashboardDirectory = dashboard.isEmpty ? nil : dashboard
        exchangePort = configuration.integer("coordinator.exchange-port")
        let advertised = configuration["coordinator.advertised-host"]
        advertisedHost = advertised.isEmpty ? nil : advertised
        localRowLimit = configuration.integer("coordinator.local-row-limit")
        holdBackByteLimit = configuration.byteCount("coordinator.result-hold-back")
        maxRunningQueries = configuration.integer("coordinator.max-running-queries")
        maxQueuedQueries = configuration.integer("coordinator.max-queued-queries")
        maxReservedMemory = configuration.byteCount("coordinator.max-reserved-memory")
        queueMilliseconds = configuration.milliseconds("coordinator.queue-timeout")
        workerTimeoutMilliseconds = configuration.milliseconds("coordinator.worker-timeout")
        quarantineMilliseconds = configuration.milliseconds("coordinator.worker-quarantine")
        crashReportMilliseconds = configuration.milliseconds("coordinator.crash-report-timeout")
        maxConnections = configuration.integer("server.max-connections")
        maxMessageByteCount = max(1 << 16, configuration.byteCount("server.max-message-size"))
        allowsUnauthenticated = configuration.boolean("server.allow-unauthenticated")
        authenticationMilliseconds = max(1, configuration.milliseconds("server.authentication-timeout"))
        let certificate = configuration["tls.certificate"]
        let key = configuration["tls.key"]
        guard certificate.isEmpty == key.isEmpty else {
            throw QueryError(
                .configurationFileError, "tls.certificate and tls.key are set together or not at all",
                object: certificate.isEmpty ? "tls.certificate" : "tls.key")
        }
        tls = certificate.isEmpty ? nil : (certificate, key)
        isTLSRequired = configuration.boolean("tls.required")
        guard tls != nil || !isTLSRequired else {
            throw QueryError(
                .configurationFileError, "tls.required needs tls.certificate and tls.key", object: "tls.required")
        }
        maxFlightSessions = configuration.integer("flight.max-sessions")
        flightSessionMilliseconds = configuration.milliseconds("flight.session-timeout")
        flightTicketMilliseconds = configuration.milliseconds("flight.ticket-timeout")
        flightTransactionMilliseconds = configuration.milliseconds("flight.transaction-timeout")
    }
}

package struct WorkerProcessOptions: Sendable {
    package let coordinators: [String]
    package let id: String?
    package let grpcPort: Int
    /// Whether the port was chosen by a user: then no other is tried.
    package let isGRPCPortFixed: Bool
    package let exchangePort: Int
    package let advertisedHost: String?
    /// 0: the port on which rows are served.
    package let advertisedExchangePort: Int
    package let drainMilliseconds: Int

    package init(_ configuration: EngineConfiguration) throws {
        coordinators = configuration.list("worker.join")
        guard !coordinators.isEmpty else {
            throw QueryError(
                .configurationFileError, "a worker needs a coordinator to join",
                hint: "Give --join HOST:PORT, or dns://NAME:PORT.",
                object: "worker.join")
        }
        let id = configuration["worker.id"]
        self.id = id.isEmpty ? nil : id
        grpcPort = configuration.integer("worker.grpc-port")
        isGRPCPortFixed = configuration.isSet("worker.grpc-port")
        exchangePort = configuration.integer("worker.exchange-port")
        let advertised = configuration["worker.advertised-host"]
        advertisedHost = advertised.isEmpty ? nil : advertised
        advertisedExchangePort = configuration.integer("worker.advertised-exchange-port")
        drainMilliseconds = configuration.milliseconds("worker.drain-timeout")
    }
}

package enum HostAddress {
    /// Whether only this machine reaches a listener on the address.
    package static func isLoopback(_ host: String) -> Bool {
        if ["localhost", "::1", "[::1]"].contains(host.lowercased()) { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}

/// What the machine, or the group of processes that we are confined to, has.
package enum Machine {
    /// Cores that this process may use.
    package static var coreCount: Int {
        let online = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        // A group of processes may have less: "quota period" in microseconds, or "max".
        let quota = (text(inFile: "/sys/fs/cgroup/cpu.max") ?? "").split(separator: " ")
        if quota.count == 2, let time = Int(quota[0]), let period = Int(quota[1]), time > 0, period > 0 {
            return min(online, max(1, (time + period - 1) / period))
        }
        return online
    }

    /// Bytes of memory: the machine's, or the group's limit if that is less.
    package static var memoryByteCount: Int {
        let machine = Int(sysconf(Int32(_SC_PHYS_PAGES))) * Int(sysconf(Int32(_SC_PAGESIZE)))
        for path in ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"] {
            if let limit = text(inFile: path).flatMap({ Int($0) }), limit > 0, limit < machine { return limit }
        }
        return machine
    }

    private static func text(inFile path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = fread(&bytes, 1, bytes.count, file)
        return ConfigurationText.trimmed(String(decoding: bytes[..<count], as: UTF8.self))
    }
}
