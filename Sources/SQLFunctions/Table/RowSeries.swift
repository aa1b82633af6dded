// The rows of generate_series, made as they are asked for: numbers and moments from one to another.

import Columnar
import Diagnostics

/// No rows.
final class EmptySeries: RowSeries {
    func next() -> Batch? { nil }
}

/// Whole numbers.
final class IntegerSeries: RowSeries {
    private let type: DataType
    private let last: Int64
    private let step: Int64
    private var number: Int64
    private var isDone: Bool

    init(from first: Int64, to last: Int64, step: Int64, type: DataType) throws {
        if step == 0 { throw SeriesErrors.zeroStep }
        self.type = type
        self.last = last
        self.step = step
        number = first
        isDone = step > 0 ? first > last : first < last
    }

    func next() -> Batch? {
        if isDone { return nil }
        let vector = Vector(flat: type, capacity: Batch.standardRowCount)
        let isNarrow = type.physical == .int32
        var count = 0
        while count < Batch.standardRowCount, !isDone {
            if isNarrow {
                vector.values(Int32.self)[count] = Int32(truncatingIfNeeded: number)
            } else {
                vector.values(Int64.self)[count] = number
            }
            count &+= 1
            let (sum, overflow) = number.addingReportingOverflow(step)
            number = sum
            isDone = overflow || (step > 0 ? sum > last : sum < last)
        }
        vector.count = count
        return Batch(columns: [vector], rowCount: count)
    }
}

/// Numerics.
final class DecimalSeries: RowSeries {
    private let last: NumericValue
    private let step: NumericValue
    private var number: NumericValue

    /// From, to and perhaps the step.
    init(_ values: [NumericValue]) throws {
        for (name, value) in zip(["start value", "stop value", "step size"], values) where !value.isFinite {
            throw QueryError(.invalidParameterValue, "\(name) cannot be \(value.isNaN ? "NaN" : "infinity")")
        }
        number = values[0]
        last = values[1]
        step = values.count > 2 ? values[2] : .one
        if step.isZero { throw SeriesErrors.zeroStep }
    }

    func next() -> Batch? {
        let builder = VectorBuilder(type: .anyNumeric)
        while builder.count < Batch.standardRowCount {
            let order = NumericValue.compare(number, last)
            if step.signum > 0 ? order > 0 : order < 0 { break }
            builder.append(.bytes(NumericBlob.bytes(number)))
            number = NumericValue.sum(number, step)
        }
        return builder.batch
    }
}

/// Timestamps, with and without time zone.
final class MomentSeries: RowSeries {
    private let type: DataType
    private let last: Int64
    private let step: IntervalValue
    private let length: Int64
    private let zone: TimeZoneData
    private var moment: Int64

    init(_ type: DataType, from first: Int64, to last: Int64, step: IntervalValue, zone: TimeZoneData) throws {
        length = Int64(step.comparisonMicroseconds.signum())
        if length == 0 { throw SeriesErrors.zeroStep }
        self.type = type
        self.last = last
        self.step = step
        self.zone = zone
        moment = first
    }

    func next() throws -> Batch? {
        let builder = VectorBuilder(type: type)
        while builder.count < Batch.standardRowCount, length > 0 ? moment <= last : moment >= last {
            builder.append(.integer(moment))
            var failed: UInt8 = 0
            moment = DateArithmetic.sum(moment, step, in: zone, &failed)
            if failed != 0 { throw QueryError(.datetimeFieldOverflow, "timestamp out of range") }
        }
        return builder.batch
    }
}

enum SeriesErrors {
    static let zeroStep = QueryError(.invalidParameterValue, "step size cannot equal zero")
}

extension VectorBuilder {
    /// The values as the rows of one column; `nil` if there are none.
    fileprivate var batch: Batch? {
        if count == 0 { return nil }
        let vector = finish()
        return Batch(columns: [vector], rowCount: vector.count)
    }
}
