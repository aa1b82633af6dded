// The keys of a catalogue of type "s3".

import Diagnostics
import EngineConfiguration
import FileFormats

/// What a section of the configuration says, checked.
package struct S3Options: Sendable {
    package static let keys =
        [
            ConfigurationKey(
                "root", .text, "",
                "Where the tables of the catalogue lie, as s3://BUCKET/PREFIX. Without it the catalogue reads and writes "
                    + "objects by their paths in SQL."),
            ConfigurationKey(
                "endpoint", .text, "",
                "The server, as https://HOST:PORT; without it AWS_ENDPOINT_URL_S3 and AWS_ENDPOINT_URL, else Amazon's "
                    + "of the region."),
            ConfigurationKey(
                "region", .text, "", "Region; without it AWS_REGION, AWS_DEFAULT_REGION, the profile's, us-east-1."),
            ConfigurationKey(
                "path-style", .choice(["auto", "true", "false"]), "auto",
                "Whether the bucket stands in the path rather than in front of the host; auto: where there is an endpoint, "
                    + "or the bucket's name has a point."),
            ConfigurationKey(
                "credentials", .choice(["auto", "keys", "environment", "profile", "none"]), "auto",
                "Where credentials come from: the keys below, AWS_ACCESS_KEY_ID and its like, a profile file; none signs "
                    + "nothing. auto: the first of these that has some, else none."),
            ConfigurationKey(
                "access-key", .secret, "", "Access key; env:NAME and file:PATH say where it stands."),
            ConfigurationKey("secret-key", .secret, "", "Secret key, likewise."),
            ConfigurationKey("session-token", .secret, "", "Token of temporary credentials, likewise."),
            ConfigurationKey("profile", .text, "", "Name in the profile files; without it AWS_PROFILE, default."),
            ConfigurationKey(
                "profile-file", .path, "",
                "File of credentials by profile; without it AWS_SHARED_CREDENTIALS_FILE, ~/.aws/credentials."),
            ConfigurationKey(
                "certificate-file", .path, "",
                "Certificates that the server's is checked with, in place of the system's."),
            ConfigurationKey(
                "writable", .boolean, "false", "Whether tables are made and filled, and COPY writes below root."),
            ConfigurationKey(
                "single-writer", .boolean, "false",
                "Promises that only one process writes tables below root, for servers without conditional writes."),
            ConfigurationKey(
                "connections", .integer(minimum: 1, maximum: 1024), "64",
                "Requests under way at the same time, on each node."),
            ConfigurationKey("connect-timeout", .duration, "5s", "Longest time that opening a connection takes."),
            ConfigurationKey(
                "stall-timeout", .duration, "20s", "Time without a byte after which a request is tried again."),
            ConfigurationKey(
                "retry-timeout", .duration, "120s", "Time after its first attempt in which a request is tried again."),
            ConfigurationKey("attempts", .integer(minimum: 1, maximum: 100), "8", "Attempts of a request at most."),
            ConfigurationKey(
                "part-size", .byteCount, "16MiB",
                "Bytes of a part of an upload, 5 MiB at least; a writer holds three of them."),
            ConfigurationKey("format", .text, "", "Only files of this format are tables."),
            ConfigurationKey(
                "roots", .list, "",
                "On a server, prefixes s3://BUCKET/PREFIX that statements may name; set from server.file-roots."),
        ] + CSVOptions.keys.map { ConfigurationKey($0, .text, "", "As for catalogues of type file.") }

    /// The catalogue's name, for messages.
    package var name: String
    var root: ObjectPath?
    /// Scheme, host and port.
    var endpoint: Endpoint
    var region: String
    var isPathStyle: Bool?
    var credentials: CredentialSource
    var settings: TransferSettings
    var isWritable: Bool
    var isSingleWriter: Bool
    var partByteCount: Int
    var format: FileFormat?
    var textOptions: [String: String]
    /// `nil`: no limit. Empty: read anywhere, written nowhere.
    var roots: [ObjectPath]?

    package init(_ section: ConfigurationSection, environment: [String: String]) throws {
        let values = try section.values(of: Self.keys)
        name = section.name
        func value(_ key: String) -> String? { values[key].flatMap { $0.isEmpty ? nil : $0 } }
        func refuse(_ key: String, _ what: String, hint: String? = nil) -> QueryError {
            QueryError(.configurationFileError, "\(section.name): \(key) \(what)", hint: hint, object: key)
        }
        func milliseconds(_ key: String) -> Int { ConfigurationValue.milliseconds(values[key] ?? "") ?? 0 }
        func flag(_ key: String) -> Bool { ConfigurationValue.boolean(values[key] ?? "") ?? false }
        func variable(_ names: String...) -> String? { names.lazy.compactMap { environment[$0] }.first { !$0.isEmpty } }

        root = try value("root").map { text in
            guard let path = ObjectPath(text) else { throw refuse("root", "must be s3://BUCKET/PREFIX") }
            return path.asDirectory
        }
        roots = try section["roots"].map { text in
            try ConfigurationValue.list(text).filter { $0.hasPrefix("s3://") }.map { text in
                guard let path = ObjectPath(text) else { throw refuse("roots", "has \"\(text)\"") }
                return path.asDirectory
            }
        }
        let profiles = ProfileFiles(
            name: value("profile") ?? variable("AWS_PROFILE") ?? "default",
            credentialsPath: value("profile-file") ?? variable("AWS_SHARED_CREDENTIALS_FILE")
                ?? environment["HOME"].map { $0 + "/.aws/credentials" },
            configurationPath: variable("AWS_CONFIG_FILE") ?? environment["HOME"].map { $0 + "/.aws/config" })
        region =
            value("region") ?? variable("AWS_REGION", "AWS_DEFAULT_REGION") ?? profiles.settings["region"]
            ?? "us-east-1"
        let given = value("endpoint") ?? variable("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
        guard let endpoint = Endpoint(given ?? "https://s3.\(region).amazonaws.com") else {
            throw refuse("endpoint", "must be http://HOST:PORT or https://HOST:PORT")
        }
        self.endpoint = endpoint
        isPathStyle = values["path-style"] == "auto" ? (given == nil ? nil : true) : flag("path-style")
        credentials = try CredentialSource(
            values["credentials"] ?? "auto", catalog: section.name,
            keys: (value("access-key"), value("secret-key"), value("session-token")), profiles: profiles,
            environment: environment)
        settings = TransferSettings()
        settings.connectionMax = Int(values["connections"] ?? "") ?? 64
        settings.connectMilliseconds = max(50, milliseconds("connect-timeout"))
        settings.stallSeconds = max(1, milliseconds("stall-timeout") / 1000)
        settings.retry.deadline = UInt64(milliseconds("retry-timeout")) * 1_000_000
        settings.retry.attemptMax = Int(values["attempts"] ?? "") ?? 8
        settings.certificateFile = value("certificate-file")
        isWritable = flag("writable")
        isSingleWriter = flag("single-writer")
        partByteCount = max(5 << 20, ConfigurationValue.byteCount(values["part-size"] ?? "") ?? 0)
        format = try value("format").map { text in
            guard let format = FileFormat(rawValue: text.lowercased()) else {
                throw refuse(
                    "format", "is not known: \"\(text)\"",
                    hint: "Formats: \(FileFormat.allCases.map(\.rawValue).joined(separator: ", ")).")
            }
            return format
        }
        textOptions = section.values.filter { CSVOptions.keys.contains($0.key) }
        _ = try CSVOptions(textOptions, format: format ?? .csv)
    }
}

/// Scheme, host and port of a server.
struct Endpoint: Hashable, Sendable {
    var scheme: String
    /// With the port if it is not the scheme's own.
    var host: String

    init?(_ text: String) {
        guard let mark = text.range(of: "://") else { return nil }
        scheme = text[..<mark.lowerBound].lowercased()
        var rest = text[mark.upperBound...]
        while rest.hasSuffix("/") { rest = rest.dropLast() }
        guard scheme == "http" || scheme == "https", !rest.isEmpty,
            rest.allSatisfy({ $0.isASCII && !$0.isWhitespace && $0 != "/" && $0 != "@" && $0 != "?" && $0 != "#" })
        else { return nil }
        let own = scheme == "http" ? ":80" : ":443"
        host = String(rest.hasSuffix(own) ? rest.dropLast(own.count) : rest).lowercased()
    }

    var text: String { "\(scheme)://\(host)" }
}

extension String {
    /// The first place of a text.
    fileprivate func range(of text: String) -> Range<String.Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}
