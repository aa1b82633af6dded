// Rows as values: ROW(…), whole rows of relations, fields, and how records compare.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

extension StatementBinder {
    /// A record of given fields.
    func recordOf(_ fields: [Expression], type: DataType) -> Expression {
        .call(ScalarCall(name: "row", arguments: fields, type: type, isStrict: false, canFail: false))
    }

    /// The fields of a row constructor; `t.*` within it stands for all columns.
    func rowOperands(_ fields: [SyntaxExpression], _ scope: Scope) throws -> [Operand] {
        try fields.flatMap { field -> [Operand] in
            guard case .star(let qualifier) = field.kind, !qualifier.isEmpty else { return [try operand(field, scope)] }
            guard let (relation, level) = try findRelation(qualifier[...], scope, at: field.position) else {
                throw missingRelation(qualifier[...], at: field.position)
            }
            return relation.columns.map { column in
                Operand(
                    expression: use(column, in: level, from: scope, at: field.position, qualifier: relation.name),
                    position: field.position)
            }
        }
    }

    func bindRow(_ fields: [SyntaxExpression], _ scope: Scope) throws -> Expression {
        let values = try rowOperands(fields, scope).map { try settled($0.expression, at: $0.position) }
        let types = values.enumerated().map { Field(name: "f\($0.offset + 1)", type: $0.element.type) }
        return recordOf(values, type: .record(types))
    }

    /// `(record).name`.
    func bindField(_ syntax: SyntaxExpression, _ name: String, _ scope: Scope, at position: SourcePosition) throws
        -> Expression
    {
        let record = try bind(syntax, scope)
        guard let fields = record.type.recordFields else {
            throw QueryError(
                .wrongObjectType,
                "column notation .\(name) applied to type \(TypeConversion.displayName(record.type)), "
                    + "which is not a composite type", at: position)
        }
        guard let index = fields.firstIndex(where: { $0.name == name }) else {
            throw QueryError(
                .undefinedColumn, "could not identify column \"\(name)\" in record data type", at: position,
                object: name)
        }
        return field(index, of: record, fields)
    }

    func field(_ index: Int, of record: Expression, _ fields: [Field]) -> Expression {
        if case .call(let call) = record, call.name == "row", call.arguments.count == fields.count {
            return call.arguments[index]
        }
        return .call(
            ScalarCall(
                name: "record field", arguments: [record, .literal(.integer(Int64(index)), .int32)],
                type: fields[index].type, canFail: false))
    }

    /// `(record).*` as items of a SELECT list.
    func fieldOutputs(_ syntax: SyntaxExpression, _ scope: Scope, at position: SourcePosition) throws -> [SelectOutput]
    {
        let record = try bind(syntax, scope)
        guard let fields = record.type.recordFields else {
            throw QueryError(
                .wrongObjectType, "type \(TypeConversion.displayName(record.type)) is not composite", at: position)
        }
        return fields.indices.map {
            SelectOutput(
                expression: field($0, of: record, fields), name: fields[$0].name, syntax: nil, position: position)
        }
    }

    // MARK: - Comparison

    /// Bytes in the order of the values, for types whose own bytes have another.
    func orderKey(_ expression: Expression) throws -> Expression {
        guard expression.type.hasOrderKey else {
            throw QueryError.notSupported("comparing or ordering records and arrays with this type of element")
        }
        return .call(ScalarCall(name: "order key", arguments: [expression], type: .bytea, canFail: false))
    }

    func recordComparisonType(_ left: Operand, _ right: Operand, _ comparison: String, at position: SourcePosition)
        throws -> DataType
    {
        guard case .record(let first) = left.type, case .record(let second) = right.type, first.count == second.count
        else {
            throw QueryError(
                .datatypeMismatch, "cannot compare record types with different numbers of columns", at: position)
        }
        guard let common = TypeConversion.commonType([left.type, right.type]) else {
            throw QueryError(.datatypeMismatch, "cannot compare dissimilar column types", at: position)
        }
        return common
    }

    /// The query with a column of records replaced by keys that compare as they do.
    func orderKeyed(_ query: BoundQuery, _ index: Int, type: DataType, at position: SourcePosition) throws -> BoundQuery
    {
        var query = try retyped(query, index, to: type, at: position)
        var columns = query.plan.columns
        var expressions = columns.map(\.reference)
        expressions[index] = try orderKey(expressions[index])
        columns[index] = ids.column(columns[index].name, .bytea, isNullable: columns[index].isNullable)
        query.plan = .project(LogicalProject(columns: columns, expressions: expressions, input: query.plan))
        query.columns[index] = ScopeColumn(columns[index])
        return query
    }

    /// `record IS NULL`: the record is NULL or all of its fields are; IS NOT NULL: all fields are not.
    func nullTest(of record: Expression, _ fields: [Field], negated: Bool) -> Expression {
        let tests = fields.indices.map { index -> Expression in
            let test = Expression.isNull(field(index, of: record, fields))
            return negated ? .not(test) : test
        }
        if case .call(let call) = record, call.name == "row" { return .conjunction(tests) }
        return negated
            ? .conjunction([.not(.isNull(record))] + tests) : .or([.isNull(record), .conjunction(tests)])
    }

    /// The plan with one more column.
    func withColumn(_ column: PlanColumn, _ expression: Expression, _ plan: LogicalPlan) -> LogicalPlan {
        let passed = plan.columns
        return .project(
            LogicalProject(
                columns: passed + [column], expressions: passed.map(\.reference) + [expression], input: plan))
    }
}

extension DataType {
    /// Whether `orderKey` knows the order of values of this type.
    fileprivate var hasOrderKey: Bool {
        switch self {
        case .array(let element): element.hasOrderKey
        case .record(let fields): fields.allSatisfy(\.type.hasOrderKey)
        case .text, .varchar, .char, .bytea, .unknown, .name, .internalChar, .jsonb, .numeric, .bit,
            .varbit:
            true
        default: physical != .view
        }
    }
}
