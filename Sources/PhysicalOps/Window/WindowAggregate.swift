// Aggregates as window functions.
//
// States are made for many rows at once, by the form of the frames:
//   frames that do not overlap      one state a frame: whole partitions, groups of peers
//   frames from the partition's start   one state a row, then each is combined with the one before it
//   frames to the partition's end       the same from behind
//   sliding frames                  a tree of states over the rows, of which each frame needs a few
//                                   (V. Leis et al., "Efficient Processing of Window Functions in Analytical SQL
//                                   Queries", VLDB 2015); short ones, and floats, row by row of the frame
// Executors whose states own memory or see the order of rows get one state that grows with the frame.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions

/// The rows that a call is evaluated over.
struct WindowInput {
    let store: RowStore
    /// Rows of the store in order.
    let rows: UnsafePointer<UInt32>
    let geometry: WindowGeometry
}

/// Evaluates one aggregate call. Confined to one driver.
final class WindowAggregate {
    private enum Form { case partitions, peers, fromStart, toEnd, sliding }
    private static let chunkRows = Batch.standardRowCount
    /// Average length from which on a tree is less work than the rows of each frame.
    private static let treeLengthMin = 16

    private let executor: any AggregateExecutor
    private let layout: WindowLayout.Call
    private let form: Form
    /// States can be put together instead of adding rows, with the same result to the last bit.
    private let isCombinable: Bool
    /// The same in any grouping.
    private let isAssociative: Bool

    init(_ function: AggregateFunction, _ layout: WindowLayout.Call, hasOrder: Bool) throws {
        let call = layout.call
        self.layout = layout
        let types = call.arguments.map(\.type)
        executor = try function.makeExecutor(types, call.type)
        let ownsNothing = !executor.needsDestroy && !function.isOrderSensitive
        let isSelection = ["min", "max", "count", "bool_and", "bool_or", "every"].contains(call.name)
        let hasFloats = (types + [call.type]).contains { $0.isFloat }
        isAssociative = ownsNothing && (isSelection || !hasFloats)
        // Sums from the start are added up in order either way.
        isCombinable = isAssociative || (ownsNothing && ["sum", "avg"].contains(call.name))
        form = Self.form(call.frame, hasOrder: hasOrder)
    }

    private static func form(_ frame: WindowFrame, hasOrder: Bool) -> Form {
        func isCurrent(_ bound: FrameBound) -> Bool { if case .currentRow = bound { true } else { false } }
        // Without an order all rows of a partition are peers.
        let reachesAll = !hasOrder && frame.unit != .rows
        var startsFirst = reachesAll && isCurrent(frame.start)
        var endsLast = reachesAll && isCurrent(frame.end)
        if case .unboundedPreceding = frame.start { startsFirst = true }
        if case .unboundedFollowing = frame.end { endsLast = true }
        switch (startsFirst, endsLast) {
        case (true, true): return .partitions
        case (true, false): return .fromStart
        case (false, true): return .toEnd
        case (false, false):
            return frame.unit != .rows && isCurrent(frame.start) && isCurrent(frame.end) ? .peers : .sliding
        }
    }

    /// Bytes that the states of so many rows take.
    func byteCount(rows: Int) -> Int { WindowStates.byteCount(executor, count: rows) + rows * 8 }

    func evaluate(_ input: WindowInput, makeFrames: () throws -> WindowFrames) throws -> WindowResult {
        let geometry = input.geometry
        if layout.call.frame.exclusion != .none { return try evaluateByRow(input, makeFrames()) }
        switch form {
        case .partitions: return try evaluate(input, groups: geometry.partitionStart)
        case .peers: return try evaluate(input, groups: geometry.peerStart)
        case .fromStart where isCombinable: return try evaluateFromStart(input, makeFrames())
        case .toEnd where isAssociative: return try evaluateToEnd(input, makeFrames())
        default: break
        }
        let frames = try makeFrames()
        if executor.needsDestroy || form == .fromStart { return try evaluateByRow(input, frames) }
        var total = 0
        for row in 0..<geometry.rowCount { total += Int(frames.end[row] &- frames.start[row]) }
        let isLong = total > Self.treeLengthMin * geometry.rowCount
        return isLong && isAssociative ? try evaluateByTree(input, frames) : try evaluateDirectly(input, frames)
    }

    // MARK: States

    /// Calls `body` with pieces of the rows: their first position, arguments, which of them count, and how many do.
    private func forEachChunk(
        _ input: WindowInput,
        _ body: (_ start: Int, _ arguments: [Vector], _ picked: Selection?, _ count: Int) throws -> Void
    ) throws {
        var start = 0
        while start < input.geometry.rowCount {
            let count = min(Self.chunkRows, input.geometry.rowCount - start)
            try add(input, input.rows + start, count) { try body(start, $0, $1, $2) }
            start += count
        }
    }

    /// Arguments of rows of the store, without those that the call's filter leaves out.
    private func add(
        _ input: WindowInput, _ rows: UnsafePointer<UInt32>, _ count: Int,
        _ body: (_ arguments: [Vector], _ picked: Selection?, _ count: Int) throws -> Void
    ) throws {
        guard let position = layout.filter else {
            return try body(layout.arguments.map { gatherRows(input.store.columns[$0], rows, count) }, nil, count)
        }
        let filter = gatherRows(input.store.columns[position], rows, count)
        let flags = filter.values(UInt8.self)
        let picked = Selection(capacity: count)
        let buffer = Buffer(byteCount: max(1, count) * 4)
        let kept = buffer.base.assumingMemoryBound(to: UInt32.self)
        for row in 0..<count where flags[row] != 0 && !filter.isNull(row) {
            picked.rows[picked.count] = UInt16(truncatingIfNeeded: row)
            kept[picked.count] = rows[row]
            picked.count += 1
        }
        if picked.count == 0 { return }
        try body(
            layout.arguments.map { gatherRows(input.store.columns[$0], kept, picked.count) }, picked, picked.count)
    }

    private func update(
        _ states: UnsafePointer<UnsafeMutableRawPointer>, _ arguments: [Vector], _ picked: Selection?, _ count: Int
    ) throws {
        guard let picked else { return try executor.update(states, offset: 0, arguments: arguments, count: count) }
        let buffer = Buffer(byteCount: count * 8)
        let chosen = buffer.base.assumingMemoryBound(to: UnsafeMutableRawPointer.self)
        for index in 0..<count { chosen[index] = states[Int(picked.rows[index])] }
        try executor.update(chosen, offset: 0, arguments: arguments, count: count)
    }

    private static func pointers(_ count: Int) -> (UnsafeMutablePointer<UnsafeMutableRawPointer>, Buffer) {
        let buffer = Buffer(byteCount: max(1, count) * 8)
        return (buffer.base.assumingMemoryBound(to: UnsafeMutableRawPointer.self), buffer)
    }

    /// One state for all rows with the same number, which is the first row of their group.
    private func evaluate(_ input: WindowInput, groups: [Int32]) throws -> WindowResult {
        let count = input.geometry.rowCount
        var groupCount = 0
        for row in 0..<count where Int(groups[row]) == row { groupCount += 1 }
        let states = WindowStates(executor, count: groupCount)
        let (rows, memory) = Self.pointers(count)
        var group = -1
        for row in 0..<count {
            if Int(groups[row]) == row { group &+= 1 }
            rows[row] = states.states[group]
        }
        try forEachChunk(input) { try update(rows + $0, $1, $2, $3) }
        return .states(rows, owners: [states], memory: memory)
    }

    /// A state for every row alone.
    private func singles(_ input: WindowInput) throws -> WindowStates {
        let states = WindowStates(executor, count: input.geometry.rowCount)
        try forEachChunk(input) { try update(states.states + $0, $1, $2, $3) }
        return states
    }

    private func evaluateFromStart(_ input: WindowInput, _ frames: WindowFrames) throws -> WindowResult {
        let states = try singles(input)
        for partition in input.geometry.partitions where partition.count > 1 {
            // One after the other: each state is complete when the next one takes it in.
            let first = states.states + partition.lowerBound
            try executor.combine(first + 1, sources: first, offset: 0, count: partition.count - 1)
        }
        return select(states, input.geometry.rowCount) { row in
            frames.end[row] > frames.start[row] ? Int(frames.end[row]) - 1 : nil
        }
    }

    private func evaluateToEnd(_ input: WindowInput, _ frames: WindowFrames) throws -> WindowResult {
        let states = try singles(input)
        let count = input.geometry.rowCount
        let (reversed, memory) = Self.pointers(count)
        for row in 0..<count { reversed[row] = states.states[count - 1 - row] }
        for partition in input.geometry.partitions where partition.count > 1 {
            let last = reversed + (count - partition.upperBound)
            try executor.combine(last + 1, sources: last, offset: 0, count: partition.count - 1)
        }
        withExtendedLifetime(memory) {}
        return select(states, count) { row in frames.end[row] > frames.start[row] ? Int(frames.start[row]) : nil }
    }

    /// The state that each row's result lies in; `nil` is that of an empty frame.
    private func select(_ states: WindowStates, _ count: Int, _ state: (Int) -> Int?) -> WindowResult {
        let none = WindowStates(executor, count: 1)
        let (rows, memory) = Self.pointers(count)
        for row in 0..<count { rows[row] = state(row).map { states.states[$0] } ?? none.states[0] }
        return .states(rows, owners: [states, none], memory: memory)
    }

    // MARK: Sliding frames

    /// Adds the first rows of all frames, then the second ones, and so on: every state sees its rows in order.
    private func evaluateDirectly(_ input: WindowInput, _ frames: WindowFrames) throws -> WindowResult {
        let count = input.geometry.rowCount
        let states = WindowStates(executor, count: count)
        let (targets, memory) = Self.pointers(Self.chunkRows)
        let rowBuffer = Buffer(byteCount: Self.chunkRows * 4)
        let added = rowBuffer.base.assumingMemoryBound(to: UInt32.self)
        var start = 0
        while start < count {
            let end = min(count, start + Self.chunkRows)
            // Rows whose frames go on.
            var open = Array(start..<end)
            var step = 0
            while !open.isEmpty {
                open.removeAll { Int(frames.start[$0]) + step >= Int(frames.end[$0]) }
                for (index, row) in open.enumerated() {
                    targets[index] = states.states[row]
                    added[index] = input.rows[Int(frames.start[row]) + step]
                }
                if !open.isEmpty { try add(input, added, open.count) { try update(targets, $0, $1, $2) } }
                step += 1
            }
            start = end
        }
        withExtendedLifetime(memory) {}
        return .states(states.states, owners: [states], memory: memory)
    }

    /// Combines each frame from nodes of a binary tree over the rows.
    private func evaluateByTree(_ input: WindowInput, _ frames: WindowFrames) throws -> WindowResult {
        let count = input.geometry.rowCount
        var levels = [try singles(input)]
        while levels[levels.count - 1].count > 1 {
            let below = levels[levels.count - 1]
            let above = WindowStates(executor, count: below.count / 2)
            let (sources, memory) = Self.pointers(above.count)
            for side in 0..<2 {
                for node in 0..<above.count { sources[node] = below.states[2 * node + side] }
                try executor.combine(above.states, sources: sources, offset: 0, count: above.count)
            }
            withExtendedLifetime(memory) {}
            levels.append(above)
        }
        let results = WindowStates(executor, count: count)
        var low = frames.start.map { Int($0) }
        var high = frames.end.map { Int($0) }
        let (targets, targetMemory) = Self.pointers(2 * count)
        let (sources, sourceMemory) = Self.pointers(2 * count)
        for level in levels {
            var pairs = 0
            for row in 0..<count where low[row] < high[row] {
                if low[row] & 1 != 0 {
                    (targets[pairs], sources[pairs]) = (results.states[row], level.states[low[row]])
                    low[row] += 1
                    pairs += 1
                }
                if high[row] & 1 != 0, low[row] < high[row] {
                    high[row] -= 1
                    (targets[pairs], sources[pairs]) = (results.states[row], level.states[high[row]])
                    pairs += 1
                }
                low[row] >>= 1
                high[row] >>= 1
            }
            if pairs > 0 { try executor.combine(targets, sources: sources, offset: 0, count: pairs) }
        }
        withExtendedLifetime((targetMemory, sourceMemory)) {}
        return .states(results.states, owners: [results], memory: targetMemory)
    }

    // MARK: Row by row

    /// One state that grows with the frame where frames only grow, else a fresh one a frame.
    private func evaluateByRow(_ input: WindowInput, _ frames: WindowFrames) throws -> WindowResult {
        let builder = VectorBuilder(type: layout.call.type, capacity: max(1, input.geometry.rowCount))
        let exclusion = layout.call.frame.exclusion
        var states: WindowStates?
        var heldStart: Int32 = -1
        var heldEnd: Int32 = -1
        var held: ScalarValue = .null
        for row in 0..<input.geometry.rowCount {
            let (start, end) = (frames.start[row], frames.end[row])
            if exclusion != .none {
                held = try evaluateExcluding(input, Int(start), Int(end), row)
            } else if start != heldStart || end != heldEnd || states == nil {
                if heldStart != start || end < heldEnd || states == nil {
                    states = WindowStates(executor, count: 1)
                    (heldStart, heldEnd) = (start, start)
                }
                guard let states else { continue }
                try grow(states, input, Int(heldEnd)..<Int(end))
                heldEnd = end
                held = try executor.finalize(states.states, offset: 0, count: 1).value(at: 0)
            }
            builder.append(held)
        }
        return .vector(builder.finish())
    }

    private func evaluateExcluding(_ input: WindowInput, _ start: Int, _ end: Int, _ row: Int) throws -> ScalarValue {
        let states = WindowStates(executor, count: 1)
        let peers = Int(input.geometry.peerStart[row])..<Int(input.geometry.peerEnd[row])
        let holes: [Range<Int>]
        switch layout.call.frame.exclusion {
        case .none: holes = []
        case .currentRow: holes = [row..<row + 1]
        case .group: holes = [peers]
        case .ties: holes = [peers.lowerBound..<row, row + 1..<peers.upperBound]
        }
        var position = start
        for hole in holes {
            try grow(states, input, position..<max(position, min(end, hole.lowerBound)))
            position = max(position, min(end, hole.upperBound))
        }
        try grow(states, input, position..<max(position, end))
        return try executor.finalize(states.states, offset: 0, count: 1).value(at: 0)
    }

    private func grow(_ states: WindowStates, _ input: WindowInput, _ rows: Range<Int>) throws {
        var start = rows.lowerBound
        while start < rows.upperBound {
            let count = min(Self.chunkRows, rows.upperBound - start)
            try add(input, input.rows + start, count) { arguments, _, kept in
                try executor.updateSingle(states.states[0], arguments: arguments, count: kept)
            }
            start += count
        }
    }
}
