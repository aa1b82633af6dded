// The tables as delimited text, byte for byte what the benchmark's reference generator writes.

import Columnar
import Diagnostics
import Dispatch

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Text forms of the tables.
package enum TPCHTextFormat: String, CaseIterable, Sendable {
    /// A bar after every value, no header: the benchmark's own format.
    case tbl
    /// Commas, a header, quotation marks around addresses and comments.
    case csv

    package var fileExtension: String { rawValue }
}

/// Renders rows as text. Confined to one thread.
package final class TextRenderer {
    private let table: TPCHTable
    private let format: TPCHTextFormat
    private let kinds: [Kind]
    private var buffer: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    package private(set) var count = 0

    private enum Kind { case integer, money, wholeMoney, date, text, quotedText }

    /// Bytes that a value with its delimiter never exceeds.
    private static let valueByteCountMax = 256

    package init(_ table: TPCHTable, _ format: TPCHTextFormat) {
        self.table = table
        self.format = format
        capacity = 1 << 20
        buffer = .allocate(capacity: capacity)
        kinds = table.schema.fields.map { field in
            switch field.type {
            case .decimal: field.name == "l_quantity" ? .wholeMoney : .money
            case .date: .date
            case .text:
                format == .csv && (field.name.hasSuffix("_comment") || field.name.hasSuffix("_address"))
                    ? .quotedText : .text
            default: .integer
            }
        }
    }

    deinit { buffer.deallocate() }

    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: buffer, count: count) }
    package func removeAll() { count = 0 }

    /// The first line of a file; empty for `tbl`.
    package static func header(_ table: TPCHTable, _ format: TPCHTextFormat) -> String {
        format == .tbl ? "" : table.schema.fields.map(\.name).joined(separator: ",") + "\n"
    }

    /// Appends all rows of a batch that has all columns of the table.
    package func append(_ batch: Batch) {
        let rowByteCountMax = kinds.count * TextRenderer.valueByteCountMax
        if capacity - count < batch.rowCount * rowByteCountMax { grow(count + batch.rowCount * rowByteCountMax) }
        let columns = batch.columns.map { $0.flattenedIfConstant() }
        let newline = UInt8(ascii: "\n")
        let delimiter = format == .tbl ? UInt8(ascii: "|") : UInt8(ascii: ",")
        var target = buffer + count
        for row in 0..<batch.rowCount {
            for (column, kind) in zip(columns, kinds) {
                target += write(column, row, kind, to: target)
                target[0] = delimiter
                target += 1
            }
            // Text files of the benchmark keep the last delimiter; the others do not.
            if format == .csv { target -= 1 }
            target[0] = newline
            target += 1
        }
        count = target - buffer
    }

    private func grow(_ wanted: Int) {
        let larger = max(wanted, capacity * 2)
        let replacement = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
        replacement.update(from: buffer, count: count)
        buffer.deallocate()
        buffer = replacement
        capacity = larger
    }

    @inline(__always)
    private func write(_ column: Vector, _ row: Int, _ kind: Kind, to target: UnsafeMutablePointer<UInt8>) -> Int {
        switch kind {
        case .integer:
            let value =
                column.physical == .int32
                ? Int64(column.values(Int32.self)[row]) : column.values(Int64.self)[row]
            return DecimalText.write(value, minimumDigits: 1, to: target)
        case .money: return writeMoney(column.values(Int64.self)[row], to: target)
        case .wholeMoney: return DecimalText.write(column.values(Int64.self)[row] / 100, minimumDigits: 1, to: target)
        case .date: return writeDate(column.values(Int32.self)[row], to: target)
        case .text: return writeText(column, row, to: target)
        case .quotedText:
            target[0] = UInt8(ascii: "\"")
            let count = writeText(column, row, to: target + 1)
            target[count + 1] = UInt8(ascii: "\"")
            return count + 2
        }
    }

    @inline(__always)
    private func writeText(_ column: Vector, _ row: Int, to target: UnsafeMutablePointer<UInt8>) -> Int {
        let view =
            column.encoding == .dictionary
            ? column.dictionary.unsafelyUnwrapped.views + Int(column.codes[row]) : column.views + row
        let count = view.pointee.count
        UnsafeMutableRawPointer(target).copyMemory(from: StringView.bytes(at: view), byteCount: count)
        return count
    }

    @inline(__always)
    private func writeMoney(_ cents: Int64, to target: UnsafeMutablePointer<UInt8>) -> Int {
        var place = 0
        if cents < 0 {
            target[0] = UInt8(ascii: "-")
            place = 1
        }
        let amount = Int64(truncatingIfNeeded: cents.magnitude)
        place += DecimalText.write(amount / 100, minimumDigits: 1, to: target + place)
        target[place] = UInt8(ascii: ".")
        return place + 1 + DecimalText.write(amount % 100, minimumDigits: 2, to: target + place + 1)
    }

    /// ISO form of a day since 1970-01-01, by the civil calendar's 400-year cycle counted from March.
    @inline(__always)
    private func writeDate(_ day: Int32, to target: UnsafeMutablePointer<UInt8>) -> Int {
        let shifted = Int64(day) + 719_468
        let cycle = shifted / 146_097
        let dayOfCycle = shifted - cycle * 146_097
        let yearOfCycle = (dayOfCycle - dayOfCycle / 1460 + dayOfCycle / 36_524 - dayOfCycle / 146_096) / 365
        let dayOfYear = dayOfCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfCycle + cycle * 400 + (month <= 2 ? 1 : 0)
        _ = DecimalText.write(year, minimumDigits: 4, to: target)
        target[4] = UInt8(ascii: "-")
        _ = DecimalText.write(month, minimumDigits: 2, to: target + 5)
        target[7] = UInt8(ascii: "-")
        _ = DecimalText.write(dayOfYear - (153 * monthFromMarch + 2) / 5 + 1, minimumDigits: 2, to: target + 8)
        return 10
    }
}

extension Vector {
    fileprivate func flattenedIfConstant() -> Vector { encoding == .constant ? flattened() : self }
}

/// Writes tables as text files.
package enum TPCHTextWriter {
    /// Units that one thread renders before the text is written.
    private static let pieceUnitCount = 16_384

    /// Writes `table` to `directory`/`table`.tbl or .csv, replacing a file that is there, and returns the path. Throws
    /// 58030 when the file cannot be written. `threadCount` threads render; the calling thread writes.
    @discardableResult
    package static func writeText(
        _ table: TPCHTable, _ scale: TPCHScale, to directory: String, format: TPCHTextFormat, threadCount: Int = 1
    ) throws -> String {
        let path = directory + "/" + table.rawValue + "." + format.fileExtension
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw failure("could not create file", path) }
        defer { close(file) }
        var header = TextRenderer.header(table, format)
        try header.withUTF8 { try write(UnsafeRawBufferPointer($0), to: file, path) }

        let unitCount = table.unitCount(scale)
        let renderers = (0..<max(1, threadCount)).map { _ in RendererBox(TextRenderer(table, format)) }
        var start = 0
        while start < unitCount {
            let wave = start
            DispatchQueue.concurrentPerform(iterations: renderers.count) { index in
                let renderer = renderers[index].renderer
                renderer.removeAll()
                let first = min(unitCount, wave + index * pieceUnitCount)
                render(table, scale, units: first..<min(unitCount, first + pieceUnitCount), into: renderer)
            }
            for box in renderers { try write(box.renderer.bytes, to: file, path) }
            start += renderers.count * pieceUnitCount
        }
        return path
    }

    /// Appends the rows of a range of units.
    package static func render(
        _ table: TPCHTable, _ scale: TPCHScale, units: Range<Int>, into renderer: TextRenderer
    ) {
        let generator = table.makeGenerator(scale, units: units)
        let all = Array(table.schema.fields.indices)
        while let batch = generator.nextBatch(all) { renderer.append(batch) }
    }

    /// Each renderer is used by one thread at a time: the one that has its index in a wave, then the writer.
    private final class RendererBox: @unchecked Sendable {
        let renderer: TextRenderer
        init(_ renderer: TextRenderer) { self.renderer = renderer }
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to file: Int32, _ path: String) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = UnsafeRawBufferPointer(rebasing: rest)
            #if canImport(Glibc)
                let written = Glibc.write(file, piece.baseAddress, piece.count)
            #else
                let written = Darwin.write(file, piece.baseAddress, piece.count)
            #endif
            if written < 0 {
                if errno == EINTR { continue }
                throw failure("could not write to file", path)
            }
            rest = rest.dropFirst(written)
        }
    }

    private static func failure(_ what: String, _ path: String) -> QueryError {
        let reason = String(cString: strerror(errno))
        return QueryError(.ioError, "\(what) \"\(path)\": \(reason)", object: path)
    }
}
