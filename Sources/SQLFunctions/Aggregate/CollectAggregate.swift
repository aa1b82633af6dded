// Aggregates that keep their input: array_agg, string_agg, arg_min, arg_max, ordered sets, and the distinct-count sketch.

import Columnar
import Diagnostics
import Glibc

enum CollectAggregates {
    static func register(in registry: FunctionRegistry) {
        func text(_ text: String) -> FunctionDocumentation { FunctionDocumentation("Aggregate", text) }
        registry.aggregate(
            "array_agg", [.any], typed: { $0[0].arrayType }, isOrderSensitive: true,
            text("All values, null ones too, as an array.")
        ) { types, result in BoxAggregate(ArrayAggregate(element: types[0], resultType: result)) }
        for type in [DataType.text, .bytea] {
            registry.aggregate(
                "string_agg", [.exact(type), .exact(type)], typed: { _ in type }, isOrderSensitive: true,
                text("The values that are not null, joined by a separator.")
            ) { _, result in BoxAggregate(StringAggregate(resultType: result)) }
        }
        for (name, isMax) in [("arg_min", false), ("arg_max", true), ("min_by", false), ("max_by", true)] {
            registry.aggregate(
                name, [.any, .any], typed: { $0[0] },
                text("The first argument in the row where the second is \(isMax ? "largest" : "smallest").")
            ) { types, result in BoxAggregate(ArgExtreme(resultType: result, key: types[1], isMax: isMax)) }
        }
        registerOrderedSets(in: registry)
        registry.aggregate(
            "approx_count_distinct", [.any], .int64,
            text("About the number of different values that are not null; the error is 1.6 % as a rule.")
        ) { _, _ in BoxAggregate(DistinctSketch()) }
    }

    private static func registerOrderedSets(in registry: FunctionRegistry) {
        func text(_ text: String) -> FunctionDocumentation { FunctionDocumentation("Ordered-set aggregate", text) }
        let continuous = text("The value at a fraction of the ordered values, interpolated.")
        // The binder calls those of the other name for ORDER BY … DESC.
        for isDescending in [false, true] {
            func name(_ name: String) -> String { isDescending ? name + OrderedSets.descendingSuffix : name }
            for type in [DataType.float64, .interval] {
                registry.aggregate(
                    name("percentile_cont"), [.float64, .exact(type)], type, isOrderedSet: true, continuous
                ) { types, result in
                    BoxAggregate(
                        PercentileAggregate(
                            value: types[1], resultType: result, mode: .continuous, isDescending: isDescending))
                }
            }
            registry.aggregate(
                name("percentile_disc"), [.float64, .any], typed: { $0[1] }, isOrderedSet: true,
                text("The first value whose position reaches a fraction of the ordered values.")
            ) { types, result in
                BoxAggregate(
                    PercentileAggregate(
                        value: types[1], resultType: result, mode: .discrete, isDescending: isDescending))
            }
            registry.aggregate(
                name("mode"), [.any], typed: { $0[0] }, isOrderedSet: true,
                text("The most frequent value; of several, the first in order.")
            ) { types, result in
                BoxAggregate(
                    PercentileAggregate(value: types[0], resultType: result, mode: .mode, isDescending: isDescending))
            }
        }
        registry.aggregate("median", [.float64], .float64, text("The middle of the ordered values, interpolated.")) {
            types, result in
            BoxAggregate(PercentileAggregate(value: types[0], resultType: result, mode: .median))
        }
    }
}

package enum OrderedSets {
    /// What the names of ordered-set aggregates over a descending order end with.
    package static let descendingSuffix = " descending"
}

struct ArrayAggregate: BoxLogic {
    let element: DataType
    let resultType: DataType
    var skipsNulls: Bool { false }
    var exportedTypes: [DataType] { [] }
    func makeBox() -> ValueList { ValueList(type: element) }
    func finish(_ box: ValueList?, to result: Vector, row: Int, heap: StringHeap) throws {
        guard let box else { return result.setNull(row) }
        let values = box.finished()
        guard case .array(let inner) = element else {
            result.views[row] = heap.copy(ArrayBlob.encode(values))
            return
        }
        result.views[row] = heap.copy(try ArrayFunctions.combined(values, inner, .accumulated))
    }
}

extension StringHeap {
    func copy(_ bytes: [UInt8]) -> StringView {
        bytes.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { copy($0, count: buffer.count) } ?? StringView()
        }
    }
}

struct StringAggregate: BoxLogic {
    let resultType: DataType

    final class Joined: AggregateBox {
        var bytes: [UInt8] = []
        /// The separator in front of the first value, for when another box comes before it.
        var firstSeparator: [UInt8] = []
        var isEmpty = true

        func add(_ arguments: [Vector], _ row: Int) {
            let separator = arguments[1].isNull(row) ? [] : StringView.array(at: arguments[1].views + row)
            if isEmpty { firstSeparator = separator } else { bytes.append(contentsOf: separator) }
            isEmpty = false
            let view = arguments[0].views + row
            bytes.append(contentsOf: UnsafeBufferPointer(start: StringView.bytes(at: view), count: view.pointee.count))
        }
        func absorb(_ other: Joined) {
            if other.isEmpty { return }
            if isEmpty { firstSeparator = other.firstSeparator } else { bytes.append(contentsOf: other.firstSeparator) }
            isEmpty = false
            bytes.append(contentsOf: other.bytes)
        }
    }
    func makeBox() -> Joined { Joined() }
    func finish(_ box: Joined?, to result: Vector, row: Int, heap: StringHeap) throws {
        guard let box else { return result.setNull(row) }
        result.views[row] = heap.copy(box.bytes)
    }
}

struct ArgExtreme: BoxLogic {
    let resultType: DataType
    let key: DataType
    let isMax: Bool
    var skipsNulls: Bool { false }

    final class Best: AggregateBox {
        var value: ValueList
        var key: ValueList
        let isMax: Bool
        init(value: DataType, key: DataType, isMax: Bool) {
            self.value = ValueList(type: value)
            self.key = ValueList(type: key)
            self.isMax = isMax
        }
        private func consider(_ candidate: Vector, _ candidateKey: Vector, _ row: Int) {
            if candidateKey.isNull(row) { return }
            if key.count > 0 {
                let order = Comparison.compareValues(candidateKey, row, key.vector, 0)
                if isMax ? order <= 0 : order >= 0 { return }
            }
            value = ValueList(type: value.vector.type)
            key = ValueList(type: key.vector.type)
            value.append(candidate, row)
            key.append(candidateKey, row)
        }
        func add(_ arguments: [Vector], _ row: Int) { consider(arguments[0], arguments[1], row) }
        func absorb(_ other: Best) { if other.key.count > 0 { consider(other.value.vector, other.key.vector, 0) } }
    }
    func makeBox() -> Best { Best(value: resultType, key: key, isMax: isMax) }
    func finish(_ box: Best?, to result: Vector, row: Int, heap: StringHeap) throws {
        guard let box, box.value.count > 0 else { return result.setNull(row) }
        result.copyRow(row, from: box.value.vector, 0, heap: heap)
    }
}

extension Vector {
    /// Copies one row of a flat vector of the same layout; long strings move to `heap`.
    func copyRow(_ row: Int, from source: Vector, _ sourceRow: Int, heap: StringHeap) {
        if source.isNull(sourceRow) { return setNull(row) }
        if physical == .view {
            views[row] = heap.copy(source.views[sourceRow])
        } else {
            let width = physical.width
            (data + row * width).copyMemory(from: source.data + sourceRow * width, byteCount: width)
        }
    }
}

/// percentile_cont, percentile_disc, median and mode: values are collected and sorted at the end.
struct PercentileAggregate: BoxLogic {
    enum Mode: Sendable { case continuous, discrete, median, mode }
    let value: DataType
    let resultType: DataType
    let mode: Mode
    var isDescending = false
    var skipsNulls: Bool { false }

    final class Values: AggregateBox {
        let list: ValueList
        let valueArgument: Int
        var fraction: Double?
        init(type: DataType, hasFraction: Bool) {
            valueArgument = hasFraction ? 1 : 0
            list = ValueList(type: type)
        }
        func add(_ arguments: [Vector], _ row: Int) throws {
            if valueArgument == 1, fraction == nil, !arguments[0].isNull(row) {
                let value = arguments[0].values(Double.self)[row]
                guard value >= 0, value <= 1 else {
                    throw QueryError(.numericValueOutOfRange, "percentile value \(value) is not between 0 and 1")
                }
                fraction = value
            }
            if !arguments[valueArgument].isNull(row) { list.append(arguments[valueArgument], row) }
        }
        func absorb(_ other: Values) {
            fraction = fraction ?? other.fraction
            list.absorb(other.list)
        }
    }
    func makeBox() -> Values { Values(type: value, hasFraction: mode == .continuous || mode == .discrete) }

    func finish(_ box: Values?, to result: Vector, row: Int, heap: StringHeap) throws {
        guard let box, box.list.count > 0 else { return result.setNull(row) }
        let vector = box.list.finished()
        let count = vector.count
        if vector.physical == .float64, mode == .median || mode == .continuous {
            guard var fraction = mode == .median ? 0.5 : box.fraction else { return result.setNull(row) }
            if isDescending { fraction = 1 - fraction }
            var sorted = UnsafeMutableBufferPointer(start: vector.values(Double.self), count: count)
            sorted.sort { FloatOrder.less($0, $1) }
            let position = fraction * Double(count - 1)
            let low = Int(position)
            let high = min(low + 1, count - 1)
            let share = position - Double(low)
            result.values(Double.self)[row] =
                share == 0 ? sorted[low] : sorted[low] + (sorted[high] - sorted[low]) * share
            return
        }
        let order = (0..<count).sorted { a, b in
            let compared = Comparison.compareValues(vector, a, vector, b)
            return compared != 0 ? (compared < 0) != isDescending : a < b
        }
        switch mode {
        case .mode:
            var best = 0
            var bestCount = 0
            var start = 0
            while start < count {
                var end = start + 1
                while end < count, Comparison.compareValues(vector, order[start], vector, order[end]) == 0 { end += 1 }
                if end - start > bestCount {
                    best = order[start]
                    bestCount = end - start
                }
                start = end
            }
            result.copyRow(row, from: vector, best, heap: heap)
        case .discrete:
            guard let fraction = box.fraction else { return result.setNull(row) }
            let position = max(1, Int((fraction * Double(count)).rounded(.up)))
            result.copyRow(row, from: vector, order[min(position, count) - 1], heap: heap)
        case .continuous, .median:
            guard let fraction = mode == .median ? 0.5 : box.fraction else { return result.setNull(row) }
            let position = fraction * Double(count - 1)
            let low = Int(position)
            let share = position - Double(low)
            let a = vector.values(IntervalValue.self)[order[low]]
            let b = vector.values(IntervalValue.self)[order[min(low + 1, count - 1)]]
            guard let between = share == 0 ? a : DateArithmetic.interpolated(a, b, share) else {
                throw QueryError(.datetimeFieldOverflow, "interval out of range")
            }
            result.values(IntervalValue.self)[row] = between
        }
    }
}

/// HyperLogLog with 4,096 registers (Flajolet et al. 2007, with linear counting for few values).
struct DistinctSketch: BoxLogic {
    var resultType: DataType { .int64 }
    var exportedTypes: [DataType] { [.bytea] }
    private static let registerBits = 12

    final class Registers: AggregateBox {
        var registers = [UInt8](repeating: 0, count: 1 << DistinctSketch.registerBits)

        /// The argument is the vector of hashes that `prepare` made.
        func add(_ arguments: [Vector], _ row: Int) { add(hash: arguments[0].values(UInt64.self)[row]) }
        func add(hash: UInt64) {
            let index = Int(hash >> UInt64(64 - DistinctSketch.registerBits))
            let rest = hash << UInt64(DistinctSketch.registerBits) | 1 << UInt64(DistinctSketch.registerBits - 1)
            registers[index] = max(registers[index], UInt8(rest.leadingZeroBitCount + 1))
        }
        func absorb(_ other: Registers) {
            for index in registers.indices { registers[index] = max(registers[index], other.registers[index]) }
        }
        var estimate: Double {
            let count = Double(registers.count)
            var sum = 0.0
            var zeros = 0
            for register in registers {
                sum += 1 / Double(UInt64(1) << UInt64(register))
                if register == 0 { zeros += 1 }
            }
            let raw = 0.7213 / (1 + 1.079 / count) * count * count / sum
            if raw <= 2.5 * count, zeros > 0 { return count * log(count / Double(zeros)) }
            return raw
        }
    }
    func makeBox() -> Registers { Registers() }
    func prepare(_ arguments: [Vector], count: Int) -> [Vector] {
        let hashes = Vector(flat: .int64, capacity: count)
        Hashing.hash(arguments[0], into: hashes.values(UInt64.self), combining: false)
        hashes.validity = arguments[0].validity
        hashes.validityOwner = arguments[0].validityOwner
        return [hashes]
    }
    func finish(_ box: Registers?, to result: Vector, row: Int, heap: StringHeap) throws {
        result.values(Int64.self)[row] = box.map { Int64($0.estimate.rounded()) } ?? 0
    }
    func export(_ box: Registers?, to columns: [Vector], row: Int, heap: StringHeap) throws {
        guard let box else { return columns[0].setNull(row) }
        columns[0].views[row] = heap.copy(box.registers)
    }
    func load(_ columns: [Vector], row: Int) throws -> Registers? {
        if columns[0].isNull(row) { return nil }
        let box = Registers()
        let bytes = StringView.array(at: columns[0].views + row)
        guard bytes.count == box.registers.count else { throw QueryError.internalError("a sketch of another size") }
        box.registers = bytes
        return box
    }
}
