// Prepared statements and cursors.

import Diagnostics

extension Parser {
    mutating func parsePrepare() throws(ParseFailure) -> Statement {
        let outer = try enter()
        try expect(.prepare)
        if at(.transaction), Parser.isString(try peek().kind) { throw notSupported("PREPARE TRANSACTION") }
        let name = try parseIdentifier()
        var types: [TypeName] = []
        if try acceptKind(.leftParenthesis) {
            repeat { types.append(try parseTypeName()) } while try acceptKind(.comma)
            try expectKind(.rightParenthesis)
        }
        try expect(.as)
        switch token.keyword {
        case .select, .values, .table, .from, .with, .insert, .update, .delete, .merge: break
        default: if !atKind(.leftParenthesis) { throw syntaxError() }
        }
        let statement = try parseStatement()
        try leave(outer)
        return .prepare(Prepare(name: name, parameterTypes: types, statement: statement))
    }

    mutating func parseExecute() throws(ParseFailure) -> Statement {
        try expect(.execute)
        let name = try parseIdentifier()
        var arguments: [Expression] = []
        if try acceptKind(.leftParenthesis) {
            arguments = try parseExpressionList()
            try expectKind(.rightParenthesis)
        }
        return .execute(Execute(name: name, arguments: arguments))
    }

    mutating func parseDeallocate() throws(ParseFailure) -> Statement {
        try expect(.deallocate)
        if at(.prepare), try peek().kind != .endOfInput, try peek().kind != .semicolon { try advance() }
        return .deallocate(try accept(.all) ? nil : try parseIdentifier())
    }

    mutating func parseDeclare() throws(ParseFailure) -> Statement {
        try expect(.declare)
        let name = try parseIdentifier()
        var isBinary = false
        var scroll: Bool?
        loop: while true {
            switch token.keyword {
            case .binary:
                try advance()
                isBinary = true
            case .insensitive, .asensitive: try advance()
            case .scroll:
                try advance()
                scroll = true
            case .no:
                try advance()
                try expect(.scroll)
                scroll = false
            default: break loop
            }
        }
        try expect(.cursor)
        var withHold = false
        if at(.with) || at(.without) {
            withHold = at(.with)
            try advance()
            try expect(.hold)
        }
        try expect(.for)
        return .declareCursor(
            DeclareCursor(
                name: name, isBinary: isBinary, scroll: scroll, withHold: withHold, query: try parseQuery()))
    }

    /// FETCH or MOVE.
    mutating func parseFetch() throws(ParseFailure) -> Fetch {
        let isMove = at(.move)
        try advance()
        var direction = Fetch.Direction.forward(1)
        // A word of direction may also be the cursor's name: it is one if nothing follows.
        if atNumber || atKind(.minus) || atKind(.plus) {
            direction = .forward(try parseSignedInteger())
        } else if try wordIsFollowed() {
            direction = try parseFetchDirection() ?? direction
        }
        if !(try accept(.from)) { _ = try accept(.in) }
        return Fetch(isMove: isMove, direction: direction, cursor: try parseIdentifier())
    }

    private mutating func wordIsFollowed() throws(ParseFailure) -> Bool {
        let next = try peek().kind
        return next != .endOfInput && next != .semicolon
    }

    private mutating func parseFetchDirection() throws(ParseFailure) -> Fetch.Direction? {
        switch token.keyword {
        case .next:
            try advance()
            return .forward(1)
        case .prior:
            try advance()
            return .backward(1)
        case .first:
            try advance()
            return .absolute(1)
        case .last:
            try advance()
            return .absolute(-1)
        case .absolute:
            try advance()
            return .absolute(try parseSignedInteger())
        case .relative:
            try advance()
            return .relative(try parseSignedInteger())
        case .all:
            try advance()
            return .forward(nil)
        case .forward, .backward:
            let isForward = at(.forward)
            try advance()
            var count: Int64? = 1
            if try accept(.all) {
                count = nil
            } else if atNumber || atKind(.minus) || atKind(.plus) {
                count = try parseSignedInteger()
            }
            return isForward ? .forward(count) : .backward(count)
        default: return nil
        }
    }
}
