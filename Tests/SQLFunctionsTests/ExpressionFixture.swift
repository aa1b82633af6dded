// What tests of functions share: SQL expressions bound and evaluated, as constants and as columns.

import Columnar
import Diagnostics
import LogicalPlanner
import QueryPlan
import SQLFunctions
import SQLParser
import Storage

enum ExpressionFixture {
    /// The built-in functions, none immutable: calls over literals stay calls.
    static let unfolded: FunctionRegistry = {
        let registry = FunctionRegistry()
        for name in FunctionRegistry.builtIn.names {
            for var function in FunctionRegistry.builtIn.scalarOverloads(name) {
                if function.volatility == .immutable { function.volatility = .stable }
                registry.register(function)
            }
            for function in FunctionRegistry.builtIn.aggregateOverloads(name) { registry.register(function) }
            for function in FunctionRegistry.builtIn.tableOverloads(name) { registry.register(function) }
            for function in FunctionRegistry.builtIn.windowOverloads(name) { registry.register(function) }
        }
        return registry
    }()

    static let context = EvaluationContext(statementTimestamp: 1_700_000_000_000_000)

    static func bind(_ sql: String, registry: FunctionRegistry) async throws -> QueryPlan.Expression {
        let statements = try StatementParser.parse("SELECT " + sql)
        let session = BindingSession(searchPath: [.init(catalog: "martlet", schema: "public")])
        let result = try await Binder(catalog: Catalog(), registry: registry, session: session).bind(
            statements[0].statement)
        guard case .query(let plan, _, _) = result.statement else { throw QueryError.internalError("not a query") }
        var node = plan
        while true {
            switch node {
            case .project(let project):
                guard let expression = project.expressions.first else {
                    throw QueryError.internalError("no expression")
                }
                return expression
            case .values(let values):
                guard let expression = values.rows.first?.first else { throw QueryError.internalError("no expression") }
                return expression
            case .limit(let limit): node = limit.input
            default: throw QueryError.internalError("an unexpected plan")
            }
        }
    }

    static func text(_ vector: Vector, _ row: Int) -> String {
        if vector.isNull(row) { return "\\N" }
        var bytes: [UInt8] = []
        TextFormat.append(vector, row: row, settings: TextSettings(), into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The value's text; `\N` for NULL, `ERROR state` for an error.
    static func evaluate(_ sql: String) async -> String {
        do {
            let bound = try await bind(sql, registry: .builtIn)
            let folded = try ConstantFolder.fold(bound, registry: .builtIn, context: context)
            let evaluator = try ExpressionEvaluator([folded], registry: .builtIn, context: context)
            return text(try evaluator.evaluate(Batch(columns: [], rowCount: 1))[0], 0)
        } catch let error as QueryError {
            return "ERROR \(error.state)"
        } catch {
            return "ERROR \(error)"
        }
    }

    /// The same with every literal of the bound expression as a column of the rows (value, NULL, value): the text of the
    /// first and of the last row, which must agree; `nil` when there is no literal to replace.
    static func evaluateAsColumns(_ sql: String, dictionaries: Bool) async -> String? {
        do {
            let bound = try await bind(sql, registry: unfolded)
            var columns: [Vector] = []
            let replaced = bound.rewritten { expression in
                guard case .literal(let value, let type) = expression, !value.isNull, type != .unknown else {
                    return expression
                }
                let builder = VectorBuilder(type: type, capacity: 3)
                builder.append(value)
                if dictionaries {
                    builder.appendNull()
                    let codes = Buffer(byteCount: 12)
                    for (row, code) in [UInt32(0), 1, 0].enumerated() {
                        codes.base.assumingMemoryBound(to: UInt32.self)[row] = code
                    }
                    columns.append(Vector(codes: codes, count: 3, dictionary: builder.finish()))
                } else {
                    builder.appendNull()
                    builder.append(value)
                    columns.append(builder.finish())
                }
                return .input(columns.count - 1, type)
            }
            if columns.isEmpty { return nil }
            let evaluator = try ExpressionEvaluator([replaced], registry: unfolded, context: context)
            let result = try evaluator.evaluate(Batch(columns: columns, rowCount: 3))[0]
            let first = text(result, 0)
            return first == text(result, 2) ? first : "rows differ: \(first) and \(text(result, 2))"
        } catch let error as QueryError {
            return "ERROR \(error.state)"
        } catch {
            return "ERROR \(error)"
        }
    }
}
