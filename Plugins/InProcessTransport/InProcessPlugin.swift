// InProcessTransport: control and exchange between nodes of one process. Batches pass by reference, messages by value.
//
//   InProcessPlugin            what configuration selects as "inprocess"
//   InProcessNetwork           which nodes of the process serve what, by endpoint
//   InProcessExchange          the exchange transport: readers that call the producer's buffer directly
//   InProcessControl           the control transport: calls and sessions without a wire

import Diagnostics
import EngineConfiguration
import PluginHost
import Transport

/// The plug-in. All transports it makes join one network, so nodes that were configured apart find each other.
package struct InProcessPlugin: EnginePlugin {
    package let name = "inprocess"
    private let network: InProcessNetwork

    package init(network: InProcessNetwork = .shared) { self.network = network }

    package func makeExchangeTransport(_ section: ConfigurationSection) throws -> (any ExchangeTransport)? {
        try section.checkKeys([])
        return InProcessExchange(network: network)
    }

    package func makeControlTransport(_ section: ConfigurationSection) throws -> (any ControlTransport)? {
        try section.checkKeys([])
        return InProcessControl(network: network)
    }
}
