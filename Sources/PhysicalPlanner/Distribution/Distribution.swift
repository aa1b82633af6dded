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
    /// A part of the rows is in each worker's task.
    case partitioned(Spread)

    /// By what rows are in one task or another.
    enum Spread {
        case unknown
        /// Rows whose columns agree are in one task, the one that the hash says. Each element is a set of columns with equal
        /// values, of which any may stand for that key of the hash.
        case hash([ColumnSet])
        /// Rows that agree in the columns of one of the sets come from one split of a table, and so are in one task. Which
        /// task that is nobody can say of another table's rows.
        case splits([ColumnSet])
    }

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
        case .partitioned(.unknown): return false
        case .partitioned(.hash(let hash)): return !hash.isEmpty && hash.allSatisfy { !$0.isDisjoint(with: columns) }
        case .partitioned(.splits(let sets)): return sets.contains { !$0.isDisjoint(with: columns) }
        }
    }

    /// The columns of the hash that placed the rows.
    var hash: [ColumnSet]? { if case .partitioned(.hash(let hash)) = self { hash } else { nil } }

    /// The same rows under other columns: `names` gives those that have the values of a set of columns, if there are any.
    func mapped(_ names: (ColumnSet) -> ColumnSet) -> Distribution {
        switch self {
        case .single, .partitioned(.unknown): return self
        case .partitioned(.hash(let hash)):
            let mapped = hash.map(names)
            return .partitioned(mapped.contains(where: \.isEmpty) ? .unknown : .hash(mapped))
        case .partitioned(.splits(let sets)):
            let mapped = sets.map(names).filter { !$0.isEmpty }
            return .partitioned(mapped.isEmpty ? .unknown : .splits(mapped))
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
