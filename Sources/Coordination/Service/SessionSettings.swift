// Settings of a session: the names that PostgreSQL's clients set and ask for, and those of the engine.

import Columnar
import Diagnostics

/// What can be SET and SHOWn. Values are text, as PostgreSQL shows them.
package struct SessionSettings: Sendable, Equatable {
    package struct Definition: Sendable {
        package var name: String
        package var defaultValue: String
        package var text: String
        /// Clients are told of changes (ParameterStatus).
        package var isReported = false
        package var isReadOnly = false
    }

    package static let definitions: [Definition] = [
        Definition(name: "application_name", defaultValue: "", text: "Name of the client program.", isReported: true),
        Definition(name: "bytea_output", defaultValue: "hex", text: "Output format of bytea."),
        Definition(name: "client_encoding", defaultValue: "UTF8", text: "Encoding of the client.", isReported: true),
        Definition(name: "client_min_messages", defaultValue: "notice", text: "Least severity of messages sent."),
        Definition(name: "datestyle", defaultValue: "ISO, MDY", text: "Format of dates.", isReported: true),
        Definition(
            name: "debug.batch_size", defaultValue: "0",
            text: "For tests: rows of a batch that enters a pipeline; 0 is as usual."),
        Definition(
            name: "debug.disabled_rules", defaultValue: "",
            text: "For tests: optimiser rules that are left out, with commas between them."),
        Definition(
            name: "debug.join_distribution", defaultValue: "",
            text: "For tests: broadcast or partitioned, whatever it costs."),
        Definition(
            name: "debug.vector_encoding", defaultValue: "",
            text: "For tests: constant or dictionary; the encoding of columns that enter a pipeline."),
        Definition(
            name: "default_table_access_method", defaultValue: "heap", text: "Accepted, without effect."),
        Definition(
            name: "default_transaction_isolation", defaultValue: "read committed",
            text: "Isolation of new transactions."),
        Definition(
            name: "default_transaction_read_only", defaultValue: "off", text: "Whether new transactions only read.",
            isReported: true),
        Definition(name: "extra_float_digits", defaultValue: "1", text: "Digits of floating-point output."),
        Definition(name: "idle_in_transaction_session_timeout", defaultValue: "0", text: "Accepted, without effect."),
        Definition(
            name: "in_hot_standby", defaultValue: "off", text: "Whether the server is a standby.", isReported: true,
            isReadOnly: true),
        Definition(
            name: "integer_datetimes", defaultValue: "on", text: "Datetimes are integers.", isReported: true,
            isReadOnly: true),
        Definition(name: "intervalstyle", defaultValue: "postgres", text: "Format of intervals.", isReported: true),
        Definition(
            name: "is_superuser", defaultValue: "on", text: "Whether the user may do all.", isReported: true,
            isReadOnly: true),
        Definition(name: "jit", defaultValue: "off", text: "Accepted, without effect."),
        Definition(
            name: "lock_timeout", defaultValue: "0",
            text: "Longest wait for a lock in milliseconds; 0 is none."),
        Definition(
            name: "max_index_keys", defaultValue: "32", text: "Most columns of an index.", isReadOnly: true),
        Definition(
            name: "max_identifier_length", defaultValue: "63", text: "Longest identifier in bytes.", isReadOnly: true),
        Definition(
            name: "password_encryption", defaultValue: "scram-sha-256", text: "What is kept of passwords.",
            isReadOnly: true),
        Definition(name: "row_security", defaultValue: "on", text: "Accepted, without effect."),
        Definition(
            name: "search_path", defaultValue: "\"$user\", public", text: "Schemas in which names are looked up."),
        Definition(
            name: "server_encoding", defaultValue: "UTF8", text: "Encoding of the server.", isReported: true,
            isReadOnly: true),
        Definition(
            name: "server_version", defaultValue: EngineVersion.serverVersion, text: "PostgreSQL version spoken.",
            isReported: true, isReadOnly: true),
        Definition(name: "server_version_num", defaultValue: "150000", text: "The same as a number.", isReadOnly: true),
        Definition(
            name: "session_authorization", defaultValue: "martlet", text: "The user of the session.", isReported: true,
            isReadOnly: true),
        Definition(
            name: "standard_conforming_strings", defaultValue: "on", text: "Backslashes in strings are plain.",
            isReported: true),
        Definition(
            name: "statement_timeout", defaultValue: "0",
            text: "Longest time of a statement in milliseconds; 0 is none."),
        Definition(name: "timezone", defaultValue: "UTC", text: "Time zone of timestamps.", isReported: true),
        Definition(
            name: "traceparent", defaultValue: "",
            text: "The client's trace that statements belong to, as in W3C Trace Context's header."),
        Definition(
            name: "transaction_isolation", defaultValue: "read committed", text: "Isolation of the transaction."),
        Definition(name: "transaction_read_only", defaultValue: "off", text: "Whether the transaction only reads."),
        Definition(name: "work_mem", defaultValue: "4MB", text: "Accepted, without effect."),
    ]

    private var values: [String: String] = [:] {
        didSet {
            textStyle = madeTextStyle
            clientEncoding = madeClientEncoding
        }
    }
    /// What the session began with, beyond the defaults of the settings themselves; RESET goes back to it.
    private var initialValues: [String: String] = [:]
    /// How values look as text in this session. Kept, since every execution asks for it.
    package private(set) var textStyle = TextStyle()
    /// What the client has text in; `nil`: UTF-8, so that nothing is to be converted. Kept for the same reason.
    package private(set) var clientEncoding: ClientEncoding?

    package init() {}

    /// Values that have no meaning any more are passed over.
    package init(initialValues: [String: String]) {
        for (name, value) in initialValues { _ = try? set(name, to: value) }
        self.initialValues = values
        values = [:]
    }

    /// Whether the session's user may do all.
    mutating func note(isAdministrator: Bool) {
        let text = isAdministrator ? "on" : "off"
        if self["is_superuser"] != text { initialValues["is_superuser"] = text }
    }

    /// The values of now become those that the session began with.
    mutating func makeInitial() {
        initialValues.merge(values) { _, own in own }
        values = [:]
    }

    package static func definition(_ name: String) -> Definition? {
        definitionsByName[name] ?? definitionsByName[canonicalName(name)]
    }

    private static let definitionsByName: [String: Definition] = Dictionary(
        (definitions + plannerDefinitions).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })

    /// `TIME ZONE` and case variants by one name.
    package static func canonicalName(_ name: String) -> String {
        let lower = name.lowercased()
        switch lower {
        case "time zone": return "timezone"
        case "transaction isolation level": return "transaction_isolation"
        case "session characteristics as transaction isolation level": return "default_transaction_isolation"
        default: return lower
        }
    }

    /// The spelling with which a setting is reported to clients.
    package static func reportedName(_ name: String) -> String {
        switch name {
        case "datestyle": "DateStyle"
        case "timezone": "TimeZone"
        case "intervalstyle": "IntervalStyle"
        default: name
        }
    }

    /// The value, or 42704.
    package func value(_ name: String) throws -> String {
        let canonical = Self.canonicalName(name)
        if let value = values[canonical] ?? initialValues[canonical] { return value }
        if let definition = Self.definition(canonical) { return definition.defaultValue }
        throw Self.unknown(name)
    }

    package subscript(name: String) -> String {
        values[name] ?? initialValues[name] ?? Self.definition(name)?.defaultValue ?? ""
    }

    package var all: [String: String] {
        var result: [String: String] = [:]
        for definition in Self.definitions { result[definition.name] = self[definition.name] }
        return result.merging(initialValues) { _, own in own }.merging(values) { _, own in own }
    }

    /// Sets a value; without one, back to the default. Returns the name if clients are to be told.
    package mutating func set(_ name: String, to value: String?) throws -> String? {
        let canonical = Self.canonicalName(name)
        guard let definition = Self.definition(canonical) else {
            // Names with a point belong to extensions and are kept as they are.
            guard canonical.contains(".") else { throw Self.unknown(name) }
            values[canonical] = value
            return nil
        }
        if definition.isReadOnly {
            throw QueryError(SQLState("55P02"), "parameter \"\(definition.name)\" cannot be changed")
        }
        guard let value else {
            values[canonical] = nil
            return definition.isReported ? canonical : nil
        }
        values[canonical] = try checkedTextSetting(canonical, value) ?? Self.checked(canonical, value)
        return definition.isReported ? canonical : nil
    }

    private static func checked(_ name: String, _ value: String) throws -> String {
        switch name {
        case "client_encoding":
            switch ClientEncoding.meaning(of: value) {
            case .unchanged(let name, _): return name
            case .converted(let encoding): return encoding.name
            case .unsupported(let name):
                throw QueryError(
                    .featureNotSupported, "conversion between \(name.uppercased()) and UTF8 is not supported",
                    hint: "Use UTF8.")
            case nil:
                throw QueryError(
                    .invalidParameterValue, "invalid value for parameter \"client_encoding\": \"\(value)\"")
            }
        case "standard_conforming_strings":
            // Strings would mean something else.
            guard ["on", "true", "yes", "1", "t", "y"].contains(value.lowercased()) else {
                throw QueryError.notSupported("escapes in plain strings (standard_conforming_strings = \(value))")
            }
            return "on"
        case "statement_timeout", "lock_timeout":
            guard milliseconds(value) != nil else {
                throw QueryError(.invalidParameterValue, "invalid value for parameter \"\(name)\": \"\(value)\"")
            }
            return value
        case let name where name.hasPrefix("debug."):
            guard isVariation(name, value) else {
                throw QueryError(.invalidParameterValue, "invalid value for parameter \"\(name)\": \"\(value)\"")
            }
            return value
        default: return value
        }
    }

    /// Reads `1500`, `1500ms`, `2s`, `1min`.
    package static func milliseconds(_ text: String) -> Int? {
        let lower = text.lowercased().filter { !$0.isWhitespace }
        for (suffix, factor) in [("ms", 1), ("min", 60_000), ("s", 1000), ("h", 3_600_000)]
        where lower.hasSuffix(suffix) {
            return Int(lower.dropLast(suffix.count)).map { $0 * factor }
        }
        return Int(lower)
    }

    private static func unknown(_ name: String) -> QueryError {
        QueryError(.undefinedObject, "unrecognized configuration parameter \"\(name)\"", object: name)
    }

    /// Schemas of the search path, without the placeholder for the user.
    package var searchPath: [String] {
        self["search_path"].split(separator: ",").map { part in
            var name = String(part).trimmed
            if name.hasPrefix("\""), name.hasSuffix("\""), name.count >= 2 {
                name = String(name.dropFirst().dropLast())
            }
            return name
        }.filter { $0 != "$user" && !$0.isEmpty }
    }
}

extension String {
    fileprivate var trimmed: String {
        var text = Substring(self)
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }
}

/// Versions that clients are told.
package enum EngineVersion {
    package static let version = "0.1.0"
    /// A PostgreSQL version in front: clients choose their catalogue queries by it.
    package static let serverVersion = "15.0 (Martlet \(version))"
    package static let banner = "PostgreSQL 15.0 (Martlet \(version))"
}
