// Splits of a scan that no task has yet, and which task gets how many of them, as a value without clock and threads.
//
// Guided self-scheduling (Polychronopoulos and Kuck, 1987): who asks gets a share of what is left, so that grants shrink
// towards the end and all tasks end at about the same time, however fast their nodes are.

import Diagnostics
import Storage
import Transport

/// The rest of a scan's splits in one attempt of a query. A grant that is asked for again is the same again.
package struct SplitPool: Sendable {
    package struct Grant: Sendable {
        package var splits: [Split]
        package var isLast: Bool
    }

    private var left: ArraySlice<Split>
    private var grants: [TaskAttemptID: [Grant]] = [:]
    private let taskCount: Int
    /// Splits of a grant at least, so that no task asks too often.
    private let grantCountMin: Int

    /// A scan has so many splits for each of its tasks at least, or all of them are given out at the start.
    static let splitsPerTaskMin = 16
    /// Rows of a grant at least: to ask and to answer costs about as much as to read 50,000 rows of a few columns.
    static let grantRowCountMin = 1 << 20
    /// A scan has so many rows for each of its tasks at least, or all splits are given out at the start: there are some grants
    /// to tell slow nodes from fast ones by.
    static let rowsPerTaskMin = 8 * grantRowCountMin
    /// Of all splits, those that tasks start with.
    static let boundShare = 0.5
    /// Grants that a task asks for if all are equally fast.
    private static let grantsPerTask = 8
    /// Bytes of descriptions in one grant, or one split: a grant is one message, which has a limit.
    static let grantByteLimit = 1 << 20

    /// `splits` are given out in order, about `grantRowCountMin` rows at a time at least.
    package init(_ splits: [Split], taskCount: Int, grantRowCountMin: Int = 0) {
        left = splits[...]
        self.taskCount = max(1, taskCount)
        let rowCount = splits.reduce(0) { $0 + max(1, $1.estimatedRowCount) }
        let forRows = Int(Double(splits.count) * Double(grantRowCountMin) / Double(max(1, rowCount)))
        grantCountMin = max(1, splits.count / (self.taskCount * Self.grantsPerTask), min(splits.count, forRows))
    }

    package var leftCount: Int { left.count }

    /// The answer to a task's wish; `nil` for one that skips a grant.
    package mutating func grant(_ attempt: TaskAttemptID, number: Int) -> Grant? {
        let known = grants[attempt] ?? []
        if number < known.count, number >= 0 { return known[number] }
        guard number == known.count, known.last?.isLast != true else { return nil }
        let countMax = min(left.count, max(grantCountMin, left.count / (2 * taskCount)))
        var byteCount = 0
        let splits = Array(
            left.prefix(countMax).prefix { split in
                defer { byteCount += split.payload.count }
                return byteCount == 0 || byteCount + split.payload.count <= Self.grantByteLimit
            })
        left = left.dropFirst(splits.count)
        let grant = Grant(splits: splits, isLast: left.isEmpty)
        grants[attempt, default: []].append(grant)
        return grant
    }
}
