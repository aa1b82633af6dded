// The TCP exchange passes the suite of all exchange transports, and notices damaged bytes.

import Diagnostics
import Synchronization
import TCPTransport
import Testing
import Transport
import TransportConformance
import WireCodec

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
