// What one task of a join's stage says about its build keys to the scans of another stage, as batches of integers.
//
// A message is a column of int64: kind, two values, the number of words, then the words. Messages of several batches are
// in order, because a channel is.

import Columnar
import Diagnostics

/// Writes and reads messages.
enum StageFilterPart {
    private enum Kind {
        static let everything: Int64 = 0
        static let nothing: Int64 = 1
        /// Values: minimum and maximum; words: those of an `IntegerSet` between them.
        static let integers: Int64 = 2
        /// Words: those of a `BloomFilter`.
        static let hashes: Int64 = 3
    }
    static let headerCount = 4
    private static let wordCountMax = 1 << 24

    /// The message. What would take more than `byteCountMax` bytes is told more coarsely.
    static func batches(_ content: RuntimeFilter.Content, byteCountMax: Int) -> [Batch] {
        switch content {
        case .everything: return message([Kind.everything, 0, 0, 0])
        case .nothing: return message([Kind.nothing, 0, 0, 0])
        case .integers(let minimum, let maximum, let set):
            guard let set, set.wordCount * 8 <= byteCountMax else {
                return message([Kind.integers, minimum, maximum, 0])
            }
            return message([Kind.integers, minimum, maximum, Int64(set.wordCount)], set.words, set.wordCount)
        case .hashes(let bloom):
            guard bloom.byteCount <= byteCountMax else { return message([Kind.everything, 0, 0, 0]) }
            let count = Int(bloom.mask) + 1
            return message([Kind.hashes, 0, 0, Int64(count)], bloom.words, count)
        }
    }

    private static func message(
        _ header: [Int64], _ words: UnsafeMutablePointer<UInt64>? = nil, _ count: Int = 0
    ) -> [Batch] {
        var result = [
            batch(header.count) { target in for (index, value) in header.enumerated() { target[index] = value } }
        ]
        var done = 0
        while let words, done < count {
            let piece = min(Batch.rowCountMax / 2, count - done)
            result.append(
                batch(piece) { target in
                    (words + done).withMemoryRebound(to: Int64.self, capacity: piece) {
                        target.update(from: $0, count: piece)
                    }
                })
            done += piece
        }
        return result
    }

    private static func batch(_ count: Int, _ fill: (UnsafeMutablePointer<Int64>) -> Void) -> Batch {
        let buffer = Buffer(byteCount: count * 8)
        fill(buffer.base.assumingMemoryBound(to: Int64.self))
        let vector = Vector(type: .int64, encoding: .flat, count: count, data: buffer.base, dataOwner: buffer)
        return Batch(columns: [vector], rowCount: count)
    }

    /// Puts a message together. Confined to its reader.
    struct Assembler {
        private var values: [Int64] = []

        /// What the message says, once all of it is there. Whatever cannot be read says nothing.
        mutating func append(_ batch: Batch) -> RuntimeFilter.Content? {
            guard batch.columns.count == 1, batch.columns[0].physical == .int64 else { return .everything }
            let vector = batch.densified().column(0).flattened()
            withExtendedLifetime(vector) {
                values += UnsafeBufferPointer(start: vector.values(Int64.self), count: vector.count)
            }
            guard values.count >= headerCount else { return nil }
            let count = values[3]
            guard count >= 0, count <= Int64(wordCountMax) else { return .everything }
            guard values.count >= headerCount + Int(count) else { return nil }
            return content(Int(count))
        }

        private func content(_ count: Int) -> RuntimeFilter.Content {
            switch values[0] {
            case Kind.nothing: return .nothing
            case Kind.integers:
                let (minimum, maximum) = (values[1], values[2])
                guard minimum <= maximum else { return .everything }
                guard count > 0, let set = IntegerSet(minimum: minimum, maximum: maximum), set.wordCount == count else {
                    return .integers(minimum: minimum, maximum: maximum, set: nil)
                }
                for index in 0..<count { set.words[index] = UInt64(bitPattern: values[headerCount + index]) }
                return .integers(minimum: minimum, maximum: maximum, set: set)
            case Kind.hashes:
                guard let bloom = BloomFilter(wordCount: count) else { return .everything }
                for index in 0..<count { bloom.words[index] = UInt64(bitPattern: values[headerCount + index]) }
                return .hashes(bloom)
            default: return .everything
            }
        }
    }

    /// What all parts together say: a key is there if one part has it.
    static func union(_ parts: [RuntimeFilter.Content]) -> RuntimeFilter.Content {
        var result = RuntimeFilter.Content.nothing
        for part in parts { result = union(result, part) }
        return result
    }

    private static func union(_ a: RuntimeFilter.Content, _ b: RuntimeFilter.Content) -> RuntimeFilter.Content {
        switch (a, b) {
        case (.nothing, let other), (let other, .nothing): return other
        case (.integers(let minimumA, let maximumA, let setA), .integers(let minimumB, let maximumB, let setB)):
            let (minimum, maximum) = (min(minimumA, minimumB), max(maximumA, maximumB))
            guard let setA, let setB, let set = IntegerSet(minimum: minimum, maximum: maximum) else {
                return .integers(minimum: minimum, maximum: maximum, set: nil)
            }
            set.formUnion(setA)
            set.formUnion(setB)
            return .integers(minimum: minimum, maximum: maximum, set: set)
        case (.hashes(let bloomA), .hashes(let bloomB)):
            guard bloomA.mask == bloomB.mask else { return .everything }
            bloomA.formUnion(bloomB)
            return .hashes(bloomA)
        default: return .everything
        }
    }
}
