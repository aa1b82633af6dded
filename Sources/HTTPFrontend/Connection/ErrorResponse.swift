// Errors as HTTP tells them.

import Diagnostics
import NIOHTTP1

/// An error with a status of its own.
struct HTTPFailure: Error {
    var status: HTTPResponseStatus
    var error: QueryError
    var headers = HTTPHeaders()
    init(_ status: HTTPResponseStatus, _ error: QueryError, headers: HTTPHeaders = HTTPHeaders()) {
        self.status = status
        self.error = error
        self.headers = headers
    }

    static func notFound(_ what: String) -> HTTPFailure { HTTPFailure(.notFound, QueryError(.undefinedObject, what)) }
}

struct ErrorResponse {
    var status: HTTPResponseStatus
    var error: QueryError
    var headers = HTTPHeaders()

    init(_ error: any Error) {
        if let failure = error as? HTTPFailure {
            (status, self.error, headers) = (failure.status, failure.error, failure.headers)
        } else {
            self.error = QueryError.wrapping(error)
            status = Self.status(self.error)
        }
    }

    func send(_ writer: ResponseWriter) async throws {
        for header in headers { writer.headers.add(name: header.name, value: header.value) }
        try await writer.send(
            status, json: JSONWriter.document { writer in writer.object("error") { Self.write(error, &$0) } })
    }

    /// The members of an error, as in PostgreSQL's protocol; the position counts characters from 1.
    static func write(_ error: QueryError, _ writer: inout JSONWriter) {
        writer.member("state", error.state.description)
        writer.member("message", error.message)
        if let detail = error.detail { writer.member("detail", detail) }
        if let hint = error.hint { writer.member("hint", hint) }
        if let position = error.position { writer.member("position", position.offset + 1) }
        if let object = error.object { writer.member("object", object) }
    }

    private static func status(_ error: QueryError) -> HTTPResponseStatus {
        switch error.state {
        case .featureNotSupported: return .notImplemented
        case .queryCanceled: return .conflict
        case .insufficientPrivilege: return .forbidden
        case .protocolViolation: return .badRequest
        // No waiting makes it shorter.
        case .programLimitExceeded, .statementTooComplex: return .badRequest
        default: break
        }
        switch error.kind {
        case .user: return .badRequest
        case .resource, .external: return .serviceUnavailable
        case .internal: return .internalServerError
        }
    }
}
