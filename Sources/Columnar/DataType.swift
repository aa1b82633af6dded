// Columnar holds types, vectors and batches. This file: SQL types and the physical layouts that carry them.
//
//   DataType, PhysicalType    what a column means, and how its values lie in memory
//   Schema, Field             names and types of a row
//   Buffer, Validity          owned memory; one bit a row that says "not null"
//   StringView                16-byte views of text and bytes
//   Vector, Batch, Selection  columns of values, rows of vectors, and the rows of a batch that are alive
//   VectorBuilder             value by value construction
//   Hashing, Comparison       of whole vectors
//   ScalarValue               one value, for literals and for code that is not hot

import Diagnostics

/// A SQL type with its modifiers.
package indirect enum DataType: Hashable, Sendable {
    /// The type of a bare NULL or of a string literal before its context gives it one.
    case unknown
    case boolean
    /// Internal only: no SQL name. The readers use it for narrow columns.
    case int8
    case int16, int32, int64
    case float32, float64
    /// Exact numeric. Precision 1…38, scale 0…precision.
    case decimal(precision: Int, scale: Int)
    /// Exact numeric of any size, where each value has a scale of its own: `numeric` without modifiers, and `numeric(p, s)`
    /// that `decimal` does not reach. Values are blobs in `NumericBlob`'s layout, carried as views.
    case numeric(NumericModifier?)
    case text
    /// `character varying(n)`; `nil` is without limit.
    case varchar(length: Int?)
    /// `character(n)`. Values are kept without trailing blanks and padded when they are shown.
    case char(length: Int)
    case bytea
    /// Days since 1970-01-01.
    case date
    /// Microseconds since midnight.
    case time
    /// `TimeTZValue`, packed.
    case timeTZ
    /// Microseconds since 1970-01-01 00:00:00, without zone.
    case timestamp
    /// Microseconds since 1970-01-01 00:00:00 UTC.
    case timestampTZ
    case interval
    case uuid
    /// `json` is its text; `jsonb` is a blob in `JSONNode`'s layout; both are carried as views.
    case json, jsonb
    /// A path of the SQL/JSON path language, as its canonical text.
    case jsonpath
    /// Array of any number of dimensions; values are blobs in `ArrayBlob`'s layout, carried as views.
    case array(DataType)
    /// A row as a value: composite types, and what ROW(…) makes. Values are blobs in `RecordBlob`'s layout, carried as views.
    case record([Field])
    /// PostgreSQL's object identifier, 0 to 2^32 - 1.
    case oid
    /// Names of catalogue objects: text of at most `nameByteCountMax` bytes.
    case name
    /// `"char"`, quoted: text of at most one byte.
    case internalChar
    /// An object identifier that is shown as the name of its object: regclass, regtype, ….
    case registered(RegisteredKind)
    /// `int2vector` and `oidvector`: arrays whose subscripts begin with 0, laid out as arrays are.
    case indexVector(DataType)
    /// `bit(n)` and `bit varying(n)`; `nil` is without limit, as bit literals are. Values are their digits, carried as views.
    case bit(length: Int?)
    case varbit(length: Int?)
    /// A range of numbers, dates or times. Values are blobs in `RangeValue`'s layout, carried as views.
    case range(RangeKind)
    /// A type with labels for values, which are the labels' order keys.
    case enumeration(EnumeratedType)
}

/// What a `registered` identifier identifies.
package enum RegisteredKind: UInt8, Hashable, Sendable, CaseIterable {
    case relation, type, function, procedure, namespace, role, operation, operationSignature, collation

    package var sqlName: String {
        switch self {
        case .relation: "regclass"
        case .type: "regtype"
        case .function: "regproc"
        case .procedure: "regprocedure"
        case .namespace: "regnamespace"
        case .role: "regrole"
        case .operation: "regoper"
        case .operationSignature: "regoperator"
        case .collation: "regcollation"
        }
    }
}

/// How values of a type lie in a flat vector.
package enum PhysicalType: UInt8, Hashable, Sendable {
    /// One byte, 0 or 1.
    case boolean
    case int8, int16, int32, int64, int128
    case float32, float64
    /// `IntervalValue`, 16 bytes.
    case interval
    /// 16 bytes, big-endian text order.
    case uuid
    /// `StringView`, 16 bytes.
    case view

    /// Bytes a value.
    package var width: Int {
        switch self {
        case .boolean, .int8: 1
        case .int16: 2
        case .int32, .float32: 4
        case .int64, .float64: 8
        case .int128, .interval, .uuid, .view: 16
        }
    }
}

extension DataType {
    package var physical: PhysicalType {
        switch self {
        case .boolean: .boolean
        case .int8: .int8
        case .int16: .int16
        case .int32, .date: .int32
        case .int64, .time, .timeTZ, .timestamp, .timestampTZ, .oid, .registered, .enumeration: .int64
        case .float32: .float32
        case .float64: .float64
        case .decimal(let precision, _): precision <= 18 ? .int64 : .int128
        case .interval: .interval
        case .uuid: .uuid
        case .unknown, .text, .varchar, .char, .bytea, .json, .jsonb, .jsonpath, .array, .record, .numeric, .name,
            .internalChar, .indexVector, .bit, .varbit, .range:
            .view
        }
    }

    /// Text, varchar, char, name and unknown: values are UTF-8 text.
    package var isString: Bool {
        switch self {
        case .text, .varchar, .char, .name, .unknown: true
        default: false
        }
    }
    package var isInteger: Bool {
        switch self {
        case .int8, .int16, .int32, .int64: true
        default: false
        }
    }
    package var isFloat: Bool { self == .float32 || self == .float64 }
    package var isDecimal: Bool { if case .decimal = self { true } else { false } }
    /// Exact numeric whose scale belongs to its values.
    package var isNumericBlob: Bool { if case .numeric = self { true } else { false } }
    /// SQL's numeric, in either form.
    package var isExactNumeric: Bool { isDecimal || isNumericBlob }
    package var isNumeric: Bool { isInteger || isFloat || isDecimal || isNumericBlob }
    package var isTemporal: Bool {
        switch self {
        case .date, .time, .timeTZ, .timestamp, .timestampTZ, .interval: true
        default: false
        }
    }
    /// Scale of a decimal, 0 for integers.
    package var scale: Int { if case .decimal(_, let scale) = self { scale } else { 0 } }
    package var recordFields: [Field]? { if case .record(let fields) = self { fields } else { nil } }
    /// Whether values are records or arrays of records.
    package var holdsRecords: Bool {
        switch self {
        case .record: true
        case .array(let element): element.holdsRecords
        default: false
        }
    }
    /// Whether the frames of an exchange leave parts of the type to the reader: fields of records, labels.
    package var isPartialInFrames: Bool {
        switch self {
        case .record, .enumeration: true
        case .array(let element): element.isPartialInFrames
        default: false
        }
    }
    package var isBitString: Bool {
        switch self {
        case .bit, .varbit: true
        default: false
        }
    }
    package var enumeratedType: EnumeratedType? { if case .enumeration(let type) = self { type } else { nil } }
    /// The type of arrays whose elements are values of this type, or whose sub-arrays are if it is one of arrays itself.
    package var arrayType: DataType { if case .array = self { self } else { .array(self) } }
    package var elementType: DataType? {
        switch self {
        case .array(let element), .indexVector(let element): element
        default: nil
        }
    }
    /// `oid` and the types that show one as a name.
    package var isObjectIdentifier: Bool {
        switch self {
        case .oid, .registered: true
        default: false
        }
    }

    /// Bytes of a `name`; longer ones are cut.
    package static let nameByteCountMax = 63
    /// The largest `oid`.
    package static let oidMax: Int64 = 0xFFFF_FFFF

    /// Characters that a value may have.
    package var lengthLimit: Int? {
        switch self {
        case .varchar(let length): length
        case .char(let length): length
        default: nil
        }
    }

    /// The largest exact numeric whose scale belongs to its type.
    package static let decimalPrecisionMax = 38
    /// `numeric` without modifiers.
    package static let anyNumeric = DataType.numeric(nil)

    /// The SQL name as PostgreSQL's `format_type` prints it.
    package var sqlName: String {
        switch self {
        case .unknown: "unknown"
        case .boolean: "boolean"
        case .int8: "tinyint"
        case .int16: "smallint"
        case .int32: "integer"
        case .int64: "bigint"
        case .float32: "real"
        case .float64: "double precision"
        case .decimal(let precision, let scale): "numeric(\(precision),\(scale))"
        case .numeric(let modifier): modifier.map { "numeric(\($0.precision),\($0.scale))" } ?? "numeric"
        case .text: "text"
        case .varchar(let length): length.map { "character varying(\($0))" } ?? "character varying"
        case .char(let length): "character(\(length))"
        case .bytea: "bytea"
        case .date: "date"
        case .time: "time without time zone"
        case .timeTZ: "time with time zone"
        case .timestamp: "timestamp without time zone"
        case .timestampTZ: "timestamp with time zone"
        case .interval: "interval"
        case .uuid: "uuid"
        case .json: "json"
        case .jsonb: "jsonb"
        case .jsonpath: "jsonpath"
        case .array(let element): element.sqlName + "[]"
        case .record: "record"
        case .oid: "oid"
        case .name: "name"
        case .internalChar: "\"char\""
        case .registered(let kind): kind.sqlName
        case .indexVector(let element): element == .oid ? "oidvector" : "int2vector"
        case .bit(let length): length.map { "bit(\($0))" } ?? "bit"
        case .varbit(let length): length.map { "bit varying(\($0))" } ?? "bit varying"
        case .enumeration(let type): type.name
        case .range(let kind): kind.sqlName
        }
    }
}

/// A named column of a schema.
package struct Field: Hashable, Sendable {
    package var name: String
    package var type: DataType
    package var isNullable: Bool
    /// What a column of times or intervals was declared with. The fields of a record have none.
    package var modifier: TemporalModifier?
    package init(name: String, type: DataType, isNullable: Bool = true, modifier: TemporalModifier? = nil) {
        self.name = name
        self.type = type
        self.isNullable = isNullable
        self.modifier = modifier
    }

    /// The type with its modifier, as the catalogue numbers and names it.
    package var catalogModifier: Int64 { modifier?.catalogNumber(for: type) ?? type.catalogModifier }
    package var typeName: String {
        modifier == nil
            ? type.sqlName
            : BuiltInTypes.sqlName(type.catalogIdentifier, modifier: catalogModifier) ?? type.sqlName
    }
}

/// The columns of a table, a batch or a result.
package struct Schema: Hashable, Sendable {
    package var fields: [Field]
    package init(_ fields: [Field]) { self.fields = fields }
    package var types: [DataType] { fields.map(\.type) }
    package var count: Int { fields.count }
    package func index(of name: String) -> Int? { fields.firstIndex { $0.name == name } }
}
