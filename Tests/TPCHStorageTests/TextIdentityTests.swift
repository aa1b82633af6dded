// The generated text is the reference generator's, byte for byte, however it is split.

import Columnar
import TPCHData
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite struct TextIdentityTests {
    /// What Fixtures/tpch/text/sf0.01.txt says about one table.
    struct Expected: Sendable {
        var table: TPCHTable
        var lineCount: Int
        var byteCount: Int
        var digest: UInt64
        var firstLine: String
        var lastLine: String
    }

    static let expectations: [Expected] = {
        let lines = Fixture.text("tpch/text/sf0.01.txt").split(separator: "\n")
        return stride(from: 0, to: lines.count - 2, by: 3).compactMap { start in
            let facts = lines[start].split(separator: " ")
            guard facts.count == 4, let table = TPCHTable(rawValue: String(facts[0])), let lineCount = Int(facts[1]),
                let byteCount = Int(facts[2]), let digest = UInt64(facts[3], radix: 16)
            else { return nil }
            return Expected(
                table: table, lineCount: lineCount, byteCount: byteCount, digest: digest,
                firstLine: String(lines[start + 1].dropFirst(2)), lastLine: String(lines[start + 2].dropFirst(2)))
        }
    }()

    @Test func fixtureListsAllTables() {
        #expect(Self.expectations.map(\.table) == TPCHTable.allCases)
    }

    @Test(arguments: TextIdentityTests.expectations)
    func textIsTheReferenceGenerators(_ expected: Expected) throws {
        let table = expected.table
        let renderer = TextRenderer(table, .tbl)
        TPCHTextWriter.render(table, .tiny, units: 0..<table.unitCount(.tiny), into: renderer)
        let bytes = renderer.bytes
        #expect(bytes.count == expected.byteCount)
        #expect(bytes.count { $0 == UInt8(ascii: "\n") } == expected.lineCount)
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        #expect(lines.first.map(String.init) == expected.firstLine)
        #expect(lines.last.map(String.init) == expected.lastLine)
        #expect(Digest.fnv1a(bytes) == expected.digest)
    }

    @Test(arguments: TPCHTable.allCases)
    func splitsTogetherAreTheWhole(_ table: TPCHTable) {
        let unitCount = table.unitCount(.tiny)
        let whole = TextRenderer(table, .tbl)
        TPCHTextWriter.render(table, .tiny, units: 0..<unitCount, into: whole)
        let pieces = TextRenderer(table, .tbl)
        // Uneven pieces that fit no block size.
        var start = 0
        var size = 1
        while start < unitCount {
            let end = min(unitCount, start + size)
            TPCHTextWriter.render(table, .tiny, units: start..<end, into: pieces)
            start = end
            size = size * 3 + 1
        }
        #expect(whole.bytes.elementsEqual(pieces.bytes))
    }

    @Test(arguments: TPCHTable.allCases)
    func columnsDoNotDependOnEachOther(_ table: TPCHTable) throws {
        let units = 0..<min(table.unitCount(.tiny), 3000)
        let all = Array(table.schema.fields.indices)
        for ordinal in all {
            let together = table.makeGenerator(.tiny, units: units)
            let alone = table.makeGenerator(.tiny, units: units)
            // Reversed, and with the first block left out, so that streams have to skip rows.
            _ = together.nextBatch(all.reversed())
            _ = alone.advance()
            while let expected = together.nextBatch(all.reversed()) {
                let batch = try #require(alone.nextBatch([ordinal]))
                #expect(batch.rowCount == expected.rowCount)
                for row in [0, expected.rowCount / 2, expected.rowCount - 1] {
                    #expect(batch.column(0).value(at: row) == expected.column(all.count - 1 - ordinal).value(at: row))
                }
            }
            #expect(alone.advance() == 0)
        }
    }

    @Test func filesHaveTheSameBytesForAnyNumberOfThreads() throws {
        var template = Array("/tmp/martlet-tpch-XXXXXX".utf8CString)
        let directory = try #require(mkdtemp(&template).map { String(cString: $0) })
        defer { rmdir(directory) }
        for format in TPCHTextFormat.allCases {
            let first = try TPCHTextWriter.writeText(.orders, .tiny, to: directory, format: format, threadCount: 1)
            let one = try #require(Fixture.bytes(atPath: first))
            let second = try TPCHTextWriter.writeText(.orders, .tiny, to: directory, format: format, threadCount: 3)
            let three = try #require(Fixture.bytes(atPath: second))
            #expect(one == three)
            if format == .tbl {
                let expected = Self.expectations.first { $0.table == .orders }
                #expect(one.withUnsafeBytes { Digest.fnv1a($0) } == expected?.digest)
            } else {
                #expect(String(decoding: one.prefix(26), as: UTF8.self) == "o_orderkey,o_custkey,o_ord")
            }
            unlink(first)
        }
    }

    @Test func writingToAMissingDirectoryFails() {
        #expect(throws: (any Error).self) {
            try TPCHTextWriter.writeText(.region, .tiny, to: "/nonexistent/martlet", format: .tbl)
        }
    }

    @Test func storedCheckpointsAreThoseOfTheText() {
        #expect(TextPool.encodedCheckpointsByScan() == TextPoolCheckpoints.encoding())
    }
}

/// 64-bit FNV-1a.
enum Digest {
    static func fnv1a(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        return hash
    }
}

/// Files of the repository's Fixtures directory.
enum Fixture {
    static func text(_ name: String) -> String {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return String(decoding: bytes(atPath: "/\(root)/Fixtures/\(name)") ?? [], as: UTF8.self)
    }

    static func bytes(atPath path: String) -> [UInt8]? {
        let file = open(path, O_RDONLY)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(file, &buffer, buffer.count)
            guard count > 0 else { return count == 0 ? result : nil }
            result += buffer[..<count]
        }
    }
}
