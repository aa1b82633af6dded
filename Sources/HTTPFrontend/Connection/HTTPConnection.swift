// One connection of a client: its requests one after the other.

import Coordination
import Diagnostics
import Logging
import NIOCore
import NIOHTTP1

struct HTTPConnection: Sendable {
    let router: Router
    let origins: OriginPolicy
    let identification: ClientIdentification
    /// Whether requests in plain are refused.
    let requiresEncryption: Bool
    let limits: HTTPLimits
    let logger: Logger

    /// Answers requests until the client goes. What a request still does then is cancelled with the task.
    func run(
        _ channel: NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>, _ facts: ConnectionFacts
    ) async {
        do {
            try await channel.executeThenClose { inbound, outbound in
                var parts = inbound.makeAsyncIterator()
                while let part = try await parts.next() {
                    guard case .head(let head) = part else { continue }
                    guard try await answer(head, &parts, outbound, facts) else { return }
                }
            }
        } catch {
            logger.debug("an HTTP connection ended", metadata: ["error": "\(error)"])
        }
    }

    private typealias Parts = NIOAsyncChannelInboundStream<HTTPServerRequestPart>.AsyncIterator

    /// Whether another request may follow.
    private func answer(
        _ head: HTTPRequestHead, _ parts: inout Parts, _ outbound: ResponseWriter.Outbound,
        _ facts: ConnectionFacts
    ) async throws -> Bool {
        var keepsAlive = head.isKeepAlive
        var body: [UInt8] = []
        var isTooLong = (head.headers.first(name: "content-length").flatMap(Int.init) ?? 0) > limits.bodyByteCountMax
        if !isTooLong {
            if head.headers.first(name: "expect")?.lowercased() == "100-continue" {
                try await outbound.write(.head(HTTPResponseHead(version: head.version, status: .continue)))
            }
            reading: while let part = try await parts.next() {
                switch part {
                case .head: break
                case .body(let buffer):
                    if body.count + buffer.readableBytes > limits.bodyByteCountMax {
                        isTooLong = true
                        break reading
                    }
                    body.append(contentsOf: buffer.readableBytesView)
                case .end: break reading
                }
            }
        }
        // What is left of a body that is too long is not read: the connection ends.
        if isTooLong { keepsAlive = false }
        var request: HTTPRequest?
        let writer: ResponseWriter
        do {
            request = try HTTPRequest(head)
            request?.body = body
            writer = ResponseWriter(
                outbound, head: head, acceptsGzip: request?.acceptsGzip ?? false, keepsAlive: keepsAlive)
        } catch {
            let plain = ResponseWriter(outbound, head: head, acceptsGzip: false, keepsAlive: false)
            try await ErrorResponse(QueryError.wrapping(error)).send(plain)
            return false
        }
        guard var request else { return false }
        do {
            if isTooLong {
                throw HTTPFailure(
                    .payloadTooLarge,
                    QueryError(
                        .programLimitExceeded, "the request's body is too long",
                        detail: "The limit is \(limits.bodyByteCountMax) bytes."))
            }
            try origins.check(request)
            guard facts.isEncrypted || !requiresEncryption || ClientIdentification.openPaths.contains(request.path)
            else {
                throw HTTPFailure(
                    .upgradeRequired,
                    QueryError(
                        .invalidAuthorization, "requests without encryption are not answered",
                        hint: "Use https on the same port."),
                    headers: ["upgrade": "TLS/1.2"])
            }
            request.user = try await identification.user(of: request)
            if let user = request.user {
                request.isAdministrator = identification.authenticator.isAdministrator(user)
            }
            // What the request has run belongs to the client's trace.
            if let trace = request.headers.first(name: "traceparent").flatMap({ TraceContext(traceparent: $0) }) {
                let request = request
                try await TraceContext.$current.withValue(trace) { try await router.answer(request, writer) }
            } else {
                try await router.answer(request, writer)
            }
            return keepsAlive
        } catch {
            let response = ErrorResponse(error)
            // A result that breaks off must not look like one that has ended: the connection is cut.
            guard !writer.hasBegun else { return false }
            try await response.send(writer, isForPage: request.isForPage)
            return keepsAlive
        }
    }
}
