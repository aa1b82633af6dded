// Precision of times and fields of intervals: timestamp(3), interval day to second(2).

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

/// What a type of times or intervals was declared with.
struct TemporalModifier: Hashable {
    var qualifier: IntervalQualifier?
    var precision: Int?
}

extension IntervalQualifier {
    init(_ fields: IntervalFields) {
        self =
            switch fields {
            case .year: .year
            case .month: .month
            case .day: .day
            case .hour: .hour
            case .minute: .minute
            case .second: .second
            case .yearToMonth: .yearToMonth
            case .dayToHour: .dayToHour
            case .dayToMinute: .dayToMinute
            case .dayToSecond: .dayToSecond
            case .hourToMinute: .hourToMinute
            case .hourToSecond: .hourToSecond
            case .minuteToSecond: .minuteToSecond
            }
    }
}

extension StatementBinder {
    /// A cast to a type with a modifier: the cast to the type, then the cut.
    func cast(
        _ operand: Operand, to named: NamedType, _ modifier: TemporalModifier, kind: Expression.CastKind,
        at position: SourcePosition
    ) throws -> Expression {
        if let qualifier = modifier.qualifier, operand.type.isString {
            // The fields say what a bare number means, so they have to be known when the text is read.
            guard kind == .strict, case .literal(let value, _) = operand.expression else {
                throw QueryError.notSupported("a text that is not a constant as an interval with fields", at: position)
            }
            guard let text = value.text else { return .null(.interval) }
            do {
                let interval = try Array(text.utf8).withUnsafeBufferPointer {
                    try IntervalText.parse($0, qualifier: qualifier, style: session.textStyle)
                }
                let cut = IntervalModifier(qualifier: qualifier, precision: modifier.precision.map { min(6, $0) })
                return .literal(.interval(cut.applied(to: interval)), .interval)
            } catch let error as QueryError {
                throw error.located(at: operand.position)
            }
        }
        let plain = NamedType(type: named.type)
        let value = try explicitCast(operand, to: plain, kind: kind, at: position)
        return try limited(value, named.type, modifier, at: position)
    }

    /// A value of the type cut to the modifier.
    func limited(
        _ value: Expression, _ type: DataType, _ modifier: TemporalModifier, at position: SourcePosition
    ) throws -> Expression {
        let precision = modifier.precision.map { min(6, $0) }
        let function: String
        var number = Int64(precision ?? 6)
        switch type {
        case .time: function = "time"
        case .timeTZ: function = "timetz"
        case .timestamp: function = "timestamp"
        case .timestampTZ: function = "timestamptz"
        default:
            function = "interval"
            number = Int64(IntervalModifier(qualifier: modifier.qualifier, precision: precision).encoded)
        }
        return fold(
            try callScalar(
                function,
                [
                    Operand(expression: value, position: position),
                    Operand(expression: .literal(.integer(number), .int32), position: position),
                ], at: position))
    }
}
