// The TCP exchange passes the suite of all exchange transports, and notices damaged bytes.

import Diagnostics
import Synchronization
import TCPTransport
import Testing
import Transport
import TransportConformance
import WireCodec

/// Counts from one, whoever asks.
private final class Counter: Sendable {
    private let count = Mutex(0)
    func next() -> Int {
        count.withLock { count in
            count += 1
            return count
        }
    }
}

@Suite struct TCPExchangeTests {
    @Test(arguments: ExchangeConformance.Case.allCases)
    func conforms(_ testCase: ExchangeConformance.Case) async throws {
        try await ExchangeConformance { TCPExchange() }.run(testCase)
    }

    @Test(arguments: [FrameCompression.lz4, .zstd, .zlib])
    func conformsWithCompression(_ compression: FrameCompression) async throws {
        let suite = ExchangeConformance {
            var options = TCPOptions()
            options.frames.compression = compression
            return TCPExchange(options: options)
        }
        try await suite.run(.deliversInOrderWithoutGaps)
        try await suite.run(.deliversLargeValues)
    }

    @Test("channels go on where they were when their connections break, as often as they like")
    func outlivesBrokenConnections() async throws {
        let producer = TCPExchange()
        let board = OutputBoard()
        let endpoint = try await producer.serve(board, on: Endpoint(host: "127.0.0.1", port: 0))
        let proxy = try FaultProxy(to: endpoint.description)
        defer { proxy.shutdown() }
        let node = TCPExchange()
        let entrance = try #require(Endpoint(proxy.address))
        // Breaks are counted in batches, not in time: on a busy machine a connection may take longer than any time between
        // two breaks, and nothing would ever come through.
        let batches = Counter()
        try await within(.seconds(120), "reading over connections that break") {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<6 {
                    let channel = ExchangeConformance.channel(number)
                    let output = board.channel(channel)
                    group.addTask {
                        for index in 0..<30 {
                            _ = await output.push(ExchangeConformance.numbers(index * 1000, count: 1000))
                            if index % 10 == number % 10 { try await Task.sleep(for: .milliseconds(10)) }
                        }
                        output.finish()
                    }
                    group.addTask {
                        let reader = node.openReader(channel, at: entrance)
                        var expected: Int64 = 0
                        while let batch = try await reader.next() {
                            if batches.next().isMultiple(of: 5) { proxy.reset() }
                            for row in 0..<batch.rowCount {
                                #expect(batch.row(row)[0] == .integer(expected))
                                expected += 1
                            }
                        }
                        #expect(expected == 30_000)
                        try await eventually(.seconds(60), "the producer's end of channel \(number)") {
                            output.isClosed
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        #expect(proxy.resetCount > 5)
        await node.shutdown()
        await producer.shutdown()
    }

    @Test("a reader that does not come back is given up, and what it has missed is not taken for an end")
    func givesUpLostReaders() async throws {
        var options = TCPOptions()
        options.returnLimit = .milliseconds(200)
        let producer = TCPExchange(options: options)
        let board = OutputBoard()
        let endpoint = try await producer.serve(board, on: Endpoint(host: "127.0.0.1", port: 0))
        let proxy = try FaultProxy(to: endpoint.description)
        defer { proxy.shutdown() }
        let node = TCPExchange()
        let output = board.channel(ExchangeConformance.channel(0))
        let reader = node.openReader(ExchangeConformance.channel(0), at: try #require(Endpoint(proxy.address)))
        _ = await output.push(ExchangeConformance.numbers(0, count: 10))
        _ = try await reader.next()
        // New connections get nowhere.
        proxy.cut(true)
        proxy.reset()
        try await eventually(.seconds(10), "giving the reader up") { output.isClosed }
        proxy.cut(false)
        #expect(await reader.error()?.state == .exchangeFailed)
        await node.shutdown()
        await producer.shutdown()
    }

    @Test func noticesADamagedFrame() async throws {
        let count = Mutex(0)
        var options = TCPOptions()
        options.tamper = { bytes in
            let number = count.withLock { count in
                count += 1
                return count
            }
            if number == 2 { bytes[bytes.count / 2] ^= 4 }
        }
        let producer = TCPExchange(options: options)
        let board = OutputBoard()
        let endpoint = try await producer.serve(board, on: Endpoint(host: "127.0.0.1", port: 0))
        let channel = ExchangeConformance.channel(0)
        let output = board.channel(channel)
        let pushing = Task {
            var index = 0
            while await output.push(ExchangeConformance.numbers(index * 2000, count: 2000)) { index += 1 }
        }
        let node = TCPExchange()
        let reader = node.openReader(channel, at: endpoint)
        #expect(await reader.error()?.state == .dataCorrupted)
        // The producer is told to stop.
        await pushing.value
        await node.shutdown()
        await producer.shutdown()
    }
}
