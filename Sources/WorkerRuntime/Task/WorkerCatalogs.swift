// The catalogues that a worker's tasks read: opened from what the tasks say, kept for the next ones.

import Diagnostics
import EngineConfiguration
import PluginHost
import QueryPlan
import SQLFunctions
import Storage
import Synchronization
import WireCodec

/// Opens catalogues by their descriptors. A node that is also a coordinator shares its own.
package final class WorkerCatalogs: Sendable {
    private let plugins: PluginRegistry
    /// The catalogue of the coordinator in this process, if there is one.
    private let shared: Catalog?
    private let opened = Mutex<[CatalogDescriptor: any StorageBackend]>([:])
    /// More than this many are forgotten, all at once: they only save the time of opening.
    private static let countMax = 256

    package init(plugins: PluginRegistry, sharing shared: Catalog?) {
        self.plugins = plugins
        self.shared = shared
    }

    /// What the statement of a query knows of the catalogue: only in the coordinator's process.
    func catalogFacts(of query: QueryID) -> (any CatalogFacts)? {
        shared?.objectNames(of: query) as? any CatalogFacts
    }

    package func backend(_ descriptor: CatalogDescriptor) throws -> any StorageBackend {
        if let shared, let origin = shared.origin(descriptor.name), origin.type == descriptor.type,
            origin.values == descriptor.values, let backend = shared.backend(descriptor.name)
        {
            return backend
        }
        if let backend = opened.withLock({ $0[descriptor] }) { return backend }
        let section = ConfigurationSection(name: descriptor.name, values: descriptor.values)
        let backend = try plugins.storageBackend(type: descriptor.type, section: section)
        return opened.withLock { opened in
            if let other = opened[descriptor] { return other }
            if opened.count >= Self.countMax { opened = [:] }
            opened[descriptor] = backend
            return backend
        }
    }
}
