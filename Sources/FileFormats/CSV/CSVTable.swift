// A table made of CSV files.

import CKernels
import Columnar
import Diagnostics
import Glibc
import QueryPlan
import Storage
import Synchronization

/// One or more CSV files of the same columns. Splits are byte ranges between rows, or whole compressed files.
package final class CSVTable: TableProvider {
    package let schema: Schema
    private let name: String
    private let store: any FileStore
    private let files: [FileIdentity]
    private let dialect: CSVDialect
    private let descriptions: [CSVDescription]
    /// Splits by file, found once.
    private let boundaries = Mutex<[FileIdentity: [Int]]>([:])

    /// Files whose columns are found out; of more files the others are taken to be alike.
    private static let sniffedFileMax = 64

    package init(
        name: String, files: [FileIdentity], options: CSVOptions, in store: any FileStore = LocalFiles.shared
    ) throws {
        guard let first = files.first else {
            throw QueryError(.undefinedFile, "table \"\(name)\" has no files", object: name)
        }
        self.name = name
        self.store = store
        self.files = files
        let head = try CSVSniffer(store.open(first), options: options).describe()
        var settled = options
        settled.delimiter = head.dialect.delimiter
        settled.quote = head.dialect.quote
        settled.escape = head.dialect.escape
        settled.header = head.dialect.hasHeader
        var descriptions = [head]
        var types = head.types
        for file in files.dropFirst().prefix(CSVTable.sniffedFileMax - 1) {
            let other = try CSVSniffer(store.open(file), options: settled).describe()
            guard other.names == head.names else {
                throw QueryError(
                    .datatypeMismatch, "the files of table \"\(name)\" do not have the same columns",
                    detail: "Files: \(first.path), \(file.path).", object: name)
            }
            for index in types.indices {
                types[index] = CSVTable.common(types[index], other.types[index], head, other, index)
            }
            descriptions.append(other)
        }
        dialect = head.dialect
        self.descriptions = descriptions
        schema = Schema(zip(head.names, types).map { Field(name: $0, type: $1) })
    }

    /// The type that holds the values of both files' columns.
    private static func common(
        _ a: DataType, _ b: DataType, _ first: CSVDescription, _ second: CSVDescription, _ column: Int
    ) -> DataType {
        if a == b { return a }
        // A column without values takes any type.
        if first.nullCounts[column] == first.sampledRowCount { return b }
        if second.nullCounts[column] == second.sampledRowCount { return a }
        switch (a, b) {
        case (.int64, .float64), (.float64, .int64): return .float64
        case (.date, .timestamp), (.timestamp, .date): return .timestamp
        case (.date, .timestampTZ), (.timestampTZ, .date), (.timestamp, .timestampTZ), (.timestampTZ, .timestamp):
            return .timestampTZ
        default: return .text
        }
    }

    private static func isCompressed(_ file: FileIdentity) -> Bool { file.path.hasSuffix(".gz") }
    /// How much longer text is than its gzip file, as a rule.
    private static let compressionRatio = 4.0

    private func estimatedRowCount(_ index: Int) -> Double {
        let description = index < descriptions.count ? descriptions[index] : descriptions[0]
        if index < descriptions.count && description.isWhole { return Double(description.sampledRowCount) }
        let bytes =
            Double(files[index].byteCount) * (CSVTable.isCompressed(files[index]) ? CSVTable.compressionRatio : 1)
        return (bytes / max(1, description.bytesPerRow)).rounded(.up)
    }

    package func statistics() async throws -> TableStatistics {
        let rows = files.indices.reduce(0) { $0 + estimatedRowCount($1) }
        let bytes = files.reduce(0) { $0 + $1.byteCount }
        let sample = descriptions[0]
        let sampled = Double(CSVSniffer.distinctRowCount(sample))
        let columns = schema.fields.indices.map { index -> ColumnStatistics in
            guard sample.sampledRowCount > 0 else { return ColumnStatistics() }
            let distinct = CSVTable.distinctCount(Double(sample.distinctCounts[index]), sampled: sampled, of: rows)
            let notNull = sample.sampledRowCount - sample.nullCounts[index]
            return ColumnStatistics(
                nullFraction: Double(sample.nullCounts[index]) / Double(sample.sampledRowCount),
                distinctCount: distinct,
                averageByteCount: schema.fields[index].type == .text && notNull > 0
                    ? Double(sample.textByteCounts[index]) / Double(notNull) : nil)
        }
        return TableStatistics(rowCount: rows, byteCount: Double(bytes), columns: columns)
    }

    /// Distinct values among `total` rows if `found` of `sampled` rows differ, taken as random draws.
    private static func distinctCount(_ found: Double, sampled: Double, of total: Double) -> Double {
        if total <= sampled { return found }
        if found >= sampled * 0.98 { return total }
        var low = found
        var high = total
        for _ in 0..<50 {
            let middle = (low + high) / 2
            if middle * (1 - exp(-sampled / middle)) < found { low = middle } else { high = middle }
        }
        return max(1, high)
    }

    // MARK: Splits

    private static let splitByteCount = 8 << 20

    package func splits(for request: ScanRequest) async throws -> [Split] {
        var result: [Split] = []
        for (index, file) in files.enumerated() where file.byteCount > 0 {
            let rows = estimatedRowCount(index)
            let cuts = try self.cuts(file)
            for (start, end) in zip(cuts, cuts.dropFirst()) {
                let share = Double(end - start) / Double(file.byteCount)
                result.append(
                    Split(
                        payload: FilePart(identity: file, start: start, end: end).payload,
                        estimatedRowCount: max(1, Int(rows * share)), estimatedByteCount: end - start))
            }
        }
        return result
    }

    /// Where splits begin and end: 0, positions behind row ends, the end of the file. Quotes of a file on a server are not
    /// counted: it would be read twice.
    private func cuts(_ file: FileIdentity) throws -> [Int] {
        let size = file.byteCount
        if CSVTable.isCompressed(file) || !dialect.isParityBased || size < CSVTable.splitByteCount * 3 / 2
            || (store.isRemote && dialect.quote != 0)
        {
            return [0, size]
        }
        if let known = boundaries.withLock({ $0[file] }) { return known }
        let made = try CSVTable.findCuts(store.open(file), dialect)
        boundaries.withLock { $0[file] = made }
        return made
    }

    /// A newline ends a row if an even number of quotes lies before it, so all quotes up to each cut are counted; without
    /// quoting, looking around the cuts is enough.
    private static func findCuts(_ file: any ReadableFile, _ dialect: CSVDialect) throws -> [Int] {
        let size = file.identity.byteCount
        let pieceByteCount = 256 << 10
        let buffer = Buffer(byteCount: pieceByteCount)
        let bytes = buffer.base.assumingMemoryBound(to: UInt8.self)
        var cuts = [0]
        var target = splitByteCount
        var offset = dialect.quote == 0 ? target : 0
        var isQuoted = false
        while offset < size && target < size {
            let count = min(pieceByteCount, size - offset)
            try file.read(into: buffer.base, count: count, at: offset)
            if offset + count <= target {
                if dialect.quote != 0 {
                    isQuoted = isQuoted != (ck_count_byte(bytes, count, dialect.quote) % 2 == 1)
                }
                offset += count
                continue
            }
            // The target lies in this piece, or the row around it began before.
            var at = max(0, target - offset)
            if dialect.quote != 0 && ck_count_byte(bytes, at, dialect.quote) % 2 == 1 { isQuoted.toggle() }
            var cut: Int?
            while at < count {
                let byte = bytes[at]
                at += 1
                if byte == dialect.quote && dialect.quote != 0 {
                    isQuoted.toggle()
                } else if byte == dialect.newline && !isQuoted {
                    cut = offset + at
                    break
                }
            }
            offset += at
            guard let cut else { continue }
            if cut < size { cuts.append(cut) }
            target = cut + splitByteCount
            if dialect.quote == 0 { offset = max(offset, target) }
        }
        return cuts + [size]
    }

    package func makeReader(for split: Split, request: ScanRequest, context: ScanContext) throws -> any BatchReader {
        let part = try FilePart(payload: split.payload)
        return try CSVReader(
            part, in: store, isCompressed: CSVTable.isCompressed(part.identity), dialect: dialect, schema: schema,
            request: request, context: context)
    }
}
