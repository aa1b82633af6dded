// Which clients a server lets in.

import Diagnostics
import EngineConfiguration
import Frontends

#if MARTLET_NETWORK
    import Authentication

    enum ClientAuthentication {
        /// The configured users; `nil` if there are none. Then statements may make some; until they do everybody is let in, and
        /// so only from this machine unless the configuration says otherwise.
        static func make(
            _ configuration: EngineConfiguration, host: String, _ options: CoordinatorOptions
        ) throws -> UserDirectory? {
            let variables = ProcessEnvironment.variables
            if let users = try UserDirectory(
                configuration, read: ConfigurationFile.text(path:), variable: { variables[$0] })
            {
                return users
            }
            guard HostAddress.isLoopback(host) || options.allowsUnauthenticated else {
                throw QueryError(
                    .configurationFileError,
                    "a server without users listens only on addresses of this machine, not on \"\(host)\"",
                    hint: "Configure users.NAME.password, or set server.allow-unauthenticated to true.",
                    object: "host")
            }
            return nil
        }
    }
#endif
