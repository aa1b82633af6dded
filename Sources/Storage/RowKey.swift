// Keys of rows, for rules about unique values.

import Columnar

/// The values of a key in one row, brought to a form in which equal values are equal bits.
package struct RowKey: Hashable, Sendable {
    package var values: [ScalarValue]

    /// `nil` if a NULL frees the row from the rule.
    package init?(_ batch: [Vector], row: Int, nullsAreEqual: Bool) {
        values = []
        values.reserveCapacity(batch.count)
        for column in batch {
            let value = column.value(at: row)
            if value.isNull, !nullsAreEqual { return nil }
            values.append(Self.canonical(value, column.type))
        }
    }

    /// A key of given values, one for each of its columns.
    package init(_ values: [ScalarValue], types: [DataType]) {
        self.values = zip(values, types).map { Self.canonical($0, $1) }
    }

    private static func canonical(_ value: ScalarValue, _ type: DataType) -> ScalarValue {
        switch value {
        case .float(let number):
            if number.isNaN { return .string("NaN") }
            return .float(number == 0 ? 0 : number)
        case .interval(let interval): return .decimal(interval.comparisonMicroseconds)
        case .bytes(let bytes):
            if type.isNumericBlob { return .bytes(plainText(NumericBlob.value(bytes))) }
            guard case .char = type else { return value }
            return .bytes(Array(bytes.reversed().drop { $0 == 0x20 }.reversed()))
        default: return value
        }
    }

    /// 1.50 and 1.5 are one key.
    private static func plainText(_ value: NumericValue) -> [UInt8] {
        var text: [UInt8] = []
        value.append(into: &text)
        if text.contains(UInt8(ascii: ".")) {
            while text.last == UInt8(ascii: "0") { text.removeLast() }
            if text.last == UInt8(ascii: ".") { text.removeLast() }
        }
        return text
    }
}
