// Exchange frames: round trips, limits, and what becomes of damaged bytes.

import Columnar
import Diagnostics
import Testing
import TransportConformance

@testable import WireCodec

@Suite struct FrameTests {
    /// All frames of the batches.
    static func frames(_ batches: [Batch], _ options: FrameOptions = FrameOptions()) throws -> [EncodedFrame] {
        var encoder = FrameEncoder(options: options)
        var frames: [EncodedFrame] = []
        for batch in batches {
            try encoder.append(batch)
            while let frame = encoder.next(flush: false) { frames.append(frame) }
        }
        while let frame = encoder.next(flush: true) { frames.append(frame) }
        #expect(encoder.frameCount == frames.count)
        return frames
    }

    static func copy(_ frame: EncodedFrame) -> Buffer {
        let buffer = Buffer(byteCount: frame.byteCount)
        buffer.base.copyMemory(from: frame.buffer.base, byteCount: frame.byteCount)
        return buffer
    }

    static func rows(_ batches: [Batch]) -> [[ScalarValue]] {
        batches.flatMap { batch in (0..<batch.rowCount).map { batch.row($0) } }
    }

    static func decode(_ frames: [EncodedFrame], types: [DataType]? = nil) throws -> [Batch] {
        var decoder = FrameDecoder(types: types)
        var batches: [Batch] = []
        for frame in frames { batches += try decoder.decode(copy(frame), byteCount: frame.byteCount) }
        try decoder.finish(frameCount: frames.count, rowCount: frames.reduce(0) { $0 + $1.rowCount })
        return batches
    }

    static var samples: [Batch] { SampleBatches.all + [SampleBatches.constants] }

    @Test(arguments: FrameCompression.allCases)
    func everyTypeAndEncodingComesBack(_ compression: FrameCompression) throws {
        let batches = try Self.decode(try Self.frames(Self.samples, FrameOptions(compression: compression)))
        #expect(Self.rows(batches) == Self.rows(Self.samples))
    }

    @Test func dictionariesAndConstantsKeepTheirEncoding() throws {
        let batch = try #require(try Self.decode(try Self.frames([SampleBatches.dictionaries(nulls: true)])).first)
        #expect((0..<batch.columnCount).allSatisfy { batch.column($0).encoding == .dictionary })
        let constants = try #require(try Self.decode(try Self.frames([SampleBatches.constants])).first)
        #expect((0..<constants.columnCount).allSatisfy { constants.column($0).encoding == .constant })
    }

    @Test func aDictionaryLargerThanTheBatchTravelsFlat() throws {
        let vector = SampleBatches.dictionary(.text, rows: 10, entries: 9, nulls: false)
        let sent = Batch(columns: [vector], rowCount: 10)
        let batch = try #require(try Self.decode(try Self.frames([sent])).first)
        #expect(batch.column(0).encoding == .flat)
        #expect(Self.rows([batch]) == Self.rows([sent]))
    }

    @Test func vectorsAreAligned() throws {
        for batch in try Self.decode(try Self.frames(Self.samples)) {
            for column in batch.columns { #expect(UInt(bitPattern: column.data) % 64 == 0) }
        }
    }

    @Test func typesAreChecked() throws {
        let frames = try Self.frames([SampleBatches.batch(rows: 10, nulls: false)])
        #expect(throws: Never.self) { try Self.decode(frames, types: SampleBatches.types) }
        #expect(throws: QueryError.self) { try Self.decode(frames, types: SampleBatches.types.reversed()) }
        #expect(throws: QueryError.self) { try Self.decode(frames, types: [.int32]) }
    }

    @Test func noFrameExceedsItsLimit() throws {
        var options = FrameOptions()
        options.targetByteCount = 8 << 10
        options.maximumByteCount = 16 << 10
        var batches = [SampleBatches.batch(rows: 2048, nulls: true), ExchangeConformance.numbers(0, count: 30_000)]
        let builder = VectorBuilder(type: .text)
        for size in [10, 20_000, 5, 1_000_000, 0] { builder.append(.bytes([UInt8](repeating: 7, count: size))) }
        batches.append(Batch(columns: [builder.finish()], rowCount: 5))
        for compression in FrameCompression.allCases {
            options.compression = compression
            let frames = try Self.frames(batches, options)
            #expect(frames.allSatisfy { $0.byteCount <= options.maximumByteCount })
            #expect(Self.rows(try Self.decode(frames)) == Self.rows(batches))
        }
    }

    @Test func smallBatchesShareAFrame() throws {
        let frames = try Self.frames((0..<100).map { ExchangeConformance.numbers($0 * 10, count: 10) })
        #expect(frames.count == 1)
        #expect(Self.rows(try Self.decode(frames)).count == 1000)
    }

    @Test func nullRowsOfAnyContentTravel() throws {
        // What lies under a null may be anything; here an address that nobody may read.
        let vector = Vector(flat: .text, capacity: 70)
        for row in 0..<70 { vector.views[row] = StringView(head: 0xffff_ffff_ffff_ffff, tail: 8) }
        vector.validity = vector.ensureValidity()
        for row in 0..<70 { Validity.setNull(vector.validity.unsafelyUnwrapped, row) }
        let batch = try #require(try Self.decode(try Self.frames([Batch(columns: [vector], rowCount: 70)])).first)
        #expect(Self.rows([batch]).allSatisfy { $0[0].isNull })
    }

    @Test func stringsThatBeginAtOnePlaceKeepTheirLengths() throws {
        // Neighbours share bytes when they are equal, not when one begins with the other.
        let text = Buffer(byteCount: 64)
        let bytes = text.base.assumingMemoryBound(to: UInt8.self)
        for index in 0..<64 { bytes[index] = UInt8(65 + index % 26) }
        let vector = Vector(flat: .text, capacity: 4)
        for (row, count) in [20, 50, 50, 30].enumerated() { vector.views[row] = StringView(bytes, count: count) }
        vector.pinned = [text]
        let batch = Batch(columns: [vector], rowCount: 4)
        #expect(Self.rows(try Self.decode(try Self.frames([batch]))) == Self.rows([batch]))
    }

    @Test(arguments: [FrameCompression.none, .lz4])
    func everyFlippedBitIsNoticed(_ compression: FrameCompression) throws {
        let frames = try Self.frames(
            [SampleBatches.batch(rows: 20, nulls: true)], FrameOptions(compression: compression))
        let frame = try #require(frames.first)
        for position in 0..<frame.byteCount {
            let buffer = Self.copy(frame)
            buffer.base.assumingMemoryBound(to: UInt8.self)[position] ^= UInt8(1 << (position % 8))
            var decoder = FrameDecoder()
            #expect(throws: QueryError.self) { try decoder.decode(buffer, byteCount: frame.byteCount) }
        }
    }

    @Test func everyTruncationIsNoticed() throws {
        let frame = try #require(try Self.frames([ExchangeConformance.numbers(0, count: 10)]).first)
        for size in 0..<frame.byteCount {
            var decoder = FrameDecoder()
            #expect(throws: QueryError.self) { try decoder.decode(Self.copy(frame), byteCount: size) }
        }
    }

    @Test func missingRepeatedAndUnfinishedFramesAreNoticed() throws {
        var options = FrameOptions()
        options.targetByteCount = 4 << 10
        let frames = try Self.frames([ExchangeConformance.numbers(0, count: 5000)], options)
        #expect(frames.count > 3)
        #expect(throws: QueryError.self) { try Self.decode(Array(frames.dropFirst())) }
        #expect(throws: QueryError.self) { try Self.decode([frames[0], frames[2]]) }
        #expect(throws: QueryError.self) { try Self.decode([frames[0], frames[0]]) }
        var decoder = FrameDecoder()
        _ = try decoder.decode(Self.copy(frames[0]), byteCount: frames[0].byteCount)
        #expect(throws: QueryError.self) { try decoder.finish(frameCount: frames.count, rowCount: 5000) }
    }

    /// A peer may lie with a right checksum: the decoder must then either give a batch or an error, and never read
    /// outside the frame.
    @Test func contentIsCheckedBehindTheChecksum() throws {
        let frame = try #require(
            try Self.frames([SampleBatches.batch(rows: 30, nulls: true), SampleBatches.dictionaries(nulls: false)])
                .first)
        var random = SplitMix(state: 11)
        var failures = 0
        for _ in 0..<4000 {
            let buffer = Self.copy(frame)
            let bytes = buffer.base.assumingMemoryBound(to: UInt8.self)
            for _ in 0..<Int(1 + random.next() % 4) {
                // Mostly the heads and descriptors, where the lengths are.
                let range = random.next() % 2 == 0 ? 1200 : frame.byteCount - FrameHeader.byteCount
                let position = FrameHeader.byteCount + Int(random.next() % UInt64(range))
                bytes[position] = UInt8(truncatingIfNeeded: random.next())
            }
            var header = FrameHeader()
            header.rowCount = frame.rowCount
            header.payloadByteCount = frame.byteCount - FrameHeader.byteCount
            header.rawByteCount = header.payloadByteCount
            header.write(to: buffer.base)
            var decoder = FrameDecoder()
            do {
                let batches = try decoder.decode(buffer, byteCount: frame.byteCount)
                // What was accepted can be read.
                for batch in batches { for row in 0..<batch.rowCount { _ = batch.row(row) } }
            } catch {
                failures += 1
                #expect(error.state == .dataCorrupted)
            }
        }
        #expect(failures > 1000)
    }
}

struct SplitMix {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
