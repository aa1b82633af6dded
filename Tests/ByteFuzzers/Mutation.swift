// How inputs change: bits, bytes, numbers at the edges, pieces moved, doubled, lost or taken from another input.

import Foundation

struct Mutation: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    private mutating func below(_ limit: Int) -> Int { limit <= 0 ? 0 : Int.random(in: 0..<limit, using: &self) }

    private static let edges: [UInt8] = [0, 1, 0x7F, 0x80, 0xFF, 0xFE, 0x20, 0x0A, 0x22, 0x27, 0x2C]
    private static let words: [[UInt8]] = [
        "''", "\"", "$$", "/*", "*/", "--", "(", ")", "[", "]", "::", "E'\\", "U&'", "\u{0}", ",", ";", "\n", "\r\n",
        "NULL",
        "SELECT ", " FROM ", " NOT ", "CASE ", " BETWEEN ", " INTERVAL '1'", "9223372036854775808", "1e999", "0x",
        "1_0",
        " OVER (", " ROWS ", "WITH ", " AS ", " JOIN ", " LATERAL ", "$1", "é", "\u{FEFF}", "😀",
    ].map { Array($0.utf8) }

    /// One to some changes of an input of the corpus.
    mutating func changed(_ corpus: [[UInt8]], isText: Bool) -> [UInt8] {
        var bytes = corpus[below(corpus.count)]
        for _ in 0...below(below(4) == 0 ? 16 : 3) { change(&bytes, corpus, isText) }
        return bytes
    }

    private mutating func change(_ bytes: inout [UInt8], _ corpus: [[UInt8]], _ isText: Bool) {
        let position = below(bytes.count + 1)
        switch below(isText ? 9 : 8) {
        case 0 where !bytes.isEmpty: bytes[below(bytes.count)] ^= 1 << UInt8(below(8))
        case 1 where !bytes.isEmpty: bytes[below(bytes.count)] = Self.edges[below(Self.edges.count)]
        case 2 where !bytes.isEmpty: bytes[below(bytes.count)] = UInt8(below(256))
        case 3:
            let length = min(below(16) + 1, bytes.count - position)
            bytes.removeSubrange(position..<(position + length))
        case 4:
            let start = below(bytes.count)
            let piece = bytes[start..<min(bytes.count, start + below(64))]
            bytes.insert(contentsOf: Array(piece), at: position)
        case 5:
            let other = corpus[below(corpus.count)]
            let start = below(other.count)
            bytes.insert(contentsOf: other[start..<min(other.count, start + below(64))], at: position)
        case 6:
            // A number of four bytes at an edge.
            let value = [UInt32.max, 0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF, 0x1_0000][below(7)]
            for offset in 0..<4 where position + offset < bytes.count {
                bytes[position + offset] = UInt8(truncatingIfNeeded: value >> UInt32(8 * offset))
            }
        case 7: if below(8) == 0 { bytes.removeLast(below(bytes.count)) }
        case 8: bytes.insert(contentsOf: Self.words[below(Self.words.count)], at: position)
        default: break
        }
        if bytes.count > 1 << 20 { bytes.removeLast(bytes.count - 1 << 20) }
    }
}

/// The input that is being tried, in a file that survives a crash of the process.
final class LastInput {
    private let memory: UnsafeMutableRawPointer?
    private let path: String
    private let capacity = 4 << 20

    init(path: String) {
        self.path = path
        let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o644)
        ftruncate(descriptor, off_t(capacity))
        let mapped = mmap(nil, capacity, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        memory = mapped == MAP_FAILED ? nil : mapped
        close(descriptor)
    }

    /// The length in eight bytes, then the bytes.
    func keep(_ bytes: [UInt8]) {
        guard let memory, bytes.count + 8 <= capacity else { return }
        memory.storeBytes(of: UInt64(bytes.count), as: UInt64.self)
        bytes.withUnsafeBytes {
            if let base = $0.baseAddress { (memory + 8).copyMemory(from: base, byteCount: $0.count) }
        }
    }
}

/// Prints at once: what is buffered is lost in a crash.
func report(_ text: String) { FileHandle.standardOutput.write(Data((text + "\n").utf8)) }
