// Values in lines of text, as COPY and CSV write them: what stands between values, and what is escaped or quoted.

import CKernels

/// The rules of one output. Immutable; owns the bytes that stand for NULL.
package final class LineFormat: @unchecked Sendable {
    // Never written after `init`.
    private let nullBytes: UnsafeMutablePointer<UInt8>
    private let nullByteCount: Int
    /// Quotes where the other has backslashes.
    package let isCSV: Bool
    package let delimiter: UInt8
    package let quote: UInt8
    package let escape: UInt8

    package init(isCSV: Bool, delimiter: UInt8, quote: UInt8, escape: UInt8, null: [UInt8]) {
        self.isCSV = isCSV
        self.delimiter = delimiter
        self.quote = quote
        self.escape = escape
        nullByteCount = null.count
        nullBytes = .allocate(capacity: max(1, null.count))
        nullBytes.initialize(repeating: 0, count: max(1, null.count))
        for (index, byte) in null.enumerated() { nullBytes[index] = byte }
    }

    deinit { nullBytes.deallocate() }

    private var null: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: nullBytes, count: nullByteCount) }

    /// Whether a value cannot stand as it is. `isOnly`: it is all of its line.
    @inline(__always)
    private func needsChange(_ value: UnsafeBufferPointer<UInt8>, isOnly: Bool) -> Bool {
        guard let base = value.baseAddress else { return isCSV && nullByteCount == 0 }
        if !isCSV { return ck_has_special(base, value.count, 14, delimiter, 0x5C, 0x5C, 0x5C) != 0 }
        // A value that would be read as NULL or as the end of the data is quoted.
        return ck_has_special(base, value.count, 0, delimiter, quote, 10, 13) != 0
            || value.count == nullByteCount && value.elementsEqual(null)
            || isOnly && value.count == 2 && value.elementsEqual([0x5C, 0x2E])
    }

    /// Adds a value in the form that the line has it in.
    package func append(
        _ value: UnsafeBufferPointer<UInt8>, isForced: Bool, isOnly: Bool, to line: inout [UInt8]
    ) {
        if isForced && isCSV || needsChange(value, isOnly: isOnly) {
            appendChanged(value, to: &line)
        } else {
            line.append(contentsOf: value)
        }
    }

    private func appendChanged(_ value: UnsafeBufferPointer<UInt8>, to line: inout [UInt8]) {
        if isCSV {
            line.append(quote)
            for byte in value {
                if byte == quote || byte == escape { line.append(escape) }
                line.append(byte)
            }
            line.append(quote)
            return
        }
        for byte in value {
            let letter: UInt8
            switch byte {
            case 8: letter = UInt8(ascii: "b")
            case 9: letter = UInt8(ascii: "t")
            case 10: letter = UInt8(ascii: "n")
            case 11: letter = UInt8(ascii: "v")
            case 12: letter = UInt8(ascii: "f")
            case 13: letter = UInt8(ascii: "r")
            case UInt8(ascii: "\\"), delimiter: letter = byte
            default:
                line.append(byte)
                continue
            }
            line.append(UInt8(ascii: "\\"))
            line.append(letter)
        }
    }

    /// Whether no value of the type has anything that is escaped or quoted.
    package func isPlain(_ type: DataType) -> Bool {
        guard RenderedColumn.hasPlainText(type), !Self.mayBeInPlainText(delimiter), !Self.mayBeInPlainText(quote)
        else { return false }
        // A NULL that looks like a value makes values that look like it be quoted.
        return !null.allSatisfy(Self.mayBeInPlainText) || null.isEmpty
    }

    private static func mayBeInPlainText(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x20, 0x2B, 0x2D, 0x2E, 0x3A: true
        default: byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A || byte >= 0x30 && byte <= 0x39
        }
    }

    // MARK: Columns

    /// Brings rendered values into the form of lines: NULL gets its text, what needs it is escaped or quoted.
    package func apply(to column: RenderedColumn, isPlain: Bool, isForced: Bool, isOnly: Bool, rowCount: Int) {
        if !isPlain || isForced && isCSV {
            column.replace(rowCount: rowCount) { value, target in
                guard isForced && isCSV || needsChange(value, isOnly: isOnly) else { return false }
                appendChanged(value, to: &target)
                return true
            }
        }
        column.fillNulls(with: nullBytes, count: nullByteCount, rowCount: rowCount)
    }
}
