// The plug-ins of this binary. Adding one is a line here and a line in Package.swift.

import DNSDiscovery
import InProcessTransport
import LocalFileStorage
import MemoryStorage
import PluginHost
import PostgresStorage
import S3Storage
import SQLiteStorage
import StaticDiscovery
import TPCHStorage

#if MARTLET_NETWORK
    import ConnectionSecurity
    import FlightSQLFrontend
    import GRPCTransport
    import TCPTransport
#endif

enum LinkedPlugins {
    /// What queries inside one process need.
    static let local: [any EnginePlugin] = [
        MemoryStoragePlugin(), LocalFileStoragePlugin(), TPCHPlugin(), PostgresStoragePlugin(),
        SQLiteStoragePlugin(), S3StoragePlugin(), InProcessPlugin(), StaticDiscoveryPlugin(),
        DNSDiscoveryPlugin(),
    ]

    #if MARTLET_NETWORK
        static var all: PluginRegistry { PluginRegistry(local + [TCPPlugin(), GRPCPlugin()]) }
    #else
        static var all: PluginRegistry { PluginRegistry(local) }
    #endif
}

#if MARTLET_NETWORK
    /// The plug-ins of a coordinator, whose gRPC port serves Flight SQL too.
    struct CoordinatorPlugins: Sendable {
        let registry: PluginRegistry
        private let services: AddedServices

        init() {
            let services = AddedServices()
            self.services = services
            registry = PluginRegistry(LinkedPlugins.local + [TCPPlugin(), GRPCPlugin(services: services)])
        }

        /// To be called before the port is open.
        func serve(_ service: FlightSQLService, messageByteLimit: Int) {
            services.add(service, messageByteLimit: messageByteLimit)
        }

        /// TLS for the port's clients; to be called before it is open.
        func encrypt(_ security: ServerSecurity, allowsPlain: Bool) {
            services.encrypt(security, allowsPlain: allowsPlain)
        }
    }
#endif
