// CREATE TABLE: columns and constraints of a definition.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser
import Storage

/// A table's definition while it is put together.
struct DefinitionBuilder {
    var table: TableName
    var definition: TableDefinition
    var sequences: [OwnedSequence] = []
    var positions: [String: SourcePosition] = [:]

    /// `table_columns_suffix`, with a number if that is taken.
    func constraintName(_ columns: [String], _ suffix: String, taken: Set<String> = []) -> String {
        let base = ([table.table] + columns + [suffix]).joined(separator: "_")
        let used = taken.union(definition.constraintNames)
        if !used.contains(base) { return base }
        var number = 1
        while used.contains(base + String(number)) { number += 1 }
        return base + String(number)
    }
}

extension StatementBinder {
    func bindCreateTable(_ create: CreateTable) throws -> BoundStatement {
        if create.orReplace { throw QueryError.notSupported("CREATE OR REPLACE TABLE", at: create.position) }
        let isTemporary = create.persistence == .temporary
        let name = try creationName(create.name, isTemporary: isTemporary)
        if create.onCommit == .drop || create.onCommit == .deleteRows {
            throw QueryError.notSupported(
                "ON COMMIT \(create.onCommit?.rawValue.uppercased() ?? "")", at: create.position)
        }
        if let option = create.options.first(where: { !["fillfactor", "autovacuum_enabled"].contains($0.name) }) {
            throw QueryError.notSupported("storage parameter \"\(option.name)\"", at: option.position)
        }
        try refuseExisting(create.name, name, ifNotExists: create.ifNotExists)
        if let query = create.query { return try bindCreateTableAs(create, query, name) }
        var builder = DefinitionBuilder(table: name, definition: TableDefinition(columns: []))
        for element in create.elements {
            switch element {
            case .column(let column): try addColumn(column, to: &builder)
            case .like(let source, let options): try addColumns(like: source, options, to: &builder)
            case .constraint: break
            }
        }
        try refuseDuplicateColumns(
            builder.definition.columns.map {
                Identifier($0.field.name, at: builder.positions[$0.field.name] ?? create.position)
            })
        for element in create.elements {
            switch element {
            case .column(let column): try addConstraints(of: column, to: &builder)
            case .constraint(let constraint): try addConstraint(constraint, to: &builder)
            case .like: break
            }
        }
        try checkExpressions(builder)
        return .createTable(
            BoundTable(
                name: name, definition: builder.definition, sequences: builder.sequences,
                ifNotExists: create.ifNotExists, isTemporary: isTemporary, onCommit: create.onCommit))
    }

    private func bindCreateTableAs(_ create: CreateTable, _ query: Query, _ name: TableName) throws -> BoundStatement {
        var bound = try bindSettledQuery(query, parent: nil, commonTables: nil)
        guard create.columnNames.count <= bound.columns.count else {
            throw QueryError(
                .syntaxError, "too many column names were specified", at: create.columnNames.last?.position)
        }
        for (index, column) in create.columnNames.enumerated() { bound.columns[index].name = column.text }
        var columns = fields(bound)
        for index in columns.indices { columns[index].isNullable = true }
        try refuseDuplicateColumns(columns.map { Identifier($0.name, at: create.position) })
        return .createTableAs(
            name: name, plan: bound.plan,
            columns: zip(columns, bound.columns).map { TableColumn(field: $0, userType: $1.userType) },
            ifNotExists: create.ifNotExists,
            withData: create.withData)
    }

    // MARK: - Columns

    private static let serialTypes: [String: DataType] = [
        "smallserial": .int16, "serial2": .int16, "serial": .int32, "serial4": .int32, "bigserial": .int64,
        "serial8": .int64,
    ]

    /// The column with its type, NOT NULL and the source of its values.
    func addColumn(_ syntax: ColumnDefinition, to builder: inout DefinitionBuilder) throws {
        let name = syntax.name.text
        let serial = syntax.type.arrayDimensions.isEmpty ? Self.serialTypes[syntax.type.name.last] : nil
        let named = try serial.map { NamedType(type: $0) } ?? resolveType(syntax.type)
        let type = named.type
        var column = TableColumn(
            field: Field(name: name, type: type, isNullable: serial == nil, modifier: named.columnModifier),
            userType: named.userType)
        if serial != nil {
            let sequence = addSequence(for: name, type, SequenceSettings(), to: &builder)
            let text = [sequence.schema, sequence.table].map { SyntaxPrinter.identifier($0) }.joined(separator: ".")
            column.source = .defaultExpression("nextval(\(SyntaxPrinter.stringLiteral(text)))")
        }
        var isNull: Bool?
        for constraint in syntax.constraints {
            func setSource(_ source: TableColumn.Source) throws {
                if column.source != .given {
                    throw QueryError(
                        .syntaxError,
                        "multiple default values specified for column \"\(name)\" of table \"\(builder.table.table)\"",
                        at: constraint.position, object: name)
                }
                column.source = source
            }
            switch constraint.kind {
            case .notNull, .null:
                let value = constraint.kind == .null
                if let isNull, isNull != value {
                    throw QueryError(
                        .syntaxError,
                        "conflicting NULL/NOT NULL declarations for column \"\(name)\" of table \"\(builder.table.table)\"",
                        at: constraint.position, object: name)
                }
                isNull = value
                column.field.isNullable = value
            case .defaultValue(let value):
                try refuseSubqueries(value, "DEFAULT expression")
                try setSource(.defaultExpression(SyntaxPrinter.text(of: value)))
            case .generated(let value):
                try refuseSubqueries(value, "column generation expression")
                try setSource(.generated(SyntaxPrinter.text(of: value)))
            case .identity(let always, let settings):
                guard type.isInteger else {
                    throw QueryError(
                        .invalidParameterValue, "identity column type must be smallint, integer, or bigint",
                        at: constraint.position)
                }
                let sequence = addSequence(for: name, type, settings, to: &builder)
                try setSource(.identity(always: always, sequence: sequence))
                column.field.isNullable = false
            case .check, .primaryKey, .unique, .references: break
            }
        }
        builder.positions[name] = syntax.name.position
        builder.definition.columns.append(column)
    }

    func addSequence(
        for column: String, _ type: DataType, _ settings: SequenceSettings, to builder: inout DefinitionBuilder
    ) -> TableName {
        let taken = catalog.objects.sequences
        var name = builder.table
        let base = "\(builder.table.table)_\(column)_seq"
        name.table = base
        var number = 0
        while taken[name] != nil || builder.sequences.contains(where: { $0.name == name }) {
            number += 1
            name.table = base + String(number)
        }
        builder.sequences.append(
            OwnedSequence(name: name, options: Self.sequenceOptions(settings, type: type), column: column))
        return name
    }

    /// The options with the bounds of the type where none are given.
    static func sequenceOptions(_ settings: SequenceSettings, type: DataType) -> SequenceOptions {
        let range: (low: Int64, high: Int64) =
            switch type {
            case .int16: (Int64(Int16.min), Int64(Int16.max))
            case .int32: (Int64(Int32.min), Int64(Int32.max))
            default: (.min, .max)
            }
        let increment = settings.increment ?? 1
        func value(_ bound: SequenceSettings.Bound?) -> Int64? {
            if case .value(let value)? = bound { value } else { nil }
        }
        return SequenceOptions(
            increment: increment, minimum: value(settings.minimum) ?? (increment > 0 ? 1 : range.low),
            maximum: value(settings.maximum) ?? (increment > 0 ? range.high : -1), start: settings.start,
            cycles: settings.cycles ?? false)
    }

    private func refuseSubqueries(_ syntax: SyntaxExpression, _ place: String) throws {
        switch syntax.kind {
        case .exists, .scalarQuery, .arrayQuery, .inQuery:
            throw QueryError.notSupported("a sub-query in a \(place)", at: syntax.position)
        case .quantified(let comparison):
            if case .query = comparison.right {
                throw QueryError.notSupported("a sub-query in a \(place)", at: syntax.position)
            }
        default: break
        }
        for child in syntax.directChildren { try refuseSubqueries(child, place) }
    }

    /// LIKE: columns and NOT NULL always, the rest as INCLUDING says.
    private func addColumns(like source: ObjectName, _ options: [String], to builder: inout DefinitionBuilder) throws {
        var included: Set<String> = []
        for option in options {
            let words = option.split(separator: " ").map(String.init)
            guard words.count == 2 else { continue }
            let names =
                words[1] == "all" ? ["defaults", "constraints", "indexes", "identity", "generated"] : [words[1]]
            if words[0] == "including" { included.formUnion(names) } else { included.subtract(names) }
        }
        let scope = Scope(parent: nil, commonTables: nil, select: nil, clause: .fromClause)
        let item = try bindNamedTable(source, alias: nil, scope)
        let plain = fields(BoundQuery(plan: item.plan, columns: item.namespace.columns))
        var original = TableDefinition(Schema(plain))
        if case .table(let table, _)? = relations.byName[source.parts], let known = relations.definitions[table] {
            original = known
        }
        let shift = builder.definition.columns.count
        for var column in original.columns {
            switch column.source {
            case .given: break
            case .store: column.source = .given
            case .defaultExpression: if !included.contains("defaults") { column.source = .given }
            case .generated: if !included.contains("generated") { column.source = .given }
            case .identity(let always, _):
                column.source = .given
                if included.contains("identity") {
                    let sequence = addSequence(
                        for: column.field.name, column.field.type, SequenceSettings(), to: &builder)
                    column.source = .identity(always: always, sequence: sequence)
                }
            }
            builder.positions[column.field.name] = source.position
            builder.definition.columns.append(column)
        }
        if included.contains("constraints") { builder.definition.checks += original.checks }
        if included.contains("indexes") {
            for var key in original.keys {
                let names = key.columns.map { original.columns[$0].field.name }
                key.name =
                    key.kind == .primary
                    ? builder.constraintName([], "pkey")
                    : builder.constraintName(names, key.kind == .index ? "idx" : "key")
                key.columns = key.columns.map { $0 + shift }
                builder.definition.keys.append(key)
            }
        }
    }

    // MARK: - Constraints

    func addConstraints(of syntax: ColumnDefinition, to builder: inout DefinitionBuilder) throws {
        let column = syntax.name
        for constraint in syntax.constraints {
            let kind: TableConstraint.Kind
            switch constraint.kind {
            case .check(let expression): kind = .check(expression)
            case .primaryKey: kind = .primaryKey([column])
            case .unique(let nullsAreEqual): kind = .unique([column], nullsAreEqual: nullsAreEqual)
            case .references(let target): kind = .foreignKey([column], target)
            default: continue
            }
            try addConstraint(kind, name: constraint.name, at: constraint.position, to: &builder)
        }
    }

    func addConstraint(_ constraint: TableConstraint, to builder: inout DefinitionBuilder) throws {
        try addConstraint(constraint.kind, name: constraint.name, at: constraint.position, to: &builder)
    }

    private func addConstraint(
        _ kind: TableConstraint.Kind, name: Identifier?, at position: SourcePosition,
        to builder: inout DefinitionBuilder
    ) throws {
        if let name, builder.definition.constraintNames.contains(name.text) {
            throw QueryError(
                .duplicateObject,
                "constraint \"\(name)\" for relation \"\(builder.table.table)\" already exists", at: name.position,
                object: name.text)
        }
        switch kind {
        case .check(let expression):
            try refuseSubqueries(expression, "check constraint")
            let used = try columnsUsed(expression, builder)
            let made = builder.constraintName(used.count == 1 ? Array(used) : [], "check")
            builder.definition.checks.append(
                CheckRule(name: name?.text ?? made, expression: SyntaxPrinter.text(of: expression)))
        case .primaryKey(let columns):
            if builder.definition.keys.contains(where: { $0.kind == .primary }) {
                throw QueryError(
                    SQLState("42P16"), "multiple primary keys for table \"\(builder.table.table)\" are not allowed",
                    at: position)
            }
            let ordinals = try keyOrdinals(columns, builder)
            for ordinal in ordinals { builder.definition.columns[ordinal].field.isNullable = false }
            builder.definition.keys.append(
                UniqueKey(name: name?.text ?? builder.constraintName([], "pkey"), kind: .primary, columns: ordinals))
        case .unique(let columns, let nullsAreEqual):
            let ordinals = try keyOrdinals(columns, builder)
            builder.definition.keys.append(
                UniqueKey(
                    name: name?.text ?? builder.constraintName(columns.map(\.text), "key"), kind: .unique,
                    columns: ordinals, nullsAreEqual: nullsAreEqual))
        case .foreignKey(let columns, let target):
            try addForeignKey(columns, target, name: name, at: position, to: &builder)
        }
    }

    private func keyOrdinals(_ columns: [Identifier], _ builder: DefinitionBuilder) throws -> [Int] {
        var ordinals: [Int] = []
        for column in columns {
            guard let ordinal = builder.definition.ordinal(of: column.text) else {
                throw QueryError(
                    .undefinedColumn, "column \"\(column)\" named in key does not exist", at: column.position,
                    object: column.text)
            }
            if ordinals.contains(ordinal) {
                throw QueryError(
                    .duplicateColumn, "column \"\(column)\" appears twice in unique constraint", at: column.position,
                    object: column.text)
            }
            let type = builder.definition.columns[ordinal].field.type
            if type == .json {
                throw QueryError(
                    .undefinedObject, "data type json has no default operator class for access method \"btree\"",
                    at: column.position)
            }
            ordinals.append(ordinal)
        }
        return ordinals
    }

    private func addForeignKey(
        _ columns: [Identifier], _ target: ForeignKeyTarget, name: Identifier?, at position: SourcePosition,
        to builder: inout DefinitionBuilder
    ) throws {
        let ordinals = try columns.map { column -> Int in
            guard let ordinal = builder.definition.ordinal(of: column.text) else {
                throw QueryError(
                    .undefinedColumn, "column \"\(column)\" referenced in foreign key constraint does not exist",
                    at: column.position, object: column.text)
            }
            return ordinal
        }
        let table: TableName
        let other: TableDefinition
        if target.table.last == builder.table.table, relations.byName[target.table.parts] == nil {
            (table, other) = (builder.table, builder.definition)
        } else {
            let found = try modificationTarget(target.table, alias: nil, action: "reference")
            (table, other) = (found.table, found.table == builder.table ? builder.definition : found.definition)
        }
        let keyColumns: [Int]
        if target.columns.isEmpty {
            guard let key = other.keys.first(where: { $0.kind == .primary }) else {
                throw QueryError(
                    .undefinedObject, "there is no primary key for referenced table \"\(table.table)\"",
                    at: target.table.position)
            }
            keyColumns = key.columns
        } else {
            keyColumns = try target.columns.map { try columnOrdinals([$0], other.schema, of: table)[0] }
        }
        guard keyColumns.count == ordinals.count else {
            throw QueryError(
                SQLState("42830"), "number of referencing and referenced columns for foreign key disagree",
                at: position)
        }
        guard other.keys.contains(where: { Set($0.columns) == Set(keyColumns) }) else {
            throw QueryError(
                SQLState("42830"),
                "there is no unique constraint matching given keys for referenced table \"\(table.table)\"",
                at: target.table.position)
        }
        for (ordinal, key) in zip(ordinals, keyColumns) {
            let types = (builder.definition.columns[ordinal].field.type, other.columns[key].field.type)
            guard TypeConversion.commonType([types.0, types.1]) != nil else {
                throw QueryError(
                    .datatypeMismatch, "foreign key constraint cannot be implemented",
                    detail: "Key columns are of incompatible types: \(types.0.sqlName) and \(types.1.sqlName).",
                    at: position)
            }
        }
        func action(_ text: String?) -> ForeignKey.Action {
            text.flatMap(ForeignKey.Action.init(rawValue:)) ?? .noAction
        }
        let key = ForeignKey(
            name: name?.text ?? builder.constraintName(columns.map(\.text), "fkey"), columns: columns.map(\.text),
            target: table, targetColumns: keyColumns.map { other.columns[$0].field.name },
            onDelete: action(target.onDelete), onUpdate: action(target.onUpdate))
        if key.onUpdate != .noAction && key.onUpdate != .restrict {
            throw QueryError.notSupported("ON UPDATE \(key.onUpdate.rawValue.uppercased())", at: position)
        }
        builder.definition.foreignKeys.append(key)
    }

    // MARK: - Expressions

    private func definitionTarget(_ builder: DefinitionBuilder) -> (ModificationTarget, [PlanColumn]) {
        let target = ModificationTarget(
            table: builder.table, definition: builder.definition, name: builder.table.table, isAliased: false)
        return (target, target.fields.map { ids.column($0.name, $0.type) })
    }

    /// Names of the columns that an expression reads.
    private func columnsUsed(_ syntax: SyntaxExpression, _ builder: DefinitionBuilder) throws -> Set<String> {
        let (target, row) = definitionTarget(builder)
        let scope = Scope(parent: nil, commonTables: nil, select: nil, clause: .check)
        let columns = row.map { ScopeColumn($0) }
        scope.namespace = Namespace(
            relations: [ScopeRelation(name: target.name, table: target.table, columns: columns)], columns: columns)
        let value = try bindCondition(syntax, scope, construct: "CHECK")
        let used = value.columns
        return Set(row.filter { used.contains($0.id) }.map(\.name))
    }

    /// Defaults and generated columns must be right now; they are bound anew for every statement.
    func checkExpressions(_ builder: DefinitionBuilder) throws {
        let (target, row) = definitionTarget(builder)
        for column in builder.definition.columns {
            let position = builder.positions[column.field.name]
            do {
                switch column.source {
                case .given, .identity, .store: break
                case .defaultExpression: try checkDefault(column)
                case .generated(let text):
                    let value = try storedExpression(text, target, row, clause: .generated)
                    try checkGenerated(value.expression, column, target, row)
                    _ = try assigned(value, to: column.field)
                }
            } catch let error as QueryError {
                throw error.located(at: position)
            }
        }
    }

    func checkDefault(_ column: TableColumn) throws {
        do { _ = try defaultValue(column) } catch let error as QueryError where error.state == .undefinedColumn {
            throw QueryError(.featureNotSupported, "cannot use column reference in DEFAULT expression")
        } catch let error as QueryError
            where error.state == .stringDataRightTruncation || error.state == .numericValueOutOfRange
        {
            // A value that does not fit is an error of the statement that uses it.
        }
    }

    private func checkGenerated(
        _ value: Expression, _ column: TableColumn, _ target: ModificationTarget, _ row: [PlanColumn]
    ) throws {
        let used = value.columns
        for (other, plan) in zip(target.definition.columns, row) where other.isGenerated && used.contains(plan.id) {
            throw QueryError(
                SQLState("42P17"),
                "cannot use generated column \"\(other.field.name)\" in column generation expression",
                detail: "A generated column cannot reference another generated column.")
        }
        let isMutable = value.contains { expression in
            guard case .call(let call) = expression, call.volatility != .immutable else { return false }
            // Texts of dates and times depend on the session, those of other types do not.
            return call.name != "||" || call.arguments.contains { $0.type.isTemporal }
        }
        if isMutable { throw QueryError(SQLState("42P17"), "generation expression is not immutable") }
    }
}
