// The gRPC transports pass the suites of all transports.

import Diagnostics
import GRPCTransport
import Synchronization
import Testing
import Transport
import TransportConformance

@Suite struct GRPCTransportTests {
    @Test(arguments: ExchangeConformance.Case.allCases)
    func exchangeConforms(_ testCase: ExchangeConformance.Case) async throws {
        try await ExchangeConformance { GRPCExchange() }.run(testCase)
    }

    @Test(arguments: ControlConformance.Case.allCases)
    func controlConforms(_ testCase: ControlConformance.Case) async throws {
        try await ControlConformance { GRPCControl() }.run(testCase)
    }

    @Test func noticesADamagedFrame() async throws {
        let count = Mutex(0)
        var options = GRPCOptions()
        options.tamper = { bytes in
            let number = count.withLock { count in
                count += 1
                return count
            }
            if number == 2 { bytes[bytes.count / 2] ^= 4 }
        }
        let producer = GRPCExchange(options: options)
        let board = OutputBoard()
        let endpoint = try await producer.serve(board, on: Endpoint(host: "127.0.0.1", port: 0))
        let channel = ExchangeConformance.channel(0)
        let output = board.channel(channel)
        let pushing = Task {
            var index = 0
            while await output.push(ExchangeConformance.numbers(index * 2000, count: 2000)) { index += 1 }
        }
        let node = GRPCExchange()
        let reader = node.openReader(channel, at: endpoint)
        let error = try await within(.seconds(20), "noticing the damage") { await reader.error() }
        #expect(error?.state == .dataCorrupted)
        try await within(.seconds(20), "stopping the producer") { await pushing.value }
        await node.shutdown()
        await producer.shutdown()
    }
}
