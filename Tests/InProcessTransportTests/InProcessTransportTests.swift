// The in-process transports pass the suites of all transports.

import Diagnostics
import InProcessTransport
import Testing
import Transport
import TransportConformance

@Suite struct InProcessTransportTests {
    @Test(arguments: ExchangeConformance.Case.allCases)
    func exchangeConforms(_ testCase: ExchangeConformance.Case) async throws {
        let network = InProcessNetwork()
        let suite = ExchangeConformance { InProcessExchange(network: network) }
        try await suite.run(testCase)
    }

    @Test(arguments: ControlConformance.Case.allCases)
    func controlConforms(_ testCase: ControlConformance.Case) async throws {
        let network = InProcessNetwork()
        try await ControlConformance { InProcessControl(network: network) }.run(testCase)
    }
}
