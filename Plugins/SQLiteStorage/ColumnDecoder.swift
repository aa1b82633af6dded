// Values of a column as a vector: one loop for each type. A value that the declared type has no place for is an error that
// names the column and the row; nothing is converted that would look otherwise when it is written back.

import Columnar
import Diagnostics

/// Why a value does not fit.
private struct Misfit: Error {
    var row: Int
    var state = SQLState.datatypeMismatch
    var hint: String?
}

struct ColumnDecoder {
    let type: DataType
    let codec: ValueCodec
    let columnName: String
    let tableName: String
    let declared: String

    /// `identifiers`: the rows' numbers, where the table has some.
    func decode(_ values: StagedColumn, identifiers: UnsafeMutablePointer<Int64>?) throws -> Vector {
        do { return try decode(values) } catch let misfit as Misfit {
            throw error(values, misfit, identifiers.map { $0[misfit.row] })
        } catch let failure as RowFailure {
            throw error(
                values, Misfit(row: failure.row, state: failure.error.state, hint: failure.error.message),
                identifiers.map { $0[failure.row] })
        }
    }

    private struct RowFailure: Error {
        var row: Int
        var error: QueryError
    }

    private func error(_ values: StagedColumn, _ misfit: Misfit, _ identifier: Int64?) -> QueryError {
        let shown: String =
            switch values.kinds[misfit.row] {
            case StagedColumn.integer: "the integer \(values.numbers[misfit.row])"
            case StagedColumn.real: "the real number \(values.real(misfit.row))"
            case StagedColumn.text: "the text \"\(Self.excerpt(values.value(misfit.row)))\""
            default: "a blob of \(values.lengths[misfit.row]) bytes"
            }
        let place = identifier.map { "The row with rowid \($0)" } ?? "A row"
        return QueryError(
            misfit.state,
            "a value of column \"\(columnName)\" of table \"\(tableName)\" is none of the type \(type.sqlName)",
            detail: "\(place) has \(shown); the column is declared as \(declared.isEmpty ? "nothing" : declared).",
            hint: misfit.hint, object: columnName)
    }

    private static func excerpt(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
        let text = String(decoding: bytes.prefix(60), as: UTF8.self)
        return bytes.count > 60 ? text + "…" : text
    }

    private func decode(_ values: StagedColumn) throws -> Vector {
        switch codec {
        case .boolean:
            return try integers(values, UInt8.self, 0, 1)
        case .integer(let minimum, let maximum):
            switch type.physical {
            case .int16: return try integers(values, Int16.self, minimum, maximum)
            case .int32: return try integers(values, Int32.self, minimum, maximum)
            default: return try integers(values, Int64.self, minimum, maximum)
            }
        case .rowIdentifier: return try integers(values, Int64.self, .min, .max)
        case .float64: return try floats(values)
        case .float32: return try narrowFloats(values)
        case .decimal(let precision, let scale):
            return type.physical == .int64
                ? try decimals(values, Int64.self, precision, scale)
                : try decimals(values, Int128.self, precision, scale)
        case .text: return try texts(values, limit: nil, isPadded: false)
        case .limitedText(let limit, let isPadded): return try texts(values, limit: limit, isPadded: isPadded)
        case .bytes: return try blobs(values)
        case .date:
            return try fixed(values, Int32.self) { text throws(StoredTime.Failure) in try StoredTime.date(text) }
        case .time:
            return try fixed(values, Int64.self) { text throws(StoredTime.Failure) in try StoredTime.time(text) }
        case .timestamp:
            return try fixed(values, Int64.self) { text throws(StoredTime.Failure) in
                try StoredTime.timestamp(text, hasZone: false)
            }
        case .timestampTZ:
            return try fixed(values, Int64.self) { text throws(StoredTime.Failure) in
                try StoredTime.timestamp(text, hasZone: true)
            }
        case .numeric, .anyText, .interval, .uuid, .json, .jsonb:
            let builder = VectorBuilder(type: type, capacity: max(1, values.count))
            for row in 0..<values.count {
                if values.kinds[row] == StagedColumn.null {
                    builder.appendNull()
                } else {
                    do { builder.append(try rare(values, row)) } catch let error as QueryError {
                        throw RowFailure(row: row, error: error)
                    }
                }
            }
            return builder.finish()
        }
    }

    @inline(__always)
    private static func setNull(_ vector: Vector, _ row: Int) {
        Validity.setNull(vector.ensureValidity(), row)
    }

    // MARK: Numbers

    @inline(__always)
    private func integers<T: FixedWidthInteger & BitwiseCopyable>(
        _ values: StagedColumn, _: T.Type, _ minimum: Int64, _ maximum: Int64
    ) throws -> Vector {
        let vector = Vector(flat: type, capacity: max(1, values.count))
        vector.count = values.count
        let target = vector.values(T.self)
        var row = 0
        while row < values.count {
            let kind = values.kinds[row]
            if kind == StagedColumn.integer {
                let value = values.numbers[row]
                if value < minimum || value > maximum { throw Misfit(row: row, state: .numericValueOutOfRange) }
                target[row] = T(truncatingIfNeeded: value)
            } else if kind == StagedColumn.null {
                target[row] = 0
                Self.setNull(vector, row)
            } else {
                throw Misfit(row: row)
            }
            row &+= 1
        }
        return vector
    }

    private func floats(_ values: StagedColumn) throws -> Vector {
        let vector = Vector(flat: type, capacity: max(1, values.count))
        vector.count = values.count
        let target = vector.values(Double.self)
        var row = 0
        while row < values.count {
            let kind = values.kinds[row]
            if kind == StagedColumn.real {
                target[row] = values.real(row)
            } else if kind == StagedColumn.null {
                target[row] = 0
                Self.setNull(vector, row)
            } else if kind == StagedColumn.integer, let exact = Double(exactly: values.numbers[row]) {
                target[row] = exact
            } else {
                throw Misfit(row: row)
            }
            row &+= 1
        }
        return vector
    }

    private func narrowFloats(_ values: StagedColumn) throws -> Vector {
        let vector = Vector(flat: type, capacity: max(1, values.count))
        vector.count = values.count
        let target = vector.values(Float.self)
        for row in 0..<values.count {
            let kind = values.kinds[row]
            if kind == StagedColumn.null {
                target[row] = 0
                Self.setNull(vector, row)
                continue
            }
            let exact =
                kind == StagedColumn.real
                ? Float(exactly: values.real(row))
                : kind == StagedColumn.integer ? Float(exactly: values.numbers[row]) : nil
            guard let exact else { throw Misfit(row: row) }
            target[row] = exact
        }
        return vector
    }

    private func decimals<T: FixedWidthInteger & BitwiseCopyable>(
        _ values: StagedColumn, _: T.Type, _ precision: Int, _ scale: Int
    ) throws -> Vector {
        let vector = Vector(flat: type, capacity: max(1, values.count))
        vector.count = values.count
        let target = vector.values(T.self)
        let factor = PowerOfTen.value(scale)
        let bound = PowerOfTen.value(precision)
        for row in 0..<values.count {
            var unscaled: Int128?
            switch values.kinds[row] {
            case StagedColumn.null:
                target[row] = 0
                Self.setNull(vector, row)
                continue
            case StagedColumn.integer:
                let (product, overflow) = Int128(values.numbers[row]).multipliedReportingOverflow(by: factor)
                unscaled = overflow ? nil : product
            case StagedColumn.real: unscaled = Self.unscaled(values.real(row), scale)
            case StagedColumn.text: unscaled = Self.unscaled(values.value(row), scale)
            default: break
            }
            guard let unscaled else { throw Misfit(row: row) }
            guard unscaled < bound, unscaled > -bound else {
                throw Misfit(row: row, state: .numericValueOutOfRange)
            }
            target[row] = T(truncatingIfNeeded: unscaled)
        }
        return vector
    }

    /// The decimal of that scale which the number stands for: the shortest one that is nearest to it.
    static func unscaled(_ number: Double, _ scale: Int) -> Int128? {
        guard number.isFinite else { return nil }
        if scale <= 22 {
            let factor = Double(PowerOfTen.value(scale))
            let whole = (number * factor).rounded()
            // Up to fifteen digits every decimal has a double of its own, and the division of two exact numbers finds it.
            if abs(whole) <= 1e15, whole / factor == number { return Int128(whole) }
        }
        var text: [UInt8] = []
        NumericText.append(number, into: &text)
        return text.withUnsafeBufferPointer { unscaled($0, scale) }
    }

    /// The text's number, if it has no more digits behind the point than the scale.
    private static func unscaled(_ text: UnsafeBufferPointer<UInt8>, _ scale: Int) -> Int128? {
        guard let value = try? NumericValue.parse(text), value.isFinite else { return nil }
        let exact = value.rounded(toScale: scale)
        guard NumericValue.compare(exact, value) == 0 else { return nil }
        return exact.unscaled(precision: DataType.decimalPrecisionMax, scale: scale)
    }

    // MARK: Texts and bytes

    private func texts(_ values: StagedColumn, limit: Int?, isPadded: Bool) throws -> Vector {
        let vector = Vector(flat: type, capacity: max(1, values.count))
        vector.count = values.count
        let target = vector.views
        var row = 0
        while row < values.count {
            let kind = values.kinds[row]
            if kind == StagedColumn.text {
                var text = values.value(row)
                if let problem = Self.problem(text) {
                    throw Misfit(row: row, state: .characterNotInRepertoire, hint: problem)
                }
                if isPadded { text = Self.withoutBlanks(text) }
                if let limit, text.count > limit, let start = text.baseAddress,
                    Utf8.characterCount(start, text.count) > limit
                {
                    throw Misfit(row: row, state: .stringDataRightTruncation)
                }
                target[row] = StringView(padded: values.bytes + Int(values.numbers[row]), count: text.count)
            } else if kind == StagedColumn.null {
                target[row] = StringView()
                Self.setNull(vector, row)
            } else {
                throw Misfit(row: row)
            }
            row &+= 1
        }
        vector.pinned = [values.owner]
        return vector
    }

    private static func withoutBlanks(_ text: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
        var count = text.count
        while count > 0, text[count - 1] == 0x20 { count -= 1 }
        return UnsafeBufferPointer(rebasing: text[..<count])
    }

    /// SQLite keeps any bytes as text.
    private static func problem(_ text: UnsafeBufferPointer<UInt8>) -> String? {
        var high: UInt8 = 0
        var hasZero = false
        for byte in text {
            high |= byte
            if byte == 0 { hasZero = true }
        }
        if hasZero { return "The text has a byte 0." }
        if high < 0x80 || String(validating: text, as: UTF8.self) != nil { return nil }
        return "The text is not UTF-8."
    }

    private func blobs(_ values: StagedColumn) throws -> Vector {
        let vector = Vector(flat: type, capacity: max(1, values.count))
        vector.count = values.count
        let target = vector.views
        for row in 0..<values.count {
            switch values.kinds[row] {
            case StagedColumn.blob:
                target[row] = StringView(
                    padded: values.bytes + Int(values.numbers[row]), count: Int(values.lengths[row]))
            case StagedColumn.null:
                target[row] = StringView()
                Self.setNull(vector, row)
            default: throw Misfit(row: row)
            }
        }
        vector.pinned = [values.owner]
        return vector
    }

    // MARK: Texts that are read

    /// Values that SQLite keeps as text in one strict form.
    private func fixed<T: BitwiseCopyable & FixedWidthInteger>(
        _ values: StagedColumn, _: T.Type, _ read: (UnsafeBufferPointer<UInt8>) throws(StoredTime.Failure) -> T
    ) throws -> Vector {
        let vector = Vector(flat: type, capacity: max(1, values.count))
        vector.count = values.count
        let target = vector.values(T.self)
        for row in 0..<values.count {
            switch values.kinds[row] {
            case StagedColumn.text:
                do { target[row] = try read(values.value(row)) } catch {
                    throw Misfit(row: row, state: error.state, hint: error.hint)
                }
            case StagedColumn.null:
                target[row] = 0
                Self.setNull(vector, row)
            default:
                throw Misfit(
                    row: row, state: .datatypeMismatch,
                    hint: "Dates and times are read from texts only: a number may count days, seconds or milliseconds.")
            }
        }
        return vector
    }

    private func rare(_ values: StagedColumn, _ row: Int) throws -> ScalarValue {
        let kind = values.kinds[row]
        func number() -> [UInt8]? {
            var text: [UInt8] = []
            switch kind {
            case StagedColumn.integer: NumericText.append(values.numbers[row], into: &text)
            case StagedColumn.real:
                guard values.real(row).isFinite else { return nil }
                NumericText.append(values.real(row), into: &text)
            default: return nil
            }
            return text
        }
        let hasBytes = kind == StagedColumn.text || kind == StagedColumn.blob
        let text = hasBytes ? values.value(row) : UnsafeBufferPointer(start: nil, count: 0)
        if kind == StagedColumn.text, let problem = Self.problem(text) {
            throw QueryError(.characterNotInRepertoire, problem)
        }
        switch codec {
        case .numeric:
            if let number = number() {
                return try number.withUnsafeBufferPointer { try TextFormat.parse($0, as: type) }
            }
            if kind == StagedColumn.text { return try TextFormat.parse(text, as: type) }
        case .anyText:
            if let number = number() { return .bytes(number) }
            if kind == StagedColumn.text { return .bytes(Array(text)) }
        case .json, .jsonb:
            if let number = number() {
                return try number.withUnsafeBufferPointer { try TextFormat.parse($0, as: type) }
            }
            if kind == StagedColumn.text { return try TextFormat.parse(text, as: type) }
        case .uuid:
            if kind == StagedColumn.text { return try TextFormat.parse(text, as: type) }
            if kind == StagedColumn.blob, text.count == 16 {
                func half(_ start: Int) -> UInt64 { (0..<8).reduce(0) { $0 << 8 | UInt64(text[start + $1]) } }
                return .uuid(UUIDValue(high: half(0), low: half(8)))
            }
        default: if kind == StagedColumn.text { return try TextFormat.parse(text, as: type) }
        }
        throw QueryError(.datatypeMismatch, "The value's storage class is another one.")
    }
}
