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
            _ body: @escaping @Sendable (WindowFunction.Rows, UnsafeMutablePointer<Int64>) -> Void
        ) {
            registry.register(
                WindowFunction(name, [], resultType: { _ in .int64 }, documentation: text(documentation)) {
                    rows, type in
                    let result = Vector(flat: type, capacity: rows.rowCount)
                    body(rows, result.values(Int64.self))
                    return result
                })
        }
        rank("row_number", "The number of the row within its partition, from 1.") { rows, target in
            for row in 0..<rows.rowCount { target[row] = Int64(row &- Int(rows.partitionStart[row]) &+ 1) }
        }
        rank("rank", "The number of the first peer's row, with gaps.") { rows, target in
            for row in 0..<rows.rowCount { target[row] = Int64(rows.peerStart[row] &- rows.partitionStart[row]) &+ 1 }
        }
        rank("dense_rank", "The number of the peer group, without gaps.") { rows, target in
            var group: Int64 = 0
            for row in 0..<rows.rowCount {
                if Int(rows.partitionStart[row]) == row { group = 0 }
                if Int(rows.peerStart[row]) == row { group &+= 1 }
                target[row] = group
            }
        }
        registerShares(in: registry)
        registry.register(
            WindowFunction(
                "ntile", [.int32], resultType: { _ in .int32 },
                documentation: text("The number of one of n buckets of equal size.")
            ) { rows, type in try buckets(rows, type) })
    }

    private static func registerShares(in registry: FunctionRegistry) {
        func share(
            _ name: String, _ documentation: String,
            _ body: @escaping @Sendable (WindowFunction.Rows, UnsafeMutablePointer<Double>) -> Void
        ) {
            registry.register(
                WindowFunction(name, [], resultType: { _ in .float64 }, documentation: text(documentation)) {
                    rows, type in
                    let result = Vector(flat: type, capacity: rows.rowCount)
                    body(rows, result.values(Double.self))
                    return result
                })
        }
        share("percent_rank", "(rank - 1) / (rows - 1).") { rows, target in
            for row in 0..<rows.rowCount {
                let count = rows.partitionEnd[row] &- rows.partitionStart[row]
                let before = rows.peerStart[row] &- rows.partitionStart[row]
                target[row] = count <= 1 ? 0 : Double(before) / Double(count &- 1)
            }
        }
        share("cume_dist", "Share of the rows up to the last peer.") { rows, target in
            for row in 0..<rows.rowCount {
                let start = rows.partitionStart[row]
                target[row] = Double(rows.peerEnd[row] &- start) / Double(rows.partitionEnd[row] &- start)
            }
        }
    }

    private static func buckets(_ rows: WindowFunction.Rows, _ type: DataType) throws -> Vector {
        let result = Vector(flat: type, capacity: rows.rowCount)
        let target = result.values(Int32.self)
        let argument = rows.arguments[0].flattened()
        var start = 0
        while start < rows.rowCount {
            let end = Int(rows.partitionEnd[start])
            defer { start = end }
            // The first row's argument holds for the rows.
            if argument.isNull(start) {
                for row in start..<end { result.setNull(row) }
                continue
            }
            let buckets = Int(argument.values(Int32.self)[start])
            guard buckets > 0 else {
                throw QueryError(.invalidArgumentForNTile, "argument of ntile must be greater than zero")
            }
            let size = (end - start) / buckets
            let larger = (end - start) % buckets
            let boundary = larger * (size + 1)
            for row in 0..<end - start {
                let bucket = row < boundary ? row / (size + 1) : larger + (row - boundary) / max(1, size)
                target[start + row] = Int32(truncatingIfNeeded: bucket + 1)
            }
        }
        return result
    }

    /// Rows of `source` by position; -1 takes the row from `fallback`, or null without one.
    private static func pick(_ source: Vector, _ positions: [Int], fallback: Vector?, _ type: DataType) -> Vector {
        let values = source.flattened()
        let others = fallback?.flattened()
        let result = Vector(flat: type, capacity: positions.count)
        switch type.physical.width {
        case 1: pick(values, others, positions, result, UInt8.self)
        case 2: pick(values, others, positions, result, UInt16.self)
        case 4: pick(values, others, positions, result, UInt32.self)
        case 8: pick(values, others, positions, result, UInt64.self)
        default: pick(values, others, positions, result, SIMD2<UInt64>.self)
        }
        if type.physical == .view {
            result.pinned = values.pinned + [values.dataOwner] + (others.map { $0.pinned + [$0.dataOwner] } ?? [])
        }
        return result
    }

    @inline(__always)
    private static func pick<T>(
        _ values: Vector, _ others: Vector?, _ positions: [Int], _ result: Vector, _: T.Type
    ) {
        let source = values.values(T.self)
        let target = result.values(T.self)
        let other = others?.values(T.self)
        let otherValidity = others?.validity
        for row in 0..<positions.count {
            let position = positions[row]
            if position >= 0 {
                target[row] = source[position]
                if let validity = values.validity, !Validity.isValid(validity, position) { result.setNull(row) }
            } else if let other, otherValidity.map({ Validity.isValid($0, row) }) ?? true {
                target[row] = other[row]
            } else {
                result.setNull(row)
            }
        }
    }

    private static func registerNeighbours(in registry: FunctionRegistry) {
        for (name, sign, documentation) in [
            ("lag", -1, "The value some rows before, 1 as a rule; else the default or NULL."),
            ("lead", 1, "The value some rows behind, 1 as a rule; else the default or NULL."),
        ] {
            for parameters in [[ParameterType.any], [.any, .int32], [.anyElement, .int32, .anyElement]] {
                registry.register(
                    WindowFunction(name, parameters, resultType: { $0[0] }, documentation: text(documentation)) {
                        rows, type in neighbours(rows, type, sign)
                    })
            }
        }
    }

    private static func neighbours(_ input: WindowFunction.Rows, _ type: DataType, _ sign: Int) -> Vector {
        let rows = input.rowCount
        let values = input.arguments[0].flattened()
        let offsets = input.arguments.count > 1 ? input.arguments[1].flattened() : nil
        let fallback = input.arguments.count > 2 ? input.arguments[2] : nil
        var positions = [Int](repeating: -1, count: rows)
        var isNull = [Int]()
        // With IGNORE NULLS: the rows that are not null, and how many of them come before each row.
        var present: [Int] = []
        var before: [Int] = []
        if input.ignoresNulls {
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
            let (start, end) = (Int(input.partitionStart[row]), Int(input.partitionEnd[row]))
            if !input.ignoresNulls || offset == 0 {
                let position = row + offset
                if position >= start && position < end { positions[row] = position }
            } else {
                let isPresent = !values.isNull(row)
                let index = offset < 0 ? before[row] + offset : before[row] + (isPresent ? 1 : 0) + offset - 1
                if index >= 0 && index < present.count && present[index] >= start && present[index] < end {
                    positions[row] = present[index]
                }
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
                    rows, type in
                    let values = rows.arguments[0].flattened()
                    var positions = [Int](repeating: -1, count: rows.rowCount)
                    for row in 0..<rows.rowCount {
                        positions[row] = rows.frameRow(row, number: isFirst ? 1 : -1, values: values) ?? -1
                    }
                    return pick(values, positions, fallback: nil, type)
                })
        }
        registry.register(
            WindowFunction(
                "nth_value", [.any, .int32], resultType: { $0[0] }, usesFrame: true,
                documentation: text("The value of the frame's n-th row, from 1.")
            ) { rows, type in
                let values = rows.arguments[0].flattened()
                let numbers = rows.arguments[1].flattened()
                var positions = [Int](repeating: -1, count: rows.rowCount)
                for row in 0..<rows.rowCount where !numbers.isNull(row) {
                    let number = Int(numbers.values(Int32.self)[row])
                    guard number > 0 else {
                        throw QueryError(.invalidArgumentForNthValue, "argument of nth_value must be greater than zero")
                    }
                    positions[row] = rows.frameRow(row, number: number, values: values) ?? -1
                }
                return pick(values, positions, fallback: nil, type)
            })
    }
}
