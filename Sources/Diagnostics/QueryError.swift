// The one error type of the engine, from the parser to the client.

/// An error that ends a statement. It carries what PostgreSQL's ErrorResponse carries: a SQLSTATE, a message, and
/// optionally detail, hint, position and the object concerned. Code and tests match on `state`, never on `message`.
package struct QueryError: Error, Sendable, CustomStringConvertible {
    package var state: SQLState
    /// One sentence without a full stop, lower case first, values last and in double quotes.
    package var message: String
    package var detail: String?
    package var hint: String?
    /// Where in the statement's text the error lies.
    package var position: SourcePosition?
    /// The table, column, function, file or setting concerned.
    package var object: String?
    /// Where in the data of a statement the error lies: the line and column of COPY.
    package var context: String?
    /// What led to this error; an error of an operating-system call or of a peer.
    package var cause: (any Error)?

    package init(
        _ state: SQLState, _ message: String, detail: String? = nil, hint: String? = nil,
        at position: SourcePosition? = nil, object: String? = nil, cause: (any Error)? = nil
    ) {
        self.state = state
        self.message = message
        self.detail = detail
        self.hint = hint
        self.position = position
        self.object = object
        self.cause = cause
    }

    package var description: String {
        var text = "ERROR \(state): \(message)"
        if let position { text += " (at character \(position.offset + 1))" }
        if let detail { text += "\nDETAIL: \(detail)" }
        if let hint { text += "\nHINT: \(hint)" }
        return text
    }

    /// The same error with a position, unless it has one already.
    package func located(at position: SourcePosition?) -> QueryError {
        guard self.position == nil, let position else { return self }
        var copy = self
        copy.position = position
        return copy
    }
}

extension QueryError {
    /// The error for a construct that is understood but not supported; `construct` names it as a user would.
    package static func notSupported(_ construct: String, at position: SourcePosition? = nil, hint: String? = nil)
        -> QueryError
    {
        QueryError(.featureNotSupported, "\(construct) is not supported", hint: hint, at: position)
    }

    /// A broken promise inside the engine. The message says which one; a user can only report it.
    package static func internalError(
        _ message: String, file: StaticString = #fileID, line: UInt = #line
    ) -> QueryError {
        QueryError(.internalError, message, detail: "\(file):\(line)")
    }

    /// Wraps any error: a `QueryError` stays as it is, others become an internal error with a cause.
    package static func wrapping(_ error: any Error) -> QueryError {
        if let error = error as? QueryError { return error }
        if error is CancellationError { return QueryError(.queryCanceled, "canceling statement due to user request") }
        return QueryError(.internalError, "unexpected error: \(error)", cause: error)
    }

    /// Whose fault an error is; it decides about retries, logs and the exit code.
    package enum Kind: Sendable { case user, resource, external, `internal` }

    package var kind: Kind {
        switch state.conditionClass {
        case "53", "54": return .resource
        case "08", "57", "58", "ME": return .external
        case "XX": return .internal
        default: return .user
        }
    }
}

/// A place in a statement's text.
package struct SourcePosition: Hashable, Sendable {
    /// Offset in Unicode scalars from the start of the text, from 0. PostgreSQL's protocol counts the same from 1.
    package var offset: Int
    package init(offset: Int) { self.offset = offset }
}
