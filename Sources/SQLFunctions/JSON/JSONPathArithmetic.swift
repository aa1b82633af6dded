// Arithmetic of paths: that of numeric.

import Columnar
import Diagnostics

enum JSONPathArithmetic {
    /// Errors: 22012 division by zero, 22003 beyond what numeric holds.
    static func apply(_ name: JSONPathOperator, _ a: JSONNumber, _ b: JSONNumber) throws -> JSONNumber {
        let (x, y) = (try value(a), try value(b))
        let result: NumericValue
        switch name {
        case .add: result = NumericValue.sum(x, y)
        case .subtract: result = NumericValue.difference(x, y)
        case .multiply: result = NumericValue.product(x, y)
        case .divide: result = try NumericValue.quotient(x, y)
        case .modulo: result = try NumericValue.remainder(x, y)
        default: throw QueryError.internalError("\(name.rawValue) as an arithmetic operator")
        }
        var text: [UInt8] = []
        try result.checked().append(into: &text)
        return try text.withUnsafeBufferPointer { try JSONNumber(text: $0) }
    }

    private static func value(_ number: JSONNumber) throws -> NumericValue {
        var text: [UInt8] = []
        number.append(to: &text)
        return try text.withUnsafeBufferPointer { try NumericValue.parse($0) }
    }
}
