// One value of any type: literals, statistics, and code that is not hot.

/// An interval in PostgreSQL's three independent parts. 16 bytes, the layout of `PhysicalType.interval`.
@frozen
package struct IntervalValue: Hashable, Sendable {
    package var months: Int32
    package var days: Int32
    package var microseconds: Int64
    package init(months: Int32 = 0, days: Int32 = 0, microseconds: Int64 = 0) {
        self.months = months
        self.days = days
        self.microseconds = microseconds
    }

    /// The length that PostgreSQL compares and hashes by: months of 30 days, days of 24 hours.
    @inlinable package var comparisonMicroseconds: Int128 {
        Int128(months) * 30 * 86_400_000_000 + Int128(days) * 86_400_000_000 + Int128(microseconds)
    }
}

/// 16 bytes in the order of the text form.
@frozen
package struct UUIDValue: Hashable, Sendable {
    package var high: UInt64
    package var low: UInt64
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// A value without its type; the `DataType` beside it says what it means.
package enum ScalarValue: Hashable, Sendable {
    case null
    case boolean(Bool)
    /// Integers, dates (days), times and timestamps (microseconds).
    case integer(Int64)
    /// Decimals of every precision, unscaled.
    case decimal(Int128)
    /// float32 and float64.
    case float(Double)
    /// Text, bytea, json and arrays.
    case bytes([UInt8])
    case interval(IntervalValue)
    case uuid(UUIDValue)

    package static func string(_ text: String) -> ScalarValue { .bytes(Array(text.utf8)) }

    package var isNull: Bool { self == .null }

    /// Text of a string value; `nil` for other kinds.
    package var text: String? {
        if case .bytes(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { nil }
    }
}
