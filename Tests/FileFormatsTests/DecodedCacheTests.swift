// What is kept of files from query to query: bound, turnover, and exact copies.

import Columnar
import Storage
import TestSupport
import Testing

@testable import FileFormats

@Suite("Cache of decoded columns")
struct DecodedCacheTests {
    /// 32 KiB of one value.
    private func dictionary(_ value: Int64) -> DecodedCache.Entry {
        let values = Vector(flat: .int64, capacity: 4096)
        for row in 0..<4096 { values.values(Int64.self)[row] = value }
        return DecodedCache.Entry(values: values, end: 7)
    }

    private func key(_ number: Int, file: Int = 1) -> DecodedCache.Key {
        DecodedCache.Key(file: file, place: number, type: .int64, part: .dictionary)
    }

    @Test("gives back what was kept, for that version of the file only")
    func keeps() throws {
        let cache = DecodedCache { 1 << 20 }
        cache.keep(dictionary(5), key(1))
        let found = try #require(cache.entry(key(1)))
        #expect(found.end == 7)
        #expect(found.values.count == 4096)
        #expect(found.values.values(Int64.self)[4095] == 5)
        #expect(cache.entry(key(1, file: 2)) == nil)
        #expect(cache.entry(key(2)) == nil)
    }

    @Test("never holds more than its limit; a scan larger than that leaves what is in use")
    func isBounded() {
        let cache = DecodedCache { 8 * (33 << 10) }
        for number in 0..<8 { cache.keep(dictionary(Int64(number)), key(number)) }
        for round in 0..<50 {
            for number in 100..<300 {
                if cache.entry(key(number)) == nil { cache.keep(dictionary(Int64(number)), key(number)) }
                for used in 0..<4 { _ = cache.entry(key(used)) }
            }
            #expect((0..<4).allSatisfy { cache.entry(key($0)) != nil }, "round \(round)")
        }
        #expect((0..<300).filter { cache.entry(key($0)) != nil }.count <= 8)
        for number in 0..<300 {
            if let entry = cache.entry(key(number)) { #expect(entry.values.values(Int64.self)[0] == Int64(number)) }
        }
    }

    @Test("keeps nothing without room, and no small ones")
    func refuses() {
        let none = DecodedCache { 1 }
        none.keep(dictionary(1), key(1))
        #expect(none.entry(key(1)) == nil)
        let cache = DecodedCache { 1 << 20 }
        let small = Vector(flat: .int64, capacity: 16)
        cache.keep(DecodedCache.Entry(values: small), key(1))
        #expect(cache.entry(key(1)) == nil)
        var rows = key(1)
        rows.part = .allRows
        cache.keep(DecodedCache.Entry(values: small), rows)
        #expect(cache.entry(rows) != nil)
    }

    @Test("copies texts, nulls and dictionaries apart from what they came from")
    func copies() {
        var copy: Vector?
        var expected: [ScalarValue] = []
        do {
            let heap = StringHeap()
            let entries = Vector(flat: .text, capacity: 3)
            for (row, text) in ["short", "a text that is longer than a view", ""].enumerated() {
                entries.views[row] = heap.copy(text)
            }
            entries.pinned = heap.buffers
            let codes = Buffer(byteCount: 4 * 70)
            for row in 0..<70 { codes.base.assumingMemoryBound(to: UInt32.self)[row] = UInt32(row % 3) }
            let original = Vector(codes: codes, count: 70, dictionary: entries)
            original.ensureValidity()[1] = 0b101
            expected = (0..<70).map { original.value(at: $0) }
            #expect(original.exactByteCount == 70 * 4 + 16 + 3 * 16 + 33)
            copy = original.exactCopy()
            for row in 0..<3 { entries.views[row] = StringView() }
            original.ensureValidity()[0] = 0
        }
        #expect(expected[65] == .null)
        #expect((0..<70).map { copy?.value(at: $0) } == expected)
    }
}
