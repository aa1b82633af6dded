// Lines of orders; the unit is the order.

import Columnar

/// The streams of lines, of which orders need some as well. Each order uses up seven draws, whatever lines it has.
struct LineItemStreams {
    private static let drawsPerOrder = TPCHTable.linesPerOrderMax

    static let orderDate = RandomStream(seed: 1_066_728_069)
    static let orderDateRange = ValueRange(
        Int(TPCHDates.start), Int(TPCHDates.start) + TPCHDates.orderDayCount - 1)
    static let lineCount = RandomStream(seed: 1_434_868_289)
    static let lineCountRange = ValueRange(1, TPCHTable.linesPerOrderMax)

    var quantity = RandomStream(seed: 209_208_115, drawsPerRow: drawsPerOrder)
    static let quantityRange = ValueRange(1, 50)
    var discount = RandomStream(seed: 554_590_007, drawsPerRow: drawsPerOrder)
    static let discountRange = ValueRange(0, 10)
    var tax = RandomStream(seed: 721_958_466, drawsPerRow: drawsPerOrder)
    static let taxRange = ValueRange(0, 8)
    var part = RandomStream(seed: 1_808_217_256, drawsPerRow: drawsPerOrder)
    let partRange: ValueRange
    var supplier = RandomStream(seed: 2_095_021_727, drawsPerRow: drawsPerOrder)
    static let supplierRange = ValueRange(0, 3)
    var shipDate = RandomStream(seed: 1_769_349_045, drawsPerRow: drawsPerOrder)
    static let shipDateRange = ValueRange(1, 121)
    var commitDate = RandomStream(seed: 904_914_315, drawsPerRow: drawsPerOrder)
    static let commitDateRange = ValueRange(30, 90)
    var receiptDate = RandomStream(seed: 373_135_028, drawsPerRow: drawsPerOrder)
    static let receiptDateRange = ValueRange(1, 30)
    var returnFlag = RandomStream(seed: 717_419_739, drawsPerRow: drawsPerOrder)
    static let returnFlagRange = ValueRange(0, 1)

    init(_ scale: TPCHScale) { partRange = ValueRange(1, scale.partCount) }
}

final class LineItemGenerator: TableGenerator {
    /// Orders that are looked at for one block; their lines seldom fill more than one.
    private static let orderCountMax = 640

    /// Values that several columns need, made once a block. Sizes are those of the largest block.
    private struct Derived: OptionSet {
        let rawValue: UInt8
        static let orderDays = Derived(rawValue: 1)
        static let quantities = Derived(rawValue: 2)
        static let parts = Derived(rawValue: 4)
        static let shipDays = Derived(rawValue: 8)
        static let receiptDays = Derived(rawValue: 16)
    }

    private let end: Int
    private let supplierCount: UInt32
    private let rowEstimate: Int
    private var streams: LineItemStreams
    private var lineCount = LineItemStreams.lineCount
    private var orderDate = LineItemStreams.orderDate
    private var instruction = ListColumn(
        RandomStream(seed: 1_371_272_478, drawsPerRow: TPCHTable.linesPerOrderMax), Dictionaries.shipInstructions)
    private var mode = ListColumn(
        RandomStream(seed: 675_466_456, drawsPerRow: TPCHTable.linesPerOrderMax), Dictionaries.shipModes)
    private lazy var comment = CommentColumn(
        seed: 1_095_462_486, average: 27, valuesPerRow: TPCHTable.linesPerOrderMax, rowEstimate: rowEstimate)

    /// The current block: orders, lines, and for each line its order within the block and its number.
    private var firstOrder: Int
    private var orderCount = 0
    private var count = 0
    private var derived: Derived = []
    private let lineCounts = ValueScratch<UInt8>(capacity: LineItemGenerator.orderCountMax)
    private let orderOfLine = ValueScratch<UInt16>(capacity: Batch.standardRowCount)
    private let lineNumbers = ValueScratch<Int32>(capacity: Batch.standardRowCount)
    private let scratch = SeedScratch(capacity: Batch.standardRowCount * 2)
    private let daysOfOrders = ValueScratch<Int32>(capacity: LineItemGenerator.orderCountMax)
    private let orderDays = ValueScratch<Int32>(capacity: Batch.standardRowCount)
    private let quantities = ValueScratch<Int64>(capacity: Batch.standardRowCount)
    private let parts = ValueScratch<Int64>(capacity: Batch.standardRowCount)
    private let shipDays = ValueScratch<Int32>(capacity: Batch.standardRowCount)
    private let receiptDays = ValueScratch<Int32>(capacity: Batch.standardRowCount)

    init(_ scale: TPCHScale, units: Range<Int>) {
        firstOrder = units.lowerBound
        end = units.upperBound
        supplierCount = UInt32(scale.supplierCount)
        streams = LineItemStreams(scale)
        rowEstimate = units.count * TPCHTable.lineitem.rowsPerUnit
    }

    func advance() -> Int {
        firstOrder += orderCount
        derived = []
        let candidates = min(LineItemGenerator.orderCountMax, end - firstOrder)
        count = 0
        orderCount = 0
        guard candidates > 0 else { return 0 }
        lineCount.fill(scratch.seeds, row: firstOrder, count: candidates)
        let counts = lineCounts.values
        LineItemStreams.lineCountRange.map(scratch.seeds, to: counts, count: candidates)
        let orders = orderOfLine.values
        let numbers = lineNumbers.values
        var line = 0
        var order = 0
        while order < candidates {
            let lines = Int(truncatingIfNeeded: counts[order])
            if line &+ lines > Batch.standardRowCount { break }
            // All seven places: the next order overwrites what is too much.
            var number = 0
            while number < TPCHTable.linesPerOrderMax {
                orders[line &+ number] = UInt16(truncatingIfNeeded: order)
                numbers[line &+ number] = Int32(truncatingIfNeeded: number &+ 1)
                number &+= 1
            }
            line &+= lines
            order &+= 1
        }
        orderCount = order
        count = line
        return line
    }

    func column(_ ordinal: Int) -> Vector {
        switch ordinal {
        case 0: return orderKeys()
        case 1: return copy(preparedParts(), as: .int64)
        case 2: return suppliers()
        case 3:
            let vector = Vector(flat: .int32, capacity: count)
            vector.values(Int32.self).update(from: lineNumbers.values, count: count)
            return vector
        case 4:
            let vector = Vector(flat: TPCHTable.moneyType, capacity: count)
            let quantities = preparedQuantities()
            let values = vector.values(Int64.self)
            var line = 0
            while line < count {
                values[line] = quantities[line] &* 100
                line &+= 1
            }
            return vector
        case 5: return prices()
        case 6: return numbers(&streams.discount, LineItemStreams.discountRange)
        case 7: return numbers(&streams.tax, LineItemStreams.taxRange)
        case 8: return returnFlags()
        case 9: return statuses()
        case 10: return dates(preparedShipDays())
        case 11:
            let days = preparedOrderDays()
            let vector = Vector(flat: .date, capacity: count)
            draw(&streams.commitDate)
            let values = vector.values(Int32.self)
            LineItemStreams.commitDateRange.map(scratch.seeds, to: values, count: count)
            add(days, to: values)
            return vector
        case 12: return dates(preparedReceiptDays())
        case 13:
            return instruction.lineVector(
                orders: firstOrder, orderCount: orderCount, lines: lineCounts.values, count: count, scratch)
        case 14:
            return mode.lineVector(
                orders: firstOrder, orderCount: orderCount, lines: lineCounts.values, count: count, scratch)
        default:
            return comment.lineVector(
                orders: firstOrder, orderCount: orderCount, lines: lineCounts.values, count: count, scratch)
        }
    }
}

extension LineItemGenerator {
    private func draw(_ stream: inout RandomStream) {
        stream.fillLines(scratch.seeds, row: firstOrder, count: orderCount, lines: lineCounts.values)
    }

    private func copy(_ source: UnsafePointer<Int64>, as type: DataType) -> Vector {
        let vector = Vector(flat: type, capacity: count)
        vector.values(Int64.self).update(from: source, count: count)
        return vector
    }

    private func dates(_ source: UnsafePointer<Int32>) -> Vector {
        let vector = Vector(flat: .date, capacity: count)
        vector.values(Int32.self).update(from: source, count: count)
        return vector
    }

    private func numbers(_ stream: inout RandomStream, _ range: ValueRange) -> Vector {
        let vector = Vector(flat: TPCHTable.moneyType, capacity: count)
        draw(&stream)
        range.map(scratch.seeds, to: vector.values(Int64.self), count: count)
        return vector
    }

    private func add(_ days: UnsafePointer<Int32>, to values: UnsafeMutablePointer<Int32>) {
        var line = 0
        while line < count {
            values[line] = values[line] &+ days[line]
            line &+= 1
        }
    }

    private func orderKeys() -> Vector {
        let vector = Vector(flat: .int64, capacity: count)
        let values = vector.values(Int64.self)
        let orders = orderOfLine.values
        var line = 0
        while line < count {
            values[line] = TPCHKeys.order(firstOrder &+ Int(truncatingIfNeeded: orders[line]))
            line &+= 1
        }
        return vector
    }

    private func suppliers() -> Vector {
        let parts = preparedParts()
        let vector = Vector(flat: .int64, capacity: count)
        let values = vector.values(Int64.self)
        draw(&streams.supplier)
        LineItemStreams.supplierRange.map(scratch.seeds, to: values, count: count)
        var line = 0
        while line < count {
            values[line] = PartRules.supplier(
                UInt32(truncatingIfNeeded: parts[line]), number: UInt32(truncatingIfNeeded: values[line]),
                supplierCount: supplierCount)
            line &+= 1
        }
        return vector
    }

    private func prices() -> Vector {
        let parts = preparedParts()
        let quantities = preparedQuantities()
        let vector = Vector(flat: TPCHTable.moneyType, capacity: count)
        let values = vector.values(Int64.self)
        var line = 0
        while line < count {
            values[line] = PartRules.price(UInt32(truncatingIfNeeded: parts[line])) &* quantities[line]
            line &+= 1
        }
        return vector
    }

    /// Drawn for lines received in the past, one draw each: the draws of an order move up past lines that need none.
    private func returnFlags() -> Vector {
        let days = preparedReceiptDays()
        let codes = Buffer(byteCount: count * 4)
        let values = codes.base.assumingMemoryBound(to: UInt32.self)
        draw(&streams.returnFlag)
        let seeds = scratch.seeds
        let counts = lineCounts.values
        let span = LineItemStreams.returnFlagRange.span
        var line = 0
        var order = 0
        while order < orderCount {
            var drawn = line
            let end = line &+ Int(truncatingIfNeeded: counts[order])
            while line < end {
                let isReceived = days[line] <= TPCHDates.current
                let flag = UInt32(truncatingIfNeeded: ValueRange.exact(seeds[drawn], span))
                values[line] = isReceived ? flag : 2
                drawn &+= isReceived ? 1 : 0
                line &+= 1
            }
            order &+= 1
        }
        return Vector(codes: codes, count: count, dictionary: Dictionaries.returnFlags)
    }

    private func statuses() -> Vector {
        let days = preparedShipDays()
        let codes = Buffer(byteCount: count * 4)
        let values = codes.base.assumingMemoryBound(to: UInt32.self)
        var line = 0
        while line < count {
            values[line] = days[line] <= TPCHDates.current ? 0 : 1
            line &+= 1
        }
        return Vector(codes: codes, count: count, dictionary: Dictionaries.lineStatuses)
    }

    // MARK: Values that several columns need

    private func preparedOrderDays() -> UnsafePointer<Int32> {
        let values = orderDays.values
        if derived.insert(.orderDays).inserted {
            let days = daysOfOrders.values
            orderDate.fill(scratch.seeds, row: firstOrder, count: orderCount)
            LineItemStreams.orderDateRange.map(scratch.seeds, to: days, count: orderCount)
            let orders = orderOfLine.values
            var line = 0
            while line < count {
                values[line] = days[Int(truncatingIfNeeded: orders[line])]
                line &+= 1
            }
        }
        return UnsafePointer(values)
    }

    private func preparedQuantities() -> UnsafePointer<Int64> {
        if derived.insert(.quantities).inserted {
            draw(&streams.quantity)
            LineItemStreams.quantityRange.map(scratch.seeds, to: quantities.values, count: count)
        }
        return UnsafePointer(quantities.values)
    }

    private func preparedParts() -> UnsafePointer<Int64> {
        if derived.insert(.parts).inserted {
            draw(&streams.part)
            streams.partRange.map(scratch.seeds, to: parts.values, count: count)
        }
        return UnsafePointer(parts.values)
    }

    private func preparedShipDays() -> UnsafePointer<Int32> {
        if !derived.contains(.shipDays) {
            let days = preparedOrderDays()
            draw(&streams.shipDate)
            LineItemStreams.shipDateRange.map(scratch.seeds, to: shipDays.values, count: count)
            add(days, to: shipDays.values)
            derived.insert(.shipDays)
        }
        return UnsafePointer(shipDays.values)
    }

    private func preparedReceiptDays() -> UnsafePointer<Int32> {
        if !derived.contains(.receiptDays) {
            let days = preparedShipDays()
            draw(&streams.receiptDate)
            LineItemStreams.receiptDateRange.map(scratch.seeds, to: receiptDays.values, count: count)
            add(days, to: receiptDays.values)
            derived.insert(.receiptDays)
        }
        return UnsafePointer(receiptDays.values)
    }
}
