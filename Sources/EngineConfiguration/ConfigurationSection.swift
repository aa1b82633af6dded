// EngineConfiguration: every key that can be configured, and the values it has from file, environment and flags.
//
//   ConfigurationKey        name, type, default and text of a key
//   ConfigurationRegistry   all keys, declared once
//   ConfigurationFile       reads YAML and JSON files into flat keys
//   EngineConfiguration     the effective values, with where each one comes from
//   NodeOptions, …          read-only structs for the parts of a process
//   ConfigurationSection    what a plug-in sees: its own keys as text (this file)

import Diagnostics

/// One section of the configuration, as plain text values: a catalogue's or a transport's options.
package struct ConfigurationSection: Hashable, Sendable {
    /// The section's name: the catalogue's name for storage.
    package var name: String
    package var values: [String: String]
    package init(name: String, values: [String: String] = [:]) {
        self.name = name
        self.values = values
    }

    package subscript(key: String) -> String? { values[key] }

    /// The value of a key that must be there.
    package func required(_ key: String) throws -> String {
        guard let value = values[key] else {
            throw QueryError(.configurationFileError, "\(name): the key \"\(key)\" is missing")
        }
        return value
    }

    /// The values of the given keys, defaults where a key is not set. Other keys and values of other types are refused.
    package func values(of keys: [ConfigurationKey]) throws -> [String: String] {
        try checkKeys(keys.map(\.name) + ["type"])
        var result: [String: String] = [:]
        for key in keys {
            if let value = values[key.name] { try key.check(value, origin: .section(name)) }
            result[key.name] = values[key.name] ?? key.defaultValue
        }
        return result
    }

    /// Refuses keys that are not in `known`.
    package func checkKeys(_ known: [String]) throws {
        for key in values.keys.sorted() where !known.contains(key) {
            throw QueryError(
                .configurationFileError, "\(name): unknown key \"\(key)\"",
                hint: "Keys of this section: \(known.sorted().joined(separator: ", ")).")
        }
    }
}
