// Dictionaries that are kept from query to query: bound, turnover, and files that change.

import Columnar
import Storage
import TestSupport
import Testing

@testable import FileFormats

@Suite("Dictionary cache")
struct DictionaryCacheTests {
    /// 32 KiB of one value.
    private func dictionary(_ value: Int64) -> DictionaryCache.Entry {
        let values = Vector(flat: .int64, capacity: 4096)
        for row in 0..<4096 { values.values(Int64.self)[row] = value }
        return DictionaryCache.Entry(values: values, end: 7)
    }

    private func key(_ number: Int, modified: Int64 = 1) -> DictionaryCache.Key {
        DictionaryCache.Key(
            identity: FileIdentity(path: "/file", byteCount: 10, modified: modified), offset: number, type: .int64)
    }

    @Test("gives back what was kept, for that version of the file only")
    func keeps() throws {
        let cache = DictionaryCache { 1 << 20 }
        cache.keep(dictionary(5), key(1), page: nil)
        let found = try #require(cache.entry(key(1)))
        #expect(found.end == 7)
        #expect(found.values.count == 4096)
        #expect(found.values.values(Int64.self)[4095] == 5)
        #expect(cache.entry(key(1, modified: 2)) == nil)
        #expect(cache.entry(key(2)) == nil)
    }

    @Test("never holds more than its limit; a scan larger than that leaves what is in use")
    func isBounded() {
        let cache = DictionaryCache { 8 * 32 << 10 }
        for number in 0..<8 { cache.keep(dictionary(Int64(number)), key(number), page: nil) }
        for round in 0..<50 {
            for number in 100..<300 {
                if cache.entry(key(number)) == nil { cache.keep(dictionary(Int64(number)), key(number), page: nil) }
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
        let none = DictionaryCache { 1 }
        none.keep(dictionary(1), key(1), page: nil)
        #expect(none.entry(key(1)) == nil)
        let cache = DictionaryCache { 1 << 20 }
        let small = Vector(flat: .int64, capacity: 16)
        cache.keep(DictionaryCache.Entry(values: small, end: 0), key(1), page: nil)
        #expect(cache.entry(key(1)) == nil)
    }
}
