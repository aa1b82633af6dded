// PostgreSQL's text form of every type: the entry points for output and input.

import Diagnostics

/// Settings that the text of values depends on.
package struct TextSettings: Sendable {
    package var timeZone: TimeZoneData
    /// Microseconds since 1970 UTC, for `now` and `today` on input.
    package var now: Int64
    package var style: TextStyle
    /// What regclass and its like are shown and read by; without it they are numbers.
    package var objectNames: (any ObjectNames)?
    package init(
        timeZone: TimeZoneData = .utc, now: Int64 = 0, style: TextStyle = TextStyle(),
        objectNames: (any ObjectNames)? = nil
    ) {
        self.timeZone = timeZone
        self.now = now
        self.style = style
        self.objectNames = objectNames
    }
    /// By the name of a zone; an unknown one is UTC.
    package init(
        timeZoneNamed name: String, now: Int64 = 0, style: TextStyle = TextStyle(),
        objectNames: (any ObjectNames)? = nil
    ) {
        self.init(timeZone: TimeZoneData.named(name) ?? .utc, now: now, style: style, objectNames: objectNames)
    }
}

package enum TextFormat {
    // MARK: Output

    /// The text of a value that is not null; NULL gives "".
    package static func text(of value: ScalarValue, type: DataType, settings: TextSettings = TextSettings()) -> String {
        var bytes: [UInt8] = []
        append(value, type: type, settings: settings, into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    package static func append(
        _ value: ScalarValue, type: DataType, settings: TextSettings = TextSettings(), into text: inout [UInt8]
    ) {
        if value.isNull { return }
        let vector = Vector.constant(value, type: type, count: 1)
        append(vector, row: 0, settings: settings, into: &text)
    }

    /// Appends the text of a row that is not null, in any encoding. Booleans are `t` and `f`.
    package static func append(_ source: Vector, row sourceRow: Int, settings: TextSettings, into text: inout [UInt8]) {
        let (vector, row) = source.position(sourceRow)
        switch vector.type {
        case .boolean: text.append(vector.values(UInt8.self)[row] != 0 ? 0x74 : 0x66)
        case .int8: NumericText.append(Int64(vector.values(Int8.self)[row]), into: &text)
        case .int16: NumericText.append(Int64(vector.values(Int16.self)[row]), into: &text)
        case .int32: NumericText.append(Int64(vector.values(Int32.self)[row]), into: &text)
        case .int64: NumericText.append(vector.values(Int64.self)[row], into: &text)
        case .float32:
            NumericText.append(
                vector.values(Float.self)[row], extraDigits: settings.style.extraFloatDigits, into: &text)
        case .float64:
            NumericText.append(
                vector.values(Double.self)[row], extraDigits: settings.style.extraFloatDigits, into: &text)
        case .decimal(_, let scale):
            let value =
                vector.physical == .int64 ? Int128(vector.values(Int64.self)[row]) : vector.values(Int128.self)[row]
            NumericText.append(decimal: value, scale: scale, into: &text)
        case .numeric:
            let view = vector.views + row
            if let (unscaled, scale) = NumericBlob.small(view) {
                NumericText.append(decimal: unscaled, scale: scale, into: &text)
            } else {
                NumericBlob.value(view).append(into: &text)
            }
        case .text, .varchar, .unknown, .json, .name, .internalChar, .bit, .varbit:
            appendView(vector.views + row, into: &text)
        case .jsonb: JSONText.append(JSONNode(at: vector.views + row), into: &text)
        case .jsonpath: appendPath(vector.views + row, into: &text)
        case .char(let length):
            appendView(vector.views + row, into: &text)
            let count = Utf8.characterCount(StringView.bytes(at: vector.views + row), vector.views[row].count)
            if count < length { text.append(contentsOf: repeatElement(0x20, count: length - count)) }
        case .bytea:
            ByteText.append(
                UnsafeBufferPointer(start: StringView.bytes(at: vector.views + row), count: vector.views[row].count),
                format: settings.style.byteFormat, into: &text)
        case .date: DateTimeText.appendDate(vector.values(Int32.self)[row], style: settings.style, into: &text)
        case .time: DateTimeText.appendTime(vector.values(Int64.self)[row], into: &text)
        case .timeTZ: DateTimeText.appendTimeTZ(TimeTZValue(packed: vector.values(Int64.self)[row]), into: &text)
        case .timestamp:
            DateTimeText.appendTimestamp(vector.values(Int64.self)[row], style: settings.style, into: &text)
        case .timestampTZ:
            DateTimeText.appendTimestampTZ(
                vector.values(Int64.self)[row], zone: settings.timeZone, style: settings.style, into: &text)
        case .interval:
            IntervalText.append(
                vector.values(IntervalValue.self)[row], format: settings.style.intervalFormat, into: &text)
        case .uuid: appendUUID(vector.values(UUIDValue.self)[row], into: &text)
        case .array(let element):
            let view = vector.views + row
            let elements = ArrayBlob.decode(
                StringView.bytes(at: view), byteCount: view.pointee.count, elementType: element)
            ArrayText.append(elements, shape: ArrayBlob.shape(view), settings: settings, into: &text)
        case .record(let fields):
            RecordText.append(vector, row: row, fields: fields, settings: settings, into: &text)
        case .range(let kind): RangeValue(vector.views + row, kind).append(kind, settings: settings, into: &text)
        case .oid: NumericText.append(vector.values(Int64.self)[row], into: &text)
        case .enumeration(let type):
            let key = vector.values(Int64.self)[row]
            if let label = type.label(of: key) {
                text.append(contentsOf: label.utf8)
            } else {
                NumericText.append(key, into: &text)
            }
        case .registered(let kind):
            ObjectNameText.append(vector.values(Int64.self)[row], kind, names: settings.objectNames, into: &text)
        case .indexVector(let element):
            let view = vector.views + row
            let elements = ArrayBlob.decode(
                StringView.bytes(at: view), byteCount: view.pointee.count, elementType: element)
            ObjectNameText.append(elements, into: &text)
        }
    }

    private static func appendPath(_ view: UnsafePointer<StringView>, into text: inout [UInt8]) {
        let bytes = UnsafeBufferPointer(start: StringView.bytes(at: view), count: view.pointee.count)
        // Values have been read before: what does not parse is shown as it is.
        guard let path = try? JSONPath(bytes) else { return appendView(view, into: &text) }
        path.append(to: &text)
    }

    private static func appendView(_ view: UnsafePointer<StringView>, into text: inout [UInt8]) {
        text.append(contentsOf: UnsafeBufferPointer(start: StringView.bytes(at: view), count: view.pointee.count))
    }

    private static func appendUUID(_ value: UUIDValue, into text: inout [UInt8]) {
        for index in 0..<16 {
            if index == 4 || index == 6 || index == 8 || index == 10 { text.append(0x2D) }
            let half = index < 8 ? value.high : value.low
            ByteText.appendHex(UInt8(truncatingIfNeeded: half >> UInt64(56 - index % 8 * 8)), into: &text)
        }
    }

    // MARK: Input

    /// Reads a value. Errors: 22P02 syntax, 22003 numbers out of range, 22007 and 22008 dates and times, 22001 too long.
    package static func parse(_ text: String, as type: DataType, settings: TextSettings = TextSettings()) throws
        -> ScalarValue
    {
        var text = text
        return try text.withUTF8 { try parse($0, as: type, settings: settings) }
    }

    package static func parse(
        _ text: UnsafeBufferPointer<UInt8>, as type: DataType, settings: TextSettings = TextSettings()
    ) throws -> ScalarValue {
        switch type {
        case .boolean: return .boolean(try parseBoolean(text))
        case .int8, .int16, .int32, .int64: return .integer(try parseInteger(text, type))
        case .float32:
            let value = try parseFloat(text, type)
            // Not by way of a double: rounded twice, a number may end beside the nearest one.
            let trimmed = NumericText.trimmed(text)
            let narrow = Float(String(decoding: trimmed, as: UTF8.self)) ?? Float(value)
            if (narrow.isInfinite && value.isFinite) || (narrow == 0 && value != 0) { throw outOfRange(text, type) }
            return .float(Double(narrow))
        case .float64: return .float(try parseFloat(text, type))
        case .decimal(let precision, let scale): return .decimal(try parseDecimal(text, precision, scale, type))
        case .numeric(let modifier): return .bytes(NumericBlob.bytes(try parseNumeric(text, modifier, type)))
        case .unknown, .text: return .bytes(Array(text))
        case .varchar(let length): return .bytes(try limited(text, length, type))
        case .char(let length):
            var bytes = try limited(text, length, type)
            while bytes.last == 0x20 { bytes.removeLast() }
            return .bytes(bytes)
        case .json:
            try JSONText.validate(text)
            return .bytes(Array(text))
        case .jsonb: return .bytes(try JSONText.blob(text))
        case .jsonpath:
            var canonical: [UInt8] = []
            try JSONPath(text).appendExactly(to: &canonical)
            return .bytes(canonical)
        case .bytea: return .bytes(try ByteText.parse(text))
        case .date: return .integer(Int64(try DateTimeText.parseDate(text, settings: settings)))
        case .time: return .integer(try DateTimeText.parseTime(text, settings: settings))
        case .timeTZ: return .integer(try DateTimeText.parseTimeTZ(text, settings: settings).packed)
        case .timestamp, .timestampTZ:
            return .integer(try DateTimeText.parseTimestamp(text, as: type, settings: settings))
        case .interval: return .interval(try IntervalText.parse(text, style: settings.style))
        case .uuid: return .uuid(try parseUUID(text))
        case .record(let fields):
            // Only composite types have names for their fields that a text may be read as.
            return .bytes(try RecordText.parse(text, fields: fields, settings: settings))
        case .array(let element): return .bytes(try ArrayText.parse(text, element: element, settings: settings))
        case .range(let kind): return .bytes(try RangeValue.parse(text, kind, settings: settings).blob)
        case .bit, .varbit: return .bytes(try BitText.parse(text, as: type))
        case .enumeration(let enumerated):
            let label = String(decoding: text, as: UTF8.self)
            guard let key = enumerated.key(of: label) else {
                throw QueryError(
                    .invalidTextRepresentation, "invalid input value for enum \(enumerated.name): \"\(label)\"")
            }
            return .integer(key)
        case .oid: return .integer(try ObjectNameText.parseIdentifier(text))
        case .name: return .bytes(ObjectNameText.name(text))
        case .internalChar: return .bytes(ObjectNameText.internalChar(text))
        case .registered(let kind):
            return .integer(try ObjectNameText.parse(text, kind, names: settings.objectNames))
        case .indexVector(let element): return .bytes(try ObjectNameText.parseVector(text, element: element))
        }
    }

    package static func syntax(
        _ text: UnsafeBufferPointer<UInt8>, _ type: DataType, _ state: SQLState = .invalidTextRepresentation
    ) -> QueryError {
        QueryError(
            state, "invalid input syntax for type \(plainName(type)): \"\(String(decoding: text, as: UTF8.self))\"")
    }

    private static func outOfRange(_ text: UnsafeBufferPointer<UInt8>, _ type: DataType) -> QueryError {
        let shown = String(decoding: text, as: UTF8.self)
        if type.isFloat {
            return QueryError(.numericValueOutOfRange, "\"\(shown)\" is out of range for type \(type.sqlName)")
        }
        return QueryError(.numericValueOutOfRange, "value \"\(shown)\" is out of range for type \(plainName(type))")
    }

    private static func plainName(_ type: DataType) -> String { type.isExactNumeric ? "numeric" : type.sqlName }

    private static func parseNumeric(
        _ text: UnsafeBufferPointer<UInt8>, _ modifier: NumericModifier?, _ type: DataType
    ) throws -> NumericValue {
        let value: NumericValue
        do { value = try NumericValue.parse(text) } catch .syntax { throw syntax(text, type) } catch .range {
            throw NumericValue.overflow
        }
        if let modifier { return try value.constrained(to: modifier) }
        return value
    }

    package static func parseInteger(_ text: UnsafeBufferPointer<UInt8>, _ type: DataType) throws -> Int64 {
        do throws(NumericText.Failure) {
            let value = try NumericText.parseInteger(text)
            switch type {
            case .int8 where Int64(Int8(truncatingIfNeeded: value)) != value: throw .range
            case .int16 where Int64(Int16(truncatingIfNeeded: value)) != value: throw .range
            case .int32 where Int64(Int32(truncatingIfNeeded: value)) != value: throw .range
            default: return value
            }
        } catch .syntax {
            throw syntax(text, type)
        } catch .range {
            throw outOfRange(text, type)
        }
    }

    package static func parseFloat(_ text: UnsafeBufferPointer<UInt8>, _ type: DataType) throws -> Double {
        do { return try NumericText.parseFloat(text) } catch .syntax { throw syntax(text, type) } catch .range {
            throw outOfRange(text, type)
        }
    }

    package static func parseDecimal(
        _ text: UnsafeBufferPointer<UInt8>, _ precision: Int, _ scale: Int, _ type: DataType
    ) throws -> Int128 {
        do { return try NumericText.parseDecimal(text, precision: precision, scale: scale) } catch .syntax {
            // What no decimal holds says so in other words than what is no number.
            guard let value = try? NumericValue.parse(text) else { throw syntax(text, type) }
            if value.isNaN {
                throw QueryError(
                    .featureNotSupported, "NaN does not fit numeric(\(precision),\(scale))",
                    hint: "Columns of type numeric without modifiers hold NaN.")
            }
            guard
                let unscaled = try value.constrained(to: NumericModifier(precision: precision, scale: scale))
                    .unscaled(precision: precision, scale: scale)
            else { throw decimalOverflow(precision: precision, scale: scale) }
            return unscaled
        } catch .range {
            throw decimalOverflow(precision: precision, scale: scale)
        }
    }

    package static func decimalOverflow(precision: Int, scale: Int) -> QueryError {
        QueryError(
            .numericValueOutOfRange, "numeric field overflow",
            detail: "A field with precision \(precision), scale \(scale) must round to an absolute value less than "
                + (precision == scale ? "1." : "10^\(precision - scale)."))
    }

    package static func parseBoolean(_ text: UnsafeBufferPointer<UInt8>) throws -> Bool {
        let trimmed = NumericText.trimmed(text)
        let word = String(decoding: trimmed, as: UTF8.self).lowercased()
        switch word {
        case "t", "tr", "tru", "true", "y", "ye", "yes", "on", "1": return true
        case "f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0": return false
        default: throw syntax(text, .boolean)
        }
    }

    private static func limited(_ text: UnsafeBufferPointer<UInt8>, _ length: Int?, _ type: DataType) throws -> [UInt8]
    {
        guard let length, let base = text.baseAddress, Utf8.characterCount(base, text.count) > length else {
            return Array(text)
        }
        let kept = Utf8.byteOffset(base, text.count, character: length)
        for index in kept..<text.count where text[index] != 0x20 {
            throw QueryError(.stringDataRightTruncation, "value too long for type \(type.sqlName)")
        }
        return Array(text[..<kept])
    }

    private static func parseUUID(_ text: UnsafeBufferPointer<UInt8>) throws -> UUIDValue {
        var bytes = NumericText.trimmed(text)
        if bytes.count >= 2, bytes[0] == 0x7B, bytes[bytes.count - 1] == 0x7D {
            bytes = UnsafeBufferPointer(rebasing: bytes[1..<(bytes.count - 1)])
        }
        var high: UInt64 = 0
        var low: UInt64 = 0
        var digits = 0
        for byte in bytes {
            if byte == 0x2D, digits > 0, digits % 4 == 0 { continue }
            guard let value = ByteText.nibble(byte), digits < 32 else { throw syntax(text, .uuid) }
            if digits < 16 { high = high << 4 | UInt64(value) } else { low = low << 4 | UInt64(value) }
            digits += 1
        }
        guard digits == 32 else { throw syntax(text, .uuid) }
        return UUIDValue(high: high, low: low)
    }
}

/// Characters of UTF-8 text.
package enum Utf8 {
    /// Unicode scalars in the text.
    package static func characterCount(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int {
        var continuation = 0
        var index = 0
        while index < count {
            // Continuation bytes are 10xxxxxx: as signed numbers less than -64.
            continuation &+= Int(unsafeBitCast(Int8(bitPattern: bytes[index]) < -64, to: UInt8.self))
            index &+= 1
        }
        return count &- continuation
    }

    /// Byte offset of the given character, from 0; `count` when there are fewer.
    package static func byteOffset(_ bytes: UnsafePointer<UInt8>, _ count: Int, character: Int) -> Int {
        var seen = 0
        var index = 0
        while index < count {
            if Int8(bitPattern: bytes[index]) >= -64 {
                if seen == character { return index }
                seen &+= 1
            }
            index &+= 1
        }
        return count
    }
}
