// Sentences of the comment text: the grammar of the TPC-H specification (4.2.2.14), one random draw a choice.

/// Makes sentences. The words lie in slots of 32 bytes that are copied whole.
final class TextGrammar: @unchecked Sendable {
    /// No sentence, with the blank after it, is longer.
    static let sentenceByteCountMax = 512
    static let shared = TextGrammar()

    private static let slotByteCount = 32

    /// A word list as it is drawn from: `weight` entries from `first` in `choices`.
    private struct List {
        var first = 0
        var weight: UInt64 = 0
    }

    /// Immutable after `init`, hence unchecked sendable. Text in the front of a slot, its length in the last byte.
    private let slots: UnsafeMutablePointer<UInt8>
    /// Slot numbers, each as often as its word weighs.
    private let choices: UnsafeMutablePointer<UInt16>
    private let nouns, verbs, adjectives, adjectivesBeforeComma, adverbs, prepositions, auxiliaries, terminators: List

    private init() {
        var texts: [String] = []
        var numbers: [UInt16] = []
        func add(_ words: [WeightedWord], suffix: String) -> List {
            let first = numbers.count
            for word in words {
                numbers += [UInt16](repeating: UInt16(texts.count), count: word.weight)
                texts.append(word.text + suffix)
            }
            return List(first: first, weight: UInt64(numbers.count - first))
        }
        nouns = add(GrammarWords.nouns, suffix: " ")
        verbs = add(GrammarWords.verbs, suffix: " ")
        adjectives = add(GrammarWords.adjectives, suffix: " ")
        adjectivesBeforeComma = add(GrammarWords.adjectives, suffix: ", ")
        adverbs = add(GrammarWords.adverbs, suffix: " ")
        prepositions = add(GrammarWords.prepositions, suffix: " the ")
        auxiliaries = add(GrammarWords.auxiliaries, suffix: " ")
        terminators = add(GrammarWords.terminators, suffix: " ")

        slots = .allocate(capacity: texts.count * TextGrammar.slotByteCount)
        slots.initialize(repeating: 0, count: texts.count * TextGrammar.slotByteCount)
        for (index, text) in texts.enumerated() {
            let slot = slots + index * TextGrammar.slotByteCount
            for (offset, byte) in text.utf8.enumerated() { slot[offset] = byte }
            slot[TextGrammar.slotByteCount - 1] = UInt8(text.utf8.count)
        }
        choices = .allocate(capacity: numbers.count)
        for (index, number) in numbers.enumerated() { choices[index] = number }
    }

    /// One walk through the grammar: where it writes, and the state of the random stream.
    struct Cursor {
        var target: UnsafeMutablePointer<UInt8>
        var state: UInt64
        var draws = 0
    }

    @inline(__always)
    private func draw(_ cursor: inout Cursor, _ span: UInt64) -> Int {
        cursor.state = RandomStream.multiply(cursor.state, RandomStream.multiplier)
        cursor.draws &+= 1
        return Int(truncatingIfNeeded: ValueRange.exact(UInt32(truncatingIfNeeded: cursor.state), span))
    }

    @inline(__always)
    private func word(_ list: List, _ cursor: inout Cursor) {
        let choice = choices[list.first &+ draw(&cursor, list.weight)]
        let slot = UnsafeRawPointer(slots + Int(choice) &* TextGrammar.slotByteCount)
        let target = UnsafeMutableRawPointer(cursor.target)
        target.storeBytes(of: slot.loadUnaligned(as: SIMD16<UInt8>.self), as: SIMD16<UInt8>.self)
        target.storeBytes(
            of: slot.loadUnaligned(fromByteOffset: 16, as: SIMD16<UInt8>.self), toByteOffset: 16,
            as: SIMD16<UInt8>.self)
        cursor.target += Int(slot.load(fromByteOffset: TextGrammar.slotByteCount - 1, as: UInt8.self))
    }

    @inline(__always)
    private func nounPhrase(_ cursor: inout Cursor) {
        let form = draw(&cursor, 90)
        if form >= 40 {
            word(adverbs, &cursor)
            word(adjectives, &cursor)
        } else if form >= 30 {
            word(adjectivesBeforeComma, &cursor)
            word(adjectives, &cursor)
        } else if form >= 10 {
            word(adjectives, &cursor)
        }
        word(nouns, &cursor)
    }

    @inline(__always)
    private func verbPhrase(_ cursor: inout Cursor) {
        let form = draw(&cursor, 72)
        if form == 30 || form == 71 { word(auxiliaries, &cursor) }
        word(verbs, &cursor)
        if form >= 31 { word(adverbs, &cursor) }
    }

    @inline(__always)
    private func prepositionalPhrase(_ cursor: inout Cursor) {
        word(prepositions, &cursor)
        nounPhrase(&cursor)
    }

    /// Appends one sentence and a blank; may write 32 bytes beyond them.
    @inline(__always)
    func sentence(_ cursor: inout Cursor) {
        let form = draw(&cursor, 11)
        nounPhrase(&cursor)
        if form >= 9 { prepositionalPhrase(&cursor) }
        verbPhrase(&cursor)
        switch form {
        case 3...5, 10: prepositionalPhrase(&cursor)
        case 6...9: nounPhrase(&cursor)
        default: break
        }
        // The terminator takes the place of the blank before it.
        cursor.target -= 1
        word(terminators, &cursor)
    }
}
