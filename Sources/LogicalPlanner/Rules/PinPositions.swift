// Nodes that read their inputs by position get inputs whose columns no rule will move.

import QueryPlan

/// UNION ALL, recursive queries and writes take columns by position. A projection below them fixes the order, and rules
/// keep such a projection.
struct PinPositions: LogicalRule {
    func apply(_ plan: LogicalPlan, _ environment: RuleEnvironment) throws -> LogicalPlan {
        plan.rewritten { $0.readsByPosition ? $0.mapInputs(pinned) : $0 }
    }

    private func pinned(_ plan: LogicalPlan) -> LogicalPlan {
        switch plan {
        case .project, .values, .setOperation, .recursive, .workingTable, .sharedRead: return plan
        default:
            let columns = plan.columns
            return .project(LogicalProject(columns: columns, expressions: columns.map(\.reference), input: plan))
        }
    }
}

extension LogicalPlan {
    var readsByPosition: Bool {
        switch self {
        case .setOperation, .recursive, .write: true
        default: false
        }
    }
}
