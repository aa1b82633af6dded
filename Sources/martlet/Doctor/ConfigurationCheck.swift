// Everything that is wrong with a configuration, not only the first thing; values that are secret are not shown.

import Diagnostics
import EngineConfiguration
import PluginHost

/// One fault of a configuration.
struct ConfigurationProblem {
    var message: String
    var hint: String?
    var key: String?
    /// Where it stands: `file PATH, line N`, `environment NAME`, `flag --NAME`.
    var place: String?

    init(_ error: QueryError, key: String? = nil, place: String? = nil) {
        message = error.message
        hint = error.hint
        self.key = key ?? error.object
        self.place = place
    }
}

enum ConfigurationCheck {
    /// The name that stands for a place in messages until the place is known.
    private static let unknownPlace = "?"

    /// The faults of the sources one by one, then those of their combination.
    static func problems(
        file: String?, environment: [String: String], flags: [ConfigurationFlag]
    ) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        let path = file ?? environment["MARTLET_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        if let path {
            do {
                let lines = KeyLines(path: path)
                for (key, value) in try ConfigurationFile.read(path: path) {
                    let line = lines.line(of: key).map { ", line \($0)" } ?? ""
                    problems += faults(of: [ConfigurationFlag(key: key, value: value, flag: unknownPlace)]).map {
                        placed($0, key, "file \(path)\(line)")
                    }
                }
            } catch { problems.append(ConfigurationProblem(QueryError.wrapping(error), place: "file \(path)")) }
        }
        for (name, value) in environment.sorted(by: { $0.key < $1.key })
        where name.hasPrefix("MARTLET_") && name != "MARTLET_CONFIG" {
            do { _ = try EngineConfiguration(file: nil, environment: [name: value], flags: []) } catch {
                problems.append(ConfigurationProblem(QueryError.wrapping(error), place: "environment \(name)"))
            }
        }
        for flag in flags {
            problems += faults(of: [flag]).map {
                ConfigurationProblem($0, key: flag.key, place: "flag \(flag.flag)")
            }
        }
        guard problems.isEmpty else { return problems }
        do {
            let configuration = try EngineConfiguration(file: file, environment: environment, flags: flags)
            return combined(configuration)
        } catch { return [ConfigurationProblem(QueryError.wrapping(error))] }
    }

    private static func faults(of flags: [ConfigurationFlag]) -> [QueryError] {
        do {
            _ = try EngineConfiguration(file: nil, environment: [:], flags: flags)
            return []
        } catch { return [QueryError.wrapping(error)] }
    }

    /// The error as of this place.
    private static func placed(_ error: QueryError, _ key: String, _ place: String) -> ConfigurationProblem {
        var problem = ConfigurationProblem(error, key: key, place: place)
        let begin = "\(ConfigurationOrigin.flag(unknownPlace)): "
        if problem.message.hasPrefix(begin) { problem.message.removeFirst(begin.count) }
        return problem
    }

    /// What does not go together, or names files and plug-ins that cannot be used.
    private static func combined(_ configuration: EngineConfiguration) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        func check(_ body: () throws -> Void) {
            do { try body() } catch {
                let error = QueryError.wrapping(error)
                let key = error.object.flatMap { ConfigurationRegistry.key($0) == nil ? nil : $0 }
                problems.append(
                    ConfigurationProblem(
                        error, key: key, place: key.map { configuration.origin($0) }.map { "\($0)" }))
            }
        }
        check { _ = try NodeOptions(configuration) }
        for section in configuration.catalogs {
            check {
                let type = try section.required("type")
                guard let plugin = LinkedPlugins.all.plugins.first(where: { $0.name == type }) else {
                    _ = try LinkedPlugins.all.storageBackend(type: type, section: section)
                    return
                }
                if !plugin.storageKeys.isEmpty { _ = try section.values(of: plugin.storageKeys) }
            }
        }
        #if MARTLET_NETWORK
            check {
                let options = try CoordinatorOptions(configuration)
                _ = try ClientAuthentication.make(configuration, host: configuration["host"], options)
            }
            check { try CertificateCheck.load(configuration) }
            check { _ = try CertificateCheck.traces(configuration) }
        #endif
        return problems
    }
}

/// Finds where keys stand in a file. YAML is read line by line, so a key stands on the line with which it first appears; in JSON
/// it is looked for by its name.
private struct KeyLines {
    private let lines: [Substring]
    private let path: String
    /// Lines of the keys, for YAML.
    private let known: [String: Int]

    init(path: String) {
        self.path = path
        let text = (try? ConfigurationFile.text(path: path)) ?? ""
        lines = text.split(omittingEmptySubsequences: false) { $0.isNewline }
        var known: [String: Int] = [:]
        if text.first(where: { !$0.isWhitespace }) != "{", lines.count <= 5000 {
            for count in 1...max(1, lines.count) {
                let begin = lines.prefix(count).joined(separator: "\n")
                for (key, _) in (try? ConfigurationFile.parse(begin, name: path)) ?? [] where known[key] == nil {
                    known[key] = count
                }
            }
        }
        self.known = known
    }

    func line(of key: String) -> Int? {
        if let line = known[key] { return line }
        guard let name = key.split(separator: ".").last else { return nil }
        return lines.firstIndex { $0.contains("\"\(name)\"") }.map { $0 + 1 }
    }
}
