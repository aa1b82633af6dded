// Keys of the configuration: their types and how the text of a value is read.

import Diagnostics

/// What values a key takes.
package enum ConfigurationType: Sendable, Hashable {
    case text
    /// Text that is never shown.
    case secret
    case path
    case integer(minimum: Int, maximum: Int)
    /// Bytes, with one of the suffixes kB, MB, GB, TB, KiB, MiB, GiB, TiB.
    case byteCount
    /// A length of time with one of the suffixes ms, s, min, h; kept in milliseconds.
    case duration
    case boolean
    case choice([String])
    /// Texts with commas between them.
    case list

    package static let port = ConfigurationType.integer(minimum: 0, maximum: 65_535)

    package var name: String {
        switch self {
        case .text: "text"
        case .secret: "secret"
        case .path: "path"
        case .integer: "integer"
        case .byteCount: "bytes"
        case .duration: "duration"
        case .boolean: "boolean"
        case .choice(let values): values.joined(separator: "|")
        case .list: "list"
        }
    }
}

/// One key.
package struct ConfigurationKey: Sendable, Hashable {
    /// Parts with points between them: `coordinator.grpc-port`.
    package var name: String
    package var type: ConfigurationType
    package var defaultValue: String
    package var text: String
    package var isExperimental: Bool

    package init(
        _ name: String, _ type: ConfigurationType, _ defaultValue: String, _ text: String, isExperimental: Bool = false
    ) {
        self.name = name
        self.type = type
        self.defaultValue = defaultValue
        self.text = text
        self.isExperimental = isExperimental
    }

    /// The variable that sets the key: `MARTLET_COORDINATOR_GRPC_PORT`.
    package var environmentName: String { ConfigurationKey.environmentName(name) }

    package static func environmentName(_ name: String) -> String {
        "MARTLET_" + String(name.map { $0 == "." || $0 == "-" ? "_" : $0 }).uppercased()
    }

    /// Refuses a value that is not of the key's type. The message names the origin.
    package func check(_ value: String, origin: ConfigurationOrigin) throws {
        func refuse(_ what: String, hint: String? = nil) -> QueryError {
            QueryError(
                .configurationFileError, "\(origin): \(name) must be \(what), not \"\(value)\"", hint: hint,
                object: name)
        }
        switch type {
        case .text, .secret, .path, .list: break
        case .integer(let minimum, let maximum):
            guard let number = Int(value), number >= minimum, number <= maximum else {
                throw refuse("a whole number from \(minimum) to \(maximum)")
            }
        case .byteCount:
            guard ConfigurationValue.byteCount(value) != nil else {
                throw refuse("a number of bytes", hint: "Examples: 0, 500MB, 16GiB.")
            }
        case .duration:
            guard ConfigurationValue.milliseconds(value) != nil else {
                throw refuse("a length of time", hint: "Examples: 500ms, 30s, 5min, 1h.")
            }
        case .boolean:
            guard ConfigurationValue.boolean(value) != nil else { throw refuse("true or false") }
        case .choice(let choices):
            guard choices.contains(value) else { throw refuse("one of \(choices.joined(separator: ", "))") }
        }
    }
}

/// Where a value comes from.
package enum ConfigurationOrigin: Sendable, Hashable, CustomStringConvertible {
    case byDefault
    case file(String)
    case environment(String)
    case flag(String)
    /// A catalogue that was opened with values.
    case section(String)

    package var description: String {
        switch self {
        case .byDefault: "default"
        case .file(let path): "file \(path)"
        case .environment(let name): "environment \(name)"
        case .flag(let name): "flag \(name)"
        case .section(let name): "catalog \(name)"
        }
    }
}

/// Reads the text of values.
package enum ConfigurationValue {
    private static let byteSuffixes: [(String, Int)] = [
        ("kib", 1 << 10), ("mib", 1 << 20), ("gib", 1 << 30), ("tib", 1 << 40), ("kb", 1000), ("mb", 1_000_000),
        ("gb", 1_000_000_000), ("tb", 1_000_000_000_000), ("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30),
        ("t", 1 << 40), ("b", 1), ("", 1),
    ]

    /// Bytes; `nil` if the text is none of the kind or negative.
    package static func byteCount(_ text: String) -> Int? {
        let lower = text.lowercased().filter { $0 != " " && $0 != "_" }
        for (suffix, factor) in byteSuffixes where lower.hasSuffix(suffix) {
            guard let number = Double(lower.dropLast(suffix.count)), number >= 0, number.isFinite,
                number * Double(factor) < 9e18
            else { return nil }
            return Int(number * Double(factor))
        }
        return nil
    }

    package static func milliseconds(_ text: String) -> Int? {
        let lower = text.lowercased().filter { $0 != " " }
        for (suffix, factor) in [("ms", 1.0), ("min", 60_000), ("s", 1000), ("h", 3_600_000), ("", 1)]
        where lower.hasSuffix(suffix) {
            guard let number = Double(lower.dropLast(suffix.count)), number >= 0, number < 1e12 else { return nil }
            return Int(number * factor)
        }
        return nil
    }

    package static func boolean(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "on", "yes", "1": true
        case "false", "off", "no", "0": false
        default: nil
        }
    }

    package static func list(_ text: String) -> [String] {
        text.split(separator: ",").map { ConfigurationText.trimmed($0) }.filter { !$0.isEmpty }
    }
}

enum ConfigurationText {
    static func trimmed(_ text: some StringProtocol) -> String {
        var rest = text[...]
        while let first = rest.first, first.isWhitespace { rest = rest.dropFirst() }
        while let last = rest.last, last.isWhitespace { rest = rest.dropLast() }
        return String(rest)
    }

    /// How many characters must change to make one text the other.
    static func distance(_ a: String, _ b: String) -> Int {
        let left = Array(a.utf8)
        let right = Array(b.utf8)
        var row = Array(0...right.count)
        for i in left.indices {
            var diagonal = row[0]
            row[0] = i + 1
            for j in right.indices {
                let change = diagonal + (left[i] == right[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(change, row[j] + 1, diagonal + 1)
            }
        }
        return row[right.count]
    }

    /// The names, those most like `name` first.
    static func nearest(_ name: String, in names: [String]) -> [String] {
        names.map { (distance(name, $0), $0) }.sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map(\.1)
    }
}
