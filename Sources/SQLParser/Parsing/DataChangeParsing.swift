// INSERT, UPDATE, DELETE, MERGE, TRUNCATE.

import Diagnostics

extension Parser {
    mutating func parseInsert(with: WithClause?) throws(ParseFailure) -> Insert {
        let position = position()
        try expect(.insert)
        try expect(.into)
        let table = try parseObjectName()
        let alias = try accept(.as) ? try parseIdentifier() : nil
        var columns: [AssignmentTarget] = []
        if atKind(.leftParenthesis), try !parenthesisBeginsQuery() { columns = try parseTargetColumns() }
        let overriding = try parseOverriding()
        let source: Insert.Source
        if columns.isEmpty, overriding == nil, try accept(.default) {
            try expect(.values)
            source = .defaultValues
        } else {
            guard try atQueryStart() || atKind(.leftParenthesis) else { throw syntaxError() }
            source = .query(try parseQuery())
        }
        let onConflict = at(.on) ? try parseOnConflict() : nil
        return Insert(
            with: with, table: table, alias: alias, columns: columns, overriding: overriding, source: source,
            onConflict: onConflict, returning: try parseReturning(), position: position)
    }

    private mutating func parseOverriding() throws(ParseFailure) -> String? {
        guard try accept(.overriding) else { return nil }
        guard at(.system) || at(.user) else { throw syntaxError() }
        let overriding = at(.system) ? "system" : "user"
        try advance()
        try expect(.value)
        return overriding
    }

    private mutating func parseTargetColumns() throws(ParseFailure) -> [AssignmentTarget] {
        try expectKind(.leftParenthesis)
        var columns: [AssignmentTarget] = []
        repeat { columns.append(try parseTargetColumn()) } while try acceptKind(.comma)
        try expectKind(.rightParenthesis)
        return columns
    }

    /// A column to assign to, with the subscripts and fields that lead to a part of it.
    private mutating func parseTargetColumn() throws(ParseFailure) -> AssignmentTarget {
        var target = AssignmentTarget(column: try parseIdentifier())
        while true {
            if atKind(.leftBracket) {
                target.steps.append(.subscripts(try parseSubscripts()))
            } else if try acceptKind(.dot) {
                target.steps.append(.field(try parseLabel()))
            } else {
                return target
            }
        }
    }

    private mutating func parseOnConflict() throws(ParseFailure) -> OnConflict {
        let position = position()
        try expect(.on)
        try expect(.conflict)
        var target: OnConflict.Target?
        if atKind(.leftParenthesis) {
            try advance()
            var columns: [Expression] = []
            repeat {
                columns.append(try parseExpression())
                if atColumnName || at(.asc) || at(.desc) { throw notSupported("an operator class in ON CONFLICT") }
            } while try acceptKind(.comma)
            try expectKind(.rightParenthesis)
            target = .columns(columns, where: try accept(.where) ? try parseExpression() : nil)
        } else if try accept(.on) {
            try expect(.constraint)
            target = .constraint(try parseIdentifier())
        }
        try expect(.do)
        if try accept(.nothing) { return OnConflict(target: target, action: .doNothing, position: position) }
        try expect(.update)
        if target == nil {
            throw ParseFailure(
                .syntaxError, "ON CONFLICT DO UPDATE requires inference specification or constraint name",
                hint: "For example, ON CONFLICT (column_name).", at: position)
        }
        try expect(.set)
        let assignments = try parseAssignments()
        let condition = try accept(.where) ? try parseExpression() : nil
        return OnConflict(target: target, action: .update(assignments, where: condition), position: position)
    }

    private mutating func parseAssignments() throws(ParseFailure) -> [Assignment] {
        var assignments: [Assignment] = []
        repeat {
            if atKind(.leftParenthesis) {
                let columns = try parseTargetColumns()
                try expectKind(.equals)
                assignments.append(Assignment(targets: columns, isRow: true, value: try parseExpression()))
            } else {
                let target = try parseTargetColumn()
                try expectKind(.equals)
                assignments.append(Assignment(targets: [target], isRow: false, value: try parseExpression()))
            }
        } while try acceptKind(.comma)
        return assignments
    }

    private mutating func parseReturning() throws(ParseFailure) -> [SelectItem] {
        try accept(.returning) ? try parseSelectItems() : []
    }

    /// `[ONLY] name [*]`, where parentheses may stand around the name behind ONLY.
    private mutating func parseTargetTable() throws(ParseFailure) -> (ObjectName, only: Bool) {
        let only = try accept(.only)
        let hasParentheses = only ? try acceptKind(.leftParenthesis) : false
        let name = try parseObjectName()
        if hasParentheses { try expectKind(.rightParenthesis) }
        _ = try acceptKind(.star)
        return (name, only)
    }

    mutating func parseUpdate(with: WithClause?) throws(ParseFailure) -> Update {
        let position = position()
        try expect(.update)
        let (table, only) = try parseTargetTable()
        var alias: Identifier?
        if try accept(.as) || (atColumnName && !at(.set)) { alias = try parseIdentifier() }
        try expect(.set)
        let assignments = try parseAssignments()
        let from = try accept(.from) ? try parseTableReferences() : []
        let condition = try parseDataCondition()
        return Update(
            with: with, table: table, only: only, alias: alias, assignments: assignments, from: from,
            whereClause: condition, returning: try parseReturning(), position: position)
    }

    mutating func parseDelete(with: WithClause?) throws(ParseFailure) -> Delete {
        let position = position()
        try expect(.delete)
        try expect(.from)
        let (table, only) = try parseTargetTable()
        var alias: Identifier?
        if try accept(.as) || atColumnName { alias = try parseIdentifier() }
        let using = try accept(.using) ? try parseTableReferences() : []
        let condition = try parseDataCondition()
        return Delete(
            with: with, table: table, only: only, alias: alias, using: using, whereClause: condition,
            returning: try parseReturning(), position: position)
    }

    mutating func parseMerge(with: WithClause?) throws(ParseFailure) -> Merge {
        let position = position()
        try expect(.merge)
        try expect(.into)
        let (table, only) = try parseTargetTable()
        var alias: Identifier?
        if try accept(.as) || (atColumnName && !at(.using)) { alias = try parseIdentifier() }
        try expect(.using)
        let source = try parseTableReferences()
        guard source.count == 1 else { throw syntaxError(at: previous) }
        try expect(.on)
        let condition = try parseExpression()
        var clauses: [Merge.Clause] = []
        repeat { clauses.append(try parseMergeClause()) } while at(.when)
        if at(.returning) { throw notSupported("MERGE with RETURNING") }
        return Merge(
            with: with, table: table, only: only, alias: alias, source: source[0], condition: condition,
            clauses: clauses, position: position)
    }

    private mutating func parseMergeClause() throws(ParseFailure) -> Merge.Clause {
        let position = position()
        try expect(.when)
        let isMatched = try !accept(.not)
        try expect(.matched)
        let condition = try accept(.and) ? try parseExpression() : nil
        try expect(.then)
        let action: Merge.Action
        switch token.keyword {
        case .do:
            try advance()
            try expect(.nothing)
            action = .nothing
        case .update where isMatched:
            try advance()
            try expect(.set)
            action = .update(try parseAssignments())
        case .delete where isMatched:
            try advance()
            action = .delete
        case .insert where !isMatched: action = try parseMergeInsert()
        default: throw syntaxError()
        }
        return Merge.Clause(isMatched: isMatched, condition: condition, action: action, position: position)
    }

    private mutating func parseMergeInsert() throws(ParseFailure) -> Merge.Action {
        try expect(.insert)
        let columns = atKind(.leftParenthesis) ? try parseTargetColumns() : []
        if columns.isEmpty, try accept(.default) {
            try expect(.values)
            return .insert(columns: [], overriding: nil, values: nil)
        }
        let overriding = try parseOverriding()
        try expect(.values)
        try expectKind(.leftParenthesis)
        let values = try parseExpressionList()
        try expectKind(.rightParenthesis)
        return .insert(columns: columns, overriding: overriding, values: values)
    }

    private mutating func parseDataCondition() throws(ParseFailure) -> Expression? {
        guard try accept(.where) else { return nil }
        if at(.current), try peek().keyword == .of { throw notSupported("WHERE CURRENT OF") }
        return try parseExpression()
    }

    mutating func parseTruncate() throws(ParseFailure) -> Truncate {
        try expect(.truncate)
        _ = try accept(.table)
        var tables: [ObjectName] = []
        repeat { tables.append(try parseTargetTable().0) } while try acceptKind(.comma)
        let restart = try accept(.restart)
        if restart || at(.continue) {
            if !restart { try advance() }
            try expect(.identity)
        }
        return Truncate(tables: tables, restartIdentity: restart, cascade: try parseDropBehavior())
    }

    /// CASCADE or RESTRICT or nothing; true for CASCADE.
    mutating func parseDropBehavior() throws(ParseFailure) -> Bool {
        if try accept(.cascade) { return true }
        _ = try accept(.restrict)
        return false
    }
}
