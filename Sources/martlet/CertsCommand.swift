// martlet certs: an authority and certificates of nodes, for a cluster whose nodes are to know each other.

#if MARTLET_NETWORK
    import ArgumentParser
    import Diagnostics
    import EngineConfiguration
    import Frontends
    import NodeCertificates

    #if canImport(Glibc)
        import Glibc
    #elseif canImport(Darwin)
        import Darwin
    #endif

    struct CertsCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "certs", abstract: "Make certificates by which the nodes of a cluster know each other.",
            discussion: """
                The directory gets authority.pem and authority.key, unless they are there, and NAME.pem and NAME.key for \
                each node. Whoever has a certificate of the authority may join the cluster: keep authority.key away \
                from the nodes. The authority is meant for development and small clusters; any other one will do whose \
                certificates are for servers and clients both.
                """)

        @Argument(help: ArgumentHelp("Where the files go.", valueName: "DIRECTORY"))
        var directory: String
        @Option(
            name: .customLong("node"),
            help: ArgumentHelp("A node's name; several by several options.", valueName: "NAME"))
        var nodes: [String] = []
        @Option(
            name: .customLong("host"),
            help: ArgumentHelp(
                "A name or address that the nodes are reached by, besides localhost and their own names.",
                valueName: "HOST"))
        var hosts: [String] = []
        @Option(help: ArgumentHelp("Days that a node's certificate is good for.", valueName: "DAYS"))
        var days = 365
        @Flag(help: "Replace certificates of nodes that are there.")
        var force = false

        private static let authorityDays = 3650

        func validate() throws {
            guard (1...Self.authorityDays).contains(days) else {
                throw ValidationError("--days is a number from 1 to \(Self.authorityDays)")
            }
            for name in nodes where name.isEmpty || name.contains("/") || name == "authority" || name.hasPrefix(".") {
                throw ValidationError("\"\(name)\" is no name of a node")
            }
        }

        func run() throws {
            try failing { try make() }
        }

        private func make() throws {
            if mkdir(directory, 0o700) != 0, errno != EEXIST { throw Self.failure("make", directory) }
            let output = TextOutput(descriptor: 1)
            let authority = try authority(output)
            for name in nodes.isEmpty ? ["coordinator", "worker"] : nodes {
                let certificate = "\(directory)/\(name).pem"
                guard force || access(certificate, F_OK) != 0 else {
                    throw QueryError(
                        .duplicateFile, "\"\(certificate)\" is there already", hint: "--force replaces it.",
                        object: certificate)
                }
                let node = try authority.makeNode(
                    name: name, hosts: ["localhost", "127.0.0.1", "::1", name] + hosts, days: days)
                try Self.write(node.key, "\(directory)/\(name).key", mode: 0o600)
                try Self.write(node.certificate, certificate, mode: 0o644)
                output.write("\(certificate), \(directory)/\(name).key\n")
            }
            output.write(
                """

                cluster:
                  tls:
                    certificate: \(directory)/NAME.pem
                    key: \(directory)/NAME.key
                    authority: \(directory)/authority.pem

                """)
            try output.flush()
        }

        private func authority(_ output: TextOutput) throws -> DevelopmentAuthority {
            let certificate = "\(directory)/authority.pem"
            let key = "\(directory)/authority.key"
            if access(certificate, F_OK) == 0 || access(key, F_OK) == 0 {
                return try DevelopmentAuthority(
                    certificatePEM: try ConfigurationFile.text(path: certificate),
                    keyPEM: try ConfigurationFile.text(path: key))
            }
            let made = try DevelopmentAuthority(name: "Martlet development authority", days: Self.authorityDays)
            try Self.write(made.keyPEM, key, mode: 0o600)
            try Self.write(made.certificatePEM, certificate, mode: 0o644)
            output.write("\(certificate), \(key)\n")
            return made
        }

        private static func failure(_ what: String, _ path: String) -> QueryError {
            QueryError(.ioError, "could not \(what) \"\(path)\": \(String(cString: strerror(errno)))", object: path)
        }

        /// A file that appears whole, with its rights from the begin.
        private static func write(_ text: String, _ path: String, mode: mode_t) throws {
            let temporary = path + ".new"
            unlink(temporary)
            let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL, mode)
            guard descriptor >= 0 else { throw failure("write", temporary) }
            var bytes = Array(text.utf8)[...]
            while !bytes.isEmpty {
                let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
                guard count > 0 else {
                    close(descriptor)
                    throw failure("write", temporary)
                }
                bytes = bytes.dropFirst(count)
            }
            close(descriptor)
            guard rename(temporary, path) == 0 else { throw failure("write", path) }
        }
    }
#endif
