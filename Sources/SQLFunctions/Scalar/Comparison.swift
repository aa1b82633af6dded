// Comparison operators over every type.

import Columnar
import Diagnostics
import QueryPlan

/// The four comparisons that kernels exist for; > and >= swap their operands.
enum ComparisonKind: Sendable { case equal, notEqual, less, lessOrEqual }

enum ComparisonFunctions {
    private static let operators: [(String, ComparisonKind, Bool, String)] = [
        ("=", .equal, false, "Whether two values are equal."),
        ("<>", .notEqual, false, "Whether two values differ."),
        ("<", .less, false, "Whether the left value is less."),
        ("<=", .lessOrEqual, false, "Whether the left value is less or equal."),
        (">", .less, true, "Whether the left value is greater."),
        (">=", .lessOrEqual, true, "Whether the left value is greater or equal."),
    ]

    static func register(in registry: FunctionRegistry) {
        let types: [ParameterType] = [
            .boolean, .exact(.int8), .int16, .int32, .int64, .float32, .float64, .anyDecimal, .numeric, .text, .bytea,
            .date,
            .time, .timeTZ,
            .timestamp, .timestampTZ, .interval, .exact(.uuid), .exact(.jsonb), .exact(.oid), .exact(.internalChar),
            .anyArray, .exact(.varbit(length: nil)), .anyEnumeration,
        ]
        let ranges = RangeKind.allCases.map { ParameterType.exact(.range($0)) }
        for (name, kind, isSwapped, text) in operators {
            for type in types + ranges {
                registry.scalar(
                    name, [type, type], .boolean,
                    FunctionDocumentation(
                        "Comparison", text, example: "2 \(name) 3", result: exampleResult(kind, isSwapped))
                ) { arguments, _, count, _ in
                    isSwapped
                        ? Comparison.evaluate(kind, arguments[1], arguments[0], count)
                        : Comparison.evaluate(kind, arguments[0], arguments[1], count)
                }
            }
        }
        for type in types + ranges {
            for isNegated in [false, true] {
                registry.scalar(
                    isNegated ? "is not distinct from" : "is distinct from", [type, type], .boolean, isStrict: false,
                    FunctionDocumentation(
                        "Comparison",
                        isNegated ? "Equality that treats NULL as a value." : "Difference that treats NULL as a value.")
                ) { arguments, _, count, _ in
                    Comparison.isDistinct(arguments[0], arguments[1], count, isNegated: isNegated)
                }
            }
        }
    }

    private static func exampleResult(_ kind: ComparisonKind, _ isSwapped: Bool) -> String {
        switch kind {
        case .equal: "f"
        case .notEqual: "t"
        case .less, .lessOrEqual: isSwapped ? "f" : "t"
        }
    }
}

/// Comparison of whole vectors of one type (decimals: of any scales).
package enum Comparison {
    static func evaluate(_ kind: ComparisonKind, _ left: Vector, _ right: Vector, _ count: Int) -> Vector {
        var a = left
        var b = right
        if a.type.isDecimal && b.type.isDecimal && (a.type.scale != b.type.scale || a.physical != b.physical) {
            (a, b) = DecimalVector.aligned(a, b)
        }
        if case .array(let element) = a.type, kind == .less || kind == .lessOrEqual {
            return arrays(kind, a, b, element, count)
        }
        switch a.physical {
        case .boolean: return integers(kind, a, b, count, UInt8.self)
        case .int8: return integers(kind, a, b, count, Int8.self)
        case .int16: return integers(kind, a, b, count, Int16.self)
        case .int32: return integers(kind, a, b, count, Int32.self)
        case .int64: return integers(kind, a, b, count, Int64.self)
        case .int128: return integers(kind, a, b, count, Int128.self)
        case .float32: return floats(kind, a, b, count, Float.self)
        case .float64: return floats(kind, a, b, count, Double.self)
        case .interval: return intervals(kind, a, b, count)
        case .uuid: return uuids(kind, a, b, count)
        case .view: return views(kind, a, b, count)
        }
    }

    @inline(__always)
    private static func integers<T: FixedWidthInteger>(
        _ kind: ComparisonKind, _ a: Vector, _ b: Vector, _ count: Int, _: T.Type
    ) -> Vector {
        switch kind {
        case .equal: Kernel.compare(a, b, count) { (x: T, y: T) in x == y }
        case .notEqual: Kernel.compare(a, b, count) { (x: T, y: T) in x != y }
        case .less: Kernel.compare(a, b, count) { (x: T, y: T) in x < y }
        case .lessOrEqual: Kernel.compare(a, b, count) { (x: T, y: T) in x <= y }
        }
    }

    @inline(__always)
    private static func floats<T: BinaryFloatingPoint>(
        _ kind: ComparisonKind, _ a: Vector, _ b: Vector, _ count: Int, _: T.Type
    ) -> Vector {
        switch kind {
        case .equal: Kernel.compare(a, b, count) { (x: T, y: T) in FloatOrder.equal(x, y) }
        case .notEqual: Kernel.compare(a, b, count) { (x: T, y: T) in !FloatOrder.equal(x, y) }
        case .less: Kernel.compare(a, b, count) { (x: T, y: T) in FloatOrder.less(x, y) }
        case .lessOrEqual: Kernel.compare(a, b, count) { (x: T, y: T) in FloatOrder.lessOrEqual(x, y) }
        }
    }

    private static func intervals(_ kind: ComparisonKind, _ a: Vector, _ b: Vector, _ count: Int) -> Vector {
        Kernel.compare(a, b, count) { (x: IntervalValue, y: IntervalValue) in
            let left = x.comparisonMicroseconds
            let right = y.comparisonMicroseconds
            switch kind {
            case .equal: return left == right
            case .notEqual: return left != right
            case .less: return left < right
            case .lessOrEqual: return left <= right
            }
        }
    }

    private static func uuids(_ kind: ComparisonKind, _ a: Vector, _ b: Vector, _ count: Int) -> Vector {
        Kernel.compare(a, b, count) { (x: UUIDValue, y: UUIDValue) in
            switch kind {
            case .equal: return x == y
            case .notEqual: return x != y
            case .less: return x.high != y.high ? x.high < y.high : x.low < y.low
            case .lessOrEqual: return x.high != y.high ? x.high < y.high : x.low <= y.low
            }
        }
    }

    private static func views(_ kind: ComparisonKind, _ a: Vector, _ b: Vector, _ count: Int) -> Vector {
        let kindOfViews = ViewKind(a.type)
        if !kindOfViews.isBytes { return meanings(kindOfViews, kind, a, b, count) }
        switch kind {
        case .equal: return Kernel.compare(a, b, count) { (x: StringView, y: StringView) in StringView.equal(x, y) }
        case .notEqual: return Kernel.compare(a, b, count) { (x: StringView, y: StringView) in !StringView.equal(x, y) }
        case .less, .lessOrEqual: break
        }
        let result = Vector(flat: .boolean, capacity: count)
        let target = result.values(UInt8.self)
        let x = ViewColumn(a)
        let y = ViewColumn(b)
        let limit = kind == .less ? 0 : 1
        var row = 0
        while row < count {
            target[row] = flag(StringView.compare(x.view(row), y.view(row)) < limit)
            row &+= 1
        }
        return result
    }

    /// Values whose bytes alone do not decide.
    private static func meanings(
        _ views: ViewKind, _ kind: ComparisonKind, _ a: Vector, _ b: Vector, _ count: Int
    ) -> Vector {
        let result = Vector(flat: .boolean, capacity: count)
        let target = result.values(UInt8.self)
        let x = ViewColumn(a)
        let y = ViewColumn(b)
        let mayHaveNulls = a.mayHaveNulls || b.mayHaveNulls
        for row in 0..<count {
            // The bytes of null rows mean nothing.
            if mayHaveNulls, a.isNull(row) || b.isNull(row) {
                target[row] = 0
                continue
            }
            switch kind {
            case .equal: target[row] = flag(views.equal(x.view(row), y.view(row)))
            case .notEqual: target[row] = flag(!views.equal(x.view(row), y.view(row)))
            case .less: target[row] = flag(views.compare(x.view(row), y.view(row)) < 0)
            case .lessOrEqual: target[row] = flag(views.compare(x.view(row), y.view(row)) <= 0)
            }
        }
        return result
    }

    private static func arrays(_ kind: ComparisonKind, _ a: Vector, _ b: Vector, _ element: DataType, _ count: Int)
        -> Vector
    {
        let result = Vector(flat: .boolean, capacity: count)
        let target = result.values(UInt8.self)
        let x = ViewColumn(a)
        let y = ViewColumn(b)
        for row in 0..<count {
            if a.isNull(row) || b.isNull(row) {
                target[row] = 0
                continue
            }
            let left = x.bytes(row)
            let right = y.bytes(row)
            guard let l = left.baseAddress, let r = right.baseAddress else { continue }
            var order = compareElements(
                ArrayBlob.decode(l, byteCount: left.count, elementType: element),
                ArrayBlob.decode(r, byteCount: right.count, elementType: element))
            if order == 0 {
                order = ArrayBlob.shape(l, byteCount: left.count).compare(
                    ArrayBlob.shape(r, byteCount: right.count))
            }
            target[row] = flag(kind == .less ? order < 0 : order <= 0)
        }
        return result
    }

    private static func compareElements(_ a: Vector, _ b: Vector) -> Int {
        for row in 0..<min(a.count, b.count) {
            let order = compareValues(a, row, b, row)
            if order != 0 { return order }
        }
        return a.count - b.count
    }

    /// Order of two values of one type, in any encoding: negative, zero or positive. NULL is the largest. Not for hot code.
    package static func compareValues(_ a: Vector, _ rowA: Int, _ b: Vector, _ rowB: Int) -> Int {
        let nullA = a.isNull(rowA)
        let nullB = b.isNull(rowB)
        if nullA || nullB { return nullA ? (nullB ? 0 : 1) : -1 }
        let (x, i) = a.position(rowA)
        let (y, j) = b.position(rowB)
        func order<T: Comparable>(_ left: T, _ right: T) -> Int { left < right ? -1 : left == right ? 0 : 1 }
        func floatOrder<T: BinaryFloatingPoint>(_ left: T, _ right: T) -> Int {
            FloatOrder.less(left, right) ? -1 : FloatOrder.equal(left, right) ? 0 : 1
        }
        switch x.physical {
        case .boolean: return order(x.values(UInt8.self)[i], y.values(UInt8.self)[j])
        case .int8: return order(x.values(Int8.self)[i], y.values(Int8.self)[j])
        case .int16: return order(x.values(Int16.self)[i], y.values(Int16.self)[j])
        case .int32: return order(x.values(Int32.self)[i], y.values(Int32.self)[j])
        case .int64: return order(x.values(Int64.self)[i], y.values(Int64.self)[j])
        case .int128: return order(x.values(Int128.self)[i], y.values(Int128.self)[j])
        case .float32: return floatOrder(x.values(Float.self)[i], y.values(Float.self)[j])
        case .float64: return floatOrder(x.values(Double.self)[i], y.values(Double.self)[j])
        case .interval:
            return order(
                x.values(IntervalValue.self)[i].comparisonMicroseconds,
                y.values(IntervalValue.self)[j].comparisonMicroseconds)
        case .uuid:
            let left = x.values(UUIDValue.self)[i]
            let right = y.values(UUIDValue.self)[j]
            return left.high != right.high ? order(left.high, right.high) : order(left.low, right.low)
        case .view:
            if case .array(let element) = x.type {
                let left = x.views + i
                let right = y.views + j
                let order = compareElements(
                    ArrayBlob.decode(StringView.bytes(at: left), byteCount: left.pointee.count, elementType: element),
                    ArrayBlob.decode(StringView.bytes(at: right), byteCount: right.pointee.count, elementType: element))
                return order != 0 ? order : ArrayBlob.shape(left).compare(ArrayBlob.shape(right))
            }
            return ViewKind(x.type).compare(x.views + i, y.views + j)
        }
    }

    static func isDistinct(_ a: Vector, _ b: Vector, _ count: Int, isNegated: Bool) -> Vector {
        let result = evaluate(.notEqual, a, b, count)
        let flags = result.values(UInt8.self)
        if a.mayHaveNulls || b.mayHaveNulls {
            for row in 0..<count {
                let nullA = a.isNull(row)
                let nullB = b.isNull(row)
                if nullA || nullB { flags[row] = flag(nullA != nullB) }
            }
        }
        if isNegated {
            for row in 0..<count { flags[row] ^= 1 }
        }
        return result
    }
}
