// GRPCTransport: control and exchange over gRPC, the one protocol that every network lets through.
//
//   Protos/, Generated/    the services, and what generate.sh makes of them
//   GRPCPlugin             what configuration selects as "grpc"
//   GRPCEndpoint           servers and clients with the settings that long-lived streams need
//   GRPCMessages, GRPCErrors   our values as protocol messages and back
//   GRPCControl            sessions and tasks
//   GRPCExchange           bulk data
//   PingAnswerer           for clients that ping often
//   AddedServices          services of others on the coordinator's port
//   GRPCPortSecurity       TLS of a port, and which calls need a node's certificate

import ConnectionSecurity
import Diagnostics
import EngineConfiguration
import PluginHost
import Transport
import WireCodec

/// gRPC has a type of this name too.
package typealias Endpoint = Transport.Endpoint

/// Settings of both transports.
package struct GRPCOptions: Sendable {
    package var frames = FrameOptions()
    /// Bytes that a producer may send to one channel before its reader has taken them.
    package var creditByteCount = 2 << 20
    /// HTTP/2 flow-control window, both ways.
    package var windowByteCount = 8 << 20
    package var messageByteLimit = 4 << 20
    package var keepAliveInterval: Duration = .seconds(10)
    package var keepAliveTimeout: Duration = .seconds(5)
    /// Whether clients may ping as often as they like (`PingAnswerer`).
    var answersPings = false
    /// For calls that a worker answers at once.
    package var callDeadline: Duration = .seconds(10)
    /// Called with every frame before it is sent; for fault injection.
    package var tamper: (@Sendable (UnsafeMutableRawBufferPointer) -> Void)?
    /// Certificates by which the nodes know each other; `nil`: connections are in plain, and nobody is asked.
    package var security: NodeSecurity?

    package init() {}

    package init(_ section: ConfigurationSection) throws {
        try section.checkKeys(["compression", "call-timeout-ms"] + NodeSecurity.sectionKeys)
        security = try NodeSecurity.make(section)
        if let name = section["compression"] {
            guard let compression = FrameCompression(name: name) else {
                throw QueryError(
                    .configurationFileError, "\(section.name): unknown compression \"\(name)\"",
                    hint: "One of none, lz4, zstd, zlib.")
            }
            frames.compression = compression
        }
        if let text = section["call-timeout-ms"] {
            guard let value = Int(text), value > 0 else {
                throw QueryError(.configurationFileError, "\(section.name): call-timeout-ms must be positive")
            }
            callDeadline = .milliseconds(value)
        }
    }
}

package struct GRPCPlugin: EnginePlugin {
    package let name = "grpc"
    private let services: AddedServices

    /// `services` are served on a coordinator's port, beside those of the transport.
    package init(services: AddedServices = AddedServices()) { self.services = services }

    package func makeExchangeTransport(_ section: ConfigurationSection) throws -> (any ExchangeTransport)? {
        GRPCExchange(options: try GRPCOptions(section))
    }

    package func makeControlTransport(_ section: ConfigurationSection) throws -> (any ControlTransport)? {
        GRPCControl(options: try GRPCOptions(section), services: services)
    }
}
