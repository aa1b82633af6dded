// Bytes as a hostile client sends them, and the protocol of PostgreSQL by hand.

import Authentication
import Diagnostics
import Foundation
import Frontends

/// A blocking connection. Reads give up after a while, so no test hangs.
final class RawSocket {
    private let descriptor: Int32
    private(set) var received: [UInt8] = []

    init(port: Int, seconds: Int = 30) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else {
            close(descriptor)
            throw QueryError(.connectionFailure, "could not connect to port \(port)")
        }
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func withDescriptor<T>(_ body: (Int32) throws -> T) rethrows -> T { try body(descriptor) }

    /// Whether the peer takes all of it.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var start = 0
        while start < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress.map { $0 + start }, bytes.count - start, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            start += count
        }
        return true
    }

    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// What has come until the peer closes the connection, or nothing more comes in time.
    func readAll(limit: Int = 4 << 20) -> (bytes: [UInt8], isClosed: Bool) {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while all.count < limit {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count == 0 { return (all, true) }
            // A reset is an end, too; time-outs are not.
            if count < 0 { return (all, errno != EAGAIN && errno != EWOULDBLOCK) }
            all += buffer[..<count]
        }
        return (all, false)
    }

    /// Exactly so many bytes, or fewer at the end.
    func read(_ count: Int) -> [UInt8] {
        var all: [UInt8] = []
        while all.count < count {
            var buffer = [UInt8](repeating: 0, count: count - all.count)
            let got = recv(descriptor, &buffer, buffer.count, 0)
            guard got > 0 else { break }
            all += buffer[..<got]
        }
        return all
    }

    /// Until these bytes have come.
    func read(until end: String, limit: Int = 1 << 20) -> String {
        var all: [UInt8] = []
        while all.count < limit, !String(decoding: all, as: UTF8.self).hasSuffix(end) {
            let byte = read(1)
            if byte.isEmpty { break }
            all += byte
        }
        return String(decoding: all, as: UTF8.self)
    }

    func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    // MARK: - PostgreSQL

    static func message(_ type: Character?, _ body: [UInt8]) -> [UInt8] {
        let length = UInt32(body.count + 4)
        return ((type?.asciiValue).map { [$0] } ?? [])
            + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) } + body
    }

    static func startup(user: String) -> [UInt8] {
        message(nil, [0, 3, 0, 0] + Array("user\0\(user)\0database\0martlet\0\0".utf8))
    }

    /// The next message of a server.
    func readMessage() -> (type: Character, body: [UInt8])? {
        let head = read(5)
        guard head.count == 5 else { return nil }
        let length = head[1...].reduce(0) { $0 << 8 | Int($1) }
        guard length >= 4, length < 64 << 20 else { return nil }
        return (Character(Unicode.Scalar(head[0])), read(length - 4))
    }

    /// Messages up to the first of these types, or to the end; the SQLSTATE of an error among them.
    func readMessages(until types: String = "Z") -> (last: Character?, state: String?) {
        var state: String?
        while let (type, body) = readMessage() {
            if type == "E" { state = Self.state(body) }
            if types.contains(type) { return (type, state) }
        }
        return (nil, state)
    }

    private static func state(_ body: [UInt8]) -> String? {
        body.split(separator: 0).first { $0.first == UInt8(ascii: "C") }.map {
            String(decoding: $0.dropFirst(), as: UTF8.self)
        }
    }

    /// Opens a session; gives process and secret, which cancel its queries.
    func logIn(user: String, password: String) throws -> (process: Int32, secret: Int32) {
        send(Self.startup(user: user))
        var proof: any PasswordProof = SCRAMClientInstance(password: password)
        var key: (Int32, Int32)?
        while let (type, body) = readMessage() {
            switch type {
            case "R":
                let kind = body.prefix(4).reduce(0) { $0 << 8 | Int($1) }
                let rest = Array(body.dropFirst(4))
                if kind == 10 {
                    let count = UInt32(proof.first.count)
                    send(
                        Self.message(
                            "p",
                            Array(proof.mechanism.utf8) + [0]
                                + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) } + proof.first))
                } else if kind == 11 {
                    send(Self.message("p", try proof.answer(rest)))
                }
            case "K":
                let numbers = body.map(Int32.init)
                func number(_ at: Int) -> Int32 {
                    numbers[at] << 24 | numbers[at + 1] << 16 | numbers[at + 2] << 8 | numbers[at + 3]
                }
                if body.count == 8 { key = (number(0), number(4)) }
            case "E": throw QueryError(SQLState(Self.state(body) ?? "XX000"), "the server refuses the session")
            case "Z":
                guard let key else { throw QueryError(.protocolViolation, "there is no key") }
                return key
            default: break
            }
        }
        throw QueryError(.connectionFailure, "the server has closed the connection")
    }
}

/// One answer over HTTP.
struct RawResponse {
    var status: Int
    var head: String
    var body: String

    /// Sends a request in one piece and reads to the end of the connection.
    static func get(port: Int, _ request: String, seconds: Int = 30) throws -> RawResponse {
        try send(port: port, Array(request.utf8), seconds: seconds)
    }

    static func send(port: Int, _ request: [UInt8], seconds: Int = 30) throws -> RawResponse {
        let connection = try RawSocket(port: port, seconds: seconds)
        connection.send(request)
        let text = String(decoding: connection.readAll().bytes, as: UTF8.self)
        let parts = text.components(separatedBy: "\r\n\r\n")
        let status = parts[0].split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return RawResponse(status: status, head: parts[0], body: parts.dropFirst().joined(separator: "\r\n\r\n"))
    }

    /// A whole request that ends its connection.
    static func request(
        _ method: String, _ path: String, _ headers: [String] = [], body: String = "", host: String = "localhost"
    ) -> String {
        var lines = ["\(method) \(path) HTTP/1.1", "Host: \(host)", "Connection: close"] + headers
        if !body.isEmpty { lines.append("Content-Length: \(body.utf8.count)") }
        return lines.joined(separator: "\r\n") + "\r\n\r\n" + body
    }
}

extension RawSocket {
    /// Rows, each with its fields between bars, and the SQLSTATE of the error if there is one.
    func run(_ sql: String) -> (rows: [String], state: String?) {
        send(Self.message("Q", Array(sql.utf8) + [0]))
        var rows: [String] = []
        var state: String?
        while let (type, body) = readMessage() {
            if type == "D" {
                var fields: [String] = []
                var at = 2
                while at + 4 <= body.count {
                    let length = body[at..<(at + 4)].reduce(0) { $0 << 8 | Int($1) }
                    at += 4
                    let isNull = length == 0xFFFF_FFFF
                    fields.append(isNull ? "null" : String(decoding: body[at..<(at + length)], as: UTF8.self))
                    if !isNull { at += length }
                }
                rows.append(fields.joined(separator: "|"))
            }
            if type == "E" {
                state = body.split(separator: 0).first { $0.first == UInt8(ascii: "C") }.map {
                    String(decoding: $0.dropFirst(), as: UTF8.self)
                }
            }
            if type == "Z" { break }
        }
        return (rows, state)
    }
}
