// Values of parameters: rows of Arrow as values of the types that a statement's parameters have.

import Columnar
import Diagnostics

struct ParameterValues {
    let types: [DataType]
    let settings: TextSettings

    func check(_ fields: [Field]) throws {
        guard fields.count == types.count else {
            throw QueryError(
                .protocolViolation,
                "\(fields.count) parameters are given, but the statement has \(types.count)")
        }
    }

    /// The values of a row. Values of another type go through their text: what the type cannot hold is an error.
    func row(_ batch: Batch, _ row: Int) throws -> [ScalarValue] {
        try types.indices.map { index in
            let vector = batch.columns[index]
            if vector.isNull(row) { return .null }
            let type = types[index]
            if vector.type == type || vector.type.isString && Self.isPlainText(type) { return vector.value(at: row) }
            var text: [UInt8] = []
            TextFormat.append(vector, row: row, settings: settings, into: &text)
            return try text.withUnsafeBufferPointer { try TextFormat.parse($0, as: type, settings: settings) }
        }
    }

    private static func isPlainText(_ type: DataType) -> Bool {
        switch type {
        case .text, .varchar(length: nil): true
        default: false
        }
    }
}
