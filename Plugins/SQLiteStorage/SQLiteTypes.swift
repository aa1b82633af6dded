// Declared types of columns as types of the engine.

import Columnar

/// What SQLite does to values that are stored in a column: its rules look for pieces of the declared type's name.
enum Affinity: Hashable, Sendable {
    case integer, text, blob, real, numeric

    init(declared: String) {
        let name = declared.uppercased()
        if name.contains("INT") {
            self = .integer
        } else if name.contains("CHAR") || name.contains("CLOB") || name.contains("TEXT") {
            self = .text
        } else if name.contains("BLOB") || name.isEmpty || name == "ANY" {
            self = .blob
        } else if name.contains("REAL") || name.contains("FLOA") || name.contains("DOUB") {
            self = .real
        } else {
            self = .numeric
        }
    }

    /// Whether a text that looks like a number becomes one.
    var makesNumbers: Bool { self == .integer || self == .real || self == .numeric }
}

/// How stored values become values of the engine.
enum ValueCodec: Hashable, Sendable {
    case boolean
    /// Whole numbers within these bounds.
    case integer(minimum: Int64, maximum: Int64)
    case float64, float32
    case decimal(precision: Int, scale: Int)
    case numeric
    case text
    /// At most so many characters; blanks at the end of a padded text do not count.
    case limitedText(Int, isPadded: Bool)
    /// Of a column without a type: numbers as text too.
    case anyText
    case bytes
    case date, time, timestamp, timestampTZ, interval, uuid, json, jsonb
    /// The number of a row.
    case rowIdentifier
}

struct SQLiteType: Hashable, Sendable {
    var type: DataType
    var codec: ValueCodec
    var affinity: Affinity

    init(_ type: DataType, _ codec: ValueCodec, _ affinity: Affinity) {
        self.type = type
        self.codec = codec
        self.affinity = affinity
    }

    static let rowIdentifier = SQLiteType(.int64, .rowIdentifier, .integer)

    private static func whole<T: FixedWidthInteger>(_ type: DataType, _: T.Type) -> (DataType, ValueCodec) {
        (type, .integer(minimum: Int64(T.min), maximum: Int64(T.max)))
    }

    /// The type of a column that was declared so. A name that says nothing by itself is taken by its affinity.
    init(declared: String) {
        affinity = Affinity(declared: declared)
        let (name, arguments) = Self.parts(declared)
        switch name {
        case "BOOLEAN", "BOOL": (type, codec) = (.boolean, .boolean)
        case "SMALLINT", "INT2", "TINYINT": (type, codec) = Self.whole(.int16, Int16.self)
        case "INT4", "MEDIUMINT": (type, codec) = Self.whole(.int32, Int32.self)
        case "FLOAT4": (type, codec) = (.float32, .float32)
        case "DECIMAL", "NUMERIC", "DECIMAL_TEXT", "DEC", "MONEY", "NUMBER":
            if let precision = arguments.first, precision >= 1, precision <= DataType.decimalPrecisionMax,
                arguments.count <= 2
            {
                let scale = arguments.count == 2 ? arguments[1] : 0
                if scale >= 0, scale <= precision {
                    type = .decimal(precision: precision, scale: scale)
                    codec = .decimal(precision: precision, scale: scale)
                    break
                }
            }
            (type, codec) = (.anyNumeric, .numeric)
        case "VARCHAR", "CHARACTER VARYING", "VARYING CHARACTER", "NVARCHAR", "CHAR VARYING", "VARCHAR2":
            if let length = arguments.first, length > 0 {
                (type, codec) = (.varchar(length: length), .limitedText(length, isPadded: false))
            } else {
                (type, codec) = (.varchar(length: nil), .text)
            }
        case "CHAR", "CHARACTER", "NCHAR", "NATIVE CHARACTER", "BPCHAR":
            if let length = arguments.first, length > 0 {
                (type, codec) = (.char(length: length), .limitedText(length, isPadded: true))
            } else {
                (type, codec) = (.text, .text)
            }
        case "DATE": (type, codec) = (.date, .date)
        case "TIME": (type, codec) = (.time, .time)
        case "DATETIME", "TIMESTAMP", "TIMESTAMP WITHOUT TIME ZONE": (type, codec) = (.timestamp, .timestamp)
        case "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE", "DATETIMEOFFSET":
            (type, codec) = (.timestampTZ, .timestampTZ)
        case "INTERVAL": (type, codec) = (.interval, .interval)
        case "UUID", "GUID", "UNIQUEIDENTIFIER": (type, codec) = (.uuid, .uuid)
        case "JSON", "JSON TEXT": (type, codec) = (.json, .json)
        case "JSONB", "JSONB TEXT": (type, codec) = (.jsonb, .jsonb)
        case "", "ANY", "STRING": (type, codec) = (.text, .anyText)
        default:
            switch affinity {
            case .integer: (type, codec) = Self.whole(.int64, Int64.self)
            case .text: (type, codec) = (.text, .text)
            case .blob: (type, codec) = (.bytea, .bytes)
            case .real: (type, codec) = (.float64, .float64)
            case .numeric: (type, codec) = (.anyNumeric, .numeric)
            }
        }
    }

    /// The name in capitals with single blanks, and the whole numbers in its parentheses.
    private static func parts(_ declared: String) -> (String, [Int]) {
        let upper = declared.uppercased()
        let name = upper.prefix { $0 != "(" }.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        let rest = upper.drop { $0 != "(" }.dropFirst().prefix { $0 != ")" }
        let arguments = rest.split(separator: ",").compactMap { Int($0.filter { !$0.isWhitespace }) }
        return (name, arguments)
    }

    /// The declared type for CREATE TABLE from which the same type is read; `nil` for types that SQLite cannot hold.
    static func name(_ type: DataType) -> String? {
        switch type {
        case .boolean: "BOOLEAN"
        case .int8, .int16: "SMALLINT"
        case .int32: "INT4"
        case .int64: "BIGINT"
        case .float32: "FLOAT4"
        case .float64: "DOUBLE PRECISION"
        // Numbers of more digits than a double holds are kept as text.
        case .decimal(let precision, let scale):
            precision <= exactDigits ? "DECIMAL(\(precision),\(scale))" : "DECIMAL_TEXT(\(precision),\(scale))"
        case .numeric(nil): "DECIMAL_TEXT"
        case .text: "TEXT"
        case .varchar(let length): length.map { "VARCHAR(\($0))" } ?? "VARCHAR"
        case .char(let length): "CHAR(\(length))"
        case .bytea: "BLOB"
        case .date: "DATE"
        case .time: "TIME"
        case .timestamp: "TIMESTAMP"
        case .timestampTZ: "TIMESTAMPTZ"
        case .interval: "INTERVAL"
        case .uuid: "UUID"
        // Not by their plain names: with their affinity the document 1.50 would become the number 1.5.
        case .json: "JSON TEXT"
        case .jsonb: "JSONB TEXT"
        default: nil
        }
    }

    /// Decimal digits that every double keeps.
    static let exactDigits = 15
}
