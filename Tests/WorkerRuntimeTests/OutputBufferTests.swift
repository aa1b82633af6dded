// Output buffers: order, back-pressure, early ends and failures; and readers that come before their producers.

import Columnar
import Diagnostics
import Foundation
import PhysicalOps
import Synchronization
import Testing
import Transport
import WorkerRuntime

@Suite("Output buffers")
struct OutputBufferTests {
    private func batch(_ value: Int64, rows: Int = 1) -> Batch {
        Batch(columns: [Vector.constant(.integer(value), type: .int64, count: rows).flattened()], rowCount: rows)
    }
    private func value(_ event: ExchangeEvent) -> Int64? {
        guard case .batch(let batch) = event, case .integer(let value) = batch.row(0)[0] else { return nil }
        return value
    }
    private func isFinished(_ event: ExchangeEvent) -> Bool { if case .finished = event { true } else { false } }
    private func isPending(_ event: ExchangeEvent) -> Bool { if case .pending = event { true } else { false } }

    /// Counts wake calls.
    private final class Waker: Sendable {
        private let count = Atomic<Int>(0)
        var calls: Int { count.load(ordering: .relaxed) }
        func wake() { count.wrappingAdd(1, ordering: .relaxed) }
    }

    @Test("an elastic buffer never parks anybody: what finds no room goes to disk, and comes back in order")
    func elastic() throws {
        let memory = MemoryPool(name: "test", limit: 64 << 10)
        let buffer = OutputBuffer(
            partitionCount: 2, byteLimit: 1 << 20, memory: memory,
            spill: TaskSpill(directory: FileManager.default.temporaryDirectory.path))
        // Partition 1 is read beside the writing, partition 0 only afterwards.
        var next: Int64 = 1
        for value in 1...1000 as ClosedRange<Int64> {
            buffer.enqueue(batch(value, rows: 100), partition: 0)
            buffer.enqueue(batch(value, rows: 100), partition: 1)
            let isFull = buffer.isFull(wake: {})
            #expect(!isFull)
            if value % 3 == 0 {
                #expect(self.value(try buffer.poll(partition: 1, wake: {})) == next)
                next += 1
            }
        }
        #expect(memory.peakByteCount <= 64 << 10)
        buffer.finish()
        while let value = value(try buffer.poll(partition: 1, wake: {})) {
            // Frames on disk may hold the rows of several batches.
            #expect(value >= next && value <= 1000)
            next = value
        }
        var rows = 0
        while case .batch(let batch) = try buffer.poll(partition: 0, wake: {}) { rows += batch.rowCount }
        #expect(rows == 100_000)
        #expect(buffer.isDrained && memory.reservedByteCount == 0)
    }

    @Test("batches of a partition come in order, then the end")
    func order() throws {
        let buffer = OutputBuffer(partitionCount: 2, byteLimit: 1 << 20)
        for value in 1...200 { buffer.enqueue(batch(Int64(value)), partition: value % 2) }
        buffer.finish()
        for expected in stride(from: 2, through: 200, by: 2) {
            #expect(value(try buffer.poll(partition: 0, wake: {})) == Int64(expected))
        }
        #expect(isFinished(try buffer.poll(partition: 0, wake: {})))
        #expect(!buffer.isDrained)
        while value(try buffer.poll(partition: 1, wake: {})) != nil {}
        #expect(buffer.isDrained)
        #expect(buffer.bufferedByteCount == 0)
    }

    @Test("hints travel beside the rows and stop nobody")
    func hints() throws {
        let buffer = OutputBuffer(partitionCount: 1, hintCount: 2, byteLimit: 40_000)
        for value in 0..<9 { buffer.enqueueHint(batch(Int64(value), rows: 2048), partition: 2) }
        buffer.enqueueHint(batch(1), partition: 0)
        buffer.enqueueHint(batch(1), partition: 3)
        #expect(buffer.bufferedByteCount == 0)
        #expect(!buffer.isFull {})
        #expect(value(try buffer.poll(partition: 2, wake: {})) == 0)
        #expect(isPending(try buffer.poll(partition: 1, wake: {})))
        #expect(isPending(try buffer.poll(partition: 0, wake: {})))
        // Nobody reads the rows: what is left of the hints keeps no producer at work.
        buffer.close(partition: 0)
        #expect(!buffer.wantsMore)
        #expect(buffer.isDrained)
        buffer.finish()
        #expect(isFinished(try buffer.poll(partition: 1, wake: {})))
        #expect(value(try buffer.poll(partition: 2, wake: {})) == 1)
    }

    @Test("a reader that waits is woken once by a batch")
    func wakesReader() throws {
        let buffer = OutputBuffer(partitionCount: 1, byteLimit: 1 << 20)
        let waker = Waker()
        #expect(isPending(try buffer.poll(partition: 0) { waker.wake() }))
        buffer.enqueue(batch(1), partition: 0)
        buffer.enqueue(batch(2), partition: 0)
        #expect(waker.calls == 1)
    }

    @Test("a full buffer makes producers wait until a reader has taken enough")
    func backPressure() throws {
        let buffer = OutputBuffer(partitionCount: 1, byteLimit: 40_000)
        let waker = Waker()
        #expect(!buffer.isFull { waker.wake() })
        for value in 0..<3 { buffer.enqueue(batch(Int64(value), rows: 2048), partition: 0) }
        #expect(buffer.isFull { waker.wake() })
        #expect(waker.calls == 0)
        _ = try buffer.poll(partition: 0, wake: {})
        #expect(waker.calls == 1)
        #expect(!buffer.isFull {})
    }

    @Test("when every reader has gone nothing more is wanted, and waiting producers go on")
    func closed() throws {
        let buffer = OutputBuffer(partitionCount: 2, byteLimit: 1)
        let waker = Waker()
        buffer.enqueue(batch(1), partition: 0)
        #expect(buffer.isFull { waker.wake() })
        buffer.close(partition: 0)
        #expect(buffer.wantsMore)
        buffer.close(partition: 1)
        #expect(!buffer.wantsMore)
        #expect(waker.calls == 1)
        #expect(buffer.bufferedByteCount == 0)
        #expect(!buffer.isFull {})
    }

    @Test("a failure reaches readers and wakes both sides")
    func failure() throws {
        let buffer = OutputBuffer(partitionCount: 1, byteLimit: 1)
        let waker = Waker()
        buffer.enqueue(batch(1), partition: 0)
        #expect(buffer.isFull { waker.wake() })
        buffer.fail(QueryError(.divisionByZero, "division by zero"))
        #expect(waker.calls == 1)
        #expect {
            try buffer.poll(partition: 0, wake: {})
        } throws: {
            ($0 as? QueryError)?.state == .divisionByZero
        }
    }

    @Test("a reader may come before its producer")
    func mailbox() throws {
        let registry = OutputRegistry()
        let attempt = TaskAttemptID(query: QueryID("q"), stage: StageID(1), partition: 0)
        let reader = registry.openLocalReader(ExchangeChannel(producer: attempt, partition: 0))
        let waker = Waker()
        #expect(isPending(try reader.poll { waker.wake() }))
        let buffer = OutputBuffer(partitionCount: 1, byteLimit: 1 << 20)
        registry.add(buffer, for: attempt)
        #expect(waker.calls == 1)
        buffer.enqueue(batch(7), partition: 0)
        #expect(value(try reader.poll {}) == 7)
        registry.release(attempt, reason: QueryError(.queryCanceled, "cancelled"))
        #expect(registry.attemptCount == 0)
        #expect {
            try registry.openLocalReader(ExchangeChannel(producer: attempt, partition: 0)).poll {}
        } throws: {
            ($0 as? QueryError)?.state == .queryCanceled
        }
    }

    @Test("a partition that does not exist is a protocol violation")
    func unknownPartition() {
        let registry = OutputRegistry()
        let attempt = TaskAttemptID(query: QueryID("q"), stage: StageID(1), partition: 0)
        registry.add(OutputBuffer(partitionCount: 1, byteLimit: 1), for: attempt)
        #expect {
            try registry.openLocalReader(ExchangeChannel(producer: attempt, partition: 3)).poll {}
        } throws: {
            ($0 as? QueryError)?.state == .protocolViolation
        }
    }
}
