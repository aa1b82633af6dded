// What a store computes itself instead of giving plain rows.

import Columnar

/// A query over a table, or over several of one catalogue, that their store answers whole: conditions, groups with aggregates,
/// an order and a limit. Expressions refer by position to the columns that the scan's projection names and then to those of
/// the other tables; keys of the order to the result.
package struct StoreQuery: Hashable, Sendable {
    package struct Grouping: Hashable, Sendable {
        package var groups: [Expression]
        package var aggregates: [AggregateCall]
        package init(groups: [Expression], aggregates: [AggregateCall]) {
            self.groups = groups
            self.aggregates = aggregates
        }
    }
    /// A further table with the columns that take part.
    package struct Table: Hashable, Sendable {
        package var name: TableName
        /// What its provider says of these columns to the provider of the first table.
        package var description: String
        package var columnCount: Int
        package init(name: TableName, description: String, columnCount: Int) {
            self.name = name
            self.description = description
            self.columnCount = columnCount
        }
    }
    /// Tables whose combinations of rows extend a row if the predicates hold for both, as an outer join does; where there is none
    /// the row is extended by NULLs.
    package struct Extension: Hashable, Sendable {
        package var tables: [Table]
        package var predicates: [Expression]
        package init(tables: [Table], predicates: [Expression]) {
            self.tables = tables
            self.predicates = predicates
        }
    }
    /// Rows of tables that must be there for a row to count, or must not. Their columns are seen here only.
    package struct Restriction: Hashable, Sendable {
        package var isNegated: Bool
        package var tables: [Table]
        package var predicates: [Expression]
        package init(isNegated: Bool, tables: [Table], predicates: [Expression]) {
            self.isNegated = isNegated
            self.tables = tables
            self.predicates = predicates
        }
    }
    /// All combinations of rows of the tables, extended one after the other, for which then the predicates hold.
    package struct Joins: Hashable, Sendable {
        package var tables: [Table]
        package var extensions: [Extension]
        package var restrictions: [Restriction]
        /// Columns of the result, if there are no groups.
        package var output: [Int]
        package init(
            tables: [Table], extensions: [Extension] = [], restrictions: [Restriction], output: [Int]
        ) {
            self.tables = tables
            self.extensions = extensions
            self.restrictions = restrictions
            self.output = output
        }
        /// In the order of their columns.
        package var allTables: [Table] {
            tables + extensions.flatMap(\.tables) + restrictions.flatMap(\.tables)
        }
    }
    package var joins: Joins?
    /// Conjuncts that the store applies exactly.
    package var predicates: [Expression]
    /// The result is the groups, then the aggregates; `nil`: it is the projection, or the output of the joins.
    package var grouping: Grouping?
    package var ordering: [SortKey]
    package var limit: Int?
    package init(
        joins: Joins? = nil, predicates: [Expression], grouping: Grouping? = nil, ordering: [SortKey] = [],
        limit: Int? = nil
    ) {
        self.joins = joins
        self.predicates = predicates
        self.grouping = grouping
        self.ordering = ordering
        self.limit = limit
    }

    package func mapExpressions(_ transform: (Expression) throws -> Expression) rethrows -> StoreQuery {
        StoreQuery(
            joins: try joins.map { joins in
                var result = joins
                result.extensions = try joins.extensions.map {
                    Extension(tables: $0.tables, predicates: try $0.predicates.map(transform))
                }
                result.restrictions = try joins.restrictions.map {
                    Restriction(
                        isNegated: $0.isNegated, tables: $0.tables, predicates: try $0.predicates.map(transform))
                }
                return result
            }, predicates: try predicates.map(transform),
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
