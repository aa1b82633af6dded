// Arrow files: broken ones are errors, whatever byte is wrong; batches of every form are written right.

import Columnar
import Diagnostics
import FileFormats
import Foundation
import Storage
import TestSupport
import Testing

@Suite struct ArrowTests {
    private let scratch: ScratchDirectory
    init() throws { scratch = try ScratchDirectory() }

    private static let fields = [
        Field(name: "id", type: .int64), Field(name: "word", type: .text), Field(name: "flag", type: .boolean),
        Field(name: "price", type: .decimal(precision: 15, scale: 2)), Field(name: "u", type: .uuid),
        Field(name: "at", type: .timestamp), Field(name: "raw", type: .bytea), Field(name: "span", type: .interval),
    ]

    private func row(_ id: Int) -> [ScalarValue] {
        func orNull(_ divisor: Int, _ value: ScalarValue) -> ScalarValue { id % divisor == 0 ? .null : value }
        return [
            .integer(Int64(id)), orNull(5, .string(String(repeating: "é\(id) ", count: id % 9))),
            orNull(3, .boolean(id % 2 == 0)), orNull(7, .decimal(Int128(id) * 31 - 500)),
            .uuid(UUIDValue(high: UInt64(id), low: .max)), orNull(4, .integer(Int64(id) * 1_000_003)),
            orNull(6, .bytes([0, 255, UInt8(id % 256)])),
            .interval(IntervalValue(months: Int32(id % 5) - 2, days: -3, microseconds: Int64(id))),
        ]
    }

    private func write(_ path: String, _ count: Int, _ options: [String: String] = [:]) throws {
        let writer = try FileTable.makeWriter(path: path, format: "arrow", options: options, columns: Self.fields)
        var start = 0
        while start < count {
            let end = min(count, start + 1999)
            try writer.write(Batch.rows((start..<end).map(row), types: Self.fields.map(\.type)))
            start = end
        }
        try writer.commit()
    }

    @Test(arguments: ["none", "lz4", "zstd"]) func roundTrip(_ codec: String) async throws {
        let path = scratch.path + "/t.arrow"
        try write(path, 70_000, ["compression": codec])
        let table = try ArrowTable(name: "t", files: [FileIdentity(path: path)])
        #expect(table.schema.types == Self.fields.map(\.type))
        let read = try await rows(table)
        #expect(read.count == 70_000)
        if let wrong = read.indices.first(where: { read[$0] != row($0) }) {
            Issue.record("row \(wrong): \(read[wrong]) instead of \(row(wrong))")
        }
        #expect(try await countRows(table, []) == 70_000)
    }

    @Test(arguments: ["none", "lz4", "zstd"]) func everyByteFlipped(_ codec: String) async throws {
        let path = scratch.path + "/small.arrow"
        try write(path, 20, ["compression": codec])
        try await flip(path)
    }

    @Test(arguments: ["types", "types-lz4", "types-zstd"]) func everyByteOfAnotherWriterFlipped(_ name: String)
        async throws
    {
        try await flip("\(fixtures)/arrow/\(name).arrow")
    }

    /// Whatever comes of it, it is rows or a typed error.
    private func flip(_ path: String) async throws {
        let good = try Data(contentsOf: URL(fileURLWithPath: path))
        for position in good.indices {
            var bad = good
            bad[position] ^= [0x01, 0x80, 0xFF][position % 3]
            try await readAnyway(bad)
        }
        for count in stride(from: 0, to: good.count, by: 97) { try await readAnyway(good.prefix(count)) }
    }

    private func readAnyway(_ data: Data) async throws {
        let path = try scratch.write("bad.arrow", data)
        do {
            let table = try ArrowTable(name: "t", files: [FileIdentity(path: path)])
            for column in 0..<table.schema.count {
                let request = ScanRequest(projection: [column], limit: 10_000)
                for split in try await table.splits(for: request).prefix(4) {
                    do {
                        let reader = try table.makeReader(for: split, request: request, context: ScanContext())
                        while let batch = try reader.next() {
                            for row in 0..<batch.rowCount { _ = batch.row(row) }
                        }
                    } catch is QueryError {}
                }
            }
        } catch is QueryError {}
    }
}
