// Which plans are so simple that the thread that starts them may run them for a moment.

import Columnar

extension PhysicalPlan {
    /// Whether one task does all of it with little stack: operators that recurse into nothing, and expressions of
    /// comparisons, arithmetic and conversions over plain values.
    package var isSimple: Bool { stages.count == 1 && stages[0].root.isSimple(depth: 0) }
}

extension PhysicalNode {
    fileprivate func isSimple(depth: Int) -> Bool {
        guard depth < 8, output.types.allSatisfy(\.isPlain) else { return false }
        let expressions: [Expression]
        switch kind {
        case .scan(let node): expressions = node.predicates
        case .values(let node): expressions = node.rows.flatMap { $0 }
        case .filter(let node): expressions = [node.predicate]
        case .project(let node): expressions = node.expressions
        case .aggregate(let node): expressions = node.groups + node.aggregates.flatMap(\.expressions)
        case .hashJoin(let node):
            expressions = node.leftKeys + node.rightKeys + (node.residual.map { [$0] } ?? [])
        case .sort(let node): expressions = node.keys.map(\.expression)
        case .limit: expressions = []
        case .nestedLoopJoin, .union, .window, .tableFunction, .recursive, .workingTable, .write, .exchangeSource:
            return false
        }
        return expressions.allSatisfy { $0.isSimple(depth: 0) } && inputs.allSatisfy { $0.isSimple(depth: depth + 1) }
    }
}

extension Expression {
    fileprivate func isSimple(depth: Int) -> Bool {
        guard depth < 16, type.isPlain else { return false }
        // Operators have names without letters; `~` starts those of patterns.
        if case .call(let call) = self, let first = call.name.utf8.first {
            guard !(first >= 0x61 && first <= 0x7A), first != UInt8(ascii: "~") else { return false }
        }
        if case .subquery = self { return false }
        return children.allSatisfy { $0.isSimple(depth: depth + 1) }
    }
}

extension DataType {
    /// Not made of other values.
    fileprivate var isPlain: Bool {
        switch self {
        case .json, .jsonb, .jsonpath, .array, .record, .range, .indexVector, .registered: false
        default: true
        }
    }
}
