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
            named after it. With --connect, --host or --port the statements run on that server. The exit status is 0 \
            if all went well, 1 if a statement failed, 2 if the connection to the server failed.
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
    @Flag(help: "Print what each query used: times, bytes, memory, stages.")
    var stats = false
    @Option(help: ArgumentHelp("What an error of a script does: stop or continue.", valueName: "stop|continue"))
    var onError = OnError.stop
    @Option(
        name: [.customShort("v"), .customLong("set")],
        help: ArgumentHelp("Set a variable for :NAME in statements.", valueName: "NAME=VALUE"))
    var variables: [String] = []
    @Option(
        help: ArgumentHelp(
            "Server to connect to: HOST:PORT or martlet://USER@HOST:PORT/DATABASE; postgresql://… speaks PostgreSQL's protocol.",
            valueName: "ADDRESS"))
    var connect: String?
    @Option(help: ArgumentHelp("Server to connect to.", valueName: "HOST"))
    var host: String?
    @Option(help: ArgumentHelp("The server's gRPC port.", valueName: "PORT"))
    var port: Int?
    @Option(help: "User name for a server.")
    var user: String?
    @Option(help: "Database name for a server.")
    var database: String?
    @OptionGroup var common: CommonFlags

    enum OnError: String, ExpressibleByArgument { case stop, `continue` }
    private static let statementFailed = ExitCode(1)
    private static let connectionFailed = ExitCode(2)

    func run() async throws {
        let configuration = try failing { try common.load([("shell.format", format, "--format")]) }
        let isInteractive = command.isEmpty && file.isEmpty && isatty(0) == 1
        var options = ShellOptions(
            format: OutputFormat(rawValue: configuration["shell.format"]) ?? .table, showsTiming: timing,
            isInteractive: isInteractive, historyPath: historyPath(configuration))
        options.showsStatistics = stats
        options.continuesAfterErrors = onError == .continue
        options.variables = try parsedVariables()
        options.connect = ServerConnections.open
        let connection: any ShellConnection
        let node: EngineNode?
        do {
            options.address = try standardAddress(configuration)
            (connection, node) = try await open(configuration, options.address)
        } catch {
            complain(QueryError.wrapping(error))
            throw isRemote ? Self.connectionFailed : Self.statementFailed
        }
        let shell = Shell(connection: connection, options: options)
        let succeeded = await runShell(shell, options)
        let isLost = shell.connection.isLost
        shell.connection.close()
        await node?.shutdown()
        if isLost, !isInteractive { throw Self.connectionFailed }
        if !succeeded { throw Self.statementFailed }
    }

    private var isRemote: Bool { connect != nil || host != nil || port != nil }

    private func parsedVariables() throws -> ShellVariables {
        var result = ShellVariables()
        for text in variables {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, ShellVariables.isName(parts[0]) else {
                throw ValidationError("\"\(text)\" is not NAME=VALUE")
            }
            result[parts[0]] = parts[1]
        }
        return result
    }

    /// What is meant where nothing else is said.
    private func standardAddress(_ configuration: EngineConfiguration) throws -> ServerAddress {
        var address = ServerAddress(
            host: host ?? "127.0.0.1", port: port ?? configuration.integer("coordinator.grpc-port"),
            user: user ?? "martlet", database: database ?? "martlet",
            password: ProcessEnvironment.variables["PGPASSWORD"], speaks: .flightSQL)
        do { try address.takeEncryption(from: ProcessEnvironment.variables) } catch {
            // Who has no server in mind need not hear of it.
            if isRemote { throw error }
        }
        return address
    }

    private func open(
        _ configuration: EngineConfiguration, _ standard: ServerAddress
    ) async throws -> (any ShellConnection, EngineNode?) {
        if isRemote {
            var address = standard
            if let connect { address = try ServerAddress(connect, defaults: address) }
            if let user { address.user = user }
            if let database { address.database = database }
            return (try await ServerConnections.open(address), nil)
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
        return (EmbeddedConnection(engine: node.engine), node)
    }

    private func runShell(_ shell: Shell, _ options: ShellOptions) async -> Bool {
        for path in files where !(await shell.register(file: path)) { return false }
        for text in command where !(await shell.run(script: text)) {
            if !options.continuesAfterErrors { return false }
        }
        for path in file {
            do {
                if !(await shell.run(script: try ScriptFile.read(path))), !options.continuesAfterErrors { return false }
            } catch {
                complain(QueryError.wrapping(error))
                return false
            }
        }
        guard command.isEmpty, file.isEmpty else { return !shell.hasFailed }
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
        if let directory = variables["XDG_STATE_HOME"], !directory.isEmpty { return directory + "/martlet/history" }
        return variables["HOME"].map { $0 + "/.local/state/martlet/history" }
    }
}
