// CREATE INDEX, CREATE SEQUENCE, ALTER SEQUENCE.

import Diagnostics

extension Parser {
    mutating func parseCreateIndex(at position: SourcePosition) throws(ParseFailure) -> CreateIndex {
        let isUnique = try accept(.unique)
        try expect(.index)
        _ = try accept(.concurrently)
        let ifNotExists = try parseIfNotExists()
        let name = at(.on) ? nil : try parseIdentifier()
        try expect(.on)
        _ = try accept(.only)
        let table = try parseObjectName()
        let method = try accept(.using) ? try parseIdentifier() : nil
        try expectKind(.leftParenthesis)
        var elements: [Expression] = []
        repeat { elements.append(try parseIndexElement()) } while try acceptKind(.comma)
        try expectKind(.rightParenthesis)
        var included: [Identifier] = []
        if try accept(.include) { included = try parseColumnList() }
        let nullsAreEqual = try parseNullsDistinct()
        if try accept(.with) { _ = try parseStatementOptions() }
        if at(.tablespace) { throw notSupported("TABLESPACE") }
        let condition = try accept(.where) ? try parseExpression() : nil
        return CreateIndex(
            isUnique: isUnique, ifNotExists: ifNotExists, name: name, table: table, method: method, elements: elements,
            included: included, nullsAreEqual: nullsAreEqual, whereClause: condition, position: position)
    }

    /// NULLS [NOT] DISTINCT; true for NOT DISTINCT.
    mutating func parseNullsDistinct() throws(ParseFailure) -> Bool {
        guard try accept(.nulls) else { return false }
        let areEqual = try accept(.not)
        try expect(.distinct)
        return areEqual
    }

    /// A column or expression with collation, operator class and order, which are read and forgotten.
    private mutating func parseIndexElement() throws(ParseFailure) -> Expression {
        let expression = try parseExpression()
        if atColumnName, !at(.asc), !at(.desc), !at(.nulls) { _ = try parseAnyName() }
        if atAny(.asc, .desc) { try advance() }
        if try accept(.nulls) {
            guard atAny(.first, .last) else { throw syntaxError() }
            try advance()
        }
        return expression
    }

    mutating func parseIfNotExists() throws(ParseFailure) -> Bool {
        guard at(.if), try peek().keyword == .not else { return false }
        try advance()
        try advance()
        try expect(.exists)
        return true
    }

    // MARK: - Sequences

    mutating func parseCreateSequence(isTemporary: Bool, at position: SourcePosition) throws(ParseFailure)
        -> CreateSequence
    {
        try expect(.sequence)
        let ifNotExists = try parseIfNotExists()
        let name = try parseObjectName()
        return CreateSequence(
            name: name, isTemporary: isTemporary, ifNotExists: ifNotExists, settings: try parseSequenceSettings(),
            position: position)
    }

    mutating func parseAlterSequence(ifExists: Bool, at position: SourcePosition) throws(ParseFailure)
        -> AlterSequence
    {
        let name = try parseObjectName()
        let action: AlterSequence.Action
        if try accept(.rename) {
            try expect(.to)
            action = .renameTo(try parseIdentifier())
        } else if at(.owner) {
            try advance()
            try expect(.to)
            action = .ownerTo(try parseRole())
        } else if at(.set), try peek().keyword == .schema {
            try advance()
            try advance()
            action = .setSchema(try parseIdentifier())
        } else {
            let settings = try parseSequenceSettings()
            if settings == SequenceSettings() { throw syntaxError() }
            action = .settings(settings)
        }
        return AlterSequence(name: name, ifExists: ifExists, action: action, position: position)
    }

    /// Options of a sequence up to the first token that is none.
    private static let sequenceOptions: Set<String> = [
        "as", "increment", "minvalue", "maxvalue", "start", "restart", "cache", "cycle", "owned",
    ]

    mutating func parseSequenceSettings() throws(ParseFailure) -> SequenceSettings {
        var settings = SequenceSettings()
        var seen: Set<String> = []
        while true {
            let start = token
            let name = at(.no) ? lexer.foldedWord(try peek()) : atKind(.word) ? lexer.foldedWord(token) : ""
            if Self.sequenceOptions.contains(name), !seen.insert(name).inserted {
                throw ParseFailure(.syntaxError, "conflicting or redundant options", at: position(of: start))
            }
            switch token.keyword {
            case .as:
                try advance()
                settings.type = try parseTypeName()
            case .increment:
                try advance()
                _ = try accept(.by)
                settings.increment = try parseSignedInteger()
            case .minvalue:
                try advance()
                settings.minimum = .value(try parseSignedInteger())
            case .maxvalue:
                try advance()
                settings.maximum = .value(try parseSignedInteger())
            case .start:
                try advance()
                _ = try accept(.with)
                settings.start = try parseSignedInteger()
            case .restart:
                try advance()
                let hasWith = try accept(.with)
                settings.restart =
                    hasWith || !atKind(.semicolon) && !atKind(.endOfInput) && !atColumnName
                    ? .value(try parseSignedInteger()) : SequenceSettings.Bound.none
            case .cache:
                try advance()
                settings.cache = try parseSignedInteger()
            case .cycle:
                try advance()
                settings.cycles = true
            case .owned:
                try advance()
                try expect(.by)
                let parts = try parseObjectName(limit: 4).parts
                settings.owner = parts == ["none"] ? [] : parts
            case .no:
                try advance()
                switch token.keyword {
                case .minvalue: settings.minimum = SequenceSettings.Bound.none
                case .maxvalue: settings.maximum = SequenceSettings.Bound.none
                case .cycle: settings.cycles = false
                default: throw syntaxError()
                }
                try advance()
            default: return settings
            }
        }
    }
}
