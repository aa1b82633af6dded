// Parts of a plan that are computed once and read several times: common tables of WITH.

/// Computes `definition` once; `input` reads its rows wherever it has a read of the same number. Stands at the top of a
/// plan only, a definition that another one reads above that one.
package struct LogicalShared: Hashable, Sendable {
    package var number: Int
    /// Computing the definition for each read would change the result, or the query forbids it. Otherwise the optimiser
    /// decides by cost.
    package var isRequired: Bool
    /// The columns of the definition that are read, in the order in which they are kept.
    package var columns: [PlanColumn]
    package var definition: LogicalPlan
    package var input: LogicalPlan
    package init(
        number: Int, isRequired: Bool, columns: [PlanColumn], definition: LogicalPlan, input: LogicalPlan
    ) {
        self.number = number
        self.isRequired = isRequired
        self.columns = columns
        self.definition = definition
        self.input = input
    }
}

/// Reads the rows of a shared definition. `columns[i]` is the definition's column `sources[i]`.
package struct LogicalSharedRead: Hashable, Sendable {
    package var number: Int
    package var columns: [PlanColumn]
    package var sources: [ColumnID]
    /// What is known of the number of rows, whatever the data.
    package var givesAtMostOneRow: Bool
    package var givesExactlyOneRow: Bool
    package init(
        number: Int, columns: [PlanColumn], sources: [ColumnID], givesAtMostOneRow: Bool, givesExactlyOneRow: Bool
    ) {
        self.number = number
        self.columns = columns
        self.sources = sources
        self.givesAtMostOneRow = givesAtMostOneRow
        self.givesExactlyOneRow = givesExactlyOneRow
    }
}

extension LogicalPlan {
    /// Calls `body` for every read of a shared definition, those in sub-query expressions included.
    package func forEachSharedRead(_ body: (LogicalSharedRead) -> Void) {
        if case .sharedRead(let read) = self { body(read) }
        for expression in expressions {
            expression.visit { if case .subquery(let subquery) = $0 { subquery.plan.forEachSharedRead(body) } }
        }
        for input in inputs { input.forEachSharedRead(body) }
    }

    /// The plan with each read of a shared definition replaced, those in sub-query expressions included.
    package func mapSharedReads(_ transform: (LogicalSharedRead) throws -> LogicalPlan) rethrows -> LogicalPlan {
        if case .sharedRead(let read) = self { return try transform(read) }
        return try mapInputs { try $0.mapSharedReads(transform) }.mapExpressions { expression in
            try expression.rewritten { node in
                guard case .subquery(var subquery) = node else { return node }
                subquery.plan = try subquery.plan.mapSharedReads(transform)
                return .subquery(subquery)
            }
        }
    }
}
