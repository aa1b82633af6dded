// Flight SQL on a coordinator's gRPC port.

#if MARTLET_NETWORK
    import Coordination
    import EngineConfiguration
    import FlightSQLFrontend
    import Frontends
    import Logging
    import Synchronization

    /// The service of one node, which begins with the node's engine.
    final class FlightSQLServer: Sendable {
        let plugins = CoordinatorPlugins()
        private let options: FlightSQLOptions
        private let authenticator: any Authenticator
        private let messageByteLimit: Int
        private let logger: Logger
        private let state = Mutex<(service: FlightSQLService, background: Task<Void, Never>)?>(nil)

        init(_ configuration: CoordinatorOptions, authenticator: any Authenticator, logger: Logger) {
            self.authenticator = authenticator
            var options = FlightSQLOptions()
            options.limits.sessionCountMax = configuration.maxFlightSessions
            options.limits.sessionLifetime = .milliseconds(configuration.flightSessionMilliseconds)
            options.limits.ticketLifetime = .milliseconds(configuration.flightTicketMilliseconds)
            options.limits.transactionLifetime = .milliseconds(configuration.flightTransactionMilliseconds)
            self.options = options
            messageByteLimit = configuration.maxMessageByteCount
            self.logger = logger
        }

        /// Called with the engine before its port is open.
        func prepare(_ engine: QueryEngine) {
            let service = FlightSQLService(
                engine: engine, authenticator: authenticator, options: options, logger: logger)
            plugins.serve(service, messageByteLimit: messageByteLimit)
            state.withLock { $0 = (service, Task { await service.run() }) }
        }

        func shutdown() {
            guard let (service, background) = state.withLock({ $0 }) else { return }
            background.cancel()
            service.shutdown()
        }
    }
#endif
