// A worker process: serves tasks and output, and stays registered with a coordinator.

import ClusterMembership
import Coordination
import Diagnostics
import EngineConfiguration
import Logging
import PluginHost
import SQLFunctions
import Storage
import Transport
import WireCodec
import WorkerRuntime

package struct WorkerNodeConfiguration: Sendable {
    package var id: WorkerID
    package var incarnation: Incarnation
    package var threads: Int
    package var memoryByteLimit: Int
    /// Coordinators' control addresses, tried in turn.
    package var coordinators: [String]
    package var controlTransport: String
    package var exchangeTransport: String
    /// Where tasks are taken, and where output is served; port 0 is any free one.
    package var control: Endpoint
    package var exchange: Endpoint
    /// The host that other nodes reach this one by.
    package var advertisedHost: String
    /// The port that other nodes reach its output by, if that is another one.
    package var advertisedExchangePort: Int?
    /// What stays the same over the lives of this worker; `nil`: its crashes are not noted.
    package var crashIdentity: [String]?
    package var clusterID: String
    /// Where operators write what they may not keep in memory; `nil`: nowhere.
    package var spillDirectory: String?
    /// Bytes that are kept of files from query to query; `nil`: as before.
    package var cacheByteLimit: Int?
    /// Keys of the transports' sections.
    package var transportValues: [String: String] = [:]
    package init(
        id: WorkerID, incarnation: Incarnation, threads: Int, memoryByteLimit: Int, coordinators: [String],
        controlTransport: String = "grpc", exchangeTransport: String = "tcp", control: Endpoint, exchange: Endpoint,
        advertisedHost: String, clusterID: String = "martlet", spillDirectory: String? = nil
    ) {
        self.spillDirectory = spillDirectory
        self.id = id
        self.incarnation = incarnation
        self.threads = threads
        self.memoryByteLimit = memoryByteLimit
        self.coordinators = coordinators
        self.controlTransport = controlTransport
        self.exchangeTransport = exchangeTransport
        self.control = control
        self.exchange = exchange
        self.advertisedHost = advertisedHost
        self.clusterID = clusterID
    }
}

package final class WorkerNode: Sendable {
    package let controlEndpoint: Endpoint
    package let exchangeEndpoint: Endpoint
    package let worker: Worker
    package let session: WorkerSession
    private let control: any ControlTransport
    private let exchange: any ExchangeTransport

    private init(
        worker: Worker, session: WorkerSession, control: any ControlTransport, exchange: any ExchangeTransport,
        controlEndpoint: Endpoint, exchangeEndpoint: Endpoint
    ) {
        self.worker = worker
        self.session = session
        self.control = control
        self.exchange = exchange
        self.controlEndpoint = controlEndpoint
        self.exchangeEndpoint = exchangeEndpoint
    }

    /// Starts serving. `run` then registers.
    package static func start(
        _ configuration: WorkerNodeConfiguration, plugins: PluginRegistry, logger: Logger
    ) async throws -> WorkerNode {
        MemoryAllocationSettings.apply()
        if let limit = configuration.cacheByteLimit { StoreCache.byteLimit = limit }
        let registry = FunctionRegistry.builtIn
        for plugin in plugins.plugins { try plugin.registerFunctions(in: registry) }
        let exchange = try plugins.exchangeTransport(
            type: configuration.exchangeTransport,
            section: ConfigurationSection(
                name: configuration.exchangeTransport, values: configuration.transportValues))
        let control = try plugins.controlTransport(
            type: configuration.controlTransport,
            section: ConfigurationSection(name: configuration.controlTransport, values: configuration.transportValues))
        let discovery = try plugins.coordinatorDiscovery(configuration.coordinators)
        if let directory = configuration.spillDirectory { TaskSpill.removeOrphans(in: directory) }
        var crashes: [WorkerCrash] = []
        if let directory = configuration.spillDirectory, let identity = configuration.crashIdentity {
            // Before the worker's threads start.
            let notes = CrashNotes(directory: directory, identity: identity)
            crashes = notes.take()
            notes.install(incarnation: configuration.incarnation)
        }
        let worker = Worker(
            id: configuration.id,
            options: WorkerOptions(
                threads: configuration.threads, memoryByteLimit: configuration.memoryByteLimit,
                spillDirectory: configuration.spillDirectory),
            registry: registry, catalogs: WorkerCatalogs(plugins: plugins, sharing: nil),
            transports: [configuration.exchangeTransport: exchange], fileWriters: CatalogFileWriters(catalog: nil),
            logger: logger)
        // Until it is registered: a late call may be meant for an earlier life at this address.
        worker.stopAccepting()
        let exchangeEndpoint = try await exchange.serve(worker.outputs, on: configuration.exchange)
        let controlEndpoint = try await control.serveWorker(worker, on: configuration.control)
        func advertised(_ endpoint: Endpoint) -> Endpoint {
            Endpoint(host: configuration.advertisedHost, port: endpoint.port)
        }
        var exchangeAddress = advertised(exchangeEndpoint)
        if let port = configuration.advertisedExchangePort { exchangeAddress.port = port }
        let description = WorkerDescription(
            worker: configuration.id, incarnation: configuration.incarnation, clusterID: configuration.clusterID,
            controlAddress: advertised(controlEndpoint).description,
            exchangeAddress: "\(configuration.exchangeTransport)://\(exchangeAddress)", build: EngineVersion.version,
            memoryBytes: Int64(configuration.memoryByteLimit), slots: configuration.threads, crashes: crashes)
        let instance = try WorkerSessionInstance(description: description, coordinators: [], discovers: true)
        let session = WorkerSession(
            worker: worker, instance: instance, transport: control, discovery: discovery, logger: logger)
        return WorkerNode(
            worker: worker, session: session, control: control, exchange: exchange,
            controlEndpoint: advertised(controlEndpoint), exchangeEndpoint: advertised(exchangeEndpoint))
    }

    /// Stays registered until it has drained or was refused.
    package func run() async throws {
        let housekeeping = Task { [worker] in await worker.run() }
        defer { housekeeping.cancel() }
        try await session.run()
    }

    package func shutdown() async {
        worker.shutdown()
        await control.shutdown()
        await exchange.shutdown()
    }
}
