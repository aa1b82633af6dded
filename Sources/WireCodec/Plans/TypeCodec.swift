// Types, schemas and values.

import Columnar
import Diagnostics

extension ByteWriter {
    package mutating func type(_ type: DataType) throws(QueryError) {
        switch type {
        case .unknown: byte(0)
        case .boolean: byte(1)
        case .int8: byte(2)
        case .int16: byte(3)
        case .int32: byte(4)
        case .int64: byte(5)
        case .float32: byte(6)
        case .float64: byte(7)
        case .decimal(let precision, let scale):
            byte(8)
            int(precision)
            int(scale)
        case .text: byte(9)
        case .varchar(let length):
            byte(10)
            try optional(length) { (writer, length) throws(QueryError) in writer.int(length) }
        case .char(let length):
            byte(11)
            int(length)
        case .bytea: byte(12)
        case .date: byte(13)
        case .time: byte(14)
        case .timestamp: byte(15)
        case .timeTZ: byte(24)
        case .timestampTZ: byte(16)
        case .interval: byte(17)
        case .uuid: byte(18)
        case .json: byte(19)
        case .jsonb: byte(20)
        case .jsonpath: byte(40)
        case .numeric(let modifier):
            byte(23)
            try optional(modifier) { (writer, modifier) throws(QueryError) in
                writer.int(modifier.precision)
                writer.int(modifier.scale)
            }
        case .array(let element):
            byte(21)
            try nested { (writer) throws(QueryError) in try writer.type(element) }
        case .record(let fields):
            byte(22)
            try nested { (writer) throws(QueryError) in
                try writer.list(fields) { (writer, field) throws(QueryError) in try writer.field(field) }
            }
        case .oid: byte(30)
        case .name: byte(31)
        case .internalChar: byte(32)
        case .registered(let kind):
            byte(33)
            byte(kind.rawValue)
        case .indexVector(let element):
            byte(34)
            try nested { (writer) throws(QueryError) in try writer.type(element) }
        case .bit(let length):
            byte(41)
            try optional(length) { (writer, length) throws(QueryError) in writer.int(length) }
        case .varbit(let length):
            byte(42)
            try optional(length) { (writer, length) throws(QueryError) in writer.int(length) }
        case .range(let kind):
            byte(44)
            byte(kind.rawValue)
        case .enumeration(let type):
            byte(43)
            signed(type.identifier)
            string(type.name)
            try list(type.labels) { (writer, label) throws(QueryError) in
                writer.signed(label.key)
                writer.string(label.text)
            }
        }
    }

    package mutating func value(_ value: ScalarValue) {
        switch value {
        case .null: byte(0)
        case .boolean(let flag):
            byte(1)
            self.flag(flag)
        case .integer(let number):
            byte(2)
            signed(number)
        case .decimal(let number):
            byte(3)
            fixed(number)
        case .float(let number):
            byte(4)
            double(number)
        case .bytes(let bytes):
            byte(5)
            data(bytes)
        case .interval(let interval):
            byte(6)
            signed(Int64(interval.months))
            signed(Int64(interval.days))
            signed(interval.microseconds)
        case .uuid(let uuid):
            byte(7)
            fixed(uuid.high)
            fixed(uuid.low)
        }
    }

    package mutating func field(_ field: Field) throws(QueryError) {
        string(field.name)
        try type(field.type)
        flag(field.isNullable)
    }

    package mutating func schema(_ schema: Schema) throws(QueryError) {
        try list(schema.fields) { (writer, field) throws(QueryError) in try writer.field(field) }
    }
}

extension ByteReader {
    package mutating func type() throws(QueryError) -> DataType {
        switch try byte() {
        case 0: return .unknown
        case 1: return .boolean
        case 2: return .int8
        case 3: return .int16
        case 4: return .int32
        case 5: return .int64
        case 6: return .float32
        case 7: return .float64
        case 8:
            let precision = try int()
            let scale = try int()
            guard (1...DataType.decimalPrecisionMax).contains(precision), (0...precision).contains(scale) else {
                throw .corrupt("numeric(\(precision),\(scale))")
            }
            return .decimal(precision: precision, scale: scale)
        case 9: return .text
        case 10:
            return .varchar(length: try optional { (reader) throws(QueryError) in try reader.textLength() })
        case 11: return .char(length: try textLength())
        case 12: return .bytea
        case 13: return .date
        case 14: return .time
        case 15: return .timestamp
        case 24: return .timeTZ
        case 16: return .timestampTZ
        case 17: return .interval
        case 18: return .uuid
        case 19: return .json
        case 20: return .jsonb
        case 40: return .jsonpath
        case 21: return .array(try nested { (reader) throws(QueryError) in try reader.type() })
        case 22:
            return .record(
                try nested { (reader) throws(QueryError) in
                    try reader.list { (reader) throws(QueryError) in try reader.field() }
                })
        case 23: return .numeric(try optional { (reader) throws(QueryError) in try reader.numericModifier() })
        case 30: return .oid
        case 31: return .name
        case 32: return .internalChar
        case 33:
            guard let kind = RegisteredKind(rawValue: try byte()) else { throw .corrupt("an unknown type") }
            return .registered(kind)
        case 41: return .bit(length: try optional { (reader) throws(QueryError) in try reader.textLength() })
        case 42: return .varbit(length: try optional { (reader) throws(QueryError) in try reader.textLength() })
        case 43:
            return .enumeration(
                EnumeratedType(
                    identifier: try signed(), name: try string(),
                    labels: try list { (reader) throws(QueryError) in
                        EnumeratedType.Label(key: try reader.signed(), text: try reader.string())
                    }))
        case 44:
            guard let kind = RangeKind(rawValue: try byte()) else { throw .corrupt("an unknown type") }
            return .range(kind)
        case 34: return .indexVector(try nested { (reader) throws(QueryError) in try reader.type() })
        default: throw .corrupt("an unknown type")
        }
    }

    private mutating func numericModifier() throws(QueryError) -> NumericModifier {
        let precision = try int()
        let scale = try int()
        guard (1...NumericModifier.precisionMax).contains(precision), abs(scale) <= NumericModifier.scaleMax else {
            throw .corrupt("numeric(\(precision),\(scale))")
        }
        return NumericModifier(precision: precision, scale: scale)
    }

    private mutating func textLength() throws(QueryError) -> Int {
        let length = try int()
        guard length >= 0 else { throw .corrupt("a negative length") }
        return length
    }

    package mutating func value() throws(QueryError) -> ScalarValue {
        switch try byte() {
        case 0: return .null
        case 1: return .boolean(try flag())
        case 2: return .integer(try signed())
        case 3: return .decimal(try fixed(Int128.self))
        case 4: return .float(try double())
        case 5: return .bytes(try data())
        case 6:
            guard let months = Int32(exactly: try signed()), let days = Int32(exactly: try signed()) else {
                throw .corrupt("an interval out of range")
            }
            return .interval(IntervalValue(months: months, days: days, microseconds: try signed()))
        case 7: return .uuid(UUIDValue(high: try fixed(), low: try fixed()))
        default: throw .corrupt("an unknown kind of value")
        }
    }

    package mutating func field() throws(QueryError) -> Field {
        Field(name: try string(), type: try type(), isNullable: try flag())
    }

    package mutating func schema() throws(QueryError) -> Schema {
        Schema(try list { (reader) throws(QueryError) in try reader.field() })
    }
}
