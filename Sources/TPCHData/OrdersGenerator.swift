// Orders. Their totals and states are computed from their lines, which are drawn from the same streams as the lines'
// table.

import Columnar

final class OrdersGenerator: TableGenerator {
    /// Orders whose lines are drawn at once.
    private static let lineBlockOrderCount = 512

    private var blocks: RowBlocks
    private var customer: RandomStream
    private let customerRange: ValueRange
    private var date = LineItemStreams.orderDate
    private var priority = ListColumn(RandomStream(seed: 591_449_447), Dictionaries.orderPriorities)
    private var clerk = RandomStream(seed: 1_171_034_773)
    private let clerkRange: ValueRange
    private lazy var comment = CommentColumn(seed: 276_090_261, average: 49, rowEstimate: rowEstimate)
    private let rowEstimate: Int

    private var lineCount = LineItemStreams.lineCount
    private var lines: LineItemStreams
    private let lineCounts = ValueScratch<UInt8>(capacity: Batch.standardRowCount)
    private let scratch = SeedScratch(capacity: Batch.standardRowCount * 2)
    private let lineScratch = SeedScratch(capacity: OrdersGenerator.lineBlockOrderCount * TPCHTable.linesPerOrderMax)
    private lazy var lineValues = LineValues()

    /// Values of a block of lines, for totals.
    private struct LineValues {
        static let capacity = OrdersGenerator.lineBlockOrderCount * TPCHTable.linesPerOrderMax
        let quantities = ValueScratch<Int64>(capacity: capacity)
        let discounts = ValueScratch<Int64>(capacity: capacity)
        let taxes = ValueScratch<Int64>(capacity: capacity)
        let parts = ValueScratch<Int64>(capacity: capacity)
        let shipDays = ValueScratch<Int32>(capacity: capacity)
    }

    init(_ scale: TPCHScale, units: Range<Int>) {
        blocks = RowBlocks(units)
        customer = RandomStream(seed: 851_767_375)
        customerRange = ValueRange(1, scale.customerCount)
        clerkRange = ValueRange(1, scale.clerkCount)
        lines = LineItemStreams(scale)
        rowEstimate = units.count
    }

    func advance() -> Int { blocks.advance() }

    func column(_ ordinal: Int) -> Vector {
        let row = blocks.first
        let count = blocks.count
        switch ordinal {
        case 0:
            let vector = Vector(flat: .int64, capacity: count)
            let values = vector.values(Int64.self)
            for index in 0..<count { values[index] = TPCHKeys.order(row &+ index) }
            return vector
        case 1: return customers()
        case 2: return statuses()
        case 3: return totals()
        case 4: return dates()
        case 5: return priority.vector(row: row, count: count, scratch)
        case 6: return clerks()
        case 7:
            let vector = Vector(flat: .int32, capacity: count)
            vector.values(Int32.self).update(repeating: 0, count: count)
            return vector
        default: return comment.vector(row: row, count: count, scratch)
        }
    }

    private func dates() -> Vector {
        let vector = Vector(flat: .date, capacity: blocks.count)
        date.fill(scratch.seeds, row: blocks.first, count: blocks.count)
        LineItemStreams.orderDateRange.map(scratch.seeds, to: vector.values(Int32.self), count: blocks.count)
        return vector
    }

    /// Every third customer has no orders: their keys move on to a neighbour.
    private func customers() -> Vector {
        let vector = Vector(flat: .int64, capacity: blocks.count)
        let values = vector.values(Int64.self)
        customer.fill(scratch.seeds, row: blocks.first, count: blocks.count)
        customerRange.map(scratch.seeds, to: values, count: blocks.count)
        let largest = customerRange.low &+ Int64(customerRange.span) &- 1
        var index = 0
        while index < blocks.count {
            var key = values[index]
            var step: Int64 = 1
            while key % 3 == 0 {
                key = min(key &+ step, largest)
                step = 0 &- step
            }
            values[index] = key
            index &+= 1
        }
        return vector
    }

    private func clerks() -> Vector {
        clerk.fill(scratch.seeds, row: blocks.first, count: blocks.count)
        let numbers = ValueScratch<Int64>(capacity: blocks.count)
        clerkRange.map(scratch.seeds, to: numbers.values, count: blocks.count)
        return PlainColumns.numberedNames("Clerk#", numbers: numbers.values, count: blocks.count)
    }

    private func drawLineCounts() {
        lineCount.fill(scratch.seeds, row: blocks.first, count: blocks.count)
        LineItemStreams.lineCountRange.map(scratch.seeds, to: lineCounts.values, count: blocks.count)
    }

    /// Calls `body` for blocks of orders small enough for the line scratch: first order, its place in the block, number
    /// of orders, number of lines.
    private func forEachLineBlock(_ body: (_ row: Int, _ place: Int, _ orderCount: Int, _ lineCount: Int) -> Void) {
        var place = 0
        while place < blocks.count {
            let orderCount = min(OrdersGenerator.lineBlockOrderCount, blocks.count - place)
            var total = 0
            for order in place..<place + orderCount { total &+= Int(lineCounts.values[order]) }
            body(blocks.first + place, place, orderCount, total)
            place += orderCount
        }
    }

    private func totals() -> Vector {
        let vector = Vector(flat: TPCHTable.moneyType, capacity: blocks.count)
        let totals = vector.values(Int64.self)
        drawLineCounts()
        forEachLineBlock { row, place, orderCount, lineCount in
            let counts = UnsafePointer(lineCounts.values + place)
            let quantities = lineValues.quantities.values
            let discounts = lineValues.discounts.values
            let taxes = lineValues.taxes.values
            let parts = lineValues.parts.values
            let seeds = lineScratch.seeds
            lines.quantity.fillLines(seeds, row: row, count: orderCount, lines: counts)
            LineItemStreams.quantityRange.map(seeds, to: quantities, count: lineCount)
            lines.discount.fillLines(seeds, row: row, count: orderCount, lines: counts)
            LineItemStreams.discountRange.map(seeds, to: discounts, count: lineCount)
            lines.tax.fillLines(seeds, row: row, count: orderCount, lines: counts)
            LineItemStreams.taxRange.map(seeds, to: taxes, count: lineCount)
            lines.part.fillLines(seeds, row: row, count: orderCount, lines: counts)
            lines.partRange.map(seeds, to: parts, count: lineCount)
            var line = 0
            for order in 0..<orderCount {
                let end = line &+ Int(counts[order])
                var total: Int64 = 0
                while line < end {
                    let price = PartRules.price(UInt32(truncatingIfNeeded: parts[line])) &* quantities[line]
                    let discounted = price &* (100 &- discounts[line])
                    total &+= discounted / 100 &* (100 &+ taxes[line]) / 100
                    line &+= 1
                }
                totals[place &+ order] = total
            }
        }
        return vector
    }

    private func statuses() -> Vector {
        let codes = Buffer(byteCount: blocks.count * 4)
        let states = codes.base.assumingMemoryBound(to: UInt32.self)
        let dates = dates()
        let days = dates.values(Int32.self)
        drawLineCounts()
        forEachLineBlock { row, place, orderCount, lineCount in
            let counts = UnsafePointer(lineCounts.values + place)
            let shipDays = lineValues.shipDays.values
            lines.shipDate.fillLines(lineScratch.seeds, row: row, count: orderCount, lines: counts)
            LineItemStreams.shipDateRange.map(lineScratch.seeds, to: shipDays, count: lineCount)
            var line = 0
            for order in 0..<orderCount {
                let end = line &+ Int(counts[order])
                let day = days[place &+ order]
                var shipped = 0
                while line < end {
                    shipped &+= day &+ shipDays[line] <= TPCHDates.current ? 1 : 0
                    line &+= 1
                }
                // All lines shipped, none, or some.
                states[place &+ order] = shipped == Int(counts[order]) ? 0 : shipped == 0 ? 1 : 2
            }
        }
        return Vector(codes: codes, count: blocks.count, dictionary: Dictionaries.orderStatuses)
    }
}
