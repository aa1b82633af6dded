// Exchange between nodes of one process: a reader polls the producer's output buffer itself. The bytes in flight are
// those of the producer's buffer, so its limit is the back-pressure.

import Columnar
import Diagnostics
import Synchronization
import Transport

/// The exchange transport "inprocess".
package final class InProcessExchange: ExchangeTransport {
    private let network: InProcessNetwork
    private let served = Mutex<[(endpoint: Endpoint, exchange: InProcessNetwork.ServedExchange)]>([])

    package init(network: InProcessNetwork = .shared) { self.network = network }

    package func serve(_ source: any ExchangeSource, on endpoint: Endpoint) async throws -> Endpoint {
        let exchange = InProcessNetwork.ServedExchange(source)
        let resolved = try network.add(exchange, at: endpoint)
        served.withLock { $0.append((resolved, exchange)) }
        return resolved
    }

    package func openReader(
        _ channel: ExchangeChannel, at endpoint: Endpoint, fund: (any CreditFund)?
    ) -> any ExchangeReader {
        guard let exchange = network.exchange(at: endpoint) else {
            return InProcessReader(failure: InProcessExchange.unreachable(endpoint))
        }
        let reader = InProcessReader(stream: exchange.source.openStream(channel), exchange: exchange)
        let isServed = exchange.readers.withLock { table in
            if table.isClosed { return false }
            table.nextKey += 1
            table.readers[table.nextKey] = reader
            reader.register(as: table.nextKey)
            return true
        }
        if !isServed { reader.fail(InProcessExchange.unreachable(endpoint)) }
        return reader
    }

    package func shutdown() async {
        let all = served.withLock { served in
            let all = served
            served = []
            return all
        }
        for (endpoint, exchange) in all {
            network.removeExchange(at: endpoint)
            let readers = exchange.readers.withLock { table in
                table.isClosed = true
                let readers = table.readers
                table.readers = [:]
                return readers
            }
            for key in readers.keys.sorted() {
                readers[key]?.fail(
                    QueryError(.workerLost, "the node at \(endpoint) has left", object: endpoint.description))
            }
        }
    }

    private static func unreachable(_ endpoint: Endpoint) -> QueryError {
        QueryError(
            .exchangeFailed, "could not connect to \(endpoint)", detail: "No node of this process serves there.",
            object: endpoint.description)
    }
}

/// The reading end of a channel whose producer lives in this process.
final class InProcessReader: ExchangeReader {
    private struct State {
        var stream: (any ExchangeStream)?
        var failure: QueryError?
        /// The reader's wake-up, kept here so that the loss of the producer's node can call it too.
        var wake: (@Sendable () -> Void)?
        var key: Int?
        var exchange: InProcessNetwork.ServedExchange?
    }
    private let state: Mutex<State>

    init(stream: any ExchangeStream, exchange: InProcessNetwork.ServedExchange) {
        state = Mutex(State(stream: stream, exchange: exchange))
    }

    init(failure: QueryError) {
        state = Mutex(State(failure: failure))
    }

    func register(as key: Int) { state.withLock { $0.key = key } }

    func poll(wake: @escaping @Sendable () -> Void) throws -> ExchangeEvent {
        // The wake-up is stored before the stream is asked: it may be called before `poll` has returned.
        let (stream, failure) = state.withLock { state in
            state.wake = wake
            return (state.stream, state.failure)
        }
        if let failure { throw failure }
        guard let stream else { return .finished }
        let event: ExchangeEvent
        do {
            event = try stream.poll { [weak self] in self?.wakeUp() }
        } catch {
            let failure = QueryError.wrapping(error)
            state.withLock { $0.failure = failure }
            end()
            throw failure
        }
        switch event {
        case .pending:
            // A failure that came in between has found the wake-up.
            break
        case .batch:
            state.withLock { $0.wake = nil }
        case .finished:
            end()
        }
        return event
    }

    func close() {
        let stream = state.withLock { state in
            state.wake = nil
            return state.stream
        }
        end()
        stream?.close()
    }

    /// The producer's node has left.
    func fail(_ error: QueryError) {
        let (stream, wake) = state.withLock { state in
            guard state.stream != nil else { return (nil as (any ExchangeStream)?, nil as (@Sendable () -> Void)?) }
            let taken = (state.stream, state.wake)
            state.failure = error
            state.stream = nil
            state.wake = nil
            return taken
        }
        stream?.close()
        wake?()
    }

    private func wakeUp() {
        let wake = state.withLock { state in
            let wake = state.wake
            state.wake = nil
            return wake
        }
        wake?()
    }

    /// Lets go of the stream and of the place in the served node's table.
    private func end() {
        let (key, exchange) = state.withLock { state in
            let taken = (state.key, state.exchange)
            state.stream = nil
            state.wake = nil
            state.key = nil
            state.exchange = nil
            return taken
        }
        if let key, let exchange { exchange.readers.withLock { _ = $0.readers.removeValue(forKey: key) } }
    }
}
