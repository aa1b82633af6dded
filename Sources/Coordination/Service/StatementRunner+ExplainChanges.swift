// EXPLAIN of a statement with changes of rows in its WITH clause: its parts, in the order in which they run.

import Columnar
import Diagnostics
import LogicalPlanner
import QueryPlan

extension StatementRunner {
    func explainChanges(
        _ steps: [BoundStep], _ main: BoundStatement, _ options: ExplainOptions
    ) async throws -> StatementResult {
        if options.analyze { throw QueryError.notSupported("EXPLAIN ANALYZE of a statement that changes rows") }
        if options.format == .json {
            throw QueryError.notSupported("EXPLAIN as JSON of a statement with changes in its WITH clause")
        }
        var lines: [String] = []
        do {
            for (index, step) in steps.enumerated() {
                switch step.content {
                case .modification(let modification):
                    lines.append("Step \(index + 1): \(Self.title(modification))")
                    lines += try await self.lines(modification.plan, options, steps)
                case .query(let plan):
                    lines.append("Step \(index + 1): rows that several parts read")
                    lines += try await self.lines(plan, options, steps)
                }
                // The parts behind it are planned over a table for its rows, which stays empty.
                if let result = step.result { try await keep([], as: result, step.fields) }
            }
            switch main {
            case .modify(let modification):
                lines.append("Step \(steps.count + 1): \(Self.title(modification))")
                lines += try await self.lines(modification.plan, options, steps)
            case .query(let plan, _, _):
                lines.append("Step \(steps.count + 1): the result")
                lines += try await self.lines(plan, options, steps)
            default: throw QueryError.notSupported("EXPLAIN of this statement")
            }
        } catch {
            try await forget(steps)
            throw error
        }
        try await forget(steps)
        return Self.explanation(lines, options)
    }

    private static func title(_ modification: BoundModification) -> String {
        let word =
            switch modification.kind {
            case .insert, .merge: " into"
            case .delete: " from"
            case .update: ""
            }
        return "\(modification.kind.rawValue.uppercased())\(word) \(modification.table.table)"
    }

    private func lines(
        _ plan: LogicalPlan, _ options: ExplainOptions, _ steps: [BoundStep]
    ) async throws -> [String] {
        let prepared = try await session.engine.plan(plan, ids: ids, context: context)
        let physical = PhysicalPlanPrinter.lines(prepared.physical, metrics: nil, options: options.printerOptions)
        return (Self.logicalLines(prepared) + physical).map { line in
            // Tables that hold the rows of other parts are named for them.
            let named = steps.enumerated().reduce(line) { line, step in
                step.element.result.map { line.replacing($0.description, with: "rows of step \(step.offset + 1)") }
                    ?? line
            }
            return "  " + named
        }
    }
}

extension ExplainOptions {
    var printerOptions: PhysicalPlanPrinter.Options {
        var shown = PhysicalPlanPrinter.Options()
        shown.costs = costs
        shown.verbose = verbose
        shown.timing = timing
        return shown
    }
}
