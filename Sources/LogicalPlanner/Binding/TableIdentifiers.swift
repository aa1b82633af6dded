// `tableoid`: the system column that says which table a row comes from.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

extension StatementBinder {
    static let tableIdentifierName = "tableoid"

    /// The number of a table; `nil` if the statement does not ask for it.
    func tableIdentifier(_ table: TableName) -> Expression? {
        guard rowNames.contains(Self.tableIdentifierName), let facts = session.catalogFacts else { return nil }
        let text = [table.schema, table.table].map { SyntaxPrinter.identifier($0) }.joined(separator: ".")
        guard let number = try? facts.identifier(of: text, .relation) else { return nil }
        return .literal(.integer(number), .oid)
    }

    /// A table's rows with its number. It is made below any outer join: a row without a match comes from no table.
    func withTableIdentifier(_ item: FromItem, _ table: TableName) -> FromItem {
        guard let number = tableIdentifier(table) else { return item }
        var result = item
        let column = ids.column(Self.tableIdentifierName, .oid, isNullable: false)
        result.plan = withColumn(column, number, item.plan)
        for index in result.namespace.relations.indices {
            result.namespace.relations[index].tableIdentifier = column.reference
        }
        return result
    }

    func useIdentifier(_ value: Expression, in level: Scope, from scope: Scope, at position: SourcePosition)
        -> Expression
    {
        guard case .column(let id, let type) = value else { return value }
        let column = ScopeColumn(name: Self.tableIdentifierName, id: id, type: type)
        return use(column, in: level, from: scope, at: position)
    }
}
