// The reader of a split of a CSV table: filters first, other columns only for the rows that are left.

import CKernels
import Columnar
import Diagnostics
import Storage

/// Reads the rows of a byte range that begins and ends between rows, or of a whole compressed file. Confined to one
/// thread.
final class CSVReader: BatchReader {
    private let path: String
    private let identity: FileIdentity
    private let dialect: CSVDialect
    private let schema: Schema
    private let parsers: [CSVColumnParser]
    private let context: ScanContext
    private let chunk: CSVChunk
    private let file: any ReadableFile
    /// Where the range begins; the header is not in it.
    private let start: Int
    private var row = 0
    private var linesToSkip: Int
    private var limit: Int
    private let firstFields = Buffer(byteCount: Batch.standardRowCount * 4)
    private var pools: [BufferPool]
    private var bytesReported = 0

    init(
        _ part: FilePart, in store: any FileStore, isCompressed: Bool, dialect: CSVDialect, schema: Schema,
        request: ScanRequest,
        context: ScanContext
    ) throws {
        let file = try store.open(part.identity)
        self.file = file
        identity = part.identity
        path = part.identity.path
        start = part.start
        self.dialect = dialect
        self.schema = schema
        self.context = context
        let source: any ByteSource =
            isCompressed
            ? try GzipSource(file, held: HeldBytes(context))
            : try FileRangeSource(file, part.start..<max(part.start, part.end), held: HeldBytes(context))
        chunk = CSVChunk(source, dialect)
        linesToSkip = part.start == 0 && dialect.hasHeader ? 1 : 0
        parsers = request.projection.map {
            CSVColumnParser(dialect: dialect, type: schema.fields[$0].type, column: $0)
        }
        pools = parsers.map { _ in BufferPool() }
        limit = context.filters.isEmpty && request.predicates.isEmpty ? request.limit ?? Int.max : Int.max
    }

    func next() throws -> Batch? {
        while limit > 0 {
            try context.checkCancellation()
            if row >= chunk.rowCount {
                do {
                    guard try chunk.next() else { return nil }
                } catch let error as QueryError where error.state == .badCopyFileFormat {
                    throw located(error, atByte: chunk.byteOffset)
                }
                row = 0
                context.bytesRead += chunk.bytesRead - bytesReported
                bytesReported = chunk.bytesRead
                try checkEncoding()
                skipByteOrderMark()
                let skipped = min(linesToSkip, chunk.rowCount)
                linesToSkip -= skipped
                row = skipped
                continue
            }
            let count = try frame()
            if count == 0 { continue }
            if let batch = try batch(min(count, limit)) {
                limit -= batch.rowCount
                return batch
            }
        }
        return nil
    }

    /// The mark lies in front of the first field; the first field is the header's, or it is cut off here.
    private func skipByteOrderMark() {
        guard chunk.byteOffset == 0, start == 0, chunk.byteCount >= 3 else { return }
        let bytes = chunk.bytes
        if bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF {
            // The entry before the first field says where it begins.
            UnsafeMutablePointer(mutating: chunk.fieldEnds)[-1] = 2
        }
    }

    private func checkEncoding() throws {
        guard chunk.state.high != 0 else { return }
        let invalid = ck_utf8_invalid(chunk.bytes, chunk.byteCount)
        guard invalid < 0 else {
            let byte = String(chunk.bytes[Int(invalid)], radix: 16)
            throw located(
                QueryError(.characterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": 0x\(byte)"),
                atByte: chunk.byteOffset + Int(invalid))
        }
    }

    /// Collects the next rows (up to a batch of them), checks their number of fields, and leaves out empty lines.
    private func frame() throws -> Int {
        let ends = chunk.rowEnds
        let targets = firstFields.base.assumingMemoryBound(to: UInt32.self)
        let expected = UInt32(schema.count + (dialect.hasTrailingDelimiter ? 1 : 0))
        let total = chunk.rowCount
        var first = row == 0 ? 0 : ends[row - 1]
        var count = 0
        var index = row
        while index < total && count < Batch.standardRowCount {
            let end = ends[index]
            if end &- first != expected {
                if isEmptyLine(first, end) {
                    first = end
                    index &+= 1
                    continue
                }
                try checkFieldCount(Int(end - first), index)
            }
            targets[count] = first
            count &+= 1
            first = end
            index &+= 1
        }
        row = index
        return count
    }

    private func isEmptyLine(_ first: UInt32, _ end: UInt32) -> Bool {
        guard end - first == 1, schema.count > 1 || dialect.hasTrailingDelimiter else { return false }
        let start = chunk.fieldEnds[Int(first) - 1] &+ 1
        let stop = chunk.fieldEnds[Int(first)]
        return stop == start || (stop == start + 1 && chunk.bytes[Int(start)] == 13)
    }

    private func checkFieldCount(_ count: Int, _ index: Int) throws {
        // A trailing delimiter may be left out, or be there although none was seen, if nothing follows it.
        let last = Int(chunk.rowEnds[index]) - 1
        let isLastEmpty = chunk.fieldEnds[last] == chunk.fieldEnds[last - 1] &+ 1
        if count == schema.count || (count == schema.count + 1 && isLastEmpty) { return }
        let byte = index == 0 ? 0 : Int(chunk.fieldEnds[Int(chunk.rowEnds[index - 1]) - 1]) + 1
        if count < schema.count {
            throw located(
                QueryError(
                    .badCopyFileFormat, "missing data for column \"\(schema.fields[count].name)\"",
                    detail: "The row has \(count) of \(schema.count) fields."), atByte: chunk.byteOffset + byte)
        }
        throw located(
            QueryError(
                .badCopyFileFormat, "extra data after last expected column",
                detail: "The row has \(count) instead of \(schema.count) fields."), atByte: chunk.byteOffset + byte)
    }

    private func rows(_ count: Int) -> CSVRows {
        CSVRows(
            bytes: chunk.bytes, fieldEnds: chunk.fieldEnds,
            firstFields: UnsafePointer(firstFields.base.assumingMemoryBound(to: UInt32.self)), count: count,
            columnCount: schema.count, hasQuotes: chunk.hasQuotes)
    }

    private func batch(_ count: Int) throws -> Batch? {
        let rows = rows(count)
        var columns = [Vector?](repeating: nil, count: parsers.count)
        var selection: Selection?
        for filter in context.filters {
            for position in filter.positions where columns[position] == nil {
                columns[position] = try column(position, rows, selection)
            }
            let view = Batch(
                columns: columns.indices.map { columns[$0] ?? Vector(flat: parsers[$0].type, capacity: 0) },
                rowCount: count, selection: selection)
            if let chosen = try filter.select(view) {
                selection = selection?.composed(with: chosen) ?? chosen
                if chosen.count == 0 { return nil }
            }
        }
        if let chosen = selection, chosen.count == count { selection = nil }
        return Batch(
            columns: try columns.indices.map { try columns[$0] ?? column($0, rows, selection) }, rowCount: count,
            selection: selection)
    }

    private func column(_ position: Int, _ rows: CSVRows, _ selection: Selection?) throws -> Vector {
        let parser = parsers[position]
        do {
            return try parser.vector(rows, selection: selection, owner: chunk.buffer, pool: &pools[position])
        } catch let error as CSVFieldError {
            let first = rows.firstFields[error.row]
            let byte = first == 0 ? 0 : Int(rows.fieldEnds[Int(first) - 1]) + 1
            throw located(
                QueryError(
                    .invalidTextRepresentation,
                    "invalid input syntax for type \(parser.type.sqlName): \"\(error.text)\"",
                    hint:
                        "The type was found out from the first rows; the options sample_rows and all_text change that.",
                    object: schema.fields[parser.column].name), atByte: chunk.byteOffset + byte)
        }
    }

    /// Adds file and line. The line is counted only now, from the start of the file.
    private func located(_ error: QueryError, atByte offset: Int) -> QueryError {
        var error = error
        let line = (try? CSVLines.line(of: start + offset, in: file, newline: dialect.newline)) ?? nil
        let place = line.map { ", line \($0)" } ?? ""
        error.detail = (error.detail.map { $0 + " " } ?? "") + "File: \(path)\(place)."
        if error.object == nil { error.object = path }
        return error
    }
}

/// Line numbers for messages.
enum CSVLines {
    /// The line, from 1, in which a byte of the (decompressed) file lies.
    static func line(of offset: Int, in file: any ReadableFile, newline: UInt8) throws -> Int? {
        let source: any ByteSource =
            file.identity.path.hasSuffix(".gz")
            ? try GzipSource(file) : try FileRangeSource(file, 0..<file.identity.byteCount)
        let buffer = Buffer(byteCount: CSVChunk.byteCount)
        var left = offset
        var line = 1
        while left > 0 {
            let got = try source.read(into: buffer.base, count: min(left, CSVChunk.byteCount))
            if got == 0 { break }
            line += ck_count_byte(buffer.base.assumingMemoryBound(to: UInt8.self), got, newline)
            left -= got
        }
        return line
    }
}
