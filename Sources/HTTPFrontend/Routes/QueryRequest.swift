// What a client wants to have run, from the body and the parameters of its request.

import Columnar
import Coordination
import Diagnostics
import Frontends

struct QueryRequest: Sendable {
    enum Format: String, Sendable, CaseIterable {
        case json, jsonl, csv, arrow

        var contentType: String {
            switch self {
            case .json: "application/json"
            case .jsonl: "application/x-ndjson"
            case .csv: "text/csv; charset=utf-8"
            case .arrow: "application/vnd.apache.arrow.stream"
            }
        }
    }

    var sql: String
    /// Texts of the parameters, or nothing for NULL.
    var parameters: [String?] = []
    var format = Format.json
    /// `nil`: the request does not say.
    var user: String?
    var settings: [(name: String, value: String)] = []
    /// Rows beyond are not given.
    var rowCountMax: Int?
    /// Whether bigint and numeric are strings in JSON: readers that make doubles of numbers would change them.
    var quotesNumbers = false

    init(_ request: HTTPRequest) throws {
        let contentType = request.headers.first(name: "content-type")?.prefix { $0 != ";" }.lowercased() ?? "text/plain"
        switch contentType.filter({ $0 != " " }) {
        case "application/json":
            let body = try JSONValue.parse(request.body)
            guard case .object(let members) = body, let sql = body["sql"]?.text else {
                throw QueryError(
                    .invalidParameterValue, "the body has no statement",
                    hint: "A JSON body is an object with the statement as the string \"sql\".")
            }
            self.sql = sql
            try take(members)
        case "text/plain", "application/sql", "application/x-www-form-urlencoded":
            // Command-line clients send the last of these unless they are told otherwise.
            guard let text = String(validating: request.body, as: UTF8.self) else {
                throw QueryError(SQLState("22021"), "invalid byte sequence for encoding \"UTF8\"")
            }
            sql = text
        default:
            throw HTTPFailure(
                .unsupportedMediaType,
                QueryError(
                    .invalidParameterValue, "bodies of type \"\(contentType)\" are not taken",
                    hint: "Send application/json or text/plain."))
        }
        if let text = request.parameter("user") { user = text }
        if let sender = request.user {
            guard user == nil || user == sender else {
                throw QueryError(.insufficientPrivilege, "a statement is run for the user who sends it")
            }
            user = sender
        }
        if let count = try request.integer("max_rows", in: 0...Int.max) { rowCountMax = count }
        if let text = request.parameter("numbers") { try takeNumbers(text) }
        if let text = request.parameter("format") {
            try takeFormat(text)
        } else if let accepted = request.headers.first(name: "accept") {
            format = try Self.format(accepting: accepted) ?? format
        }
    }

    private mutating func take(_ members: [String: JSONValue]) throws {
        for (name, value) in members {
            switch (name, value) {
            case ("sql", _): break
            case ("parameters", .array(let values)): parameters = try values.map(Self.parameter)
            case ("format", .string(let text)): try takeFormat(text)
            case ("user", .string(let text)): user = text
            case ("numbers", .string(let text)): try takeNumbers(text)
            case ("max_rows", .number(let text)):
                guard let count = Int(text), count >= 0 else { throw Self.invalid(name) }
                rowCountMax = count
            case ("settings", .object(let values)):
                settings = try values.sorted { $0.key < $1.key }.map { name, value in
                    guard let text = try Self.parameter(value) else { throw Self.invalid(name) }
                    return (name, text)
                }
            default: throw Self.invalid(name)
            }
        }
    }

    private static func invalid(_ name: String) -> QueryError {
        QueryError(
            .invalidParameterValue, "invalid member \"\(name)\" in the body",
            hint: "Members are sql, parameters, settings, format, numbers, max_rows and user.")
    }

    private static func parameter(_ value: JSONValue) throws -> String? {
        switch value {
        case .null: return nil
        case .boolean(let value): return value ? "true" : "false"
        case .number(let text), .string(let text): return text
        case .array, .object:
            throw QueryError(
                .invalidParameterValue, "a parameter is an array or object",
                hint: "Give arrays and JSON as the text of the value.")
        }
    }

    private mutating func takeFormat(_ text: String) throws {
        guard let format = Format(rawValue: text) else {
            throw QueryError(
                .invalidParameterValue, "invalid value for parameter \"format\": \"\(text)\"",
                hint: "Formats are json, jsonl, csv and arrow.")
        }
        self.format = format
    }

    private mutating func takeNumbers(_ text: String) throws {
        guard text == "native" || text == "text" else {
            throw QueryError(
                .invalidParameterValue, "invalid value for parameter \"numbers\": \"\(text)\"",
                hint: "It is native or text.")
        }
        quotesNumbers = text == "text"
    }

    /// The first format that an Accept header names; `nil` if it takes anything.
    private static func format(accepting header: String) throws -> Format? {
        for item in header.lowercased().split(separator: ",") {
            switch item.prefix(while: { $0 != ";" }).filter({ $0 != " " }) {
            case "application/json": return .json
            case "application/x-ndjson", "application/jsonl", "application/json-lines": return .jsonl
            case "text/csv": return .csv
            case "application/vnd.apache.arrow.stream": return .arrow
            case "*/*", "application/*": return nil
            default: continue
            }
        }
        throw HTTPFailure(
            .notAcceptable,
            QueryError(
                .invalidParameterValue, "results are not given in any form that the Accept header names",
                hint: "Forms: application/json, application/x-ndjson, text/csv, application/vnd.apache.arrow.stream."))
    }
}

/// The statements of a request, run on a session of their own.
struct StatementRun: Sendable {
    let session: Session
    private let request: QueryRequest

    init(_ request: QueryRequest, engine: QueryEngine) throws {
        self.request = request
        session = engine.makeSession(user: request.user ?? "martlet", applicationName: "http")
        for setting in request.settings { try session.changeSetting(setting.name, to: setting.value) }
    }

    /// Runs all statements but the last to their ends, each in a transaction of its own unless the text has blocks, and
    /// starts the last one.
    func start() async throws -> StatementResult {
        var splitter = StatementSplitter()
        var statements = splitter.append(request.sql)
        if let last = splitter.finish() { statements.append(last) }
        guard let last = statements.last else { return StatementResult(tag: "") }
        guard statements.count == 1 || request.parameters.isEmpty else {
            throw QueryError(.syntaxError, "cannot insert multiple commands into a prepared statement")
        }
        var searched = request.sql[...]
        for (number, statement) in statements.enumerated() {
            let range = searched.firstRange(of: statement)
            do {
                if number == statements.count - 1 { return try await start(last) }
                let result = try await start(statement)
                while try await result.next() != nil {}
            } catch {
                throw located(error, from: range?.lowerBound)
            }
            if let range { searched = searched[range.upperBound...] }
        }
        return StatementResult(tag: "")
    }

    private func start(_ sql: String) async throws -> StatementResult {
        let prepared = try await session.prepare(sql)
        guard prepared.parameterTypes.count == request.parameters.count else {
            throw QueryError(
                .syntaxError,
                "\(request.parameters.count) parameters are given, but the statement has \(prepared.parameterTypes.count)"
            )
        }
        let settings = session.settings.textSettings
        let values = try zip(request.parameters, prepared.parameterTypes).map { text, type -> ScalarValue in
            guard let text else { return .null }
            return try Array(text.utf8).withUnsafeBufferPointer {
                try TextFormat.parse($0, as: type, settings: settings)
            }
        }
        let result = try await session.execute(prepared, parameters: values)
        guard result.copyWriter == nil else {
            result.cancel()
            throw QueryError.notSupported("COPY TO STDOUT over HTTP", hint: "Use SELECT with the format csv.")
        }
        return result
    }

    /// Positions count from the begin of the whole text.
    private func located(_ error: any Error, from start: String.Index?) -> any Error {
        guard var error = error as? QueryError, let position = error.position, let start else { return error }
        let before = request.sql.unicodeScalars.distance(from: request.sql.unicodeScalars.startIndex, to: start)
        error.position = SourcePosition(offset: position.offset + before)
        return error
    }

    func textSettings(_ result: StatementResult) -> TextSettings {
        var settings = session.settings.textSettings
        settings.objectNames = result.objectNames
        return settings
    }
}
