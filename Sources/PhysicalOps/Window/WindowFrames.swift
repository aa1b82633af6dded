// Which rows of a partition belong to the frame of each row.

import Columnar
import Diagnostics
import QueryPlan

/// One partition as frames see it: peers, and the sort key for RANGE with offsets. Positions are within the partition.
struct WindowPeers {
    let rowCount: Int
    /// For each row, the first of its peers and the one behind the last.
    let start: [Int32]
    let end: [Int32]

    /// `isPeer(i)` says whether row i ties with row i - 1 in the ordering.
    init(rowCount: Int, isPeer: (Int) -> Bool) {
        self.rowCount = rowCount
        var start = [Int32](repeating: 0, count: rowCount)
        var end = [Int32](repeating: 0, count: rowCount)
        var first = 0
        for row in 0..<rowCount {
            if row > 0 && !isPeer(row) {
                for peer in first..<row { end[peer] = Int32(row) }
                first = row
            }
            start[row] = Int32(first)
        }
        for peer in first..<rowCount { end[peer] = Int32(rowCount) }
        self.start = start
        self.end = end
    }
}

/// Frames of one call over one partition: half-open ranges.
struct WindowFrames {
    let start: [Int32]
    let end: [Int32]

    /// Offsets are the values of the frame's bound expressions.
    init(
        _ frame: WindowFrame, startOffset: ScalarValue?, endOffset: ScalarValue?, peers: WindowPeers,
        orderKey: RangeKey?
    ) throws {
        let count = peers.rowCount
        var start = [Int32](repeating: 0, count: count)
        var end = [Int32](repeating: Int32(count), count: count)
        let groups = frame.unit == .groups ? GroupIndex(peers) : nil
        for row in 0..<count {
            let from = try Self.position(
                frame.start, isStart: true, row, frame.unit, startOffset, peers, groups, orderKey)
            let to = try Self.position(frame.end, isStart: false, row, frame.unit, endOffset, peers, groups, orderKey)
            start[row] = Int32(max(0, min(count, from)))
            end[row] = Int32(max(Int(start[row]), min(count, to)))
        }
        self.start = start
        self.end = end
    }

    /// The first row of the frame, or the row behind its last.
    private static func position(
        _ bound: FrameBound, isStart: Bool, _ row: Int, _ unit: WindowFrame.Unit, _ offset: ScalarValue?,
        _ peers: WindowPeers, _ groups: GroupIndex?, _ key: RangeKey?
    ) throws -> Int {
        switch bound {
        case .unboundedPreceding: return 0
        case .unboundedFollowing: return peers.rowCount
        case .currentRow:
            if unit == .rows { return isStart ? row : row + 1 }
            return Int(isStart ? peers.start[row] : peers.end[row])
        case .preceding, .following:
            var isFollowing = false
            if case .following = bound { isFollowing = true }
            switch unit {
            case .rows:
                let distance = try rowOffset(offset)
                let (target, overflow) =
                    isFollowing
                    ? row.addingReportingOverflow(distance) : row.subtractingReportingOverflow(distance)
                if overflow { return isFollowing ? peers.rowCount : 0 }
                return isStart ? target : target + 1
            case .groups:
                guard let groups else { return 0 }
                let distance = try rowOffset(offset)
                let group = groups.group(of: row)
                let (target, overflow) =
                    isFollowing
                    ? group.addingReportingOverflow(distance) : group.subtractingReportingOverflow(distance)
                if overflow { return isFollowing ? peers.rowCount : 0 }
                return isStart ? groups.start(target) : groups.end(target)
            case .range:
                guard let key else {
                    throw QueryError(
                        .windowingError, "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column")
                }
                return try key.position(
                    row: row, offset: offset, isFollowing: isFollowing, isStart: isStart, peers: peers)
            }
        }
    }

    private static func rowOffset(_ value: ScalarValue?) throws -> Int {
        guard case .integer(let number) = value ?? .null else {
            throw QueryError(.nullValueNotAllowed, "frame offset must not be null")
        }
        guard number >= 0 else {
            throw QueryError(.invalidPrecedingOrFollowingSize, "frame offset must not be negative")
        }
        return Int(number)
    }
}

/// Peer groups by number.
private struct GroupIndex {
    private var starts: [Int] = []
    private var groupOfRow: [Int32]
    private let rowCount: Int

    init(_ peers: WindowPeers) {
        rowCount = peers.rowCount
        groupOfRow = [Int32](repeating: 0, count: peers.rowCount)
        for row in 0..<peers.rowCount {
            if Int(peers.start[row]) == row { starts.append(row) }
            groupOfRow[row] = Int32(starts.count - 1)
        }
    }

    func group(of row: Int) -> Int { Int(groupOfRow[row]) }
    func start(_ group: Int) -> Int { group < 0 ? 0 : group >= starts.count ? rowCount : starts[group] }
    func end(_ group: Int) -> Int { group < 0 ? 0 : group + 1 >= starts.count ? rowCount : starts[group + 1] }
}

/// The sort key of a RANGE frame with offsets, as numbers in sort direction.
struct RangeKey {
    /// Per row: the key, negated for descending order; rows with NULL are not looked at.
    private let values: [Double]
    private let exact: [Int128]?
    /// Keys of type numeric.
    private let numerics: [NumericValue]
    private let isNull: [Bool]
    private let isNaN: [Bool]
    private let type: DataType
    private let isDescending: Bool

    /// `vector` is the key over the partition's rows, flat.
    init(_ vector: Vector, isDescending: Bool) throws {
        type = vector.type
        self.isDescending = isDescending
        var exact: [Int128]? = []
        var values: [Double] = []
        var isNull: [Bool] = []
        var numerics: [NumericValue] = []
        for row in 0..<vector.count {
            isNull.append(vector.isNull(row))
            if type.isNumericBlob {
                let value = vector.isNull(row) ? .zero : NumericBlob.value(vector.views + row)
                numerics.append(isDescending ? value.negated : value)
                continue
            }
            switch vector.value(at: row) {
            case .integer(let number): exact?.append(isDescending ? -Int128(number) : Int128(number))
            case .decimal(let number): exact?.append(isDescending ? -number : number)
            case .float(let number):
                exact = nil
                values.append(isDescending ? -number : number)
            case .null:
                exact?.append(0)
                values.append(0)
            default:
                throw QueryError.notSupported("RANGE with an offset over a key of type \(vector.type.sqlName)")
            }
        }
        self.numerics = numerics
        self.exact = values.count == vector.count && vector.type.isFloat ? nil : exact
        self.values = values
        self.isNull = isNull
        isNaN = values.map(\.isNaN)
    }

    func position(row: Int, offset: ScalarValue?, isFollowing: Bool, isStart: Bool, peers: WindowPeers) throws -> Int {
        // NULLs are only peers of each other.
        if isNull[row] { return Int(isStart ? peers.start[row] : peers.end[row]) }
        if type.isNumericBlob { return try numericPosition(row, offset, isFollowing, isStart) }
        if let exact {
            let distance = try exactOffset(offset)
            let (sum, overflow) =
                isFollowing
                ? exact[row].addingReportingOverflow(distance) : exact[row].subtractingReportingOverflow(distance)
            let target = overflow ? (isFollowing ? Int128.max : .min) : sum
            return search(isStart) { exact[$0] < target ? -1 : exact[$0] == target ? 0 : 1 }
        }
        guard case .float(let distance) = offset ?? .null else {
            throw QueryError(.nullValueNotAllowed, "frame offset must not be null")
        }
        guard distance >= 0 else {
            throw QueryError(.invalidPrecedingOrFollowingSize, "frame offset must not be negative")
        }
        // NaN equals itself and is above all other numbers, at whatever distance.
        if isNaN[row] { return Int(isStart ? peers.start[row] : peers.end[row]) }
        var target = isFollowing ? values[row] + distance : values[row] - distance
        // An infinite distance from an infinite value reaches all numbers.
        if target.isNaN { target = isStart ? -.infinity : .infinity }
        return search(isStart) {
            isNaN[$0] ? (isDescending ? -1 : 1) : values[$0] < target ? -1 : values[$0] == target ? 0 : 1
        }
    }

    private func numericPosition(_ row: Int, _ offset: ScalarValue?, _ isFollowing: Bool, _ isStart: Bool) throws -> Int
    {
        guard case .bytes(let bytes) = offset ?? .null else {
            throw QueryError(.nullValueNotAllowed, "frame offset must not be null")
        }
        let distance = NumericBlob.value(bytes)
        guard distance.signum >= 0, !distance.isNaN else {
            throw QueryError(.invalidPrecedingOrFollowingSize, "invalid preceding or following size in window function")
        }
        let key = numerics[row]
        let target = isFollowing ? NumericValue.sum(key, distance) : NumericValue.difference(key, distance)
        // NaN is a peer of NaN alone; in descending order it comes first, and it has no sign to turn.
        return search(isStart) { NumericValue.compare(numerics[$0], target) }
    }

    private func exactOffset(_ offset: ScalarValue?) throws -> Int128 {
        let distance: Int128
        switch offset ?? .null {
        case .integer(let number): distance = Int128(number)
        case .decimal(let number): distance = number
        case .interval(let interval):
            if type == .date {
                guard interval.months == 0, interval.microseconds == 0 else {
                    throw QueryError.notSupported("RANGE over dates with an interval that is not whole days")
                }
                distance = Int128(interval.days)
            } else {
                guard interval.months == 0 else { throw QueryError.notSupported("RANGE with an interval of months") }
                distance = Int128(interval.days) * 86_400_000_000 + Int128(interval.microseconds)
            }
        default: throw QueryError(.nullValueNotAllowed, "frame offset must not be null")
        }
        guard distance >= 0 else {
            throw QueryError(.invalidPrecedingOrFollowingSize, "frame offset must not be negative")
        }
        return distance
    }

    /// First row not below the target (start), or first row above it (end), among the rows that are not null.
    private func search(_ isStart: Bool, _ compare: (Int) -> Int) -> Int {
        guard let first = isNull.firstIndex(of: false), let last = isNull.lastIndex(of: false) else { return 0 }
        var low = first
        var high = last + 1
        while low < high {
            let middle = (low + high) / 2
            let order = compare(middle)
            if order < 0 || (!isStart && order == 0) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
