// martlet doctor: whether this machine and this configuration can run a server, and what to do if not.

#if MARTLET_NETWORK
    import ArgumentParser
    import Coordination
    import Diagnostics
    import EngineConfiguration
    import Frontends

    struct DoctorCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "doctor", abstract: "Look for what keeps a server from running well, and say what to do.",
            discussion: """
                Looks at the configuration, ports, directories, memory, open files, the clock, catalogues, the state store \
                and certificates; on a machine whose server runs, at that server too. The status is 1 if there is an error, \
                0 otherwise; warnings do not count.
                """)

        enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

        @Option(help: "Form of the answer: text or json.")
        var output = Format.text
        @Option(help: ArgumentHelp("Address to listen on.", valueName: "HOST"))
        var host: String?
        @Option(help: ArgumentHelp("Port of the PostgreSQL protocol.", valueName: "PORT"))
        var pgPort: String?
        @Option(help: ArgumentHelp("Port on which workers register.", valueName: "PORT"))
        var grpcPort: String?
        @Option(help: ArgumentHelp("Port of the HTTP API.", valueName: "PORT"))
        var httpPort: String?
        @Option(help: ArgumentHelp("Coordinators that a worker here would join.", valueName: "HOST:PORT"))
        var join: String?
        @OptionGroup var common: CommonFlags

        private var own: [(key: String, value: String?, flag: String)] {
            [
                ("host", host, "--host"), ("coordinator.pg-port", pgPort, "--pg-port"),
                ("coordinator.grpc-port", grpcPort, "--grpc-port"), ("coordinator.http-port", httpPort, "--http-port"),
                ("worker.join", join, "--join"),
            ]
        }

        func run() async throws {
            let findings = await look()
            try print(findings)
            if findings.contains(where: { $0.status == .error }) { throw ExitCode.failure }
        }

        private func look() async -> [DoctorFinding] {
            let problems = ConfigurationCheck.problems(
                file: common.config, environment: ProcessEnvironment.variables, flags: common.flags(own))
            var findings = problems.map { problem in
                DoctorFinding(
                    problem.key ?? "configuration", .error,
                    (problem.place.map { "\($0): " } ?? "") + problem.message, hint: problem.hint)
            }
            guard let configuration = try? common.load(own), let options = try? NodeOptions(configuration) else {
                return findings
            }
            if problems.isEmpty { findings.append(DoctorFinding("configuration", .ok, "it can be used")) }
            let server = RunningServer(
                host: configuration["host"], port: configuration.integer("coordinator.http-port"))
            let isServing = server.isAlive
            findings += MachineChecks.portFindings(configuration, isServing: isServing)
            findings += MachineChecks.findings(configuration, options)
            findings += CertificateCheck.findings(configuration)
            findings += await StoreChecks.findings(configuration, options)
            if isServing {
                findings.append(server.readiness)
                findings += server.workers(version: EngineVersion.version)
            }
            for coordinator in configuration.list("worker.join") { findings.append(RunningServer.reach(coordinator)) }
            return findings
        }

        private func print(_ findings: [DoctorFinding]) throws {
            let text = TextOutput(descriptor: 1)
            switch output {
            case .text:
                for finding in findings {
                    let mark = String(finding.status.rawValue + "     ").prefix(7)
                    text.write("\(mark)  \(finding.subject): \(finding.message)\n")
                    if let hint = finding.hint, finding.status != .ok { text.write("         \(hint)\n") }
                }
                let errors = findings.count { $0.status == .error }
                let warnings = findings.count { $0.status == .warning }
                text.write("\(errors) errors, \(warnings) warnings\n")
            case .json:
                let columns = ["subject", "status", "message", "hint"].map { ResultColumn(name: $0, json: .string) }
                let renderer = OutputFormat.json.makeRenderer(columns, output: text)
                try renderer.append(
                    ResultRows(
                        texts: findings.map { finding in
                            [finding.subject, finding.status.rawValue, finding.message, finding.hint].map { text in
                                text.map { Array($0.utf8) }
                            }
                        }))
                try renderer.finish()
            }
            try text.flush()
        }
    }
#endif
