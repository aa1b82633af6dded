// Logical plans as text: stable, indented, one node a line. EXPLAIN and golden tests show it.

import Columnar

/// Prints a logical plan, two spaces of indentation a level; sub-queries of expressions follow their node.
package struct LogicalPlanPrinter {
    private var expressions: ExpressionPrinter
    private var lines: [String] = []
    private let annotation: (LogicalPlan) -> String?

    private init(names: [ColumnID: String], annotation: @escaping (LogicalPlan) -> String?) {
        expressions = ExpressionPrinter(names: names)
        self.annotation = annotation
    }

    /// The plan's text without a line break at its end. What `annotation` gives for a node stands behind its line.
    package static func text(_ plan: LogicalPlan, annotation: @escaping (LogicalPlan) -> String? = { _ in nil })
        -> String
    {
        lines(plan, annotation: annotation).joined(separator: "\n")
    }

    package static func lines(
        _ plan: LogicalPlan, annotation: @escaping (LogicalPlan) -> String? = { _ in nil }
    ) -> [String] {
        var printer = LogicalPlanPrinter(names: columnNames(plan), annotation: annotation)
        printer.print(plan, depth: 0)
        return printer.lines
    }

    /// The names of all columns that the plan or a sub-query in it makes, by identity.
    package static func columnNames(_ plan: LogicalPlan) -> [ColumnID: String] {
        var names: [ColumnID: String] = [:]
        collectNames(plan, into: &names)
        return names
    }

    private static func collectNames(_ plan: LogicalPlan, into names: inout [ColumnID: String]) {
        for input in plan.inputs { collectNames(input, into: &names) }
        for expression in plan.expressions {
            expression.visit { if case .subquery(let subquery) = $0 { collectNames(subquery.plan, into: &names) } }
        }
        for column in plan.columns where names[column.id] == nil { names[column.id] = column.name }
    }

    private mutating func print(_ plan: LogicalPlan, depth: Int) {
        let before = expressions.subqueries.count
        var line = String(repeating: "  ", count: depth) + describe(plan)
        if let note = annotation(plan) { line += " " + note }
        lines.append(line)
        // Printing a sub-query may meet further ones; they belong below it, so the range is fixed here.
        let met = before..<expressions.subqueries.count
        for index in met {
            lines.append(String(repeating: "  ", count: depth + 1) + "Subquery \(index + 1):")
            print(expressions.subqueries[index], depth: depth + 2)
        }
        for input in plan.inputs { print(input, depth: depth + 1) }
    }

    private func list(_ columns: [PlanColumn]) -> String {
        columns.map { expressions.text($0.id) }.joined(separator: ", ")
    }

    /// `column := expression` for computed columns, the column alone where it is passed on.
    private mutating func assignments(_ columns: [PlanColumn], _ values: [Expression]) -> String {
        var parts: [String] = []
        for (column, value) in zip(columns, values) {
            if case .column(let id, _) = value, id == column.id {
                parts.append(expressions.text(id))
            } else {
                parts.append("\(expressions.text(column.id)) := \(expressions.text(value))")
            }
        }
        return parts.joined(separator: ", ")
    }

    private mutating func describe(_ plan: LogicalPlan) -> String {
        switch plan {
        case .scan(let node):
            let filter = node.predicates.isEmpty ? "" : " where " + expressions.text(.conjunction(node.predicates))
            return "Scan \(node.table) [\(list(node.columns))]\(filter)"
        case .values(let node): return describe(node)
        case .filter(let node): return "Filter \(expressions.text(node.predicate))"
        case .project(let node): return "Project [\(assignments(node.columns, node.expressions))]"
        case .aggregate(let node): return describe(node)
        case .join(let node): return describe(node)
        case .sort(let node): return "Sort [\(expressions.list(node.keys))]"
        case .limit(let node):
            var parts: [String] = ["Limit"]
            if let count = node.count { parts.append(expressions.text(count)) }
            if node.withTies { parts.append("with ties") }
            if let offset = node.offset { parts.append("offset " + expressions.text(offset)) }
            return parts.joined(separator: " ")
        case .distinct(let node):
            guard let keys = node.keys else { return "Distinct" }
            let order = node.ordering.isEmpty ? "" : " order by [\(expressions.list(node.ordering))]"
            return "Distinct on [\(expressions.list(keys))]\(order)"
        case .setOperation(let node):
            let all = node.keepsDuplicates ? " all" : ""
            return "\(String(describing: node.kind).capitalizedFirst)\(all) [\(list(node.columns))]"
        case .window(let node): return describe(node)
        case .tableFunction(let node):
            let columns = node.columns + (node.ordinalityColumn.map { [$0] } ?? [])
            let outer = node.isOuter ? " outer" : ""
            return "TableFunction\(outer) \(node.name)(\(expressions.list(node.arguments))) [\(list(columns))]"
        case .recursive(let node):
            let all = node.keepsDuplicates ? " all" : ""
            return "Recursive\(all) working table \(node.workingTable) [\(list(node.columns))]"
        case .shared(let node): return "Shared \(node.number) [\(list(node.columns))]"
        case .sharedRead(let node): return "SharedRead \(node.number) [\(list(node.columns))]"
        case .workingTable(let node): return "WorkingTable \(node.workingTable) [\(list(node.columns))]"
        case .write(let node):
            switch node.target {
            case .insert(let table): return "Insert into \(table)"
            case .file(let path, let format, _, _): return "Write \(format) to '\(path)'"
            }
        }
    }

    private mutating func describe(_ node: LogicalValues) -> String {
        if node.rows.isEmpty { return "Empty [\(list(node.columns))]" }
        if node.columns.isEmpty { return "Values \(node.rows.count == 1 ? "one row" : "\(node.rows.count) rows")" }
        let shown = 10
        var rows: [String] = []
        for row in node.rows.prefix(shown) { rows.append("(\(expressions.list(row)))") }
        if node.rows.count > shown { rows.append("… \(node.rows.count) rows") }
        return "Values [\(list(node.columns))] \(rows.joined(separator: ", "))"
    }

    private mutating func describe(_ node: LogicalAggregate) -> String {
        var result = "Aggregate [\(assignments(node.groupColumns, node.groups))]"
        if node.groupingSets != [Array(node.groups.indices)] {
            let sets = node.groupingSets.map { set in
                "(" + set.map { expressions.text(node.groupColumns[$0].id) }.joined(separator: ", ") + ")"
            }
            result += " sets [\(sets.joined(separator: ", "))]"
        }
        if let column = node.setIndexColumn { result += " set \(expressions.text(column.id))" }
        var calls: [String] = []
        for (column, call) in zip(node.aggregateColumns, node.aggregates) {
            calls.append("\(expressions.text(column.id)) := \(expressions.text(call))")
        }
        if !calls.isEmpty { result += " calls [\(calls.joined(separator: ", "))]" }
        return result
    }

    private mutating func describe(_ node: LogicalJoin) -> String {
        var result = "Join \(node.kind)"
        if node.isNullAware { result += " null-aware" }
        if node.isDependent { result += " dependent" }
        if node.condition != .true {
            result += " on \(expressions.text(node.condition))"
        } else if node.kind == .inner {
            result = node.isDependent ? "Join cross dependent" : "Join cross"
        }
        if let mark = node.markColumn { result += " mark \(expressions.text(mark.id))" }
        return result
    }

    private mutating func describe(_ node: LogicalWindow) -> String {
        var parts: [String] = []
        if !node.partitions.isEmpty { parts.append("partition by [\(expressions.list(node.partitions))]") }
        if !node.ordering.isEmpty { parts.append("order by [\(expressions.list(node.ordering))]") }
        var calls: [String] = []
        for (column, call) in zip(node.columns, node.calls) {
            calls.append("\(expressions.text(column.id)) := \(expressions.text(call))")
        }
        parts.append("calls [\(calls.joined(separator: ", "))]")
        return "Window " + parts.joined(separator: " ")
    }
}

extension String {
    fileprivate var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}

extension LogicalPlan: CustomStringConvertible {
    package var description: String { LogicalPlanPrinter.text(self) }
}
