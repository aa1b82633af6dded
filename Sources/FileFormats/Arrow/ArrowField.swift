// Fields of Arrow schemas that are written: their types, children and metadata, and the flat buffer of a schema.

import Columnar

/// A type as Arrow's schema says it.
package indirect enum ArrowType: Hashable, Sendable {
    case boolean
    case integer(bits: Int, isSigned: Bool = true)
    case float32, float64
    case utf8, binary
    case decimal(precision: Int, scale: Int)
    case date
    /// Microseconds since midnight.
    case time
    /// Microseconds; with a zone they are instants.
    case timestamp(zone: String?)
    /// Months, days and nanoseconds.
    case interval
    case fixedBytes(Int)
    case list(ArrowField)
    case denseUnion([ArrowField])
    case map(key: ArrowField, value: ArrowField)
}

/// A column, or a child of one.
package struct ArrowField: Hashable, Sendable {
    package struct Property: Hashable, Sendable {
        package var key: String
        package var value: String
        package init(_ key: String, _ value: String) {
            self.key = key
            self.value = value
        }
    }

    package var name: String
    package var type: ArrowType
    package var isNullable: Bool
    package var properties: [Property]

    package init(_ name: String, _ type: ArrowType, isNullable: Bool = true, properties: [Property] = []) {
        self.name = name
        self.type = type
        self.isNullable = isNullable
        self.properties = properties
    }

    /// Marks an extension type.
    static func extensionName(_ name: String) -> [Property] {
        [Property("ARROW:extension:name", name), Property("ARROW:extension:metadata", "")]
    }
}

extension ArrowType {
    /// Number in the union of types.
    private var number: ArrowTypeNumber {
        switch self {
        case .boolean: .boolean
        case .integer: .integer
        case .float32, .float64: .floatingPoint
        case .utf8: .utf8
        case .binary: .binary
        case .decimal: .decimal
        case .date: .date
        case .time: .time
        case .timestamp: .timestamp
        case .interval: .interval
        case .fixedBytes: .fixedSizeBinary
        case .list: .list
        case .denseUnion: .union
        case .map: .map
        }
    }

    private var children: [ArrowField] {
        switch self {
        case .list(let element): [element]
        case .denseUnion(let members): members
        default: []
        }
    }

    private func table(_ builder: inout FlatBufferBuilder) -> FlatBufferBuilder.Offset {
        switch self {
        case .boolean, .utf8, .binary, .list: return builder.table { _ in }
        case .integer(let bits, let isSigned):
            return builder.table {
                $0.field(0, Int32(bits))
                if isSigned { $0.field(1, UInt8(1)) }
            }
        case .float32: return builder.table { $0.field(0, Int16(1)) }
        case .float64: return builder.table { $0.field(0, Int16(2)) }
        case .decimal(let precision, let scale):
            return builder.table {
                $0.field(0, Int32(precision))
                $0.field(1, Int32(scale))
                $0.field(2, Int32(128))
            }
        case .date: return builder.table { $0.field(0, Int16(0)) }
        case .time:
            return builder.table {
                $0.field(1, Int32(64))
                $0.field(0, Int16(2))
            }
        case .timestamp(let zone):
            let zone = zone.map { builder.string($0) }
            return builder.table {
                if let zone { $0.field(1, zone) }
                $0.field(0, Int16(2))
            }
        case .interval: return builder.table { $0.field(0, Int16(2)) }
        case .fixedBytes(let width): return builder.table { $0.field(0, Int32(width)) }
        case .denseUnion: return builder.table { $0.field(0, Int16(1)) }
        case .map: return builder.table { $0.field(0, UInt8(0)) }
        }
    }

    /// The number of the type, its table, and the fields below it.
    fileprivate func write(
        _ builder: inout FlatBufferBuilder
    ) -> (number: ArrowTypeNumber, table: FlatBufferBuilder.Offset, children: FlatBufferBuilder.Offset) {
        let offsets: [FlatBufferBuilder.Offset]
        if case .map(let key, let value) = self {
            // The entries of a map are a structure, which no column of ours is by itself.
            let pair = builder.vector(of: [key, value].map { $0.write(&builder) })
            let structure = builder.table { _ in }
            offsets = [
                ArrowField.write(
                    "entries", (.structure, structure, pair), isNullable: false, properties: [], &builder)
            ]
        } else {
            offsets = children.map { $0.write(&builder) }
        }
        let children = builder.vector(of: offsets)
        return (number, table(&builder), children)
    }
}

extension ArrowField {
    fileprivate func write(_ builder: inout FlatBufferBuilder) -> FlatBufferBuilder.Offset {
        ArrowField.write(name, type.write(&builder), isNullable: isNullable, properties: properties, &builder)
    }

    fileprivate static func write(
        _ name: String,
        _ type: (number: ArrowTypeNumber, table: FlatBufferBuilder.Offset, children: FlatBufferBuilder.Offset),
        isNullable: Bool, properties: [Property], _ builder: inout FlatBufferBuilder
    ) -> FlatBufferBuilder.Offset {
        let name = builder.string(name)
        var metadata: FlatBufferBuilder.Offset?
        if !properties.isEmpty {
            let pairs = properties.map { property in
                let key = builder.string(property.key)
                let value = builder.string(property.value)
                return builder.table {
                    $0.field(0, key)
                    $0.field(1, value)
                }
            }
            metadata = builder.vector(of: pairs)
        }
        return builder.table {
            $0.field(0, name)
            $0.field(3, type.table)
            $0.field(5, type.children)
            if let metadata { $0.field(6, metadata) }
            if isNullable { $0.field(1, UInt8(1)) }
            $0.field(2, type.number.rawValue)
        }
    }
}

extension ArrowSchema {
    /// A schema as a table of the builder.
    static func write(_ fields: [ArrowField], _ builder: inout FlatBufferBuilder) -> FlatBufferBuilder.Offset {
        let offsets = fields.map { $0.write(&builder) }
        let vector = builder.vector(of: offsets)
        return builder.table {
            $0.field(1, vector)
            $0.field(0, Int16(0))
        }
    }

    /// The schema of columns that are written to a file.
    static func write(_ fields: [Field], _ builder: inout FlatBufferBuilder) -> FlatBufferBuilder.Offset {
        write(fields.map { field in storedField(field) }, &builder)
    }

    /// A column of a file. What is written as text is text.
    private static func storedField(_ field: Field) -> ArrowField {
        let (type, properties): (ArrowType, [ArrowField.Property]) =
            switch field.type {
            case .json, .jsonb: (.utf8, ArrowField.extensionName("arrow.json"))
            case .uuid: (.fixedBytes(16), ArrowField.extensionName("arrow.uuid"))
            default: (ArrowType(scalar: field.type) ?? .utf8, [])
            }
        return ArrowField(field.name, type, properties: properties)
    }
}

extension ArrowType {
    /// The type of columns whose values have the same form in Arrow, or nearly; `nil` for what has to become text.
    package init?(scalar type: DataType) {
        switch type {
        case .boolean: self = .boolean
        case .int8: self = .integer(bits: 8)
        case .int16: self = .integer(bits: 16)
        case .int32: self = .integer(bits: 32)
        case .int64, .oid: self = .integer(bits: 64)
        case .float32: self = .float32
        case .float64: self = .float64
        case .decimal(let precision, let scale): self = .decimal(precision: precision, scale: scale)
        case .date: self = .date
        case .time: self = .time
        case .timestamp: self = .timestamp(zone: nil)
        case .timestampTZ: self = .timestamp(zone: "UTC")
        case .interval: self = .interval
        case .uuid: self = .fixedBytes(16)
        case .bytea: self = .binary
        case .unknown, .text, .varchar, .name, .internalChar, .json, .jsonpath: self = .utf8
        default: return nil
        }
    }
}
