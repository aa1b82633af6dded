// Makes the column identities of one query.

import Columnar
import Synchronization

/// Gives out column identities, each once. The binder and the optimiser of a query share one generator.
package final class ColumnIDGenerator: Sendable {
    private let counter: Atomic<Int>

    /// `first` is the number of the first identity.
    package init(first: Int = 1) { counter = Atomic(first) }

    /// A generator that goes on where this one is, without moving it.
    package func copy() -> ColumnIDGenerator { ColumnIDGenerator(first: counter.load(ordering: .relaxed)) }

    package func next() -> ColumnID { ColumnID(counter.wrappingAdd(1, ordering: .relaxed).oldValue) }

    /// The identity that comes next: a measure of how large the plan has become.
    package var position: Int { counter.load(ordering: .relaxed) }

    /// A column with a fresh identity.
    package func column(_ name: String, _ type: DataType, isNullable: Bool = true) -> PlanColumn {
        PlanColumn(id: next(), name: name, type: type, isNullable: isNullable)
    }

    /// Fresh identities for the same columns.
    package func copies(of columns: [PlanColumn]) -> [PlanColumn] {
        columns.map { column($0.name, $0.type, isNullable: $0.isNullable) }
    }
}
