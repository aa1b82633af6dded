// COPY, with its options in both styles.

import Diagnostics

extension Parser {
    mutating func parseCopy() throws(ParseFailure) -> Copy {
        let position = position()
        try expect(.copy)
        var options: [StatementOption] = []
        if at(.binary) {
            options.append(StatementOption(name: "format", value: .text("binary"), position: self.position()))
            try advance()
        }
        let subject: Copy.Subject
        if atKind(.leftParenthesis) {
            switch try peek().keyword {
            case .insert, .update, .delete: throw notSupported("COPY of a data-modifying statement", at: try peek())
            default: break
            }
            subject = .query(try parseQueryInParentheses())
        } else {
            let name = try parseObjectName()
            subject = .table(name, columns: try parseOptionalColumnList())
        }
        let direction: Copy.Direction
        if try accept(.to) {
            direction = .to
        } else {
            if case .query = subject { throw syntaxError() }
            try expect(.from)
            direction = .from
        }
        let endpoint = try parseCopyEndpoint(direction)
        if try accept(.using) {
            let optionPosition = self.position()
            try expect(.delimiters)
            options.append(
                StatementOption(name: "delimiter", value: .text(try parseString()), position: optionPosition))
        }
        let hasWith = try accept(.with)
        if atKind(.leftParenthesis) {
            options += try parseStatementOptions()
        } else {
            let count = options.count
            while let option = try parseOldCopyOption() { options.append(option) }
            if hasWith, options.count == count { throw syntaxError() }
        }
        var condition: Expression?
        if direction == .from, try accept(.where) { condition = try parseExpression() }
        return Copy(
            subject: subject, direction: direction, endpoint: endpoint, options: options, whereClause: condition,
            position: position)
    }

    private mutating func parseCopyEndpoint(_ direction: Copy.Direction) throws(ParseFailure) -> Copy.Endpoint {
        if try accept(.program) { return .program(try parseString()) }
        // PostgreSQL takes either word in either direction.
        if at(.stdin) || at(.stdout) {
            try advance()
            return .client
        }
        return .file(try parseString())
    }

    /// One option of the style without parentheses, under its name of the other style.
    private mutating func parseOldCopyOption() throws(ParseFailure) -> StatementOption? {
        let position = position()
        let keyword = token.keyword
        switch keyword {
        case .binary, .csv:
            let format = try takeName()
            return StatementOption(name: "format", value: .text(format), position: position)
        case .freeze, .header:
            return StatementOption(name: try takeName(), value: .text("true"), position: position)
        case .delimiter, .null, .quote, .escape, .encoding:
            let name = try takeName()
            if keyword != .encoding { _ = try accept(.as) }
            return StatementOption(name: name, value: .text(try parseString()), position: position)
        case .force:
            try advance()
            let name: String
            if try accept(.quote) {
                name = "force_quote"
            } else if try accept(.not) {
                try expect(.null)
                name = "force_not_null"
            } else {
                try expect(.null)
                name = "force_null"
            }
            if name == "force_quote", try acceptKind(.star) {
                return StatementOption(name: name, value: .star, position: position)
            }
            return StatementOption(
                name: name, value: .list(try parseIdentifierList().map(\.text)), position: position)
        default: return nil
        }
    }
}
