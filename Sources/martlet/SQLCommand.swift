// martlet sql: the shell, on an engine in this process or on a server.

import ArgumentParser
import Coordination
import Diagnostics
import EmbeddedCluster
import EngineConfiguration
import Frontends
import Logging
import PluginHost

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

struct SQLCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sql", abstract: "Run SQL on an embedded engine, or on a server.",
        discussion: """
            Statements come from -c, from -f, from standard input, or from the keyboard. Each FILE becomes a table \
            named after it. With --host or --port the statements run on that server.
            """)

    @Argument(help: ArgumentHelp("Parquet or CSV files that become tables.", valueName: "FILE"))
    var files: [String] = []
    @Option(name: [.customShort("c"), .long], help: ArgumentHelp("Run statements, then exit.", valueName: "SQL"))
    var command: [String] = []
    @Option(
        name: [.customShort("f"), .long], help: ArgumentHelp("Run a file of statements, then exit.", valueName: "FILE"))
    var file: [String] = []
    @Option(
        help: ArgumentHelp(
            "Form of the rows: \(ConfigurationRegistry.shellFormats.joined(separator: ", ")).", valueName: "FORMAT"))
    var format: String?
    @Flag(help: "Print the time of each statement.")
    var timing = false
    @Option(help: ArgumentHelp("Server to connect to.", valueName: "HOST"))
    var host: String?
    @Option(help: ArgumentHelp("The server's PostgreSQL port.", valueName: "PORT"))
    var port: Int?
    @Option(help: "User name for a server.")
    var user = "martlet"
    @Option(help: "Database name for a server.")
    var database = "martlet"
    @OptionGroup var common: CommonFlags

    func run() async throws {
        let configuration = try failing { try common.load([("shell.format", format, "--format")]) }
        let isInteractive = command.isEmpty && file.isEmpty && isatty(0) == 1
        let options = ShellOptions(
            format: OutputFormat(rawValue: configuration["shell.format"]) ?? .table, showsTiming: timing,
            isInteractive: isInteractive, historyPath: historyPath(configuration))
        var succeeded = false
        do {
            let (connection, node) = try await connect(configuration)
            succeeded = await runShell(connection, options)
            connection.close()
            await node?.shutdown()
        } catch {
            complain(QueryError.wrapping(error))
        }
        if !succeeded { throw ExitCode.failure }
    }

    private func connect(_ configuration: EngineConfiguration) async throws -> (any ShellConnection, EngineNode?) {
        if host != nil || port != nil {
            let server = try ServerConnection(
                host: host ?? "127.0.0.1", port: port ?? configuration.integer("coordinator.pg-port"), user: user,
                database: database, password: ProcessEnvironment.variables["PGPASSWORD"])
            return (server, nil)
        }
        let options = try NodeOptions(configuration)
        var logger = Logger(label: "martlet") { _ in StandardErrorLog(isJSON: configuration["log.format"] == "json") }
        // A person at the shell wants results; warnings and worse are enough unless asked for more.
        logger.logLevel =
            configuration.isSet("log.level") ? Logger.Level(rawValue: configuration["log.level"]) ?? .warning : .error
        var nodeConfiguration = NodeConfiguration(
            threads: options.threads, memoryByteLimit: options.memoryLimit,
            catalogs: try NodeConfiguration.catalogs(options), spillDirectory: options.spillDirectory)
        nodeConfiguration.cacheByteLimit = options.cacheLimit
        let node = try await EngineNode.start(
            nodeConfiguration, plugins: PluginRegistry(LinkedPlugins.local), logger: logger)
        return (EmbeddedConnection(session: node.engine.makeSession(applicationName: "martlet sql")), node)
    }

    private func runShell(_ connection: any ShellConnection, _ options: ShellOptions) async -> Bool {
        let shell = Shell(connection: connection, options: options)
        for path in files where !(await shell.register(file: path)) { return false }
        for text in command where !(await shell.run(script: text)) { return false }
        for path in file {
            do {
                if !(await shell.run(script: try ScriptFile.read(path))) { return false }
            } catch {
                complain(QueryError.wrapping(error))
                return false
            }
        }
        guard command.isEmpty, file.isEmpty else { return true }
        if options.isInteractive {
            await shell.runInteractive()
            return true
        }
        do { return await shell.run(script: try ScriptFile.read("-")) } catch {
            complain(QueryError.wrapping(error))
            return false
        }
    }

    private func historyPath(_ configuration: EngineConfiguration) -> String? {
        let configured = configuration["shell.history-file"]
        if !configured.isEmpty { return configured }
        let variables = ProcessEnvironment.variables
        if let directory = variables["XDG_DATA_HOME"], !directory.isEmpty { return directory + "/martlet/history" }
        return variables["HOME"].map { $0 + "/.local/share/martlet/history" }
    }
}
