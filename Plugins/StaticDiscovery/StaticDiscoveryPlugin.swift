// StaticDiscovery: coordinators whose addresses are written down, `HOST:PORT` each.

import Diagnostics
import PluginHost
import Transport

/// The plug-in of addresses without a scheme.
package struct StaticDiscoveryPlugin: EnginePlugin {
    package let name = "static"
    package init() {}

    package func makeCoordinatorDiscovery(_ target: String) throws -> (any CoordinatorDiscovery)? {
        StaticDiscovery(address: target)
    }
}

private struct StaticDiscovery: CoordinatorDiscovery {
    let address: String
    func coordinators() async throws -> [String] { [address] }
}
