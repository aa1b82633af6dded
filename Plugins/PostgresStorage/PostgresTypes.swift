// Types of the server as types of the engine, and how their values lie in rows of COPY's binary form.

import Columnar
import Diagnostics

/// How the bytes of a field become a value.
indirect enum FieldCodec: Hashable, Sendable {
    case boolean, int16, int32, int64, float32, float64, oid
    case decimal(precision: Int, scale: Int)
    case numeric
    case text
    /// character(n): blanks at the end do not count.
    case paddedText
    case bytes
    case date, time, timeTZ, timestamp, interval, uuid
    case jsonb
    case bits
    case array(element: FieldCodec, elementIdentifier: UInt32)
    /// The place of a row in its table.
    case place
}

/// A type that the engine has too.
struct PostgresType: Hashable, Sendable {
    var type: DataType
    var codec: FieldCodec
    var modifier: TemporalModifier?

    /// `nil` for types that the engine has not, or has otherwise.
    init?(identifier: UInt32, modifier: Int32, element: UInt32) {
        if element != 0 {
            // The modifier is that of the elements.
            guard let inner = PostgresType(identifier: element, modifier: modifier, element: 0) else { return nil }
            type = .array(inner.type)
            codec = .array(element: inner.codec, elementIdentifier: element)
            return
        }
        let length = modifier >= 4 ? Int(modifier) - 4 : nil
        switch identifier {
        case 16: (type, codec) = (.boolean, .boolean)
        case 17: (type, codec) = (.bytea, .bytes)
        case 19: (type, codec) = (.name, .text)
        case 20: (type, codec) = (.int64, .int64)
        case 21: (type, codec) = (.int16, .int16)
        case 23: (type, codec) = (.int32, .int32)
        case 25: (type, codec) = (.text, .text)
        case 26: (type, codec) = (.oid, .oid)
        case 114: (type, codec) = (.json, .text)
        case 700: (type, codec) = (.float32, .float32)
        case 701: (type, codec) = (.float64, .float64)
        case 1042:
            // Without a length blanks count neither, but nothing says how many there are.
            guard let length else { return nil }
            (type, codec) = (.char(length: length), .paddedText)
        case 1043: (type, codec) = (.varchar(length: length), .text)
        case 1082: (type, codec) = (.date, .date)
        case 1083: (type, codec) = (.time, .time)
        case 1114: (type, codec) = (.timestamp, .timestamp)
        case 1184: (type, codec) = (.timestampTZ, .timestamp)
        case 1186: (type, codec) = (.interval, .interval)
        case 1266: (type, codec) = (.timeTZ, .timeTZ)
        case 1560: (type, codec) = (.bit(length: modifier >= 0 ? Int(modifier) : nil), .bits)
        case 1562: (type, codec) = (.varbit(length: modifier >= 0 ? Int(modifier) : nil), .bits)
        case 1700:
            guard let length else {
                (type, codec) = (.anyNumeric, .numeric)
                break
            }
            let precision = (length >> 16) & 0xFFFF
            // Eleven bits with a sign.
            let scale = ((length & 0x7FF) ^ 1024) - 1024
            if precision <= DataType.decimalPrecisionMax, scale >= 0, scale <= precision {
                (type, codec) = (
                    .decimal(precision: precision, scale: scale), .decimal(precision: precision, scale: scale)
                )
            } else {
                (type, codec) = (.numeric(NumericModifier(precision: precision, scale: scale)), .numeric)
            }
        case 2950: (type, codec) = (.uuid, .uuid)
        case 3802: (type, codec) = (.jsonb, .jsonb)
        default: return nil
        }
        switch type {
        case .time, .timeTZ, .timestamp, .timestampTZ, .interval:
            if modifier >= 0 { self.modifier = TemporalModifier(catalogNumber: Int64(modifier)) }
        default: break
        }
    }

    /// The name of a type of the engine in CREATE TABLE; `nil` if the server has none or the engine's is not the same.
    static func name(_ field: Field) -> String? { isCreatable(field.type) ? field.typeName : nil }

    private static func isCreatable(_ type: DataType) -> Bool {
        switch type {
        case .boolean, .int16, .int32, .int64, .float32, .float64, .decimal, .numeric, .text, .varchar, .char, .bytea,
            .date, .time, .timeTZ, .timestamp, .timestampTZ, .interval, .uuid, .json, .jsonb, .oid, .name, .bit,
            .varbit:
            true
        case .array(let element): element.elementType == nil && isCreatable(element)
        default: false
        }
    }
}
