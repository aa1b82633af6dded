// The kernel of the simulation: virtual time, a heap of events, random streams. One thread, no clock, no files.

import ClusterMembership

/// A small seeded generator (SplitMix64).
struct SimulationRandom {
    private var state: UInt64
    init(seed: UInt64, stream: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 ^ stream &* 0xd1b5_4a32_d192_ed03 }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        return Self.mix(state)
    }
    static func mix(_ value: UInt64) -> UInt64 {
        var mixed = value
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
    mutating func below(_ bound: Int) -> Int { bound <= 1 ? 0 : Int(next() % UInt64(bound)) }
    mutating func fraction() -> Double { Double(next() >> 11) / 9_007_199_254_740_992.0 }
    mutating func chance(_ probability: Double) -> Bool { probability > 0 && fraction() < probability }
    mutating func between(_ low: Int64, _ high: Int64) -> Int64 { low + Int64(next() % UInt64(high - low + 1)) }
}

/// What happens when, in an order that depends on the seed alone.
final class Kernel {
    typealias Action = () -> Void
    private struct Entry {
        var time: MonotonicInstant
        /// Events of the same moment come in a random order.
        var order: UInt64
        var action: Action
    }

    private(set) var now = MonotonicInstant.zero
    private(set) var eventCount = 0
    /// A hash over what was logged: equal runs have equal hashes.
    private(set) var digest: UInt64 = 0xcbf2_9ce4_8422_2325
    /// The last lines, for the report of a violation.
    private(set) var log: [String] = []
    var keepsLog = true
    private var heap: [Entry] = []
    private var random: SimulationRandom

    init(seed: UInt64) { random = SimulationRandom(seed: seed, stream: 1) }

    func after(_ span: Duration, _ action: @escaping Action) { at(now + span, action) }

    func at(_ time: MonotonicInstant, _ action: @escaping Action) {
        push(Entry(time: max(time, now), order: random.next(), action: action))
    }

    func run(until end: MonotonicInstant, while goesOn: () -> Bool = { true }) {
        while let first = heap.first, first.time <= end, goesOn() {
            pop()
            now = first.time
            eventCount += 1
            first.action()
        }
        if heap.first.map({ $0.time > end }) ?? true { now = max(now, end) }
    }

    func note(_ text: @autoclosure () -> String) {
        guard keepsLog else { return }
        let line = "\(now) \(text())"
        for byte in line.utf8 { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01b3 }
        log.append(line)
        if log.count > 600 { log.removeFirst(300) }
    }

    private static func precedes(_ a: Entry, _ b: Entry) -> Bool {
        a.time != b.time ? a.time < b.time : a.order < b.order
    }

    private func push(_ entry: Entry) {
        heap.append(entry)
        var child = heap.count - 1
        while child > 0, Self.precedes(heap[child], heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private func pop() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            let left = 2 * parent + 1
            guard left < heap.count else { return }
            let right = left + 1
            let child = right < heap.count && Self.precedes(heap[right], heap[left]) ? right : left
            guard Self.precedes(heap[child], heap[parent]) else { return }
            heap.swapAt(child, parent)
            parent = child
        }
    }
}
