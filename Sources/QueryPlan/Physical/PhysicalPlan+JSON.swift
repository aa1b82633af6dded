// Physical plans as JSON, with the same content as the text: EXPLAIN (FORMAT JSON) shows it. An exchange holds the stage
// that it reads, so that the plan is one tree.

import Columnar

package struct PhysicalPlanJSON {
    private let plan: PhysicalPlan
    private let metrics: [Int: NodeMetrics]?
    private let options: PhysicalPlanPrinter.Options

    /// A document as PostgreSQL's tools read it: an array with one object. `summary` are further members, as names and
    /// numbers in milliseconds.
    package static func text(
        _ plan: PhysicalPlan, metrics: [Int: NodeMetrics]? = nil, options: PhysicalPlanPrinter.Options = .init(),
        summary: [(String, String)] = []
    ) -> String {
        let printer = PhysicalPlanJSON(plan: plan, metrics: metrics, options: options)
        guard let first = plan.stages.first else { return "[]" }
        var members = [("Plan", printer.node(first.root, stage: first, depth: 2))]
        members += summary
        return "[\n  " + object(members, depth: 1) + "\n]"
    }

    private func node(_ node: PhysicalNode, stage: PlanStage?, depth: Int) -> String {
        let description = PhysicalPlanPrinter.description(node)
        var members: [(String, String)] = [
            ("Node Type", JSONText.quoted(String(description.prefix { $0 != " " }))),
            ("Description", JSONText.quoted(description)),
        ]
        if let stage, plan.stages.count > 1 {
            members.append(("Stage", String(stage.id.number)))
            members.append(("Placement", JSONText.quoted(PhysicalPlanPrinter.place(stage))))
            if stage.id.number != 0 {
                members.append(("Partitioning", JSONText.quoted(PhysicalPlanPrinter.partitioning(stage))))
            }
            let filters = PhysicalPlanPrinter.filters(stage)
            if !filters.isEmpty {
                members.append(("Runtime Filters", "[" + filters.map(JSONText.quoted).joined(separator: ", ") + "]"))
            }
        }
        if options.costs, node.estimatedRowCount.isFinite {
            members.append(("Plan Rows", String(Int(min(1e18, max(0, node.estimatedRowCount)).rounded()))))
        }
        if let metrics {
            let own = metrics[node.id] ?? NodeMetrics()
            members.append(("Actual Rows", String(own.rowCount)))
            if options.timing { members.append(("Actual Time", PhysicalPlanPrinter.milliseconds(own.nanoseconds))) }
            if own.memoryByteCount > 0 { members.append(("Memory Bytes", String(own.memoryByteCount))) }
            if own.spilledByteCount > 0 { members.append(("Spilled Bytes", String(own.spilledByteCount))) }
            if own.readByteCount > 0 { members.append(("Read Bytes", String(own.readByteCount))) }
            if case .scan = node.kind, own.fetchedRowCount > 0 {
                members.append(("Fetched Rows", String(own.fetchedRowCount)))
            }
        }
        if options.verbose {
            let columns = node.output.fields.map { JSONText.quoted("\($0.name) \($0.type.sqlName)") }
            members.append(("Output", "[" + columns.joined(separator: ", ") + "]"))
        }
        var inputs = node.inputs.map { self.node($0, stage: nil, depth: depth + 2) }
        if case .exchangeSource(let source) = node.kind, let read = plan.stages.first(where: { $0.id == source.stage })
        {
            inputs.append(self.node(read.root, stage: read, depth: depth + 2))
        }
        if !inputs.isEmpty {
            let indentation = String(repeating: "  ", count: depth + 2)
            members.append(
                (
                    "Plans",
                    "[\n\(indentation)" + inputs.joined(separator: ",\n\(indentation)") + "\n"
                        + String(repeating: "  ", count: depth + 1) + "]"
                ))
        }
        return Self.object(members, depth: depth)
    }

    private static func object(_ members: [(String, String)], depth: Int) -> String {
        let indentation = String(repeating: "  ", count: depth + 1)
        let lines = members.map { "\(indentation)\(JSONText.quoted($0.0)): \($0.1)" }
        return "{\n" + lines.joined(separator: ",\n") + "\n" + String(repeating: "  ", count: depth) + "}"
    }
}
