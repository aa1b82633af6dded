// What is known about the columns without making any rows: bounds, distinct values, lengths.

import Columnar

/// Facts about one column. Bounds hold for all rows, but the extreme values need not occur at small scales.
package struct TPCHColumnFacts: Sendable {
    package var minimum: ScalarValue?
    package var maximum: ScalarValue?
    package var distinctCount: Double
    /// Average length of strings.
    package var averageByteCount: Double?
}

extension TPCHTable {
    /// Facts by column ordinal.
    package func columnFacts(_ scale: TPCHScale) -> [TPCHColumnFacts] {
        let rows = Double(rowCount(scale).count)
        let facts = FactMaker(rows: rows, scale: scale)
        switch self {
        case .region:
            return [facts.keys(0, 4), facts.list(WordLists.regions), facts.comment(72)]
        case .nation:
            return [
                facts.keys(0, 24), facts.list(WordLists.nations.map(\.name)), facts.keys(0, 4),
                facts.comment(72),
            ]
        case .supplier: return party(facts, scale.supplierCount, prefix: "Supplier#") + [facts.comment(63)]
        case .customer:
            return party(facts, scale.customerCount, prefix: "Customer#") + [
                facts.list(WordLists.marketSegments), facts.comment(73),
            ]
        case .part:
            return [
                facts.keys(1, scale.partCount), facts.text(distinct: rows, average: 32.7),
                facts.list(WordLists.manufacturers), facts.list(WordLists.brands), facts.list(WordLists.partTypes),
                facts.integers(1, 50), facts.list(WordLists.containers), facts.retailPrices, facts.comment(14),
            ]
        case .partsupp:
            return [
                facts.keys(1, scale.partCount), facts.keys(1, scale.supplierCount), facts.integers(1, 9999),
                facts.money(100, 100_000), facts.comment(124),
            ]
        case .orders: return orders(facts, scale)
        case .lineitem: return lines(facts, scale)
        }
    }

    private func party(_ facts: FactMaker, _ count: Int, prefix: String) -> [TPCHColumnFacts] {
        var names = facts.names(prefix, count)
        names.distinctCount = Double(count)
        return [
            facts.keys(1, count), names, facts.text(distinct: facts.rows, average: 25),
            facts.integers(0, 24), facts.text(distinct: facts.rows, average: 15), facts.money(-99_999, 999_999),
        ]
    }

    private func orders(_ facts: FactMaker, _ scale: TPCHScale) -> [TPCHColumnFacts] {
        var customers = facts.integers(1, scale.customerCount)
        // A third of the customers have no orders.
        customers.distinctCount = facts.drawn(Double(scale.customerCount) * 2 / 3)
        return [
            facts.orderKeys, customers, facts.list(WordLists.orderStatuses), facts.money(0, 70_000_000),
            facts.dates(0, TPCHDates.orderDayCount - 1), facts.list(WordLists.orderPriorities),
            facts.names("Clerk#", scale.clerkCount), facts.integers(0, 0), facts.comment(49),
        ]
    }

    private func lines(_ facts: FactMaker, _ scale: TPCHScale) -> [TPCHColumnFacts] {
        let lastOrder = TPCHDates.orderDayCount - 1
        // Of all products of a price and a quantity about one in ten occurs twice.
        let prices = facts.distinctRetailPrices * 50 * 0.9
        var extendedPrice = facts.money(90_000, 50 * (90_000 + 20_000 + 99_900))
        extendedPrice.distinctCount = facts.drawn(prices)
        return [
            facts.orderKeys, facts.integers(1, scale.partCount), facts.integers(1, scale.supplierCount),
            facts.integers(1, 7), facts.wholeMoney(1, 50), extendedPrice, facts.money(0, 10), facts.money(0, 8),
            facts.list(WordLists.returnFlags), facts.list(WordLists.lineStatuses), facts.dates(1, lastOrder + 121),
            facts.dates(30, lastOrder + 90), facts.dates(2, lastOrder + 151), facts.list(WordLists.shipInstructions),
            facts.list(WordLists.shipModes), facts.comment(27),
        ]
    }
}

/// Facts of the kinds of columns that occur.
private struct FactMaker {
    let rows: Double
    let scale: TPCHScale

    /// How many of `domain` values are expected among as many draws as there are rows.
    func drawn(_ domain: Double) -> Double {
        guard domain > 0, rows > 0 else { return 0 }
        // e⁻ˣ for x = rows/domain, by repeated squaring of its series: no need for a math library.
        var exponential = 1.0
        let ratio = min(rows / domain, 40)
        let part = ratio / 1024
        exponential = 1 - part + part * part / 2
        for _ in 0..<10 { exponential *= exponential }
        return max(1, min(rows, domain * (1 - exponential)))
    }

    func integers(_ low: Int, _ high: Int) -> TPCHColumnFacts {
        TPCHColumnFacts(
            minimum: .integer(Int64(low)), maximum: .integer(Int64(high)), distinctCount: drawn(Double(high - low + 1)))
    }

    /// Values all of which occur.
    func keys(_ low: Int, _ high: Int) -> TPCHColumnFacts {
        var facts = integers(low, high)
        facts.distinctCount = Double(high - low + 1)
        return facts
    }

    func money(_ low: Int, _ high: Int) -> TPCHColumnFacts {
        TPCHColumnFacts(
            minimum: .decimal(Int128(low)), maximum: .decimal(Int128(high)),
            distinctCount: drawn(Double(high - low + 1)))
    }

    func wholeMoney(_ low: Int, _ high: Int) -> TPCHColumnFacts {
        TPCHColumnFacts(
            minimum: .decimal(Int128(low * 100)), maximum: .decimal(Int128(high * 100)),
            distinctCount: drawn(Double(high - low + 1)))
    }

    /// Days after the first order's.
    func dates(_ low: Int, _ high: Int) -> TPCHColumnFacts {
        integers(Int(TPCHDates.start) + low, Int(TPCHDates.start) + high)
    }

    func list(_ words: [String]) -> TPCHColumnFacts {
        let total = words.reduce(0) { $0 + $1.utf8.count }
        // Byte order, which is the order of ASCII text.
        let sorted = words.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        return TPCHColumnFacts(
            minimum: sorted.first.map { .string($0) }, maximum: sorted.last.map { .string($0) },
            distinctCount: min(rows, Double(words.count)), averageByteCount: Double(total) / Double(words.count))
    }

    func names(_ prefix: String, _ count: Int) -> TPCHColumnFacts {
        func name(_ number: Int) -> String {
            let digits = String(number)
            return prefix + String(repeating: "0", count: max(0, 9 - digits.count)) + digits
        }
        // Names of more than nine digits are not in the order of their numbers.
        let isOrdered = count < 1_000_000_000
        return TPCHColumnFacts(
            minimum: .string(name(1)), maximum: isOrdered ? .string(name(count)) : nil,
            distinctCount: drawn(Double(count)),
            averageByteCount: Double(prefix.utf8.count + 9))
    }

    func text(distinct: Double, average: Double) -> TPCHColumnFacts {
        TPCHColumnFacts(distinctCount: max(1, min(rows, distinct)), averageByteCount: average)
    }

    func comment(_ average: Double) -> TPCHColumnFacts { text(distinct: rows, average: average) }

    var orderKeys: TPCHColumnFacts {
        TPCHColumnFacts(
            minimum: .integer(1), maximum: .integer(TPCHKeys.order(scale.orderCount - 1)),
            distinctCount: Double(scale.orderCount))
    }

    /// Prices repeat: the thousands of a part's number and their rest count only as a sum, but for blocks of ten.
    /// Beyond 200,000 parts the reference's limit on the first term makes most of them repeat.
    var distinctRetailPrices: Double {
        let parts = Double(scale.partCount)
        return min(parts, 100 * (min(parts, 200_000) / 1000 + 9) + max(0, parts - 200_000) * 0.006, 119_900)
    }

    var retailPrices: TPCHColumnFacts {
        var facts = money(90_000, 90_000 + 20_000 + 99_900)
        facts.distinctCount = distinctRetailPrices
        return facts
    }
}
