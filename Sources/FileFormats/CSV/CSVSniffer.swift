// Finding out the dialect, the header and the column types of a CSV file from its first rows.

import CKernels
import Columnar
import Diagnostics

/// What was found out about a file.
struct CSVDescription: Sendable {
    var dialect: CSVDialect
    var names: [String]
    var types: [DataType]
    /// Average length of a row, and whether the sample was the whole file.
    var bytesPerRow: Double
    var sampledRowCount: Int
    var isWhole: Bool
    /// Per column: distinct values among the sampled rows.
    var distinctCounts: [Int]
    var nullCounts: [Int]
    var textByteCounts: [Int]
}

/// Looks at the start of one file.
struct CSVSniffer {
    private static let sampleByteCount = 2 << 20
    private static let dialectByteCount = 128 << 10
    private static let delimiters: [UInt8] = [44, 124, 59, 9]

    private let options: CSVOptions
    private let path: String
    private let sample: Buffer
    private let count: Int
    private let isWhole: Bool

    init(_ file: any ReadableFile, options: CSVOptions) throws {
        self.options = options
        path = file.identity.path
        let source: any ByteSource =
            path.hasSuffix(".gz") ? try GzipSource(file) : try FileRangeSource(file, 0..<file.identity.byteCount)
        let buffer = Buffer(byteCount: CSVSniffer.sampleByteCount + 1)
        var filled = 0
        var isAtEnd = false
        while filled < CSVSniffer.sampleByteCount {
            let got = try source.read(into: buffer.base + filled, count: CSVSniffer.sampleByteCount - filled)
            if got == 0 {
                isAtEnd = true
                break
            }
            filled += got
        }
        let bytes = buffer.base.assumingMemoryBound(to: UInt8.self)
        var start = 0
        if filled >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { start = 3 }
        if start > 0 {
            buffer.base.copyMemory(from: buffer.base + start, byteCount: filled - start)
            filled -= start
        }
        sample = buffer
        count = filled
        isWhole = isAtEnd
    }

    private var bytes: UnsafePointer<UInt8> { UnsafePointer(sample.base.assumingMemoryBound(to: UInt8.self)) }

    /// Rows of fields as positions.
    private struct Index {
        var starts: [[Range<Int>]]
        var byteCount: Int
    }

    /// Indexes complete rows of the first `limit` bytes; empty lines are left out.
    private func index(_ dialect: CSVDialect, limit: Int, rowMax: Int) -> Index {
        var length = min(limit, count)
        if length == count && isWhole && length > 0 && bytes[length - 1] != dialect.newline {
            sample.base.storeBytes(of: dialect.newline, toByteOffset: length, as: UInt8.self)
            length += 1
        }
        let fields = Buffer(byteCount: (length + 32) * 4)
        let ends = fields.base.assumingMemoryBound(to: UInt32.self)
        let rowBuffer = Buffer(byteCount: (length + 32) * 4)
        let rows = rowBuffer.base.assumingMemoryBound(to: UInt32.self)
        var state = ck_csv_state()
        if dialect.isParityBased {
            ck_csv_index(bytes, 0, length, dialect.delimiter, dialect.quote, dialect.newline, ends, rows, &state)
        } else {
            ck_csv_index_escaped(
                bytes, 0, length, dialect.delimiter, dialect.quote, dialect.escape, dialect.newline, ends, rows, &state)
        }
        var result = Index(starts: [], byteCount: 0)
        var field = 0
        var start = 0
        for row in 0..<min(Int(state.rowCount), rowMax) {
            var parts: [Range<Int>] = []
            while field < Int(rows[row]) {
                var end = Int(ends[field])
                let next = end + 1
                if field + 1 == Int(rows[row]), end > start, bytes[end - 1] == 13 { end -= 1 }
                parts.append(start..<end)
                start = next
                field += 1
            }
            result.byteCount = start
            if parts.count == 1 && parts[0].isEmpty { continue }
            result.starts.append(parts)
        }
        return result
    }

    func describe() throws -> CSVDescription {
        var dialect = try findDialect()
        let rowMax = options.sampleRowCount + 1
        let index = index(dialect, limit: count, rowMax: rowMax)
        guard let first = index.starts.first else {
            if isWhole { throw QueryError(.badCopyFileFormat, "file \"\(path)\" is empty", object: path) }
            throw QueryError(.badCopyFileFormat, "the first row of file \"\(path)\" is too long", object: path)
        }
        var columnCount = first.count
        if dialect.hasTrailingDelimiter && columnCount > 1 && first[columnCount - 1].isEmpty {
            columnCount -= 1
        } else {
            dialect.hasTrailingDelimiter = false
        }
        let body = Array(index.starts.dropFirst())
        let firstRow = (0..<columnCount).map { text(first[$0], dialect) }
        let hasHeader: Bool
        if let header = options.header {
            hasHeader = header
        } else {
            hasHeader = looksLikeHeader(firstRow, body, dialect)
        }
        dialect.hasHeader = hasHeader
        let data = hasHeader ? body : index.starts
        var description = CSVDescription(
            dialect: dialect, names: names(hasHeader ? firstRow : nil, columnCount),
            types: [DataType](repeating: .text, count: columnCount),
            bytesPerRow: Double(index.byteCount) / Double(max(1, index.starts.count)), sampledRowCount: data.count,
            isWhole: isWhole && index.starts.count < rowMax, distinctCounts: [], nullCounts: [], textByteCounts: [])
        for column in 0..<columnCount { examine(column, data, dialect, &description) }
        return description
    }

    // MARK: Dialect

    private func findDialect() throws -> CSVDialect {
        var base = CSVDialect()
        base.null = options.null
        base.hasTrailingDelimiter = options.hasTrailingDelimiter
        if let quote = options.quote {
            base.quote = quote
            base.escape = quote
        }
        let window = UnsafeBufferPointer(start: bytes, count: min(count, CSVSniffer.dialectByteCount))
        if !window.contains(10) && window.contains(13) { base.newline = 13 }
        var escapes: [UInt8] = [base.quote]
        if let escape = options.escape {
            escapes = [escape]
        } else if base.quote != 0, hasBackslashQuote(window, base.quote) {
            escapes.append(UInt8(ascii: "\\"))
        }
        let delimiters = options.delimiter.map { [$0] } ?? CSVSniffer.delimiters
        var best: (score: Int, columns: Int, dialect: CSVDialect)?
        for escape in escapes {
            for delimiter in delimiters where delimiter != base.quote {
                var dialect = base
                dialect.escape = escape
                dialect.delimiter = delimiter
                let rows = index(dialect, limit: CSVSniffer.dialectByteCount, rowMax: 200).starts
                guard !rows.isEmpty else { continue }
                var counts: [Int: Int] = [:]
                for row in rows { counts[row.count, default: 0] += 1 }
                guard let common = counts.max(by: { ($0.value, $0.key) < ($1.value, $1.key) }) else { continue }
                // One column is what every delimiter that is not there gives.
                let score = common.key == 1 ? 0 : common.value * 100 / rows.count + 1
                let isBetter = best.map { (score, common.key) > ($0.score, $0.columns) } ?? true
                if isBetter { best = (score, common.key, dialect) }
            }
        }
        if let best { return best.dialect }
        base.delimiter = delimiters[0]
        base.escape = escapes[0]
        return base
    }

    private func hasBackslashQuote(_ window: UnsafeBufferPointer<UInt8>, _ quote: UInt8) -> Bool {
        var previous: UInt8 = 0
        for byte in window {
            if byte == quote && previous == UInt8(ascii: "\\") { return true }
            previous = byte
        }
        return false
    }

    // MARK: Header

    private func text(_ range: Range<Int>, _ dialect: CSVDialect) -> String {
        var target = [UInt8](repeating: 0, count: range.count + 1)
        let length = CSVText.unquote(bytes + range.lowerBound, range.count, dialect, into: &target)
        return String(decoding: target[..<length], as: UTF8.self)
    }

    /// A first row that is not of its columns' types is a header. Where all is text, a header consists of names that do
    /// not appear below.
    private func looksLikeHeader(_ first: [String], _ body: [[Range<Int>]], _ dialect: CSVDialect) -> Bool {
        if body.isEmpty { return first.allSatisfy(CSVSniffer.isName) && Set(first).count == first.count }
        if first.contains(where: { $0.isEmpty }) { return false }
        var isAllText = true
        for (column, name) in first.enumerated() {
            var kinds = KindSet()
            for row in body.prefix(1000) where column < row.count { kinds.add(row[column], self, dialect) }
            let type = kinds.type
            if type == .text { continue }
            isAllText = false
            var nameKinds = KindSet()
            nameKinds.add(name: name)
            // A first row of a wider type, such as a double above integers, is a row.
            if nameKinds.type == .text { return true }
        }
        guard isAllText, first.allSatisfy(CSVSniffer.isName), Set(first).count == first.count else { return false }
        for (column, name) in first.enumerated() {
            for row in body.prefix(1000) where column < row.count && text(row[column], dialect) == name { return false }
        }
        return true
    }

    /// Begins with a letter or an underscore.
    private static func isName(_ text: String) -> Bool {
        guard let first = text.unicodeScalars.first else { return false }
        return first == "_" || first.properties.isAlphabetic
    }

    private func names(_ header: [String]?, _ count: Int) -> [String] {
        var seen: Set<String> = []
        return (0..<count).map { column in
            var name = header?[column] ?? ""
            while let last = name.last, last == " " { name.removeLast() }
            while let first = name.first, first == " " { name.removeFirst() }
            if name.isEmpty { name = "column\(column)" }
            var unique = name
            var number = 1
            while !seen.insert(unique).inserted {
                unique = "\(name)_\(number)"
                number += 1
            }
            return unique
        }
    }

    // MARK: Types

    /// Kinds of values seen in a column.
    private struct KindSet {
        var isBoolean = true, isInteger = true, isDouble = true, isDate = true, isTime = true, isTimestamp = true
        var hasZone = false
        var isEmpty = true

        mutating func add(_ range: Range<Int>, _ sniffer: CSVSniffer, _ dialect: CSVDialect) {
            let bytes = sniffer.bytes + range.lowerBound
            if range.isEmpty { return }
            if !dialect.null.isEmpty, UnsafeBufferPointer(start: bytes, count: range.count).elementsEqual(dialect.null)
            {
                return
            }
            if bytes[0] == dialect.quote && dialect.quote != 0 {
                add(name: sniffer.text(range, dialect))
            } else {
                add(bytes, range.count)
            }
        }

        mutating func add(name: String) {
            let utf8 = Array(name.utf8) + [UInt8](repeating: 0, count: 24)
            utf8.withUnsafeBufferPointer { add($0.baseAddress!, name.utf8.count) }
        }

        mutating func add(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
            isEmpty = false
            if count == 0 {
                self = KindSet(
                    isBoolean: false, isInteger: false, isDouble: false, isDate: false, isTime: false,
                    isTimestamp: false, isEmpty: false)
                return
            }
            if isInteger && CSVText.integer(bytes, count) == nil { isInteger = false }
            if isDouble && !isInteger && CSVText.double(bytes, count, CSVText.powersOfTen) == nil { isDouble = false }
            if isBoolean && CSVText.boolean(bytes, count) == nil { isBoolean = false }
            if isDate && CSVText.date(bytes, count) == nil { isDate = false }
            if isTime && CSVText.time(bytes, count) == nil { isTime = false }
            if isTimestamp {
                if let (_, zone) = CSVText.timestamp(bytes, count) {
                    hasZone = hasZone || zone
                } else {
                    isTimestamp = false
                }
            }
        }

        var type: DataType {
            if isEmpty { return .text }
            if isBoolean { return .boolean }
            if isInteger { return .int64 }
            if isDouble { return .float64 }
            if isDate { return .date }
            if isTime { return .time }
            if isTimestamp { return hasZone ? .timestampTZ : .timestamp }
            return .text
        }
    }

    /// Rows that distinct values are counted in.
    private static let distinctRowMax = 4096

    private func examine(
        _ column: Int, _ rows: [[Range<Int>]], _ dialect: CSVDialect, _ description: inout CSVDescription
    ) {
        var kinds = KindSet()
        var hashes: Set<UInt64> = []
        var nulls = 0
        var textBytes = 0
        for (number, row) in rows.enumerated() where column < row.count {
            let field = row[column]
            if !options.isAllText { kinds.add(field, self, dialect) }
            if field.isEmpty { nulls += 1 }
            textBytes += field.count
            if number < CSVSniffer.distinctRowMax {
                hashes.insert(Hashing.hash(bytes: bytes + field.lowerBound, count: field.count))
            }
        }
        if !options.isAllText { description.types[column] = kinds.type }
        description.distinctCounts.append(hashes.count)
        description.nullCounts.append(nulls)
        description.textByteCounts.append(textBytes)
    }

    /// Sampled rows that `distinctCounts` speak of.
    static func distinctRowCount(_ description: CSVDescription) -> Int {
        min(description.sampledRowCount, distinctRowMax)
    }
}
