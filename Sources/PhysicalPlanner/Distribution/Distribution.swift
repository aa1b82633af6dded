// How the rows of a plan under construction are spread over tasks.

import QueryPlan

/// The property that decides where an exchange is needed.
enum Distribution {
    enum Place {
        /// Needs nothing but its expressions.
        case anywhere
        case worker
        case coordinator
    }
    /// All rows are in one task.
    case single(Place)
    /// A part of the rows is in each worker's task. With `hash`, rows whose columns agree are in one task: each element
    /// is a set of columns with equal values, of which any may stand for that key of the hash.
    case partitioned(hash: [ColumnSet]?)

    var isSingle: Bool { if case .single = self { true } else { false } }

    var placement: StagePlacement {
        switch self {
        case .single(.worker): .anyWorker
        case .single: .coordinator
        case .partitioned: .workers
        }
    }

    /// Whether rows that agree in the given columns are in one task.
    func keepsTogether(_ columns: ColumnSet) -> Bool {
        switch self {
        case .single: return true
        case .partitioned(let hash):
            guard let hash, !hash.isEmpty else { return false }
            return hash.allSatisfy { !$0.isDisjoint(with: columns) }
        }
    }

    /// The place of two inputs of one task.
    static func merged(_ a: Place, _ b: Place) -> Place {
        switch (a, b) {
        case (.coordinator, _), (_, .coordinator): .coordinator
        case (.worker, _), (_, .worker): .worker
        case (.anywhere, .anywhere): .anywhere
        }
    }
}

/// A plan under construction: an operator tree and what is known about its rows.
struct Relation {
    var node: PhysicalNode
    /// The columns by position.
    var columns: [PlanColumn]
    var distribution: Distribution
    var rowCount: Double { node.estimatedRowCount }

    func position(of id: ColumnID) -> Int? { columns.firstIndex { $0.id == id } }
}
