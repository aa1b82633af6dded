// Reports for people and for spreadsheets; two of them side by side.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension BenchmarkReport {
    private static let columns = ["", "runs", "min", "p50", "p90", "p99", "p99.9", "max", "rows", "answer"]

    /// A table, times in milliseconds.
    package var table: String {
        var rows = [Self.columns]
        for entry in entries {
            let times = [
                entry.minimum, entry.median, entry.percentile90, entry.percentile99, entry.percentile999, entry.maximum,
            ]
            rows.append(
                [entry.name, "\(entry.runs)"] + times.map { entry.runs == 0 ? "-" : DecimalText.milliseconds($0) }
                    + ["\(entry.rows)", entry.errors > 0 ? "\(entry.errors) errors" : entry.answer.rawValue])
        }
        var text = "\(benchmark) on \(target)"
        for setting in settings { text += ", \(setting.name) \(setting.value)" }
        text += "\nTimes in milliseconds.\n\n" + Self.aligned(rows) + "\n"
        for entry in entries where !entry.note.isEmpty { text += "\(entry.name): \(entry.note)\n" }
        if entries.count > 1 {
            text += "Geometric mean of the medians: \(DecimalText.milliseconds(geometricMean)) ms\n"
        }
        if seconds > 0, !throughput.isEmpty {
            let total = entries.reduce(0) { $0 + $1.runs }
            text += "Statements a second: \(DecimalText.fixed(Double(total) / seconds, digits: 1))\n"
        }
        if memoryBytesPeak > 0 { text += "Resident memory at most: \(ShellText.bytes(memoryBytesPeak))\n" }
        return text
    }

    package var csv: String {
        var lines = [
            (["name"] + Entry.counts.map(\.0) + Entry.figures.map(\.0) + ["answer"]).joined(separator: ",")
        ]
        for entry in entries {
            let values =
                [
                    "\"" + entry.name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"")
                        + "\""
                ]
                + Entry.counts.map { "\(entry[keyPath: $0.1])" }
                + Entry.figures.map { DecimalText.fixed(entry[keyPath: $0.1], digits: 3) } + [entry.answer.rawValue]
            lines.append(values.joined(separator: ","))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The first column to the left, the others to the right.
    static func aligned(_ rows: [[String]]) -> String {
        let count = rows.map(\.count).max() ?? 0
        let widths = (0..<count).map { column in
            rows.map { column < $0.count ? DisplayWidth.columns($0[column]) : 0 }.max() ?? 0
        }
        var text = ""
        for row in rows {
            var line = ""
            for (column, value) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - DisplayWidth.columns(value))
                line += (column == 0 ? value + padding : "  " + padding + value)
            }
            while line.last == " " { line.removeLast() }
            text += line + "\n"
        }
        return text
    }
}

/// Two reports of the same benchmark.
package struct BenchmarkComparison: Sendable {
    package struct Pair: Sendable {
        package var name: String
        package var before: BenchmarkReport.Entry
        package var after: BenchmarkReport.Entry
        /// Below 1 the second is faster.
        package var ratio: Double { before.median > 0 ? after.median / before.median : 0 }
    }
    package var before: BenchmarkReport
    package var after: BenchmarkReport
    package var pairs: [Pair] = []

    package init(_ before: BenchmarkReport, _ after: BenchmarkReport) {
        self.before = before
        self.after = after
        for entry in before.entries {
            if let other = after.entries.first(where: { $0.name == entry.name }), entry.runs > 0, other.runs > 0 {
                pairs.append(Pair(name: entry.name, before: entry, after: other))
            }
        }
    }

    /// The geometric mean of the ratios.
    package var ratio: Double {
        let ratios = pairs.map(\.ratio).filter { $0 > 0 }
        guard !ratios.isEmpty else { return 0 }
        return exp(ratios.reduce(0) { $0 + log($1) } / Double(ratios.count))
    }

    package var table: String {
        var rows = [["", "before p50", "after p50", "after/before", "before p99", "after p99"]]
        for pair in pairs {
            rows.append([
                pair.name, DecimalText.milliseconds(pair.before.median), DecimalText.milliseconds(pair.after.median),
                DecimalText.fixed(pair.ratio, digits: 2), DecimalText.milliseconds(pair.before.percentile99),
                DecimalText.milliseconds(pair.after.percentile99),
            ])
        }
        return """
            before: \(before.benchmark) on \(before.target), \(before.startedAt)
            after:  \(after.benchmark) on \(after.target), \(after.startedAt)

            \(BenchmarkReport.aligned(rows))
            Geometric mean of after/before: \(DecimalText.fixed(ratio, digits: 3))

            """
    }
}
