// Names of result columns that have no alias, as PostgreSQL chooses them.

import SQLParser

extension StatementBinder {
    func outputName(_ syntax: SyntaxExpression) -> String { Self.chosenName(syntax)?.name ?? "?column?" }

    /// `isStrong`: taken from a column or function, not from a type or a keyword; it wins over the name of a cast.
    private static func chosenName(_ syntax: SyntaxExpression) -> (name: String, isStrong: Bool)? {
        switch syntax.kind {
        case .column(let parts): return parts.last.map { ($0, true) }
        case .field(_, let name): return (name, true)
        case .function(let call): return (call.name.last, true)
        case .subscripts(let operand, _), .collate(let operand, _): return chosenName(operand)
        case .cast(let operand, let type, _):
            if let inner = chosenName(operand), inner.isStrong { return inner }
            return (columnName(type), false)
        case .typedLiteral(let type, _): return (columnName(type), false)
        case .caseWhen(let expression):
            if let otherwise = expression.otherwise, let inner = chosenName(otherwise), inner.isStrong { return inner }
            return ("case", false)
        case .coalesce: return ("coalesce", true)
        case .nullIf: return ("nullif", true)
        case .greatest: return ("greatest", true)
        case .least: return ("least", true)
        case .grouping: return ("grouping", true)
        case .atTimeZone: return ("timezone", true)
        case .sessionValue(let value, _): return (value.rawValue, true)
        case .array, .arrayQuery: return ("array", true)
        case .row: return ("row", true)
        case .exists: return ("exists", true)
        case .scalarQuery(let query): return firstColumnName(query.body)
        default: return nil
        }
    }

    /// A scalar sub-query is named like its column.
    private static func firstColumnName(_ body: QueryBody) -> (name: String, isStrong: Bool)? {
        switch body {
        case .select(let core):
            guard case .expression(let expression, let alias)? = core.items.first?.kind else { return nil }
            return (alias?.text ?? chosenName(expression)?.name ?? "?column?", true)
        case .setOperation(let operation): return firstColumnName(operation.left)
        case .values: return ("column1", true)
        case .nested(let query): return firstColumnName(query.body)
        case .table: return nil
        }
    }
}
