// The sort key of a RANGE frame with offsets, and where such frames begin and end.

import Columnar
import Diagnostics
import QueryPlan

/// The key's values in sort direction: numbers that grow from row to row, negated where the order is descending.
struct RangeKey {
    private enum Values {
        /// Whole numbers, unscaled decimals, and times in microseconds.
        case exact([Int128])
        case floats([Double])
        /// Keys of type numeric.
        case numerics([NumericValue])
    }
    private let values: Values
    private let isNull: [Bool]
    private let isDescending: Bool
    private let type: DataType

    /// `vector` is the key over rows of whole partitions, flat.
    init(_ vector: Vector, isDescending: Bool) throws {
        type = vector.type
        self.isDescending = isDescending
        let isNull = (0..<vector.count).map { vector.isNull($0) }
        self.isNull = isNull
        if vector.type.isFloat {
            values = .floats(
                (0..<vector.count).map { row in
                    guard case .float(let number) = vector.value(at: row) else { return 0 }
                    return isDescending ? -number : number
                })
            return
        }
        if vector.type.isNumericBlob {
            values = .numerics(
                (0..<vector.count).map { row in
                    let value = isNull[row] ? .zero : NumericBlob.value(vector.views + row)
                    return isDescending ? value.negated : value
                })
            return
        }
        // A date is moved by intervals as the timestamp at its midnight.
        let unit: Int128 = vector.type == .date ? 86_400_000_000 : 1
        values = .exact(
            try (0..<vector.count).map { row in
                let number: Int128
                switch vector.value(at: row) {
                case .integer(let value): number = Int128(value) * unit
                case .decimal(let value): number = value
                case .interval(let value): number = value.comparisonMicroseconds
                case .null: number = 0
                default:
                    throw QueryError.notSupported("RANGE with an offset over a key of type \(vector.type.sqlName)")
                }
                return isDescending ? -number : number
            })
    }

    /// The rows of a partition whose key is not null: they follow on one another.
    func known(in partition: Range<Int>) -> Range<Int> {
        let first = partition.first { !isNull[$0] } ?? partition.lowerBound
        return first..<(partition.last { !isNull[$0] }.map { $0 + 1 } ?? first)
    }

    /// The first row of a frame that begins, or the one behind the last of a frame that ends, at an offset from the row's
    /// own key. `known` are the rows of its partition that are not null.
    func position(
        row: Int, offset: ScalarValue?, isFollowing: Bool, isStart: Bool, peers: Range<Int>, known: Range<Int>
    ) throws -> Int {
        // NULLs are only peers of each other.
        if isNull[row] { return isStart ? peers.lowerBound : peers.upperBound }
        switch values {
        case .exact(let numbers):
            let target = try exactTarget(numbers[row], offset, isFollowing: isFollowing)
            return search(known, isStart) { numbers[$0] < target ? -1 : numbers[$0] == target ? 0 : 1 }
        case .numerics(let numbers):
            guard case .bytes(let bytes) = offset ?? .null else { throw Self.missingOffset }
            let distance = NumericBlob.value(bytes)
            guard distance.signum >= 0, !distance.isNaN else { throw Self.negativeOffset }
            let base = numbers[row]
            let target = isFollowing ? NumericValue.sum(base, distance) : NumericValue.difference(base, distance)
            // NaN is a peer of NaN alone; in descending order it comes first, and it has no sign to turn.
            return search(known, isStart) { NumericValue.compare(numbers[$0], target) }
        case .floats(let numbers):
            guard case .float(let distance) = offset ?? .null else { throw Self.missingOffset }
            guard !distance.isNaN else { throw Self.negativeOffset }
            guard distance >= 0 else { throw Self.negativeOffset }
            let base = numbers[row]
            // Rows whose key is not a number are in range of each other only.
            if base.isNaN { return isStart ? peers.lowerBound : peers.upperBound }
            var target = isFollowing ? base + distance : base - distance
            // An infinite way from an infinity leads everywhere.
            if target.isNaN { target = isStart ? -Double.infinity : .infinity }
            return search(known, isStart) { index in
                let value = numbers[index]
                if value.isNaN { return isDescending ? -1 : 1 }
                return value < target ? -1 : value == target ? 0 : 1
            }
        }
    }

    private static var missingOffset: QueryError {
        QueryError(.nullValueNotAllowed, "frame offset must not be null")
    }
    private static var negativeOffset: QueryError {
        QueryError(.invalidPrecedingOrFollowingSize, "invalid preceding or following size in window function")
    }

    private func exactTarget(_ base: Int128, _ offset: ScalarValue?, isFollowing: Bool) throws -> Int128 {
        let distance: Int128
        switch offset ?? .null {
        case .integer(let number): distance = Int128(number)
        case .decimal(let number): distance = number
        case .interval(let interval):
            guard interval.comparisonMicroseconds >= 0 else { throw Self.negativeOffset }
            let isMoment = type == .date || type == .timestamp || type == .timestampTZ
            if isMoment, let moment = Int64(exactly: isDescending ? -base : base) {
                // Months have no length of their own: the calendar says where they lead.
                let isForward = isFollowing != isDescending
                let step = isForward ? interval : Self.negated(interval)
                guard let target = step.flatMap({ CivilCalendar.add($0, to: moment) }) else {
                    return isFollowing ? .max : .min
                }
                return isDescending ? -Int128(target) : Int128(target)
            }
            distance = interval.comparisonMicroseconds
        default: throw Self.missingOffset
        }
        guard distance >= 0 else { throw Self.negativeOffset }
        let (target, overflow) =
            isFollowing ? base.addingReportingOverflow(distance) : base.subtractingReportingOverflow(distance)
        return overflow ? (isFollowing ? .max : .min) : target
    }

    private static func negated(_ interval: IntervalValue) -> IntervalValue? {
        guard interval.months != .min, interval.days != .min, interval.microseconds != .min else { return nil }
        return IntervalValue(
            months: -interval.months, days: -interval.days, microseconds: -interval.microseconds)
    }

    /// First row not below the target (start), or first row above it (end), among the rows that are not null.
    private func search(_ known: Range<Int>, _ isStart: Bool, _ compare: (Int) -> Int) -> Int {
        var low = known.lowerBound
        var high = known.upperBound
        while low < high {
            let middle = (low + high) / 2
            let order = compare(middle)
            if order < 0 || (!isStart && order == 0) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
