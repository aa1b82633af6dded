// A server between the tests and the store that spoils what passes: busy answers, lost answers, resets, stalls, cuts.

import Foundation
import Synchronization

/// What becomes of a request.
enum Fault: Sendable {
    case none
    /// 503 SlowDown; the store does not see the request.
    case busy
    /// 500 InternalError, likewise.
    case broken
    /// The connection is reset in place of an answer; the store does not see the request.
    case reset
    /// Nothing comes for so many seconds; then the connection ends.
    case stall(Double)
    /// The answer ends in its middle.
    case cut
    /// The store does what it is asked, and the answer is lost.
    case lost
}

/// Listens on the loopback and passes requests on, each over a connection of its own.
final class FaultProxy: Sendable {
    private struct State {
        var plan: @Sendable (_ method: String, _ target: String, _ number: Int) -> Fault = { _, _, _ in .none }
        var requestCount = 0
        var isStopped = false
    }
    private let state = Mutex(State())
    private let listener: Int32
    private let upstream: Int
    let port: Int

    var endpoint: String { "http://127.0.0.1:\(port)" }
    var requestCount: Int { state.withLock { $0.requestCount } }

    init(upstream: Int) throws {
        self.upstream = upstream
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = listener
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 256) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isBound else { throw POSIXError(.EADDRINUSE) }
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [self] in accept() }
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    /// From now on requests, counted from 0, have these faults.
    func spoil(_ plan: @escaping @Sendable (_ method: String, _ target: String, _ number: Int) -> Fault) {
        state.withLock {
            $0.plan = plan
            $0.requestCount = 0
        }
    }

    private func accept() {
        while !state.withLock({ $0.isStopped }) {
            let client = Glibc.accept(listener, nil, nil)
            if client < 0 { return }
            Thread.detachNewThread { [self] in serve(client) }
        }
    }

    private func serve(_ client: Int32) {
        guard let (head, body) = readRequest(client) else {
            close(client)
            return
        }
        let words = head.prefix { $0 != "\r\n" && $0 != "\n" }.split(separator: " ")
        let method = words.first.map(String.init) ?? ""
        let target = words.dropFirst().first.map(String.init) ?? ""
        let fault = state.withLock { state in
            defer { state.requestCount += 1 }
            return state.plan(method, target, state.requestCount)
        }
        switch fault {
        case .busy: answer(client, "503 Slow Down", "SlowDown")
        case .broken: answer(client, "500 Internal Server Error", "InternalError")
        case .reset: reset(client)
        case .stall(let seconds):
            Thread.sleep(forTimeInterval: seconds)
            close(client)
        case .none, .cut, .lost:
            var bytes = exchange(head, body)
            switch fault {
            case .lost: return reset(client)
            case .cut: bytes.removeLast(min(bytes.count, 1 + bytes.count / 2))
            default: break
            }
            send(client, bytes)
            close(client)
        }
    }

    private func answer(_ client: Int32, _ status: String, _ code: String) {
        let body = "<?xml version=\"1.0\"?><Error><Code>\(code)</Code><Message>said the test</Message></Error>"
        send(
            client,
            Array("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)".utf8))
        close(client)
    }

    private func reset(_ client: Int32) {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(client, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close(client)
    }

    private func readRequest(_ client: Int32) -> (head: String, body: [UInt8])? {
        var bytes: [UInt8] = []
        let mark = Array("\r\n\r\n".utf8)
        var headEnd: Int?
        var wanted = Int.max
        while bytes.count < wanted {
            var chunk = [UInt8](repeating: 0, count: 64 << 10)
            let got = recv(client, &chunk, chunk.count, 0)
            if got <= 0 { return nil }
            let from = max(0, bytes.count - 3)
            bytes += chunk.prefix(got)
            if headEnd == nil {
                var at = from
                while at + 4 <= bytes.count {
                    if bytes[at] == 13, bytes[at..<at + 4].elementsEqual(mark) {
                        headEnd = at + 4
                        break
                    }
                    at += 1
                }
                if let headEnd {
                    let head = String(decoding: bytes[..<headEnd], as: UTF8.self)
                    let length = head.components(separatedBy: "\r\n").first {
                        $0.lowercased().hasPrefix("content-length:")
                    }
                    wanted =
                        headEnd + (length.flatMap { Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) } ?? 0)
                }
            }
        }
        guard let headEnd else { return nil }
        return (String(decoding: bytes[..<headEnd], as: UTF8.self), Array(bytes[headEnd...]))
    }

    /// The store's answer, up to the end of the connection.
    private func exchange(_ head: String, _ body: [UInt8]) -> [UInt8] {
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(server) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(upstream)).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else { return [] }
        // The end of a line is one character.
        let closing = head.dropLast() + "Connection: close\r\n\r\n"
        send(server, Array(closing.utf8) + body)
        var result: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let got = recv(server, &chunk, chunk.count, 0)
            if got <= 0 { return result }
            result += chunk.prefix(got)
        }
    }

    private func send(_ descriptor: Int32, _ bytes: [UInt8]) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return }
            done += count
        }
    }
}
