// Tests of JSON lines: cuts, broken lines, types, and what the writer writes.

import Columnar
import Diagnostics
import FileFormats
import Foundation
import QueryPlan
import Storage
import Testing

@Suite struct JSONLinesTests {
    private let scratch: ScratchDirectory
    init() throws { scratch = try ScratchDirectory() }

    private func table(_ text: String, _ name: String = "t.jsonl") throws -> any TableProvider {
        let path = try scratch.write(name, Data(text.utf8))
        return try FileTable.open(name: "t", format: .jsonl, files: [FileIdentity(path: path)])
    }

    /// Lines that lie across the edges of pieces and splits are read once.
    @Test func everyLineOnceWhateverTheCuts() async throws {
        var text = ""
        var expected: [Int64] = []
        for number in 0..<60_000 {
            let padding = String(repeating: "x", count: (number * 7919) % 700)
            text += #"{"n": \#(number), "p": "\#(padding)"}"# + (number % 3 == 0 ? "\r\n" : "\n")
            expected.append(Int64(number))
        }
        let table = try table(text)
        let splits = try await table.splits(for: ScanRequest(projection: [0]))
        #expect(splits.count > 2)
        let numbers = try await rows(table, [0]).map { $0[0] }
        #expect(numbers == expected.map { .integer($0) })
    }

    /// A line longer than a piece of the file.
    @Test func longLines() async throws {
        let long = String(repeating: "long ", count: 900_000)
        let table = try table("{\"a\": 1}\n{\"a\": 2, \"t\": \"\(long)\"}\n{\"a\": 3}")
        let found = try await rows(table)
        #expect(found.map { $0[0] } == [.integer(1), .integer(2), .integer(3)])
        #expect(found[1][1] == .bytes(Array(long.utf8)))
    }

    /// What cannot be cut anywhere without an error, and with none that is not typed.
    @Test func everyPrefixIsRefusedOrRead() async throws {
        let line = #"{"a": -1.5e3, "b": "q\"\u00e9", "c": [true, {"d": null}], "e": false}"#
        for length in 1..<line.utf8.count {
            let prefix = String(decoding: line.utf8.prefix(length), as: UTF8.self)
            do {
                _ = try await rows(try table(prefix))
                Issue.record("\(prefix) was read")
            } catch let error as QueryError {
                #expect(error.state == .invalidTextRepresentation, "\(prefix): \(error)")
            }
        }
        #expect(try await rows(try table(line)).count == 1)
    }

    @Test func valuesOfOtherTypesThanTheFirstLines() async throws {
        var text = ""
        for _ in 0..<21_000 { text += "{\"a\": 1}\n" }
        let table = try table(text + "{\"a\": \"one\"}\n")
        do {
            _ = try await rows(table)
            Issue.record("text was read as a number")
        } catch let error as QueryError {
            #expect(error.state == .invalidTextRepresentation)
            #expect(error.object == "a")
            #expect(error.detail?.contains("line 21001") ?? false)
        }
    }

    /// What is written is read back.
    @Test func roundTrip() async throws {
        let fields = [
            Field(name: "i", type: .int64), Field(name: "t \"x\"", type: .text), Field(name: "f", type: .float64),
            Field(name: "b", type: .boolean), Field(name: "d", type: .date), Field(name: "s", type: .timestamp),
        ]
        let values: [[ScalarValue]] = [
            [
                .integer(1), .bytes(Array("a\"b\\c\n\t\u{1}é😀".utf8)), .float(1.25), .boolean(true), .integer(9000),
                .integer(1_700_000_000_000_000),
            ],
            [.null, .null, .null, .null, .null, .null],
            [.integer(-5), .bytes([]), .float(-1e300), .boolean(false), .integer(-9000), .integer(-1)],
        ]
        let path = scratch.path + "/out.jsonl"
        let writer = try FileTable.makeWriter(path: path, format: "json", options: [:], columns: fields)
        try writer.write(Batch.rows(values, types: fields.map(\.type)))
        try writer.commit()
        let table = try FileTable.open(name: "t", format: .jsonl, files: [FileIdentity(path: path)])
        #expect(table.schema.fields.map(\.name) == fields.map(\.name))
        #expect(table.schema.fields.map(\.type) == fields.map(\.type))
        #expect(try await rows(table) == values)
    }
}
