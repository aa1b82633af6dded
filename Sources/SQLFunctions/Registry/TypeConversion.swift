// Which type becomes which, and when: implicit, assignment and explicit casts, and the common type of several operands.

import Columnar
import Diagnostics

/// PostgreSQL's conversion rules over the engine's types. Type modifiers (length, precision, scale) never forbid a cast.
package enum TypeConversion {
    /// How freely a cast may be applied; each context allows what the ones before it do.
    package enum Context: UInt8, Comparable, Sendable {
        case implicit, assignment, explicit
        package static func < (a: Context, b: Context) -> Bool { a.rawValue < b.rawValue }
    }

    /// Groups of types among which overload resolution chooses.
    package enum Category: UInt8, Sendable {
        case unknown, boolean, numeric, string, dateTime, timeSpan, array, bitString, enumeration, range, other
    }

    package static func category(of type: DataType) -> Category {
        switch type {
        case .unknown: .unknown
        case .boolean: .boolean
        case .int8, .int16, .int32, .int64, .float32, .float64, .decimal, .numeric, .oid, .registered: .numeric
        case .text, .varchar, .char, .name: .string
        case .date, .time, .timeTZ, .timestamp, .timestampTZ: .dateTime
        case .interval: .timeSpan
        case .array, .indexVector: .array
        case .bit, .varbit: .bitString
        case .enumeration: .enumeration
        case .range: .range
        case .bytea, .uuid, .json, .jsonb, .jsonpath, .record, .internalChar: .other
        }
    }

    /// The type of a category that wins when several candidates would do.
    package static func isPreferred(_ type: DataType) -> Bool {
        switch type {
        case .boolean, .float64, .oid, .text, .timestampTZ, .interval, .varbit: true
        default: false
        }
    }

    /// Whether a value of one type may become one of another in the given context.
    package static func canCast(from source: DataType, to target: DataType, context: Context) -> Bool {
        if source == target { return true }
        guard let needed = neededContext(from: source, to: target) else { return false }
        return needed <= context
    }

    /// The strictest context that allows the cast; `nil`: there is no such cast.
    package static func neededContext(from source: DataType, to target: DataType) -> Context? {
        if source == .unknown { return .implicit }
        if let context = identifierContext(from: source, to: target) { return context.needed }
        if source.isString {
            if target.isString { return .implicit }
            return .explicit
        }
        if target.isString { return .assignment }
        switch (source, target) {
        case _ where source.isExactNumeric && target.isExactNumeric: return .implicit
        case (.boolean, _) where target.isInteger: return .explicit
        case (_, .boolean) where source.isInteger: return .explicit
        case (_, .float32) where source.isInteger || source.isExactNumeric: return .assignment
        case (_, .float64) where source.isNumeric: return .implicit
        case (_, .float32) where source.isNumeric: return .assignment
        case _ where target.isExactNumeric && source.isInteger: return .implicit
        case _ where target.isExactNumeric && source.isFloat: return .assignment
        case _ where source.isInteger && target.isInteger:
            return source.physical.width <= target.physical.width ? .implicit : .assignment
        case _ where source.isNumeric && target.isInteger: return .assignment
        case (.date, .timestamp), (.date, .timestampTZ), (.timestamp, .timestampTZ), (.time, .interval),
            (.time, .timeTZ):
            return .implicit
        case (.timestamp, .date), (.timestampTZ, .date), (.timestampTZ, .timestamp), (.timestamp, .time),
            (.timestampTZ, .time), (.interval, .time), (.timestampTZ, .timeTZ), (.timeTZ, .time):
            return .assignment
        case (.json, .jsonb), (.jsonb, .json): return .assignment
        case _ where source.isBitString && target.isBitString: return .implicit
        case (.int32, .bit), (.int64, .bit), (.bit, .int32), (.bit, .int64): return .explicit
        case (.jsonb, _) where target == .boolean || target.isNumeric: return .explicit
        case (.array(let from), .array(let to)): return from == to ? .implicit : neededContext(from: from, to: to)
        case (.record(let from), .record(let to)):
            guard from.count == to.count else { return nil }
            let needed = zip(from, to).map {
                $0.type == $1.type ? .implicit : neededContext(from: $0.type, to: $1.type)
            }
            return needed.contains(nil) ? nil : needed.compactMap { $0 }.max() ?? .implicit
        default: return nil
        }
    }

    /// The rules of the catalogue's types; `nil`: neither side is one, or the general rules hold.
    private static func identifierContext(from source: DataType, to target: DataType) -> (needed: Context?, Void)? {
        switch (source, target) {
        case (.internalChar, .text): (.implicit, ())
        case (.internalChar, _) where target.isString: (.assignment, ())
        case (.internalChar, .int32), (.int32, .internalChar): (.explicit, ())
        case (_, .internalChar): (source.isString ? .assignment : nil, ())
        case (.internalChar, _): (nil, ())
        case (.text, .registered(.relation)), (.varchar, .registered(.relation)): (.implicit, ())
        case (.oid, .registered), (.registered, .oid): (.implicit, ())
        case (.registered(.function), .registered(.procedure)), (.registered(.procedure), .registered(.function)):
            (.implicit, ())
        case (.int16, _) where target.isObjectIdentifier: (.implicit, ())
        case (.int32, _) where target.isObjectIdentifier: (.implicit, ())
        case (.int64, _) where target.isObjectIdentifier: (.implicit, ())
        case (_, .int32) where source.isObjectIdentifier: (.assignment, ())
        case (_, .int64) where source.isObjectIdentifier: (.assignment, ())
        case (.char, .name): (.implicit, ())
        case (.name, .varchar), (.name, .char): (.assignment, ())
        case (.indexVector(let from), .array(let to)): (from == to ? .implicit : neededContext(from: from, to: to), ())
        case (_, .indexVector): (source.isString ? .explicit : nil, ())
        default: nil
        }
    }

    /// The exact numeric that holds every value of an integer type.
    package static func decimalType(of type: DataType) -> DataType {
        switch type {
        case .int8: .decimal(precision: 3, scale: 0)
        case .int16: .decimal(precision: 5, scale: 0)
        case .int32: .decimal(precision: 10, scale: 0)
        case .int64: .decimal(precision: 19, scale: 0)
        default: type
        }
    }

    /// The smallest exact numeric that holds an unscaled value at a scale.
    package static func minimalDecimal(_ unscaled: Int128, scale: Int) -> DataType {
        var digits = 1
        var rest = unscaled.magnitude / 10
        while rest > 0 {
            rest /= 10
            digits += 1
        }
        return .decimal(precision: min(DataType.decimalPrecisionMax, max(digits, scale)), scale: scale)
    }

    /// The one type that UNION, CASE, COALESCE, VALUES, ARRAY and IN give their operands; `nil`: they cannot be matched.
    /// Operands without a type alone are text.
    package static func commonType(_ types: [DataType]) -> DataType? {
        var result = DataType.unknown
        for type in types {
            guard let common = commonType(result, type) else { return nil }
            result = common
        }
        return result == .unknown ? .text : result
    }

    private static func commonType(_ a: DataType, _ b: DataType) -> DataType? {
        if a == b || b == .unknown { return a }
        if a == .unknown { return b }
        if a == .internalChar || b == .internalChar { return a.isString || b.isString ? .text : nil }
        guard category(of: a) == category(of: b) else { return nil }
        if a.isObjectIdentifier || b.isObjectIdentifier {
            return [a, b].allSatisfy { $0.isObjectIdentifier || $0.isInteger } ? .oid : nil
        }
        switch (a, b) {
        case (.varchar, .varchar): return .varchar(length: nil)
        case (.char(let x), .char(let y)): return .char(length: max(x, y))
        case (.array(let x), .array(let y)), (.array(let x), .indexVector(let y)), (.indexVector(let x), .array(let y)),
            (.indexVector(let x), .indexVector(let y)):
            return commonElement([x, y]).map { .array($0) }
        case (.record(let x), .record(let y)):
            guard x.count == y.count else { return nil }
            var fields = x
            for index in x.indices {
                guard let common = commonType(x[index].type, y[index].type) else { return nil }
                // A number within a record keeps its digits behind the point.
                let isFixed = common.isDecimal && x[index].type != y[index].type
                fields[index].type = isFixed ? .anyNumeric : common
            }
            return .record(fields)
        case (.bit, .bit): return .bit(length: nil)
        case _ where a.isBitString && b.isBitString: return .varbit(length: nil)
        case _ where a.isNumeric: return commonNumeric(a, b)
        // The first type stays unless the other takes its values and not the other way round: a name becomes text, and text a
        // name.
        case (.name, _): return .name
        case (.varchar, .name), (.char, .name): return .name
        case _ where a.isString: return .text
        case _ where category(of: a) == .dateTime:
            if canCast(from: a, to: b, context: .implicit) { return b }
            if canCast(from: b, to: a, context: .implicit) { return a }
            return nil
        default: return nil
        }
    }

    /// The type of an array's elements: numbers of different scales keep their digits behind the point.
    package static func commonElement(_ types: [DataType]) -> DataType? {
        guard let common = commonType(types) else { return nil }
        return common.isDecimal && types.contains { $0 != common && $0 != .unknown } ? .anyNumeric : common
    }

    private static func commonNumeric(_ a: DataType, _ b: DataType) -> DataType {
        if a == .float64 || b == .float64 { return .float64 }
        if a == .float32 || b == .float32 { return .float32 }
        if a.isNumericBlob || b.isNumericBlob { return .anyNumeric }
        if case .decimal(let p1, let s1) = decimalIfAny(a, b), case .decimal(let p2, let s2) = decimalIfAny(b, a) {
            let scale = max(s1, s2)
            return DecimalTyping.decimal(precision: max(p1 - s1, p2 - s2) + scale, scale: scale)
        }
        return a.physical.width >= b.physical.width ? a : b
    }

    private static func decimalIfAny(_ type: DataType, _ other: DataType) -> DataType {
        type.isDecimal || other.isDecimal ? decimalType(of: type) : type
    }

    /// A type's name without modifiers, as messages print it.
    package static func displayName(_ type: DataType) -> String {
        switch type {
        case .decimal, .numeric: "numeric"
        case .varchar: "character varying"
        case .char: "character"
        case .bit: "bit"
        case .varbit: "bit varying"
        case .array(let element): displayName(element) + "[]"
        default: type.sqlName
        }
    }
}

/// Result types of exact numeric arithmetic.
package enum DecimalTyping {
    private static let precisionMax = DataType.decimalPrecisionMax
    /// A product that might not fit stays a decimal, checked for overflow, if the factors have at most this many digits and
    /// the product at most that many behind the point: money times rates. Any other has values of any size.
    private static let narrowPrecisionMax = 18
    private static let widePrecisionMax = 32
    private static let productScaleMax = 12

    /// Whether one of them has values of any size; then so has whatever is computed from both.
    private static func isUnbounded(_ a: DataType, _ b: DataType) -> Bool { a.isNumericBlob || b.isNumericBlob }

    private static func parts(_ type: DataType) -> (precision: Int, scale: Int) {
        if case .decimal(let precision, let scale) = TypeConversion.decimalType(of: type) { return (precision, scale) }
        return (precisionMax, 0)
    }

    /// Of a sum or a difference.
    package static func sum(_ a: DataType, _ b: DataType) -> DataType {
        if isUnbounded(a, b) { return .anyNumeric }
        let (p1, s1) = parts(a)
        let (p2, s2) = parts(b)
        let scale = max(s1, s2)
        return decimal(precision: max(p1 - s1, p2 - s2) + scale + 1, scale: scale)
    }

    /// Of a product.
    package static func product(_ a: DataType, _ b: DataType) -> DataType {
        if isUnbounded(a, b) { return .anyNumeric }
        let (p1, s1) = parts(a)
        let (p2, s2) = parts(b)
        let isBounded =
            min(p1, p2) <= narrowPrecisionMax && max(p1, p2) <= widePrecisionMax && s1 + s2 <= productScaleMax
        return isBounded
            ? .decimal(precision: min(precisionMax, p1 + p2), scale: s1 + s2)
            : decimal(precision: p1 + p2, scale: s1 + s2)
    }

    /// A type of so many digits: a decimal, as long as its digits suffice.
    package static func decimal(precision: Int, scale: Int) -> DataType {
        precision <= precisionMax ? .decimal(precision: precision, scale: scale) : .anyNumeric
    }

    /// Of a remainder.
    package static func remainder(_ a: DataType, _ b: DataType) -> DataType {
        if isUnbounded(a, b) { return .anyNumeric }
        let (p1, s1) = parts(a)
        let (p2, s2) = parts(b)
        let scale = max(s1, s2)
        return decimal(precision: max(p1 - s1, p2 - s2) + scale, scale: scale)
    }

    /// Whether a sum or product of these types may exceed the precision of its type.
    package static func sumMayOverflow(_ a: DataType, _ b: DataType) -> Bool {
        let (p1, s1) = parts(a)
        let (p2, s2) = parts(b)
        return max(p1 - s1, p2 - s2) + max(s1, s2) + 1 > precisionMax
    }
    package static func productMayOverflow(_ a: DataType, _ b: DataType) -> Bool {
        parts(a).precision + parts(b).precision > precisionMax
    }
}
