// Arrow's stream format: what is encoded is decoded to the same values, in every encoding of vectors.

import Columnar
import Diagnostics
import Testing

@testable import FileFormats

@Suite struct ArrowStreamTests {
    private func decoded(_ columns: [Field], _ batches: [Batch], byteCountTarget: Int = 8 << 20) throws -> [Batch] {
        let encoder = ArrowStreamEncoder(columns, settings: TextSettings(), byteCountTarget: byteCountTarget)
        var decoder = ArrowStreamDecoder()
        var result: [Batch] = []
        func pass(_ message: ArrowMessage) throws {
            var body = [UInt8](repeating: 0, count: message.bodyByteCount)
            body.withUnsafeMutableBytes { if let start = $0.baseAddress { message.copyBody(to: start) } }
            if let batch = try decoder.decode(header: message.header, body: body) { result.append(batch) }
        }
        try pass(ArrowMessage.schema(encoder.fields))
        for batch in batches {
            var start = 0
            while start < batch.rowCount {
                start += try encoder.append(batch, from: start)
                if encoder.isFull, let message = encoder.take() { try pass(message) }
            }
        }
        if let message = encoder.take() { try pass(message) }
        return result
    }

    private func rows(_ batches: [Batch]) -> [[ScalarValue]] {
        batches.flatMap { batch in (0..<batch.rowCount).map { batch.row($0) } }
    }

    private static let types: [(DataType, [ScalarValue])] = [
        (.boolean, [.boolean(true), .boolean(false)]),
        (.int16, [.integer(-1), .integer(32767)]), (.int32, [.integer(1 << 30)]), (.int64, [.integer(.min)]),
        (.float32, [.float(1.5)]), (.float64, [.float(-0.1), .float(.infinity)]),
        (.decimal(precision: 10, scale: 2), [.decimal(-12345), .decimal(1)]),
        (.decimal(precision: 38, scale: 3), [.decimal(Int128(Int64.max) * 1_000_000)]),
        (.date, [.integer(-1), .integer(20_000)]), (.time, [.integer(86_399_999_999)]),
        (.timestamp, [.integer(-1)]), (.timestampTZ, [.integer(1)]),
        (.interval, [.interval(IntervalValue(months: -1, days: 2, microseconds: 3))]),
        (.uuid, [.uuid(UUIDValue(high: 0x0123_4567_89AB_CDEF, low: 1))]),
        (.text, [.bytes(Array("short".utf8)), .bytes([]), .bytes(Array("a text that is long".utf8))]),
        (.bytea, [.bytes([0, 255, 0])]),
    ]

    @Test(arguments: ArrowStreamTests.types.indices, [0, 1, 3])
    func valuesComeBack(_ index: Int, _ nullEvery: Int) throws {
        let (type, values) = Self.types[index]
        let field = Field(name: "x", type: type)
        let all = (0..<1000).map { row in
            nullEvery > 0 && row % nullEvery == 0 ? [ScalarValue.null] : [values[row % values.count]]
        }
        let batches = [Batch.rows(Array(all[..<700]), types: [type]), Batch.rows(Array(all[700...]), types: [type])]
        let result = try decoded([field], batches)
        #expect(result.count == 1)
        #expect(rows(result) == all)
    }

    @Test func encodingsAndSelectionsAreTheSame() throws {
        let words = Batch.rows(
            [[.bytes(Array("one".utf8))], [.null], [.bytes(Array("a longer text than twelve".utf8))]], types: [.text])
        let codes = Buffer(byteCount: 400)
        for row in 0..<100 { codes.base.assumingMemoryBound(to: UInt32.self)[row] = UInt32(row % 3) }
        let dictionary = Vector(codes: codes, count: 100, dictionary: words.columns[0])
        let constant = Vector.constant(.integer(7), type: .int32, count: 100)
        let nothing = Vector.constant(.null, type: .text, count: 100)
        let batch = Batch(columns: [dictionary, constant, nothing], rowCount: 100)
        let fields = [
            Field(name: "a", type: .text), Field(name: "b", type: .int32), Field(name: "c", type: .text),
        ]
        let part = batch.slice(10, 50)
        #expect(rows(try decoded(fields, [batch, part])) == rows([batch]) + rows([part]))
    }

    @Test func batchesAreCutByRowsAndBytes() throws {
        let field = Field(name: "x", type: .int64)
        let part = Batch.rows((0..<2048).map { [.integer(Int64($0))] }, types: [.int64])
        let result = try decoded([field], [Batch](repeating: part, count: 40))
        #expect(result.map(\.rowCount) == [65_536, 40 * 2048 - 65_536])
        let long = Batch.rows(
            [[ScalarValue]](repeating: [.bytes([UInt8](repeating: 65, count: 1000))], count: 2000), types: [.text])
        let cut = try decoded([Field(name: "x", type: .text)], [long], byteCountTarget: 100_000)
        #expect(cut.count > 10)
        #expect(rows(cut) == rows([long]))
    }

    @Test func nothingMakesNoBatch() throws {
        #expect(try decoded([Field(name: "x", type: .int64)], []).isEmpty)
        #expect(try decoded([], []).isEmpty)
    }

    @Test func brokenMessagesAreErrors() throws {
        let encoder = ArrowStreamEncoder([Field(name: "x", type: .text)], settings: TextSettings())
        let schema = ArrowMessage.schema(encoder.fields)
        _ = try encoder.append(
            Batch.rows([[.bytes(Array("a text of some length".utf8))], [.null]], types: [.text]), from: 0)
        let message = try #require(encoder.take())
        var body = [UInt8](repeating: 0, count: message.bodyByteCount)
        body.withUnsafeMutableBytes { if let start = $0.baseAddress { message.copyBody(to: start) } }
        for place in 0..<message.header.count {
            for value: UInt8 in [0, 1, 127, 255] {
                var header = message.header
                header[place] = value
                var decoder = ArrowStreamDecoder()
                _ = try decoder.decode(header: schema.header, body: [])
                do {
                    if let batch = try decoder.decode(header: header, body: body), batch.rowCount < 100 {
                        for row in 0..<batch.rowCount { _ = batch.row(row) }
                    }
                } catch is QueryError {}
            }
        }
        for length in 0..<body.count {
            var decoder = ArrowStreamDecoder()
            _ = try decoder.decode(header: schema.header, body: [])
            _ = try? decoder.decode(header: message.header, body: Array(body[..<length]))
        }
        var early = ArrowStreamDecoder()
        #expect(throws: QueryError.self) { try early.decode(header: message.header, body: body) }
    }
}
