// What every exchange transport must do. Each transport's tests run all cases.

import Columnar
import Diagnostics
import Synchronization
import Transport

/// Gives each channel the smallest window, as long as there is something left.
private final class LimitedFund: CreditFund {
    private struct Account {
        var left: Int
        var taken = 0
        var isAsked = false
    }
    private let account: Mutex<Account>

    init(byteCount: Int) { account = Mutex(Account(left: byteCount)) }

    var takenByteCount: Int { account.withLock { $0.taken } }
    var isAsked: Bool { account.withLock { $0.isAsked } }

    func take(_ wanted: Int) throws -> Int {
        try account.withLock { account in
            account.isAsked = true
            guard account.left >= smallestExchangeWindow else { throw QueryError(.outOfMemory, "nothing is left") }
            account.left -= smallestExchangeWindow
            account.taken += smallestExchangeWindow
            return smallestExchangeWindow
        }
    }

    func giveBack(_ byteCount: Int) {
        account.withLock { account in
            account.left += byteCount
            account.taken -= byteCount
        }
    }
}

/// The suite. `makeTransport` makes the transport of one node; nodes made by one suite can reach each other.
package struct ExchangeConformance: Sendable {
    package enum Case: String, Sendable, CaseIterable, CustomStringConvertible {
        case deliversInOrderWithoutGaps
        case deliversManyChannels
        case deliversEveryTypeAndEncoding
        case deliversLargeValues
        case deliversAnEmptyChannel
        case deliversAcrossPauses
        case holdsTheProducerBack
        case keepsToWhatTheFundGives
        case reportsAnEmptyFund
        case stopsTheProducerOnEarlyClose
        case stopsTheProducerWhenTheReadersNodeLeaves
        case carriesTheProducersError
        case reportsALostPeer
        case reportsAnUnreachablePeer
        case waitsForTheProducer
        case reconnectsAfterAFailure
        case shutsDownTwice

        package var description: String { rawValue }
    }

    private let makeTransport: @Sendable () -> any ExchangeTransport
    /// Where a node serves; port 0 asks for a free one.
    private let address: Endpoint
    /// Bytes that may be under way in a channel whose reader does not read.
    private let inFlightByteLimit: Int

    package init(
        inFlightByteLimit: Int = 16 << 20, address: Endpoint = Endpoint(host: "127.0.0.1", port: 0),
        makeTransport: @escaping @Sendable () -> any ExchangeTransport
    ) {
        self.makeTransport = makeTransport
        self.address = address
        self.inFlightByteLimit = inFlightByteLimit
    }

    package func run(_ testCase: Case) async throws {
        try await within(.seconds(60), "\(testCase)") { try await body(testCase) }
    }

    private func body(_ testCase: Case) async throws {
        switch testCase {
        case .deliversInOrderWithoutGaps: try await deliversInOrderWithoutGaps()
        case .deliversManyChannels: try await deliversManyChannels()
        case .deliversEveryTypeAndEncoding: try await deliversEveryTypeAndEncoding()
        case .deliversLargeValues: try await deliversLargeValues()
        case .deliversAnEmptyChannel: try await deliversAnEmptyChannel()
        case .deliversAcrossPauses: try await deliversAcrossPauses()
        case .holdsTheProducerBack: try await holdsTheProducerBack()
        case .keepsToWhatTheFundGives: try await keepsToWhatTheFundGives()
        case .reportsAnEmptyFund: try await reportsAnEmptyFund()
        case .stopsTheProducerOnEarlyClose: try await stopsTheProducerOnEarlyClose()
        case .stopsTheProducerWhenTheReadersNodeLeaves: try await stopsTheProducerWhenTheReadersNodeLeaves()
        case .carriesTheProducersError: try await carriesTheProducersError()
        case .reportsALostPeer: try await reportsALostPeer()
        case .reportsAnUnreachablePeer: try await reportsAnUnreachablePeer()
        case .waitsForTheProducer: try await waitsForTheProducer()
        case .reconnectsAfterAFailure: try await reconnectsAfterAFailure()
        case .shutsDownTwice: try await shutsDownTwice()
        }
    }

    // MARK: Nodes

    private struct Pair: Sendable {
        let board: OutputBoard
        let producer: any ExchangeTransport
        let reader: any ExchangeTransport
        let endpoint: Endpoint
        func shutdown() async {
            await reader.shutdown()
            await producer.shutdown()
        }
    }

    private func withPair(_ body: (Pair) async throws -> Void) async throws {
        let board = OutputBoard()
        let producer = makeTransport()
        let endpoint = try await producer.serve(board, on: address)
        let pair = Pair(board: board, producer: producer, reader: makeTransport(), endpoint: endpoint)
        do {
            try await body(pair)
        } catch {
            await pair.shutdown()
            throw error
        }
        await pair.shutdown()
    }

    package static func channel(_ number: Int, partition: Int = 0) -> ExchangeChannel {
        ExchangeChannel(
            producer: TaskAttemptID(query: QueryID("q"), stage: StageID(1), partition: number), partition: partition)
    }

    /// `count` rows that number on from `start`, with a short and a long string.
    package static func numbers(_ start: Int, count: Int) -> Batch {
        let integers = VectorBuilder(type: .int64, capacity: count)
        let texts = VectorBuilder(type: .text, capacity: count)
        for number in start..<start + count {
            integers.append(Int64(number))
            texts.append(string: number % 3 == 0 ? "n\(number)" : "a longer text with number \(number) in it")
        }
        return Batch(columns: [integers.finish(), texts.finish()], rowCount: count)
    }

    private func checkNumbers(_ reader: any ExchangeReader, count: Int) async throws {
        var expected = 0
        while let batch = try await reader.next() {
            for row in 0..<batch.rowCount {
                let values = batch.row(row)
                try require(values[0] == .integer(Int64(expected)), "row \(expected) has value \(values[0])")
                let text = expected % 3 == 0 ? "n\(expected)" : "a longer text with number \(expected) in it"
                try require(values[1].text == text, "row \(expected) has text \(values[1])")
                expected += 1
            }
        }
        try require(expected == count, "\(expected) rows instead of \(count)")
    }

    // MARK: Credit

    /// Readers with the smallest windows get everything, values larger than a window as well, and the fund is whole at the
    /// end, also after a reader that went early.
    private func keepsToWhatTheFundGives() async throws {
        try await withPair { pair in
            let fund = LimitedFund(byteCount: 4 * smallestExchangeWindow)
            let large = [UInt8](repeating: 7, count: 3 * smallestExchangeWindow)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<4 {
                    let output = pair.board.channel(Self.channel(number))
                    let reader = pair.reader.openReader(Self.channel(number), at: pair.endpoint, fund: fund)
                    group.addTask {
                        for index in 0..<20 { _ = await output.push(Self.numbers(index * 1000, count: 1000)) }
                        let builder = VectorBuilder(type: .text, capacity: 1)
                        builder.append(.bytes(large))
                        let numbers = Vector.constant(.integer(20_000), type: .int64, count: 1).flattened()
                        _ = await output.push(Batch(columns: [numbers, builder.finish()], rowCount: 1))
                        output.finish()
                    }
                    group.addTask {
                        if number == 3 {
                            _ = try await reader.next()
                            reader.close()
                        } else {
                            let rows = try await reader.rows()
                            let isRight = rows.count == 20_001 && rows.last?[1] == .bytes(large)
                            try require(isRight, "\(rows.count) rows instead of 20,001, or another last one")
                        }
                    }
                }
                try await group.waitForAll()
            }
            try require(fund.takenByteCount == 0, "the fund lacks \(fund.takenByteCount) bytes at the end")
        }
    }

    /// A transport that has bytes under way does not send what nobody has paid for.
    private func reportsAnEmptyFund() async throws {
        try await withPair { pair in
            let fund = LimitedFund(byteCount: 0)
            let output = pair.board.channel(Self.channel(0))
            let reader = pair.reader.openReader(Self.channel(0), at: pair.endpoint, fund: fund)
            let producer = Task {
                _ = await output.push(Self.numbers(0, count: 10))
                output.finish()
            }
            if fund.isAsked {
                let error = await reader.error()
                try require(error?.state == .outOfMemory, "no error 53200 but \(String(describing: error))")
            } else {
                try await checkNumbers(reader, count: 10)
            }
            reader.close()
            await producer.value
        }
    }

    // MARK: Delivery

    private func deliversInOrderWithoutGaps() async throws {
        try await withPair { pair in
            let output = pair.board.channel(Self.channel(0))
            let counts = (0..<200).map { 1 + ($0 * 37) % 2048 }
            let producer = Task {
                var start = 0
                for count in counts {
                    _ = await output.push(Self.numbers(start, count: count))
                    start += count
                }
                output.finish()
            }
            let reader = pair.reader.openReader(Self.channel(0), at: pair.endpoint)
            try await checkNumbers(reader, count: counts.reduce(0, +))
            await producer.value
            reader.close()
        }
    }

    private func deliversManyChannels() async throws {
        try await withPair { pair in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<60 {
                    let output = pair.board.channel(Self.channel(number / 4, partition: number % 4))
                    group.addTask {
                        for index in 0..<20 { _ = await output.push(Self.numbers(index * 100, count: 100)) }
                        output.finish()
                    }
                    group.addTask {
                        let reader = pair.reader.openReader(
                            Self.channel(number / 4, partition: number % 4), at: pair.endpoint)
                        try await checkNumbers(reader, count: 2000)
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    private func deliversEveryTypeAndEncoding() async throws {
        try await withPair { pair in
            let output = pair.board.channel(Self.channel(0))
            let batches = SampleBatches.all
            var expected: [[ScalarValue]] = []
            for batch in batches {
                for row in 0..<batch.rowCount { expected.append(batch.row(row)) }
            }
            let reader = pair.reader.openReader(Self.channel(0), at: pair.endpoint)
            let producer = Task {
                for batch in SampleBatches.all { _ = await output.push(batch) }
                output.finish()
            }
            let rows = try await reader.rows()
            await producer.value
            try require(rows.count == expected.count, "\(rows.count) rows instead of \(expected.count)")
            for (row, (got, wanted)) in zip(rows, expected).enumerated() {
                try require(got == wanted, "row \(row): \(got) instead of \(wanted)")
            }
        }
    }

    private func deliversLargeValues() async throws {
        try await withPair { pair in
            let output = pair.board.channel(Self.channel(0))
            let sizes = [10, 300_000, 3_000_000, 12_500_001, 0, 1_048_576]
            let reader = pair.reader.openReader(Self.channel(0), at: pair.endpoint)
            let producer = Task {
                for size in sizes {
                    let builder = VectorBuilder(type: .text, capacity: 1)
                    builder.append(.bytes((0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ size) }))
                    _ = await output.push(Batch(columns: [builder.finish()], rowCount: 1))
                }
                output.finish()
            }
            var index = 0
            while let batch = try await reader.next() {
                for row in 0..<batch.rowCount {
                    guard case .bytes(let bytes) = batch.row(row)[0] else { throw ConformanceFailure("no bytes") }
                    let size = sizes[index]
                    try require(bytes.count == size, "\(bytes.count) bytes instead of \(size)")
                    try require(
                        bytes.enumerated().allSatisfy { $1 == UInt8(truncatingIfNeeded: $0 &* 31 &+ size) },
                        "the bytes of value \(index) differ")
                    index += 1
                }
            }
            await producer.value
            try require(index == sizes.count, "\(index) values instead of \(sizes.count)")
        }
    }

    private func deliversAnEmptyChannel() async throws {
        try await withPair { pair in
            pair.board.channel(Self.channel(0)).finish()
            let reader = pair.reader.openReader(Self.channel(0), at: pair.endpoint)
            try await checkNumbers(reader, count: 0)
            // The end stays the end.
            try await checkNumbers(reader, count: 0)
        }
    }

    private func deliversAcrossPauses() async throws {
        try await withPair { pair in
            let output = pair.board.channel(Self.channel(0))
            let reader = pair.reader.openReader(Self.channel(0), at: pair.endpoint)
            for index in 0..<5 {
                let producer = Task {
                    try await Task.sleep(for: .milliseconds(30))
                    _ = await output.push(Self.numbers(index, count: 1))
                }
                // A batch must arrive without anything following it.
                let batch = try await reader.next()
                try require(batch?.row(0)[0] == .integer(Int64(index)), "batch \(index) is missing")
                try await producer.value
            }
            output.finish()
            try require(try await reader.next() == nil, "the end is missing")
        }
    }

    // MARK: Flow

    private func holdsTheProducerBack() async throws {
        try await withPair { pair in
            let output = pair.board.channel(Self.channel(0))
            let reader = pair.reader.openReader(Self.channel(0), at: pair.endpoint)
            let total = 4_000
            let producer = Task {
                for index in 0..<total { _ = await output.push(Self.numbers(index * 1000, count: 1000)) }
                output.finish()
            }
            // Nobody reads: after a while nothing more is taken.
            var last = -1
            var stable = 0
            while stable < 10 {
                try await Task.sleep(for: .milliseconds(30))
                stable = output.taken == last ? stable + 1 : 0
                last = output.taken
            }
            // A batch is at least 24 bytes a row.
            try require(
                last * 24_000 <= inFlightByteLimit, "\(last) batches were taken although nobody reads")
            try await checkNumbers(reader, count: total * 1000)
            await producer.value
        }
    }

    private func stopsTheProducerOnEarlyClose() async throws {
        try await withPair { pair in
            let output = pair.board.channel(Self.channel(0))
            let reader = pair.reader.openReader(Self.channel(0), at: pair.endpoint)
            let producer = Task {
                var index = 0
                while await output.push(Self.numbers(index * 100, count: 100)) { index += 1 }
            }
            _ = try await reader.next()
            reader.close()
            reader.close()
            try await eventually(.seconds(10), "closing the producer's stream") { output.isClosed }
            await producer.value
        }
    }

    private func stopsTheProducerWhenTheReadersNodeLeaves() async throws {
        try await withPair { pair in
            let output = pair.board.channel(Self.channel(0))
            let reader = pair.reader.openReader(Self.channel(0), at: pair.endpoint)
            let producer = Task {
                var index = 0
                while await output.push(Self.numbers(index * 100, count: 100)) { index += 1 }
            }
            _ = try await reader.next()
            await pair.reader.shutdown()
            reader.close()
            try await eventually(.seconds(10), "closing the producer's stream") { output.isClosed }
            await producer.value
        }
    }

    // MARK: Failures

    private func carriesTheProducersError() async throws {
        try await withPair { pair in
            let output = pair.board.channel(Self.channel(0))
            let reader = pair.reader.openReader(Self.channel(0), at: pair.endpoint)
            let sent = QueryError(
                .divisionByZero, "division by zero", detail: "the detail", hint: "the hint",
                at: SourcePosition(offset: 41), object: "the object", cause: ConformanceFailure("the cause"))
            _ = await output.push(Self.numbers(0, count: 10))
            output.fail(sent)
            guard let got = await reader.error() else { throw ConformanceFailure("the error is missing") }
            try require(got.state == sent.state, "state \(got.state)")
            try require(got.message == sent.message, "message \(got.message)")
            try require(got.detail == sent.detail, "detail \(got.detail ?? "-")")
            try require(got.hint == sent.hint, "hint \(got.hint ?? "-")")
            try require(got.position == sent.position, "another position")
            try require(got.object == sent.object, "object \(got.object ?? "-")")
            try require(got.cause.map { "\($0)" } == "the cause", "another cause")
            try require(await reader.error()?.state == sent.state, "the error does not stay")
        }
    }

    private func reportsALostPeer() async throws {
        try await withPair { pair in
            let output = pair.board.channel(Self.channel(0))
            let reader = pair.reader.openReader(Self.channel(0), at: pair.endpoint)
            _ = await output.push(Self.numbers(0, count: 10))
            _ = try await reader.next()
            // The reader waits when the producer's node goes.
            let waiting = Task { await reader.error() }
            try await Task.sleep(for: .milliseconds(100))
            await pair.producer.shutdown()
            let error = try await within(.seconds(10), "noticing a lost peer") { await waiting.value }
            try require(
                error?.state == .exchangeFailed || error?.state == .workerLost, "error \(String(describing: error))")
        }
    }

    private func reportsAnUnreachablePeer() async throws {
        let node = makeTransport()
        // A port that was free a moment ago.
        let other = makeTransport()
        let endpoint = try await other.serve(OutputBoard(), on: address)
        await other.shutdown()
        let reader = node.openReader(Self.channel(0), at: endpoint)
        let error = try await within(.seconds(10), "noticing an unreachable peer") { await reader.error() }
        try require(error?.state == .exchangeFailed, "error \(String(describing: error))")
        await node.shutdown()
    }

    private func waitsForTheProducer() async throws {
        try await withPair { pair in
            let reader = pair.reader.openReader(Self.channel(7), at: pair.endpoint)
            let checked = Task { try await checkNumbers(reader, count: 300) }
            try await Task.sleep(for: .milliseconds(700))
            let output = pair.board.channel(Self.channel(7))
            for index in 0..<3 { _ = await output.push(Self.numbers(index * 100, count: 100)) }
            output.finish()
            try await checked.value
        }
    }

    private func reconnectsAfterAFailure() async throws {
        let reader = makeTransport()
        var first = makeTransport()
        let endpoint = try await first.serve(OutputBoard(), on: address)
        let lost = reader.openReader(Self.channel(0), at: endpoint)
        _ = try lost.poll {}
        try await Task.sleep(for: .milliseconds(100))
        await first.shutdown()
        _ = await lost.error()
        first = makeTransport()
        let board = OutputBoard()
        _ = try await first.serve(board, on: endpoint)
        let output = board.channel(Self.channel(0))
        _ = await output.push(Self.numbers(0, count: 10))
        output.finish()
        try await checkNumbers(reader.openReader(Self.channel(0), at: endpoint), count: 10)
        await reader.shutdown()
        await first.shutdown()
    }

    private func shutsDownTwice() async throws {
        let node = makeTransport()
        _ = try await node.serve(OutputBoard(), on: address)
        await node.shutdown()
        await node.shutdown()
        let error = await node.openReader(Self.channel(0), at: Endpoint(host: "127.0.0.1", port: 9)).error()
        try require(error != nil, "a transport that was shut down opens readers")
    }
}
