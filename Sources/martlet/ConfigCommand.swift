// martlet config: every key with its effective value.

import ArgumentParser
import EngineConfiguration
import Frontends
import PluginHost

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Print every configuration key, its meaning and its effective value.",
        subcommands: [ConfigCheckCommand.self])

    enum Format: String, ExpressibleByArgument, CaseIterable { case table, json }

    @Option(help: "Form: table or json.")
    var format = Format.table
    @OptionGroup var common: CommonFlags

    func run() throws {
        let known = try failing { try common.load() }.entries
        let entries = known + Self.userKeys(known) + Self.storeKeys(known)
        let output = TextOutput(descriptor: 1)
        switch format {
        case .table:
            for entry in entries {
                let mark = entry.isExperimental ? " (experimental)" : ""
                output.write("\(entry.name) = \(entry.value.isEmpty ? "\"\"" : entry.value)\n")
                output.write("    \(entry.text)\(mark)\n")
                output.write(
                    "    type \(entry.type), default \(entry.defaultValue.isEmpty ? "\"\"" : entry.defaultValue), "
                        + "from \(entry.origin)\n")
            }
        case .json:
            let columns = ["key", "type", "default", "text", "experimental", "value", "origin"].map {
                ResultColumn(name: $0, json: $0 == "experimental" ? .boolean : .string)
            }
            let renderer = OutputFormat.json.makeRenderer(columns, output: output)
            try renderer.append(
                ResultRows(
                    texts: entries.map { entry in
                        [
                            entry.name, entry.type, entry.defaultValue, entry.text, entry.isExperimental ? "t" : "f",
                            entry.value, entry.origin,
                        ].map { Array($0.utf8) }
                    }))
            try renderer.finish()
        }
        try output.flush()
    }

    /// The keys of users' sections, in the form of the given entries.
    private static func userKeys(_ entries: [EngineConfiguration.Entry]) -> [EngineConfiguration.Entry] {
        guard let form = entries.first else { return [] }
        return ConfigurationRegistry.userKeys.map { key in
            var entry = form
            entry.name = "\(ConfigurationRegistry.userPrefix)NAME.\(key.name)"
            entry.type = key.type.name
            entry.defaultValue = key.defaultValue
            entry.text = key.text
            entry.isExperimental = key.isExperimental
            entry.value = key.defaultValue
            entry.origin = "default"
            return entry
        }
    }

    /// The keys of catalogues' sections, by the storage plug-ins that have them; in the form of the given entries.
    private static func storeKeys(_ entries: [EngineConfiguration.Entry]) -> [EngineConfiguration.Entry] {
        guard let form = entries.first else { return [] }
        return LinkedPlugins.all.plugins.flatMap { plugin in
            plugin.storageKeys.map { key in
                var entry = form
                entry.name = "\(ConfigurationRegistry.catalogPrefix)NAME.\(key.name)"
                entry.type = key.type.name
                entry.defaultValue = key.defaultValue
                entry.text = "Of type \(plugin.name): \(key.text)"
                entry.isExperimental = key.isExperimental
                entry.value = key.defaultValue
                entry.origin = "default"
                return entry
            }
        }
    }
}
