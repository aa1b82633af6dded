// The parts of `martlet bench` that need no engine: histograms, digests, reports.

import Frontends
import TestSupport
import Testing

@Suite struct LatencyHistogramTests {
    @Test func quantilesAreRightToOnePartIn128() {
        var histogram = LatencyHistogram()
        for value in Int64(1)...100_000 { histogram.add(value) }
        #expect(histogram.count == 100_000)
        #expect(histogram.minimum == 1)
        #expect(histogram.maximum == 100_000)
        #expect(histogram.mean == 50_000.5)
        for share in [0.01, 0.5, 0.9, 0.99, 0.999] {
            let exact = 100_000 * share
            let found = Double(histogram.quantile(share))
            #expect(found >= exact && found <= exact * (1 + 1.0 / 128) + 1, "\(share): \(found)")
        }
        #expect(histogram.quantile(1) == 100_000)
    }

    @Test func sumsAndExtremes() {
        var first = LatencyHistogram()
        var second = LatencyHistogram()
        first.add(5)
        second.add(.max)
        second.add(-3)
        first.add(second)
        #expect(first.count == 3)
        #expect(first.minimum == 0)
        #expect(first.maximum == .max)
        #expect(LatencyHistogram().quantile(0.5) == 0)
    }
}

@Suite struct ResultDigestTests {
    private func digest(_ rows: [[String?]]) -> ResultDigest {
        var digest = ResultDigest()
        for row in rows { digest.add(row.map { $0.map { Array($0.utf8) } }) }
        return digest
    }

    @Test func whatCountsAsEqual() {
        #expect(digest([["1.50", "a"], ["2.999", "b"]]) == digest([["3.0000", "b"], ["1.5", "a"]]))
        #expect(digest([["-0.001"]]) == digest([["0.00"]]))
        #expect(digest([["9.995"]]) == digest([["10.00"]]))
        #expect(digest([["a "]]) == digest([["a"]]))
    }

    @Test func whatDoesNot() {
        #expect(digest([["1.50"]]) != digest([["1.51"]]))
        #expect(digest([["1.50"]]) != digest([["150"]]))
        #expect(digest([["a", "b"]]) != digest([["ab", ""]]))
        #expect(digest([["1"]]) != digest([["1"], ["1"]]))
        #expect(digest([["-1.00"]]) != digest([["1.00"]]))
    }
}

@Suite struct BenchmarkReportTests {
    private func report(_ median: Double) -> BenchmarkReport {
        var report = BenchmarkReport(benchmark: "tpch", target: "here \"and\" there")
        report.settings = [("scale", "1")]
        var histogram = LatencyHistogram()
        histogram.add(Int64(median * 1000))
        var entry = BenchmarkReport.Entry(name: "Q1", histogram: histogram)
        entry.answer = .right
        entry.rows = 4
        report.entries = [entry]
        report.throughput = [1, 2.5]
        return report
    }

    @Test func jsonComesBack() throws {
        let original = report(12.5)
        let back = try BenchmarkReport(json: original.json)
        #expect(back == original)
        #expect(back.entries[0].median == 12.5)
        for wrong in ["", "{}", "[1]", "{\"format\": 2}", "{\"format\": 1, \"entries\": [{\"runs\": \"x\"}]}"] {
            #expect(throws: (any Error).self, "\(wrong)") { try BenchmarkReport(json: wrong) }
        }
    }

    @Test func comparison() {
        let comparison = BenchmarkComparison(report(10), report(20))
        #expect(comparison.pairs.count == 1)
        #expect(abs(comparison.ratio - 2) < 0.001)
        #expect(comparison.table.contains("2.00"))
        #expect(comparison.html.contains("<svg"))
    }

    @Test func forms() {
        #expect(report(1).csv.filter { $0 == "\n" }.count == 2)
        #expect(report(1).html.contains("here &quot;and&quot; there"))
        #expect(report(1).table.contains("right"))
    }

    @Test func queriesAreThoseOfTheFixtures() throws {
        for number in 1...TPCHQueries.count {
            let name = number < 10 ? "q0\(number)" : "q\(number)"
            let fixture = try Repository.text("Fixtures/tpch/queries/\(name).sql").split(separator: "\n")
                .filter { !$0.hasPrefix("--") }.joined(separator: "\n")
            #expect(TPCHQueries.text(number, scale: 1) == fixture, "\(name)")
        }
        #expect(TPCHQueries.text(11, scale: 0.01).contains("0.0100000000"))
    }
}
