// Keys that are integers: several columns packed into one 64-bit number, by the ranges that the build side has.

import Columnar
import Diagnostics
import QueryPlan

/// Widens an integer-like vector, in any encoding, to Int64. Null rows give arbitrary numbers.
func loadIntegers(_ vector: Vector, count: Int, into target: UnsafeMutablePointer<Int64>) {
    switch vector.physical {
    case .boolean: load(vector, UInt8.self, count, target)
    case .int8: load(vector, Int8.self, count, target)
    case .int16: load(vector, Int16.self, count, target)
    case .int32: load(vector, Int32.self, count, target)
    case .int64: load(vector, Int64.self, count, target)
    case .int128, .float32, .float64, .interval, .uuid, .view: target.update(repeating: 0, count: count)
    }
}

@inline(__always)
private func load<T: FixedWidthInteger>(
    _ vector: Vector, _: T.Type, _ count: Int, _ target: UnsafeMutablePointer<Int64>
) {
    var row = 0
    switch vector.encoding {
    case .flat:
        let values = UnsafePointer(vector.values(T.self))
        while row < count {
            target[row] = Int64(truncatingIfNeeded: values[row])
            row &+= 1
        }
    case .constant: target.update(repeating: Int64(truncatingIfNeeded: vector.values(T.self)[0]), count: count)
    case .dictionary:
        let entries = vector.dictionary.unsafelyUnwrapped
        let values = UnsafePointer(entries.values(T.self))
        let codes = vector.codes
        let limit = UInt32(truncatingIfNeeded: max(1, entries.count)) &- 1
        while row < count {
            target[row] = Int64(truncatingIfNeeded: values[Int(truncatingIfNeeded: min(codes[row], limit))])
            row &+= 1
        }
    }
}

/// How key columns become one number: `sum((key[i] - minimum[i]) * stride[i])`. A probe key outside of a column's range has
/// no match.
struct KeyPacking: Sendable {
    struct Column: Sendable {
        let minimum: Int64
        /// Largest distance from the minimum.
        let span: UInt64
        let stride: UInt64
    }
    let columns: [Column]
    /// Packed keys are below this.
    let range: UInt64

    static func isPackable(_ type: DataType) -> Bool {
        switch type.physical {
        case .boolean, .int8, .int16, .int32, .int64: true
        case .int128, .float32, .float64, .interval, .uuid, .view: false
        }
    }

    /// `nil` if the product of the ranges does not fit 63 bits. `values[i]` are the widened keys; rows that are null in a key
    /// are not looked at.
    init?(values: [UnsafeMutablePointer<Int64>], isLive: (Int) -> Bool, rowCount: Int) {
        var columns: [Column] = []
        var range: UInt64 = 1
        for keys in values {
            var minimum = Int64.max
            var maximum = Int64.min
            var row = 0
            while row < rowCount {
                if isLive(row) {
                    minimum = min(minimum, keys[row])
                    maximum = max(maximum, keys[row])
                }
                row &+= 1
            }
            if minimum > maximum {
                minimum = 0
                maximum = 0
            }
            let span = UInt64(bitPattern: maximum &- minimum)
            guard span < 1 << 62 else { return nil }
            columns.append(Column(minimum: minimum, span: span, stride: range))
            let (product, overflow) = range.multipliedReportingOverflow(by: span + 1)
            guard !overflow, product < 1 << 63 else { return nil }
            range = product
        }
        self.columns = columns
        self.range = range
    }

    /// Packs `count` keys; `target[row]` is `UInt64.max` where a key lies outside of the range. `scratch` holds `count` numbers.
    func pack(
        _ vectors: [Vector], count: Int, into target: UnsafeMutablePointer<UInt64>,
        scratch: UnsafeMutablePointer<Int64>
    ) {
        if columns.isEmpty { target.update(repeating: 0, count: count) }
        for (index, column) in columns.enumerated() {
            loadIntegers(vectors[index], count: count, into: scratch)
            let minimum = column.minimum
            let span = column.span
            let stride = column.stride
            var row = 0
            if index == 0 {
                while row < count {
                    let distance = UInt64(bitPattern: scratch[row] &- minimum)
                    let inside = UInt64(unsafeBitCast(distance <= span, to: UInt8.self))
                    target[row] = distance | (inside &- 1)
                    row &+= 1
                }
            } else {
                while row < count {
                    let distance = UInt64(bitPattern: scratch[row] &- minimum)
                    let inside = UInt64(
                        unsafeBitCast(
                            (distance <= span) && (target[row] != .max), to: UInt8.self))
                    target[row] = (target[row] &+ distance &* stride) | (inside &- 1)
                    row &+= 1
                }
            }
        }
    }
}
