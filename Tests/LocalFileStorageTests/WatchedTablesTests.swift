// Tables of very many files, which are not looked at file by file: every kind of change is seen by the next query.

import Columnar
import Diagnostics
import EngineConfiguration
import FileFormats
import Foundation
import Glibc
import Storage
import Testing

@testable import LocalFileStorage

@Suite struct WatchedTablesTests {
    private static let fileCount = 80
    private let root: String
    private let manager = FileManager.default

    init() throws {
        root = NSTemporaryDirectory() + "martlet-watched-" + UUID().uuidString
        try manager.createDirectory(atPath: root + "/many", withIntermediateDirectories: true)
        for number in 0..<Self.fileCount { try write(path(number), "a\n\(number)\n") }
    }

    private func path(_ number: Int) -> String { "\(root)/many/part-\(1000 + number).csv" }

    /// Writes in place: the file stays the same one.
    private func write(_ path: String, _ text: String) throws {
        let file = try #require(fopen(path, "w"))
        fputs(text, file)
        fclose(file)
    }

    private func sum(_ table: any TableProvider) async throws -> Int64 {
        let request = ScanRequest(projection: [0])
        var result: Int64 = 0
        for split in try await table.splits(for: request) {
            let reader = try table.makeReader(for: split, request: request, context: ScanContext())
            while let batch = try reader.next() {
                for row in 0..<batch.rowCount {
                    if case .integer(let value) = batch.row(row)[0] { result += value }
                }
            }
        }
        return result
    }

    private static let firstSum = Int64(fileCount * (fileCount - 1) / 2)

    @Test func everyChangeIsSeen() async throws {
        defer { try? manager.removeItem(atPath: root) }
        let section = ConfigurationSection(name: "f", values: ["directory": root])
        let directory = try #require(try LocalFileStoragePlugin().makeStorageBackend(section))
        let paths = PathBackend()
        func check(_ expected: Int64, _ what: Comment) async throws {
            // The second look is the first that can be kept, the third may find it.
            for _ in 0..<3 {
                let table = try #require(try await directory.table(schema: "public", name: "many"))
                #expect(try await sum(table) == expected, what)
                for name in [root + "/many", root + "/many/*.csv", root + "/ma*/*"] {
                    let resolved = try await paths.resolve(path: name)
                    let table = try #require(try await paths.table(schema: resolved.schema, name: resolved.name))
                    #expect(try await sum(table) == expected, what)
                }
            }
        }
        try await check(Self.firstSum, "as written")
        try write(path(3), "a\n1003\n")
        try await check(Self.firstSum + 1000, "a file is written in place")
        let other = root + "/other.tmp"
        try write(other, "a\n2003\n")
        #expect(rename(other, path(3)) == 0)
        try await check(Self.firstSum + 2000, "another file takes the place")
        #expect(unlink(path(3)) == 0)
        try await check(Self.firstSum - 3, "a file is gone")
        try write(root + "/many/new.csv", "a\n3\n")
        try await check(Self.firstSum, "a file has come")
        let descriptor = open(path(5), O_RDWR)
        let mapped = try #require(mmap(nil, 4, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0))
        close(descriptor)
        mapped.storeBytes(of: UInt8(ascii: "9"), toByteOffset: 2, as: UInt8.self)
        munmap(mapped, 4)
        try await check(Self.firstSum + 4, "a file is written by way of memory")
        #expect(truncate(path(9), 2) == 0)
        try await check(Self.firstSum + 4 - 9, "a file is cut")
        #expect(rename(root + "/many", root + "/before") == 0)
        try manager.createDirectory(atPath: root + "/many", withIntermediateDirectories: true)
        for number in 0..<Self.fileCount { try write(path(number), "a\n1\n") }
        try await check(Int64(Self.fileCount), "another directory takes the place")
        // A file that has another name can be changed by that. A second name alone is not reported; the next look finds it.
        #expect(link(path(7), root + "/alias") == 0)
        try write(path(8), "a\n1\n")
        try await check(Int64(Self.fileCount), "a second name")
        try write(root + "/alias", "a\n8\n")
        try await check(Int64(Self.fileCount + 7), "a file is written by its other name")
        #expect(symlink(root + "/alias", root + "/many/link.csv") == 0)
        try await check(Int64(Self.fileCount + 15), "a link has come")
        try write(root + "/alias", "a\n9\n")
        try await check(Int64(Self.fileCount + 17), "a file is written that a link leads to")
    }

    @Test func looksOnlyAfterChanges() throws {
        defer { try? manager.removeItem(atPath: root) }
        let directory = root + "/many"
        try #require(DirectoryWatch.shared.stamp(directory) != nil, "this file system is not watched")
        let tables = WatchedTables()
        let table = AppendableTable(try FileTableStub(), makeTarget: { "" }, turnOff: {})
        var looks = 0
        func find() throws {
            _ = try tables.table("t") {
                looks += 1
                return try .init(table, directories: [directory])
            }
        }
        for _ in 0..<5 { try find() }
        #expect(looks == 2)
        try write(path(1), "a\n5\n")
        for _ in 0..<5 { try find() }
        #expect(looks == 3)
        StaleFiles.noticed()
        for _ in 0..<5 { try find() }
        #expect(looks == 4, "a file was not the one that was planned with")
        try manager.removeItem(atPath: directory)
        #expect(DirectoryWatch.shared.stamp(directory) == nil)
    }
}

/// A table that nobody reads.
private final class FileTableStub: TableProvider {
    let schema = Schema([])
    init() throws {}
    func splits(for request: ScanRequest) async throws -> [Split] { [] }
    func makeReader(for split: Split, request: ScanRequest, context: ScanContext) throws -> any BatchReader {
        throw QueryError.internalError("not read")
    }
}
