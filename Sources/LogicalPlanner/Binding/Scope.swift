// What names mean at a place in a query: relations and columns in sight, common table expressions, and the clause.

import Columnar
import Diagnostics
import QueryPlan
import SQLParser

/// A name and the column it stands for.
struct ScopeColumn {
    var name: String
    var id: ColumnID
    var type: DataType
    /// The domain or composite type that a table's column was declared with.
    var userType: Int64?
    /// Whether the binder's trace looks for references to it.
    var isTraced = false
    var reference: Expression { .column(id, type) }

    init(name: String, id: ColumnID, type: DataType) {
        self.name = name
        self.id = id
        self.type = type
    }
    init(_ column: PlanColumn) { self.init(name: column.name, id: column.id, type: column.type) }
}

/// A table, sub-query or function in FROM under the name by which columns are qualified.
struct ScopeRelation {
    /// Empty for a sub-query without an alias: it cannot be named.
    var name: String
    /// Set for a table without an alias: it may then be qualified by schema and catalogue.
    var table: TableName?
    var columns: [ScopeColumn]
    /// The whole row as a record, where the statement may name it.
    var row: ScopeColumn?
    /// The number of the table that the rows come from, where the statement may name it.
    var tableIdentifier: Expression?

    /// Whether `qualifier` (one to three parts) names this relation.
    func matches(_ qualifier: ArraySlice<String>) -> Bool {
        guard qualifier.last == name, !name.isEmpty else { return false }
        if qualifier.count == 1 { return true }
        guard let table else { return false }
        let full = [table.catalog, table.schema, table.table]
        return qualifier.count <= 3 && Array(qualifier) == Array(full.suffix(qualifier.count))
    }
}

/// What a FROM clause or a part of it puts in sight.
struct Namespace {
    /// For qualified names.
    var relations: [ScopeRelation] = []
    /// For unqualified names and `*`, in order; columns merged by USING appear once.
    var columns: [ScopeColumn] = []

    static func + (left: Namespace, right: Namespace) -> Namespace {
        Namespace(relations: left.relations + right.relations, columns: left.columns + right.columns)
    }
}

/// The clause that an expression stands in; it decides what may stand in it.
enum Clause: Sendable {
    case fromClause, joinCondition, whereClause, groupBy, select, having, qualify, orderBy, distinctOn, limit, values
    case constant
    case update, returning
    /// Expressions of a table's definition.
    case defaultExpression, check, generated

    /// As messages name it.
    var name: String {
        switch self {
        case .fromClause: "functions in FROM"
        case .joinCondition: "JOIN conditions"
        case .whereClause: "WHERE"
        case .groupBy: "GROUP BY"
        case .select: "SELECT"
        case .having: "HAVING"
        case .qualify: "QUALIFY"
        case .orderBy: "ORDER BY"
        case .distinctOn: "DISTINCT ON"
        case .limit: "LIMIT"
        case .values: "VALUES"
        case .constant: "this clause"
        case .update: "UPDATE"
        case .returning: "RETURNING"
        case .defaultExpression: "DEFAULT expressions"
        case .check: "check constraints"
        case .generated: "column generation expressions"
        }
    }
    /// Whether expressions are evaluated after grouping, so that aggregates may stand in them.
    var isAfterGrouping: Bool {
        switch self {
        case .select, .having, .qualify, .orderBy, .distinctOn: true
        default: false
        }
    }
    var allowsWindows: Bool {
        switch self {
        case .select, .qualify, .orderBy, .distinctOn: true
        default: false
        }
    }
    var allowsSetReturning: Bool {
        switch self {
        case .select, .groupBy, .orderBy, .distinctOn: true
        default: false
        }
    }
}

/// Calls of aggregates that one function of a query is made of.
struct AggregateParts {
    var calls: [AggregateCall]
    /// Arguments with one value in a group.
    var direct: [Expression] = []
}

/// A common table expression in sight.
final class CommonTable {
    let definition: CommonTableExpression
    /// What is in sight within its query.
    let environment: CommonTableScope?
    let parent: Scope?
    let isRecursive: Bool
    /// Within the recursive term: the working table and the columns of the base term.
    var workingTable: (number: Int, columns: [PlanColumn])?
    /// How many of the working table's columns, the last ones, are those of SEARCH and CYCLE, which have no names in the
    /// recursive term; and what they are called in the plan of the last reference.
    var hiddenCount = 0
    var hiddenColumns: [PlanColumn] = []
    /// Within the non-recursive term, where the table must not be named.
    var isBindingBase = false
    var referenceCount = 0
    /// The table's query as a shared definition, once it was bound and if it is the same for every reference.
    var shared: SharedDefinition?
    /// Of a change of rows: what it returns, and where that is kept.
    struct Result {
        /// `nil` without RETURNING.
        var table: TableName?
        var fields: [Field]
    }
    var result: Result?

    init(_ definition: CommonTableExpression, environment: CommonTableScope?, parent: Scope?, isRecursive: Bool) {
        self.definition = definition
        self.environment = environment
        self.parent = parent
        self.isRecursive = isRecursive
    }
}

/// Common table expressions by name, innermost first.
final class CommonTableScope {
    let parent: CommonTableScope?
    let name: String
    let table: CommonTable

    init(_ table: CommonTable, parent: CommonTableScope?) {
        self.parent = parent
        self.table = table
        name = table.definition.name.text
    }

    func find(_ name: String) -> CommonTable? {
        var scope: CommonTableScope? = self
        while let current = scope {
            if current.name == name { return current.table }
            scope = current.parent
        }
        return nil
    }
}

/// What is in sight at a place in a query. One for each SELECT, with those around it as parents.
final class Scope {
    let parent: Scope?
    var commonTables: CommonTableScope?
    var namespace = Namespace()
    /// The SELECT whose expressions are bound here; `nil` where there is none (VALUES, LIMIT).
    let select: SelectState?
    var clause: Clause
    /// Above 0 within arguments of an aggregate that belongs to this scope.
    var aggregateDepth = 0
    /// Above 0 within a window call.
    var windowDepth = 0
    /// The construct around, CASE or COALESCE, whose operands are evaluated only where they are needed.
    var conditional: String?
    /// Whether this scope is what a LATERAL item of a FROM clause sees to its left.
    let isLateral: Bool
    /// How many SELECTs are around it.
    let depth: Int

    init(
        parent: Scope?, commonTables: CommonTableScope?, select: SelectState?, clause: Clause, isLateral: Bool = false
    ) {
        self.parent = parent
        self.commonTables = commonTables
        self.select = select
        self.clause = clause
        self.isLateral = isLateral
        depth = parent.map { $0.depth + 1 } ?? 0
    }
}

/// A window specification with what it takes from the window that it is based on.
struct ResolvedWindow {
    var partitionBy: [SyntaxExpression]
    var orderBy: [SortItem]
    var frame: SyntaxWindowFrame?
}

/// What binding the expressions of one SELECT collects besides the expressions.
extension SelectState.SetReturning {
    /// Whether one of the columns is the function's.
    func gives(_ columns: Set<ColumnID>) -> Bool { self.columns.contains { columns.contains($0.id) } }
}

final class SelectState {
    struct Aggregate {
        var column: PlanColumn
        var call: AggregateCall
    }
    struct Window {
        var column: PlanColumn
        var call: WindowCall
        var partitions: [Expression]
        var ordering: [SortKey]
    }
    struct SetReturning {
        var name: String
        var arguments: [Expression]
        var columns: [PlanColumn]
        var position: SourcePosition
    }
    /// GROUPING(…): its column is replaced once the grouping sets are known.
    struct Grouping {
        var column: PlanColumn
        var arguments: [Expression]
        var position: SourcePosition
    }
    struct ColumnUse {
        var id: ColumnID
        var position: SourcePosition
        var name: String
    }
    /// What stands in front of WITHIN GROUP: only grouped columns may be in it.
    struct DirectArgument {
        var expression: Expression
        var uses: [ColumnUse]
        var position: SourcePosition
    }
    var aggregates: [Aggregate] = []
    var directArguments: [DirectArgument] = []
    var windows: [Window] = []
    var setReturning: [SetReturning] = []
    var groupings: [Grouping] = []
    /// Uses of FROM's columns after grouping and outside aggregates, for messages about ungrouped columns.
    var columnUses: [ColumnUse] = []
    /// Windows of the WINDOW clause.
    var namedWindows: [String: ResolvedWindow] = [:]
    /// Items of the SELECT list by name, where QUALIFY may name them.
    var aliases: [String: Expression] = [:]
}

extension StatementBinder {
    /// The column that a name of one to four parts stands for.
    func resolveColumn(_ parts: [String], _ scope: Scope, at position: SourcePosition) throws -> Expression {
        if parts.count > 4 {
            throw QueryError(
                .syntaxError,
                "improper qualified name (too many dotted names): \(parts.joined(separator: "."))", at: position)
        }
        return parts.count == 1
            ? try resolveUnqualified(parts[0], scope, at: position)
            : try resolveQualified(parts, scope, at: position)
    }

    private func resolveUnqualified(_ name: String, _ scope: Scope, at position: SourcePosition) throws -> Expression {
        var current: Scope? = scope
        while let level = current {
            var found: ScopeColumn?
            for column in level.namespace.columns where column.name == name {
                if found != nil {
                    throw QueryError(.ambiguousColumn, "column reference \"\(name)\" is ambiguous", at: position)
                }
                found = column
            }
            if let found {
                note(found, nil, [name], at: position)
                noteFullName(found, level, scope, at: position)
                return use(found, in: level, from: scope, at: position)
            }
            if name == Self.tableIdentifierName {
                let known = level.namespace.relations.compactMap(\.tableIdentifier)
                if known.count > 1 {
                    throw QueryError(.ambiguousColumn, "column reference \"\(name)\" is ambiguous", at: position)
                }
                if let value = known.first { return useIdentifier(value, in: level, from: scope, at: position) }
            }
            if level.clause == .qualify, let alias = level.select?.aliases[name] { return alias }
            current = level.parent
        }
        if let row = try wholeRow([name], scope, at: position) { return row }
        throw QueryError(
            .undefinedColumn, "column \"\(name)\" does not exist", hint: columnHint(name, nil, scope), at: position,
            object: name)
    }

    private func resolveQualified(_ parts: [String], _ scope: Scope, at position: SourcePosition) throws -> Expression {
        let qualifier = parts.dropLast()
        let name = parts[parts.count - 1]
        guard let (relation, level) = try findRelation(qualifier, scope, at: position) else {
            throw missingRelation(qualifier, at: position)
        }
        var found: ScopeColumn?
        for column in relation.columns where column.name == name {
            if found != nil {
                throw QueryError(.ambiguousColumn, "column reference \"\(name)\" is ambiguous", at: position)
            }
            found = column
        }
        if found == nil, name == Self.tableIdentifierName, let value = relation.tableIdentifier {
            return useIdentifier(value, in: level, from: scope, at: position)
        }
        guard let found else {
            let full = "\(relation.name).\(name)"
            throw QueryError(
                .undefinedColumn, "column \(full) does not exist", hint: columnHint(name, relation, scope),
                at: position, object: full)
        }
        note(found, relation, parts, at: position)
        return use(found, in: level, from: scope, at: position, qualifier: relation.name)
    }

    func missingRelation(_ qualifier: ArraySlice<String>, at position: SourcePosition) -> QueryError {
        QueryError(
            .undefinedTable, "missing FROM-clause entry for table \"\(qualifier.last ?? "")\"", at: position,
            object: qualifier.joined(separator: "."))
    }

    /// The nearest relation of that name.
    func findRelation(
        _ qualifier: ArraySlice<String>, _ scope: Scope, at position: SourcePosition
    ) throws -> (ScopeRelation, Scope)? {
        var current: Scope? = scope
        while let level = current {
            let matches = level.namespace.relations.filter { $0.matches(qualifier) }
            if matches.count > 1 {
                throw QueryError(
                    SQLState("42P09"), "table reference \"\(qualifier.joined(separator: "."))\" is ambiguous",
                    at: position)
            }
            if let match = matches.first { return (match, level) }
            current = level.parent
        }
        return nil
    }

    /// The row of a relation as a record; `nil` if there is no such relation.
    func wholeRow(_ qualifier: ArraySlice<String>, _ scope: Scope, at position: SourcePosition) throws -> Expression? {
        guard let (relation, level) = try findRelation(qualifier, scope, at: position) else { return nil }
        noteRow(of: relation)
        guard let row = relation.row else {
            throw QueryError.notSupported("a reference to the whole row of \"\(relation.name)\"", at: position)
        }
        return use(row, in: level, from: scope, at: position, qualifier: relation.name)
    }

    /// Notes the use of a column: for grouping errors, for the levels of aggregates, and for LATERAL.
    func use(
        _ column: ScopeColumn, in level: Scope, from scope: Scope, at position: SourcePosition, qualifier: String? = nil
    ) -> Expression {
        if level.isLateral { lateralUses += 1 }
        if let select = level.select, level.clause.isAfterGrouping, level.aggregateDepth == 0 {
            let relation =
                qualifier
                ?? level.namespace.relations.first { relation in
                    relation.columns.contains { $0.id == column.id }
                }?.name
            let name = relation.map { $0.isEmpty ? column.name : "\($0).\(column.name)" } ?? column.name
            select.columnUses.append(.init(id: column.id, position: position, name: name))
        }
        for index in aggregateLevels.indices where level.depth <= aggregateLevels[index].callDepth {
            if let known = aggregateLevels[index].deepest, known.depth >= level.depth { continue }
            aggregateLevels[index].deepest = level
        }
        return column.reference
    }

    /// "Perhaps you meant …" for the column in sight whose name is nearest.
    private func columnHint(_ name: String, _ relation: ScopeRelation?, _ scope: Scope) -> String? {
        var best: (distance: Int, text: String)?
        func consider(_ relation: ScopeRelation) {
            for column in relation.columns {
                let distance = editDistance(name, column.name)
                guard distance <= max(1, name.count / 2), distance < best?.distance ?? Int.max else { continue }
                best = (distance, relation.name.isEmpty ? column.name : "\(relation.name).\(column.name)")
            }
        }
        if let relation {
            consider(relation)
        } else {
            var current: Scope? = scope
            while let level = current {
                level.namespace.relations.forEach(consider)
                current = level.parent
            }
        }
        return best.map { "Perhaps you meant to reference the column \"\($0.text)\"." }
    }
}

/// Levenshtein distance; names longer than 64 characters count as far apart.
func editDistance(_ first: String, _ second: String) -> Int {
    let a = Array(first.unicodeScalars)
    let b = Array(second.unicodeScalars)
    if a.count > 64 || b.count > 64 { return Int.max }
    var previous = Array(0...b.count)
    for i in a.indices {
        var current = [i + 1]
        current.reserveCapacity(b.count + 1)
        for j in b.indices {
            let replaced = previous[j] + (a[i] == b[j] ? 0 : 1)
            current.append(min(replaced, previous[j + 1] + 1, current[j] + 1))
        }
        previous = current
    }
    return previous[b.count]
}
