// Both halves of a channel without I/O: over connections that break at any moment every row comes once and in order, and what is
// kept for a reader stays within its window.

import Columnar
import Diagnostics
import Synchronization
import Testing
import Transport
import TransportConformance
import WireCodec

@Suite struct ChannelTests {
    /// What is under way from the reader to the sender.
    private enum Message {
        case limit(Int)
        case close
    }

    private final class Way: Sendable {
        private let state = Mutex<[Message]>([])
        func send(_ message: Message) { state.withLock { $0.append(message) } }
        func take() -> Message? { state.withLock { $0.isEmpty ? nil : $0.removeFirst() } }
        func drop() { state.withLock { $0 = [] } }
    }

    private static let window = 64 << 10
    private var options: FrameOptions {
        var options = FrameOptions()
        options.targetByteCount = 8 << 10
        options.maximumByteCount = 16 << 10
        return options
    }

    @Test("whatever is lost on the way is sent again", arguments: 1...20 as ClosedRange<UInt64>)
    func resumes(_ seed: UInt64) async throws {
        var random = SeededRandom(seed: seed)
        let board = OutputBoard(batchLimit: 10_000)
        let key = ExchangeConformance.channel(0)
        let output = board.channel(key)
        let batchCount = 40
        for index in 0..<batchCount { _ = await output.push(ExchangeConformance.numbers(index * 100, count: 100)) }
        output.finish()
        let sender = ChannelSender(
            stream: board.openStream(key), credit: Self.window, isResumable: true, options: options)
        let back = Way()
        let receiver = ChannelReceiver(
            window: Self.window, grant: { back.send(.limit($1)) }, whenClosed: { back.send(.close) })
        var underWay: [ChannelSender.Step] = []
        var expected: Int64 = 0
        var cuts = 0
        var isFinished = false
        var steps = 0
        while !isFinished || !sender.isClosed {
            steps += 1
            try #require(steps < 1_000_000, "the channel does not come to its end")
            switch random.below(12) {
            case 0..<4:
                let step = sender.next(wake: {})
                switch step {
                case .frame, .end: underWay.append(step)
                case .fault(let error): throw error
                case .needsCredit, .pending, .closed: break
                }
            case 4..<7:
                guard !underWay.isEmpty else { break }
                switch underWay.removeFirst() {
                case .frame(let frame):
                    let copy = Buffer(byteCount: max(64, frame.byteCount))
                    copy.base.copyMemory(from: frame.buffer.base, byteCount: frame.byteCount)
                    receiver.received(copy, byteCount: frame.byteCount)
                case .end(let frames, let rows):
                    receiver.ended(frames: frames, rows: rows)
                    back.send(.close)
                default: break
                }
            case 7..<10:
                guard !isFinished else { break }
                switch try receiver.poll(wake: {}) {
                case .batch(let batch):
                    for row in 0..<batch.rowCount {
                        #expect(batch.row(row)[0] == .integer(expected))
                        expected += 1
                    }
                case .finished: isFinished = true
                case .pending: break
                }
            case 10:
                switch back.take() {
                case .limit(let limit): sender.raise(to: limit)
                case .close: sender.close()
                case nil: break
                }
            default:
                guard random.below(10) == 0 else { break }
                // The connection breaks with everything that is under way in both directions.
                cuts += 1
                underWay = []
                back.drop()
                if let resumption = receiver.resumption {
                    #expect(sender.resume(from: resumption.frameCount, limit: resumption.limit))
                } else {
                    // The end has come; the producer's side gives the channel up after a while.
                    sender.close()
                }
            }
            #expect(sender.keptByteCount <= Self.window + options.maximumByteCount)
        }
        #expect(expected == Int64(batchCount * 100))
        #expect(cuts > 0)
        #expect(sender.keptByteCount == 0)
        #expect(output.isClosed)
    }

    @Test("frames that were taken are not there any more, and a reader that asks for them is told")
    func dropsWhatWasTaken() async throws {
        let board = OutputBoard(batchLimit: 100)
        let key = ExchangeConformance.channel(0)
        for index in 0..<20 { _ = await board.channel(key).push(ExchangeConformance.numbers(index * 500, count: 500)) }
        let sender = ChannelSender(
            stream: board.openStream(key), credit: Self.window, isResumable: true, options: options)
        var sent = 0
        var frames = 0
        while case .frame(let frame) = sender.next(wake: {}) {
            sent += frame.byteCount
            frames += 1
        }
        #expect(sender.keptByteCount == sent)
        sender.raise(to: Self.window + sent)
        #expect(sender.keptByteCount == 0)
        #expect(!sender.resume(from: frames - 1, limit: Self.window + sent))
        #expect(sender.resume(from: frames, limit: Self.window + sent))
    }

    @Test("time without credit is counted once it has an end")
    func countsStarvation() async throws {
        let board = OutputBoard(batchLimit: 200)
        let key = ExchangeConformance.channel(0)
        for index in 0..<40 {
            _ = await board.channel(key).push(ExchangeConformance.numbers(index * 1000, count: 1000))
        }
        let sender = ChannelSender(stream: board.openStream(key), credit: Self.window, options: options)
        func drain() -> Bool {
            while true {
                switch sender.next(wake: {}) {
                case .frame: continue
                case .needsCredit: return true
                default: return false
                }
            }
        }
        try #require(drain())
        let before = ProcessMeters.reading.exchangeCreditWaitNanoseconds
        sender.grant(Self.window)
        try #require(drain())
        let between = ProcessMeters.reading.exchangeCreditWaitNanoseconds
        #expect(between > before)
        sender.close()
        #expect(ProcessMeters.reading.exchangeCreditWaitNanoseconds > between)
    }

    @Test("a failure is told again over the next connection")
    func repeatsFailures() async throws {
        let board = OutputBoard(batchLimit: 100)
        let key = ExchangeConformance.channel(0)
        _ = await board.channel(key).push(ExchangeConformance.numbers(0, count: 10))
        board.channel(key).fail(QueryError(.divisionByZero, "division by zero"))
        let sender = ChannelSender(
            stream: board.openStream(key), credit: Self.window, isResumable: true, options: options)
        func faults() -> Int {
            var count = 0
            for _ in 0..<10 { if case .fault = sender.next(wake: {}) { count += 1 } }
            return count
        }
        #expect(faults() == 1)
        #expect(sender.resume(from: 1, limit: Self.window))
        #expect(faults() == 1)
        sender.close()
        #expect(faults() == 0)
    }
}

/// SplitMix64.
private struct SeededRandom {
    private var state: UInt64
    init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 }
    mutating func below(_ bound: UInt64) -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return (mixed ^ (mixed >> 31)) % bound
    }
}
