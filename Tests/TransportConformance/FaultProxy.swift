// A TCP proxy that can stop passing bytes on, as a network does that drops everything. In user space, on threads of its own.

import Diagnostics
import Foundation

/// Forwards connections to one address until it is told not to.
package final class FaultProxy: @unchecked Sendable {
    // Guarded by the lock, but for what never changes.
    private let lock = NSLock()
    private let listener: Int32
    private let target: sockaddr_in
    package let address: String
    private var isCut = false
    private var isOver = false
    private var descriptors: [Int32] = []
    /// Descriptors of connections over which bytes of the target have come.
    private var answered: Set<Int32> = []
    private var heldReads = 0
    private var resets = 0
    private var answers = 0

    package init(to address: String) throws {
        let parts = address.split(separator: ":")
        guard parts.count == 2, let port = UInt16(parts[1]) else {
            throw QueryError(.connectionFailure, "\(address) is no address")
        }
        target = Self.socketAddress(String(parts[0]), port)
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var own = Self.socketAddress("127.0.0.1", 0)
        let isBound = Self.withAddress(&own) { bind(listener, $0, $1) == 0 } && listen(listener, 16) == 0
        self.address = "127.0.0.1:\(Self.boundPort(listener))"
        guard isBound else { throw QueryError(.connectionFailure, "the proxy finds no port") }
        Thread.detachNewThread { [self] in acceptConnections() }
    }

    /// While `true` nothing passes, in both directions; connections stay open.
    package func cut(_ isCut: Bool) { lock.withLock { self.isCut = isCut } }

    /// How often bytes or connections came that were not passed on.
    package var heldCount: Int { lock.withLock { heldReads } }

    /// Ends every connection that is open, or those only over which the target has answered; new ones are taken.
    package func reset(onlyAnswered: Bool = false) {
        let open = lock.withLock { () -> [Int32] in
            let open = onlyAnswered ? descriptors.filter(answered.contains) : descriptors
            descriptors.removeAll { open.contains($0) }
            answered.subtract(open)
            return open
        }
        for descriptor in open { Glibc.shutdown(descriptor, Int32(SHUT_RDWR)) }
        lock.withLock { resets += open.count / 2 }
    }

    /// Connections that `reset` has ended.
    package var resetCount: Int { lock.withLock { resets } }

    /// How often bytes of the target were passed on: grows once a new connection is of use.
    package var answerCount: Int { lock.withLock { answers } }

    /// A port of this machine that nobody listens on, below those that the system gives to whoever asks for any: until it is
    /// bound, no connection of another test gets it.
    package static func freePort() -> Int {
        while true {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(descriptor) }
            let port = UInt16.random(in: 12_000..<32_000)
            var own = socketAddress("127.0.0.1", port)
            if withAddress(&own, { bind(descriptor, $0, $1) }) == 0 { return Int(port) }
        }
    }

    private static func boundPort(_ descriptor: Int32) -> Int {
        var own = socketAddress("127.0.0.1", 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &own) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        return Int(UInt16(bigEndian: own.sin_port))
    }

    package func shutdown() {
        let open = lock.withLock { () -> [Int32] in
            isOver = true
            return descriptors + [listener]
        }
        for descriptor in open { Glibc.shutdown(descriptor, Int32(SHUT_RDWR)) }
    }

    private func acceptConnections() {
        while true {
            let client = accept(listener, nil, nil)
            guard client >= 0 else { return }
            waitWhileCut()
            let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = target
            guard Self.withAddress(&address, { connect(server, $0, $1) == 0 }) else {
                close(client)
                close(server)
                continue
            }
            lock.withLock { descriptors += [client, server] }
            Thread.detachNewThread { [self] in forward(from: client, to: server, isAnswer: false) }
            Thread.detachNewThread { [self] in forward(from: server, to: client, isAnswer: true) }
        }
    }

    private func forward(from source: Int32, to sink: Int32, isAnswer: Bool) {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(source, &bytes, bytes.count)
            guard count > 0 else { break }
            waitWhileCut()
            var sent = 0
            while sent < count {
                let written = bytes[sent..<count].withUnsafeBytes {
                    send(sink, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard written > 0 else { break }
                sent += written
            }
            if sent < count { break }
            if isAnswer {
                lock.withLock {
                    answers += 1
                    if descriptors.contains(source) { answered.formUnion([source, sink]) }
                }
            }
        }
        Glibc.shutdown(sink, Int32(SHUT_RDWR))
        Glibc.shutdown(source, Int32(SHUT_RDWR))
    }

    private func waitWhileCut() {
        var isFirst = true
        while lock.withLock({ isCut && !isOver }) {
            if isFirst { lock.withLock { heldReads += 1 } }
            isFirst = false
            usleep(10_000)
        }
    }

    private static func socketAddress(_ host: String, _ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr(host)
        return address
    }

    private static func withAddress<T>(
        _ address: inout sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> T
    ) -> T {
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
