// TCPTransport: exchange over plain TCP, the default between workers.
//
//   TCPPlugin, TCPOptions      what configuration selects as "tcp"
//   TCPEnvelope                the messages on a connection
//   TCPExchange                the transport: one connection for each pair of nodes, many channels in it
//   TCPServingHandler          the producer's side of a connection
//   ServedChannels             what is served, beyond the life of a connection
//   TCPConnection              the reader's side of a connection

import ConnectionSecurity
import Diagnostics
import EngineConfiguration
import NIOCore
import PluginHost
import Transport
import WireCodec

/// Settings of the transport.
package struct TCPOptions: Sendable {
    package var frames = FrameOptions()
    /// Bytes that a producer may send to one channel before its reader has taken them.
    package var creditByteCount = 2 << 20
    package var connectDeadline: TimeAmount = .seconds(5)
    /// How often an idle connection is asked for a sign of life.
    package var pingInterval: TimeAmount = .seconds(2)
    /// Silence after which a connection counts as lost.
    package var silenceLimit: TimeAmount = .seconds(8)
    /// Time for whoever connects to begin as a node does.
    package var greetingLimit: TimeAmount = .seconds(30)
    /// How long a connection that has broken may take to stand again before its channels are lost.
    package var resumeLimit: TimeAmount = .seconds(5)
    /// How long the producer's side keeps the channels of a connection that has broken.
    package var returnLimit: TimeAmount = .seconds(10)
    /// Called with every frame before it is sent; for fault injection.
    package var tamper: (@Sendable (UnsafeMutableRawBufferPointer) -> Void)?
    /// Certificates by which the nodes know each other; `nil`: connections are in plain, and nobody is asked.
    package var security: NodeSecurity?

    package init() {}

    package init(_ section: ConfigurationSection) throws {
        try section.checkKeys(
            [
                "compression", "credit-bytes", "connect-timeout-ms", "silence-limit-ms", "resume-limit-ms",
            ] + NodeSecurity.sectionKeys)
        security = try NodeSecurity.make(section)
        if let name = section["compression"] {
            guard let compression = FrameCompression(name: name) else {
                throw QueryError(
                    .configurationFileError, "\(section.name): unknown compression \"\(name)\"",
                    hint: "One of none, lz4, zstd, zlib.")
            }
            frames.compression = compression
        }
        func number(_ key: String, atLeast minimum: Int) throws -> Int? {
            guard let text = section[key] else { return nil }
            guard let value = Int(text), value >= minimum else {
                throw QueryError(.configurationFileError, "\(section.name): \(key) must be \(minimum) or more")
            }
            return value
        }
        if let value = try number("credit-bytes", atLeast: smallestExchangeWindow) { creditByteCount = value }
        if let value = try number("connect-timeout-ms", atLeast: 1) { connectDeadline = .milliseconds(Int64(value)) }
        if let value = try number("resume-limit-ms", atLeast: 0) {
            resumeLimit = .milliseconds(Int64(value))
            // The reader gives up first.
            returnLimit = .milliseconds(Int64(2 * value))
        }
        if let value = try number("silence-limit-ms", atLeast: 100) {
            silenceLimit = .milliseconds(Int64(value))
            pingInterval = .milliseconds(Int64(max(1, value / 4)))
        }
    }
}

package struct TCPPlugin: EnginePlugin {
    package let name = "tcp"
    package init() {}

    package func makeExchangeTransport(_ section: ConfigurationSection) throws -> (any ExchangeTransport)? {
        TCPExchange(options: try TCPOptions(section))
    }
}
