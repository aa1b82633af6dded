// Contexts of traces as clients give them, documents as collectors take them, and collectors that do not.

import Diagnostics
import Foundation
import Logging
import Testing
import Transport

@testable import Coordination
@testable import TraceExport

private let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

private func record(_ trace: TraceContext?, error: QueryError? = nil) -> QueryRecord {
    var record = QueryRecord(
        id: QueryID("q"), sql: "SELECT 'secret'", user: "u", state: .finished, startedAt: 1_000_000,
        durationMicroseconds: 5, rowCount: 7)
    if let error { record.fail(error) }
    record.trace = trace
    return record
}

@Suite struct TraceContextTests {
    @Test func readsWhatTheStandardSays() throws {
        let context = try #require(TraceContext(traceparent: parent))
        #expect(context.traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(context.parentSpanID == "00f067aa0ba902b7" && context.isSampled)
        #expect(TraceContext(traceparent: parent.dropLast(2) + "00")?.isSampled == false)
        #expect(TraceContext(traceparent: "cc" + parent.dropFirst(2) + "-more") != nil)
        for wrong in [
            "", "00", parent + "-more", "ff" + parent.dropFirst(2), parent.uppercased(),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", "00-4bf9-00f067aa0ba902b7-01",
            parent.replacing("4", with: "g"),
        ] { #expect(TraceContext(traceparent: wrong) == nil, "\(wrong)") }
    }

    @Test func readsCommentsOfStatements() {
        #expect(TraceContext(commentOf: "SELECT 1 /*traceparent='\(parent)'*/")?.isSampled == true)
        #expect(TraceContext(commentOf: "/* a='b',traceparent='\(parent)',c='d' */ SELECT 1") != nil)
        #expect(TraceContext(commentOf: "/**/ SELECT /* x */ 1 /*traceparent='\(parent)'") != nil)
        for wrong in [
            "SELECT 'traceparent=\(parent)'", "SELECT 1 /*traceparent='nothing'*/", "SELECT 1 /*", "/",
            "/*traceparent='",
            "traceparent='\(parent)'", "/*" + String(repeating: "*", count: 10_000),
        ] { #expect(TraceContext(commentOf: wrong) == nil, "\(wrong.prefix(30))") }
    }
}

@Suite struct TraceDocumentTests {
    @Test func documentsAreJSONWithoutSecrets() throws {
        let context = try #require(TraceContext(traceparent: parent))
        let error = QueryError(.divisionByZero, "a \"message\"\n\u{1} of several lines")
        let traces = [false, true].map {
            QueryTrace(context: context, record: record(context, error: error), course: nil, withText: $0)
        }
        let bytes = OTLPDocument.request(traces, serviceName: "s", version: "1")
        let document = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
        let resource = try #require((document["resourceSpans"] as? [[String: Any]])?.first)
        let spans = try #require((resource["scopeSpans"] as? [[String: Any]])?.first?["spans"] as? [[String: Any]])
        #expect(spans.count == 2)
        for span in spans {
            #expect(span["traceId"] as? String == context.traceID)
            #expect(span["parentSpanId"] as? String == context.parentSpanID)
            #expect((span["spanId"] as? String)?.utf8.count == 16)
            #expect(span["startTimeUnixNano"] as? String == "1000000000")
            #expect(span["endTimeUnixNano"] as? String == "1000005000")
            #expect(((span["status"] as? [String: Any])?["message"] as? String) == error.message)
        }
        #expect(!OTLPDocument.request([traces[0]], serviceName: "s", version: "1").contains("secret"))
        #expect(OTLPDocument.request([traces[1]], serviceName: "s", version: "1").contains("secret"))
    }
}

extension [UInt8] {
    fileprivate func contains(_ text: String) -> Bool { String(decoding: self, as: UTF8.self).contains(text) }
}

@Suite struct TraceExporterTests {
    @Test("a collector that is away costs traces and nothing else")
    func collectorsThatAreAway() async throws {
        var options = TraceExportOptions(endpoint: "http://127.0.0.1:9/v1/traces")
        options.queueCountMax = 100
        options.pause = .milliseconds(1)
        let exporter = TraceExporter(options: options, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let registry = QueryRegistry()
        exporter.observe(registry)
        let context = try #require(TraceContext(traceparent: parent))
        // Nobody sends yet: what does not fit is dropped.
        for _ in 0..<250 { registry.add(record(context)) }
        #expect(exporter.counts == TraceExporter.Counts(sent: 0, dropped: 150, waiting: 100))
        // Not wanted, or of no trace: neither sent nor dropped.
        registry.add(record(TraceContext(traceparent: parent.dropLast(2) + "00")))
        registry.add(record(nil))
        #expect(exporter.counts.dropped == 150)
        exporter.start()
        let deadline = ContinuousClock.now + .seconds(60)
        while exporter.counts.waiting > 0, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(20))
        }
        exporter.stop(within: .seconds(30))
        #expect(exporter.counts == TraceExporter.Counts(sent: 0, dropped: 250, waiting: 0))
    }
}
