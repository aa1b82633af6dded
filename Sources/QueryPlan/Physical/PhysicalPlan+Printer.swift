// Physical plans as text: a tree per stage, the result first. EXPLAIN and EXPLAIN ANALYZE show it.

import Columnar

/// What an operator did, summed over all tasks; by node id for EXPLAIN ANALYZE.
package struct NodeMetrics: Hashable, Sendable {
    package var rowCount: Int
    package var batchCount: Int
    /// Time spent in the operator itself, over all threads.
    package var nanoseconds: Int
    /// The most memory it held at a time.
    package var memoryByteCount: Int
    package var spilledByteCount: Int
    /// Bytes read from the store or received from other tasks.
    package var readByteCount: Int
    /// Of a scan: rows that its store sent, before the engine's own filters; 0 where the store does not count them.
    package var fetchedRowCount: Int
    package init(
        rowCount: Int = 0, batchCount: Int = 0, nanoseconds: Int = 0, memoryByteCount: Int = 0,
        spilledByteCount: Int = 0, readByteCount: Int = 0, fetchedRowCount: Int = 0
    ) {
        self.rowCount = rowCount
        self.batchCount = batchCount
        self.nanoseconds = nanoseconds
        self.memoryByteCount = memoryByteCount
        self.spilledByteCount = spilledByteCount
        self.readByteCount = readByteCount
        self.fetchedRowCount = fetchedRowCount
    }
}

/// Prints a physical plan. Columns appear as the names of the input they come from.
package struct PhysicalPlanPrinter {
    /// What is shown of every operator besides its description.
    package struct Options: Sendable {
        /// Estimated rows.
        package var costs = true
        /// Columns and their types.
        package var verbose = false
        /// Time spent, where it is known.
        package var timing = true
        package init() {}
    }

    private let metrics: [Int: NodeMetrics]?
    private let options: Options
    /// What stores are asked, by node.
    private let storeTexts: [Int: String]
    private var lines: [String] = []

    private init(metrics: [Int: NodeMetrics]?, options: Options, storeTexts: [Int: String] = [:]) {
        self.metrics = metrics
        self.options = options
        self.storeTexts = storeTexts
    }

    /// The plan's text without a line break at its end; with `metrics`, what each operator really did.
    package static func text(_ plan: PhysicalPlan, metrics: [Int: NodeMetrics]? = nil) -> String {
        lines(plan, metrics: metrics).joined(separator: "\n")
    }

    package static func lines(
        _ plan: PhysicalPlan, metrics: [Int: NodeMetrics]? = nil, options: Options = Options(),
        storeTexts: [Int: String] = [:]
    ) -> [String] {
        var printer = PhysicalPlanPrinter(metrics: metrics, options: options, storeTexts: storeTexts)
        for stage in plan.stages { printer.print(stage, isOnly: plan.stages.count == 1) }
        return printer.lines
    }

    private mutating func print(_ stage: PlanStage, isOnly: Bool) {
        if isOnly { return print(stage.root, depth: 0) }
        let (place, output) = (Self.place(stage), Self.partitioning(stage))
        lines.append(stage.id.number == 0 ? "Stage 0 \(place)" : "Stage \(stage.id) \(place), \(output)")
        print(stage.root, depth: 1)
        for text in Self.filters(stage) { lines.append("  " + text) }
    }

    /// The runtime filters that the stage's scans get from joins of other stages.
    package static func filters(_ stage: PlanStage) -> [String] {
        stage.receivedFilters.compactMap { filter -> String? in
            guard let (node, scan) = stage.scanNode(filter.scan) else { return nil }
            let column = node.output.fields[filter.column].name
            return "Runtime filter on \(scan.table.table).\(column) from stage \(filter.publisher)"
        }
    }

    package static func place(_ stage: PlanStage) -> String {
        switch stage.placement {
        case .workers: "on every worker"
        case .anyWorker: "on one worker"
        case .coordinator: "on the coordinator"
        }
    }

    package static func partitioning(_ stage: PlanStage) -> String {
        let names = stage.root.output.fields.map(\.name)
        switch stage.output {
        case .single: return "to one task"
        case .hash(let positions):
            let columns = positions.map { $0 < names.count ? names[$0] : "@\($0)" }
            return "by hash of [\(columns.joined(separator: ", "))]"
        case .broadcast: return "to every task"
        case .roundRobin: return "evenly"
        case .copies: return "to several readers"
        }
    }

    private mutating func print(_ node: PhysicalNode, depth: Int) {
        var line = String(repeating: "  ", count: depth) + describe(node)
        if options.costs { line += " rows=\(Self.count(node.estimatedRowCount))" }
        if let metrics { line += " " + text(metrics[node.id], of: node) }
        lines.append(line)
        if options.verbose {
            let columns = node.output.fields.map { "\($0.name) \($0.type.sqlName)" }.joined(separator: ", ")
            lines.append(String(repeating: "  ", count: depth + 1) + "Output: \(columns)")
        }
        if let text = storeTexts[node.id] { lines.append(String(repeating: "  ", count: depth + 1) + "Store: " + text) }
        for input in node.inputs { print(input, depth: depth + 1) }
    }

    private func text(_ metrics: NodeMetrics?, of node: PhysicalNode) -> String {
        guard let metrics else { return "(never executed)" }
        var parts = ["actual rows=\(metrics.rowCount)"]
        if options.timing { parts.append("time=\(Self.milliseconds(metrics.nanoseconds)) ms") }
        if metrics.memoryByteCount > 0 { parts.append("memory=\(Self.bytes(metrics.memoryByteCount))") }
        if metrics.spilledByteCount > 0 { parts.append("spilled=\(Self.bytes(metrics.spilledByteCount))") }
        if metrics.readByteCount > 0 { parts.append("read=\(Self.bytes(metrics.readByteCount))") }
        if case .scan = node.kind, metrics.fetchedRowCount > 0 { parts.append("fetched=\(metrics.fetchedRowCount)") }
        return "(" + parts.joined(separator: ", ") + ")"
    }

    private static func count(_ value: Double) -> String {
        guard value.isFinite, value < 1e18 else { return "many" }
        return String(Int(max(0, value).rounded()))
    }

    static func milliseconds(_ nanoseconds: Int) -> String {
        let thousandths = (nanoseconds + 500) / 1_000
        let fraction = String(thousandths % 1_000)
        return "\(thousandths / 1_000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
    }

    private static func bytes(_ count: Int) -> String {
        var value = Double(count)
        for unit in ["B", "kB", "MB", "GB"] {
            if value < 1_024 || unit == "GB" {
                let tenths = Int((value * 10).rounded())
                return unit == "B" ? "\(count) B" : "\(tenths / 10).\(tenths % 10) \(unit)"
            }
            value /= 1_024
        }
        return "\(count) B"
    }

    // MARK: Nodes

    package static func description(_ node: PhysicalNode) -> String {
        PhysicalPlanPrinter(metrics: nil, options: Options()).describe(node)
    }

    private func describe(_ node: PhysicalNode) -> String {
        let inputNames = node.inputs.flatMap { $0.output.fields.map(\.name) }
        var input = ExpressionPrinter(inputNames: inputNames)
        let output = node.output.fields.map(\.name).joined(separator: ", ")
        switch node.kind {
        case .scan(let scan):
            var own = ExpressionPrinter(inputNames: node.output.fields.map(\.name))
            let others = scan.storeQuery?.joins?.allTables.map { ", \($0.name)" }.joined() ?? ""
            var result = "\(scan.storeQuery == nil ? "Scan" : "StoreScan") \(scan.table)\(others) [\(output)]"
            if !scan.predicates.isEmpty { result += " where " + own.text(.conjunction(scan.predicates)) }
            if let limit = scan.limit { result += " limit \(limit)" }
            if scan.isReplicated { result += " in every task" }
            return result
        case .values(let values):
            if values.rows.count > 10 { return "Values [\(output)] \(values.rows.count) rows" }
            return "Values [\(output)] " + values.rows.map { "(\(input.list($0)))" }.joined(separator: ", ")
        case .filter(let filter): return "Filter " + input.text(filter.predicate)
        case .project(let project): return "Project [\(input.list(project.expressions))]"
        case .aggregate(let aggregate): return describe(aggregate, inputNames: inputNames)
        case .hashJoin(let join): return describe(join)
        case .nestedLoopJoin(let join):
            return "NestedLoopJoin \(join.kind)" + (join.condition == .true ? "" : " on " + input.text(join.condition))
        case .sort(let sort):
            var result = "Sort [\(input.list(sort.keys))]"
            if let limit = sort.limit { result += " limit \(limit)" + (sort.withTies ? " with ties" : "") }
            if sort.offset > 0 { result += " offset \(sort.offset)" }
            return result
        case .limit(let limit):
            return "Limit" + (limit.limit.map { " \($0)" } ?? "") + (limit.offset > 0 ? " offset \(limit.offset)" : "")
        case .union: return "Union"
        case .window(let window):
            var result = "Window"
            if !window.partitions.isEmpty { result += " partition by [\(input.list(window.partitions))]" }
            if !window.ordering.isEmpty { result += " order by [\(input.list(window.ordering))]" }
            return result + " [\(window.calls.map { input.text($0) }.joined(separator: ", "))]"
        case .tableFunction(let function):
            return
                "TableFunction\(function.isOuter ? " outer" : "") \(function.name)(\(input.list(function.arguments)))"
        case .recursive(let recursive):
            return "Recursive\(recursive.keepsDuplicates ? " all" : "") working table \(recursive.workingTable)"
        case .workingTable(let number): return "WorkingTable \(number)"
        case .write(let write):
            switch write.target {
            case .insert(let table): return "Insert into \(table)"
            case .file(let path, let format, _, _): return "Write \(format) to '\(path)'"
            }
        case .exchangeSource(let source):
            var own = ExpressionPrinter(inputNames: node.output.fields.map(\.name))
            let merge = source.mergeKeys.isEmpty ? "" : " merge by [\(own.list(source.mergeKeys))]"
            return "Exchange from stage \(source.stage)\(merge)"
        }
    }

    private func describe(_ node: AggregateNode, inputNames: [String]) -> String {
        var printer = ExpressionPrinter(inputNames: inputNames)
        let mode = node.mode == .single ? "" : " \(node.mode)"
        var result = "Aggregate\(mode)"
        if !node.groups.isEmpty { result += " by [\(printer.list(node.groups))]" }
        if node.hasSeveralSets { result += " sets \(node.groupingSets)" }
        if node.mode == .final {
            // The arguments belong to the input of the partial step.
            return result + " [\(node.aggregates.map(\.name).joined(separator: ", "))]"
        }
        return result + " [\(node.aggregates.map { printer.text($0) }.joined(separator: ", "))]"
    }

    private func describe(_ node: HashJoinNode) -> String {
        let leftNames = node.left.output.fields.map(\.name)
        let rightNames = node.right.output.fields.map(\.name)
        var (left, right) = (ExpressionPrinter(inputNames: leftNames), ExpressionPrinter(inputNames: rightNames))
        var conditions: [String] = []
        for index in node.leftKeys.indices {
            let sign = node.nullsAreEqual[index] ? "is not distinct from" : "="
            conditions.append("\(left.text(node.leftKeys[index])) \(sign) \(right.text(node.rightKeys[index]))")
        }
        var result = "HashJoin \(node.kind)"
        if node.isNullAware { result += " null-aware" }
        if node.isBroadcast { result += " broadcast" }
        result += " on " + conditions.joined(separator: " and ")
        if let residual = node.residual {
            var both = ExpressionPrinter(inputNames: leftNames + rightNames)
            result += " and also " + both.text(residual)
        }
        return result
    }
}
