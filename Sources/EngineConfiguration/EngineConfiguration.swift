// EngineConfiguration: what plug-ins and targets see of the configuration.

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

    /// Refuses keys that are not in `known`.
    package func checkKeys(_ known: [String]) throws {
        for key in values.keys.sorted() where !known.contains(key) {
            throw QueryError(
                .configurationFileError, "\(name): unknown key \"\(key)\"",
                hint: "Keys of this section: \(known.sorted().joined(separator: ", ")).")
        }
    }
}
