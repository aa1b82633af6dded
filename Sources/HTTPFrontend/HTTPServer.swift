// HTTPFrontend: health, metrics, and what workers and queries there are, over HTTP/1.1.
//
//   GET /healthz      200 while the process lives
//   GET /readyz       200 when a query would find a worker, else 503
//   GET /metrics      Prometheus text
//   GET /v1/workers   JSON array
//   GET /v1/queries   JSON array, running ones first
//   GET /v1/version   JSON object

import Coordination
import Diagnostics
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import Transport

package final class HTTPServer: Sendable {
    private let engine: QueryEngine
    private let connectionCount: @Sendable () -> Int
    private let start = ContinuousClock.now
    private let listener = Mutex<(any Channel)?>(nil)

    private init(engine: QueryEngine, connectionCount: @escaping @Sendable () -> Int) {
        self.engine = engine
        self.connectionCount = connectionCount
    }

    /// Listens. Port 0 is any free one; the endpoint says which. `connectionCount` gives the clients connected now.
    package static func start(
        engine: QueryEngine, on endpoint: Endpoint, group: any EventLoopGroup,
        connectionCount: @escaping @Sendable () -> Int = { 0 }
    ) async throws -> (server: HTTPServer, endpoint: Endpoint) {
        let server = HTTPServer(engine: engine, connectionCount: connectionCount)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(ChannelOptions.backlog, value: 128)
            .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
                    try channel.pipeline.syncOperations.addHandler(RequestHandler(server: server))
                }
            }
        let channel: any Channel
        do { channel = try await bootstrap.bind(host: endpoint.host, port: endpoint.port).get() } catch {
            throw QueryError(
                .connectionFailure, "could not listen for HTTP clients on \(endpoint): \(error)", cause: error)
        }
        server.listener.withLock { $0 = channel }
        return (server, Endpoint(host: endpoint.host, port: channel.localAddress?.port ?? endpoint.port))
    }

    package func shutdown() async { try? await listener.withLock { $0 }?.close() }

    // MARK: - Answers

    struct Answer {
        var status = HTTPResponseStatus.ok
        var contentType = "application/json"
        var body: String
    }

    func answer(_ method: HTTPMethod, _ uri: String) -> Answer {
        let path = uri.prefix { $0 != "?" }
        guard method == .GET || method == .HEAD else {
            return Answer(status: .methodNotAllowed, body: #"{"error":"only GET is answered"}"# + "\n")
        }
        switch path {
        case "/healthz": return Answer(contentType: "text/plain", body: "ok\n")
        case "/readyz":
            let isReady = !engine.directory.available.isEmpty
            return Answer(
                status: isReady ? .ok : .serviceUnavailable, contentType: "text/plain",
                body: isReady ? "ready\n" : "no workers\n")
        case "/metrics": return Answer(contentType: "text/plain; version=0.0.4", body: metrics())
        case "/v1/workers": return Answer(body: workers())
        case "/v1/queries": return Answer(body: queries())
        case "/v1/version": return Answer(body: "{\"version\":\(JSON.string(EngineVersion.version))}\n")
        default: return Answer(status: .notFound, body: #"{"error":"there is nothing at this path"}"# + "\n")
        }
    }

    private func workers() -> String {
        let items = engine.directory.summaries().map { worker in
            "{\"id\":\(JSON.string(worker.id.text)),\"incarnation\":\(worker.incarnation.value),"
                + "\"state\":\(JSON.string(worker.state)),\"control\":\(JSON.string(worker.controlAddress)),"
                + "\"exchange\":\(JSON.string(worker.exchangeAddress)),\"running_tasks\":\(worker.runningTasks),"
                + "\"slots\":\(worker.slots),\"memory_bytes\":\(worker.memoryBytes)}"
        }
        return "[" + items.joined(separator: ",\n ") + "]\n"
    }

    private func queries() -> String {
        let items = engine.queries.records().map { query in
            "{\"id\":\(JSON.string(query.id.text)),\"state\":\(JSON.string(query.state.rawValue)),"
                + "\"user\":\(JSON.string(query.user)),\"sql\":\(JSON.string(query.sql)),"
                + "\"started_at_us\":\(query.startedAt),"
                + "\"duration_us\":\(query.durationMicroseconds.map(String.init) ?? "null"),"
                + "\"error\":\(query.error.map { JSON.string("\($0.state): \($0.message)") } ?? "null")}"
        }
        return "[" + items.joined(separator: ",\n ") + "]\n"
    }

    private func metrics() -> String {
        let counts = engine.queries.counts
        let uptime = (ContinuousClock.now - start).components.seconds
        let summaries = engine.directory.summaries()
        var text = ""
        func metric(_ name: String, _ kind: String, _ help: String, _ lines: [(labels: String, value: Int)]) {
            text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
            for line in lines { text += "\(name)\(line.labels) \(line.value)\n" }
        }
        metric("martlet_uptime_seconds", "gauge", "Seconds since the start.", [("", Int(uptime))])
        metric("martlet_queries_running", "gauge", "Queries that run.", [("", counts.running)])
        metric("martlet_queries_started_total", "counter", "Queries started.", [("", counts.started)])
        metric("martlet_queries_failed_total", "counter", "Queries that ended with an error.", [("", counts.failed)])
        metric("martlet_connections", "gauge", "PostgreSQL clients connected.", [("", connectionCount())])
        let states = Dictionary(grouping: summaries, by: \.state).mapValues(\.count).sorted { $0.key < $1.key }
        metric(
            "martlet_workers", "gauge", "Workers by state.", states.map { ("{state=\"\($0.key)\"}", $0.value) })
        metric(
            "martlet_worker_running_tasks", "gauge", "Tasks that run, by worker.",
            summaries.map { ("{worker=\(JSON.string($0.id.text))}", $0.runningTasks) })
        return text
    }
}

/// Texts in JSON.
private enum JSON {
    static func string(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\\(scalar)"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

/// Answers the requests of one connection; used on its event loop only.
private final class RequestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let server: HTTPServer
    private var head: HTTPRequestHead?

    init(server: HTTPServer) { self.server = server }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body: break
        case .end:
            guard let head else { return }
            self.head = nil
            let answer = server.answer(head.method, head.uri)
            var headers = HTTPHeaders()
            headers.add(name: "content-type", value: answer.contentType)
            headers.add(name: "content-length", value: String(answer.body.utf8.count))
            context.write(
                wrapOutboundOut(
                    .head(HTTPResponseHead(version: head.version, status: answer.status, headers: headers))),
                promise: nil)
            if head.method != .HEAD {
                context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: answer.body)))), promise: nil)
            }
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            if !head.isKeepAlive { context.close(promise: nil) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
