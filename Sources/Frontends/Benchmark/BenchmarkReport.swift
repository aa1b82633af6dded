// What a benchmark has found out, and its form as JSON.

import Columnar
import Diagnostics

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// One benchmark on one target.
package struct BenchmarkReport: Sendable, Hashable {
    package static let formatVersion = 1

    /// One statement or one kind of statement.
    package struct Entry: Sendable, Hashable {
        package enum Answer: String, Sendable { case right, wrong, unknown }
        package var name: String
        package var runs: Int64 = 0
        package var errors: Int64 = 0
        /// Rows of one run.
        package var rows: Int64 = 0
        package var answer = Answer.unknown
        /// The first error's message.
        package var note = ""
        /// Milliseconds.
        package var minimum = 0.0
        package var mean = 0.0
        package var median = 0.0
        package var percentile90 = 0.0
        package var percentile99 = 0.0
        package var percentile999 = 0.0
        package var maximum = 0.0

        package init(name: String) { self.name = name }

        package init(name: String, histogram: LatencyHistogram) {
            self.name = name
            runs = histogram.count
            func milliseconds(_ value: Int64) -> Double { Double(value) / 1000 }
            minimum = milliseconds(histogram.minimum)
            mean = histogram.mean / 1000
            median = milliseconds(histogram.quantile(0.5))
            percentile90 = milliseconds(histogram.quantile(0.9))
            percentile99 = milliseconds(histogram.quantile(0.99))
            percentile999 = milliseconds(histogram.quantile(0.999))
            maximum = milliseconds(histogram.maximum)
        }

        static let figures: [(String, any WritableKeyPath<Entry, Double> & Sendable)] = [
            ("min_ms", \.minimum), ("mean_ms", \.mean), ("p50_ms", \.median), ("p90_ms", \.percentile90),
            ("p99_ms", \.percentile99), ("p999_ms", \.percentile999), ("max_ms", \.maximum),
        ]
        static let counts: [(String, any WritableKeyPath<Entry, Int64> & Sendable)] = [
            ("runs", \.runs), ("errors", \.errors), ("rows", \.rows),
        ]
    }

    package var benchmark: String
    package var target: String
    /// When it began, as people read it.
    package var startedAt = ""
    /// What it was asked to do: scale, clients, seconds.
    package var settings: [(name: String, value: String)] = []
    package var entries: [Entry] = []
    /// Statements that ended in each second, for load.
    package var throughput: [Double] = []
    /// Seconds that were measured.
    package var seconds = 0.0
    /// The largest resident memory of this process, engine included where it is embedded; 0 if unknown.
    package var memoryBytesPeak: Int64 = 0

    package init(benchmark: String, target: String) {
        self.benchmark = benchmark
        self.target = target
    }

    package static func == (left: Self, right: Self) -> Bool { left.json == right.json }
    package func hash(into hasher: inout Hasher) { hasher.combine(json) }

    /// Whether nothing failed and no answer is wrong.
    package var isGood: Bool { entries.allSatisfy { $0.errors == 0 && $0.answer != .wrong } }

    /// The n-th root of the product of the medians, over what ran at all.
    package var geometricMean: Double {
        let medians = entries.filter { $0.runs > 0 && $0.median > 0 }.map(\.median)
        guard !medians.isEmpty else { return 0 }
        return exp(medians.reduce(0) { $0 + log($1) } / Double(medians.count))
    }

    // MARK: - JSON

    package var json: String {
        func string(_ text: String) -> String { JSONText.string(text) }
        let settingsText = settings.map { "\(string($0.name)): \(string($0.value))" }.joined(separator: ", ")
        let entriesText = entries.map { entry in
            var members = ["\"name\": \(string(entry.name))"]
            members += Entry.counts.map { "\"\($0.0)\": \(entry[keyPath: $0.1])" }
            members += Entry.figures.map { "\"\($0.0)\": \(DecimalText.fixed(entry[keyPath: $0.1], digits: 3))" }
            members.append("\"answer\": \(string(entry.answer.rawValue))")
            if !entry.note.isEmpty { members.append("\"note\": \(string(entry.note))") }
            return "    {\(members.joined(separator: ", "))}"
        }
        return """
            {
              "format": \(Self.formatVersion),
              "benchmark": \(string(benchmark)),
              "target": \(string(target)),
              "started_at": \(string(startedAt)),
              "settings": {\(settingsText)},
              "seconds": \(DecimalText.fixed(seconds, digits: 3)),
              "memory_bytes_peak": \(memoryBytesPeak),
              "throughput": [\(throughput.map { DecimalText.fixed($0, digits: 1) }.joined(separator: ", "))],
              "entries": [
            \(entriesText.joined(separator: ",\n"))
              ]
            }

            """
    }

    /// Reads what `json` writes. Errors: 22P02 for anything else.
    package init(json text: String) throws {
        self.init(benchmark: "", target: "")
        try Array(text.utf8).withUnsafeBufferPointer { bytes in
            try Columnar.JSONText.validate(bytes)
            let root = JSONTextValue(bytes)
            var format = 0
            try root.forEachMember { key, value in
                switch try Self.text(key) {
                case "format": format = Int(try Self.number(value))
                case "benchmark": benchmark = try Self.text(value)
                case "target": target = try Self.text(value)
                case "started_at": startedAt = try Self.text(value)
                case "seconds": seconds = try Self.number(value)
                case "memory_bytes_peak": memoryBytesPeak = Int64(try Self.number(value))
                case "settings":
                    try value.forEachMember { settings.append((try Self.text($0), try Self.text($1))) }
                case "throughput":
                    try value.forEachElement {
                        throughput.append(try Self.number($0))
                        return true
                    }
                case "entries":
                    try value.forEachElement {
                        entries.append(try Self.entry($0))
                        return true
                    }
                default: break
                }
            }
            guard format == Self.formatVersion else {
                throw QueryError(.invalidTextRepresentation, "the file is no report of a benchmark of this version")
            }
        }
    }

    private static func entry(_ value: JSONTextValue) throws -> Entry {
        var entry = Entry(name: "")
        try value.forEachMember { key, value in
            let name = try text(key)
            if let path = Entry.counts.first(where: { $0.0 == name })?.1 {
                entry[keyPath: path] = Int64(try number(value))
            } else if let path = Entry.figures.first(where: { $0.0 == name })?.1 {
                entry[keyPath: path] = try number(value)
            } else if name == "name" {
                entry.name = try text(value)
            } else if name == "answer" {
                entry.answer = Entry.Answer(rawValue: try text(value)) ?? .unknown
            } else if name == "note" {
                entry.note = try text(value)
            }
        }
        return entry
    }

    private static func text(_ value: JSONTextValue) throws -> String {
        String(decoding: try value.decoded(), as: UTF8.self)
    }

    private static func number(_ value: JSONTextValue) throws -> Double {
        guard let number = Double(String(decoding: value.text, as: UTF8.self)) else {
            throw QueryError(.invalidTextRepresentation, "the report has a text where a number should be")
        }
        return number
    }
}
