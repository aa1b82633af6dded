// The error that lexer and parser throw among themselves.

import Diagnostics

/// An error in a box of one word. The parser is deeply recursive, and every call that may throw a `QueryError` would
/// take that error's whole size on the stack.
final class ParseFailure: Error {
    let error: QueryError

    init(_ error: QueryError) { self.error = error }

    convenience init(
        _ state: SQLState, _ message: String, detail: String? = nil, hint: String? = nil,
        at position: SourcePosition? = nil
    ) {
        self.init(QueryError(state, message, detail: detail, hint: hint, at: position))
    }

    static func notSupported(_ construct: String, at position: SourcePosition?) -> ParseFailure {
        ParseFailure(.notSupported(construct, at: position))
    }
}
