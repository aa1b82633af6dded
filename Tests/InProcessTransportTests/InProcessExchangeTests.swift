// The in-process exchange passes the suite of all exchange transports.

import Diagnostics
import InProcessTransport
import Testing
import Transport
import TransportConformance

@Suite struct InProcessExchangeTests {
    @Test(arguments: ExchangeConformance.Case.allCases)
    func conforms(_ testCase: ExchangeConformance.Case) async throws {
        let network = InProcessNetwork()
        let suite = ExchangeConformance { InProcessExchange(network: network) }
        try await suite.run(testCase)
    }
}
