// Types by their SQL names.

import Columnar
import Diagnostics
import SQLParser
import Storage

/// A type as a type name gives it.
struct NamedType {
    var type: DataType
    /// `numeric` without precision and scale: a cast keeps the digits of what it casts.
    var isUnconstrainedNumeric = false
    /// Digits of the second and fields of an interval that values are cut to.
    var modifier: TemporalModifier?
    /// The number of a domain or composite type that a statement made.
    var userType: Int64?
    /// Of the rows of a table: the modifiers of its columns.
    var fieldModifiers: [TemporalModifier?] = []

    /// What a column of the type is declared with; a domain keeps that to itself.
    var columnModifier: TemporalModifier? { userType == nil ? modifier : nil }
}

extension DataType {
    /// The type as a parameter of a statement has it.
    var withoutModifiers: DataType {
        switch self {
        case .decimal, .numeric: .anyNumeric
        case .varchar: .varchar(length: nil)
        case .char: .text
        case .bit: .bit(length: nil)
        case .varbit: .varbit(length: nil)
        case .array(let element): .array(element.withoutModifiers)
        default: self
        }
    }
}

extension StatementBinder {
    func resolveType(_ name: TypeName) throws -> NamedType {
        if name.isSetOf { throw QueryError.notSupported("SETOF", at: name.position) }
        var text = name.name.last
        if let made = try resolveUserType(name) { return made }
        if name.name.parts.count > 2 || (name.name.schema != nil && name.name.schema != "pg_catalog") {
            throw undefinedType(name)
        }
        var dimensions = name.arrayDimensions.count
        if text.hasPrefix("_"), text.count > 1 {
            text.removeFirst()
            dimensions += 1
        }
        guard var result = try resolveScalarType(text, name) else { throw undefinedType(name) }
        let qualifier = name.intervalFields.map { IntervalQualifier($0) }
        let precision = result.type.isTemporal ? try name.modifiers.first.map { try integerModifier($0) } : nil
        if qualifier != nil || precision != nil {
            result.modifier = TemporalModifier(qualifier: qualifier, precision: precision)
        }
        if dimensions > 0 {
            result = NamedType(type: .array(result.type), modifier: result.modifier)
        }
        return result
    }

    /// A type of the catalogue, or the type of a table's rows. Built-in names without a schema go before.
    private func resolveUserType(_ name: TypeName) throws -> NamedType? {
        if name.name.schema == nil || name.name.schema == "pg_catalog", Self.isBuiltIn(name.name.last) { return nil }
        let found = userType(name.name)
        if let found { noteType(name.name, found) }
        guard let type = try found?.type.type ?? rowType(name.name) else { return nil }
        if !name.modifiers.isEmpty {
            throw QueryError(
                .syntaxError, "type modifier is not allowed for type \"\(name.name.last)\"", at: name.position)
        }
        if name.arrayDimensions.isEmpty {
            let modifier = found.flatMap { temporalModifier(ofUserType: $0.type.identifier) }
            return NamedType(
                type: type, modifier: modifier, userType: found?.type.identifier,
                fieldModifiers: found == nil ? rowModifiers(name.name) : [])
        }
        if found == nil, rowModifiers(name.name).contains(where: { $0 != nil }) {
            throw QueryError.notSupported("an array of rows with fields of a precision", at: name.position)
        }
        if case .composite(let attributes)? = found?.type.kind, attributes.contains(where: { $0.field.modifier != nil })
        {
            throw QueryError.notSupported("an array of a type with fields of a precision", at: name.position)
        }
        if case .domain? = found?.type.kind {
            throw QueryError.notSupported("an array of a domain", at: name.position)
        }
        if let identifier = found?.type.identifier, holdsDomains(identifier) {
            throw QueryError.notSupported("an array of a type with fields of domains", at: name.position)
        }
        return NamedType(type: .array(type))
    }

    /// Whether values of a type have parts whose domains would have to be looked at.
    private func holdsDomains(_ identifier: Int64) -> Bool {
        switch userType(identifier)?.type.kind {
        case .domain?: true
        case .composite(let attributes)?: attributes.contains { $0.userType.map { holdsDomains($0) } ?? false }
        default: false
        }
    }

    /// Whether the name is one of a built-in type.
    static func isBuiltIn(_ name: String) -> Bool {
        if plainTypes[name] != nil || BuiltInTypes.identifier(ofSQLName: name) != nil { return true }
        return [
            "numeric", "decimal", "dec", "varchar", "character varying", "nvarchar", "char", "character", "nchar",
            "bpchar", "float", "bit", "varbit", "bit varying",
        ].contains(name)
    }

    private func undefinedType(_ name: TypeName) -> QueryError {
        let text = name.name.parts.joined(separator: ".")
        return QueryError(.undefinedObject, "type \"\(text)\" does not exist", at: name.position, object: text)
    }

    private func resolveScalarType(_ text: String, _ name: TypeName) throws -> NamedType? {
        let modifiers = try name.modifiers.map { try integerModifier($0) }
        if name.isQuoted, text == "char" { return NamedType(type: .internalChar) }
        switch text {
        case "numeric", "decimal", "dec": return try numeric(modifiers, at: name.position)
        case "varchar", "character varying", "nvarchar":
            return NamedType(type: .varchar(length: try length(modifiers, "varchar", at: name.position)))
        case "char", "character", "nchar":
            return NamedType(type: .char(length: try length(modifiers, "char", at: name.position) ?? 1))
        case "bit": return NamedType(type: .bit(length: try length(modifiers, "bit", at: name.position) ?? 1))
        case "varbit", "bit varying":
            return NamedType(type: .varbit(length: try length(modifiers, "varbit", at: name.position)))
        case "bpchar":
            return NamedType(
                type: try length(modifiers, "char", at: name.position).map { .char(length: $0) } ?? .text)
        case "float":
            guard let precision = modifiers.first else { return NamedType(type: .float64) }
            guard (1...53).contains(precision) else {
                throw QueryError(
                    .invalidParameterValue, "precision for type float must be between 1 and 53 bits", at: name.position)
            }
            return NamedType(type: precision <= 24 ? .float32 : .float64)
        case "time", "timestamp", "timestamptz", "timetz", "time without time zone", "timestamp without time zone",
            "timestamp with time zone", "time with time zone", "interval", "datetime":
            if let precision = modifiers.first, precision < 0 {
                throw QueryError(
                    .invalidParameterValue, "\(text.uppercased())(\(precision)) precision must not be negative",
                    at: name.position)
            }
        default:
            if !modifiers.isEmpty, Self.plainTypes[text] != nil {
                throw QueryError(
                    .syntaxError, "type modifier is not allowed for type \"\(text)\"", at: name.position)
            }
        }
        return Self.plainTypes[text].map { NamedType(type: $0) }
    }

    private static let plainTypes: [String: DataType] = [
        "bool": .boolean, "boolean": .boolean,
        "tinyint": .int16, "int1": .int16, "int2": .int16, "smallint": .int16,
        "int": .int32, "int4": .int32, "integer": .int32,
        "int8": .int64, "bigint": .int64, "oid": .oid, "xid": .oid, "cid": .oid,
        "hugeint": .decimal(precision: 38, scale: 0),
        "float4": .float32, "real": .float32,
        "float8": .float64, "double precision": .float64, "double": .float64,
        "text": .text, "string": .text, "name": .name, "citext": .text, "xml": .text, "cstring": .text,
        "bytea": .bytea, "blob": .bytea, "binary": .bytea, "varbinary": .bytea,
        "date": .date, "time": .time, "time without time zone": .time,
        "timetz": .timeTZ, "time with time zone": .timeTZ,
        "timestamp": .timestamp, "timestamp without time zone": .timestamp, "datetime": .timestamp,
        "timestamptz": .timestampTZ, "timestamp with time zone": .timestampTZ,
        "interval": .interval, "uuid": .uuid, "json": .json, "jsonb": .jsonb, "jsonpath": .jsonpath,
        "int4range": .range(.int32), "int8range": .range(.int64), "numrange": .range(.numeric),
        "daterange": .range(.date), "tsrange": .range(.timestamp), "tstzrange": .range(.timestampTZ),
        "unknown": .text, "int2vector": .indexVector(.int16), "oidvector": .indexVector(.oid),
        "regclass": .registered(.relation), "regtype": .registered(.type), "regproc": .registered(.function),
        "regprocedure": .registered(.procedure), "regnamespace": .registered(.namespace),
        "regrole": .registered(.role), "regoper": .registered(.operation),
        "regoperator": .registered(.operationSignature), "regcollation": .registered(.collation),
    ]

    private func numeric(_ modifiers: [Int], at position: SourcePosition) throws -> NamedType {
        guard let precision = modifiers.first else {
            return NamedType(type: .anyNumeric, isUnconstrainedNumeric: true)
        }
        let limit = NumericModifier.precisionMax
        guard (1...limit).contains(precision) else {
            throw QueryError(
                .invalidParameterValue, "NUMERIC precision \(precision) must be between 1 and \(limit)", at: position)
        }
        let scale = modifiers.count > 1 ? modifiers[1] : 0
        guard modifiers.count <= 2 else {
            throw QueryError(.invalidParameterValue, "invalid NUMERIC type modifier", at: position)
        }
        guard abs(scale) <= NumericModifier.scaleMax else {
            throw QueryError(
                .invalidParameterValue,
                "NUMERIC scale \(scale) must be between -\(NumericModifier.scaleMax) and \(NumericModifier.scaleMax)",
                at: position)
        }
        if precision <= DataType.decimalPrecisionMax, (0...precision).contains(scale) {
            return NamedType(type: .decimal(precision: precision, scale: scale))
        }
        return NamedType(type: .numeric(NumericModifier(precision: precision, scale: scale)))
    }

    private func length(_ modifiers: [Int], _ type: String, at position: SourcePosition) throws -> Int? {
        guard let length = modifiers.first else { return nil }
        guard length >= 1 else {
            throw QueryError(.invalidParameterValue, "length for type \(type) must be at least 1", at: position)
        }
        guard length <= 10_485_760 || type.hasSuffix("bit") else {
            throw QueryError(.invalidParameterValue, "length for type \(type) cannot exceed 10485760", at: position)
        }
        return length
    }

    private func integerModifier(_ expression: SyntaxExpression) throws -> Int {
        if case .unary(let sign, let operand) = expression.kind, sign.symbol == "-" {
            return -(try integerModifier(operand))
        }
        guard case .literal(.integer(let value)) = expression.kind, let number = Int(exactly: value) else {
            throw QueryError(
                .invalidParameterValue, "type modifiers must be simple constants", at: expression.position)
        }
        return number
    }

    /// PostgreSQL's internal name of a type, which an unnamed cast gives its column.
    static func columnName(_ name: TypeName) -> String {
        switch name.name.last {
        case "int", "integer": "int4"
        case "bigint": "int8"
        case "smallint": "int2"
        case "real": "float4"
        case "double precision", "double", "float": "float8"
        case "boolean": "bool"
        case "character varying": "varchar"
        case "character", "char": name.isQuoted ? "char" : "bpchar"
        case "decimal", "dec": "numeric"
        default: name.name.last
        }
    }
}
