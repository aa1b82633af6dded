// Parts, and which suppliers sell them.

import Columnar

/// Rules that parts and lines of orders share.
enum PartRules {
    /// The retail price of a part in cents.
    @inline(__always)
    static func price(_ part: UInt32) -> Int64 {
        Int64(truncatingIfNeeded: 90_000 &+ (part / 10) % 20_001 &+ (part % 1000) &* 100)
    }

    /// The key of a part's supplier `number` (0…3).
    @inline(__always)
    static func supplier(_ part: UInt32, number: UInt32, supplierCount: UInt32) -> Int64 {
        let step = supplierCount / 4 &+ (part &- 1) / supplierCount
        return Int64(truncatingIfNeeded: (part &+ number &* step) % supplierCount) &+ 1
    }
}

final class PartGenerator: TableGenerator {
    private var blocks: RowBlocks
    private var name = PartNameColumn()
    private var manufacturer = RandomStream(seed: 1)
    private var brand = RandomStream(seed: 46_831_694)
    private var type = ListColumn(RandomStream(seed: 1_841_581_359), Dictionaries.partTypes)
    private var size = NumberColumn(RandomStream(seed: 1_193_163_244), 1, 50, type: .int32)
    private var container = ListColumn(RandomStream(seed: 727_633_698), Dictionaries.containers)
    private lazy var comment = CommentColumn(seed: 804_159_733, average: 14, rowEstimate: rowEstimate)
    private let rowEstimate: Int
    private let scratch = SeedScratch(capacity: Batch.standardRowCount * PartNameColumn.wordCount)

    init(units: Range<Int>) {
        blocks = RowBlocks(units)
        rowEstimate = units.count
    }

    func advance() -> Int { blocks.advance() }

    func column(_ ordinal: Int) -> Vector {
        let row = blocks.first
        let count = blocks.count
        switch ordinal {
        case 0: return PlainColumns.sequence(from: row + 1, count: count)
        case 1: return name.vector(row: row, count: count, scratch)
        case 2: return Vector(codes: manufacturerCodes(), count: count, dictionary: Dictionaries.manufacturers)
        case 3:
            let codes = manufacturerCodes()
            let values = codes.base.assumingMemoryBound(to: UInt32.self)
            brand.fill(scratch.seeds, row: row, count: count)
            for index in 0..<count {
                values[index] =
                    values[index] &* 5 &+ UInt32(truncatingIfNeeded: ValueRange.exact(scratch.seeds[index], 5))
            }
            return Vector(codes: codes, count: count, dictionary: Dictionaries.brands)
        case 4: return type.vector(row: row, count: count, scratch)
        case 5: return size.vector(row: row, count: count, scratch)
        case 6: return container.vector(row: row, count: count, scratch)
        case 7:
            let vector = Vector(flat: TPCHTable.moneyType, capacity: count)
            let values = vector.values(Int64.self)
            for index in 0..<count { values[index] = PartRules.price(UInt32(truncatingIfNeeded: row &+ index &+ 1)) }
            return vector
        default: return comment.vector(row: row, count: count, scratch)
        }
    }

    private func manufacturerCodes() -> Buffer {
        manufacturer.fill(scratch.seeds, row: blocks.first, count: blocks.count)
        let codes = Buffer(byteCount: blocks.count * 4)
        ValueRange(0, 4).map(
            scratch.seeds, to: codes.base.assumingMemoryBound(to: UInt32.self), count: blocks.count)
        return codes
    }
}

/// Names of parts: five different colours, from the start of a shuffled list. A row uses up as many draws as there are
/// colours.
private struct PartNameColumn {
    static let wordCount = 5
    private static let slotByteCount = 16
    private var stream = RandomStream(seed: 709_314_158, drawsPerRow: WordLists.colors.count)
    /// Each colour and a blank, padded; lengths with the blank.
    private let slots = ValueScratch<UInt8>(capacity: WordLists.colors.count * slotByteCount)
    private let lengths = ValueScratch<UInt8>(capacity: WordLists.colors.count)
    private let order = ValueScratch<UInt8>(capacity: WordLists.colors.count)

    init() {
        for (index, color) in WordLists.colors.enumerated() {
            let slot = slots.values + index * PartNameColumn.slotByteCount
            slot.initialize(repeating: UInt8(ascii: " "), count: PartNameColumn.slotByteCount)
            for (offset, byte) in color.utf8.enumerated() { slot[offset] = byte }
            lengths.values[index] = UInt8(color.utf8.count + 1)
            order.values[index] = UInt8(index)
        }
    }

    mutating func vector(row: Int, count: Int, _ scratch: SeedScratch) -> Vector {
        let wordCount = PartNameColumn.wordCount
        stream.fill(scratch.seeds, row: row, count: count, draws: wordCount)
        let vector = Vector(flat: .text, capacity: count)
        let views = vector.views
        let heap = Buffer(byteCount: count * (wordCount + 1) * PartNameColumn.slotByteCount)
        var target = heap.base.assumingMemoryBound(to: UInt8.self)
        let order = order.values
        let colorCount = WordLists.colors.count
        var seeds = UnsafePointer(scratch.seeds)
        var swaps = (0, 0, 0, 0, 0)
        withUnsafeMutableBytes(of: &swaps) { bytes in
            let swaps = bytes.assumingMemoryBound(to: Int.self)
            for index in 0..<count {
                let start = target
                for place in 0..<wordCount {
                    let other =
                        place &+ Int(truncatingIfNeeded: ValueRange.exact(seeds[place], UInt64(colorCount &- place)))
                    swaps[place] = other
                    let color = order[other]
                    order[other] = order[place]
                    order[place] = color
                    target.update(
                        from: slots.values + Int(color) &* PartNameColumn.slotByteCount,
                        count: PartNameColumn.slotByteCount)
                    target += Int(lengths.values[Int(color)])
                }
                // Undone in reverse, the list is as it was.
                for place in stride(from: wordCount - 1, through: 0, by: -1) {
                    let color = order[place]
                    order[place] = order[swaps[place]]
                    order[swaps[place]] = color
                }
                views[index] = StringView(padded: start, count: target - start - 1)
                seeds += wordCount
            }
        }
        vector.pinned = [heap]
        return vector
    }
}

/// Four suppliers for each part; the unit is the part.
final class PartSupplierGenerator: TableGenerator {
    private static let perPart = TPCHTable.suppliersPerPart
    private var parts: RowBlocks
    private let supplierCount: UInt32
    private var available = NumberColumn(
        RandomStream(seed: 1_671_059_989, drawsPerRow: perPart), 1, 9999, type: .int32)
    private var cost = NumberColumn(
        RandomStream(seed: 1_051_288_424, drawsPerRow: perPart), 100, 100_000, type: TPCHTable.moneyType)
    private lazy var comment = CommentColumn(
        seed: 1_961_692_154, average: 124, valuesPerRow: PartSupplierGenerator.perPart, rowEstimate: rowEstimate)
    private let rowEstimate: Int
    private let scratch = SeedScratch(capacity: Batch.standardRowCount * 2)

    init(_ scale: TPCHScale, units: Range<Int>) {
        parts = RowBlocks(units)
        supplierCount = UInt32(scale.supplierCount)
        rowEstimate = units.count * PartSupplierGenerator.perPart
    }

    func advance() -> Int {
        parts.advance(by: Batch.standardRowCount / PartSupplierGenerator.perPart) * PartSupplierGenerator.perPart
    }

    func column(_ ordinal: Int) -> Vector {
        let perPart = PartSupplierGenerator.perPart
        let part = parts.first
        let count = parts.count
        switch ordinal {
        case 0, 1:
            let vector = Vector(flat: .int64, capacity: count * perPart)
            let values = vector.values(Int64.self)
            for index in 0..<count * perPart {
                let key = UInt32(truncatingIfNeeded: part &+ index / perPart &+ 1)
                values[index] =
                    ordinal == 0
                    ? Int64(key)
                    : PartRules.supplier(
                        key, number: UInt32(truncatingIfNeeded: index % perPart), supplierCount: supplierCount)
            }
            return vector
        case 2: return available.vector(row: part, count: count, draws: perPart, scratch)
        case 3: return cost.vector(row: part, count: count, draws: perPart, scratch)
        default: return comment.vector(row: part, count: count, values: perPart, scratch)
        }
    }
}
