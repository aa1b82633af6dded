// Broken Parquet files: every byte flipped, every length cut, files that vanish. A result or a QueryError, nothing else.

import Columnar
import Diagnostics
import FileFormats
import Foundation
import QueryPlan
import Storage
import Testing

@Suite struct ParquetRobustnessTests {
    private static let files: [String] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: fixtures + "/parquet/flip")) ?? []
        return names.sorted()
    }()

    private let scratch: ScratchDirectory
    init() throws { scratch = try ScratchDirectory() }

    /// All rows of a file with these bytes, or the error.
    private func read(_ data: Data, _ name: String) async throws -> Result<[[ScalarValue]], QueryError> {
        let path = try scratch.write(name, data)
        defer { try? FileManager.default.removeItem(atPath: path) }
        do {
            let table = try ParquetTable(name: "t", files: [FileIdentity(path: path)])
            _ = try await table.statistics()
            let all = Array(0..<table.schema.count)
            let predicate = QueryPlan.Expression.comparison("<", .input(0, .int64), .literal(.integer(20), .int64))
            if table.schema.types.first == .int64 { _ = try await rows(table, all, predicates: [predicate]) }
            return .success(try await rows(table, all))
        } catch let error as QueryError {
            return .failure(error)
        }
    }

    @Test(arguments: files) func flippedBytes(_ name: String) async throws {
        let original = try Data(contentsOf: URL(fileURLWithPath: "\(fixtures)/parquet/flip/\(name)"))
        let wanted = try await read(original, "original.parquet").get()
        #expect(wanted.count == 40)
        // Pages with checksums lie in front of the footer; there every flip is found.
        let footer = original.count - 8 - Int(original[original.count - 8]) - Int(original[original.count - 7]) << 8
        var broken = 0
        for position in 0..<original.count {
            for mask: UInt8 in [0xFF, 0x01] {
                var data = original
                data[position] ^= mask
                let start = ContinuousClock.now
                defer {
                    if ContinuousClock.now - start > .seconds(2) { Issue.record("byte \(position) of \(name) is slow") }
                }
                switch try await read(data, "flip.parquet") {
                case .failure(let error):
                    broken += 1
                    #expect(error.state != .internalError, "byte \(position) of \(name)")
                case .success(let rows):
                    let isChecked = name.contains("_sum") && position < footer && position >= 4
                    if isChecked && rows != wanted {
                        Issue.record("byte \(position) of \(name) changes the result unnoticed")
                    }
                }
            }
        }
        #expect(broken > original.count / 4)
    }

    @Test(arguments: files) func truncatedFiles(_ name: String) async throws {
        let original = try Data(contentsOf: URL(fileURLWithPath: "\(fixtures)/parquet/flip/\(name)"))
        for length in 0..<original.count {
            guard case .failure(let error) = try await read(original.prefix(length), "cut.parquet") else {
                Issue.record("\(length) bytes of \(name) are read")
                continue
            }
            #expect(error.state != .internalError)
        }
    }

    /// Noise instead of pages, with the footer intact.
    @Test(arguments: files) func noise(_ name: String) async throws {
        let original = try Data(contentsOf: URL(fileURLWithPath: "\(fixtures)/parquet/flip/\(name)"))
        var state: UInt64 = 88_172_645_463_325_252
        for _ in 0..<300 {
            var data = original
            for _ in 0..<8 {
                state ^= state << 13
                state ^= state >> 7
                state ^= state << 17
                data[Int(state % UInt64(data.count))] = UInt8(truncatingIfNeeded: state >> 32)
            }
            if case .failure(let error) = try await read(data, "noise.parquet") {
                #expect(error.state != .internalError)
            }
        }
    }

    @Test func vanishedAndChangedFiles() async throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(fixtures)/parquet/pages.parquet"))
        let path = try scratch.write("t.parquet", data)
        let table = try ParquetTable(name: "t", files: [FileIdentity(path: path)])
        let request = ScanRequest(projection: [0, 1, 2])
        let splits = try await table.splits(for: request)
        // Cut while it is read: the rest cannot be there.
        let reader = try table.makeReader(for: splits[0], request: request, context: ScanContext())
        _ = try reader.next()
        // A file that is replaced keeps its old bytes for those who have it open.
        try FileManager.default.removeItem(atPath: path)
        while try reader.next() != nil {}
        func state() -> SQLState? {
            do {
                _ = try table.makeReader(for: splits[0], request: request, context: ScanContext())
                return nil
            } catch { return (error as? QueryError)?.state }
        }
        #expect(state() == .undefinedFile)
        _ = try scratch.write("t.parquet", data + Data([0]))
        #expect(state() == .ioError)
        _ = try scratch.write("u.parquet", data)
        let other = try ParquetTable(name: "u", files: [FileIdentity(path: scratch.path + "/u.parquet")])
        let split = try #require(try await other.splits(for: request).last)
        let late = try other.makeReader(for: split, request: request, context: ScanContext())
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: scratch.path + "/u.parquet"))
        try handle.truncate(atOffset: 100)
        #expect(throws: QueryError.self) { while try late.next() != nil {} }
    }

    @Test func otherFiles() async throws {
        for text in ["", "PAR1", "not a Parquet file at all", String(repeating: "PAR1", count: 100)] {
            guard case .failure(let error) = try await read(Data(text.utf8), "other.parquet") else {
                Issue.record("\(text) is read")
                continue
            }
            #expect(error.state == .dataCorrupted)
        }
    }
}
