// ALTER TABLE: all actions of the statement become one other definition, and one query for the new rows where they change.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser
import Storage

/// A table while the actions of ALTER TABLE are applied one after the other.
private struct AlteredTable {
    var builder: DefinitionBuilder
    /// For each column of the new definition, its value over the old rows.
    var values: [Expression]
    var rewrites = false
    var newChecks: [String] = []
    var result: BoundAlteration
}

extension StatementBinder {
    func bindAlterTable(_ alter: AlterTable) throws -> BoundStatement {
        guard let found = relations.byName[alter.name.parts] else {
            if alter.ifExists { return .nothing(tag: "ALTER TABLE", missing: alter.name.last) }
            throw undefinedRelation(alter.name)
        }
        guard case .table(let name, let schema) = found else { return try bindAlterView(alter, found) }
        if relations.materialized[name] != nil {
            throw QueryError.notSupported("ALTER of a materialized view", at: alter.name.position)
        }
        noteTable(name)
        let definition = relations.definitions[name] ?? TableDefinition(schema)
        let target = ModificationTarget(
            table: name, definition: definition, name: name.table, isAliased: false)
        let row = definition.columns.map { ids.column($0.field.name, $0.field.type, isNullable: $0.field.isNullable) }
        var altered = AlteredTable(
            builder: DefinitionBuilder(table: name, definition: definition), values: row.map(\.reference),
            result: BoundAlteration(table: name, definition: definition, plan: nil, rewrites: false, checks: []))
        for action in alter.actions { try apply(action, target, row, &altered) }
        try checkExpressions(altered.builder)

        var result = altered.result
        result.definition = altered.builder.definition
        result.sequences = altered.builder.sequences
        result.rewrites = altered.rewrites
        result.checks = altered.newChecks
        guard altered.rewrites || !altered.newChecks.isEmpty else { return .alterTable(result) }
        let scan = LogicalPlan.scan(LogicalScan(table: name, columns: row, ordinals: Array(row.indices)))
        let columns = result.definition.columns.map { ids.column($0.field.name, $0.field.type) }
        var rows = ModifiedRows(
            plan: .project(LogicalProject(columns: columns, expressions: altered.values, input: scan)), row: columns)
        let newTarget = ModificationTarget(
            table: name, definition: result.definition, name: name.table, isAliased: false)
        if altered.rewrites { try computeGenerated(newTarget, &rows) }
        var output = altered.rewrites ? rows.row : []
        var expressions = output.map(\.reference)
        for check in result.definition.checks where altered.newChecks.contains(check.name) {
            let value = try storedExpression(check.expression, newTarget, rows.row, clause: .check)
            output.append(ids.column(check.name, .boolean))
            expressions.append(try coerceToBoolean(value, construct: "CHECK"))
        }
        result.plan = .project(LogicalProject(columns: output, expressions: expressions, input: rows.plan))
        return .alterTable(result)
    }

    private func bindAlterView(_ alter: AlterTable, _ found: ResolvedRelation) throws -> BoundStatement {
        guard case .view(let name, let query, _) = found else { throw undefinedRelation(alter.name) }
        var result = BoundAlteration(
            table: name, definition: TableDefinition(columns: []), plan: nil, rewrites: false, checks: [])
        if alter.object == .view { result.tag = "ALTER VIEW" }
        for action in alter.actions {
            switch action {
            case .renameTo(let new):
                result.newName = name
                result.newName?.table = new.text
            case .setSchema(let schema):
                result.newName = name
                result.newName?.schema = schema.text
            case .ownerTo: break
            case .setDefault(let column, let value):
                let text = SyntaxPrinter.text(of: value)
                let field = try viewField(column, alter.name, found)
                _ = try defaultValue(TableColumn(field: field, source: .defaultExpression(text)))
                result.viewDefaults[column.text] = .some(text)
            case .dropDefault(let column):
                _ = try viewField(column, alter.name, found)
                result.viewDefaults[column.text] = .some(nil)
            case .renameColumn(let column, let new):
                _ = try viewField(column, alter.name, found)
                if catalog.view(name)?.columnNames?.contains(new.text) == true {
                    throw QueryError(
                        .duplicateColumn, "column \"\(new)\" of relation \"\(name.table)\" already exists",
                        at: new.position, object: new.text)
                }
                result.renamedColumns[column.text] = new.text
            case .setOptions(let options):
                if let option = try checkOption(options, query) { result.checkOption = .some(option) }
            case .resetOptions(let names):
                if names.contains(where: { $0.text == "check_option" }) { result.checkOption = .some(nil) }
            default: throw QueryError.notSupported("this action for a view", at: alter.position)
            }
        }
        return .alterView(result)
    }

    /// A column of a view.
    private func viewField(_ column: Identifier, _ view: ObjectName, _ found: ResolvedRelation) throws -> Field {
        let scope = Scope(parent: nil, commonTables: nil, select: nil, clause: .fromClause)
        let columns = try bindNamedTable(view, alias: nil, scope).namespace.columns
        guard let known = columns.first(where: { $0.name == column.text }) else {
            throw QueryError(
                .undefinedColumn, "column \"\(column)\" of relation \"\(view.last)\" does not exist",
                at: column.position, object: column.text)
        }
        return Field(name: known.name, type: known.type)
    }

    private func ordinal(_ column: Identifier, _ altered: AlteredTable) throws -> Int {
        guard let ordinal = altered.builder.definition.ordinal(of: column.text) else {
            throw QueryError(
                .undefinedColumn,
                "column \"\(column)\" of relation \"\(altered.builder.table.table)\" does not exist",
                at: column.position, object: column.text)
        }
        return ordinal
    }

    private func apply(
        _ action: AlterTable.Action, _ target: ModificationTarget, _ row: [PlanColumn], _ altered: inout AlteredTable
    ) throws {
        switch action {
        case .addColumn(let column, let ifNotExists): try add(column, ifNotExists: ifNotExists, &altered)
        case .dropColumn(let column, let ifExists, let cascade):
            if ifExists, altered.builder.definition.ordinal(of: column.text) == nil {
                altered.result.notices.append(
                    QueryError(
                        .undefinedColumn,
                        "column \"\(column)\" of relation \"\(target.table.table)\" does not exist, skipping"))
                return
            }
            try drop(column, cascade: cascade, &altered)
        case .setType(let column, let type, let using): try setType(column, type, using, target, row, &altered)
        case .setDefault(let column, let value):
            let ordinal = try ordinal(column, altered)
            switch altered.builder.definition.columns[ordinal].source {
            case .generated:
                throw QueryError(
                    .syntaxError, "column \"\(column)\" of relation \"\(target.table.table)\" is a generated column",
                    at: column.position)
            case .identity:
                throw QueryError(
                    .syntaxError, "column \"\(column)\" of relation \"\(target.table.table)\" is an identity column",
                    at: column.position)
            default: break
            }
            altered.builder.definition.columns[ordinal].source = .defaultExpression(SyntaxPrinter.text(of: value))
        case .dropDefault(let column):
            let ordinal = try ordinal(column, altered)
            switch altered.builder.definition.columns[ordinal].source {
            case .generated, .identity, .store:
                throw QueryError(
                    .syntaxError, "column \"\(column)\" of relation \"\(target.table.table)\" has no plain default",
                    at: column.position)
            default: altered.builder.definition.columns[ordinal].source = .given
            }
        case .setNotNull(let column):
            altered.builder.definition.columns[try ordinal(column, altered)].field.isNullable = false
        case .dropNotNull(let column):
            let ordinal = try ordinal(column, altered)
            if altered.builder.definition.keys.contains(where: { $0.kind == .primary && $0.columns.contains(ordinal) })
            {
                throw QueryError(
                    SQLState("42P16"), "column \"\(column)\" is in a primary key", at: column.position,
                    object: column.text)
            }
            altered.builder.definition.columns[ordinal].field.isNullable = true
        case .addConstraint(let constraint):
            let checksBefore = altered.builder.definition.checks.count
            try addConstraint(constraint, to: &altered.builder)
            altered.newChecks += altered.builder.definition.checks.dropFirst(checksBefore).map(\.name)
            if case .foreignKey = constraint.kind { altered.result.addsForeignKeys = true }
        case .dropConstraint(let name, let ifExists, let cascade):
            try dropConstraint(name, ifExists: ifExists, cascade: cascade, &altered)
        case .renameColumn(let column, let new): try rename(column, to: new, &altered)
        case .renameConstraint(let name, let new): try renameConstraint(name, to: new, &altered)
        case .renameTo(let new):
            altered.result.newName = altered.result.newName ?? target.table
            altered.result.newName?.table = new.text
        case .setSchema(let schema):
            altered.result.newName = altered.result.newName ?? target.table
            altered.result.newName?.schema = schema.text
        case .ownerTo: break
        case .setOptions, .resetOptions: throw QueryError.notSupported("storage parameters of a table")
        }
    }

    // MARK: - Columns

    private func add(_ column: ColumnDefinition, ifNotExists: Bool, _ altered: inout AlteredTable) throws {
        if altered.builder.definition.ordinal(of: column.name.text) != nil {
            let message =
                "column \"\(column.name)\" of relation \"\(altered.builder.table.table)\" already exists"
            if ifNotExists {
                altered.result.notices.append(QueryError(.duplicateColumn, message + ", skipping"))
                return
            }
            throw QueryError(.duplicateColumn, message, at: column.name.position, object: column.name.text)
        }
        let checksBefore = altered.builder.definition.checks.count
        try addColumn(column, to: &altered.builder)
        guard let added = altered.builder.definition.columns.last else { return }
        altered.values.append(try defaultValue(added))
        altered.rewrites = true
        try addConstraints(of: column, to: &altered.builder)
        altered.newChecks += altered.builder.definition.checks.dropFirst(checksBefore).map(\.name)
        let references = column.constraints.contains { if case .references = $0.kind { true } else { false } }
        if references { altered.result.addsForeignKeys = true }
    }

    /// What a rule reads, for DROP COLUMN and the renaming of columns.
    private func reads(_ text: String, _ column: String) -> Bool {
        guard let syntax = try? StatementParser.parseExpression(text) else { return true }
        func visit(_ syntax: SyntaxExpression) -> Bool {
            if case .column(let parts) = syntax.kind, parts.last == column { return true }
            return syntax.directChildren.contains(where: visit)
        }
        return visit(syntax)
    }

    private func drop(_ column: Identifier, cascade: Bool, _ altered: inout AlteredTable) throws {
        let ordinal = try ordinal(column, altered)
        var definition = altered.builder.definition
        let dependent = definition.columns.first {
            if case .generated(let text) = $0.source { reads(text, column.text) } else { false }
        }
        if let dependent, !cascade {
            throw QueryError(
                .dependentObjectsStillExist,
                "cannot drop column \(column) of table \(altered.builder.table.table) because other objects depend on it",
                detail: "column \(dependent.field.name) depends on it.",
                hint: "Use DROP ... CASCADE to drop the dependent objects too.", at: column.position)
        }
        altered.result.droppedKeys += definition.keys.filter { $0.columns.contains(ordinal) }
        definition.keys.removeAll { $0.columns.contains(ordinal) }
        for index in definition.keys.indices {
            definition.keys[index].columns = definition.keys[index].columns.map { $0 > ordinal ? $0 - 1 : $0 }
        }
        definition.checks.removeAll { reads($0.expression, column.text) }
        definition.foreignKeys.removeAll { $0.columns.contains(column.text) }
        definition.columns.remove(at: ordinal)
        altered.values.remove(at: ordinal)
        altered.builder.definition = definition
        altered.rewrites = true
        altered.result.droppedColumns.append(column.text)
        altered.result.cascade = altered.result.cascade || cascade
        if let dependent {
            try drop(Identifier(dependent.field.name, at: column.position), cascade: cascade, &altered)
        }
    }

    private func setType(
        _ column: Identifier, _ typeName: TypeName, _ using: SyntaxExpression?, _ target: ModificationTarget,
        _ row: [PlanColumn], _ altered: inout AlteredTable
    ) throws {
        let ordinal = try ordinal(column, altered)
        let named = try resolveType(typeName)
        let type = named.type
        var field = altered.builder.definition.columns[ordinal].field
        field.type = type
        field.modifier = named.columnModifier
        let value: Operand
        if let using {
            let scope = Scope(parent: nil, commonTables: nil, select: nil, clause: .constant)
            let columns = row.map { ScopeColumn($0) }
            scope.namespace = Namespace(
                relations: [ScopeRelation(name: target.name, table: target.table, columns: columns)], columns: columns)
            value = try operand(using, scope)
        } else {
            value = Operand(expression: altered.values[ordinal], position: column.position)
        }
        do {
            altered.values[ordinal] = try assigned(value, to: TableColumn(field: field, userType: named.userType))
        } catch let error as QueryError
            where error.state == .datatypeMismatch
        {
            let what = using == nil ? "column \"\(column)\"" : "result of USING clause for column \"\(column)\""
            throw QueryError(
                .datatypeMismatch, "\(what) cannot be cast automatically to type \(TypeConversion.displayName(type))",
                hint: using == nil
                    ? "You might need to specify \"USING \(column)::\(TypeConversion.displayName(type))\"."
                    : "You might need to add an explicit cast.", at: column.position, object: column.text)
        }
        altered.builder.definition.columns[ordinal].field = field
        altered.builder.definition.columns[ordinal].userType = named.userType
        // Checks hold for the new values as well.
        altered.newChecks += altered.builder.definition.checks.filter { reads($0.expression, column.text) }.map(\.name)
        altered.rewrites = true
        altered.result.retypedColumns.append(column.text)
    }

    private func rename(_ column: Identifier, to new: Identifier, _ altered: inout AlteredTable) throws {
        let ordinal = try ordinal(column, altered)
        guard altered.builder.definition.ordinal(of: new.text) == nil else {
            throw QueryError(
                .duplicateColumn,
                "column \"\(new)\" of relation \"\(altered.builder.table.table)\" already exists", at: new.position,
                object: new.text)
        }
        func renamed(_ text: String) throws -> String {
            guard reads(text, column.text) else { return text }
            return try Self.renamingColumn(column.text, to: new.text, in: text)
        }
        var definition = altered.builder.definition
        definition.columns[ordinal].field.name = new.text
        for index in definition.columns.indices {
            if case .generated(let text) = definition.columns[index].source {
                definition.columns[index].source = .generated(try renamed(text))
            }
        }
        for index in definition.checks.indices {
            definition.checks[index].expression = try renamed(definition.checks[index].expression)
        }
        for index in definition.foreignKeys.indices {
            definition.foreignKeys[index].columns = definition.foreignKeys[index].columns.map {
                $0 == column.text ? new.text : $0
            }
        }
        altered.builder.definition = definition
        altered.result.renamedColumns[column.text] = new.text
    }

    // MARK: - Constraints

    private func dropConstraint(
        _ name: Identifier, ifExists: Bool, cascade: Bool, _ altered: inout AlteredTable
    ) throws {
        var definition = altered.builder.definition
        guard definition.constraintNames.contains(name.text) else {
            let message =
                "constraint \"\(name)\" of relation \"\(altered.builder.table.table)\" does not exist"
            if ifExists {
                altered.result.notices.append(QueryError(.undefinedObject, message + ", skipping"))
                return
            }
            throw QueryError(.undefinedObject, message, at: name.position, object: name.text)
        }
        altered.result.droppedKeys += definition.keys.filter { $0.name == name.text }
        definition.keys.removeAll { $0.name == name.text }
        definition.checks.removeAll { $0.name == name.text }
        definition.foreignKeys.removeAll { $0.name == name.text }
        altered.newChecks.removeAll { $0 == name.text }
        altered.builder.definition = definition
        altered.result.cascade = altered.result.cascade || cascade
    }

    private func renameConstraint(_ name: Identifier, to new: Identifier, _ altered: inout AlteredTable) throws {
        var definition = altered.builder.definition
        if definition.constraintNames.contains(new.text) {
            throw QueryError(
                .duplicateObject,
                "constraint \"\(new)\" for relation \"\(altered.builder.table.table)\" already exists",
                at: new.position, object: new.text)
        }
        if let index = definition.keys.firstIndex(where: { $0.name == name.text }) {
            definition.keys[index].name = new.text
        } else if let index = definition.checks.firstIndex(where: { $0.name == name.text }) {
            definition.checks[index].name = new.text
        } else if let index = definition.foreignKeys.firstIndex(where: { $0.name == name.text }) {
            definition.foreignKeys[index].name = new.text
        } else {
            throw QueryError(
                .undefinedObject,
                "constraint \"\(name)\" for table \"\(altered.builder.table.table)\" does not exist",
                at: name.position, object: name.text)
        }
        altered.builder.definition = definition
    }

    /// A printed expression with every reference to a column under another name.
    private static func renamingColumn(_ old: String, to new: String, in text: String) throws -> String {
        var places: [(offset: Int, parts: [String])] = []
        func visit(_ syntax: SyntaxExpression) {
            if case .column(let parts) = syntax.kind, parts.last == old {
                places.append((syntax.position.offset, parts))
            }
            syntax.directChildren.forEach(visit)
        }
        visit(try StatementParser.parseExpression(text))
        var scalars = Array(text.unicodeScalars)
        func spelled(_ parts: [String]) -> String { parts.map { SyntaxPrinter.identifier($0) }.joined(separator: ".") }
        for place in places.sorted(by: { $0.offset > $1.offset }) {
            let written = Array(spelled(place.parts).unicodeScalars)
            let range = place.offset..<(place.offset + written.count)
            guard range.upperBound <= scalars.count, Array(scalars[range]) == written else {
                throw QueryError.notSupported("renaming a column that an expression of the table names in this way")
            }
            scalars.replaceSubrange(range, with: Array(spelled(place.parts.dropLast() + [new]).unicodeScalars))
        }
        var result = String.UnicodeScalarView()
        result.append(contentsOf: scalars)
        return String(result)
    }
}
