// How the values of a column of a result become the buffers of an Arrow array.

import Columnar
import Diagnostics

/// The form of a column: its Arrow type, and what is done with values on the way.
package struct ArrowColumnForm: Sendable {
    enum Kind: Sendable {
        case bits
        /// Values of one width as they lie.
        case plain(width: Int)
        /// Scaled integers of 64 bits as 128 bits.
        case wideDecimal
        case uuid, interval
        /// Views as offsets and bytes.
        case bytes
        /// `character(n)`: filled up with blanks.
        case padded(Int)
        /// As the type's text is.
        case text
        indirect case list(element: DataType, ArrowColumnForm)
    }

    package let field: ArrowField
    let kind: Kind

    /// Which fields a stream has.
    package enum Fields: Sendable {
        /// Of a result: any may be null, and metadata say the SQL type.
        case result
        /// Of a table: as it is declared, with the same metadata.
        case table
        /// Exactly as given.
        case plain
        /// Of a result for a side that shows the values as this one would: with the type's number in PostgreSQL's catalogue,
        /// and as text where Arrow has no type that says the same.
        case exact
    }

    /// Key of the type's number and modifier, with a colon between them.
    static let catalogTypeKey = "martlet.type"

    package init(_ column: Field, _ fields: Fields) {
        guard fields != .plain else {
            self.init(column.name, column.type, isNullable: column.isNullable, properties: [])
            return
        }
        var properties = [ArrowField.Property("ARROW:FLIGHT:SQL:TYPE_NAME", column.type.sqlName)]
        if case .decimal(let precision, let scale) = column.type {
            properties.append(ArrowField.Property("ARROW:FLIGHT:SQL:PRECISION", String(precision)))
            properties.append(ArrowField.Property("ARROW:FLIGHT:SQL:SCALE", String(scale)))
        }
        guard fields == .exact else {
            self.init(
                column.name, column.type, isNullable: fields == .result || column.isNullable, properties: properties)
            return
        }
        properties.append(
            ArrowField.Property(Self.catalogTypeKey, "\(column.type.catalogIdentifier):\(column.catalogModifier)"))
        if Self.isExact(column.type) {
            self.init(column.name, column.type, isNullable: true, properties: properties)
        } else {
            self.init(ArrowField(column.name, .utf8, isNullable: true, properties: properties), .text)
        }
    }

    private init(_ field: ArrowField, _ kind: Kind) {
        self.field = field
        self.kind = kind
    }

    /// Whether a value comes back from Arrow as what it was, or as what has the same text.
    private static func isExact(_ type: DataType) -> Bool {
        switch type {
        case .boolean, .int16, .int32, .int64, .float32, .float64, .decimal, .text, .varchar, .bytea, .date, .time,
            .timestamp, .timestampTZ, .uuid, .json:
            true
        default: false
        }
    }

    private init(_ name: String, _ type: DataType, isNullable: Bool, properties: [ArrowField.Property]) {
        var properties = properties
        let arrow: ArrowType
        switch type {
        case .boolean: (kind, arrow) = (.bits, .boolean)
        case .decimal(let precision, let scale):
            kind = type.physical == .int64 ? .wideDecimal : .plain(width: 16)
            arrow = .decimal(precision: precision, scale: scale)
        case .uuid:
            (kind, arrow) = (.uuid, .fixedBytes(16))
            properties += ArrowField.extensionName("arrow.uuid")
        case .interval: (kind, arrow) = (.interval, .interval)
        case .char(let length): (kind, arrow) = (.padded(length), .utf8)
        case .array(let element):
            let form = ArrowColumnForm("item", element, isNullable: true, properties: [])
            (kind, arrow) = (.list(element: element, form), .list(form.field))
        // A path is shown in another way than it is kept.
        case .jsonpath: (kind, arrow) = (.text, .utf8)
        default:
            if let scalar = ArrowType(scalar: type) {
                kind = type.physical == .view ? .bytes : .plain(width: type.physical.width)
                arrow = scalar
            } else {
                (kind, arrow) = (.text, .utf8)
            }
        }
        field = ArrowField(name, arrow, isNullable: isNullable, properties: properties)
    }
}
