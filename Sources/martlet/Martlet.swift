// martlet, the program: a shell on an embedded engine or a server, the daemons of a cluster, and what goes with them.

import ArgumentParser
import Coordination

@main
struct Martlet: AsyncParsableCommand {
    #if MARTLET_NETWORK
        private static let subcommands: [any ParsableCommand.Type] = [
            SQLCommand.self, BenchCommand.self, StandaloneCommand.self, CoordinatorCommand.self, WorkerCommand.self,
            ConfigCommand.self, CertsCommand.self, DoctorCommand.self,
            GenerateCommand.self, VersionCommand.self,
        ]
    #else
        private static let subcommands: [any ParsableCommand.Type] = [
            SQLCommand.self, BenchCommand.self, ConfigCommand.self, GenerateCommand.self, VersionCommand.self,
        ]
    #endif

    static let configuration = CommandConfiguration(
        commandName: "martlet", abstract: "A distributed SQL query engine.", version: EngineVersion.version,
        subcommands: subcommands)
}

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")

    func run() { print("martlet \(EngineVersion.version)") }
}
