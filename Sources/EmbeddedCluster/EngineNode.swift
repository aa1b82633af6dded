// EmbeddedCluster puts a node together: the engine with workers of its own process, or a worker for another's engine.
//
//   EngineNode    a coordinator with any number of workers in its process: embedded, standalone, coordinator
//   WorkerNode    a worker that joins a coordinator

import ClusterMembership
import Coordination
import Diagnostics
import EngineConfiguration
import Logging
import PluginHost
import SQLFunctions
import Storage
import Synchronization
import Transport
import WireCodec
import WorkerRuntime

/// A catalogue to open at start-up.
package struct CatalogConfiguration: Sendable {
    package var name: String
    package var type: String
    package var values: [String: String]
    package init(name: String, type: String, values: [String: String] = [:]) {
        self.name = name
        self.type = type
        self.values = values
    }
}

/// How a coordinator reaches workers of other processes.
package struct ClusterConfiguration: Sendable {
    /// Plug-in names.
    package var controlTransport: String
    package var exchangeTransport: String
    /// Where workers register; port 0 is any free one.
    package var control: Endpoint
    /// Where this node serves exchange data; port 0 is any free one.
    package var exchange: Endpoint
    package var clusterID: String
    /// The host that other nodes reach this one by; `nil` is the one of `exchange`.
    package var advertisedHost: String?
    /// Keys of the transports' sections.
    package var transportValues: [String: String] = [:]
    package init(
        controlTransport: String = "grpc", exchangeTransport: String = "tcp", control: Endpoint, exchange: Endpoint,
        clusterID: String = "martlet", advertisedHost: String? = nil
    ) {
        self.advertisedHost = advertisedHost
        self.controlTransport = controlTransport
        self.exchangeTransport = exchangeTransport
        self.control = control
        self.exchange = exchange
        self.clusterID = clusterID
    }
}

/// Where a coordinator keeps its state.
package struct StateConfiguration: Sendable {
    /// The plug-in's name.
    package var type: String
    package var values: [String: String]
    package var options: StateKeeper.Options
    package init(type: String, values: [String: String], options: StateKeeper.Options = StateKeeper.Options()) {
        self.type = type
        self.values = values
        self.options = options
    }
}

package struct NodeConfiguration: Sendable {
    package var threads: Int
    package var memoryByteLimit: Int
    /// Workers of this process that take part in every query.
    package var localWorkers: Int
    package var catalogs: [CatalogConfiguration]
    /// `nil`: no other process can join.
    package var cluster: ClusterConfiguration?
    /// Queries over tables of no more rows together run on this node alone; 0 is none.
    package var localRowLimit: Int
    /// Where operators write what they may not keep in memory; `nil`: nowhere.
    package var spillDirectory: String?
    /// Bytes that are kept of files from query to query; `nil`: as before.
    package var cacheByteLimit: Int?
    package var holdBackByteLimit = 32 << 20
    /// `nil`: the state ends with the process.
    package var state: StateConfiguration?
    package var admission = AdmissionOptions()
    package var scheduler = SchedulerOptions()
    package var membership = MembershipOptions()
    /// Decides who is let in; `nil`: nobody is told from others.
    package var accounts: (any AccountAuthority)?
    /// Called with the engine before the cluster's port is served: who serves there too gets ready.
    package var beforeServing: (@Sendable (QueryEngine) throws -> Void)?
    package init(
        threads: Int, memoryByteLimit: Int, localWorkers: Int = 1, catalogs: [CatalogConfiguration] = [],
        cluster: ClusterConfiguration? = nil, localRowLimit: Int = 0, spillDirectory: String? = nil
    ) {
        self.spillDirectory = spillDirectory
        self.localRowLimit = localRowLimit
        self.threads = threads
        self.memoryByteLimit = memoryByteLimit
        self.localWorkers = localWorkers
        self.catalogs = catalogs
        self.cluster = cluster
    }
}

/// A coordinator, perhaps with workers in the same process.
package final class EngineNode: Sendable {
    package let engine: QueryEngine
    /// Where workers register, if they can.
    package let controlEndpoint: Endpoint?
    private let workers: [Worker]
    private let transports: [any ExchangeTransport]
    private let control: (any ControlTransport)?
    private let background: Mutex<[Task<Void, Never>]>
    private let keeper: StateKeeper?
    private let plugins: PluginRegistry
    private let logger: Logger

    private init(
        engine: QueryEngine, plugins: PluginRegistry, logger: Logger, workers: [Worker],
        transports: [any ExchangeTransport], control: (any ControlTransport)?,
        controlEndpoint: Endpoint?, background: [Task<Void, Never>], keeper: StateKeeper?
    ) {
        self.keeper = keeper
        self.plugins = plugins
        self.logger = logger
        self.engine = engine
        self.workers = workers
        self.transports = transports
        self.control = control
        self.controlEndpoint = controlEndpoint
        self.background = Mutex(background)
    }

    /// Opens catalogues, starts workers and, if configured, serves the cluster.
    package static func start(
        _ configuration: NodeConfiguration, plugins: PluginRegistry, logger: Logger
    ) async throws -> EngineNode {
        MemoryAllocationSettings.apply()
        if let limit = configuration.cacheByteLimit { StoreCache.byteLimit = limit }
        let registry = FunctionRegistry.builtIn
        for plugin in plugins.plugins { try plugin.registerFunctions(in: registry) }
        let catalog = try openCatalogs(configuration.catalogs, plugins: plugins)

        var transports: [String: any ExchangeTransport] = [:]
        let isCluster = configuration.cluster != nil
        let localName = "inprocess"
        if configuration.localWorkers > 1 && !isCluster {
            transports[localName] = try plugins.exchangeTransport(
                type: localName, section: ConfigurationSection(name: localName))
        }
        var controlTransport: (any ControlTransport)?
        if let cluster = configuration.cluster {
            transports[cluster.exchangeTransport] = try plugins.exchangeTransport(
                type: cluster.exchangeTransport,
                section: ConfigurationSection(name: cluster.exchangeTransport, values: cluster.transportValues))
            controlTransport = try plugins.controlTransport(
                type: cluster.controlTransport,
                section: ConfigurationSection(name: cluster.controlTransport, values: cluster.transportValues))
        }
        let membership = MembershipInstance(
            options: configuration.membership, clusterID: configuration.cluster?.clusterID ?? "local")
        let directory = WorkerDirectory(membership: membership, transport: controlTransport, logger: logger)

        var parts = LocalWorkers(
            configuration: configuration, plugins: plugins, registry: registry, catalog: catalog,
            transports: transports, logger: logger)
        try await parts.start(in: directory)
        guard let coordinatorWorker = parts.coordinatorWorker else {
            throw QueryError.internalError("the node has no worker of its own")
        }
        var options = QueryEngineOptions(
            queryMemoryByteLimit: configuration.memoryByteLimit, threadsPerWorker: configuration.threads,
            localRowLimit: configuration.localRowLimit, holdBackByteLimit: configuration.holdBackByteLimit)
        options.scheduler = configuration.scheduler
        options.admission = configuration.admission
        if options.admission.memoryByteMax == 0 { options.admission.memoryByteMax = configuration.memoryByteLimit }
        let engine = QueryEngine(
            catalog: catalog, registry: registry, directory: directory, options: options, logger: logger,
            makeRowBlocks: { [directory = configuration.spillDirectory] in
                guard let directory else {
                    throw QueryError(
                        .outOfMemory, "the cursor's rows do not fit into memory", hint: "Set spill-directory.")
                }
                return SpilledRowBlocks(directory: directory)
            }
        ) { location in try coordinatorWorker.openReader(location, partition: 0) }

        var background: [Task<Void, Never>] = []
        var keeper: StateKeeper?
        if let accounts = configuration.accounts { engine.users.install(accounts) }
        if configuration.state == nil { engine.users.take(StateDifference(isFirst: true)) }
        if let state = configuration.state {
            let store = try plugins.stateStore(
                type: state.type, section: ConfigurationSection(name: "state", values: state.values))
            let made = StateKeeper(store, options: state.options, logger: logger)
            let history = await made.open(historyLimit: QueryRegistry.historyCountMax) { [engine] difference in
                await engine.takeOver(difference)
            }
            engine.keepState(made, history: history)
            background.append(Task { await made.run() })
            background.append(Task { await engine.followState() })
            keeper = made
        }
        for worker in parts.workers { background.append(Task { await worker.run() }) }
        var controlEndpoint: Endpoint?
        if let cluster = configuration.cluster, let controlTransport {
            try configuration.beforeServing?(engine)
            controlEndpoint = try await controlTransport.serveCoordinator(directory, on: cluster.control)
            background.append(Task { await directory.run() })
        }
        return EngineNode(
            engine: engine, plugins: plugins, logger: logger, workers: parts.workers,
            transports: Array(transports.values), control: controlTransport,
            controlEndpoint: controlEndpoint, background: background, keeper: keeper)
    }

    /// The account of every worker of this process.
    package var workerMemory: [(reservedByteCount: Int, peakByteCount: Int)] {
        workers.map { ($0.memory.reservedByteCount, $0.memory.peakByteCount) }
    }

    private static func openCatalogs(_ configurations: [CatalogConfiguration], plugins: PluginRegistry) throws
        -> Catalog
    {
        let catalog = Catalog()
        for configuration in configurations {
            let section = ConfigurationSection(name: configuration.name, values: configuration.values)
            let backend = try plugins.storageBackend(type: configuration.type, section: section)
            catalog.add(
                backend, name: configuration.name,
                origin: CatalogOrigin(type: configuration.type, values: configuration.values))
        }
        return catalog
    }

    /// Opens and closes catalogues so that these are open, in this order, and those of `kept`, whose new entries are faulty. One
    /// that cannot be opened as it should be now stays as it is, and the log says so. Queries that run keep what they read.
    package func changeCatalogs(to configurations: [CatalogConfiguration], keeping kept: Set<String> = []) {
        let catalog = engine.catalog
        var next: [(name: String, backend: (any StorageBackend)?, origin: CatalogOrigin)] = []
        func stays(_ name: String) {
            guard let origin = catalog.origin(name) else { return }
            next.append((name, nil, origin))
        }
        for configuration in configurations {
            let name = configuration.name
            let origin = CatalogOrigin(type: configuration.type, values: configuration.values)
            let old = catalog.origin(name)
            if old == origin {
                stays(name)
                continue
            }
            do {
                if name == catalog.defaultCatalog {
                    throw QueryError.notSupported("another kind of the catalogue \"\(name)\" while the server runs")
                }
                let section = ConfigurationSection(name: name, values: configuration.values)
                next.append((name, try plugins.storageBackend(type: configuration.type, section: section), origin))
                logger.notice(
                    old == nil ? "a catalogue is new" : "a catalogue was changed", metadata: ["name": "\(name)"])
            } catch {
                let error = QueryError.wrapping(error)
                logger.error(
                    old == nil
                        ? "a new catalogue cannot be opened" : "a catalogue stays what it was: its new entry is wrong",
                    metadata: ["name": "\(name)", "error": "\(error.message)", "code": "\(error.state)"])
                stays(name)
            }
        }
        for name in catalog.catalogNames where !configurations.contains(where: { $0.name == name }) {
            if kept.contains(name) || name == catalog.defaultCatalog {
                stays(name)
            } else {
                logger.notice("a catalogue is gone", metadata: ["name": "\(name)"])
            }
        }
        catalog.replace(with: next)
    }

    /// Ends queries, closes sessions, stops workers.
    package func shutdown() async {
        engine.queries.cancelAll(
            QueryError(.adminShutdown, "terminating connection due to administrator command"))
        await keeper?.stop(within: .seconds(3))
        for task in background.withLock({ $0 }) { task.cancel() }
        await engine.directory.shutdown()
        await control?.shutdown()
        for transport in transports { await transport.shutdown() }
        for worker in workers { worker.shutdown() }
    }
}

/// The workers of an engine's own process.
private struct LocalWorkers {
    let configuration: NodeConfiguration
    let plugins: PluginRegistry
    let registry: FunctionRegistry
    let catalog: Catalog
    let transports: [String: any ExchangeTransport]
    let logger: Logger
    private(set) var workers: [Worker] = []
    private(set) var coordinatorWorker: Worker?

    init(
        configuration: NodeConfiguration, plugins: PluginRegistry, registry: FunctionRegistry, catalog: Catalog,
        transports: [String: any ExchangeTransport], logger: Logger
    ) {
        self.configuration = configuration
        self.plugins = plugins
        self.registry = registry
        self.catalog = catalog
        self.transports = transports
        self.logger = logger
    }

    /// The first worker also runs what only the coordinator's process can run.
    mutating func start(in directory: WorkerDirectory) async throws {
        let count = max(1, configuration.localWorkers)
        if let directory = configuration.spillDirectory { TaskSpill.removeOrphans(in: directory) }
        for index in 0..<count {
            let worker = Worker(
                id: WorkerID(configuration.localWorkers == 0 ? "coordinator" : "local-\(index)"),
                options: WorkerOptions(
                    threads: configuration.threads, memoryByteLimit: configuration.memoryByteLimit,
                    spillDirectory: configuration.spillDirectory),
                registry: registry, catalogs: WorkerCatalogs(plugins: plugins, sharing: catalog),
                transports: transports, fileWriters: CatalogFileWriters(catalog: catalog), logger: logger)
            workers.append(worker)
            let (transportName, endpoint) = try await serve(worker)
            let handle = WorkerHandle(
                id: worker.id, incarnation: Incarnation(1), exchange: endpoint, exchangeTransport: transportName,
                connection: LocalWorkerConnection(worker),
                local: LocalTasks(
                    start: { try await worker.startTask($0, isSimple: $1, onEnd: $2) }, release: worker.releaseTasks,
                    progress: { worker.progress(of: $0) },
                    capacity: LocalCapacity(
                        slots: configuration.threads, memoryBytes: Int64(configuration.memoryByteLimit),
                        load: { worker.load })))
            if index == 0 {
                coordinatorWorker = worker
                directory.setCoordinatorWorker(handle)
            }
            if configuration.localWorkers > 0 { directory.addLocalWorker(handle) }
        }
    }

    /// Where the worker's output can be fetched; a worker on its own needs no transport.
    private func serve(_ worker: Worker) async throws -> (String, Endpoint) {
        if let cluster = configuration.cluster, let transport = transports[cluster.exchangeTransport] {
            let endpoint = try await transport.serve(worker.outputs, on: cluster.exchange)
            return (
                cluster.exchangeTransport, Endpoint(host: cluster.advertisedHost ?? endpoint.host, port: endpoint.port)
            )
        }
        if let transport = transports["inprocess"] {
            return ("inprocess", try await transport.serve(worker.outputs, on: Endpoint(host: "local", port: 0)))
        }
        return ("inprocess", Endpoint(host: "local", port: 0))
    }
}

/// Calls a worker of the same process.
private final class LocalWorkerConnection: WorkerConnection, Sendable {
    private let worker: Worker
    init(_ worker: Worker) { self.worker = worker }
    func startTask(_ attempt: TaskAttemptID, descriptor: [UInt8]) async throws {
        try await worker.startTask(attempt, descriptor: descriptor)
    }
    func cancelTasks(_ attempts: [TaskAttemptID]) async throws { await worker.cancelTasks(attempts) }
    func addSplits(_ grant: SplitGrant) async throws { try await worker.addSplits(grant) }
    func taskStatuses(query: QueryID) -> AsyncThrowingStream<TaskStatus, any Error> {
        worker.taskStatuses(query: query)
    }
    func ping() async throws {}
    func close() async {}
}
