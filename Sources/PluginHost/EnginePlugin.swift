// PluginHost: the plug-in protocol and the registry that configuration selects from.

import Diagnostics
import EngineConfiguration
import SQLFunctions
import StateStore
import Storage
import Transport

/// A plug-in. Everything has an empty default: a plug-in provides what it is for.
package protocol EnginePlugin: Sendable {
    /// The name that configuration uses.
    var name: String { get }
    /// Opens a catalogue of this kind (`catalogs.NAME.type = name`); `nil` if the plug-in has no storage.
    func makeStorageBackend(_ section: ConfigurationSection) throws -> (any StorageBackend)?
    /// The keys of such a catalogue's section, for `martlet config` and the reference.
    var storageKeys: [ConfigurationKey] { get }
    func makeExchangeTransport(_ section: ConfigurationSection) throws -> (any ExchangeTransport)?
    func makeControlTransport(_ section: ConfigurationSection) throws -> (any ControlTransport)?
    /// Opens a store of the coordinator's own state, whose keys are those of the section `state`.
    func makeStateStore(_ section: ConfigurationSection) throws -> (any StateStore)?
    /// Finds coordinators: `target` is what follows `name://` in `worker.join`.
    func makeCoordinatorDiscovery(_ target: String) throws -> (any CoordinatorDiscovery)?
    /// Adds functions; built-in ones are there already.
    func registerFunctions(in registry: FunctionRegistry) throws
}

extension EnginePlugin {
    package var storageKeys: [ConfigurationKey] { [] }
    package func makeStorageBackend(_ section: ConfigurationSection) throws -> (any StorageBackend)? { nil }
    package func makeExchangeTransport(_ section: ConfigurationSection) throws -> (any ExchangeTransport)? { nil }
    package func makeControlTransport(_ section: ConfigurationSection) throws -> (any ControlTransport)? { nil }
    package func makeStateStore(_ section: ConfigurationSection) throws -> (any StateStore)? { nil }
    package func makeCoordinatorDiscovery(_ target: String) throws -> (any CoordinatorDiscovery)? { nil }
    package func registerFunctions(in registry: FunctionRegistry) throws {}
}

/// The plug-ins linked into this binary, by name.
package struct PluginRegistry: Sendable {
    package let plugins: [any EnginePlugin]
    package init(_ plugins: [any EnginePlugin]) { self.plugins = plugins }

    package func storageBackend(type: String, section: ConfigurationSection) throws -> any StorageBackend {
        try select("storage", type) { try $0.makeStorageBackend(section) }
    }
    package func exchangeTransport(type: String, section: ConfigurationSection) throws -> any ExchangeTransport {
        try select("exchange transport", type) { try $0.makeExchangeTransport(section) }
    }
    package func controlTransport(type: String, section: ConfigurationSection) throws -> any ControlTransport {
        try select("control transport", type) { try $0.makeControlTransport(section) }
    }

    package func stateStore(type: String, section: ConfigurationSection) throws -> any StateStore {
        try select("state store", type) { try $0.makeStateStore(section) }
    }

    /// `targets`: `SCHEME://…`, or `HOST:PORT`, which is the scheme "static".
    package func coordinatorDiscovery(_ targets: [String]) throws -> any CoordinatorDiscovery {
        JoinedDiscovery(
            try targets.map { target in
                let parts = target.split(separator: "://", maxSplits: 1)
                let (scheme, rest) = parts.count == 2 ? (String(parts[0]), String(parts[1])) : ("static", target)
                return try select("discovery", scheme) { try $0.makeCoordinatorDiscovery(rest) }
            })
    }

    private func select<T>(_ kind: String, _ type: String, _ make: (any EnginePlugin) throws -> T?) throws -> T {
        if let plugin = plugins.first(where: { $0.name == type }), let made = try make(plugin) { return made }
        throw QueryError(
            .configurationFileError, "there is no \(kind) plug-in \"\(type)\"",
            hint: "Plug-ins in this binary: \(plugins.map(\.name).sorted().joined(separator: ", ")).")
    }
}
