// Rows of vectors as values of SQLite: a compact list of them until they are bound to a statement.

import CSQLite
import Columnar
import Diagnostics

/// Collects rows. A value that SQLite would change as it stores it is an error.
struct RowEncoder {
    private enum Tag {
        static let null: UInt8 = 0
        static let integer: UInt8 = 1
        static let real: UInt8 = 2
        static let text: UInt8 = 3
        static let blob: UInt8 = 4
    }
    private(set) var bytes: [UInt8] = []
    private(set) var rowCount = 0
    private let columns: [ScanText.ResultColumn]

    init(_ columns: [ScanText.ResultColumn]) { self.columns = columns }

    mutating func removeAll() {
        bytes = []
        rowCount = 0
    }

    mutating func append(_ vectors: [Vector], rowCount count: Int) throws {
        let flat = vectors.map { $0.flattened() }
        bytes.reserveCapacity(bytes.count + count * columns.count * 12)
        for row in 0..<count {
            for (index, vector) in flat.enumerated() {
                if let validity = vector.validity, !Validity.isValid(validity, row) {
                    bytes.append(Tag.null)
                } else {
                    try append(vector, row, columns[index])
                }
            }
        }
        rowCount += count
    }

    // MARK: Values

    private mutating func integer(_ value: Int64) {
        bytes.append(Tag.integer)
        withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
    }

    private mutating func real(_ value: Double) {
        bytes.append(Tag.real)
        withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
    }

    private mutating func piece(_ tag: UInt8, _ value: UnsafeBufferPointer<UInt8>) {
        bytes.append(tag)
        withUnsafeBytes(of: Int32(truncatingIfNeeded: value.count)) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: value)
    }

    /// A text in a column whose affinity turns numbers in texts into numbers must not look like one.
    private mutating func text(_ value: UnsafeBufferPointer<UInt8>, _ column: ScanText.ResultColumn) throws {
        if column.type.affinity.makesNumbers, (try? NumericValue.parse(value))?.isFinite == true {
            var number = 0 as Int64
            let isWhole = (try? NumericText.parseInteger(value)).map { number = $0 } != nil
            var canonical: [UInt8] = []
            NumericText.append(number, into: &canonical)
            // A whole number is read back as the same text.
            guard isWhole, canonical.elementsEqual(value) else {
                throw QueryError(
                    .featureNotSupported,
                    "SQLite would change the text \"\(String(decoding: value, as: UTF8.self))\" in column \"\(column.name)\"",
                    detail: "The column is declared as \(column.declared), which makes numbers of such texts.",
                    object: column.name)
            }
        }
        piece(Tag.text, value)
    }

    private mutating func text(_ value: [UInt8], _ column: ScanText.ResultColumn) throws {
        try value.withUnsafeBufferPointer { try text($0, column) }
    }

    private mutating func append(_ vector: Vector, _ row: Int, _ column: ScanText.ResultColumn) throws {
        switch column.type.codec {
        case .boolean: integer(vector.values(UInt8.self)[row] != 0 ? 1 : 0)
        case .integer, .rowIdentifier:
            switch vector.physical {
            case .int8: integer(Int64(vector.values(Int8.self)[row]))
            case .int16: integer(Int64(vector.values(Int16.self)[row]))
            case .int32: integer(Int64(vector.values(Int32.self)[row]))
            default: integer(vector.values(Int64.self)[row])
            }
        case .float64: try finite(vector.values(Double.self)[row], column)
        case .float32: try finite(Double(vector.values(Float.self)[row]), column)
        case .decimal(_, let scale):
            let unscaled =
                vector.physical == .int64 ? Int128(vector.values(Int64.self)[row]) : vector.values(Int128.self)[row]
            try decimal(NumericValue(unscaled, scale: scale), column)
        case .numeric: try decimal(NumericBlob.value(vector.views + row), column)
        case .text, .limitedText, .anyText: try text(Self.bytes(vector, row), column)
        case .bytes: piece(Tag.blob, Self.bytes(vector, row))
        case .date: try text(StoredTime.text(date: vector.values(Int32.self)[row]), column)
        case .time: try text(StoredTime.text(time: vector.values(Int64.self)[row]), column)
        case .timestamp:
            try text(StoredTime.text(timestamp: vector.values(Int64.self)[row], hasZone: false), column)
        case .timestampTZ:
            try text(StoredTime.text(timestamp: vector.values(Int64.self)[row], hasZone: true), column)
        case .interval, .uuid, .json, .jsonb:
            var value: [UInt8] = []
            TextFormat.append(vector, row: row, settings: TextSettings(), into: &value)
            try text(value, column)
        }
    }

    private static func bytes(_ vector: Vector, _ row: Int) -> UnsafeBufferPointer<UInt8> {
        let view = vector.views + row
        return UnsafeBufferPointer(start: StringView.bytes(at: view), count: view.pointee.count)
    }

    /// NaN would be stored as NULL.
    private mutating func finite(_ value: Double, _ column: ScanText.ResultColumn) throws {
        guard !value.isNaN else { throw Self.noNumber("NaN", column) }
        real(value)
    }

    private static func noNumber(_ value: String, _ column: ScanText.ResultColumn) -> QueryError {
        QueryError(
            .numericValueOutOfRange, "SQLite cannot store \(value) in column \"\(column.name)\"",
            detail: "The column is declared as \(column.declared).", object: column.name)
    }

    private mutating func decimal(_ value: NumericValue, _ column: ScanText.ResultColumn) throws {
        var digits: [UInt8] = []
        value.append(into: &digits)
        if column.type.affinity == .text || column.type.affinity == .blob {
            return digits.withUnsafeBufferPointer { piece(Tag.text, $0) }
        }
        guard let unscaled = value.unscaled(precision: DataType.decimalPrecisionMax, scale: value.scale),
            let exact = StoredNumber.exact(unscaled, scale: value.scale)
        else {
            var error = Self.noNumber(String(decoding: digits, as: UTF8.self), column)
            error.hint = "Numbers of more than 15 digits are exact in columns of type DECIMAL_TEXT."
            throw error
        }
        switch exact {
        case .integer(let number): integer(number)
        case .real(let number): real(number)
        default: bytes.append(Tag.null)
        }
    }

    // MARK: Binding

    /// Runs the statement once for each row. `afterEach` is asked behind each run.
    func run(_ statement: SQLiteStatement, afterEach check: () throws -> Void = {}) throws {
        try bytes.withUnsafeBytes { source in
            var at = 0
            for row in 0..<rowCount {
                if row & 0xFF == 0 { try Interruption.check() }
                for column in 1...max(1, columns.count) where column <= columns.count {
                    let place = Int32(column)
                    let code: Int32
                    let tag = source[at]
                    at += 1
                    switch tag {
                    case Tag.null: code = sqlite3_bind_null(statement.handle, place)
                    case Tag.integer:
                        code = sqlite3_bind_int64(
                            statement.handle, place, source.loadUnaligned(fromByteOffset: at, as: Int64.self))
                        at += 8
                    case Tag.real:
                        code = sqlite3_bind_double(
                            statement.handle, place, source.loadUnaligned(fromByteOffset: at, as: Double.self))
                        at += 8
                    default:
                        let count = Int(source.loadUnaligned(fromByteOffset: at, as: Int32.self))
                        at += 4
                        let start = source.baseAddress.map { $0 + at }
                        code =
                            tag == Tag.text
                            ? martlet_sqlite_bind_text(statement.handle, place, start, UInt64(count))
                            : martlet_sqlite_bind_blob(statement.handle, place, start, UInt64(count))
                        at += count
                    }
                    guard code == SQLITE_OK else { throw statement.connection.error(code) }
                }
                do { while try statement.step() {} } catch {
                    statement.reset()
                    throw error
                }
                statement.reset()
                try check()
            }
        }
    }
}
