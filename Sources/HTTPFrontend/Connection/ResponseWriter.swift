// Writes one response: whole, or piece by piece as fast as the client reads.

import Diagnostics
import NIOCore
import NIOHTTP1

/// Confined to the task of its connection. Every write waits until the client has taken what came before.
final class ResponseWriter {
    typealias Outbound = NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>
    /// Shorter bodies are sent as they are.
    private static let compressedByteCountMin = 1024

    private let outbound: Outbound
    private let version: HTTPVersion
    private let isHead: Bool
    private let acceptsGzip: Bool
    private let keepsAlive: Bool
    private var gzip: GzipEncoder?
    private(set) var hasBegun = false
    private(set) var isFinished = false
    /// Sent with whatever response comes.
    var headers = HTTPHeaders()

    init(_ outbound: Outbound, head: HTTPRequestHead, acceptsGzip: Bool, keepsAlive: Bool) {
        self.outbound = outbound
        version = head.version
        isHead = head.method == .HEAD
        self.acceptsGzip = acceptsGzip
        self.keepsAlive = keepsAlive
    }

    /// A whole response.
    func send(_ status: HTTPResponseStatus = .ok, _ contentType: String, _ body: [UInt8]) async throws {
        var body = body
        if acceptsGzip, body.count >= Self.compressedByteCountMin, headers["content-encoding"].isEmpty {
            body = try GzipEncoder.compress(body)
            headers.replaceOrAdd(name: "content-encoding", value: "gzip")
        }
        if body.count > 0 || status != .notModified {
            headers.add(name: "content-length", value: String(body.count))
        }
        try await writeHead(status, contentType)
        if !isHead, !body.isEmpty { try await outbound.write(.body(.byteBuffer(ByteBuffer(bytes: body)))) }
        try await end()
    }

    func send(_ status: HTTPResponseStatus = .ok, json body: [UInt8]) async throws {
        try await send(status, "application/json", body + [0x0A])
    }

    /// Begins a response whose length is not known.
    func begin(_ status: HTTPResponseStatus = .ok, _ contentType: String) async throws {
        if acceptsGzip {
            gzip = try GzipEncoder()
            headers.replaceOrAdd(name: "content-encoding", value: "gzip")
        }
        if version.major == 1, version.minor >= 1 {
            headers.add(name: "transfer-encoding", value: "chunked")
        } else {
            headers.replaceOrAdd(name: "connection", value: "close")
        }
        try await writeHead(status, contentType)
    }

    func write(_ bytes: [UInt8]) async throws {
        guard !isHead, !bytes.isEmpty else { return }
        let bytes = try gzip?.compress(bytes, isLast: false) ?? bytes
        try await outbound.write(.body(.byteBuffer(ByteBuffer(bytes: bytes))))
    }

    func finish() async throws {
        if let gzip, !isHead {
            let rest = try gzip.compress([], isLast: true)
            if !rest.isEmpty { try await outbound.write(.body(.byteBuffer(ByteBuffer(bytes: rest)))) }
        }
        try await end()
    }

    private func writeHead(_ status: HTTPResponseStatus, _ contentType: String) async throws {
        hasBegun = true
        headers.replaceOrAdd(name: "content-type", value: contentType)
        headers.add(name: "x-content-type-options", value: "nosniff")
        if headers["cache-control"].isEmpty { headers.add(name: "cache-control", value: "no-store") }
        if acceptsGzip { headers.add(name: "vary", value: "accept-encoding") }
        if !keepsAlive { headers.replaceOrAdd(name: "connection", value: "close") }
        try await outbound.write(.head(HTTPResponseHead(version: version, status: status, headers: headers)))
    }

    private func end() async throws {
        isFinished = true
        try await outbound.write(.end(nil))
    }
}
