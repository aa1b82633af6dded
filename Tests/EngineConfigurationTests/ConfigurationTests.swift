// Sources and their precedence, errors that list what exists, and reading of files.

import Diagnostics
import EngineConfiguration
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

private func temporaryFile(_ text: String) -> String {
    let path = "/tmp/martlet-configuration-\(getpid())-\(UInt32.random(in: 0 ... .max)).yaml"
    let file = fopen(path, "w")
    fputs(text, file)
    fclose(file)
    return path
}

private func failure(_ body: () throws -> Void) -> QueryError? {
    do {
        try body()
        return nil
    } catch { return error as? QueryError }
}

@Suite struct ConfigurationTests {
    @Test func laterSourcesWin() throws {
        let path = temporaryFile("threads: 3\nmemory-limit: 1GiB\ncoordinator:\n  pg-port: 1\n  grpc-port: 2\n")
        defer { unlink(path) }
        let configuration = try EngineConfiguration(
            file: path, environment: ["MARTLET_THREADS": "4", "MARTLET_COORDINATOR_PG_PORT": "5", "HOME": "/"],
            flags: [ConfigurationFlag(key: "coordinator.pg-port", value: "6", flag: "--pg-port")])
        #expect(configuration.integer("threads") == 4)
        #expect(configuration.origin("threads") == .environment("MARTLET_THREADS"))
        #expect(configuration.byteCount("memory-limit") == 1 << 30)
        #expect(configuration.origin("memory-limit") == .file(path))
        #expect(configuration.integer("coordinator.pg-port") == 6)
        #expect(configuration.integer("coordinator.grpc-port") == 2)
        #expect(configuration.integer("coordinator.http-port") == 8080)
        #expect(configuration.origin("coordinator.http-port") == .byDefault)
    }

    @Test func unknownNamesListWhatExists() {
        let variable = failure {
            _ = try EngineConfiguration(file: nil, environment: ["MARTLET_THREAD": "4"], flags: [])
        }
        #expect(variable?.state == .configurationFileError)
        #expect(variable?.hint?.hasPrefix("Variables: MARTLET_THREADS,") == true)
        let path = temporaryFile("coordinator:\n  pgport: 1\n")
        defer { unlink(path) }
        let key = failure { _ = try EngineConfiguration(file: path, environment: [:], flags: []) }
        #expect(key?.state == .configurationFileError)
        #expect(key?.hint?.hasPrefix("Keys: coordinator.pg-port,") == true)
    }

    @Test(arguments: [
        ("threads", "many"), ("threads", "-1"), ("coordinator.pg-port", "65536"), ("memory-limit", "much"),
        ("log.level", "loud"), ("worker.drain-timeout", "soon"),
    ])
    func wrongValuesAreRefused(_ key: String, _ value: String) {
        let flag = ConfigurationFlag(key: key, value: value, flag: "--x")
        #expect(
            failure { _ = try EngineConfiguration(file: nil, environment: [:], flags: [flag]) }?.state
                == .configurationFileError)
    }

    @Test func catalogsAreSections() throws {
        let path = temporaryFile("catalogs:\n  lake:\n    type: file\n    directory: \"/data # 1\" # where\n")
        defer { unlink(path) }
        let configuration = try EngineConfiguration(
            file: path,
            environment: ["MARTLET_CATALOGS_LAKE_FORMAT": "csv", "MARTLET_CATALOGS_SCRATCH_TYPE": "memory"], flags: [])
        #expect(
            configuration.catalogs == [
                ConfigurationSection(
                    name: "lake", values: ["type": "file", "directory": "/data # 1", "format": "csv"]),
                ConfigurationSection(name: "scratch", values: ["type": "memory"]),
            ])
    }

    @Test func jsonAndYAMLAreTheSame() throws {
        let yaml = try ConfigurationFile.parse(
            "threads: 2\nworker:\n  join:\n    - a:1\n    - 'b:2'\nlog: \n  level: info\n", name: "y")
        let json = try ConfigurationFile.parse(
            #"{"threads": 2, "worker": {"join": ["a:1", "b:2"]}, "log": {"level": "info"}}"#, name: "j")
        #expect(yaml.map(\.key) == json.map(\.key))
        #expect(yaml.map(\.value) == json.map(\.value))
        #expect(yaml.map(\.value) == ["2", "a:1,b:2", "info"])
    }

    @Test(arguments: [
        "a", "\tx: 1", "x: 'open", "x: 1\nx: 2", "a:\n    b: 1\n  c: 2", "{\"a\": }", "{\"a\": 1", "x: |\n  y",
    ])
    func brokenFilesAreErrors(_ text: String) {
        #expect(failure { _ = try ConfigurationFile.parse(text, name: "f") }?.state == .configurationFileError)
    }

    @Test(arguments: [("1", 1), ("2kB", 2000), ("2KiB", 2048), ("1.5GiB", 3 << 29), ("500 MB", 500_000_000)])
    func bytes(_ text: String, _ count: Int) { #expect(ConfigurationValue.byteCount(text) == count) }

    @Test func everyKeyHasAValidDefault() throws {
        for key in ConfigurationRegistry.keys { try key.check(key.defaultValue, origin: .byDefault) }
        #expect(Set(ConfigurationRegistry.keys.map(\.environmentName)).count == ConfigurationRegistry.keys.count)
    }
}
