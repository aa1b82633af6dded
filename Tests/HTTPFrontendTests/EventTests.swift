// Live events: the feed by itself, and a viewer over a WebSocket.

import Diagnostics
import EngineTestSupport
import Foundation
import Logging
import NIOPosix
import Testing
import Transport

@testable import Coordination
@testable import HTTPFrontend

private func record(_ id: String, _ state: QueryRecord.State) -> QueryRecord {
    QueryRecord(
        id: QueryID(id), sql: "SELECT 1", user: "u", state: state, startedAt: 1,
        durationMicroseconds: state == .running ? nil : 5, rowCount: 0)
}

private func view(running: [QueryRecord] = [], ended: [QueryRecord] = []) -> ClusterView {
    ClusterView(
        workers: [], running: running, ended: ended, samples: [],
        totals: ClusterView.Totals(running: running.count, queued: 0, started: 0, failed: 0, connections: 0))
}

private func parsed(_ bytes: [UInt8]?) throws -> [String: Any] {
    let bytes = try #require(bytes)
    return try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
}

@Suite struct EventFeedTests {
    @Test func deltasAreNumberedAndSayOnlyWhatIsNew() throws {
        var feed = EventFeed()
        let first = try parsed(feed.delta(view(running: [record("a", .running)])))
        #expect(first["seq"] as? Int == 1 && (first["queries"] as? [Any])?.count == 1)
        #expect(feed.delta(view(running: [record("a", .running)])) == nil)
        let second = try parsed(feed.delta(view(ended: [record("a", .finished)])))
        #expect(second["seq"] as? Int == 2 && (second["gone_queries"] as? [Any])?.isEmpty == true)
        // A snapshot stands for what the deltas up to its number have told.
        let snapshot = try parsed(feed.snapshot(view(ended: [record("a", .finished)]), version: "1"))
        #expect(snapshot["seq"] as? Int == 2 && snapshot["type"] as? String == "snapshot")
    }

    @Test func whatVanishesIsTold() throws {
        var feed = EventFeed()
        _ = feed.delta(view(running: [record("a", .running)]))
        #expect(try parsed(feed.delta(view()))["gone_queries"] as? [String] == ["a"])
    }
}

@Suite struct ViewerTests {
    private static func upgrade(_ origin: String = "http://localhost") -> String {
        RawClient.request(
            "GET", "/v1/events",
            headers: [
                "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Origin: \(origin)",
            ])
    }

    /// The next frame's kind and content.
    private static func frame(_ connection: RawConnection) -> (opcode: UInt8, content: [UInt8]) {
        let head = connection.read(2)
        guard head.count == 2 else { return (0xFF, []) }
        var size = Int(head[1] & 0x7F)
        if size >= 126 { size = connection.read(size == 126 ? 2 : 8).reduce(0) { $0 << 8 | Int($1) } }
        return (head[0] & 0x0F, connection.read(size))
    }

    private static func send(_ text: String, _ connection: RawConnection) {
        // Clients mask what they send; with zeros it stays readable.
        connection.write([0x81, 0x80 | UInt8(text.utf8.count), 0, 0, 0, 0] + Array(text.utf8))
    }

    private static func serving(_ body: @escaping @Sendable (RawClient) async throws -> Void) async throws {
        let engine = try await TestEngine.start()
        let (server, endpoint) = try await HTTPServer.start(
            engine: engine.node.engine, on: Endpoint(host: "127.0.0.1", port: 0),
            group: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await body(RawClient(port: endpoint.port))
        await server.shutdown()
        await engine.shutdown()
    }

    @Test func aViewerGetsASnapshotThenDeltas() async throws {
        try await Self.serving { client in
            let seen = try await client.perform { connection -> [String] in
                connection.write(Self.upgrade())
                guard let upgraded = connection.response()?.response, upgraded.status == 101 else {
                    return ["no upgrade"]
                }
                var kinds: [String] = ["accept \(upgraded.headers["sec-websocket-accept"] ?? "")"]
                var sequence = -1
                for _ in 0..<12 {
                    let (opcode, content) = Self.frame(connection)
                    guard opcode == 1, let message = try? parsed(content) else { return kinds + ["frame \(opcode)"] }
                    let (type, number) = (message["type"] as? String ?? "", message["seq"] as? Int ?? -1)
                    if type == "snapshot" { sequence = number - 1 }
                    if type == "snapshot" || type == "delta" {
                        if number != sequence + 1 { kinds.append("gap") }
                        sequence = number
                    }
                    if !kinds.contains(type) { kinds.append(type) }
                    if kinds.contains("delta"), !kinds.contains("asked") {
                        kinds.append("asked")
                        Self.send(#"{"type":"resync"}"#, connection)
                        Self.send(#"{"type":"nonsense"}"#, connection)
                    } else if type == "snapshot", kinds.contains("asked") {
                        kinds.append("again")
                    }
                    if kinds.contains("again"), kinds.contains("error") { break }
                }
                // The server answers a close with a close.
                connection.write([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8])
                for _ in 0..<20 where Self.frame(connection).opcode == 8 {
                    kinds.append("closed")
                    break
                }
                return kinds
            }
            #expect(seen.first == "accept s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            for kind in ["snapshot", "delta", "error", "again", "closed"] { #expect(seen.contains(kind), "\(seen)") }
            #expect(!seen.contains("gap"), "\(seen)")
        }
    }

    @Test func pagesOfOthersDoNotSee() async throws {
        try await Self.serving { client in
            let status = try await client.perform { connection in
                connection.write(Self.upgrade("http://elsewhere.example"))
                return connection.response()?.response.status
            }
            #expect(status == 403)
        }
    }

    @Test func requestsThatAreNotUpgradedAreAnswered() async throws {
        try await Self.serving { client in
            for path in ["/healthz", "/v1/events"] {
                let response = try await client.send(
                    "GET", path,
                    headers: ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"])
                #expect(response.status == (path == "/healthz" ? 200 : 426))
            }
        }
    }

    @Test func aViewerThatDoesNotReadIsCutOff() async throws {
        let engine = try await TestEngine.start()
        var limits = HTTPLimits()
        limits.viewerQueueMax = 4
        let hub = EventHub(engine: engine.node.engine, limits: limits, connectionCount: { 0 })
        let (cuts, cut) = AsyncStream<Void>.makeStream()
        let (_, messages) = try #require(hub.add { cut.finish() })
        let deadline = ContinuousClock.now + .seconds(120)
        // Nobody takes a message: every query adds one, and beyond the bound the viewer goes.
        while hub.viewerCount > 0, ContinuousClock.now < deadline {
            _ = try await engine.query("SELECT 1")
            try await Task.sleep(for: .milliseconds(50))
        }
        // Its messages end when it is cut off: without that nothing is waited for.
        guard hub.viewerCount == 0 else {
            Issue.record("the viewer was not cut off")
            hub.shutdown()
            await engine.shutdown()
            return
        }
        var count = 0
        for await _ in messages { count += 1 }
        #expect(count == 4)
        for await _ in cuts {}
        hub.shutdown()
        await engine.shutdown()
    }
}
