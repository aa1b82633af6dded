// What a query learns of its result at the moment that the result ends.

import Columnar
import Diagnostics
import Synchronization
import Testing
import Transport

@testable import Coordination

/// Gives one batch and ends.
private final class OneBatch: ExchangeReader {
    private let polls = Atomic(0)

    func poll(wake: @escaping @Sendable () -> Void) throws -> ExchangeEvent {
        let number = polls.wrappingAdd(1, ordering: .relaxed).oldValue
        if number > 0 { return .finished }
        let builder = VectorBuilder(type: .int64, capacity: 3)
        for value in 1...3 { builder.append(.integer(Int64(value))) }
        return .batch(Batch(columns: [builder.finish()], rowCount: 3))
    }
    func close() {}
}

@Suite struct ResultStreamTests {
    @Test("a query that ends as its result does knows of the rows that were held back")
    func heldRowsCount() async throws {
        let counted = Mutex<[Int]>([])
        let stream = Mutex<ResultStream?>(nil)
        let owner = ResultStreamOwner(
            mayRelease: { _ in true },
            finished: { _ in
                counted.withLock { $0.append(stream.withLock { $0 }?.rowCount ?? -1) }
                return true
            }, failed: { _, _ in })
        let made = ResultStream(
            types: [.int64], room: HoldBackRoom(byteLimit: 1 << 20, queryByteLimit: 1 << 20), owner: owner)
        stream.withLock { $0 = made }
        made.open(OneBatch(), queryAttempt: 0)
        var rows = 0
        while let batch = try await made.next() { rows += batch.rowCount }
        #expect(rows == 3)
        #expect(counted.withLock { $0 } == [3])
        #expect(made.rowCount == 3)
        stream.withLock { $0 = nil }
    }
}
