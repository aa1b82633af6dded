// Runtime filters between stages: messages, what several tasks say together, and scans that wait for them.

import Columnar
import Diagnostics
import QueryPlan
import Synchronization
import Testing
import Transport

@testable import PhysicalOps

/// Gives batches one by one; then ends, fails, or stays silent.
private final class ScriptedReader: ExchangeReader {
    enum Ending { case finished, failed, silent }
    private let batches: Mutex<[Batch]>
    private let ending: Ending
    let closeCount = Mutex(0)

    init(_ batches: [Batch], _ ending: Ending) {
        self.batches = Mutex(batches)
        self.ending = ending
    }

    func poll(wake: @escaping @Sendable () -> Void) throws -> ExchangeEvent {
        let next = batches.withLock { $0.isEmpty ? nil : $0.removeFirst() }
        if let next { return .batch(next) }
        switch ending {
        case .finished: return .finished
        case .failed: throw QueryError(.exchangeFailed, "gone")
        case .silent: return .pending
        }
    }

    func close() { closeCount.withLock { $0 += 1 } }
    var closedTimes: Int { closeCount.withLock { $0 } }
}

@Suite struct StageFilterTests {
    private func received(_ batches: [Batch]) -> RuntimeFilter.Content? {
        var assembler = StageFilterPart.Assembler()
        var content: RuntimeFilter.Content?
        for batch in batches {
            #expect(content == nil)
            content = assembler.append(batch)
        }
        return content
    }

    private func integers(_ values: [Int64]) throws -> RuntimeFilter.Content {
        let (low, high) = (try #require(values.min()), try #require(values.max()))
        let set = try #require(IntegerSet(minimum: low, maximum: high))
        for value in values { set.insert(value) }
        return .integers(minimum: low, maximum: high, set: set)
    }

    private func members(_ content: RuntimeFilter.Content?, among candidates: ClosedRange<Int64>) throws -> [Int64] {
        let filter = RuntimeFilter(type: .int64)
        filter.publish(try #require(content))
        let scan = RuntimeScanFilter(filter, column: 0)
        let batch = Batch.rows(candidates.map { [.integer($0)] }, types: [.int64])
        let kept = try scan.select(batch).map { batch.selecting($0) } ?? batch
        return (0..<kept.rowCount).compactMap { row in
            if case .integer(let value) = kept.row(row)[0] { value } else { nil }
        }
    }

    @Test func messagesComeBack() throws {
        let values = stride(from: Int64(-300), through: 3_000_000, by: 1_000).map { $0 }
        let batches = StageFilterPart.batches(try integers(values), byteCountMax: 1 << 20)
        #expect(batches.count > 2)
        #expect(try members(received(batches), among: -400...4_000) == values.filter { $0 <= 4_000 })
        #expect(try members(received(StageFilterPart.batches(.nothing, byteCountMax: 64)), among: 0...9).isEmpty)
        let all = received(StageFilterPart.batches(.everything, byteCountMax: 64))
        guard case .everything = all else {
            Issue.record("everything became something")
            return
        }
    }

    @Test func tooLargeMessagesTellLess() throws {
        let content = try integers([1, 5, 1_000_000])
        #expect(
            try members(received(StageFilterPart.batches(content, byteCountMax: 100)), among: 0...9) == Array(1...9))
    }

    @Test func partsAreUnited() throws {
        let parts = [try integers([70, 75]), .nothing, try integers([-3, 1_000]), try integers([71])]
        #expect(try members(StageFilterPart.union(parts), among: -10...100) == [-3, 70, 71, 75])
        let bounds = RuntimeFilter.Content.integers(minimum: 4, maximum: 6, set: nil)
        #expect(try members(StageFilterPart.union([bounds, try integers([8])]), among: 0...9) == Array(4...8))
        let blooms = [Int64(1), 2].map { value in
            let bloom = BloomFilter(expectedCount: 100)
            var hash: [UInt64] = [0]
            Hashing.hash(Batch.rows([[.integer(value)]], types: [.int64]).columns[0], into: &hash, combining: false)
            bloom.insert(hash[0])
            return RuntimeFilter.Content.hashes(bloom)
        }
        let message = StageFilterPart.batches(StageFilterPart.union(blooms), byteCountMax: 1 << 20)
        #expect(try members(received(message), among: 0...3) == [1, 2])
        guard case .everything = StageFilterPart.union([bounds, .everything]) else {
            Issue.record("one task knew nothing, so nothing may be dropped")
            return
        }
    }

    @Test func damagedMessagesSayNothing() {
        for values: [Int64] in [
            [9, 0, 0, 0], [2, 5, 1, 0], [3, 0, 0, 3, 1, 1, 1], [2, 0, 1, -1], [3, 0, 0, 1 << 40],
        ] {
            let batch = Batch.rows(values.map { [.integer($0)] }, types: [.int64])
            var assembler = StageFilterPart.Assembler()
            guard case .everything? = assembler.append(batch) else {
                Issue.record("\(values) was understood")
                continue
            }
        }
    }

    private func inputs(_ readers: [ScriptedReader]) -> StageFilterInputs {
        let filter = StageFilter(
            number: 0, publisher: StageID(1), join: 0, key: 0, reader: StageID(2), scan: 0, column: 0)
        return StageFilterInputs([(filter, .int64)], readers: [readers])
    }

    @Test func scansGoOnWithAllParts() throws {
        let readers = [
            ScriptedReader(StageFilterPart.batches(try integers([3]), byteCountMax: 64), .silent),
            ScriptedReader(StageFilterPart.batches(try integers([5]), byteCountMax: 64), .finished),
        ]
        let inputs = inputs(readers)
        let goesOn = inputs.advance(wake: {})
        #expect(goesOn)
        let tests = inputs.complete(from: 0)
        #expect(tests.count == 1)
        guard case .keys(let filter)? = tests.first?.test else { return }
        #expect(try members(filter.content, among: 0...9) == [3, 5])
        #expect(inputs.complete(from: 1).isEmpty)
        // Who has said everything is left alone.
        for reader in readers { #expect(reader.closedTimes == 1) }
    }

    @Test func failuresAndEarlyEndsSayNothing() throws {
        for ending in [ScriptedReader.Ending.failed, .finished] {
            let inputs = inputs([
                ScriptedReader(StageFilterPart.batches(try integers([3]), byteCountMax: 64), .finished),
                ScriptedReader([], ending),
            ])
            let goesOn = inputs.advance(wake: {})
            #expect(goesOn)
            guard case .keys(let filter)? = inputs.complete(from: 0).first?.test, case .everything = filter.content
            else {
                Issue.record("a part is missing, and rows would be")
                continue
            }
        }
    }

    @Test func scansDoNotWaitForEver() async throws {
        let silent = ScriptedReader([], .silent)
        let inputs = inputs([silent])
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        let begins = inputs.advance(wake: { continuation.finish() })
        #expect(!begins)
        for await _ in stream {}
        let goesOn = inputs.advance(wake: {})
        #expect(goesOn)
        #expect(inputs.complete(from: 0).isEmpty)
        inputs.close()
        inputs.close()
        #expect(silent.closedTimes == 1)
    }
}
