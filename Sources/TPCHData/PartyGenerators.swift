// Suppliers and customers.

import Columnar

/// What suppliers and customers have in common: names, addresses, nations, phones and balances.
private struct PartyColumns {
    private var address: AddressColumn
    private var nation: NumberColumn
    private var phone: PhoneColumn
    private var balance: NumberColumn
    private let namePrefix: StaticString

    init(
        namePrefix: StaticString, addressSeed: UInt64, nationSeed: UInt64, phoneSeed: UInt64, balanceSeed: UInt64
    ) {
        self.namePrefix = namePrefix
        address = AddressColumn(seed: addressSeed)
        nation = NumberColumn(
            RandomStream(seed: nationSeed), 0, WordLists.nations.count - 1, type: .int64)
        phone = PhoneColumn(seed: phoneSeed)
        balance = NumberColumn(RandomStream(seed: balanceSeed), -99_999, 999_999, type: TPCHTable.moneyType)
    }

    /// Key, name, address, nation, phone and balance are the columns 0…5 of both tables.
    mutating func column(_ ordinal: Int, row: Int, count: Int, _ scratch: SeedScratch) -> Vector {
        switch ordinal {
        case 0: return PlainColumns.sequence(from: row + 1, count: count)
        case 1:
            let keys = PlainColumns.sequence(from: row + 1, count: count)
            return PlainColumns.numberedNames(namePrefix, numbers: keys.values(Int64.self), count: count)
        case 2: return address.vector(row: row, count: count, scratch)
        case 3: return nation.vector(row: row, count: count, scratch)
        case 4:
            let nations = nation.vector(row: row, count: count, scratch)
            return phone.vector(row: row, count: count, nations: nations.values(Int64.self), scratch)
        default: return balance.vector(row: row, count: count, scratch)
        }
    }
}

final class CustomerGenerator: TableGenerator {
    private var blocks: RowBlocks
    private var party = PartyColumns(
        namePrefix: "Customer#", addressSeed: 881_155_353, nationSeed: 1_489_529_863, phoneSeed: 1_521_138_112,
        balanceSeed: 298_370_230)
    private var segment = ListColumn(RandomStream(seed: 1_140_279_430), Dictionaries.marketSegments)
    private lazy var comment = CommentColumn(seed: 1_335_826_707, average: 73, rowEstimate: rowEstimate)
    private let rowEstimate: Int
    private let scratch = SeedScratch(capacity: Batch.standardRowCount * 9)

    init(units: Range<Int>) {
        blocks = RowBlocks(units)
        rowEstimate = units.count
    }

    func advance() -> Int { blocks.advance() }

    func column(_ ordinal: Int) -> Vector {
        switch ordinal {
        case 6: segment.vector(row: blocks.first, count: blocks.count, scratch)
        case 7: comment.vector(row: blocks.first, count: blocks.count, scratch)
        default: party.column(ordinal, row: blocks.first, count: blocks.count, scratch)
        }
    }
}

final class SupplierGenerator: TableGenerator {
    private var blocks: RowBlocks
    private var party = PartyColumns(
        namePrefix: "Supplier#", addressSeed: 706_178_559, nationSeed: 110_356_601, phoneSeed: 884_434_366,
        balanceSeed: 962_338_209)
    private lazy var comment = CommentColumn(seed: 1_341_315_363, average: 63, rowEstimate: rowEstimate)
    private var remarks = RemarkStreams()
    private let rowEstimate: Int
    private let scratch = SeedScratch(capacity: Batch.standardRowCount * 9)

    init(units: Range<Int>) {
        blocks = RowBlocks(units)
        rowEstimate = units.count
    }

    func advance() -> Int { blocks.advance() }

    func column(_ ordinal: Int) -> Vector {
        guard ordinal == 6 else { return party.column(ordinal, row: blocks.first, count: blocks.count, scratch) }
        let vector = comment.vector(row: blocks.first, count: blocks.count, scratch)
        remarks.apply(to: vector, row: blocks.first, scratch)
        return vector
    }
}

/// Remarks of customers, put into the comments of one supplier in a thousand: "Customer … Complaints" or "…
/// Recommends".
private struct RemarkStreams {
    private var chance = RandomStream(seed: 202_794_285)
    private var gap = RandomStream(seed: 263_032_577)
    private var place = RandomStream(seed: 715_851_524)
    private var kind = RandomStream(seed: 753_643_799)

    private static let opening = Array("Customer ".utf8)
    private static let complaint = Array("Complaints".utf8)
    private static let recommendation = Array("Recommends".utf8)

    mutating func apply(to vector: Vector, row: Int, _ scratch: SeedScratch) {
        chance.fill(scratch.seeds, row: row, count: vector.count)
        let heap = StringHeap(chunkByteCount: 4096)
        for index in 0..<vector.count where ValueRange(1, 10_000).value(scratch.seeds[index]) <= 10 {
            var seed: UInt32 = 0
            let source = vector.views[index]
            let count = source.count
            let text = heap.reserve(count)
            text.update(from: StringView.bytes(at: vector.views + index), count: count)
            let remarkCount = RemarkStreams.opening.count + RemarkStreams.complaint.count
            gap.fill(&seed, row: row + index, count: 1)
            let gapCount = Int(ValueRange(0, count - remarkCount).value(seed))
            place.fill(&seed, row: row + index, count: 1)
            let start = Int(ValueRange(0, count - remarkCount - gapCount).value(seed))
            kind.fill(&seed, row: row + index, count: 1)
            let isComplaint = ValueRange(0, 100).value(seed) < 50
            let closing = isComplaint ? RemarkStreams.complaint : RemarkStreams.recommendation
            (text + start).update(from: RemarkStreams.opening, count: RemarkStreams.opening.count)
            (text + start + RemarkStreams.opening.count + gapCount).update(from: closing, count: closing.count)
            vector.views[index] = StringView(text, count: count)
        }
        vector.pinned += heap.buffers as [any AnyObject]
    }
}
