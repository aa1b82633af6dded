// A query over two workers of their own, seen by a collector.

import Diagnostics
import EngineTestSupport
import Foundation
import Synchronization
import Testing

/// A collector of traces: takes every POST and keeps its spans. Serves one connection after the other.
final class TraceReceiver: Sendable {
    struct Span: Sendable {
        var trace: String
        var id: String
        var parent: String?
        var name: String
        var attributes: [String: String]
    }
    private let descriptor: Int32
    let port: Int
    private let state = Mutex<[Span]>([])

    init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && listen(descriptor, 8) == 0 && getsockname(descriptor, $0, &size) == 0
            }
        }
        guard isListening else { throw QueryError(.ioError, "could not listen") }
        self.descriptor = descriptor
        port = Int(in_port_t(bigEndian: address.sin_port))
        Thread.detachNewThread { [weak self] in
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else { return }
                self?.serve(connection)
                close(connection)
            }
        }
    }

    func stop() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }

    var spans: [Span] { state.withLock { $0 } }

    private func serve(_ connection: Int32) {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            if let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) {
                let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).lowercased()
                let length = head.firstMatch(of: #/content-length: *([0-9]+)/#).flatMap { Int($0.1) } ?? 0
                if bytes.count - end.upperBound >= length {
                    take(Array(bytes[end.upperBound..<(end.upperBound + length)]))
                    bytes.removeFirst(end.upperBound + length)
                    let answer = Array(
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}".utf8)
                    _ = send(connection, answer, answer.count, Int32(MSG_NOSIGNAL))
                    continue
                }
            }
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            bytes += buffer[..<count]
        }
    }

    private func take(_ body: [UInt8]) {
        guard let document = try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any] else { return }
        for resource in document["resourceSpans"] as? [[String: Any]] ?? [] {
            for scope in resource["scopeSpans"] as? [[String: Any]] ?? [] {
                for span in scope["spans"] as? [[String: Any]] ?? [] {
                    var attributes: [String: String] = [:]
                    for attribute in span["attributes"] as? [[String: Any]] ?? [] {
                        let value = attribute["value"] as? [String: Any]
                        attributes[attribute["key"] as? String ?? ""] =
                            value?["stringValue"] as? String ?? value?["intValue"] as? String
                    }
                    let made = Span(
                        trace: span["traceId"] as? String ?? "", id: span["spanId"] as? String ?? "",
                        parent: span["parentSpanId"] as? String, name: span["name"] as? String ?? "",
                        attributes: attributes)
                    state.withLock { $0.append(made) }
                }
            }
        }
    }
}

@Suite("Traces", .serialized)
struct TraceTests {
    @Test("one trace has the client's id, every stage and every operator of a query over two workers")
    func traceOfAClusterQuery() async throws {
        let receiver = try TraceReceiver()
        defer { receiver.stop() }
        let cluster = try ProcessCluster(
            workers: 2,
            environment: [
                "MARTLET_TRACE_ENDPOINT": "http://127.0.0.1:\(receiver.port)/v1/traces", "MARTLET_TRACE_SHARE": "0",
            ])
        defer { cluster.shutdown() }
        try await cluster.waitForWorkers(2)
        let sql = "SELECT o_orderstatus, count(*) FROM tpch.tiny.orders GROUP BY o_orderstatus ORDER BY 1"
        let http = cluster.coordinator.addresses["http"]?.split(separator: ":").last.flatMap { Int($0) } ?? 0

        // By HTTP's header, by a comment, and by a setting of the session.
        func parent(_ number: Int) -> (trace: String, text: String) {
            let trace = "4bf92f3577b34da6a3ce929d0e0e473\(number)"
            return (trace, "00-\(trace)-00f067aa0ba902b7-01")
        }
        let answer = try RawResponse.get(
            port: http,
            RawResponse.request("POST", "/v1/query?format=csv", ["traceparent: \(parent(1).text)"], body: sql))
        #expect(answer.status == 200)
        let id = try #require(answer.head.firstMatch(of: #/(?i)martlet-query-id: ([0-9a-f-]{36})/#)?.1)
        let session = try cluster.connect()
        _ = try await session.run("\(sql) /*traceparent='\(parent(2).text)'*/")
        _ = try await session.run("SET traceparent = '\(parent(3).text)'")
        _ = try await session.run(sql)
        _ = try await session.run("SET traceparent = ''")
        _ = try await session.run("\(sql) -- of no trace")

        // And by the metadata of a call of Flight SQL.
        func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
            let length =
                bytes.count < 128 ? [UInt8(bytes.count)] : [UInt8(bytes.count & 127 | 128), UInt8(bytes.count >> 7)]
            return [number << 3 | 2] + length + bytes
        }
        let update = field(1, Array("CREATE TABLE traced AS \(sql)".utf8))
        let command =
            field(1, Array("type.googleapis.com/arrow.flight.protocol.sql.CommandStatementUpdate".utf8))
            + field(2, update)
        let grpc = cluster.coordinator.addresses["grpc"]?.split(separator: ":").last.flatMap { Int($0) } ?? 0
        let flight = try RawSocket(port: grpc)
        flight.send(
            SecurityListTests.call(
                "/arrow.flight.protocol.FlightService/DoPut", [("traceparent", parent(4).text)],
                message: field(1, [8, 2] + field(2, command))))

        func spans(_ number: Int) -> [TraceReceiver.Span] { receiver.spans.filter { $0.trace == parent(number).trace } }
        let deadline = Date().addingTimeInterval(60)
        while Date() < deadline, !(1...4).allSatisfy({ number in spans(number).contains { $0.name == "query" } }) {
            try await Task.sleep(for: .milliseconds(50))
        }
        #expect(spans(4).filter { $0.name == "query" }.map(\.parent) == ["00f067aa0ba902b7"])
        _ = flight.received
        // What the coordinator itself knows of the query.
        let detail = try httpBody(cluster.coordinator.addresses["http"] ?? "", "/v1/queries/\(id)")
        let json = try #require(detail.components(separatedBy: "\r\n\r\n").dropFirst().first)
        let document = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
        let operators = try #require(document["operators"] as? [[String: Any]])
        let stages = try #require(document["stages"] as? [[String: Any]])
        #expect(stages.count >= 2)

        for number in 1...3 {
            let all = spans(number)
            let query = all.filter { $0.name == "query" }
            #expect(query.count == 1)
            #expect(query.first?.parent == "00f067aa0ba902b7")
            #expect(query.first?.attributes["db.query.text"] == nil)
            // Each span leads to the query's.
            let byID = Dictionary(all.map { ($0.id, $0) }) { first, _ in first }
            #expect(byID.count == all.count)
            for span in all where span.name != "query" { #expect(span.parent.map { byID[$0] != nil } == true) }
            let named = Set(all.compactMap { $0.attributes["martlet.stage"] })
            #expect(named.count == stages.count)
            #expect(Set(all.compactMap { $0.attributes["martlet.worker"] }).count >= 2)
            let traced = Set(all.compactMap { $0.attributes["martlet.operator"] })
            #expect(traced.count == operators.count)
        }
        let first = Set(spans(1).compactMap { $0.attributes["martlet.operator"] })
        #expect(first == Set(operators.compactMap { $0["node"] as? Int }.map(String.init)))
        // Queries of no trace, with a share of none, are not sent.
        #expect(Set(receiver.spans.map(\.trace)).count == 4)
    }
}
