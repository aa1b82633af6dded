// The effective configuration: file, then variables, then flags, the later winning over the earlier.

import Diagnostics

/// A value with its origin.
package struct ConfiguredValue: Sendable, Hashable {
    package var value: String
    package var origin: ConfigurationOrigin
}

/// A flag given on the command line, for the key that it sets.
package struct ConfigurationFlag: Sendable {
    package var key: String
    package var value: String
    /// As the user writes it: `--pg-port`.
    package var flag: String
    package init(key: String, value: String, flag: String) {
        self.key = key
        self.value = value
        self.flag = flag
    }
}

package struct EngineConfiguration: Sendable {
    /// What was set, by key; keys without an entry have their default.
    private var values: [String: ConfiguredValue] = [:]

    /// Only defaults.
    package init() {}

    /// Reads all sources. Unknown keys and values of the wrong type are 'F0000' errors that say where they stand.
    package init(file: String?, environment: [String: String], flags: [ConfigurationFlag]) throws {
        if let file = file ?? environment["MARTLET_CONFIG"], !file.isEmpty {
            let origin = ConfigurationOrigin.file(file)
            for (key, value) in try ConfigurationFile.read(path: file) { try set(key, value, origin) }
        }
        for (name, value) in environment.sorted(by: { $0.key < $1.key }) where name.hasPrefix("MARTLET_") {
            guard !ConfigurationRegistry.isForeign(name) else { continue }
            try set(try EngineConfiguration.key(ofVariable: name), value, .environment(name))
        }
        for flag in flags { try set(flag.key, flag.value, .flag(flag.flag)) }
    }

    private static func key(ofVariable name: String) throws -> String {
        if let key = ConfigurationRegistry.keys.first(where: { $0.environmentName == name }) { return key.name }
        let prefix = "MARTLET_CATALOGS_"
        if name.hasPrefix(prefix) {
            let rest = name.dropFirst(prefix.count).lowercased()
            if let separator = rest.firstIndex(of: "_") {
                let option = rest[rest.index(after: separator)...].map { $0 == "_" ? "-" : $0 }
                return ConfigurationRegistry.catalogPrefix + rest[..<separator] + "." + String(option)
            }
        }
        let userPrefix = "MARTLET_USERS_"
        if name.hasPrefix(userPrefix) {
            // The longest key that fits: a name may end in what looks like a shorter one.
            for key in ConfigurationRegistry.userKeys.sorted(by: { $0.name.utf8.count > $1.name.utf8.count }) {
                let ending = "_" + key.name.uppercased().map { $0 == "-" ? "_" : $0 }
                guard name.hasSuffix(ending), name.utf8.count > userPrefix.utf8.count + ending.utf8.count else {
                    continue
                }
                let user = name.dropFirst(userPrefix.count).dropLast(ending.count).lowercased()
                return "\(ConfigurationRegistry.userPrefix)\(user).\(key.name)"
            }
        }
        let names = ConfigurationText.nearest(name, in: ConfigurationRegistry.keys.map(\.environmentName))
        throw QueryError(
            .configurationFileError, "unknown variable \(name)", hint: "Variables: \(names.joined(separator: ", ")).",
            object: name)
    }

    private mutating func set(_ name: String, _ value: String, _ origin: ConfigurationOrigin) throws {
        if name.hasPrefix(ConfigurationRegistry.catalogPrefix) {
            guard name.split(separator: ".", omittingEmptySubsequences: false).count >= 3 else {
                throw QueryError(
                    .configurationFileError, "\(origin): \"\(name)\" must have the form catalogs.NAME.KEY", object: name
                )
            }
        } else if name.hasPrefix(ConfigurationRegistry.userPrefix) {
            guard ConfigurationRegistry.userKey(name) != nil else {
                throw QueryError(
                    .configurationFileError, "\(origin): \"\(name)\" must have the form users.NAME.KEY",
                    hint: "Keys: \(ConfigurationRegistry.userKeys.map(\.name).joined(separator: ", ")).", object: name)
            }
        } else {
            guard let key = ConfigurationRegistry.key(name) else {
                let names = ConfigurationText.nearest(name, in: ConfigurationRegistry.keys.map(\.name))
                throw QueryError(
                    .configurationFileError, "\(origin): unknown key \"\(name)\"",
                    hint: "Keys: \(names.joined(separator: ", ")), catalogs.NAME.KEY.", object: name)
            }
            try key.check(value, origin: origin)
        }
        values[name] = ConfiguredValue(value: value, origin: origin)
    }

    // MARK: - Typed access

    /// The value of a registered key.
    package subscript(name: String) -> String {
        values[name]?.value ?? ConfigurationRegistry.key(name)?.defaultValue ?? ""
    }

    package func origin(_ name: String) -> ConfigurationOrigin { values[name]?.origin ?? .byDefault }
    package func isSet(_ name: String) -> Bool { values[name] != nil }
    package func integer(_ name: String) -> Int { Int(self[name]) ?? 0 }
    package func byteCount(_ name: String) -> Int { ConfigurationValue.byteCount(self[name]) ?? 0 }
    package func milliseconds(_ name: String) -> Int { ConfigurationValue.milliseconds(self[name]) ?? 0 }
    package func boolean(_ name: String) -> Bool { ConfigurationValue.boolean(self[name]) ?? false }
    package func list(_ name: String) -> [String] { ConfigurationValue.list(self[name]) }

    /// Keys whose values are others than in another configuration.
    package func changedKeys(from other: EngineConfiguration) -> [String] {
        Set(values.keys).union(other.values.keys).filter { self[$0] != other[$0] }.sorted()
    }

    // MARK: - Catalogues

    /// Catalogues by name with their keys; the key `type` names the plug-in.
    package var catalogs: [ConfigurationSection] {
        var sections: [String: [String: String]] = [:]
        for (name, value) in values where name.hasPrefix(ConfigurationRegistry.catalogPrefix) {
            let rest = name.dropFirst(ConfigurationRegistry.catalogPrefix.count)
            guard let point = rest.firstIndex(of: ".") else { continue }
            sections[String(rest[..<point]), default: [:]][String(rest[rest.index(after: point)...])] = value.value
        }
        return sections.sorted { $0.key < $1.key }.map { ConfigurationSection(name: $0.key, values: $0.value) }
    }

    // MARK: - Users

    /// Users by name with their keys.
    package var users: [ConfigurationSection] {
        var sections: [String: [String: String]] = [:]
        for (name, value) in values {
            guard let (user, key) = ConfigurationRegistry.userKey(name) else { continue }
            sections[user, default: [:]][key.name] = value.value
        }
        return sections.sorted { $0.key < $1.key }.map { ConfigurationSection(name: $0.key, values: $0.value) }
    }

    // MARK: - Printing

    /// One line of `martlet config`.
    package struct Entry: Sendable {
        package var name: String
        package var type: String
        package var defaultValue: String
        package var text: String
        package var isExperimental: Bool
        package var value: String
        package var origin: String
    }

    /// Every key with its effective value; secrets are masked.
    package var entries: [Entry] {
        var result = ConfigurationRegistry.keys.map { key in
            let isSecret = key.type == .secret
            return Entry(
                name: key.name, type: key.type.name, defaultValue: isSecret ? "" : key.defaultValue, text: key.text,
                isExperimental: key.isExperimental, value: isSecret && isSet(key.name) ? "(hidden)" : self[key.name],
                origin: origin(key.name).description)
        }
        for (name, value) in values.sorted(by: { $0.key < $1.key })
        where name.hasPrefix(ConfigurationRegistry.catalogPrefix) {
            let isSecret = ["password", "secret", "token", "key", "dsn"].contains { name.lowercased().hasSuffix($0) }
            result.append(
                Entry(
                    name: name, type: "text", defaultValue: "", text: ConfigurationRegistry.catalogText,
                    isExperimental: false, value: isSecret ? "(hidden)" : value.value, origin: value.origin.description)
            )
        }
        for (name, value) in values.sorted(by: { $0.key < $1.key }) {
            guard let (_, key) = ConfigurationRegistry.userKey(name) else { continue }
            result.append(
                Entry(
                    name: name, type: key.type.name, defaultValue: "", text: key.text, isExperimental: false,
                    value: key.type == .secret ? "(hidden)" : value.value, origin: value.origin.description))
        }
        return result
    }
}
