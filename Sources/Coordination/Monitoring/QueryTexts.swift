// A query's plan and what its operators did, as texts that outlive the process.

import Columnar
import Diagnostics
import QueryPlan

/// The plan of a query and what happened to it.
package struct QueryCourse: Sendable {
    var plan: PhysicalPlan
    var chronicle: QueryChronicle
}

/// Texts of a query that has ended.
package struct QueryTexts: Hashable, Sendable {
    /// The physical plan as EXPLAIN ANALYZE shows it.
    package var plan: String
    /// Its operators, as a JSON array of objects.
    package var profile: String

    package init(plan: String, profile: String) {
        self.plan = plan
        self.profile = profile
    }

    init(_ record: QueryRecord, _ course: QueryCourse) {
        let operators = QueryProfile(record: record, plan: course.plan, chronicle: course.chronicle).operators
        let metrics = operators.filter(\.hasRun).map { entry in
            (
                entry.node,
                NodeMetrics(
                    rowCount: entry.rowsOut, nanoseconds: entry.nanoseconds, memoryByteCount: entry.memoryBytesPeak,
                    spilledByteCount: entry.spilledBytes, readByteCount: entry.bytesRead, fetchedRowCount: entry.rowsIn)
            )
        }
        plan = PhysicalPlanPrinter.text(
            course.plan, metrics: metrics.isEmpty ? nil : Dictionary(metrics) { first, _ in first })
        profile = "[" + operators.map(Self.object).joined(separator: ", ") + "]"
    }

    private static func object(_ entry: QueryProfile.Operator) -> String {
        var members: [(String, String)] = [
            ("node", "\(entry.node)"), ("stage", "\(entry.stage)"), ("name", JSONText.quoted(entry.name)),
            ("description", JSONText.quoted(entry.description)), ("inputs", "\(entry.inputs)"),
        ]
        if let estimate = entry.estimatedRowCount { members.append(("estimated_rows", "\(estimate)")) }
        if let source = entry.sourceStage { members.append(("source_stage", "\(source)")) }
        if entry.hasRun {
            members += [
                ("rows_in", "\(entry.rowsIn)"), ("rows_out", "\(entry.rowsOut)"),
                ("nanoseconds", "\(entry.nanoseconds)"),
                ("memory_bytes_peak", "\(entry.memoryBytesPeak)"), ("spilled_bytes", "\(entry.spilledBytes)"),
                ("bytes_read", "\(entry.bytesRead)"),
            ]
        }
        return "{" + members.map { "\"\($0)\": \($1)" }.joined(separator: ", ") + "}"
    }
}
