// What is done with an input: read it, and read on what was accepted.

import Columnar
import Diagnostics
import FileFormats
import Foundation
import QueryPlan
import SQLParser
import Storage

@testable import WireCodec

enum FuzzTarget: String, CaseIterable {
    case parser, csv, json, parquet, frames, plans

    var isText: Bool { self == .parser || self == .csv || self == .json }

    /// Good inputs, from the fixtures of the working directory.
    func corpus() throws -> [[UInt8]] {
        switch self {
        case .parser: try Self.statements()
        case .json:
            try Self.files(under: "Fixtures/json", suffix: ".jsonl")
                + Self.files(under: "Fixtures/json", suffix: ".ndjson")
        case .csv:
            try Self.files(under: "Fixtures/csv", suffix: ".csv") + Self.files(under: "Fixtures/copy", suffix: ".csv")
                + Self.files(under: "Fixtures/copy", suffix: ".txt") + Self.tables.map { Array($0.utf8) }
        case .parquet: try Self.files(under: "Fixtures/parquet", suffix: ".parquet").filter { $0.count < 100_000 }
        case .frames: try Self.frames()
        case .plans: try Self.files(under: "Fixtures/wire", suffix: ".bin")
        }
    }

    /// Whether the reader took the input. Other errors than QueryError end the run.
    func accepts(_ input: [UInt8], _ random: inout Mutation) async throws -> Bool {
        do {
            switch self {
            case .parser: try Self.parse(input)
            case .csv: try await Self.readFile(input, "input.csv", .csv, &random)
            case .json: try await Self.readFile(input, "input.jsonl", .jsonl, &random)
            case .parquet: try await Self.readFile(input, "input.parquet", .parquet, &random)
            case .frames: try Self.decodeFrames(input)
            case .plans: try Self.decodePlans(input)
            }
            return true
        } catch let error as QueryError {
            if error.state == .internalError { throw error }
            return false
        }
    }

    private static func files(under directory: String, suffix: String) throws -> [[UInt8]] {
        let names = FileManager.default.enumerator(atPath: directory)?.compactMap { $0 as? String } ?? []
        return try names.filter { $0.hasSuffix(suffix) }.sorted().map { name in
            Array(try Data(contentsOf: URL(fileURLWithPath: "\(directory)/\(name)")))
        }
    }

    // MARK: Parser

    /// The statements of all scripts.
    private static func statements() throws -> [[UInt8]] {
        try files(under: "Fixtures/sql", suffix: ".slt").flatMap { bytes in
            String(decoding: bytes, as: UTF8.self).components(separatedBy: "\n\n").compactMap { record -> [UInt8]? in
                let lines = record.split(separator: "\n").filter { !$0.hasPrefix("#") }
                guard let head = lines.first, head.hasPrefix("query") || head.hasPrefix("statement") else { return nil }
                return Array(lines.dropFirst().prefix { $0 != "----" }.joined(separator: "\n").utf8)
            }
        }
    }

    /// What is accepted must print, and parse back to the same.
    private static func parse(_ input: [UInt8]) throws {
        for parsed in try StatementParser.parse(String(decoding: input, as: UTF8.self)) {
            let text = SyntaxPrinter.text(of: parsed.statement)
            let again: [ParsedStatement]
            do { again = try StatementParser.parse(text) } catch {
                // Printing adds parentheses, so what was at a limit may be beyond it.
                if error.state == .statementTooComplex || error.state == .programLimitExceeded { return }
                fatal("does not parse back: \(text)")
            }
            if again.count != 1 || again[0].statement != parsed.statement { fatal("another statement: \(text)") }
        }
    }

    private static func fatal(_ message: String) -> Never {
        report("FAILED: \(message)")
        abort()
    }

    // MARK: Files

    /// Values of every type that a CSV column can have, quotes, and ends of lines.
    private static let tables = [
        "a,b,c\r\n1,2.5,x\r\n-7,1e9,\"y \"\"z\"\"\"\r\n,NaN,\"two\r\nlines\"\r\n",
        "d|t|z|u\n2020-02-29|12:34:56.789|2020-01-01 00:00:00+02|00000000-0000-0000-0000-0000000000ab\n||2020-13-01|no\n",
        "\u{FEFF}id;flag\n9223372036854775807;true\n9223372036854775808;f\n-1;\n",
        "x\n" + String(repeating: "0.5\n", count: 300) + "text\n",
        "é,日本\n'a','b'\n\\N,\\\"\n",
    ]

    private static func readFile(
        _ input: [UInt8], _ name: String, _ format: FileFormat, _ random: inout Mutation
    ) async throws {
        let path = "\(NSTemporaryDirectory())/martlet-fuzz-\(getpid())-\(name)"
        try Data(input).write(to: URL(fileURLWithPath: path))
        defer { unlink(path) }
        let options = format == .csv ? csvOptions(&random) : [:]
        let table = try FileTable.open(name: "t", format: format, files: [FileIdentity(path: path)], options: options)
        _ = try await table.statistics()
        var request = ScanRequest(projection: Array(0..<table.schema.count))
        if Bool.random(using: &random) { request.predicates = predicates(table.schema.types, &random) }
        for split in try await table.splits(for: request) {
            let reader = try table.makeReader(for: split, request: request, context: ScanContext())
            while let batch = try reader.next() { touch(batch) }
        }
    }

    private static func csvOptions(_ random: inout Mutation) -> [String: String] {
        let choices = [
            ("header", ["true", "false"]), ("delimiter", ["|", ";", "\t", "a"]), ("quote", ["'", "\""]),
            ("escape", ["\\", "\""]), ("null", ["NULL", "\\N", "x"]), ("sample_rows", ["1", "2", "100"]),
            ("all_text", ["true"]),
        ]
        var options: [String: String] = [:]
        for (name, values) in choices where Int.random(in: 0..<4, using: &random) == 0 {
            options[name] = values.randomElement(using: &random)
        }
        return options
    }

    /// Conditions on some columns: readers prune by the statistics of a file, which may be anything.
    private static func predicates(_ types: [DataType], _ random: inout Mutation) -> [QueryPlan.Expression] {
        types.indices.filter { _ in Int.random(in: 0..<4, using: &random) == 0 }.map { index in
            let column = QueryPlan.Expression.input(index, types[index])
            let name = ["=", "<", ">=", "<>"].randomElement(using: &random) ?? "="
            let literal: ScalarValue
            switch types[index] {
            case .boolean: literal = .boolean(true)
            case .float32, .float64: literal = .float(0.5)
            case .decimal: literal = .decimal(12)
            case .text, .varchar, .char: literal = .string("b")
            case _ where types[index].isInteger: literal = .integer(Int64.random(in: -2...20, using: &random))
            default: return .isNull(column)
            }
            return .comparison(name, column, .literal(literal, types[index]))
        }
    }

    private static func touch(_ batch: Batch) {
        for row in 0..<batch.rowCount { _ = batch.row(row) }
    }

    // MARK: Frames and plans

    /// Frames of batches of every type, uncompressed, so that changes reach the content.
    private static func frames() throws -> [[UInt8]] {
        let types: [DataType] = [
            .boolean, .int32, .float64, .text, .decimal(precision: 30, scale: 2), .interval, .uuid,
        ]
        var result: [[UInt8]] = []
        for rowCount in [0, 1, 30, 300] {
            let columns = types.map { type -> Vector in
                let builder = VectorBuilder(type: type)
                for row in 0..<rowCount {
                    if row % 5 == 3 { builder.appendNull() } else { builder.append(value(type, row)) }
                }
                return builder.finish()
            }
            var encoder = FrameEncoder(options: FrameOptions(compression: .none))
            try encoder.append(Batch(columns: columns, rowCount: rowCount))
            while let frame = encoder.next(flush: true) {
                result.append(Array(UnsafeRawBufferPointer(start: frame.buffer.base, count: frame.byteCount)))
            }
        }
        return result
    }

    private static func value(_ type: DataType, _ row: Int) -> ScalarValue {
        switch type {
        case .boolean: .boolean(row % 2 == 0)
        case .int32: .integer(Int64(row))
        case .float64: .float(Double(row) / 4)
        case .text: .string(String(repeating: "x", count: row % 40))
        case .decimal: .decimal(Int128(row) * 12_345_678_901_234_567)
        case .interval: .interval(IntervalValue(months: Int32(row), days: 2, microseconds: 3))
        default: .uuid(UUIDValue(high: UInt64(row), low: 7))
        }
    }

    /// A peer may lie with a right checksum: the header is made anew, so that the content is looked at.
    private static func decodeFrames(_ input: [UInt8]) throws {
        guard input.count > FrameHeader.byteCount else { return }
        let buffer = Buffer(byteCount: input.count)
        input.withUnsafeBytes {
            if let base = $0.baseAddress { buffer.base.copyMemory(from: base, byteCount: $0.count) }
        }
        var decoder = FrameDecoder()
        if let header = try? FrameHeader(reading: buffer.base, byteCount: input.count) {
            var sealed = FrameHeader()
            sealed.rowCount = header.rowCount
            sealed.payloadByteCount = input.count - FrameHeader.byteCount
            sealed.rawByteCount = sealed.payloadByteCount
            sealed.write(to: buffer.base)
        }
        for batch in try decoder.decode(buffer, byteCount: input.count) { touch(batch) }
    }

    private static func decodePlans(_ input: [UInt8]) throws {
        _ = try? PlanCodec.decode(input)
        let task = try TaskCodec.decode(input)
        _ = try TaskCodec.encode(task)
    }
}
