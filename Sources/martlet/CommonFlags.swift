// Flags that several commands share, as values of configuration keys, and what every command does with them.

import ArgumentParser
import Coordination
import Diagnostics
import EmbeddedCluster
import EngineConfiguration
import Frontends
import Logging

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

struct CommonFlags: ParsableArguments {
    @Option(help: ArgumentHelp("Configuration file, YAML or JSON.", valueName: "FILE"))
    var config: String?
    @Option(help: ArgumentHelp("Directory whose Parquet and CSV files are tables.", valueName: "DIR"))
    var data: String?
    @Option(help: ArgumentHelp("Threads that run queries; 0 is one for each core.", valueName: "N"))
    var threads: String?
    @Option(help: ArgumentHelp("Memory for queries: 500MB, 16GiB; 0 is 80 % of what there is.", valueName: "BYTES"))
    var memoryLimit: String?
    @Option(help: ArgumentHelp("Least severity of log lines.", valueName: "LEVEL"))
    var logLevel: String?

    /// Reads the configuration with these flags and a command's own.
    func load(_ own: [(key: String, value: String?, flag: String)] = []) throws -> EngineConfiguration {
        try EngineConfiguration(file: config, environment: ProcessEnvironment.variables, flags: flags(own))
    }

    /// The keys that these flags and a command's own set.
    func flags(_ own: [(key: String, value: String?, flag: String)] = []) -> [ConfigurationFlag] {
        let common = [
            ("data", data, "--data"), ("threads", threads, "--threads"),
            ("memory-limit", memoryLimit, "--memory-limit"),
            ("log.level", logLevel, "--log-level"),
        ]
        return (common + own).compactMap { key, value, flag in
            value.map { ConfigurationFlag(key: key, value: $0, flag: flag) }
        }
    }
}

/// Ends the process with an error as people read it.
func failing<T>(_ body: () throws -> T) throws -> T {
    do { return try body() } catch let error as QueryError {
        complain(error)
        throw ExitCode.failure
    }
}

func complain(_ error: QueryError) {
    let output = TextOutput(descriptor: 2)
    output.write(ErrorText.format(error))
    try? output.flush()
}

extension NodeConfiguration {
    /// The node's catalogues: those that are always there, then the configured ones. `fileRoots`: directories that a server
    /// lets its clients write to; `nil` in the shell, which may do what its user may do.
    static func catalogs(
        _ options: NodeOptions, sections: [ConfigurationSection]? = nil, fileRoots: [String]? = nil
    ) throws -> [CatalogConfiguration] {
        let roots = fileRoots.map { ["roots": $0.joined(separator: ",")] } ?? [:]
        let data = fileRoots == nil ? ["writable": "true"] : roots
        var catalogs = [CatalogConfiguration(name: "martlet", type: "memory")]
        if let directory = options.dataDirectory {
            var status = stat()
            guard stat(directory, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
                throw QueryError(.undefinedFile, "data: \"\(directory)\" is not a directory", object: directory)
            }
            catalogs.append(
                CatalogConfiguration(name: "data", type: "file", values: data.merging(["directory": directory]) { $1 }))
        }
        catalogs.append(CatalogConfiguration(name: "files", type: "file", values: roots))
        catalogs.append(CatalogConfiguration(name: "s3", type: "s3", values: roots))
        catalogs.append(CatalogConfiguration(name: "tpch", type: "tpch"))
        for section in sections ?? options.catalogs {
            let catalog = try CatalogConfiguration(section)
            if let index = catalogs.firstIndex(where: { $0.name == catalog.name }) {
                catalogs[index] = catalog
            } else {
                catalogs.append(catalog)
            }
        }
        return catalogs
    }
}

extension CatalogConfiguration {
    /// F0000 without a type.
    init(_ section: ConfigurationSection) throws {
        self.init(
            name: section.name, type: try section.required("type"), values: section.values.filter { $0.key != "type" })
    }
}
