// Batches of every type and encoding, with and without nulls and selections.

import Columnar
import Diagnostics

package enum SampleBatches {
    package static let types: [DataType] = [
        .boolean, .int8, .int16, .int32, .int64, .float32, .float64, .decimal(precision: 12, scale: 2),
        .decimal(precision: 38, scale: 10), .text, .varchar(length: 300), .varchar(length: nil), .char(length: 7),
        .bytea, .date, .time, .timestamp, .timestampTZ, .interval, .uuid, .json, .jsonb, .array(.int32), .unknown,
        .anyNumeric, .numeric(NumericModifier(precision: 210, scale: -3)), .array(.anyNumeric),
    ]

    package static func value(_ type: DataType, _ seed: Int) -> ScalarValue {
        switch type.physical {
        case .boolean: return .boolean(seed % 2 == 0)
        case .int8: return .integer(Int64(Int8(truncatingIfNeeded: seed)))
        case .int16: return .integer(Int64(Int16(truncatingIfNeeded: seed &* 77)))
        case .int32: return .integer(Int64(Int32(truncatingIfNeeded: seed &* 7_777_777)))
        case .int64: return type.isDecimal ? .decimal(Int128(seed &* 1001)) : .integer(Int64(seed) &* 7_777_777_777)
        case .int128: return .decimal(Int128(seed) << 70 | 5)
        case .float32: return .float(Double(Float(seed) / 3))
        case .float64: return .float(Double(seed) / 3)
        case .interval:
            return .interval(
                IntervalValue(months: Int32(seed), days: Int32(-seed), microseconds: Int64(seed) << 33))
        case .uuid: return .uuid(UUIDValue(high: UInt64(seed), low: ~UInt64(seed)))
        case .view:
            // Lengths around the inline limit, and some well beyond it.
            let length = [0, 1, 4, 5, 11, 12, 13, 40, 100][seed % 9]
            return .bytes((0..<length).map { UInt8(97 + ($0 + seed) % 26) })
        }
    }

    package static func vector(_ type: DataType, rows: Int, nulls: Bool, start: Int = 0) -> Vector {
        let builder = VectorBuilder(type: type, capacity: rows)
        for row in 0..<rows {
            if nulls, (row + start) % 5 == 2 { builder.appendNull() } else { builder.append(value(type, row + start)) }
        }
        return builder.finish()
    }

    /// Codes that go round the entries, some rows null.
    package static func dictionary(_ type: DataType, rows: Int, entries: Int, nulls: Bool) -> Vector {
        let codes = Buffer(byteCount: rows * 4)
        for row in 0..<rows {
            codes.base.storeBytes(of: UInt32((row * 7) % entries), toByteOffset: row * 4, as: UInt32.self)
        }
        var validity: Buffer?
        if nulls {
            let words = Validity.make(rows: rows, valid: true)
            for row in stride(from: 3, to: rows, by: 11) {
                Validity.setNull(words.base.assumingMemoryBound(to: UInt64.self), row)
            }
            validity = words
        }
        return Vector(
            codes: codes, count: rows, dictionary: vector(type, rows: entries, nulls: nulls), validity: validity)
    }

    package static func batch(rows: Int, nulls: Bool) -> Batch {
        Batch(columns: types.map { vector($0, rows: rows, nulls: nulls) }, rowCount: rows)
    }

    package static var constants: Batch {
        let columns = types.map { Vector.constant(value($0, 8), type: $0, count: 100) }
        let nulls = types.map { Vector.constant(.null, type: $0, count: 100) }
        return Batch(columns: columns + nulls, rowCount: 100)
    }

    package static func dictionaries(nulls: Bool) -> Batch {
        Batch(columns: types.map { dictionary($0, rows: 500, entries: 9, nulls: nulls) }, rowCount: 500)
    }

    /// All samples of one width; `constants` has another and is left out.
    package static var all: [Batch] {
        var batches = [
            batch(rows: 1, nulls: false), batch(rows: 64, nulls: true), batch(rows: 777, nulls: true),
            dictionaries(nulls: false), dictionaries(nulls: true),
        ]
        let selection = Selection(capacity: 400)
        for index in 0..<200 { selection.rows[index] = UInt16(index * 3) }
        selection.count = 200
        batches.append(
            Batch(columns: types.map { vector($0, rows: 777, nulls: true) }, rowCount: 777, selection: selection))
        batches.append(batch(rows: 2048, nulls: false))
        return batches
    }
}
