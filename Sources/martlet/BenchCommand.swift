// martlet bench: how fast an engine or a server is, and whether it is right.

import ArgumentParser
import Diagnostics
import EmbeddedCluster
import EngineConfiguration
import Frontends
import Logging
import PluginHost

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure an engine in this process, or a server of PostgreSQL's protocol.",
        subcommands: [
            BenchTPCHCommand.self, BenchClickBenchCommand.self, BenchLatencyCommand.self, BenchLoadCommand.self,
            BenchCompareCommand.self,
        ])
}

/// What all benchmarks can be told.
struct BenchFlags: ParsableArguments {
    @Option(
        name: [.long, .customLong("dsn")],
        help: ArgumentHelp(
            "Server to measure by PostgreSQL's protocol: HOST:PORT or postgresql://USER@HOST:PORT/DATABASE; by Flight SQL: martlet://…. Without it an engine in this process.",
            valueName: "ADDRESS"))
    var connect: String?
    @Option(help: ArgumentHelp("Form of the report: \(ReportForm.names).", valueName: "FORM"))
    var format = ReportForm.table
    @Option(
        name: [.customShort("o"), .long],
        help: ArgumentHelp(
            "File for the report; its ending (.json, .csv, .html, .txt) is its form. May be given more than once.",
            valueName: "FILE"))
    var output: [String] = []
    @OptionGroup var common: CommonFlags

    func report(_ work: (BenchmarkTarget) async throws -> BenchmarkReport) async throws {
        do {
            let configuration = try common.load()
            var node: EngineNode?
            let target: BenchmarkTarget
            if let connect {
                var standard = ServerAddress.standard(.postgres)
                standard.password = ProcessEnvironment.variables["PGPASSWORD"]
                target = .server(
                    try ServerAddress(connect, defaults: standard), connect: ServerConnections.open)
            } else {
                let started = try await startNode(configuration)
                node = started
                target = .embedded(started.engine)
            }
            let report = try await work(target)
            await node?.shutdown()
            try write(report)
            if !report.isGood { throw ExitCode.failure }
        } catch let error as QueryError {
            complain(error)
            throw ExitCode.failure
        }
    }

    private func startNode(_ configuration: EngineConfiguration) async throws -> EngineNode {
        let options = try NodeOptions(configuration)
        var logger = Logger(label: "martlet") { _ in StandardErrorLog(isJSON: configuration["log.format"] == "json") }
        logger.logLevel = .error
        var nodeConfiguration = NodeConfiguration(
            threads: options.threads, memoryByteLimit: options.memoryLimit,
            catalogs: try NodeConfiguration.catalogs(options), spillDirectory: options.spillDirectory)
        nodeConfiguration.cacheByteLimit = options.cacheLimit
        return try await EngineNode.start(
            nodeConfiguration, plugins: PluginRegistry(LinkedPlugins.local), logger: logger)
    }

    private func write(_ report: BenchmarkReport) throws {
        print(format.text(report), terminator: "")
        for path in output {
            guard let form = ReportForm(path: path) else {
                throw QueryError(
                    .invalidParameterValue, "\"\(path)\" does not say its form",
                    hint: "Endings: .json, .csv, .html, .txt.")
            }
            let file = try TextOutput(path: path)
            file.write(form.text(report))
            try file.flush()
        }
    }

    /// What the benchmark is about, on standard error.
    static let say: @Sendable (String) -> Void = { line in
        let output = TextOutput(descriptor: 2)
        output.write(line + "\n")
        try? output.flush()
    }
}

enum ReportForm: String, ExpressibleByArgument, CaseIterable {
    case table, json, csv, html

    static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }

    init?(path: String) {
        switch path.split(separator: ".").last {
        case "json": self = .json
        case "csv": self = .csv
        case "html": self = .html
        case "txt": self = .table
        default: return nil
        }
    }

    func text(_ report: BenchmarkReport) -> String {
        switch self {
        case .table: report.table
        case .json: report.json
        case .csv: report.csv
        case .html: report.html
        }
    }
}

struct BenchTPCHCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tpch", abstract: "The 22 queries of TPC-H, with their answers compared.",
        discussion: """
            Without --schema the tables are made of the generator's rows, in memory; on a server that is not Martlet they \
            have to be in the search path. Answers are known at scale 0.01.
            """)

    @Option(name: [.customShort("s"), .long], help: "Scale factor of the data: 0.01, 0.1, 1, 10 or 100 are generated.")
    var scale = 0.1
    @Option(help: ArgumentHelp("Schema that has the tables, such as sf1.", valueName: "NAME"))
    var schema: String?
    @OptionGroup var repetition: RepetitionFlags
    @OptionGroup var flags: BenchFlags

    func validate() throws {
        guard scale > 0, scale <= 10_000 else { throw ValidationError("--scale is between 0 and 10000") }
        _ = try repetition.numbers(of: 1...TPCHQueries.count)
    }

    func run() async throws {
        var benchmark = TPCHBenchmark()
        benchmark.scale = scale
        benchmark.schema = schema
        benchmark.queries = try repetition.numbers(of: 1...TPCHQueries.count)
        benchmark.runs = repetition.runs ?? benchmark.runs
        benchmark.warmUps = repetition.warmUp
        benchmark.clients = repetition.concurrency
        let prepared = benchmark
        try await flags.report { try await prepared.run($0, say: BenchFlags.say) }
    }
}

struct BenchClickBenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clickbench", abstract: "The 43 queries of ClickBench.",
        discussion: """
            Without --schema the table hits is generated, in the schema bench_hits_ROWS. Answers are known for 10000 and 1000000 \
            rows. For the real table name the schema that has it, with columns of ClickBench's names in lower case.
            """)

    @Option(help: "Rows of the generated table.")
    var rows = 1_000_000
    @Option(help: ArgumentHelp("Schema that has the table hits.", valueName: "NAME"))
    var schema: String?
    @OptionGroup var repetition: RepetitionFlags
    @OptionGroup var flags: BenchFlags

    func validate() throws {
        guard (1...100_000_000).contains(rows) else { throw ValidationError("--rows is between 1 and 100000000") }
        _ = try repetition.numbers(of: 0...ClickBenchQueries.count - 1)
    }

    func run() async throws {
        var benchmark = ClickBenchBenchmark()
        benchmark.rows = rows
        benchmark.schema = schema
        benchmark.queries = try repetition.numbers(of: 0...ClickBenchQueries.count - 1)
        benchmark.runs = repetition.runs ?? benchmark.runs
        benchmark.warmUps = repetition.warmUp
        benchmark.clients = repetition.concurrency
        let prepared = benchmark
        try await flags.report { try await prepared.run($0, say: BenchFlags.say) }
    }
}

/// What the suites of queries can be told.
struct RepetitionFlags: ParsableArguments {
    @Option(help: ArgumentHelp("Queries to run: 1,6,14.", valueName: "NUMBERS"))
    var queries: String?
    @Option(help: "Runs of each query that are measured (tpch: 5, clickbench: 3).")
    var runs: Int?
    @Option(help: "Runs of each query before those.")
    var warmUp = 1
    @Option(name: [.customShort("j"), .long], help: "Clients that run each query at the same time.")
    var concurrency = 1

    func validate() throws {
        guard (1...1000).contains(concurrency) else { throw ValidationError("--concurrency is between 1 and 1000") }
        guard (1...100_000).contains(runs ?? 1), (0...1000).contains(warmUp) else {
            throw ValidationError("--runs is between 1 and 100000, --warm-up between 0 and 1000")
        }
    }

    /// The chosen queries, in the order given.
    func numbers(of range: ClosedRange<Int>) throws -> [Int] {
        guard let queries else { return Array(range) }
        return try queries.split(separator: ",").map { text in
            guard let number = Int(text), range.contains(number) else {
                throw ValidationError("\"\(text)\" is no query between \(range.lowerBound) and \(range.upperBound)")
            }
            return number
        }
    }
}

/// What the benchmarks of small statements can be told.
struct StatementFlags: ParsableArguments {
    @Option(help: "Seconds that are measured.")
    var seconds = 10
    @Option(help: "Seconds before those.")
    var warmUp = 2
    @Option(
        name: [.customShort("c"), .long],
        help: ArgumentHelp(
            "A statement to measure in place of the standard ones; :n in it is a random number. May be given more than once.",
            valueName: "SQL"))
    var command: [String] = []
    @Option(help: "Rows of the table that the standard statements read; :n is at most this.")
    var rows: Int64 = 100_000

    func validate() throws {
        guard (1...86_400).contains(seconds), (0...3600).contains(warmUp) else {
            throw ValidationError("--seconds is between 1 and 86400, --warm-up between 0 and 3600")
        }
        guard (1...100_000_000).contains(rows) else { throw ValidationError("--rows is between 1 and 100000000") }
    }

    func benchmark() -> LoadBenchmark {
        var benchmark = LoadBenchmark(
            statements: command.isEmpty
                ? LoadStatement.standard(rowCount: rows)
                : command.enumerated().map { LoadStatement(name: "statement \($0 + 1)", sql: $1, numberMax: rows) })
        benchmark.seconds = seconds
        benchmark.warmUpSeconds = warmUp
        benchmark.rowCount = command.isEmpty ? rows : nil
        return benchmark
    }
}

struct BenchLatencyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "latency", abstract: "Small statements of one client: how long each takes.")

    @OptionGroup var statements: StatementFlags
    @OptionGroup var flags: BenchFlags

    func run() async throws {
        var benchmark = statements.benchmark()
        benchmark.name = "latency"
        benchmark.clients = 1
        // With one client all kinds are as interesting.
        for index in benchmark.statements.indices { benchmark.statements[index].weight = 1 }
        let prepared = benchmark
        try await flags.report { try await prepared.run($0, say: BenchFlags.say) }
    }
}

struct BenchLoadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load", abstract: "Small statements of many clients: how many get done.")

    @Option(name: [.customShort("j"), .long], help: "Clients at the same time.")
    var concurrency = 8
    @Option(
        help: ArgumentHelp(
            "Statements a second, of all clients together; without it as many as get done.", valueName: "NUMBER"))
    var rate: Double?
    @OptionGroup var statements: StatementFlags
    @OptionGroup var flags: BenchFlags

    func validate() throws {
        guard (1...1000).contains(concurrency) else { throw ValidationError("--concurrency is between 1 and 1000") }
        if let rate, !(rate > 0 && rate < 1e9) { throw ValidationError("--rate is a number above 0") }
    }

    func run() async throws {
        var benchmark = statements.benchmark()
        benchmark.clients = concurrency
        benchmark.rate = rate
        let prepared = benchmark
        try await flags.report { try await prepared.run($0, say: BenchFlags.say) }
    }
}

struct BenchCompareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare", abstract: "Two reports in JSON side by side.")

    @Argument(help: ArgumentHelp("The earlier report.", valueName: "A.json"))
    var before: String
    @Argument(help: ArgumentHelp("The later report.", valueName: "B.json"))
    var after: String
    @Option(
        name: [.customShort("o"), .long], help: ArgumentHelp("File for a page with charts.", valueName: "FILE.html"))
    var output: String?

    func run() throws {
        try failing {
            let comparison = BenchmarkComparison(
                try BenchmarkReport(json: ScriptFile.read(before)), try BenchmarkReport(json: ScriptFile.read(after)))
            print(comparison.table, terminator: "")
            guard let output else { return }
            let file = try TextOutput(path: output)
            file.write(comparison.html)
            try file.flush()
        }
    }
}
