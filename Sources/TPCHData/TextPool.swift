// The text that all comments are cut from: 300 MB, of which only the parts that are read are ever made.

import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The comment text. It comes in chunks of 32 KB; `TextPoolCheckpoints` says how to start at each of them, so any chunk
/// can be made alone, by whichever thread needs it first. Lives as long as the process, so views into it need no pin.
package final class TextPool: @unchecked Sendable {
    package static let byteCount = 300 << 20
    static let chunkShift = 15
    static let chunkByteCount = 1 << chunkShift
    static let chunkCount = byteCount >> chunkShift
    static let seed: UInt64 = 933_588_178

    /// Where making a chunk starts: the sentence that the chunk's first byte belongs to.
    struct Checkpoint: Equatable, Sendable {
        /// Random draws before the sentence.
        var draws: Int
        /// Bytes of the sentence that lie in the chunk before.
        var backtrack: Int
    }

    package static let shared = TextPool()

    private enum ChunkState {
        static let empty: UInt8 = 0
        static let inProgress: UInt8 = 1
        static let ready: UInt8 = 2
    }

    /// Safe to share: a chunk's bytes are written once, before its state becomes ready, and read only after that.
    private let base: UnsafeMutablePointer<UInt8>
    private let states: UnsafeMutablePointer<Atomic<UInt8>>
    private let checkpoints: [Checkpoint]
    private let readyCount = Atomic<Int>(0)
    private let wantsHugePages = Atomic<Bool>(false)

    private init() {
        // Readers of strings may look a little beyond the end.
        let size = TextPool.byteCount + 4096
        let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0)
        if let memory, memory != MAP_FAILED {
            base = memory.assumingMemoryBound(to: UInt8.self)
        } else {
            base = .allocate(capacity: size)
        }
        states = .allocate(capacity: TextPool.chunkCount)
        for index in 0..<TextPool.chunkCount { (states + index).initialize(to: Atomic(ChunkState.empty)) }
        checkpoints = TextPoolCheckpoints.decoded()
    }

    /// Announces that most of the pool will be read: large pages save most of the faults.
    func prepareForDenseUse() {
        #if os(Linux)
            guard wantsHugePages.compareExchange(expected: false, desired: true, ordering: .relaxed).exchanged else {
                return
            }
            _ = madvise(base, TextPool.byteCount, MADV_HUGEPAGE)
        #endif
    }

    /// Whether every chunk has been made.
    var isComplete: Bool { readyCount.load(ordering: .acquiring) == TextPool.chunkCount }

    /// The bytes at `offset`; `count` of them are there (at least 1).
    @inline(__always)
    func bytes(_ offset: Int, count: Int) -> UnsafePointer<UInt8> {
        ensure(offset, count: count)
        return UnsafePointer(base + offset)
    }

    /// As `bytes`, for offsets that `ensure` has seen.
    @inline(__always)
    func readyBytes(_ offset: Int) -> UnsafePointer<UInt8> { UnsafePointer(base + offset) }

    @inline(__always)
    func ensure(_ offset: Int, count: Int) {
        let first = offset &>> TextPool.chunkShift
        let last = (offset &+ count &- 1) &>> TextPool.chunkShift
        if states[first].load(ordering: .acquiring) != ChunkState.ready { make(first) }
        if last != first, states[last].load(ordering: .acquiring) != ChunkState.ready { make(last) }
    }

    /// Makes a chunk, or waits for the thread that is at it: that takes some 50 µs.
    private func make(_ chunk: Int) {
        let claim = states[chunk].compareExchange(
            expected: ChunkState.empty, desired: ChunkState.inProgress, ordering: .acquiringAndReleasing)
        guard claim.exchanged else {
            while states[chunk].load(ordering: .acquiring) != ChunkState.ready { sched_yield() }
            return
        }
        let checkpoint = checkpoints[chunk]
        let wanted = checkpoint.backtrack + TextPool.chunkByteCount
        withUnsafeTemporaryAllocation(
            of: UInt8.self, capacity: wanted + TextGrammar.sentenceByteCountMax
        ) { scratch in
            guard let start = scratch.baseAddress else { return }
            let grammar = TextGrammar.shared
            var cursor = TextGrammar.Cursor(
                target: start, state: RandomStream.state(seed: TextPool.seed, after: checkpoint.draws))
            let end = start + wanted
            while cursor.target < end { grammar.sentence(&cursor) }
            (base + (chunk << TextPool.chunkShift)).update(
                from: start + checkpoint.backtrack, count: TextPool.chunkByteCount)
        }
        states[chunk].store(ChunkState.ready, ordering: .releasing)
        readyCount.add(1, ordering: .releasing)
    }

    /// All checkpoints, found by going through the whole text. Takes about a second; `TextPoolCheckpoints` holds the
    /// result.
    package static func encodedCheckpointsByScan() -> String {
        let grammar = TextGrammar.shared
        var found: [Checkpoint] = []
        found.reserveCapacity(chunkCount)
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: TextGrammar.sentenceByteCountMax) { scratch in
            guard let start = scratch.baseAddress else { return }
            var cursor = TextGrammar.Cursor(target: start, state: seed)
            var position = 0
            while found.count < chunkCount {
                let draws = cursor.draws
                cursor.target = start
                grammar.sentence(&cursor)
                let next = position + (cursor.target - start)
                if (found.count << chunkShift) < next {
                    found.append(Checkpoint(draws: draws, backtrack: (found.count << chunkShift) - position))
                }
                position = next
            }
        }
        return TextPoolCheckpoints.encode(found)
    }
}
