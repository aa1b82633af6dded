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

/// A value without its type; the `DataType` beside it says what it means. Two values are equal if nothing can tell them
/// apart, which is what plans need: NaN is itself, and -0 is not 0. SQL's equality is in the kernels.
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

extension ScalarValue {
    package static func == (left: ScalarValue, right: ScalarValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.boolean(let a), .boolean(let b)): a == b
        case (.integer(let a), .integer(let b)): a == b
        case (.decimal(let a), .decimal(let b)): a == b
        case (.float(let a), .float(let b)): identity(a) == identity(b)
        case (.bytes(let a), .bytes(let b)): a == b
        case (.interval(let a), .interval(let b)): a == b
        case (.uuid(let a), .uuid(let b)): a == b
        default: false
        }
    }

    package func hash(into hasher: inout Hasher) {
        switch self {
        case .null: hasher.combine(0)
        case .boolean(let value): hasher.combine(value)
        case .integer(let value): hasher.combine(value)
        case .decimal(let value): hasher.combine(value)
        case .float(let value): hasher.combine(Self.identity(value))
        case .bytes(let value): hasher.combine(value)
        case .interval(let value): hasher.combine(value)
        case .uuid(let value): hasher.combine(value)
        }
    }

    /// The bits of a number; SQL has one NaN.
    private static func identity(_ value: Double) -> UInt64 { (value.isNaN ? Double.nan : value).bitPattern }
}
