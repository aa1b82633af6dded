// Aggregates as window functions: one state that grows with the frame where frames only grow, else a fresh one a frame.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions

/// Evaluates one aggregate over the frames of a partition. Confined to one driver.
final class WindowAggregate {
    private let executor: any AggregateExecutor
    private let state: UnsafeMutableRawPointer
    private let slot: UnsafeMutablePointer<UnsafeMutableRawPointer>

    init(_ executor: any AggregateExecutor) {
        self.executor = executor
        state = .allocate(byteCount: max(8, executor.stateByteCount), alignment: 16)
        slot = .allocate(capacity: 1)
        slot.pointee = state
    }

    deinit {
        state.deallocate()
        slot.deallocate()
    }

    /// `arguments` cover the partition's rows; `filter`, if there is one, says which rows count.
    func evaluate(
        _ arguments: [Vector], filter: Vector?, frames: WindowFrames, exclusion: WindowFrame.Exclusion,
        peers: WindowPeers,
        into builder: VectorBuilder
    ) throws {
        var row = 0
        var isLive = false
        defer { if isLive { executor.destroy(slot, offset: 0, count: 1) } }
        var heldStart: Int32 = -1
        var heldEnd: Int32 = -1
        var held: ScalarValue = .null
        while row < peers.rowCount {
            let start = frames.start[row]
            let end = frames.end[row]
            if exclusion != .none {
                held = try evaluateExcluding(arguments, filter, Int(start), Int(end), exclusion, row, peers)
                heldStart = -1
            } else if start != heldStart || end != heldEnd {
                if heldStart != start || end < heldEnd || !isLive {
                    if isLive { executor.destroy(slot, offset: 0, count: 1) }
                    executor.initialize(slot, offset: 0, count: 1)
                    isLive = true
                    heldEnd = start
                    heldStart = start
                }
                try add(arguments, filter, Int(heldEnd), Int(end))
                heldEnd = end
                held = try executor.finalize(slot, offset: 0, count: 1).value(at: 0)
            }
            builder.append(held)
            row += 1
        }
    }

    private func evaluateExcluding(
        _ arguments: [Vector], _ filter: Vector?, _ start: Int, _ end: Int, _ exclusion: WindowFrame.Exclusion,
        _ row: Int,
        _ peers: WindowPeers
    ) throws -> ScalarValue {
        executor.initialize(slot, offset: 0, count: 1)
        defer { executor.destroy(slot, offset: 0, count: 1) }
        let groupStart = Int(peers.start[row])
        let groupEnd = Int(peers.end[row])
        let holes: [Range<Int>]
        switch exclusion {
        case .none: holes = []
        case .currentRow: holes = [row..<row + 1]
        case .group: holes = [groupStart..<groupEnd]
        case .ties: holes = [groupStart..<row, row + 1..<groupEnd]
        }
        var position = start
        for hole in holes {
            try add(arguments, filter, position, max(position, min(end, hole.lowerBound)))
            position = max(position, min(end, hole.upperBound))
        }
        try add(arguments, filter, position, end)
        return try executor.finalize(slot, offset: 0, count: 1).value(at: 0)
    }

    private func add(_ arguments: [Vector], _ filter: Vector?, _ start: Int, _ end: Int) throws {
        var position = start
        while position < end {
            let count = min(Batch.rowCountMax / 2, end - position)
            let rows = Buffer(byteCount: count * 4)
            let numbers = rows.base.assumingMemoryBound(to: UInt32.self)
            var picked = 0
            for row in position..<position + count {
                if let filter, filter.isNull(row) || filter.values(UInt8.self)[row] == 0 { continue }
                numbers[picked] = UInt32(truncatingIfNeeded: row)
                picked += 1
            }
            let isWhole = picked == count
            let slices = arguments.map { argument -> Vector in
                if isWhole, argument.validity == nil {
                    return Vector(
                        type: argument.type, encoding: .flat, count: count,
                        data: argument.data + position * argument.physical.width, dataOwner: argument)
                }
                return gatherRows(argument, numbers, picked)
            }
            if picked > 0 { try executor.updateSingle(state, arguments: slices, count: picked) }
            position += count
        }
    }
}
