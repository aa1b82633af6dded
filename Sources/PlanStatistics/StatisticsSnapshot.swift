// PlanStatistics estimates the sizes of plans. This file: the tables' statistics as one query's planning sees them.
//
//   StatisticsSnapshot     what storage knows about the tables of a plan
//   SampledColumns, SampleFacts   what rows of the tables say about a scan's predicates
//   ColumnEstimate         what is believed about one column
//   CardinalityEstimator   rows of plan nodes, selectivities of predicates, sizes of joins

import Columnar
import Diagnostics
import QueryPlan
import Storage

/// Statistics of the tables that a plan reads, fetched once so that planning itself never waits.
package struct StatisticsSnapshot: Sendable {
    package var tables: [TableName: TableStatistics]
    /// Tables whose data only the coordinator's process holds.
    package var coordinatorOnly: Set<TableName>
    /// Tables of stores that are asked over a network and may compute parts of the query.
    package private(set) var stores: [TableName: any TableProvider] = [:]
    /// Rows of the tables, if the plan has something to decide by them.
    private(set) var samples: PlanSamples?

    package init(tables: [TableName: TableStatistics] = [:], coordinatorOnly: Set<TableName> = []) {
        self.tables = tables
        self.coordinatorOnly = coordinatorOnly
    }

    /// Asks the catalogue for every table of the plan. A table that gives no statistics is planned without. With
    /// `predicates` it also looks at rows of the tables that a plan joins.
    package static func load(
        for plan: LogicalPlan, from catalog: Catalog, predicates: (any SamplePredicates)? = nil
    ) async throws -> StatisticsSnapshot {
        var names: Set<TableName> = []
        collectTables(of: plan, into: &names)
        var snapshot = StatisticsSnapshot()
        let sampled = SampledColumns(plan)
        let ordinals = predicates == nil || !sampled.isWorthwhile ? [:] : sampled.ordinals()
        let predicateOrdinals = ordinals.isEmpty ? [:] : sampled.predicateOrdinals()
        var samples: [TableName: TableSample] = [:]
        for name in names {
            let table = try await catalog.table(name)
            let statistics = catalog.completing(try await table.statistics(), of: name)
            snapshot.tables[name] = statistics
            if table.isRemote { snapshot.stores[name] = table }
            if catalog.backend(name.catalog)?.isCoordinatorOnly == true { snapshot.coordinatorOnly.insert(name) }
            if var wanted = ordinals[name] {
                // Where predicates choose no rows, statistics say all there is, if there are any. Of a large table keys
                // tell nothing beyond their statistics.
                let unknown = wanted.filter { statistics.distinctCount(ofOrdinal: $0) == nil }
                let chosen = predicateOrdinals[name] ?? []
                let isLarge = (statistics.rowCount ?? 0) > TableSample.wholeRowCountMax
                if chosen.isEmpty || isLarge { wanted = chosen.union(unknown) }
                if !wanted.isEmpty {
                    samples[name] = await catalog.samples.sample(of: name, table, ordinals: wanted)
                }
            }
        }
        if let predicates, !samples.isEmpty { snapshot.samples = PlanSamples(samples, predicates: predicates) }
        return snapshot
    }

    private static func collectTables(of plan: LogicalPlan, into names: inout Set<TableName>) {
        if case .scan(let scan) = plan { names.insert(scan.table) }
        for expression in plan.expressions where expression.containsSubquery {
            expression.visit { if case .subquery(let subquery) = $0 { collectTables(of: subquery.plan, into: &names) } }
        }
        for input in plan.inputs { collectTables(of: input, into: &names) }
    }
}

extension TableStatistics {
    fileprivate func distinctCount(ofOrdinal ordinal: Int) -> Double? {
        ordinal < columns.count ? columns[ordinal].distinctCount : nil
    }
}

extension Expression {
    /// Whether a sub-query stands in the expression.
    package var containsSubquery: Bool { contains { if case .subquery = $0 { true } else { false } } }
}

/// What is believed about the values of a column. Numbers, dates and timestamps are on one axis per type.
package struct ColumnEstimate: Sendable {
    /// Different values in the rows that the scan gives, or in the node that made the column; an upper bound unless
    /// `isKnown`.
    package var distinctCount: Double
    package var isKnown: Bool
    package var minimum: Double?
    package var maximum: Double?
    package var nullFraction: Double
    /// Bytes a value takes in an exchange or a hash table.
    package var byteCount: Double
    /// Rows of the unfiltered table, or of the node that made the column.
    package var originRowCount: Double
    /// The node that made the column: keys from one node together have no more values than it has rows.
    package var origin = 0
    /// Rows that the node gives.
    package var visibleRowCount: Double
    /// The values of the table before the scan's predicates, where those change them: what keys are drawn from.
    package var unfiltered: Domain?
    /// Whether neighbouring values of the axis are one apart: whole numbers and dates.
    package var isDiscrete = false
    /// The result of an aggregate: comparing it with a constant (HAVING) is meant to keep little.
    package var isAggregate = false

    package struct Domain: Sendable {
        package var distinctCount: Double
        package var minimum: Double?
        package var maximum: Double?
    }

    package var domain: Domain {
        unfiltered ?? Domain(distinctCount: distinctCount, minimum: minimum, maximum: maximum)
    }

    package init(
        distinctCount: Double, isKnown: Bool = false, minimum: Double? = nil, maximum: Double? = nil,
        nullFraction: Double = 0, byteCount: Double = 8, originRowCount: Double
    ) {
        self.distinctCount = distinctCount
        self.isKnown = isKnown
        self.minimum = minimum
        self.maximum = maximum
        self.nullFraction = nullFraction
        self.byteCount = byteCount
        self.originRowCount = originRowCount
        visibleRowCount = originRowCount
    }
}

extension ScalarValue {
    /// The value on the axis of its type: numbers by their value, dates and timestamps in days.
    package func axisValue(_ type: DataType) -> Double? {
        switch self {
        case .integer(let value):
            switch type {
            case .timestamp, .timestampTZ, .time: Double(value) / 86_400_000_000
            case .decimal(_, let scale): Double(value) / Self.powerOfTen(scale)
            default: Double(value)
            }
        case .decimal(let unscaled): Double(unscaled) / Self.powerOfTen(type.scale)
        case .float(let value): value.isFinite ? value : nil
        case .boolean(let value): value ? 1 : 0
        case .null, .bytes, .interval, .uuid: nil
        }
    }

    private static func powerOfTen(_ exponent: Int) -> Double {
        var result = 1.0
        for _ in 0..<exponent { result *= 10 }
        return result
    }
}

extension DataType {
    /// Bytes that a value takes on average when nothing better is known.
    package var typicalByteCount: Double {
        switch physical {
        case .boolean, .int8: 1
        case .int16: 2
        case .int32, .float32: 4
        case .int64, .float64: 8
        case .int128, .interval, .uuid: 16
        case .view: 24
        }
    }
}
