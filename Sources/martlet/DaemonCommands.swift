// The daemons: a coordinator, a worker, and both in one process.

#if MARTLET_NETWORK
    import ArgumentParser
    import Authentication
    import ClusterMembership
    import ConnectionSecurity
    import Coordination
    import Diagnostics
    import EmbeddedCluster
    import EngineConfiguration
    import Frontends
    import HTTPFrontend
    import Logging
    import NIOCore
    import NIOPosix
    import PostgresFrontend
    import TraceExport
    import Transport

    #if canImport(Glibc)
        import Glibc
    #elseif canImport(Darwin)
        import Darwin
    #endif

    /// Flags of the daemons that serve clients.
    struct ServerFlags: ParsableArguments {
        @Option(help: ArgumentHelp("Address to listen on.", valueName: "HOST"))
        var host: String?
        @Option(help: ArgumentHelp("Port of the PostgreSQL protocol; 0 is any free one.", valueName: "PORT"))
        var pgPort: String?
        @Option(help: ArgumentHelp("Port on which workers register; 0 is any free one.", valueName: "PORT"))
        var grpcPort: String?
        @Option(
            help: ArgumentHelp("Port of the dashboard, the HTTP API and metrics; 0 is any free one.", valueName: "PORT")
        )
        var httpPort: String?
        @OptionGroup var common: CommonFlags

        func load() throws -> EngineConfiguration {
            try common.load([
                ("host", host, "--host"), ("coordinator.pg-port", pgPort, "--pg-port"),
                ("coordinator.grpc-port", grpcPort, "--grpc-port"), ("coordinator.http-port", httpPort, "--http-port"),
            ])
        }
    }

    struct StandaloneCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "standalone", abstract: "Serve clients with a coordinator and a worker in one process.")
        @OptionGroup var flags: ServerFlags

        func run() async throws {
            let configuration = try failing { try flags.load() }
            try await ServerDaemon.run(configuration, localWorkers: 1, reload: { try flags.load() })
        }
    }

    struct CoordinatorCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "coordinator", abstract: "Serve clients; queries run on the workers that join.")
        @OptionGroup var flags: ServerFlags

        func run() async throws {
            let configuration = try failing { try flags.load() }
            try await ServerDaemon.run(configuration, localWorkers: 0, reload: { try flags.load() })
        }
    }

    struct WorkerCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "worker", abstract: "Run tasks for a coordinator.")

        @Option(
            help: ArgumentHelp(
                "The coordinator's gRPC address; several with commas between them.", valueName: "HOST:PORT"))
        var join: String?
        @Option(help: ArgumentHelp("Name of the worker, kept over restarts.", valueName: "ID"))
        var id: String?
        @Option(help: ArgumentHelp("Address to listen on.", valueName: "HOST"))
        var host: String?
        @Option(help: ArgumentHelp("Port on which tasks are taken; 0 is any free one.", valueName: "PORT"))
        var grpcPort: String?
        @Option(help: ArgumentHelp("Port on which rows are served; 0 is any free one.", valueName: "PORT"))
        var exchangePort: String?
        @Option(help: ArgumentHelp("Address that other nodes reach this one by.", valueName: "HOST"))
        var advertisedHost: String?
        @Option(help: ArgumentHelp("Port that other nodes reach the worker's rows by.", valueName: "PORT"))
        var advertisedExchangePort: String?
        @OptionGroup var common: CommonFlags

        func load() throws -> EngineConfiguration {
            try common.load([
                ("worker.join", join, "--join"), ("worker.id", id, "--id"), ("host", host, "--host"),
                ("worker.grpc-port", grpcPort, "--grpc-port"),
                ("worker.exchange-port", exchangePort, "--exchange-port"),
                ("worker.advertised-host", advertisedHost, "--advertised-host"),
                ("worker.advertised-exchange-port", advertisedExchangePort, "--advertised-exchange-port"),
            ])
        }

        func run() async throws {
            let configuration = try failing { try load() }
            do { try await WorkerDaemon.run(configuration, reload: { try load() }) } catch {
                complain(QueryError.wrapping(error))
                throw ExitCode.failure
            }
        }
    }

    /// Coordinator and standalone.
    enum ServerDaemon {
        static func run(
            _ configuration: EngineConfiguration, localWorkers: Int,
            reload: @escaping @Sendable () throws -> EngineConfiguration
        ) async throws {
            do { try await serve(configuration, localWorkers: localWorkers, reload: reload) } catch {
                complain(QueryError.wrapping(error))
                throw ExitCode.failure
            }
        }

        private static func serve(
            _ configuration: EngineConfiguration, localWorkers: Int,
            reload: @escaping @Sendable () throws -> EngineConfiguration
        ) async throws {
            let (logger, threshold) = DaemonLog.make(configuration)
            let reloader = ConfigurationReloader(configuration, load: reload, threshold: threshold, logger: logger)
            let signals = TerminationSignals(onReload: { reloader.reload() })
            let options = try NodeOptions(configuration)
            let ports = try CoordinatorOptions(configuration)
            let authenticator = ServerAuthenticator(
                configured: try ClientAuthentication.make(configuration, host: options.host, ports))
            reloader.add { changed in
                let users = try ClientAuthentication.make(
                    changed, host: options.host, try CoordinatorOptions(changed))
                return { authenticator.replace(configured: users) }
            }
            // Before anything is started: files that cannot be used end the program.
            let encryption = try ports.tls.map {
                try ServerSecurity(certificatePath: $0.certificate, keyPath: $0.key, protocols: ["http/1.1"])
            }
            var nodeConfiguration = NodeConfiguration(
                threads: options.threads, memoryByteLimit: options.memoryLimit, localWorkers: localWorkers,
                catalogs: try NodeConfiguration.catalogs(options, fileRoots: configuration.list("server.file-roots")),
                cluster: ClusterConfiguration(
                    controlTransport: options.controlTransport, exchangeTransport: options.exchangeTransport,
                    control: Endpoint(host: options.host, port: ports.grpcPort),
                    exchange: Endpoint(host: options.host, port: ports.exchangePort), clusterID: options.clusterID,
                    advertisedHost: ports.advertisedHost ?? HostName.advertised(for: options.host)),
                localRowLimit: ports.localRowLimit, spillDirectory: options.spillDirectory)
            nodeConfiguration.cluster?.transportValues = options.clusterTLS
            nodeConfiguration.state = StateConfiguration.make(configuration, options)
            nodeConfiguration.accounts = authenticator
            nodeConfiguration.cacheByteLimit = options.cacheLimit
            nodeConfiguration.holdBackByteLimit = ports.holdBackByteLimit
            nodeConfiguration.admission.take(ports)
            nodeConfiguration.scheduler.noWorkersLimit = .milliseconds(ports.workerTimeoutMilliseconds)
            nodeConfiguration.scheduler.postMortemLimit = .milliseconds(ports.crashReportMilliseconds)
            let quarantine = Duration.milliseconds(max(1, ports.quarantineMilliseconds))
            nodeConfiguration.membership.quarantineInitial = quarantine
            nodeConfiguration.membership.probation = quarantine
            nodeConfiguration.membership.quarantineMaximum = max(
                quarantine, nodeConfiguration.membership.quarantineMaximum)
            let flight = FlightSQLServer(ports, authenticator: authenticator, logger: logger)
            if let tls = ports.tls {
                flight.plugins.encrypt(
                    try ServerSecurity(certificatePath: tls.certificate, keyPath: tls.key, protocols: ["h2"]),
                    allowsPlain: !ports.isTLSRequired)
            }
            nodeConfiguration.beforeServing = { flight.prepare($0) }
            let traces = try TraceExportOptions(configuration).map { TraceExporter(options: $0, logger: logger) }
            let node = try await EngineNode.start(
                nodeConfiguration, plugins: flight.plugins.registry, logger: logger)
            traces?.observe(node.engine)
            traces?.start()
            let group = MultiThreadedEventLoopGroup.singleton
            var postgresOptions = PostgresServerOptions(
                connectionCountMax: ports.maxConnections, messageByteCountMax: ports.maxMessageByteCount)
            postgresOptions.authenticator = authenticator
            postgresOptions.authenticationLimit = .milliseconds(ports.authenticationMilliseconds)
            postgresOptions.encryption = encryption
            postgresOptions.requiresEncryption = ports.isTLSRequired
            let (postgres, postgresEndpoint) = try await PostgresServer.start(
                engine: node.engine, on: Endpoint(host: options.host, port: ports.postgresPort),
                options: postgresOptions, group: group, logger: logger)
            var httpOptions = HTTPServerOptions()
            httpOptions.origins = ports.httpOrigins
            httpOptions.dashboardDirectory = ports.dashboardDirectory
            httpOptions.authenticator = authenticator
            httpOptions.encryption = encryption
            if let traces {
                httpOptions.counters = [
                    MetricCounter("martlet_traces_sent_total", "Queries whose trace the collector has taken.") {
                        traces.counts.sent
                    },
                    MetricCounter("martlet_traces_dropped_total", "Queries whose trace was dropped.") {
                        traces.counts.dropped
                    },
                ]
            }
            httpOptions.requiresEncryption = ports.isTLSRequired
            let (http, httpEndpoint) = try await HTTPServer.start(
                engine: node.engine, on: Endpoint(host: options.host, port: ports.httpPort), options: httpOptions,
                group: group, logger: logger, connectionCount: { postgres.connectionCount })
            let grpc = node.controlEndpoint ?? Endpoint(host: options.host, port: ports.grpcPort)
            reloader.add { changed in
                let ports = try CoordinatorOptions(changed)
                return {
                    postgres.change(connectionCountMax: ports.maxConnections)
                    var admission = node.engine.admission.options
                    admission.take(ports)
                    if admission.memoryByteMax == 0 { admission.memoryByteMax = options.memoryLimit }
                    node.engine.admission.change(to: admission)
                }
            }
            let roots = configuration.list("server.file-roots")
            reloader.add { changed in
                let (sections, faulty) = CatalogReload.sections(changed, logger: logger)
                let catalogs = try NodeConfiguration.catalogs(options, sections: sections, fileRoots: roots)
                return {
                    node.changeCatalogs(to: catalogs.filter { !faulty.contains($0.name) }, keeping: faulty)
                }
            }
            announce("ready postgres=\(postgresEndpoint) grpc=\(grpc) http=\(httpEndpoint)")
            logger.info(
                "serving", metadata: ["postgres": "\(postgresEndpoint)", "grpc": "\(grpc)", "http": "\(httpEndpoint)"])
            let signal = await signals.wait()
            logger.info("stopping", metadata: ["signal": "\(signal)"])
            await DaemonShutdown.within(seconds: 10) {
                await postgres.shutdown()
                await http.shutdown()
                flight.shutdown()
                await node.shutdown()
                traces?.stop()
            }
        }
    }

    extension StateConfiguration {
        /// `nil` if nothing says where the state should be.
        static func make(_ configuration: EngineConfiguration, _ options: NodeOptions) -> StateConfiguration? {
            let keeping = StateKeeper.Options(
                queueCountMax: configuration.integer("state.queue-max"),
                historyCountMax: configuration.integer("state.history-max"))
            switch configuration["state.store"] {
            case "postgres":
                return StateConfiguration(
                    type: "postgres", values: ["dsn": configuration["state.dsn"]], options: keeping)
            case "sqlite":
                var path = configuration["state.path"]
                if path.isEmpty, let directory = options.dataDirectory {
                    // Where nothing may be written there is no state.
                    let own = directory + "/.martlet"
                    mkdir(own, 0o700)
                    guard access(own, W_OK) == 0 else { return nil }
                    path = own + "/state.db"
                }
                return path.isEmpty
                    ? nil : StateConfiguration(type: "sqlite", values: ["path": path], options: keeping)
            default: return nil
            }
        }
    }

    enum WorkerDaemon {
        private static let portCount = 100

        static func run(
            _ configuration: EngineConfiguration, reload: @escaping @Sendable () throws -> EngineConfiguration
        ) async throws {
            let (logger, threshold) = DaemonLog.make(configuration)
            let reloader = ConfigurationReloader(configuration, load: reload, threshold: threshold, logger: logger)
            let signals = TerminationSignals(onReload: { reloader.reload() })
            let node = try NodeOptions(configuration)
            let options = try WorkerProcessOptions(configuration)
            // Before a connection is made: what drivers do not use of the machine, its network does not need either.
            NIOSingletons.groupLoopCountSuggestion = max(1, min(node.threads, Machine.coreCount))
            let worker = try await start(node, options, logger)
            announce("ready grpc=\(worker.controlEndpoint) exchange=\(worker.exchangeEndpoint)")
            logger.info(
                "serving",
                metadata: [
                    "worker": "\(worker.worker.id)", "grpc": "\(worker.controlEndpoint)",
                    "exchange": "\(worker.exchangeEndpoint)",
                    "join": "\(options.coordinators.joined(separator: ","))",
                ])
            let session = Task { try await worker.run() }
            let drainTime = Duration.milliseconds(options.drainMilliseconds)
            let stopping = Task {
                let signal = await signals.wait()
                logger.info("draining", metadata: ["signal": "\(signal)"])
                worker.session.drain(within: drainTime)
                // A second signal, or no answer in time, ends it without more ado.
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { _ = await signals.wait() }
                    group.addTask { try? await Task.sleep(for: drainTime + .seconds(2)) }
                    await group.next()
                    group.cancelAll()
                }
                session.cancel()
            }
            let outcome = await session.result
            stopping.cancel()
            // The last frames of finished tasks may still be in the connections' own buffers.
            try? await Task.sleep(for: .milliseconds(300))
            await DaemonShutdown.within(seconds: 5) { await worker.shutdown() }
            _ = try outcome.get()
        }

        private static func start(_ node: NodeOptions, _ options: WorkerProcessOptions, _ logger: Logger) async throws
            -> WorkerNode
        {
            let advertised = options.advertisedHost ?? HostName.advertised(for: node.host)
            var port = options.isGRPCPortFixed ? options.grpcPort : freePort(node.host, from: options.grpcPort)
            var attemptsLeft = options.isGRPCPortFixed ? 1 : startAttempts
            while true {
                attemptsLeft -= 1
                do {
                    var configuration = WorkerNodeConfiguration(
                        id: WorkerID(options.id ?? "\(HostName.own)-\(getpid())"),
                        incarnation: Incarnation(UInt64(max(0, QueryEngine.now))),
                        threads: node.threads, memoryByteLimit: node.memoryLimit, coordinators: options.coordinators,
                        controlTransport: node.controlTransport, exchangeTransport: node.exchangeTransport,
                        control: Endpoint(host: node.host, port: port),
                        exchange: Endpoint(host: node.host, port: options.exchangePort),
                        advertisedHost: advertised, clusterID: node.clusterID, spillDirectory: node.spillDirectory)
                    configuration.cacheByteLimit = node.cacheLimit
                    configuration.transportValues = node.clusterTLS
                    if options.advertisedExchangePort > 0 {
                        configuration.advertisedExchangePort = options.advertisedExchangePort
                    }
                    configuration.crashIdentity = [node.clusterID, options.id ?? ""] + options.coordinators
                    return try await WorkerNode.start(configuration, plugins: LinkedPlugins.all, logger: logger)
                } catch let error as QueryError where error.state == .connectionFailure && attemptsLeft > 0 {
                    // Another worker that starts at the same moment has taken the port, or was looking at it.
                    port = freePort(node.host, from: port + 1)
                }
            }
        }

        private static let startAttempts = 8

        /// The first port from the default on that nobody listens on, so that several workers start on one machine.
        private static func freePort(_ host: String, from first: Int) -> Int {
            for port in first..<min(65_536, first + portCount) where canBind(host, port) { return port }
            return first
        }

        private static func canBind(_ host: String, _ port: Int) -> Bool {
            var hints = addrinfo()
            hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
            hints.ai_flags = AI_PASSIVE
            var list: UnsafeMutablePointer<addrinfo>?
            guard getaddrinfo(host, String(port), &hints, &list) == 0, let entry = list else { return true }
            defer { freeaddrinfo(list) }
            let descriptor = socket(entry.pointee.ai_family, entry.pointee.ai_socktype, entry.pointee.ai_protocol)
            guard descriptor >= 0 else { return true }
            defer { close(descriptor) }
            var on: Int32 = 1
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
            return bind(descriptor, entry.pointee.ai_addr, entry.pointee.ai_addrlen) == 0 && listen(descriptor, 1) == 0
        }
    }

    enum HostName {
        /// What other machines reach a listener by: the machine's name if it listens on every address.
        static func advertised(for host: String) -> String { host == "0.0.0.0" || host == "::" ? own : host }

        static var own: String {
            var name = [CChar](repeating: 0, count: 256)
            guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
            return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    enum DaemonLog {
        static func make(_ configuration: EngineConfiguration) -> (logger: Logger, threshold: LogThreshold) {
            let isJSON = configuration["log.format"] == "json"
            let threshold = LogThreshold(Logger.Level(rawValue: configuration["log.level"]) ?? .info)
            LoggingSystem.bootstrap { _ in StandardErrorLog(isJSON: isJSON, threshold: threshold) }
            return (Logger(label: "martlet"), threshold)
        }
    }

    /// Prints the one line that says that a daemon serves.
    private func announce(_ line: String) {
        let output = TextOutput(descriptor: 1)
        output.write(line + "\n")
        // Nobody may be listening to standard output; serving does not depend on it.
        try? output.flush()
    }

    enum DaemonShutdown {
        /// Runs `body`, but leaves it when it takes too long: the process is about to end anyway.
        static func within(seconds: Int64, _ body: @escaping @Sendable () async -> Void) async {
            let (finished, continuation) = AsyncStream<Void>.makeStream()
            Task {
                await body()
                continuation.finish()
            }
            Task {
                try? await Task.sleep(for: .seconds(seconds))
                continuation.finish()
            }
            for await _ in finished {}
        }
    }
#endif
