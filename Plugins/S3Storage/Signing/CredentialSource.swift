// Where credentials come from: the catalogue's keys, the environment, profile files.

import Diagnostics
import FileFormats

/// Files of profiles: `[name]`, then `key = value`.
struct ProfileFiles: Sendable {
    var name: String
    var credentialsPath: String?
    var configurationPath: String?

    /// The profile's values of both files; those of the credentials' file count first.
    var settings: [String: String] {
        let configured = configurationPath.flatMap { Self.read($0) }.map {
            Self.section(name == "default" ? ["default"] : ["profile \(name)"], in: $0)
        }
        let secret = credentialsPath.flatMap { Self.read($0) }.map { Self.section([name], in: $0) }
        return (configured ?? [:]).merging(secret ?? [:]) { $1 }
    }

    static func section(_ names: [String], in text: String) -> [String: String] {
        var isInside = false
        var result: [String: String] = [:]
        for line in text.split(whereSeparator: \.isNewline) {
            let line = trimmed(line)
            if line.hasPrefix("#") || line.hasPrefix(";") { continue }
            if line.hasPrefix("["), line.hasSuffix("]") {
                isInside = names.contains(trimmed(line.dropFirst().dropLast()))
            } else if isInside, let equals = line.firstIndex(of: "=") {
                result[trimmed(line[..<equals]).lowercased()] = trimmed(line[line.index(after: equals)...])
            }
        }
        return result
    }

    private static let byteCountMax = 1 << 20

    static func read(_ path: String) -> String? {
        guard let file = try? LocalFile(path: path), file.identity.byteCount <= byteCountMax else { return nil }
        let bytes = try? [UInt8](unsafeUninitializedCapacity: max(1, file.identity.byteCount)) { buffer, count in
            guard let base = buffer.baseAddress else { return }
            count = try file.readSome(into: base, count: file.identity.byteCount, at: 0)
        }
        return bytes.map { String(decoding: $0, as: UTF8.self) }
    }

    static func trimmed(_ text: some StringProtocol) -> String {
        var rest = text[...]
        while let first = rest.first, first.isWhitespace { rest = rest.dropFirst() }
        while let last = rest.last, last.isWhitespace { rest = rest.dropLast() }
        return String(rest)
    }
}

/// Credentials that were found, or none for a store that anyone may read.
struct CredentialSource: Sendable {
    let credentials: Credentials?

    init(
        _ kind: String, catalog: String, keys: (access: String?, secret: String?, token: String?),
        profiles: ProfileFiles, environment: [String: String]
    ) throws {
        func refuse(_ what: String, hint: String) -> QueryError {
            QueryError(.configurationFileError, "\(catalog): \(what)", hint: hint, object: "credentials")
        }
        func configured() throws -> Credentials? {
            guard let access = keys.access else {
                guard keys.secret == nil else {
                    throw refuse("secret-key is set and access-key is not", hint: "Set both.")
                }
                return nil
            }
            guard let secret = keys.secret else {
                throw refuse("access-key is set and secret-key is not", hint: "Set both.")
            }
            return Credentials(
                accessKey: try Self.referred(access, catalog, environment),
                secretKey: try Self.referred(secret, catalog, environment),
                sessionToken: try keys.token.map { try Self.referred($0, catalog, environment) })
        }
        func fromEnvironment() -> Credentials? {
            guard let access = environment["AWS_ACCESS_KEY_ID"], let secret = environment["AWS_SECRET_ACCESS_KEY"],
                !access.isEmpty, !secret.isEmpty
            else { return nil }
            let token = environment["AWS_SESSION_TOKEN"].flatMap { $0.isEmpty ? nil : $0 }
            return Credentials(accessKey: access, secretKey: secret, sessionToken: token)
        }
        func fromProfile() -> Credentials? {
            let values = profiles.settings
            guard let access = values["aws_access_key_id"], let secret = values["aws_secret_access_key"] else {
                return nil
            }
            return Credentials(accessKey: access, secretKey: secret, sessionToken: values["aws_session_token"])
        }
        switch kind {
        case "none": credentials = nil
        case "keys":
            guard let found = try configured() else {
                throw refuse("there are no credentials", hint: "Set access-key and secret-key.")
            }
            credentials = found
        case "environment":
            guard let found = fromEnvironment() else {
                throw refuse(
                    "the environment has no credentials", hint: "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
            }
            credentials = found
        case "profile":
            guard let found = fromProfile() else {
                throw refuse(
                    "the profile \"\(profiles.name)\" has no credentials",
                    hint: "It is looked for in \(profiles.credentialsPath ?? "no file").")
            }
            credentials = found
        default: credentials = try configured() ?? fromEnvironment() ?? fromProfile()
        }
    }

    /// The text itself, or what a variable or file has that it names.
    private static func referred(_ text: String, _ catalog: String, _ environment: [String: String]) throws -> String {
        if text.hasPrefix("env:") {
            let name = String(text.dropFirst(4))
            guard let value = environment[name], !value.isEmpty else {
                throw QueryError(
                    .configurationFileError, "\(catalog): the variable \(name) is not set", object: "credentials")
            }
            return value
        }
        if text.hasPrefix("file:") {
            let path = String(text.dropFirst(5))
            guard let value = ProfileFiles.read(path).map({ ProfileFiles.trimmed($0) }), !value.isEmpty else {
                throw QueryError(
                    .configurationFileError, "\(catalog): the file \"\(path)\" cannot be read or is empty",
                    object: "credentials")
            }
            return value
        }
        return text
    }
}
