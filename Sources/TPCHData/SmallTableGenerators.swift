// Regions and nations: fixed lists with random comments.

import Columnar

final class RegionGenerator: TableGenerator {
    private var blocks: RowBlocks
    private var comment = CommentColumn(seed: 1_500_869_201, average: 72, rowEstimate: 5)
    private let scratch = SeedScratch(capacity: 64)

    init(units: Range<Int>) { blocks = RowBlocks(units) }

    func advance() -> Int { blocks.advance() }

    func column(_ ordinal: Int) -> Vector {
        switch ordinal {
        case 0: PlainColumns.sequence(from: blocks.first, count: blocks.count)
        case 1: PlainColumns.codes(from: blocks.first, count: blocks.count, dictionary: Dictionaries.regions)
        default: comment.vector(row: blocks.first, count: blocks.count, scratch)
        }
    }
}

final class NationGenerator: TableGenerator {
    private var blocks: RowBlocks
    private var comment = CommentColumn(seed: 606_179_079, average: 72, rowEstimate: 25)
    private let scratch = SeedScratch(capacity: 64)

    init(units: Range<Int>) { blocks = RowBlocks(units) }

    func advance() -> Int { blocks.advance() }

    func column(_ ordinal: Int) -> Vector {
        switch ordinal {
        case 0: return PlainColumns.sequence(from: blocks.first, count: blocks.count)
        case 1: return PlainColumns.codes(from: blocks.first, count: blocks.count, dictionary: Dictionaries.nations)
        case 2:
            let vector = Vector(flat: .int64, capacity: blocks.count)
            for index in 0..<blocks.count {
                vector.values(Int64.self)[index] = Int64(WordLists.nations[blocks.first + index].region)
            }
            return vector
        default: return comment.vector(row: blocks.first, count: blocks.count, scratch)
        }
    }
}
