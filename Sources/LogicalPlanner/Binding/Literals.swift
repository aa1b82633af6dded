// Constants: numbers as written, typed literals, and the exact change of a literal's type.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

extension StatementBinder {
    func bindLiteral(_ literal: Literal) -> Expression {
        switch literal {
        case .null: .null(.unknown)
        case .boolean(let value): .literal(.boolean(value), .boolean)
        case .integer(let value): .literal(.integer(value), Int32(exactly: value) == nil ? .int64 : .int32)
        case .decimal(let text): Self.number(text) ?? Self.largeNumber(text)
        case .string(let text): .literal(.string(text), .unknown)
        case .bits(let digits): .literal(.string(digits), .bit(length: nil))
        }
    }

    /// A number that no decimal holds. What no numeric holds either is beyond a double as well.
    private static func largeNumber(_ text: String) -> Expression {
        if let value = NumericValue(text) { return .literal(.bytes(NumericBlob.bytes(value)), .anyNumeric) }
        return .literal(.float(Double(text) ?? .infinity), .float64)
    }

    /// A number's text as an exact numeric with as many digits as it needs; `nil` when it is none or has too many.
    static func number(_ text: String) -> Expression? {
        var unscaled: Int128 = 0
        var scale = 0
        var digitCount = 0
        var sawPoint = false
        var isNegative = false
        var exponent = 0
        let bytes = Array(text.utf8)
        var index = 0
        if index < bytes.count, bytes[index] == UInt8(ascii: "-") || bytes[index] == UInt8(ascii: "+") {
            isNegative = bytes[index] == UInt8(ascii: "-")
            index += 1
        }
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                let (shifted, overflow) = unscaled.multipliedReportingOverflow(by: 10)
                let (sum, carry) = shifted.addingReportingOverflow(Int128(byte - UInt8(ascii: "0")))
                if overflow || carry { return nil }
                unscaled = sum
                digitCount += 1
                if sawPoint { scale += 1 }
            case UInt8(ascii: "."):
                if sawPoint { return nil }
                sawPoint = true
            case UInt8(ascii: "e"), UInt8(ascii: "E"):
                guard let value = Int(String(decoding: bytes[index...], as: UTF8.self)), abs(value) <= 1_000 else {
                    return nil
                }
                exponent = value
                index = bytes.count
            default: return nil
            }
        }
        if digitCount == 0 { return nil }
        scale -= exponent
        while scale < 0 {
            let (shifted, overflow) = unscaled.multipliedReportingOverflow(by: 10)
            if overflow { return nil }
            unscaled = shifted
            scale += 1
        }
        let limit = Self.powersOfTen[DataType.decimalPrecisionMax]
        if scale > DataType.decimalPrecisionMax || unscaled >= limit { return nil }
        if isNegative { unscaled = -unscaled }
        let type = TypeConversion.minimalDecimal(unscaled, scale: scale)
        return .literal(Self.decimalValue(unscaled), type)
    }

    /// Decimals are carried as `.decimal` at every precision.
    static func decimalValue(_ unscaled: Int128) -> ScalarValue { .decimal(unscaled) }

    /// 10^0 … 10^38.
    static let powersOfTen: [Int128] = {
        var powers: [Int128] = [1]
        for _ in 0..<DataType.decimalPrecisionMax { powers.append(powers[powers.count - 1] * 10) }
        return powers
    }()

    /// `date '…'`, `interval '…' month`: the text read as a value of the type.
    func bindTypedLiteral(_ name: TypeName, _ text: String, at position: SourcePosition) throws -> Expression {
        let named = try resolveType(name)
        if let identifier = named.userType {
            let literal = Operand(expression: .literal(.string(text), .unknown), position: position)
            let value =
                try named.modifier.flatMap { try intervalRead(literal, named.type, $0) }
                ?? castLiteral(literal.expression, to: named.type, kind: .strict, at: position)
            return try typed(value, userType: identifier, at: position)
        }
        if let modifier = named.modifier {
            let operand = Operand(expression: .literal(.string(text), .unknown), position: position)
            return try cast(operand, to: named, modifier, kind: .strict, at: position)
        }
        if named.isUnconstrainedNumeric, let number = Self.number(text) { return number }
        return try castLiteral(.literal(.string(text), .unknown), to: named.type, kind: .strict, at: position)
    }

    /// A literal converted to another type now; errors get the position.
    func castLiteral(
        _ literal: Expression, to type: DataType, kind: Expression.CastKind, at position: SourcePosition?
    ) throws -> Expression {
        guard case .literal(let value, let from) = literal else { return .cast(literal, to: type, kind: kind) }
        if value.isNull { return .null(type) }
        do {
            if kind == .lenient {
                return .literal(
                    (try? Casting.cast(value, from: from, to: type, context: evaluationContext)) ?? .null, type)
            }
            let vector = Vector.constant(value, type: from, count: 1)
            return .literal(
                try Casting.cast(vector, to: type, kind: kind, context: evaluationContext).value(at: 0), type)
        } catch let error as QueryError {
            throw error.located(at: position)
        }
    }

    /// The literal as a value of another type if that type holds exactly the same value: integers and decimals among
    /// each other and as floats, and timestamps at midnight as dates. Comparisons then need not convert the other side.
    func exactLiteral(_ literal: Expression, as type: DataType) -> Expression? {
        guard case .literal(let value, let from) = literal else { return nil }
        if value == .null { return .null(type) }
        if from == type { return literal }
        switch (value, type) {
        case (.integer(let days), .timestamp) where from == .date:
            let (microseconds, overflow) = days.multipliedReportingOverflow(by: 86_400_000_000)
            return overflow ? nil : .literal(.integer(microseconds), .timestamp)
        case (.integer(let microseconds), .date) where from == .timestamp:
            guard microseconds % 86_400_000_000 == 0 else { return nil }
            return .literal(.integer(microseconds / 86_400_000_000), .date)
        default: break
        }
        guard let (unscaled, scale) = Self.exactNumber(value, from) else { return nil }
        switch type {
        case .int8, .int16, .int32, .int64:
            guard let whole = Self.rescaled(unscaled, from: scale, to: 0), let integer = Int64(exactly: whole),
                Self.fits(integer, type)
            else { return nil }
            return .literal(.integer(integer), type)
        case .oid, .registered:
            guard let whole = Self.rescaled(unscaled, from: scale, to: 0), from.isInteger,
                let integer = Int64(exactly: whole), integer >= 0, integer <= DataType.oidMax
            else { return nil }
            return .literal(.integer(integer), type)
        case .decimal(let precision, let targetScale):
            guard let result = Self.rescaled(unscaled, from: scale, to: targetScale),
                result.magnitude < Self.powersOfTen[precision].magnitude
            else { return nil }
            return .literal(Self.decimalValue(result), type)
        case .numeric(nil):
            return .literal(.bytes(NumericBlob.bytes(NumericValue(unscaled, scale: scale))), type)
        case .float64:
            if scale == 0, unscaled.magnitude <= 1 << 53 { return .literal(.float(Double(unscaled)), .float64) }
            // A numeric beside a double is converted to a double whatever it loses.
            return Double(Self.text(unscaled, scale: scale)).map { .literal(.float($0), .float64) }
        default: return nil
        }
    }

    private static func exactNumber(_ value: ScalarValue, _ type: DataType) -> (unscaled: Int128, scale: Int)? {
        switch (value, type) {
        case (.integer(let integer), .int8), (.integer(let integer), .int16), (.integer(let integer), .int32),
            (.integer(let integer), .int64):
            (Int128(integer), 0)
        case (.integer(let unscaled), .decimal(_, let scale)): (Int128(unscaled), scale)
        case (.decimal(let unscaled), .decimal(_, let scale)): (unscaled, scale)
        default: nil
        }
    }

    private static func text(_ unscaled: Int128, scale: Int) -> String { "\(unscaled)e-\(scale)" }

    private static func rescaled(_ unscaled: Int128, from: Int, to: Int) -> Int128? {
        if to >= from {
            let (product, overflow) = unscaled.multipliedReportingOverflow(by: powersOfTen[to - from])
            return overflow ? nil : product
        }
        let (quotient, remainder) = unscaled.quotientAndRemainder(dividingBy: powersOfTen[from - to])
        return remainder == 0 ? quotient : nil
    }

    static func fits(_ value: Int64, _ type: DataType) -> Bool {
        switch type {
        case .int8: Int8(exactly: value) != nil
        case .int16: Int16(exactly: value) != nil
        case .int32: Int32(exactly: value) != nil
        default: true
        }
    }
}
