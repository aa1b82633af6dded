// Exact facts about the columns of tables in memory, for the planner.

import Columnar
import Diagnostics

/// Facts about one column; those of batches are merged.
struct ColumnSummary: Sendable {
    var minimum: ScalarValue?
    var maximum: ScalarValue?
    var nullCount = 0
    var textByteCount = 0
}

extension ColumnSummary {
    mutating func merge(_ other: ColumnSummary) {
        if let low = other.minimum, minimum.map({ Self.precedes(low, $0) }) ?? true { minimum = low }
        if let high = other.maximum, maximum.map({ Self.precedes($0, high) }) ?? true { maximum = high }
        nullCount += other.nullCount
        textByteCount += other.textByteCount
    }

    private static func precedes(_ a: ScalarValue, _ b: ScalarValue) -> Bool {
        switch (a, b) {
        case (.integer(let x), .integer(let y)): x < y
        case (.decimal(let x), .decimal(let y)): x < y
        case (.float(let x), .float(let y)): x < y
        default: false
        }
    }

    /// Adds the values of a flat vector.
    mutating func add(_ vector: Vector) {
        let count = vector.count
        if let validity = vector.validity { nullCount += count - Validity.validCount(validity, rows: count) }
        switch vector.physical {
        case .int16: addIntegers(vector, Int16.self) { .integer(Int64($0)) }
        case .int32: addIntegers(vector, Int32.self) { .integer(Int64($0)) }
        case .int64:
            let isDecimal = vector.type.isDecimal
            addIntegers(vector, Int64.self) { isDecimal ? .decimal(Int128($0)) : .integer($0) }
        case .int128: addIntegers(vector, Int128.self) { .decimal($0) }
        case .float64: addFloats(vector)
        case .view:
            let views = vector.views
            for row in 0..<count where vector.validity.map({ Validity.isValid($0, row) }) ?? true {
                textByteCount += views[row].count
            }
        default: break
        }
    }

    private mutating func addIntegers<T: FixedWidthInteger>(
        _ vector: Vector, _: T.Type, _ wrap: (T) -> ScalarValue
    ) {
        let values = vector.values(T.self)
        var low = T.max
        var high = T.min
        var found = false
        for row in 0..<vector.count where vector.validity.map({ Validity.isValid($0, row) }) ?? true {
            low = min(low, values[row])
            high = max(high, values[row])
            found = true
        }
        guard found else { return }
        merge(ColumnSummary(minimum: wrap(low), maximum: wrap(high)))
    }

    private mutating func addFloats(_ vector: Vector) {
        let values = vector.values(Double.self)
        var low = Double.infinity
        var high = -Double.infinity
        var found = false
        for row in 0..<vector.count where vector.validity.map({ Validity.isValid($0, row) }) ?? true {
            // NaN sorts above all numbers.
            high = values[row].isNaN ? .infinity : max(high, values[row])
            low = values[row].isNaN ? low : min(low, values[row])
            found = true
        }
        guard found else { return }
        merge(ColumnSummary(minimum: .float(low), maximum: .float(high)))
    }
}
