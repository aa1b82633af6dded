// The parser's entry points.

import Diagnostics

/// Bounds that keep any text from costing too much memory or stack.
package struct ParserLimits: Sendable {
    /// Longest text in bytes; beyond it 54000.
    package var textBytes = 16 << 20
    /// How deep constructs may nest (parentheses, subqueries, CASE, operators within operators); beyond it 54001.
    package var nesting = 1_000
    /// How high a tree may grow, chains such as `1 + 1 + 1` and joins included; beyond it 54001. Code that walks a
    /// tree may recurse this deep.
    package var treeHeight = 1_000
    /// How much stack the parser may use; beyond it 54001.
    package var stackBytes = 384 << 10
    package init() {}
}

/// Turns SQL text into syntax trees. All errors are `QueryError`s with a position: 42601 for a syntax error, 0A000 for
/// a construct that is known but not supported, 54000 and 54001 for the limits.
package enum StatementParser {
    /// All statements of a text; empty ones are left out, so the result may be empty.
    package static func parse(_ sql: String, limits: ParserLimits = ParserLimits()) throws(QueryError)
        -> [ParsedStatement]
    {
        try withParser(sql, limits) { (parser: inout Parser) throws(ParseFailure) in try parser.parseStatements() }
    }

    /// A text that is one query, such as the definition of a view.
    package static func parseQuery(_ sql: String, limits: ParserLimits = ParserLimits()) throws(QueryError) -> Query {
        try withParser(sql, limits) { (parser: inout Parser) throws(ParseFailure) in
            let query = try parser.parseQuery()
            _ = try parser.acceptKind(.semicolon)
            try parser.expectEnd()
            return query
        }
    }

    /// A text that is one scalar expression.
    package static func parseExpression(_ sql: String, limits: ParserLimits = ParserLimits()) throws(QueryError)
        -> Expression
    {
        try withParser(sql, limits) { (parser: inout Parser) throws(ParseFailure) in
            let expression = try parser.parseExpression()
            try parser.expectEnd()
            return expression
        }
    }

    /// A text that is a name of one to three parts, such as `public."My sequence"`.
    package static func parseName(_ sql: String, limits: ParserLimits = ParserLimits()) throws(QueryError) -> [String] {
        try withParser(sql, limits) { (parser: inout Parser) throws(ParseFailure) in
            let name = try parser.parseAnyName()
            try parser.expectEnd()
            return name.parts
        }
    }

    /// A text that is the name of a type, such as `numeric(10, 2)[]`.
    package static func parseTypeName(_ sql: String, limits: ParserLimits = ParserLimits()) throws(QueryError)
        -> TypeName
    {
        try withParser(sql, limits) { (parser: inout Parser) throws(ParseFailure) in
            let type = try parser.parseTypeName()
            try parser.expectEnd()
            return type
        }
    }

    private static func withParser<Result>(
        _ sql: String, _ limits: ParserLimits, _ body: (inout Parser) throws(ParseFailure) -> Result
    ) throws(QueryError) -> Result {
        guard sql.utf8.count <= limits.textBytes else {
            throw QueryError(
                .programLimitExceeded,
                "statement of \(sql.utf8.count) bytes is longer than the limit of \(limits.textBytes) bytes")
        }
        var copy = sql
        let outcome: Swift.Result<Result, QueryError> = copy.withUTF8 { bytes in
            // An empty buffer may have no address; a pointer to anything will do, as it is never read.
            withUnsafePointer(to: 0 as UInt8) { empty in
                do throws(ParseFailure) {
                    var parser = try Parser(Lexer(bytes, emptyBase: empty), limits)
                    return .success(try body(&parser))
                } catch {
                    return .failure(error.error)
                }
            }
        }
        return try outcome.get()
    }
}
