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
