// Runtime filters that cross stages: a join tells scans of other stages which keys it can use.

import Diagnostics

/// The keys of a join's build side, for a scan in another stage whose rows are that join's probe side. A hint: it may come
/// late or never, and rows do not depend on it.
package struct StageFilter: Hashable, Sendable {
    /// Unique within the plan.
    package var number: Int
    /// The stage of the join, the join's node id, and which of its keys.
    package var publisher: StageID
    package var join: Int
    package var key: Int
    /// The stage of the scan, the scan's node id, and the column of its output.
    package var reader: StageID
    package var scan: Int
    package var column: Int

    package init(
        number: Int, publisher: StageID, join: Int, key: Int, reader: StageID, scan: Int, column: Int
    ) {
        self.number = number
        self.publisher = publisher
        self.join = join
        self.key = key
        self.reader = reader
        self.scan = scan
        self.column = column
    }
}

extension PlanStage {
    /// Those that its joins give.
    package var publishedFilters: [StageFilter] { filters.filter { $0.publisher == id } }
    /// Those that its scans get.
    package var receivedFilters: [StageFilter] { filters.filter { $0.reader == id } }

    /// The scan with that node id.
    func scanNode(_ id: Int) -> (node: PhysicalNode, scan: ScanNode)? {
        func find(_ node: PhysicalNode) -> (PhysicalNode, ScanNode)? {
            if node.id == id, case .scan(let scan) = node.kind { return (node, scan) }
            for input in node.inputs { if let found = find(input) { return found } }
            return nil
        }
        return find(root)
    }
}

extension JoinKind {
    /// Whether a left row without a match gives nothing.
    package var dropsUnmatchedLeftRows: Bool {
        switch self {
        case .inner, .semi, .right, .rightSemi, .rightAnti: true
        case .left, .full, .anti, .mark, .single: false
        }
    }
}

extension PhysicalNode {
    /// The leaf, within the stage, that column `column` of the output comes from unchanged, and the column there; `nil` if
    /// there is none, or if rows of the leaf cannot be dropped by what that column holds instead of rows of this node.
    /// - Parameter acrossBreakers: also through operators that end a pipeline.
    package func filterLeaf(ofColumn column: Int, acrossBreakers: Bool) -> (leaf: PhysicalNode, column: Int)? {
        switch kind {
        case .scan, .exchangeSource: return (self, column)
        case .filter(let node): return node.input.filterLeaf(ofColumn: column, acrossBreakers: acrossBreakers)
        case .project(let node):
            guard case .input(let source, _) = node.expressions[column] else { return nil }
            return node.input.filterLeaf(ofColumn: source, acrossBreakers: acrossBreakers)
        case .aggregate(let node):
            guard acrossBreakers, !node.hasSeveralSets, column < node.groups.count,
                node.groupingSets.allSatisfy({ $0.contains(column) }),
                case .input(let source, _) = node.groups[column]
            else { return nil }
            return node.input.filterLeaf(ofColumn: source, acrossBreakers: acrossBreakers)
        case .hashJoin(let join):
            // Rows of the left side may be dropped early where they would only be dropped later anyway.
            switch join.kind {
            case .inner, .left, .single, .semi, .anti, .mark:
                guard column < join.outputColumns.count, join.outputColumns[column] < join.left.output.count else {
                    return nil
                }
                return join.left.filterLeaf(ofColumn: join.outputColumns[column], acrossBreakers: acrossBreakers)
            case .right, .full, .rightSemi, .rightAnti: return nil
            }
        case .nestedLoopJoin(let join):
            switch join.kind {
            case .inner, .left, .single, .semi, .anti, .mark:
                guard column < join.left.output.count else { return nil }
                return join.left.filterLeaf(ofColumn: column, acrossBreakers: acrossBreakers)
            case .right, .full, .rightSemi, .rightAnti: return nil
            }
        case .tableFunction(let node):
            guard column < node.input.output.count else { return nil }
            return node.input.filterLeaf(ofColumn: column, acrossBreakers: acrossBreakers)
        case .values, .sort, .limit, .union, .window, .recursive, .workingTable, .write: return nil
        }
    }
}
