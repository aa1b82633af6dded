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

    /// `isForPage`: a browser shows the answer to a person.
    func send(_ writer: ResponseWriter, isForPage: Bool = false) async throws {
        for header in headers { writer.headers.add(name: header.name, value: header.value) }
        if isForPage, status == .unauthorized {
            return try await writer.send(status, "text/html; charset=utf-8", Array(Self.signInPage.utf8))
        }
        try await writer.send(
            status, json: JSONWriter.document { writer in writer.object("error") { Self.write(error, &$0) } })
    }

    /// What is left when the browser's question for a name and a password was not answered. The link asks again.
    private static let signInPage = """
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
        <title>Sign in – Martlet</title>
        <style>body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}</style>
        </head><body><main><h1>Sign in</h1>
        <p>This server has users. Your browser asks for the name and the password of one; those that it sent were not right,
        or it sent none.</p>
        <p><a href="">Try again</a></p>
        </main></body></html>
        """

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
