// Look-up of keywords by their spelling: an open-addressing hash table built once in a process.

/// Immutable after its making, which is why it can be shared.
final class KeywordTable: @unchecked Sendable {
    static let shared = KeywordTable()

    private static let slotCount = 2048
    /// Raw values of keywords; that of `.noKeyword` marks a free slot.
    private let slots: UnsafeMutablePointer<UInt16>
    private let starts: UnsafeMutablePointer<Int>
    private let lengths: UnsafeMutablePointer<Int>
    private let text: UnsafePointer<UInt8>

    private init() {
        let count = Int(Keyword.noKeyword.rawValue)
        text = Keyword.words.utf8Start
        slots = .allocate(capacity: Self.slotCount)
        slots.initialize(repeating: Keyword.noKeyword.rawValue, count: Self.slotCount)
        starts = .allocate(capacity: count)
        starts.initialize(repeating: 0, count: count)
        lengths = .allocate(capacity: count)
        lengths.initialize(repeating: 0, count: count)

        var index = 0
        var start = 0
        var hash = Self.emptyHash
        let size = Keyword.words.utf8CodeUnitCount
        for cursor in 0...size {
            if cursor < size, text[cursor] != UInt8(ascii: " ") {
                hash = Self.extend(hash, with: text[cursor])
                continue
            }
            starts[index] = start
            lengths[index] = cursor - start
            var slot = Int(hash) & (Self.slotCount - 1)
            while slots[slot] != Keyword.noKeyword.rawValue { slot = (slot + 1) & (Self.slotCount - 1) }
            slots[slot] = UInt16(index)
            index += 1
            start = cursor + 1
            hash = Self.emptyHash
        }
    }

    /// The hash of a word is made while it is read: start from `emptyHash`, extend with each lower-case byte (FNV-1a).
    static let emptyHash: UInt32 = 2_166_136_261

    @inline(__always)
    static func extend(_ hash: UInt32, with byte: UInt8) -> UInt32 { (hash ^ UInt32(byte)) &* 16_777_619 }

    /// The keyword that the bytes spell in any mixture of cases; `hash` is that of their lower-case form.
    @inline(__always)
    func keyword(_ bytes: UnsafePointer<UInt8>, length: Int, hash: UInt32) -> Keyword {
        var slot = Int(hash) & (Self.slotCount - 1)
        while true {
            let raw = slots[slot]
            if raw == Keyword.noKeyword.rawValue { return .noKeyword }
            if lengths[Int(raw)] == length, matches(bytes, length, text + starts[Int(raw)]) {
                return Keyword(rawValue: raw) ?? .noKeyword
            }
            slot = (slot &+ 1) & (Self.slotCount - 1)
        }
    }

    @inline(__always)
    private func matches(_ bytes: UnsafePointer<UInt8>, _ length: Int, _ word: UnsafePointer<UInt8>) -> Bool {
        for index in 0..<length where ByteClass.lowered(bytes[index]) != word[index] { return false }
        return true
    }

    /// The keyword spelt exactly like `word`, which must be in lower case.
    func keyword(spelt word: String) -> Keyword {
        var copy = word
        return copy.withUTF8 { bytes in
            guard let base = bytes.baseAddress else { return .noKeyword }
            var hash = Self.emptyHash
            for byte in bytes {
                if ByteClass.lowered(byte) != byte { return .noKeyword }
                hash = Self.extend(hash, with: byte)
            }
            return keyword(base, length: bytes.count, hash: hash)
        }
    }

    /// The lower-case spelling of a keyword.
    func spelling(of keyword: Keyword) -> String {
        guard keyword != .noKeyword else { return "" }
        let index = Int(keyword.rawValue)
        return String(
            decoding: UnsafeBufferPointer(start: text + starts[index], count: lengths[index]), as: UTF8.self)
    }
}
