// The channels that this node serves, whatever connections they go over: a connection that breaks leaves them here for a
// while, and a reader who comes back over another one finds them.

import Diagnostics
import NIOCore
import Synchronization
import Transport
import WireCodec

/// Thread-safe. A sender belongs to one connection, whose event loop alone touches it, or to nobody.
final class ServedChannels: Sendable {
    /// Gives a sender away: called on any thread, answers on the loop of its connection; `nil`: it is not there any more.
    typealias Surrender = @Sendable (_ channel: ExchangeChannel, _ taker: @escaping Taker) -> Void
    typealias Taker = @Sendable (ServedSender?) -> Void

    private enum Place {
        case connection(number: Int, dial: Int, Surrender)
        /// Its connection has broken.
        case nobody(ServedSender, dial: Int, ticket: Int)
    }
    private struct State {
        var places: [ExchangeChannel: Place] = [:]
        var nextNumber = 0
        var isClosed = false
    }
    private let state = Mutex(State())

    /// A number for a connection, or for a wait.
    func makeNumber() -> Int {
        state.withLock { state in
            state.nextNumber += 1
            return state.nextNumber
        }
    }

    enum Claim {
        /// Nobody serves it.
        case new
        case sender(ServedSender)
        /// Another connection has it, of which nobody knows yet that it has broken.
        case elsewhere(Surrender)
        /// A later connection of the reader has it: this one is a thing of the past.
        case outdated
    }

    /// The channel belongs to this connection from now on.
    func claim(
        _ channel: ExchangeChannel, for connection: Int, dial: Int, _ surrender: @escaping Surrender
    ) -> Claim {
        state.withLock { state in
            let claim: Claim
            switch state.places[channel] {
            case nil: claim = .new
            case .nobody(let sender, let other, _):
                guard other <= dial else { return .outdated }
                claim = .sender(sender)
            case .connection(_, let other, let taken):
                guard other <= dial else { return .outdated }
                claim = .elsewhere(taken)
            }
            state.places[channel] = .connection(number: connection, dial: dial, surrender)
            return claim
        }
    }

    /// The channel has ended, unless another connection has taken it over.
    func forget(_ channel: ExchangeChannel, of connection: Int) {
        state.withLock { state in
            if case .connection(connection, _, _) = state.places[channel] { state.places[channel] = nil }
        }
    }

    /// The connection has broken. `false`: another one has the channel, or nobody will ask for it. Otherwise it waits here until
    /// `expire` is called with the same ticket.
    func leave(_ channel: ExchangeChannel, _ sender: ServedSender, of connection: Int, ticket: Int) -> Bool {
        state.withLock { state in
            guard !state.isClosed, case .connection(connection, let dial, _) = state.places[channel] else {
                return false
            }
            state.places[channel] = .nobody(sender, dial: dial, ticket: ticket)
            return true
        }
    }

    func expire(_ channel: ExchangeChannel, ticket: Int) {
        let sender = state.withLock { state -> ServedSender? in
            guard case .nobody(let sender, _, ticket) = state.places[channel] else { return nil }
            state.places[channel] = nil
            return sender
        }
        sender?.value.close()
    }

    func shutdown() {
        let left = state.withLock { state -> [ServedSender] in
            state.isClosed = true
            defer { state.places = [:] }
            return state.places.values.compactMap { if case .nobody(let sender, _, _) = $0 { sender } else { nil } }
        }
        for sender in left { sender.value.close() }
    }

    /// Channels whose reader may come back.
    var waitingCount: Int {
        state.withLock { $0.places.values.count { if case .nobody = $0 { true } else { false } } }
    }
}

/// A sender on its way between event loops: whoever holds it alone may touch it, hence unchecked.
struct ServedSender: @unchecked Sendable {
    let value: ChannelSender
}
