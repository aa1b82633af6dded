// martlet generate: data sets as files.

import ArgumentParser
import Diagnostics
import EngineConfiguration
import TPCHData

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

struct GenerateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate", abstract: "Write a generated data set as files.",
        subcommands: [GenerateTPCHCommand.self])
}

struct GenerateTPCHCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tpch", abstract: "Write the tables of TPC-H as text files.")

    @Option(name: [.customShort("s"), .customLong("scale")], help: "Scale factor: 1 is about 1 GB of text.")
    var scale = 1.0
    @Option(
        name: [.customShort("o"), .customLong("output")], help: ArgumentHelp("Directory to write to.", valueName: "DIR")
    )
    var output: String
    @Option(
        help: ArgumentHelp(
            "Form of the files: \(TPCHTextFormat.allCases.map(\.rawValue).joined(separator: ", ")).",
            valueName: "FORMAT"))
    var format = TPCHTextFormat.csv.rawValue
    @Option(help: ArgumentHelp("Tables to write; all without it.", valueName: "TABLE"))
    var table: [String] = []
    @Option(help: ArgumentHelp("Threads; 0 is one for each core.", valueName: "N"))
    var threads = 0

    func run() throws {
        try failing {
            guard let format = TPCHTextFormat(rawValue: format) else {
                throw QueryError(
                    .invalidParameterValue, "there is no format \"\(format)\"",
                    hint: "Formats: \(TPCHTextFormat.allCases.map(\.rawValue).joined(separator: ", ")).")
            }
            let scale = try TPCHScale(scale)
            let tables =
                try table.isEmpty
                ? TPCHTable.allCases
                : table.map { name in
                    guard let table = TPCHTable(rawValue: name) else {
                        throw QueryError(
                            .undefinedTable, "there is no table \"\(name)\"",
                            hint: "Tables: \(TPCHTable.allCases.map(\.rawValue).joined(separator: ", ")).")
                    }
                    return table
                }
            if mkdir(output, 0o755) != 0, errno != EEXIST {
                throw QueryError(.ioError, "could not create \"\(output)\": \(String(cString: strerror(errno)))")
            }
            for table in tables {
                let path = try TPCHTextWriter.writeText(
                    table, scale, to: output, format: format, threadCount: threads > 0 ? threads : Machine.coreCount)
                print(path)
            }
        }
    }
}
