// Where FETCH and MOVE lead, and the rows of cursors that go backwards, in memory and out of it.

import Columnar
import Diagnostics
import SQLParser
import Storage
import Synchronization
import Testing

@testable import Coordination

@Suite("Movements of cursors")
struct CursorMovementTests {
    private func movement(_ direction: Fetch.Direction, from position: Int, isOnRow: Bool = true) -> CursorMovement {
        CursorMovement(direction, position: position, isOnRow: isOnRow)
    }

    @Test func countsBelowZeroTurnRound() {
        #expect(movement(.forward(-3), from: 5).given == .backward(3))
        #expect(movement(.backward(-3), from: 5).given == .forward(3))
        #expect(movement(.backward(nil), from: 5).given == .backward(.max))
        #expect(movement(.forward(.min), from: 5).given == .backward(.max))
    }

    @Test func absoluteRowsAreReachedFromWhereItIs() {
        let back = movement(.absolute(2), from: 5)
        #expect(back.passed == [.backward(4)] && back.given == .forward(1))
        let on = movement(.absolute(9), from: 5)
        #expect(on.passed == [.forward(3)] && on.given == .forward(1))
        let next = movement(.absolute(6), from: 5)
        #expect(next.passed.isEmpty && next.given == .forward(1))
        let last = movement(.absolute(-2), from: 5)
        #expect(last.passed == [.forward(.max), .backward(1)] && last.given == .backward(1))
        #expect(movement(.absolute(0), from: 0, isOnRow: false) == movement(.forward(0), from: 0, isOnRow: false))
    }

    @Test func theCurrentRowComesAgain() {
        for direction in [Fetch.Direction.forward(0), .backward(0), .relative(0)] {
            let again = movement(direction, from: 3)
            #expect(again.passed == [.backward(1)] && again.given == .forward(1))
            #expect(movement(direction, from: 3, isOnRow: false).given == nil)
        }
    }
}

/// Blocks that only say that they are elsewhere.
private final class CountedBlocks: RowBlockStore {
    private final class Block: RowBlock {
        let batches: [Batch]
        let reads: Mutex<Int>
        init(_ batches: [Batch]) {
            self.batches = batches
            reads = Mutex(0)
        }
        func read() throws -> [Batch] {
            reads.withLock { $0 += 1 }
            return batches
        }
    }
    private let blocks = Mutex<[Block]>([])
    var blockCount: Int { blocks.withLock { $0.count } }
    var readCount: Int { blocks.withLock { $0.reduce(0) { $0 + $1.reads.withLock { $0 } } } }

    func store(_ batches: [Batch], types: [DataType]) throws -> any RowBlock {
        let block = Block(batches)
        blocks.withLock { $0.append(block) }
        return block
    }
}

@Suite("Rows of cursors that go backwards")
struct ScrolledRowsTests {
    private static let rowCount = 6_000
    private static let text = String(repeating: "x", count: 1000)

    private static func batch(_ numbers: Range<Int>) -> Batch {
        Batch.rows(numbers.map { [.integer(Int64($0)), .string(text)] }, types: [.int64, .text])
    }

    private static func filled(_ room: HoldBackRoom, _ store: CountedBlocks) throws -> ScrolledRows {
        let rows = ScrolledRows(types: [.int64, .text], room: room) { store }
        for start in stride(from: 0, to: rowCount, by: 500) { try rows.append(batch(start..<start + 500)) }
        return rows
    }

    private static func numbers(_ batch: Batch) -> [Int64] {
        (0..<batch.rowCount).compactMap { row in
            if case .integer(let number) = batch.column(0).value(at: row) { number } else { nil }
        }
    }

    @Test func rowsOutOfMemoryComeInBothDirections() throws {
        let store = CountedBlocks()
        let rows = try Self.filled(.none, store)
        #expect(rows.rowCount == Self.rowCount && store.blockCount > 2)
        var seen: [Int64] = []
        while seen.count < Self.rowCount { seen += Self.numbers(try rows.rows(from: seen.count, atMost: 333)) }
        #expect(seen == (0..<Int64(Self.rowCount)).map { $0 })
        let readsForwards = store.readCount
        #expect(readsForwards <= store.blockCount)
        var left = Self.rowCount
        seen = []
        while left > 0 {
            let batch = try rows.rowsBackwards(before: left, atMost: 333)
            seen += Self.numbers(batch)
            left -= batch.rowCount
        }
        #expect(seen == (0..<Int64(Self.rowCount)).reversed())
        // Each block is read once for each way.
        #expect(store.readCount - readsForwards <= store.blockCount)
    }

    @Test func roomIsTakenAndGivenBack() throws {
        let store = CountedBlocks()
        let room = HoldBackRoom(byteLimit: 100 << 20, queryByteLimit: 3 << 20)
        var rows: ScrolledRows? = try Self.filled(room, store)
        #expect(room.reservedByteCount > 0 && room.reservedByteCount <= 3 << 20)
        #expect(store.blockCount > 0)
        #expect(Self.numbers(try #require(rows).rows(from: 17, atMost: 1)) == [17])
        #expect(store.readCount == 0)
        rows = nil
        #expect(room.reservedByteCount == 0)
    }
}
