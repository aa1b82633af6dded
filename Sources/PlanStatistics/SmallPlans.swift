// Which plans touch so few rows that spreading them over machines costs more than it saves.

import QueryPlan

extension StatisticsSnapshot {
    /// Whether the plan's tables have at most `limit` rows together and no step of it is expected to make many more.
    /// False where that cannot be told: tables without a row count, functions that make rows, recursion.
    package func isSmall(_ plan: LogicalPlan, rowLimit: Double) -> Bool {
        guard rowLimit > 0, let scanned = scannedRowCount(plan), scanned <= rowLimit else { return false }
        let estimator = CardinalityEstimator(self)
        var largest = 0.0
        func visit(_ plan: LogicalPlan) -> Double {
            let count = estimator.rowCount(of: plan, inputs: plan.inputs.map(visit))
            largest = max(largest, count)
            return count
        }
        _ = visit(plan)
        return largest <= rowLimit * Self.growthMax
    }

    /// Rows that a step may make for each row of the limit: joins of many to many stay below it.
    private static let growthMax = 10.0

    private func scannedRowCount(_ plan: LogicalPlan) -> Double? {
        var total: Double
        switch plan {
        case .scan(let scan):
            guard let count = tables[scan.table]?.rowCount else { return nil }
            total = count
        case .values(let values): total = Double(values.rows.count)
        case .tableFunction, .recursive, .workingTable, .shared, .sharedRead: return nil
        default: total = 0
        }
        for input in plan.inputs {
            guard let count = scannedRowCount(input) else { return nil }
            total += count
        }
        return total
    }
}
