// Names of types: `numeric(10, 2)`, `timestamp(3) with time zone`, `interval day to second`, `text[][]`.

import Diagnostics

extension Parser {
    @inline(never)
    mutating func parseTypeName() throws(ParseFailure) -> TypeName {
        let isSetOf = try accept(.setof)
        let base = try parseSimpleTypeName()
        let dimensions = try parseArrayDimensions()
        if dimensions.isEmpty, !isSetOf { return base }
        return TypeName(
            name: base.name, isQuoted: base.isQuoted, modifiers: base.modifiers, arrayDimensions: dimensions,
            intervalFields: base.intervalFields, isSetOf: isSetOf)
    }

    private mutating func parseArrayDimensions() throws(ParseFailure) -> [Int?] {
        var dimensions: [Int?] = []
        if try accept(.array) {
            guard try acceptKind(.leftBracket) else { return [nil] }
            dimensions.append(Int(try parseInteger()))
            try expectKind(.rightBracket)
            return dimensions
        }
        while try acceptKind(.leftBracket) {
            dimensions.append(atKind(.rightBracket) ? nil : Int(try parseInteger()))
            try expectKind(.rightBracket)
        }
        return dimensions
    }

    /// A type without array brackets.
    @inline(never)
    mutating func parseSimpleTypeName() throws(ParseFailure) -> TypeName {
        let position = position()
        let keyword = token.keyword
        switch keyword {
        case .bigint, .boolean, .int, .integer, .real, .smallint:
            return TypeName(name: ObjectName([try takeName()], at: position))
        case .decimal, .dec, .numeric, .float:
            let name = try takeName()
            return TypeName(
                name: ObjectName([keyword == .dec ? "decimal" : name], at: position),
                modifiers: try parseTypeModifiers())
        case .bit, .char, .character, .nchar, .national, .varchar: return try parseCharacterType()
        case .time, .timestamp: return try parseTimeType()
        case .interval:
            try advance()
            return try parseIntervalType(ObjectName(["interval"], at: position))
        case .double:
            if try accept(.double, .precision) {
                return TypeName(name: ObjectName(["double precision"], at: position))
            }
        default: break
        }
        return try parseGenericType()
    }

    private mutating func parseGenericType() throws(ParseFailure) -> TypeName {
        guard atTypeOrFunctionName else { throw syntaxError() }
        let position = position()
        var isQuoted = !(token.kind == .word)
        var parts = [try takeName()]
        while atKind(.dot) {
            try advance()
            isQuoted = !(token.kind == .word)
            parts.append(try parseLabel().text)
        }
        if atKind(.percent) {
            if try peek().keyword == .type { throw notSupported("%TYPE") }
        }
        return TypeName(
            name: ObjectName(parts, at: position), isQuoted: isQuoted, modifiers: try parseTypeModifiers())
    }

    private mutating func parseTypeModifiers() throws(ParseFailure) -> [Expression] {
        guard try acceptKind(.leftParenthesis) else { return [] }
        let modifiers = try parseExpressionList()
        try expectKind(.rightParenthesis)
        return modifiers
    }

    /// `char`, `varchar(n)`, `character varying(n)`, `national character(n)`, `bit varying(n)`, ….
    private mutating func parseCharacterType() throws(ParseFailure) -> TypeName {
        let position = position()
        let first = token.keyword
        var name = try takeName()
        if first == .national {
            guard atAny(.character, .char) else { throw syntaxError() }
            try advance()
            name = "character"
        } else if first == .nchar {
            name = "character"
        }
        if first != .varchar, try accept(.varying) {
            name = first == .bit ? "bit varying" : "character varying"
        }
        return TypeName(name: ObjectName([name], at: position), modifiers: try parseTypeModifiers())
    }

    private mutating func parseTimeType() throws(ParseFailure) -> TypeName {
        let position = position()
        var name = try takeName()
        let modifiers = try parsePrecision()
        if at(.with), try peek().keyword == .time {
            try advance()
            try advance()
            try expect(.zone)
            name += "tz"
        } else if at(.without), try peek().keyword == .time {
            try advance()
            try advance()
            try expect(.zone)
        }
        return TypeName(name: ObjectName([name], at: position), modifiers: modifiers)
    }

    /// `(n)` if it is there.
    private mutating func parsePrecision() throws(ParseFailure) -> [Expression] {
        guard atKind(.leftParenthesis) else { return [] }
        try advance()
        let position = position()
        let precision = Expression(.literal(.integer(try parseInteger())), at: position)
        try expectKind(.rightParenthesis)
        return [precision]
    }

    /// What may follow the word INTERVAL in a type.
    mutating func parseIntervalType(_ name: ObjectName) throws(ParseFailure) -> TypeName {
        if atKind(.leftParenthesis) { return TypeName(name: name, modifiers: try parsePrecision()) }
        let (fields, modifiers) = try parseIntervalFields()
        return TypeName(name: name, modifiers: modifiers, intervalFields: fields)
    }

    /// `YEAR TO MONTH`, `DAY TO SECOND(3)`, `SECOND(3)`, … or nothing; the precision is that of the seconds.
    mutating func parseIntervalFields() throws(ParseFailure) -> (IntervalFields?, [Expression]) {
        let first = token.keyword
        switch first {
        case .year, .month, .day, .hour, .minute, .second: try advance()
        default: return (nil, [])
        }
        if first == .second { return (.second, try parsePrecision()) }
        guard first != .month, at(.to) else {
            switch first {
            case .year: return (.year, [])
            case .month: return (.month, [])
            case .day: return (.day, [])
            case .hour: return (.hour, [])
            default: return (.minute, [])
            }
        }
        try advance()
        let last = token
        let fields: IntervalFields
        switch (first, last.keyword) {
        case (.year, .month): fields = .yearToMonth
        case (.day, .hour): fields = .dayToHour
        case (.day, .minute): fields = .dayToMinute
        case (.day, .second): fields = .dayToSecond
        case (.hour, .minute): fields = .hourToMinute
        case (.hour, .second): fields = .hourToSecond
        case (.minute, .second): fields = .minuteToSecond
        default: throw syntaxError()
        }
        try advance()
        return (fields, last.keyword == .second ? try parsePrecision() : [])
    }
}
