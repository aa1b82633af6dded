// The metrics, held against the text format of Prometheus by a strict reader.

import Diagnostics
import Foundation
import Testing

@testable import Coordination
@testable import HTTPFrontend

/// Reads an exposition (text format 0.0.4) and refuses what the format, or its conventions, do not allow.
struct MetricsDocument {
    struct Failure: Error, CustomStringConvertible { var description: String }
    struct Series: Hashable {
        var name: String
        var labels: [String: String]
    }

    private(set) var types: [String: String] = [:]
    private(set) var values: [Series: Double] = [:]

    init(_ text: String) throws {
        guard text.hasSuffix("\n") else { throw Failure(description: "the last line has no end") }
        var current: (name: String, type: String)?
        var helped: Set<String> = []
        var ended: Set<String> = []
        for line in text.dropLast().split(separator: "\n", omittingEmptySubsequences: false) {
            func refuse(_ what: String) -> Failure { Failure(description: "\(what): \(line)") }
            if line.hasPrefix("# HELP ") {
                let parts = line.dropFirst(7).split(separator: " ", maxSplits: 1)
                guard parts.count == 2, !parts[1].isEmpty else { throw refuse("a help without text") }
                let name = String(parts[0])
                guard helped.insert(name).inserted else { throw refuse("a second help") }
                if let last = current?.name { ended.insert(last) }
                current = nil
            } else if line.hasPrefix("# TYPE ") {
                let parts = line.dropFirst(7).split(separator: " ").map(String.init)
                guard parts.count == 2, ["counter", "gauge", "histogram", "summary", "untyped"].contains(parts[1])
                else {
                    throw refuse("no type")
                }
                guard helped.contains(parts[0]) else { throw refuse("a type before its help") }
                guard types[parts[0]] == nil else { throw refuse("a second type") }
                guard Self.isName(parts[0]) else { throw refuse("no name") }
                guard (parts[1] == "counter") == parts[0].hasSuffix("_total") else {
                    throw refuse("counters, and only they, end in _total")
                }
                types[parts[0]] = parts[1]
                current = (parts[0], parts[1])
            } else if line.isEmpty || line.hasPrefix("#") {
                throw refuse("a line of no use")
            } else {
                let (series, value) = try Self.sample(line)
                guard let family = current, Self.names(of: family).contains(series.name), !ended.contains(family.name)
                else { throw refuse("a sample outside of its family") }
                guard values[series] == nil else { throw refuse("a series twice") }
                guard value.isFinite, current?.type != "counter" || value >= 0 else { throw refuse("no such value") }
                values[series] = value
            }
        }
        guard helped == Set(types.keys) else { throw Failure(description: "a help without a type") }
        for (name, type) in types where type == "histogram" { try checkHistogram(name) }
    }

    private static func names(of family: (name: String, type: String)) -> [String] {
        family.type == "histogram" ? ["_bucket", "_sum", "_count"].map { family.name + $0 } : [family.name]
    }

    /// Buckets have bounds that ascend and counts that do not fall, up to one without bound; each series has sum and count.
    private func checkHistogram(_ name: String) throws {
        func refuse(_ what: String) -> Failure { Failure(description: "\(what): \(name)") }
        var buckets: [[String: String]: [(bound: Double, count: Double)]] = [:]
        for (series, value) in values where series.name == name + "_bucket" {
            guard let bound = series.labels["le"].flatMap({ Double($0) }) else {
                throw refuse("a bucket without bound")
            }
            buckets[series.labels.filter { $0.key != "le" }, default: []].append((bound, value))
        }
        let others = values.keys.filter { $0.name == name + "_sum" || $0.name == name + "_count" }
        guard Set(others.map(\.labels)) == Set(buckets.keys) else { throw refuse("a histogram in parts") }
        for (labels, unsorted) in buckets {
            let sorted = unsorted.sorted { $0.bound < $1.bound }
            guard let last = sorted.last, last.bound == .infinity,
                values[Series(name: name + "_sum", labels: labels)] != nil,
                values[Series(name: name + "_count", labels: labels)] == last.count
            else { throw refuse("a histogram without its whole") }
            guard zip(sorted, sorted.dropFirst()).allSatisfy({ $0.count <= $1.count }) else {
                throw refuse("buckets that fall")
            }
        }
    }

    private static func isName(_ text: some StringProtocol) -> Bool {
        guard let first = text.utf8.first, first < 0x30 || first > 0x39 else { return false }
        return text.utf8.allSatisfy {
            $0 == 0x5F || $0 == 0x3A || $0 >= 0x30 && $0 <= 0x39 || $0 >= 0x41 && $0 <= 0x5A || $0 >= 0x61 && $0 <= 0x7A
        }
    }

    private static func sample(_ line: Substring) throws -> (Series, Double) {
        func refuse(_ what: String) -> Failure { Failure(description: "\(what): \(line)") }
        let name = line.prefix { $0 != "{" && $0 != " " }
        guard isName(name) else { throw refuse("no name") }
        var rest = line.dropFirst(name.count)
        var labels: [String: String] = [:]
        if rest.first == "{" {
            rest = rest.dropFirst()
            while rest.first != "}" {
                let label = rest.prefix { $0 != "=" }
                guard isName(label), !label.contains(":"), !label.hasPrefix("__") else { throw refuse("no label") }
                rest = rest.dropFirst(label.count)
                guard rest.hasPrefix("=\"") else { throw refuse("a label without value") }
                rest = rest.dropFirst(2)
                var value = ""
                while let character = rest.popFirst(), character != "\"" {
                    guard character == "\\" else {
                        value.append(character)
                        continue
                    }
                    switch rest.popFirst() {
                    case "\\": value.append("\\")
                    case "\"": value.append("\"")
                    case "n": value.append("\n")
                    default: throw refuse("an escape that there is not")
                    }
                }
                guard labels.updateValue(value, forKey: String(label)) == nil else { throw refuse("a label twice") }
                if rest.first == "," {
                    rest = rest.dropFirst()
                } else if rest.first != "}" {
                    throw refuse("no list of labels")
                }
            }
            rest = rest.dropFirst()
        }
        guard rest.first == " ", let value = Double(rest.dropFirst()) else { throw refuse("no value") }
        return (Series(name: String(name), labels: labels), value)
    }
}

@Suite struct MetricsTests {
    @Test func theReaderIsStrict() {
        let good = "# HELP a_total x\n# TYPE a_total counter\na_total{l=\"v\\\"\"} 1\n"
        #expect((try? MetricsDocument(good)) != nil)
        let histogram =
            "# HELP a x\n# TYPE a histogram\na_bucket{le=\"0.5\"} 1\na_bucket{le=\"+Inf\"} 2\na_sum 3\na_count 2\n"
        #expect((try? MetricsDocument(histogram)) != nil)
        for bad in [
            good + good, String(good.dropLast()), "a_total 1\n", "# HELP a x\n# TYPE a counter\na 1\n",
            "# HELP a_total x\n# TYPE a_total gauge\na_total 1\n", "# TYPE a gauge\n# HELP a x\na 1\n",
            "# HELP a x\n# TYPE a gauge\na 1\na 2\n", "# HELP a x\n# TYPE a gauge\na{l=\"1\",l=\"2\"} 1\n",
            "# HELP a x\n# TYPE a gauge\na{l=\"1} 1\n", "# HELP a x\n# TYPE a gauge\nb 1\n",
            "# HELP a x\n# TYPE a gauge\na NaN\n",
            "# HELP 1a x\n# TYPE 1a gauge\n1a 1\n", "# HELP a x\n# TYPE a thing\na 1\n",
            "# HELP a \n# TYPE a gauge\na 1\n",
            "# HELP a x\n# TYPE a gauge\na{l=\"\\q\"} 1\n",
            "# HELP a x\n# TYPE a histogram\na 1\n",
            "# HELP a x\n# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 2\n",
            "# HELP a x\n# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 1\na_count 1\n",
            "# HELP a x\n# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_bucket{le=\"1\"} 2\na_sum 1\na_count 1\n",
            "# HELP a x\n# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_count 1\n",
        ] { #expect(throws: MetricsDocument.Failure.self, "\(bad)") { _ = try MetricsDocument(bad) } }
    }

    @Test func metricsAreWellFormedAndCountersRise() async throws {
        try await serving { client, _ in
            func read() async throws -> MetricsDocument {
                let response = try await client.send("GET", "/metrics")
                #expect(response.headers["content-type"]?.hasPrefix("text/plain; version=0.0.4") == true)
                return try MetricsDocument(response.text)
            }
            let first = try await read()
            for sql in ["SELECT count(*) FROM tpch.tiny.orders", "SELECT 1/0", "SELECT nothing"] {
                _ = try await client.send("POST", "/v1/query", headers: ["Content-Type: text/plain"], body: sql)
            }
            let second = try await read()
            for (series, value) in first.values where first.types[series.name] == "counter" {
                #expect(second.values[series].map { $0 >= value } == true, "\(series.name)")
            }
            let started = MetricsDocument.Series(name: "martlet_queries_started_total", labels: [:])
            #expect((second.values[started] ?? 0) > (first.values[started] ?? 0))
            #expect(first.types.count >= 10 && first.types == second.types)
            for (name, type) in [
                ("martlet_query_queue_seconds_total", "counter"), ("martlet_query_plan_seconds_total", "counter"),
                ("martlet_query_plans_total", "counter"), ("martlet_query_retries_total", "counter"),
                ("martlet_query_wasted_cpu_seconds_total", "counter"), ("martlet_spilled_bytes_total", "counter"),
                ("martlet_event_loop_lag_seconds", "gauge"), ("martlet_workers_lost_total", "counter"),
                ("martlet_workers_falsely_suspected_total", "counter"), ("martlet_worker_silence_seconds", "gauge"),
                ("martlet_workers", "gauge"), ("martlet_queries_queued", "gauge"),
                ("martlet_worker_suspicion", "histogram"), ("martlet_store_request_seconds", "histogram"),
                ("martlet_exchange_reader_wait_seconds_total", "counter"),
                ("martlet_exchange_writer_wait_seconds_total", "counter"),
                ("martlet_exchange_credit_wait_seconds_total", "counter"), ("martlet_spill_held_bytes", "gauge"),
                ("martlet_spill_orphaned_bytes_total", "counter"),
            ] { #expect(first.types[name] == type, "\(name)") }
            ProcessMeters.addStoreRequest(catalog: "a \"store\"", duration: .milliseconds(30))
            let third = try await read()
            func requests(under bound: String) -> Double? {
                let labels = ["node": "coordinator", "catalog": "a \"store\"", "le": bound]
                return third.values[.init(name: "martlet_store_request_seconds_bucket", labels: labels)]
            }
            #expect(requests(under: "0.025") == 0 && requests(under: "0.05") == 1 && requests(under: "+Inf") == 1)
            let planned = MetricsDocument.Series(name: "martlet_query_plans_total", labels: [:])
            #expect((second.values[planned] ?? 0) > (first.values[planned] ?? 0))
        }
    }
}
