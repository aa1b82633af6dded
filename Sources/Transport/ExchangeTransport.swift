// Transport is the interface of everything that crosses from node to node. This file: exchange, the bulk of the data.
//
// Producers put batches into an output buffer per (task attempt, partition); consumers pull them with byte credits. In
// one process the batches pass by reference; between processes WireCodec turns them into frames.

import Columnar
import Diagnostics

/// Where a node can be reached.
package struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    package var host: String
    package var port: Int
    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }
    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Reads `HOST:PORT` or `[HOST]:PORT`.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]), port >= 0,
            port < 65_536
        else { return nil }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        self.init(host: host, port: port)
    }
}

/// One stream of batches: the output of one task attempt for one partition of its readers.
package struct ExchangeChannel: Hashable, Sendable {
    package var producer: TaskAttemptID
    /// The reader's task index; for broadcast too, each reader has its own channel.
    package var partition: Int
    package init(producer: TaskAttemptID, partition: Int) {
        self.producer = producer
        self.partition = partition
    }
}

/// What a reader gets next from a channel.
package enum ExchangeEvent: Sendable {
    case batch(Batch)
    /// Nothing at the moment: the callback given to `poll` is called once when that changes.
    case pending
    case finished
}

/// The reading end of one channel. `poll` never blocks; it is called from driver threads, one at a time.
package protocol ExchangeReader: AnyObject, Sendable {
    /// Takes the next batch. When the answer is `.pending`, `wake` is called later, once, from any thread. Throws the
    /// producer's error, or `.exchangeFailed`/`.workerLost` when the peer is gone or bytes are damaged.
    func poll(wake: @escaping @Sendable () -> Void) throws -> ExchangeEvent
    /// No more is wanted: the producer is told to stop. Idempotent.
    func close()
}

/// Where the writing side keeps its output until it is fetched: WorkerRuntime has one a node. Transports serve from it.
package protocol ExchangeSource: AnyObject, Sendable {
    /// Attaches a consumer to a channel. It may come before its producer exists (up to 30 s); the stream then waits.
    func openStream(_ channel: ExchangeChannel) -> any ExchangeStream
}

/// The serving end of a channel, as a transport sees it. Calls come from one thread at a time.
package protocol ExchangeStream: AnyObject, Sendable {
    /// As `ExchangeReader.poll`: batches leave the buffer as they are taken.
    func poll(wake: @escaping @Sendable () -> Void) throws -> ExchangeEvent
    /// The consumer has gone or wants no more: the producer may stop.
    func close()
}

/// Pays for what producers may send ahead of their reader: credit is memory that the reader's task has reserved already.
/// Thread-safe.
package protocol CreditFund: AnyObject, Sendable {
    /// Takes up to `wanted` bytes for one channel, fewer when memory is short, at least `smallestExchangeWindow`. Throws 53200 when
    /// not even that is free.
    func take(_ wanted: Int) throws -> Int
    /// The channel has ended and nothing of it is held any more.
    func giveBack(_ byteCount: Int)
}

/// What a channel may have under way at least; its frames are then no larger than half of it. In bytes.
package let smallestExchangeWindow = 128 << 10

/// Moves exchange data between nodes. `inprocess`, `tcp` and `grpc` are the implementations.
package protocol ExchangeTransport: AnyObject, Sendable {
    /// Starts serving this node's output. Returns where other nodes reach it.
    func serve(_ source: any ExchangeSource, on endpoint: Endpoint) async throws -> Endpoint
    /// Opens the reading end of a channel that lives at `endpoint`. Never blocks: connection errors come from `poll`, as does
    /// the error of a `fund` that has nothing to give. A transport within a process has no bytes under way and asks no fund.
    func openReader(_ channel: ExchangeChannel, at endpoint: Endpoint, fund: (any CreditFund)?) -> any ExchangeReader
    /// Closes all connections and stops serving.
    func shutdown() async
}

extension ExchangeTransport {
    /// For a reader whose memory nobody counts.
    package func openReader(_ channel: ExchangeChannel, at endpoint: Endpoint) -> any ExchangeReader {
        openReader(channel, at: endpoint, fund: nil)
    }
}
