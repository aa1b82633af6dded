// Window functions: ranks, neighbours and values of the frame.

import Columnar
import Diagnostics

enum WindowFunctions {
    private static func text(_ text: String) -> FunctionDocumentation { FunctionDocumentation("Window", text) }

    static func register(in registry: FunctionRegistry) {
        registerRanks(in: registry)
        registerNeighbours(in: registry)
        registerFrameValues(in: registry)
    }

    private static func registerRanks(in registry: FunctionRegistry) {
        func rank(
            _ name: String, _ documentation: String,
            _ body: @escaping @Sendable (WindowFunction.Partition, UnsafeMutablePointer<Int64>) -> Void
        ) {
            registry.register(
                WindowFunction(name, [], resultType: { _ in .int64 }, documentation: text(documentation)) {
                    partition, type in
                    let result = Vector(flat: type, capacity: partition.rowCount)
                    body(partition, result.values(Int64.self))
                    return result
                })
        }
        rank("row_number", "The number of the row within its partition, from 1.") { partition, target in
            for row in 0..<partition.rowCount { target[row] = Int64(row + 1) }
        }
        rank("rank", "The number of the first peer's row, with gaps.") { partition, target in
            for row in 0..<partition.rowCount { target[row] = Int64(partition.peerStart[row]) + 1 }
        }
        rank("dense_rank", "The number of the peer group, without gaps.") { partition, target in
            var group: Int64 = 0
            for row in 0..<partition.rowCount {
                if Int(partition.peerStart[row]) == row { group += 1 }
                target[row] = group
            }
        }
        func share(
            _ name: String, _ documentation: String,
            _ body: @escaping @Sendable (WindowFunction.Partition, Int) -> Double
        ) {
            registry.register(
                WindowFunction(name, [], resultType: { _ in .float64 }, documentation: text(documentation)) {
                    partition, type in
                    let result = Vector(flat: type, capacity: partition.rowCount)
                    let target = result.values(Double.self)
                    for row in 0..<partition.rowCount { target[row] = body(partition, row) }
                    return result
                })
        }
        share("percent_rank", "(rank - 1) / (rows - 1).") { partition, row in
            partition.rowCount <= 1 ? 0 : Double(partition.peerStart[row]) / Double(partition.rowCount - 1)
        }
        share("cume_dist", "Share of the rows up to the last peer.") { partition, row in
            Double(partition.peerEnd[row]) / Double(partition.rowCount)
        }
        registry.register(
            WindowFunction(
                "ntile", [.int32], resultType: { _ in .int32 },
                documentation: text("The number of one of n buckets of equal size.")
            ) { partition, type in
                let result = Vector(flat: type, capacity: partition.rowCount)
                let rows = partition.rowCount
                guard rows > 0 else { return result }
                let argument = partition.arguments[0].flattened()
                // The first row's argument holds for the partition.
                if argument.isNull(0) { return .constant(.null, type: type, count: rows) }
                let buckets = Int(argument.values(Int32.self)[0])
                guard buckets > 0 else {
                    throw QueryError(.invalidArgumentForNTile, "argument of ntile must be greater than zero")
                }
                let size = rows / buckets
                let larger = rows % buckets
                for row in 0..<rows {
                    let boundary = larger * (size + 1)
                    let bucket = row < boundary ? row / (size + 1) : larger + (row - boundary) / max(1, size)
                    result.values(Int32.self)[row] = Int32(truncatingIfNeeded: bucket + 1)
                }
                return result
            })
    }

    /// Rows of `source` by position; -1 takes the row from `fallback`, or null without one.
    private static func pick(_ source: Vector, _ positions: [Int], fallback: Vector?, _ type: DataType) -> Vector {
        let values = source.flattened()
        let others = fallback?.flattened()
        let result = Vector(flat: type, capacity: positions.count)
        let width = type.physical.width
        for (row, position) in positions.enumerated() {
            let origin: Vector? = position >= 0 ? values : others
            let index = position >= 0 ? position : row
            if let origin, !origin.isNull(index) {
                (result.data + row * width).copyMemory(from: origin.data + index * width, byteCount: width)
            } else {
                result.setNull(row)
            }
        }
        if type.physical == .view {
            result.pinned = values.pinned + [values.dataOwner] + (others.map { $0.pinned + [$0.dataOwner] } ?? [])
        }
        return result
    }

    private static func registerNeighbours(in registry: FunctionRegistry) {
        for (name, sign, documentation) in [
            ("lag", -1, "The value some rows before, 1 as a rule; else the default or NULL."),
            ("lead", 1, "The value some rows behind, 1 as a rule; else the default or NULL."),
        ] {
            for parameters in [[ParameterType.any], [.any, .int32], [.anyElement, .int32, .anyElement]] {
                registry.register(
                    WindowFunction(name, parameters, resultType: { $0[0] }, documentation: text(documentation)) {
                        partition, type in neighbours(partition, type, sign)
                    })
            }
        }
    }

    private static func neighbours(_ partition: WindowFunction.Partition, _ type: DataType, _ sign: Int) -> Vector {
        let rows = partition.rowCount
        let values = partition.arguments[0].flattened()
        let offsets = partition.arguments.count > 1 ? partition.arguments[1].flattened() : nil
        let fallback = partition.arguments.count > 2 ? partition.arguments[2] : nil
        var positions = [Int](repeating: -1, count: rows)
        var isNull = [Int]()
        // With IGNORE NULLS: the rows that are not null, and how many of them come before each row.
        var present: [Int] = []
        var before: [Int] = []
        if partition.ignoresNulls {
            for row in 0..<rows {
                before.append(present.count)
                if !values.isNull(row) { present.append(row) }
            }
        }
        for row in 0..<rows {
            if let offsets, offsets.isNull(row) {
                isNull.append(row)
                continue
            }
            let offset = (offsets.map { Int($0.values(Int32.self)[row]) } ?? 1) * sign
            if !partition.ignoresNulls || offset == 0 {
                let position = row + offset
                if position >= 0 && position < rows { positions[row] = position }
            } else {
                let isPresent = !values.isNull(row)
                let index = offset < 0 ? before[row] + offset : before[row] + (isPresent ? 1 : 0) + offset - 1
                if index >= 0 && index < present.count { positions[row] = present[index] }
            }
        }
        let result = pick(values, positions, fallback: fallback, type)
        for row in isNull { result.setNull(row) }
        return result
    }

    private static func registerFrameValues(in registry: FunctionRegistry) {
        for (name, isFirst, documentation) in [
            ("first_value", true, "The value of the frame's first row."),
            ("last_value", false, "The value of the frame's last row."),
        ] {
            registry.register(
                WindowFunction(name, [.any], resultType: { $0[0] }, usesFrame: true, documentation: text(documentation))
                {
                    partition, type in
                    let values = partition.arguments[0].flattened()
                    var positions = [Int](repeating: -1, count: partition.rowCount)
                    for row in 0..<partition.rowCount {
                        let start = Int(partition.frameStart[row])
                        let end = Int(partition.frameEnd[row])
                        if start >= end { continue }
                        func counts(_ position: Int) -> Bool {
                            partition.holds(position, row) && !(partition.ignoresNulls && values.isNull(position))
                        }
                        if !partition.ignoresNulls && partition.exclusion == .none {
                            positions[row] = isFirst ? start : end - 1
                        } else if isFirst {
                            positions[row] = (start..<end).first(where: counts) ?? -1
                        } else {
                            positions[row] = (start..<end).last(where: counts) ?? -1
                        }
                    }
                    return pick(values, positions, fallback: nil, type)
                })
        }
        registry.register(
            WindowFunction(
                "nth_value", [.any, .int32], resultType: { $0[0] }, usesFrame: true,
                documentation: text("The value of the frame's n-th row, from 1.")
            ) { partition, type in
                let values = partition.arguments[0].flattened()
                let numbers = partition.arguments[1].flattened()
                var positions = [Int](repeating: -1, count: partition.rowCount)
                for row in 0..<partition.rowCount where !numbers.isNull(row) {
                    let number = Int(numbers.values(Int32.self)[row])
                    guard number > 0 else {
                        throw QueryError(.invalidArgumentForNthValue, "argument of nth_value must be greater than zero")
                    }
                    let start = Int(partition.frameStart[row])
                    let end = Int(partition.frameEnd[row])
                    if !partition.ignoresNulls && partition.exclusion == .none {
                        if start + number - 1 < end { positions[row] = start + number - 1 }
                    } else if start < end {
                        var seen = 0
                        for position in start..<end where partition.holds(position, row) {
                            if partition.ignoresNulls && values.isNull(position) { continue }
                            seen += 1
                            if seen == number {
                                positions[row] = position
                                break
                            }
                        }
                    }
                }
                return pick(values, positions, fallback: nil, type)
            })
    }
}
