// What a store computes itself instead of giving plain rows.

import Columnar

/// A query over one table that its store answers whole: conditions, groups with aggregates, an order and a limit.
/// Expressions refer by position to the columns that the scan's projection names; keys of the order to the result.
package struct StoreQuery: Hashable, Sendable {
    package struct Grouping: Hashable, Sendable {
        package var groups: [Expression]
        package var aggregates: [AggregateCall]
        package init(groups: [Expression], aggregates: [AggregateCall]) {
            self.groups = groups
            self.aggregates = aggregates
        }
    }
    /// Conjuncts that the store applies exactly.
    package var predicates: [Expression]
    /// The result is the groups, then the aggregates; `nil`: it is the projection.
    package var grouping: Grouping?
    package var ordering: [SortKey]
    package var limit: Int?
    package init(
        predicates: [Expression], grouping: Grouping? = nil, ordering: [SortKey] = [], limit: Int? = nil
    ) {
        self.predicates = predicates
        self.grouping = grouping
        self.ordering = ordering
        self.limit = limit
    }

    package func mapExpressions(_ transform: (Expression) throws -> Expression) rethrows -> StoreQuery {
        StoreQuery(
            predicates: try predicates.map(transform),
            grouping: try grouping.map { grouping in
                Grouping(
                    groups: try grouping.groups.map(transform),
                    aggregates: try grouping.aggregates.map { try $0.mapExpressions(transform) })
            },
            ordering: try ordering.map {
                SortKey(try transform($0.expression), isDescending: $0.isDescending, nullsFirst: $0.nullsFirst)
            }, limit: limit)
    }
}
