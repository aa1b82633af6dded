// Histograms, and what a process counts for metrics.

import Testing

@testable import Diagnostics

@Suite("Meters")
struct MeterTests {
    @Test("a bound belongs to the range that it ends, and what lies above all has a range of its own")
    func ranges() {
        var histogram = Histogram(bounds: [1, 2.5])
        for value in [0, 1, 1.5, 2.5, 3, 100] { histogram.record(value) }
        #expect(histogram.counts == [2, 2, 2])
        #expect(histogram.cumulativeCounts == [2, 4])
        #expect(histogram.count == 6 && histogram.sum == 108)
    }

    @Test("counts by other ranges are not taken")
    func foreignCounts() {
        #expect(Histogram(bounds: [1], counts: [1, 2], sum: 3)?.count == 3)
        #expect(Histogram(bounds: [1], counts: [1], sum: 3) == nil)
        #expect(Histogram(bounds: [1], counts: [1, 2], sum: .nan) == nil)
        #expect(Histogram(bounds: [1], counts: [1, 2], sum: -1) == nil)
    }

    @Test("what is counted is read")
    func meters() {
        let before = ProcessMeters.reading
        ProcessMeters.addExchangeReaderWait(nanoseconds: 5)
        ProcessMeters.addExchangeWriterWait(nanoseconds: 6)
        ProcessMeters.addExchangeCreditWait(.seconds(2) + .nanoseconds(7))
        ProcessMeters.addOrphanedSpill(byteCount: 8)
        ProcessMeters.addStoreRequest(catalog: "meters", duration: .milliseconds(3))
        let after = ProcessMeters.reading
        #expect(after.exchangeReaderWaitNanoseconds - before.exchangeReaderWaitNanoseconds == 5)
        #expect(after.exchangeWriterWaitNanoseconds - before.exchangeWriterWaitNanoseconds == 6)
        #expect(after.exchangeCreditWaitNanoseconds - before.exchangeCreditWaitNanoseconds == 2_000_000_007)
        #expect(after.orphanedSpillBytes - before.orphanedSpillBytes == 8)
        #expect(after.storeRequests["meters"]?.cumulativeCounts[2] == 0)
        #expect(after.storeRequests["meters"]?.cumulativeCounts[3] == 1)
    }
}
