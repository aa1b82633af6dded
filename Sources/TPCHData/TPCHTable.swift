// The eight tables: schemas and row counts.

import Columnar
import Diagnostics
import Synchronization

/// How much data: 1 is about a gigabyte of text. The largest ones of the benchmark need wider random numbers for keys,
/// which this generator does not have.
package struct TPCHScale: Hashable, Sendable {
    package static let smallest = 0.001
    package static let largest = 10_000.0

    package let factor: Double

    /// Throws 22023 outside of 0.001…10000.
    package init(_ factor: Double) throws {
        guard factor >= TPCHScale.smallest && factor <= TPCHScale.largest else {
            throw QueryError(
                .invalidParameterValue, "TPC-H scale factor must be between 0.001 and 10000: \(factor)")
        }
        self.factor = factor
    }

    private init(unchecked factor: Double) { self.factor = factor }

    /// Scale 0.01, for tests and first steps.
    package static let tiny = TPCHScale(unchecked: 0.01)
    package static let one = TPCHScale(unchecked: 1)

    /// `base` rows at scale 1, at this scale.
    func scaled(_ base: Int) -> Int { Int(Double(base) * factor) }

    package var supplierCount: Int { scaled(10_000) }
    package var customerCount: Int { scaled(150_000) }
    package var partCount: Int { scaled(200_000) }
    package var orderCount: Int { scaled(1_500_000) }
    package var clerkCount: Int { max(1000, scaled(1000)) }
}

package enum TPCHTable: String, CaseIterable, Sendable {
    case region, nation, supplier, customer, part, partsupp, orders, lineitem

    package static let suppliersPerPart = 4
    package static let linesPerOrderMax = 7

    /// Rows come in units that are made together: a part's suppliers, an order's lines, else one row. Splits are ranges
    /// of units.
    package func unitCount(_ scale: TPCHScale) -> Int {
        switch self {
        case .region: WordLists.regions.count
        case .nation: WordLists.nations.count
        case .supplier: scale.supplierCount
        case .customer: scale.customerCount
        case .part, .partsupp: scale.partCount
        case .orders, .lineitem: scale.orderCount
        }
    }

    /// Rows a unit, on average.
    package var rowsPerUnit: Int {
        switch self {
        case .partsupp: TPCHTable.suppliersPerPart
        case .lineitem: 4
        default: 1
        }
    }

    /// Rows of the table. `isExact` is false only for lines at large scales that the benchmark does not list.
    package func rowCount(_ scale: TPCHScale) -> (count: Int, isExact: Bool) {
        switch self {
        case .lineitem: LineCounts.count(scale)
        default: (unitCount(scale) * rowsPerUnit, true)
        }
    }

    package var schema: Schema { TPCHTable.schemas[self] ?? Schema([]) }

    private static let schemas: [TPCHTable: Schema] = Dictionary(
        uniqueKeysWithValues: allCases.map { table in
            (
                table,
                Schema(table.columns.map { Field(name: table.prefix + $0.name, type: $0.type, isNullable: false) })
            )
        })

    private var prefix: String {
        switch self {
        case .region: "r_"
        case .nation: "n_"
        case .supplier: "s_"
        case .customer: "c_"
        case .part: "p_"
        case .partsupp: "ps_"
        case .orders: "o_"
        case .lineitem: "l_"
        }
    }

    package static let moneyType = DataType.decimal(precision: 15, scale: 2)

    private var columns: [(name: String, type: DataType)] {
        let money = TPCHTable.moneyType
        switch self {
        case .region: return [("regionkey", .int64), ("name", .text), ("comment", .text)]
        case .nation: return [("nationkey", .int64), ("name", .text), ("regionkey", .int64), ("comment", .text)]
        case .supplier:
            return [
                ("suppkey", .int64), ("name", .text), ("address", .text), ("nationkey", .int64), ("phone", .text),
                ("acctbal", money), ("comment", .text),
            ]
        case .customer:
            return [
                ("custkey", .int64), ("name", .text), ("address", .text), ("nationkey", .int64), ("phone", .text),
                ("acctbal", money), ("mktsegment", .text), ("comment", .text),
            ]
        case .part:
            return [
                ("partkey", .int64), ("name", .text), ("mfgr", .text), ("brand", .text), ("type", .text),
                ("size", .int32), ("container", .text), ("retailprice", money), ("comment", .text),
            ]
        case .partsupp:
            return [
                ("partkey", .int64), ("suppkey", .int64), ("availqty", .int32), ("supplycost", money),
                ("comment", .text),
            ]
        case .orders:
            return [
                ("orderkey", .int64), ("custkey", .int64), ("orderstatus", .text), ("totalprice", money),
                ("orderdate", .date), ("orderpriority", .text), ("clerk", .text), ("shippriority", .int32),
                ("comment", .text),
            ]
        case .lineitem:
            return [
                ("orderkey", .int64), ("partkey", .int64), ("suppkey", .int64), ("linenumber", .int32),
                ("quantity", money), ("extendedprice", money), ("discount", money), ("tax", money),
                ("returnflag", .text), ("linestatus", .text), ("shipdate", .date), ("commitdate", .date),
                ("receiptdate", .date), ("shipinstruct", .text), ("shipmode", .text), ("comment", .text),
            ]
        }
    }

    /// A generator of the rows of `units` (from 0, within `unitCount`).
    package func makeGenerator(_ scale: TPCHScale, units: Range<Int>) -> any TableGenerator {
        switch self {
        case .region: RegionGenerator(units: units)
        case .nation: NationGenerator(units: units)
        case .supplier: SupplierGenerator(units: units)
        case .customer: CustomerGenerator(units: units)
        case .part: PartGenerator(units: units)
        case .partsupp: PartSupplierGenerator(scale, units: units)
        case .orders: OrdersGenerator(scale, units: units)
        case .lineitem: LineItemGenerator(scale, units: units)
        }
    }
}

/// How keys of orders and suppliers are formed.
package enum TPCHKeys {
    /// The key of order `index` (from 0): of every 32 keys only the first eight are used.
    @inline(__always)
    package static func order(_ index: Int) -> Int64 {
        let number = Int64(truncatingIfNeeded: index) &+ 1
        return (number &>> 3) &<< 5 | (number & 7)
    }

    /// The number of orders whose keys are below `key`.
    package static func ordersBelow(_ key: Int64) -> Int {
        if key <= 1 { return 0 }
        let numbers = ((key >> 5) << 3) + min(key & 31, 8)
        return Int(numbers) - 1
    }
}

/// How many lines the orders of a scale have.
private enum LineCounts {
    /// Sums for the scales that are asked for most.
    private static let known: [Double: Int] = [
        0.01: 60_175, 0.1: 600_572, 1: 6_001_215, 10: 59_986_052, 30: 179_998_372, 100: 600_037_902,
        300: 1_799_989_091, 1000: 5_999_989_709, 3000: 18_000_048_306, 10_000: 59_999_994_267,
    ]
    /// Beyond this, adding up the orders' line counts would hold up planning: 10 takes some 30 ms.
    private static let countedFactorMax = 10.0
    private static let counted = Mutex<[Double: Int]>([:])

    static func count(_ scale: TPCHScale) -> (count: Int, isExact: Bool) {
        if let count = known[scale.factor] { return (count, true) }
        guard scale.factor <= countedFactorMax else { return (scale.orderCount * 4, false) }
        if let count = counted.withLock({ $0[scale.factor] }) { return (count, true) }
        let count = sum(scale.orderCount)
        counted.withLock { $0[scale.factor] = count }
        return (count, true)
    }

    private static func sum(_ orders: Int) -> Int {
        var stream = LineItemStreams.lineCount
        var total = 0
        var row = 0
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 4096) { seeds in
            guard let base = seeds.baseAddress else { return }
            while row < orders {
                let count = min(4096, orders - row)
                stream.fill(base, row: row, count: count)
                var index = 0
                while index < count {
                    let lines = 1 &+ ValueRange.exact(base[index], UInt64(TPCHTable.linesPerOrderMax))
                    total &+= Int(truncatingIfNeeded: lines)
                    index &+= 1
                }
                row += count
            }
        }
        return total
    }
}
