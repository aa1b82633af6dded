// sum: exact for integers and decimals, in order of arrival for floats.

import Columnar
import Diagnostics
import QueryPlan

func sumFunctions() -> [AggregateFunction] {
    let documentation = FunctionDocumentation("Aggregate", "Sum of the arguments that are not null.", example: "sum(x)")
    func make(_ parameter: ParameterType, _ result: @escaping @Sendable ([DataType]) -> DataType) -> AggregateFunction {
        AggregateFunction("sum", [parameter], resultType: { result($0) }, documentation: documentation) { arguments, result in
            try SumExecutor.make(argument: arguments[0], result: result)
        }
    }
    return [
        make(.exact(.int16)) { _ in .int64 },
        make(.exact(.int32)) { _ in .int64 },
        make(.exact(.int64)) { _ in .decimal(precision: DataType.decimalPrecisionMax, scale: 0) },
        make(.anyDecimal) { .decimal(precision: DataType.decimalPrecisionMax, scale: $0[0].scale) },
        make(.exact(.float32)) { _ in .float32 },
        make(.exact(.float64)) { _ in .float64 },
        make(.exact(.interval)) { _ in .interval },
    ]
}

enum SumExecutor {
    static func make(argument: DataType, result: DataType) throws -> any AggregateExecutor {
        switch argument.physical {
        case .int8, .int16, .int32, .int64, .int128: ExactSumExecutor(argument: argument, result: result, divides: false)
        case .float32, .float64: FloatSumExecutor(result: result, divides: false)
        case .interval: IntervalSumExecutor(divides: false)
        default: throw QueryError.internalError("sum of \(argument.sqlName)")
        }
    }
}

/// A 128-bit sum and the number of values, at any 8-byte boundary. 24 bytes.
struct ExactSumState {
    var low: UInt64
    var high: Int64
    var count: Int64

    @inline(__always)
    mutating func add(_ value: Int64) {
        let sum = low &+ UInt64(bitPattern: value)
        let carry = Int64(unsafeBitCast(sum < low, to: UInt8.self))
        high = high &+ (value &>> 63) &+ carry
        low = sum
        count &+= 1
    }

    var value: Int128 {
        get { Int128(high) << 64 | Int128(low) }
        set {
            low = UInt64(truncatingIfNeeded: newValue)
            high = Int64(truncatingIfNeeded: newValue >> 64)
        }
    }

    /// Adds a wide value; `false` if the sum does not fit 128 bits.
    mutating func addWide(_ other: Int128, count added: Int64) -> Bool {
        let (sum, overflow) = value.addingReportingOverflow(other)
        value = sum
        count &+= added
        return !overflow
    }
}

/// sum and avg of integers and decimals.
final class ExactSumExecutor: AggregateExecutor {
    let stateByteCount = 24
    let exportedTypes: [DataType] = [.decimal(precision: 38, scale: 0), .int64]
    private let argument: DataType
    private let result: DataType
    /// avg instead of sum.
    private let divides: Bool

    init(argument: DataType, result: DataType, divides: Bool) {
        self.argument = argument
        self.result = result
        self.divides = divides
    }

    private static let overflow = QueryError(.numericValueOutOfRange, "value overflows numeric format")
    private static let largest: Int128 = {
        var power: Int128 = 1
        for _ in 0..<38 { power *= 10 }
        return power - 1
    }()

    func initialize(_ states: StatePointers, offset: Int, count: Int) {
        for index in 0..<count {
            (states[index] + offset).storeBytes(of: ExactSumState(low: 0, high: 0, count: 0), as: ExactSumState.self)
        }
    }

    func update(_ states: StatePointers, offset: Int, arguments: [Vector], count: Int) throws {
        let vector = arguments[0].encoding == .flat ? arguments[0] : arguments[0].flattened()
        switch vector.physical {
        case .int8: scatter(vector.values(Int8.self), vector.validity, states, offset, count)
        case .int16: scatter(vector.values(Int16.self), vector.validity, states, offset, count)
        case .int32: scatter(vector.values(Int32.self), vector.validity, states, offset, count)
        case .int64: scatter(vector.values(Int64.self), vector.validity, states, offset, count)
        default:
            let values = vector.values(Int128.self)
            var fits = true
            for row in 0..<count where isPresent(vector.validity, row) {
                let state = (states[row] + offset).assumingMemoryBound(to: ExactSumState.self)
                fits = state.pointee.addWide(values[row], count: 1) && fits
            }
            if !fits { throw Self.overflow }
        }
    }

    @inline(__always)
    private func scatter<T: FixedWidthInteger>(
        _ values: UnsafePointer<T>, _ validity: UnsafeMutablePointer<UInt64>?, _ states: StatePointers, _ offset: Int,
        _ count: Int
    ) {
        var row = 0
        if validity == nil {
            while row < count {
                let state = (states[row] + offset).assumingMemoryBound(to: ExactSumState.self)
                state.pointee.add(Int64(truncatingIfNeeded: values[row]))
                row &+= 1
            }
        } else {
            while row < count {
                if isPresent(validity, row) {
                    let state = (states[row] + offset).assumingMemoryBound(to: ExactSumState.self)
                    state.pointee.add(Int64(truncatingIfNeeded: values[row]))
                }
                row &+= 1
            }
        }
    }

    func updateSingle(_ state: UnsafeMutableRawPointer, arguments: [Vector], count: Int) throws {
        let target = state.assumingMemoryBound(to: ExactSumState.self)
        let vector = arguments[0].encoding == .flat ? arguments[0] : arguments[0].flattened()
        if vector.validity != nil || vector.physical == .int128 {
            for row in 0..<count where isPresent(vector.validity, row) {
                switch vector.physical {
                case .int8: target.pointee.add(Int64(vector.values(Int8.self)[row]))
                case .int16: target.pointee.add(Int64(vector.values(Int16.self)[row]))
                case .int32: target.pointee.add(Int64(vector.values(Int32.self)[row]))
                case .int64: target.pointee.add(vector.values(Int64.self)[row])
                default:
                    guard target.pointee.addWide(vector.values(Int128.self)[row], count: 1) else { throw Self.overflow }
                }
            }
            return
        }
        switch vector.physical {
        case .int8: addAll(vector.values(Int8.self), count, target)
        case .int16: addAll(vector.values(Int16.self), count, target)
        case .int32: addAll(vector.values(Int32.self), count, target)
        default: addAll(vector.values(Int64.self), count, target)
        }
    }

    /// Sums in 64 bits when the magnitudes of the batch allow it, else value by value.
    @inline(__always)
    private func addAll<T: FixedWidthInteger>(
        _ values: UnsafePointer<T>, _ count: Int, _ target: UnsafeMutablePointer<ExactSumState>
    ) {
        var magnitude: UInt64 = 0
        var sum: Int64 = 0
        var row = 0
        while row < count {
            let value = Int64(truncatingIfNeeded: values[row])
            magnitude |= UInt64(bitPattern: value ^ (value &>> 63))
            sum &+= value
            row &+= 1
        }
        // A batch has at most 2^16 rows: values below 2^46 cannot overflow 63 bits.
        if magnitude < 1 << 46 {
            _ = target.pointee.addWide(Int128(sum), count: Int64(count))
        } else {
            row = 0
            while row < count {
                target.pointee.add(Int64(truncatingIfNeeded: values[row]))
                row &+= 1
            }
        }
    }

    func merge(_ states: StatePointers, offset: Int, exported: [Vector], count: Int) throws {
        let sums = exported[0].flattened().values(Int128.self)
        let counts = exported[1].flattened().values(Int64.self)
        for row in 0..<count {
            let state = (states[row] + offset).assumingMemoryBound(to: ExactSumState.self)
            guard state.pointee.addWide(sums[row], count: counts[row]) else { throw Self.overflow }
        }
    }

    func combine(_ states: StatePointers, sources: StatePointers, offset: Int, count: Int) throws {
        for row in 0..<count {
            let source = (sources[row] + offset).load(as: ExactSumState.self)
            let state = (states[row] + offset).assumingMemoryBound(to: ExactSumState.self)
            guard state.pointee.addWide(source.value, count: source.count) else { throw Self.overflow }
        }
    }

    func export(_ states: StatePointers, offset: Int, count: Int) throws -> [Vector] {
        let sums = Vector(flat: exportedTypes[0], capacity: count)
        let counts = Vector(flat: .int64, capacity: count)
        for row in 0..<count {
            let state = (states[row] + offset).load(as: ExactSumState.self)
            sums.values(Int128.self)[row] = state.value
            counts.values(Int64.self)[row] = state.count
        }
        return [sums, counts]
    }

    func finalize(_ states: StatePointers, offset: Int, count: Int) throws -> Vector {
        let vector = Vector(flat: result, capacity: count)
        for row in 0..<count {
            let state = (states[row] + offset).load(as: ExactSumState.self)
            if state.count == 0 {
                (vector.data + row * vector.physical.width).initializeMemory(
                    as: UInt8.self, repeating: 0, count: vector.physical.width)
                Validity.setNull(vector.ensureValidity(), row)
                continue
            }
            let value = divides ? try Self.average(state, from: argument.scale, to: result.scale) : state.value
            switch vector.physical {
            case .int64:
                guard let narrow = Int64(exactly: value) else {
                    throw QueryError(.numericValueOutOfRange, "bigint out of range")
                }
                vector.values(Int64.self)[row] = narrow
            default:
                guard value.magnitude <= Self.largest.magnitude else { throw Self.overflow }
                vector.values(Int128.self)[row] = value
            }
        }
        return vector
    }

    /// The quotient at the result's scale, halves away from zero. Computed digit by digit where the product would not fit.
    private static func average(_ state: ExactSumState, from: Int, to scale: Int) throws -> Int128 {
        let divisor = Int128(state.count)
        var (quotient, remainder) = state.value.quotientAndRemainder(dividingBy: divisor)
        for _ in 0..<max(0, scale - from) {
            let (shifted, overflow) = quotient.multipliedReportingOverflow(by: 10)
            if overflow { throw Self.overflow }
            let (digit, rest) = (remainder * 10).quotientAndRemainder(dividingBy: divisor)
            quotient = shifted + digit
            remainder = rest
        }
        if remainder.magnitude * 2 >= divisor.magnitude { quotient += state.value < 0 ? -1 : 1 }
        return quotient
    }
}

/// State: the sum (Double) and the number of values (Int64).
final class FloatSumExecutor: AggregateExecutor {
    struct State {
        var sum: Double
        var count: Int64
    }
    let stateByteCount = 16
    let exportedTypes: [DataType] = [.float64, .int64]
    private let result: DataType
    private let divides: Bool

    init(result: DataType, divides: Bool) {
        self.result = result
        self.divides = divides
    }

    func initialize(_ states: StatePointers, offset: Int, count: Int) {
        for index in 0..<count { (states[index] + offset).storeBytes(of: State(sum: 0, count: 0), as: State.self) }
    }

    func update(_ states: StatePointers, offset: Int, arguments: [Vector], count: Int) throws {
        let vector = arguments[0].encoding == .flat ? arguments[0] : arguments[0].flattened()
        if vector.physical == .float32 {
            let values = vector.values(Float.self)
            for row in 0..<count where isPresent(vector.validity, row) {
                let state = (states[row] + offset).assumingMemoryBound(to: State.self)
                state.pointee.sum += Double(values[row])
                state.pointee.count &+= 1
            }
        } else {
            let values = vector.values(Double.self)
            for row in 0..<count where isPresent(vector.validity, row) {
                let state = (states[row] + offset).assumingMemoryBound(to: State.self)
                state.pointee.sum += values[row]
                state.pointee.count &+= 1
            }
        }
    }

    func updateSingle(_ state: UnsafeMutableRawPointer, arguments: [Vector], count: Int) throws {
        let vector = arguments[0].encoding == .flat ? arguments[0] : arguments[0].flattened()
        let target = state.assumingMemoryBound(to: State.self)
        var sum = target.pointee.sum
        var present: Int64 = 0
        for row in 0..<count where isPresent(vector.validity, row) {
            sum += vector.physical == .float32 ? Double(vector.values(Float.self)[row]) : vector.values(Double.self)[row]
            present &+= 1
        }
        target.pointee.sum = sum
        target.pointee.count &+= present
    }

    func merge(_ states: StatePointers, offset: Int, exported: [Vector], count: Int) throws {
        let sums = exported[0].flattened().values(Double.self)
        let counts = exported[1].flattened().values(Int64.self)
        for row in 0..<count {
            let state = (states[row] + offset).assumingMemoryBound(to: State.self)
            state.pointee.sum += sums[row]
            state.pointee.count &+= counts[row]
        }
    }

    func combine(_ states: StatePointers, sources: StatePointers, offset: Int, count: Int) throws {
        for row in 0..<count {
            let source = (sources[row] + offset).load(as: State.self)
            let state = (states[row] + offset).assumingMemoryBound(to: State.self)
            state.pointee.sum += source.sum
            state.pointee.count &+= source.count
        }
    }

    func export(_ states: StatePointers, offset: Int, count: Int) throws -> [Vector] {
        let sums = Vector(flat: .float64, capacity: count)
        let counts = Vector(flat: .int64, capacity: count)
        for row in 0..<count {
            let state = (states[row] + offset).load(as: State.self)
            sums.values(Double.self)[row] = state.sum
            counts.values(Int64.self)[row] = state.count
        }
        return [sums, counts]
    }

    func finalize(_ states: StatePointers, offset: Int, count: Int) throws -> Vector {
        let vector = Vector(flat: result, capacity: count)
        for row in 0..<count {
            let state = (states[row] + offset).load(as: State.self)
            let value = divides && state.count > 0 ? state.sum / Double(state.count) : state.sum
            if vector.physical == .float32 {
                vector.values(Float.self)[row] = Float(value)
            } else {
                vector.values(Double.self)[row] = value
            }
            if state.count == 0 { Validity.setNull(vector.ensureValidity(), row) }
        }
        return vector
    }
}

/// sum and avg of intervals: months, days and microseconds each on their own.
final class IntervalSumExecutor: AggregateExecutor {
    struct State {
        var months: Int64
        var days: Int64
        var microseconds: Int64
        var count: Int64
    }
    let stateByteCount = 32
    let exportedTypes: [DataType] = [.int64, .int64, .int64, .int64]
    private let divides: Bool
    init(divides: Bool) { self.divides = divides }

    private static let outOfRange = QueryError(.datetimeFieldOverflow, "interval out of range")

    func initialize(_ states: StatePointers, offset: Int, count: Int) {
        for index in 0..<count {
            (states[index] + offset).storeBytes(of: State(months: 0, days: 0, microseconds: 0, count: 0), as: State.self)
        }
    }

    func update(_ states: StatePointers, offset: Int, arguments: [Vector], count: Int) throws {
        let vector = arguments[0].flattened()
        for row in 0..<count where isPresent(vector.validity, row) {
            try add(vector.values(IntervalValue.self)[row], to: states[row] + offset)
        }
    }

    func updateSingle(_ state: UnsafeMutableRawPointer, arguments: [Vector], count: Int) throws {
        let vector = arguments[0].flattened()
        for row in 0..<count where isPresent(vector.validity, row) {
            try add(vector.values(IntervalValue.self)[row], to: state)
        }
    }

    private func add(_ value: IntervalValue, to state: UnsafeMutableRawPointer) throws {
        let target = state.assumingMemoryBound(to: State.self)
        let (sum, overflow) = target.pointee.microseconds.addingReportingOverflow(value.microseconds)
        if overflow { throw Self.outOfRange }
        target.pointee.microseconds = sum
        target.pointee.months &+= Int64(value.months)
        target.pointee.days &+= Int64(value.days)
        target.pointee.count &+= 1
    }

    func merge(_ states: StatePointers, offset: Int, exported: [Vector], count: Int) throws {
        let parts = exported.map { $0.flattened().values(Int64.self) }
        for row in 0..<count {
            let target = (states[row] + offset).assumingMemoryBound(to: State.self)
            target.pointee.months &+= parts[0][row]
            target.pointee.days &+= parts[1][row]
            let (sum, overflow) = target.pointee.microseconds.addingReportingOverflow(parts[2][row])
            if overflow { throw Self.outOfRange }
            target.pointee.microseconds = sum
            target.pointee.count &+= parts[3][row]
        }
    }

    func combine(_ states: StatePointers, sources: StatePointers, offset: Int, count: Int) throws {
        for row in 0..<count {
            let source = (sources[row] + offset).load(as: State.self)
            let target = (states[row] + offset).assumingMemoryBound(to: State.self)
            target.pointee.months &+= source.months
            target.pointee.days &+= source.days
            let (sum, overflow) = target.pointee.microseconds.addingReportingOverflow(source.microseconds)
            if overflow { throw Self.outOfRange }
            target.pointee.microseconds = sum
            target.pointee.count &+= source.count
        }
    }

    func export(_ states: StatePointers, offset: Int, count: Int) throws -> [Vector] {
        let vectors = exportedTypes.map { Vector(flat: $0, capacity: count) }
        for row in 0..<count {
            let state = (states[row] + offset).load(as: State.self)
            vectors[0].values(Int64.self)[row] = state.months
            vectors[1].values(Int64.self)[row] = state.days
            vectors[2].values(Int64.self)[row] = state.microseconds
            vectors[3].values(Int64.self)[row] = state.count
        }
        return vectors
    }

    func finalize(_ states: StatePointers, offset: Int, count: Int) throws -> Vector {
        let vector = Vector(flat: .interval, capacity: count)
        for row in 0..<count {
            let state = (states[row] + offset).load(as: State.self)
            vector.values(IntervalValue.self)[row] = IntervalValue()
            if state.count == 0 {
                Validity.setNull(vector.ensureValidity(), row)
                continue
            }
            vector.values(IntervalValue.self)[row] = try value(state)
        }
        return vector
    }

    /// A quotient's fractions of months go to days of a month of 30, those of days to microseconds, as PostgreSQL's do.
    private func value(_ state: State) throws -> IntervalValue {
        var months = state.months
        var days = state.days
        var microseconds = state.microseconds
        if divides {
            let divisor = Double(state.count)
            months = Int64(Double(state.months) / divisor)
            let monthDays = (Double(state.months) / divisor - Double(months)) * 30
            let wholeDays = Double(state.days) / divisor + monthDays
            days = Int64(wholeDays)
            microseconds = Int64((Double(state.microseconds) / divisor + (wholeDays - Double(days)) * 86_400_000_000).rounded())
        }
        guard let narrowMonths = Int32(exactly: months), let narrowDays = Int32(exactly: days) else { throw Self.outOfRange }
        return IntervalValue(months: narrowMonths, days: narrowDays, microseconds: microseconds)
    }
}
