// The options of COPY for rows that pass through the engine as text: the client's connection, and files that are read.

import Columnar
import Diagnostics
import LogicalPlanner

/// Text or CSV with every option checked, as both directions need it.
package struct CopyFormat: Sendable {
    package enum Header: Sendable { case none, present, match }
    package var isCSV = false
    package var delimiter = UInt8(ascii: "\t")
    package var null: [UInt8] = Array("\\N".utf8)
    package var header = Header.none
    package var quote = UInt8(ascii: "\"")
    package var escape = UInt8(ascii: "\"")
    /// Columns by name; "*" is all of them.
    package var forceQuote: Set<String> = []
    package var forceNotNull: Set<String> = []
    package var forceNull: Set<String> = []
    /// What the text is in; `nil`: UTF-8.
    package var encoding: ClientEncoding?

    /// `encoding` is the client's, for rows whose options name none.
    init(_ options: CopyOptions, isFrom: Bool, encoding: ClientEncoding?) throws {
        self.encoding = encoding
        switch options.format {
        case "text": break
        case "csv":
            isCSV = true
            delimiter = UInt8(ascii: ",")
            null = []
        case "binary": throw QueryError.notSupported("COPY in binary format")
        default: throw QueryError.notSupported("COPY format \"\(options.format)\" on the client's connection")
        }
        var given: Set<String> = []
        for (key, value) in options.options {
            given.insert(key)
            switch key {
            case "delimiter", "delim", "sep": delimiter = try Self.byte("delimiter", value)
            case "null", "nullstr": null = Array(value.utf8)
            case "header": header = try Self.header(value, isFrom: isFrom)
            case "quote": quote = try Self.byte("quote", value)
            case "escape": escape = try Self.byte("escape", value)
            case "force_quote": forceQuote = Set(value.split(separator: ",").map(String.init))
            case "force_not_null": forceNotNull = Set(value.split(separator: ",").map(String.init))
            case "force_null": forceNull = Set(value.split(separator: ",").map(String.init))
            case "encoding":
                switch ClientEncoding.meaning(of: value) {
                case .unchanged: self.encoding = nil
                case .converted(let encoding): self.encoding = encoding
                case .unsupported: throw QueryError.notSupported("encoding \"\(value)\" in COPY")
                case nil:
                    throw QueryError(
                        .invalidParameterValue, "argument to option \"encoding\" must be a valid encoding name")
                }
            case "freeze": break
            default: throw QueryError(.syntaxError, "option \"\(key)\" not recognized", object: key)
            }
        }
        if given.contains("quote"), !given.contains("escape") { escape = quote }
        try check(given, isFrom: isFrom)
    }

    private func check(_ given: Set<String>, isFrom: Bool) throws {
        func only(_ option: String, _ isAllowed: Bool, _ place: String) throws {
            if given.contains(option), !isAllowed {
                throw QueryError(
                    .featureNotSupported, "COPY \(option) available only \(place)", object: option)
            }
        }
        for option in ["quote", "escape", "force_quote", "force_not_null", "force_null"] {
            try only(option, isCSV, "in CSV mode")
        }
        try only("force_quote", !isFrom, "using COPY TO")
        try only("force_not_null", isFrom, "using COPY FROM")
        try only("force_null", isFrom, "using COPY FROM")
        if null.contains(10) || null.contains(13) {
            throw QueryError(
                .invalidParameterValue, "COPY null representation cannot use newline or carriage return")
        }
        if null.contains(delimiter) {
            throw QueryError(
                .invalidParameterValue, "COPY delimiter character must not appear in the NULL specification")
        }
        if isCSV {
            if delimiter == quote {
                throw QueryError(.invalidParameterValue, "COPY delimiter and quote must be different")
            }
            if null.contains(quote) {
                throw QueryError(
                    .invalidParameterValue, "CSV quote character must not appear in the NULL specification")
            }
        } else if "\\.abcdefghijklmnopqrstuvwxyz0123456789".utf8.contains(delimiter) {
            throw QueryError(
                .invalidParameterValue,
                "COPY delimiter cannot be \"\(String(decoding: [delimiter], as: UTF8.self))\"")
        }
    }

    private static func byte(_ option: String, _ value: String) throws -> UInt8 {
        let text = value == "\\t" ? "\t" : value
        guard text.utf8.count == 1, let byte = text.utf8.first else {
            throw QueryError(
                .featureNotSupported, "COPY \(option) must be a single one-byte character", object: option)
        }
        if byte == 10 || byte == 13 {
            throw QueryError(
                .invalidParameterValue, "COPY \(option) cannot be newline or carriage return", object: option)
        }
        return byte
    }

    private static func header(_ value: String, isFrom: Bool) throws -> Header {
        switch value.lowercased() {
        case "true", "on", "1", "": return .present
        case "false", "off", "0": return .none
        case "match":
            guard isFrom else { throw QueryError(.syntaxError, "cannot use \"match\" with HEADER in COPY TO") }
            return .match
        default: throw QueryError(.syntaxError, "header requires a Boolean value or \"match\"", object: "header")
        }
    }
}
