// DROP, ALTER TABLE, COMMENT ON.

import Diagnostics

extension Parser {
    mutating func parseDrop() throws(ParseFailure) -> Statement {
        let position = position()
        try expect(.drop)
        let object: Drop.Object
        switch token.keyword {
        case .table: object = .table
        case .view: object = .view
        case .schema: object = .schema
        case .index: object = .index
        case .sequence: object = .sequence
        case .materialized:
            try advance()
            guard at(.view) else { throw syntaxError() }
            object = .materializedView
        case .type, .domain: return .defineType(try parseDropType(at: position))
        case .role, .user: return .user(try parseDropUser(at: position))
        default: throw unsupportedObject("DROP")
        }
        try advance()
        if object == .index { _ = try accept(.concurrently) }
        let ifExists = try parseIfExists()
        let names = try parseObjectNameList()
        return .drop(Drop(object: object, names: names, ifExists: ifExists, cascade: try parseDropBehavior()))
    }

    mutating func parseIfExists() throws(ParseFailure) -> Bool {
        guard at(.if), try peek().keyword == .exists else { return false }
        try advance()
        try advance()
        return true
    }

    /// `ALTER WORKER name DRAIN`: a worker's name is an identifier, in quotes if it has other characters.
    private mutating func parseAlterWorker() throws(ParseFailure) -> Statement {
        try advance()
        let name = try parseIdentifier()
        guard lexer.foldedWord(token) == "drain" else { throw syntaxError(hint: "Workers can be drained.") }
        try advance()
        return .drainWorker(name)
    }

    mutating func parseAlter() throws(ParseFailure) -> Statement {
        let position = position()
        try expect(.alter)
        let object: AlterTable.Object
        switch token.keyword {
        case .table: object = .table
        case .view: object = .view
        case .sequence:
            try advance()
            let ifExists = try parseIfExists()
            return .alterSequence(try parseAlterSequence(ifExists: ifExists, at: position))
        case .type: return .defineType(try parseAlterType(at: position))
        case .domain: return .defineType(try parseAlterDomain(at: position))
        case .system: return .alterDefaults(try parseAlterSystem(at: position))
        case .role, .user: return try parseAlterUser(at: position)
        default:
            if lexer.foldedWord(token) == "worker" { return try parseAlterWorker() }
            throw unsupportedObject("ALTER")
        }
        try advance()
        let ifExists = try parseIfExists()
        _ = try accept(.only)
        let name = try parseObjectName()
        _ = try acceptKind(.star)
        var actions = [try parseAlterAction()]
        while try acceptKind(.comma) { actions.append(try parseAlterAction()) }
        return .alterTable(
            AlterTable(object: object, name: name, ifExists: ifExists, actions: actions, position: position))
    }

    private mutating func parseAlterAction() throws(ParseFailure) -> AlterTable.Action {
        switch token.keyword {
        case .add:
            try advance()
            switch token.keyword {
            case .constraint, .check, .unique, .primary, .foreign, .exclude:
                return .addConstraint(try parseTableConstraint())
            default: break
            }
            _ = try accept(.column)
            var ifNotExists = false
            if at(.if), try peek().keyword == .not {
                try advance()
                try advance()
                try expect(.exists)
                ifNotExists = true
            }
            return .addColumn(try parseColumnDefinition(), ifNotExists: ifNotExists)
        case .drop:
            try advance()
            let isConstraint = try accept(.constraint)
            if !isConstraint { _ = try accept(.column) }
            let ifExists = try parseIfExists()
            let name = try parseIdentifier()
            let cascade = try parseDropBehavior()
            return isConstraint
                ? .dropConstraint(name, ifExists: ifExists, cascade: cascade)
                : .dropColumn(name, ifExists: ifExists, cascade: cascade)
        case .alter: return try parseAlterColumn()
        case .rename:
            try advance()
            if try accept(.to) { return .renameTo(try parseIdentifier()) }
            if try accept(.constraint) {
                let name = try parseIdentifier()
                try expect(.to)
                return .renameConstraint(name, to: try parseIdentifier())
            }
            _ = try accept(.column)
            let column = try parseIdentifier()
            try expect(.to)
            return .renameColumn(column, to: try parseIdentifier())
        case .owner:
            try advance()
            try expect(.to)
            return .ownerTo(try parseRole())
        case .set:
            try advance()
            if try accept(.schema) { return .setSchema(try parseIdentifier()) }
            if token.kind == .leftParenthesis { return .setOptions(try parseStatementOptions()) }
            throw notSupported("this form of ALTER TABLE", at: previous)
        case .reset:
            try advance()
            return .resetOptions(try parseColumnList())
        case .attach, .detach, .cluster, .enable, .disable, .inherit, .no, .not, .of, .replica, .force,
            .validate:
            throw notSupported("ALTER TABLE " + lexer.foldedWord(token).uppercasedASCII)
        default: throw syntaxError()
        }
    }

    private mutating func parseAlterColumn() throws(ParseFailure) -> AlterTable.Action {
        try expect(.alter)
        if at(.constraint) { throw notSupported("ALTER CONSTRAINT") }
        _ = try accept(.column)
        let column = try parseIdentifier()
        if try accept(.drop) {
            if try accept(.default) { return .dropDefault(column) }
            guard try accept(.not) else { throw notSupported("this form of ALTER COLUMN") }
            try expect(.null)
            return .dropNotNull(column)
        }
        if at(.add) || at(.restart) || at(.reset) { throw notSupported("this form of ALTER COLUMN") }
        let hasSet = try accept(.set)
        if hasSet {
            if try accept(.default) { return .setDefault(column, try parseExpression()) }
            if try accept(.not) {
                try expect(.null)
                return .setNotNull(column)
            }
            guard at(.data) else { throw notSupported("this form of ALTER COLUMN") }
            try advance()
        }
        try expect(.type)
        let type = try parseTypeName()
        if at(.collate) { throw notSupported("COLLATE in ALTER COLUMN TYPE") }
        return .setType(column, type, using: try accept(.using) ? try parseExpression() : nil)
    }

    mutating func parseComment() throws(ParseFailure) -> Statement {
        let position = position()
        try expect(.comment)
        try expect(.on)
        let object: Comment.Object
        switch token.keyword {
        case .table: object = .table
        case .view: object = .view
        case .column: object = .column
        case .schema: object = .schema
        case .database: object = .database
        case .index: object = .index
        case .sequence: object = .sequence
        case .constraint: object = .constraint
        default: throw unsupportedObject("COMMENT ON")
        }
        try advance()
        var name = try parseObjectName(limit: object == .column ? 4 : 3)
        if object == .constraint {
            // COMMENT ON CONSTRAINT name ON table: as if the constraint were a column of the table.
            try expect(.on)
            let table = try parseObjectName()
            name = ObjectName(table.parts + [name.last], at: name.position)
        }
        try expect(.is)
        let text = try accept(.null) ? nil : try parseString()
        return .comment(Comment(object: object, name: name, text: text, position: position))
    }
}
