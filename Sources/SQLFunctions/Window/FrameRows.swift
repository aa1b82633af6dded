// The rows of a window frame by their number, with EXCLUDE and IGNORE NULLS.

import Columnar
import QueryPlan

extension WindowFunction.Rows {
    /// The frame of a row without what EXCLUDE takes away: at most three ranges, in order.
    func frameRanges(_ row: Int) -> [Range<Int>] {
        let start = Int(frameStart[row])
        let end = max(start, Int(frameEnd[row]))
        let peers = Int(peerStart[row])..<Int(peerEnd[row])
        let holes: [Range<Int>]
        switch exclusion {
        case .none: holes = []
        case .currentRow: holes = [row..<row + 1]
        case .group: holes = [peers]
        case .ties: holes = [peers.lowerBound..<row, row + 1..<peers.upperBound]
        }
        var ranges: [Range<Int>] = []
        var position = start
        for hole in holes {
            let stop = max(position, min(end, hole.lowerBound))
            if position < stop { ranges.append(position..<stop) }
            position = max(position, min(end, hole.upperBound))
        }
        if position < end { ranges.append(position..<end) }
        return ranges
    }

    /// The `number`-th row of a row's frame, from 1, or from the back with -1 for the last. Rows that are null in `values`
    /// do not count under IGNORE NULLS. `nil` if there are not so many.
    func frameRow(_ row: Int, number: Int, values: Vector) -> Int? {
        if exclusion == .none, !ignoresNulls {
            let start = Int(frameStart[row])
            let end = Int(frameEnd[row])
            let count = end - start
            if number > 0 { return number <= count ? start + number - 1 : nil }
            return -number <= count ? end + number : nil
        }
        let ranges = frameRanges(row)
        var left = abs(number)
        if number > 0 {
            for range in ranges {
                for position in range where !ignoresNulls || !values.isNull(position) {
                    left -= 1
                    if left == 0 { return position }
                }
            }
        } else {
            for range in ranges.reversed() {
                for position in range.reversed() where !ignoresNulls || !values.isNull(position) {
                    left -= 1
                    if left == 0 { return position }
                }
            }
        }
        return nil
    }
}
