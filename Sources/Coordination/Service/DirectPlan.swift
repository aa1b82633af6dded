// Plans of a few rows that the thread which asks for them runs at once, with their parameters open.
//
// A look-up by key costs less than making a task of it: descriptors, buffers, drivers, states and the compilation of its
// expressions. What is kept of a prepared statement is therefore compiled once, if it is a single pipeline over rows that
// are at hand, and then only its parameters change.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import Storage
import Synchronization

/// A compiled pipeline of scan or single row, filters, projections and a limit. Thread-safe: runs come one after the other.
final class DirectPlan: Sendable {
    private enum Step {
        case filter(ExpressionEvaluator)
        case project(ExpressionEvaluator)
        case limit(Int?, offset: Int)
    }

    private struct Program: @unchecked Sendable {
        var steps: [Step] = []
        let values: ParameterValues
    }

    /// The table that is read, if one is.
    let scan: ScanNode?
    private let parameterTypes: [DataType]
    private let registry: FunctionRegistry
    private let context: EvaluationContext
    /// Whether parameters of the scan's predicates stand in casts: keys are found by plain literals.
    private let mustFold: Bool
    private let program: Mutex<Program>

    /// Rows that a run may read when no key says which ones.
    private static let rowLimit = 2048

    /// `nil` if the plan has another shape, or depends on more of the statement than its parameters. The time zone and the
    /// style of text are taken from `context`: who keeps the plan keeps to them.
    init?(
        _ plan: PhysicalPlan, parameterTypes: [DataType], registry: FunctionRegistry, context: EvaluationContext
    ) throws {
        guard plan.isSimple, context.variation == ExecutionVariation() else { return nil }
        let values = ParameterValues(parameterTypes)
        func compile(_ expressions: [Expression]) throws -> ExpressionEvaluator? {
            if expressions.contains(where: { $0.contains(\.dependsOnTime) }) { return nil }
            return try ExpressionEvaluator(expressions, registry: registry, context: context, parameters: values)
        }
        // From the root to the leaf.
        var steps: [Step] = []
        var node = plan.stages[0].root
        var scan: ScanNode?
        walk: while true {
            switch node.kind {
            case .limit(let limit):
                steps.append(.limit(limit.limit, offset: limit.offset))
                node = limit.input
            case .project(let project):
                guard let evaluator = try compile(project.expressions) else { return nil }
                steps.append(.project(evaluator))
                node = project.input
            case .filter(let filter):
                guard let evaluator = try compile([filter.predicate]) else { return nil }
                steps.append(.filter(evaluator))
                node = filter.input
            case .values(let rows):
                guard rows.rows.count == 1, let evaluator = try compile(rows.rows[0]) else { return nil }
                steps.append(.project(evaluator))
                break walk
            case .scan(let leaf):
                guard leaf.storeQuery == nil else { return nil }
                for predicate in leaf.predicates.reversed() {
                    guard let evaluator = try compile([predicate]) else { return nil }
                    steps.append(.filter(evaluator))
                }
                scan = leaf
                break walk
            default: return nil
            }
        }
        self.scan = scan
        self.registry = registry
        self.context = context
        mustFold = scan?.predicates.contains { $0.contains { $0.isCastParameter } } ?? false
        self.parameterTypes = parameterTypes
        program = Mutex(Program(steps: steps.reversed(), values: values))
    }

    /// The result, or `nil` if the rows to be read are not at hand or too many to be read here. `parameters` are literals
    /// of the parameters' types; `table` is the scan's.
    func run(_ table: (any TableProvider)?, _ parameters: [Expression]) throws -> [Batch]? {
        guard parameters.count == parameterTypes.count else { return nil }
        var values: [ScalarValue] = []
        values.reserveCapacity(parameters.count)
        for (parameter, type) in zip(parameters, parameterTypes) {
            guard case .literal(let value, let own) = parameter, own == type else { return nil }
            values.append(value)
        }
        var input = [Batch(columns: [], rowCount: 1)]
        if let scan {
            var predicates = parameters.isEmpty ? scan.predicates : scan.predicates.map { $0.filled(parameters) }
            if mustFold {
                predicates = try predicates.map { try ConstantFolder.fold($0, registry: registry, context: context) }
            }
            let request = ScanRequest(projection: scan.projection, predicates: predicates, limit: scan.limit)
            guard let rows = try table?.rowsAtHand(for: request, rowLimit: Self.rowLimit) else { return nil }
            input = rows
        }
        return try program.withLock { program in
            program.values.set(values)
            return try Self.run(program.steps, input)
        }
    }

    private static func run(_ steps: [Step], _ input: [Batch]) throws -> [Batch] {
        var batches = input
        for step in steps {
            switch step {
            case .filter(let evaluator):
                batches = try batches.compactMap { batch in
                    guard let chosen = try evaluator.select(batch) else { return batch }
                    return chosen.count == 0 ? nil : batch.selecting(chosen)
                }
            case .project(let evaluator):
                batches = try batches.map { Batch(columns: try evaluator.evaluate($0), rowCount: $0.rowCount) }
            case .limit(let limit, let offset):
                var skipped = offset
                var left = limit ?? .max
                batches = batches.compactMap { batch in
                    let start = min(skipped, batch.rowCount)
                    skipped -= start
                    let count = min(left, batch.rowCount - start)
                    left -= count
                    return count == 0 ? nil : count == batch.rowCount ? batch : batch.slice(start, count)
                }
            }
        }
        return batches.map { $0.densified() }
    }
}

extension Expression {
    /// Whether the value may be another one for each statement although the operands are the same: 'today' as a date.
    fileprivate var dependsOnTime: Bool {
        guard case .cast(let operand, let type, _) = self else { return false }
        switch type {
        case .date, .time, .timestamp, .timestampTZ:
            switch operand.type {
            case .text, .varchar, .char, .unknown: return true
            default: return false
            }
        default: return false
        }
    }

    fileprivate var isCastParameter: Bool {
        if case .cast(.parameter, _, _) = self { true } else { false }
    }

    /// With literals in the places of parameters.
    fileprivate func filled(_ parameters: [Expression]) -> Expression {
        rewritten { node in
            guard case .parameter(let index, _) = node, index < parameters.count else { return node }
            return parameters[index]
        }
    }
}
