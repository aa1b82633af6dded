// sum, avg and the variance family over exact numbers, without rounding before the end.

import Columnar
import Diagnostics

enum NumericAggregates {
    static func register(in registry: FunctionRegistry) {
        for (name, isAverage) in [("sum", false), ("avg", true)] {
            registry.aggregate(
                name, [.numeric], .anyNumeric,
                FunctionDocumentation(
                    "Aggregate",
                    isAverage
                        ? "Arithmetic mean of the values that are not null."
                        : "Sum of the values that are not null; NULL without any.")
            ) { _, _ in BoxAggregate(NumericSum(isAverage: isAverage)) }
        }
        let variances: [(String, NumericVariance.Result, String)] = [
            ("stddev", .sampleDeviation, "Sample standard deviation."),
            ("stddev_samp", .sampleDeviation, "Sample standard deviation."),
            ("stddev_pop", .populationDeviation, "Population standard deviation."),
            ("variance", .sampleVariance, "Sample variance."), ("var_samp", .sampleVariance, "Sample variance."),
            ("var_pop", .populationVariance, "Population variance."),
        ]
        for (name, result, text) in variances {
            for parameter in [ParameterType.int16, .int32, .int64, .anyDecimal, .numeric] {
                registry.aggregate(name, [parameter], .anyNumeric, FunctionDocumentation("Statistics", text)) {
                    types, _ in variance(result, types[0])
                }
            }
        }
    }
}

extension NumericAggregates {
    private static func variance(_ result: NumericVariance.Result, _ type: DataType) -> any AggregateExecutor {
        switch type.physical {
        case .int16: StateAggregate(ExactVariance<Int16>(result: result, scale: 0))
        case .int32: StateAggregate(ExactVariance<Int32>(result: result, scale: 0))
        case .int64: StateAggregate(ExactVariance<Int64>(result: result, scale: type.scale))
        default: BoxAggregate(NumericVariance(result: result))
        }
    }
}

/// A running sum of numerics: in 128 bits as long as they suffice. Its scale is the largest that came in.
struct NumericAccumulator {
    private var small: Int128 = 0
    private var scale = 0
    /// What did not fit, and what is not finite.
    private var large: NumericValue?

    var total: NumericValue {
        let rest = NumericValue(small, scale: scale)
        return large.map { NumericValue.sum($0, rest) } ?? rest
    }

    mutating func add(_ unscaled: Int128, scale other: Int) {
        if other == scale {
            let (sum, overflow) = small.addingReportingOverflow(unscaled)
            if !overflow {
                small = sum
                return
            }
        }
        addSlowly(NumericValue(unscaled, scale: other))
    }

    mutating func add(_ view: UnsafePointer<StringView>) {
        if let (unscaled, scale) = NumericBlob.small(view) {
            add(unscaled, scale: scale)
        } else {
            addSlowly(NumericBlob.value(view))
        }
    }

    mutating func add(_ value: NumericValue) {
        if let small = value.unscaled(precision: 37, scale: value.scale) {
            add(small, scale: value.scale)
        } else {
            addSlowly(value)
        }
    }

    private mutating func addSlowly(_ value: NumericValue) {
        let sum = NumericValue.sum(NumericValue(small, scale: scale), value)
        if let unscaled = sum.unscaled(precision: 37, scale: sum.scale) {
            small = unscaled
            scale = sum.scale
        } else {
            large = large.map { NumericValue.sum($0, sum) } ?? sum
            small = 0
            scale = max(scale, value.scale)
        }
    }
}

struct NumericSum: BoxLogic {
    let isAverage: Bool
    var resultType: DataType { .anyNumeric }
    var exportedTypes: [DataType] { [.anyNumeric, .int64] }

    final class Sum: AggregateBox {
        var sum = NumericAccumulator()
        var count: Int64 = 0
        func add(_ arguments: [Vector], _ row: Int) {
            sum.add(arguments[0].views + row)
            count += 1
        }
        func absorb(_ other: Sum) {
            sum.add(other.sum.total)
            count += other.count
        }
    }
    func makeBox() -> Sum { Sum() }

    func finish(_ box: Sum?, to result: Vector, row: Int, heap: StringHeap) throws {
        guard let box, box.count > 0 else { return result.setNull(row) }
        var value = box.sum.total
        if isAverage { value = try NumericValue.quotient(value, NumericValue(box.count)) }
        result.views[row] = NumericBlob.view(try value.checked(), heap: heap)
    }
    func export(_ box: Sum?, to columns: [Vector], row: Int, heap: StringHeap) throws {
        columns[0].views[row] = NumericBlob.view(box?.sum.total ?? .zero, heap: heap)
        columns[1].values(Int64.self)[row] = box?.count ?? 0
    }
    func load(_ columns: [Vector], row: Int) throws -> Sum? {
        let box = Sum()
        box.count = columns[1].values(Int64.self)[row]
        if box.count == 0 { return nil }
        box.sum.add(NumericBlob.value(columns[0].views + row))
        return box
    }
}

/// Variance by exact sums of the values and of their squares.
struct NumericVariance: BoxLogic {
    enum Result: Sendable { case sampleVariance, populationVariance, sampleDeviation, populationDeviation }
    let result: Result
    var resultType: DataType { .anyNumeric }
    var exportedTypes: [DataType] { [.anyNumeric, .anyNumeric, .int64] }

    final class Moments: AggregateBox {
        var sum = NumericAccumulator()
        var squares = NumericAccumulator()
        var count: Int64 = 0
        func add(_ arguments: [Vector], _ row: Int) {
            count += 1
            let vector = arguments[0]
            switch vector.physical {
            case .int128: add(vector.values(Int128.self)[row], vector.type.scale)
            default:
                if let (unscaled, scale) = NumericBlob.small(vector.views + row) { return add(unscaled, scale) }
                let value = NumericBlob.value(vector.views + row)
                sum.add(value)
                squares.add(NumericValue.product(value, value))
            }
        }
        private func add(_ unscaled: Int128, _ scale: Int) {
            sum.add(unscaled, scale: scale)
            let (square, overflow) = unscaled.multipliedReportingOverflow(by: unscaled)
            if overflow {
                let value = NumericValue(unscaled, scale: scale)
                squares.add(NumericValue.product(value, value))
            } else {
                squares.add(square, scale: scale * 2)
            }
        }
        func absorb(_ other: Moments) {
            sum.add(other.sum.total)
            squares.add(other.squares.total)
            count += other.count
        }
    }
    func makeBox() -> Moments { Moments() }

    func finish(_ box: Moments?, to output: Vector, row: Int, heap: StringHeap) throws {
        guard let box, box.count > (result.isSample ? 1 : 0) else { return output.setNull(row) }
        let value = result.value(sum: box.sum.total, squares: box.squares.total, count: box.count)
        output.views[row] = NumericBlob.view(try value.checked(), heap: heap)
    }

    func export(_ box: Moments?, to columns: [Vector], row: Int, heap: StringHeap) throws {
        columns[0].views[row] = NumericBlob.view(box?.sum.total ?? .zero, heap: heap)
        columns[1].views[row] = NumericBlob.view(box?.squares.total ?? .zero, heap: heap)
        columns[2].values(Int64.self)[row] = box?.count ?? 0
    }
    func load(_ columns: [Vector], row: Int) throws -> Moments? {
        let box = Moments()
        box.count = columns[2].values(Int64.self)[row]
        if box.count == 0 { return nil }
        box.sum.add(NumericBlob.value(columns[0].views + row))
        box.squares.add(NumericBlob.value(columns[1].views + row))
        return box
    }
}
