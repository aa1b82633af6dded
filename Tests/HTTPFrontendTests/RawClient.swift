// A client that writes requests as they are given, and reads what comes back.

import Foundation
import Testing

#if canImport(Glibc)
    import Glibc
#endif

struct RawResponse {
    var status: Int
    var headers: [String: String]
    var body: [UInt8]
    var text: String { String(decoding: body, as: UTF8.self) }
    var json: Any? { try? JSONSerialization.jsonObject(with: Data(body), options: .fragmentsAllowed) }
    subscript(_ name: String) -> Any? { (json as? [String: Any])?[name] }
}

/// A socket that blocks its thread; so its thread is none of those that run the engine.
final class RawConnection: @unchecked Sendable {
    private let descriptor: Int32
    /// Read and not used; touched by one call at a time.
    private var rest: [UInt8] = []

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(code == 0)
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
    deinit { close(descriptor) }

    func write(_ bytes: [UInt8]) {
        _ = bytes.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }
    func write(_ text: String) { write(Array(text.utf8)) }

    /// Exactly so many bytes; fewer at the end of the stream.
    func read(_ count: Int) -> [UInt8] {
        while rest.count < count, fill() {}
        defer { rest.removeFirst(min(count, rest.count)) }
        return Array(rest.prefix(count))
    }

    private func fill() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count > 0 { rest += buffer[..<count] }
        return count > 0
    }

    func line() -> String {
        var bytes: [UInt8] = []
        while true {
            let next = read(1)
            if next.isEmpty || next[0] == 0x0A { break }
            if next[0] != 0x0D { bytes += next }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// `nil` if the connection ended instead. A body that breaks off is `isWhole` false.
    func response(isHead: Bool = false) -> (response: RawResponse, isWhole: Bool)? {
        let first = line().split(separator: " ")
        guard first.count >= 2, let status = Int(first[1]) else { return nil }
        var headers: [String: String] = [:]
        while true {
            let header = line()
            guard let colon = header.firstIndex(of: ":") else { break }
            headers[header[..<colon].lowercased()] = header[header.index(after: colon)...].trimmingCharacters(
                in: .whitespaces)
        }
        var response = RawResponse(status: status, headers: headers, body: [])
        if isHead || status == 304 || status == 101 { return (response, true) }
        if headers["transfer-encoding"] == "chunked" {
            while true {
                guard let size = Int(line(), radix: 16) else { return (response, false) }
                let part = read(size)
                response.body += part
                if part.count < size { return (response, false) }
                _ = line()
                if size == 0 { return (response, true) }
            }
        }
        let size = headers["content-length"].flatMap(Int.init) ?? 0
        response.body = read(size)
        return (response, response.body.count == size)
    }
}

struct RawClient: Sendable {
    let port: Int

    /// Runs blocking work on a thread of its own.
    func perform<Result: Sendable>(_ work: @escaping @Sendable (RawConnection) throws -> Result) async throws -> Result
    {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { [port] in
                continuation.resume(with: Swift.Result { try work(RawConnection(port: port)) })
            }
        }
    }

    static func request(_ method: String, _ path: String, headers: [String] = [], body: String = "") -> String {
        var lines = ["\(method) \(path) HTTP/1.1", "Host: localhost"] + headers
        if !body.isEmpty { lines.append("Content-Length: \(body.utf8.count)") }
        return lines.joined(separator: "\r\n") + "\r\n\r\n" + body
    }

    func send(_ method: String, _ path: String, headers: [String] = [], body: String = "") async throws -> RawResponse {
        let text = Self.request(method, path, headers: headers, body: body)
        let found = try await perform { connection -> UncheckedBox in
            connection.write(text)
            return UncheckedBox(connection.response(isHead: method == "HEAD")?.response)
        }
        return try #require(found.response)
    }

    func query(_ sql: String, path: String = "/v1/query") async throws -> RawResponse {
        try await send("POST", path, headers: ["Content-Type: text/plain"], body: sql)
    }
}

/// A response is plain data.
struct UncheckedBox: @unchecked Sendable {
    var response: RawResponse?
    init(_ response: RawResponse?) { self.response = response }
}
