// Which rows of a partition belong to the frame of each row.

import Columnar
import Diagnostics
import QueryPlan

/// Frames of one call over whole partitions: half-open ranges within the row's partition.
struct WindowFrames {
    let start: [Int32]
    let end: [Int32]

    /// `orderKey` is needed for RANGE with an offset.
    init(
        _ frame: WindowFrame, startOffset: ScalarValue?, endOffset: ScalarValue?, geometry: WindowGeometry,
        orderKey: RangeKey?
    ) throws {
        let from = try Self.positions(frame.start, frame.unit, startOffset, isStart: true, geometry, orderKey)
        var to = try Self.positions(frame.end, frame.unit, endOffset, isStart: false, geometry, orderKey)
        // A frame that ends before it begins is empty.
        for row in 0..<geometry.rowCount { to[row] = max(from[row], to[row]) }
        start = from
        end = to
    }

    /// For each row the first row of the frame, or the row behind its last, within the partition.
    static func positions(
        _ bound: FrameBound, _ unit: WindowFrame.Unit, _ offset: ScalarValue?, isStart: Bool,
        _ geometry: WindowGeometry,
        _ key: RangeKey?
    ) throws -> [Int32] {
        let count = geometry.rowCount
        switch bound {
        case .unboundedPreceding: return geometry.partitionStart
        case .unboundedFollowing: return geometry.partitionEnd
        case .currentRow:
            if unit != .rows { return isStart ? geometry.peerStart : geometry.peerEnd }
            return isStart ? Array(0..<Int32(count)) : Array(1..<Int32(count) + 1)
        case .preceding, .following:
            var isFollowing = false
            if case .following = bound { isFollowing = true }
            switch unit {
            case .rows: return try rows(rowOffset(offset), isFollowing, isStart, geometry)
            case .groups: return try groups(rowOffset(offset), isFollowing, isStart, geometry)
            case .range:
                guard let key else {
                    throw QueryError(
                        .windowingError, "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column")
                }
                return try range(key, offset, isFollowing, isStart, geometry)
            }
        }
    }

    private static func rows(
        _ distance: Int, _ isFollowing: Bool, _ isStart: Bool, _ geometry: WindowGeometry
    ) throws -> [Int32] {
        // No partition has more rows.
        let step = min(distance, geometry.rowCount) * (isFollowing ? 1 : -1) + (isStart ? 0 : 1)
        let (starts, ends) = (geometry.partitionStart, geometry.partitionEnd)
        return [Int32](unsafeUninitializedCapacity: geometry.rowCount) { target, initialized in
            for row in 0..<geometry.rowCount {
                target[row] = max(starts[row], min(ends[row], Int32(clamping: row + step)))
            }
            initialized = geometry.rowCount
        }
    }

    private static func groups(
        _ distance: Int, _ isFollowing: Bool, _ isStart: Bool, _ geometry: WindowGeometry
    ) throws -> [Int32] {
        // Peer groups by number, over all partitions.
        var starts: [Int32] = []
        var groupOfRow = [Int](repeating: 0, count: geometry.rowCount)
        for row in 0..<geometry.rowCount {
            if Int(geometry.peerStart[row]) == row { starts.append(Int32(row)) }
            groupOfRow[row] = starts.count - 1
        }
        starts.append(Int32(geometry.rowCount))
        let step = min(distance, geometry.rowCount) * (isFollowing ? 1 : -1)
        return (0..<geometry.rowCount).map { row in
            let (low, high) = (geometry.partitionStart[row], geometry.partitionEnd[row])
            let group = groupOfRow[row] + step + (isStart ? 0 : 1)
            let position = group < 0 ? 0 : group >= starts.count ? Int32(geometry.rowCount) : starts[group]
            return max(low, min(high, position))
        }
    }

    private static func range(
        _ key: RangeKey, _ offset: ScalarValue?, _ isFollowing: Bool, _ isStart: Bool, _ geometry: WindowGeometry
    ) throws -> [Int32] {
        var positions = [Int32](repeating: 0, count: geometry.rowCount)
        for partition in geometry.partitions {
            let known = key.known(in: partition)
            for row in partition {
                let peers = Int(geometry.peerStart[row])..<Int(geometry.peerEnd[row])
                let position = try key.position(
                    row: row, offset: offset, isFollowing: isFollowing, isStart: isStart, peers: peers, known: known)
                positions[row] = Int32(max(partition.lowerBound, min(partition.upperBound, position)))
            }
        }
        return positions
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
