// Connections of the shell and of measurements to servers, by the protocol of the address.

import Diagnostics
import Frontends

#if MARTLET_NETWORK
    import Authentication
    import FlightSQLFrontend
#endif

enum ServerConnections {
    static let open: ServerConnector = { address in
        #if MARTLET_NETWORK
            switch address.speaks {
            case .flightSQL: return try await FlightConnection.open(address)
            case .postgres: return try ServerConnection(address, makeProof: { SCRAMClientInstance(password: $0) })
            }
        #else
            guard address.speaks == .postgres else { throw QueryError.notSupported("Flight SQL in this build") }
            return try ServerConnection(address)
        #endif
    }
}
