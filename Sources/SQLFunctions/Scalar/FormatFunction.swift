// format(), date_bin() and the counting of nulls.

import Columnar
import Diagnostics

enum FormatFunctions {
    static func register(in registry: FunctionRegistry) {
        let documentation = FunctionDocumentation(
            "Text", "The first argument with %s, %I and %L replaced by the others.",
            example: "format('Hello %s', 'World')",
            result: "Hello World")
        registry.scalar(
            "format", [.text], .text, canFail: true,
            FunctionDocumentation("Text", "The text with %% as a percent sign.")
        ) {
            arguments, type, count, context in try format(arguments, type, count, context)
        }
        registry.scalar(
            "format", [.text, .any], .text, isVariadic: true, volatility: .stable, isStrict: false, canFail: true,
            documentation
        ) {
            arguments, type, count, context in
            try format(arguments, type, count, context).maskedLike(arguments[0], count)
        }
        for (name, countsNulls, result) in [("num_nulls", true, "1"), ("num_nonnulls", false, "2")] {
            registry.scalar(
                name, [.any], .int32, isVariadic: true, isStrict: false,
                FunctionDocumentation(
                    "General", "Number of arguments that are \(countsNulls ? "" : "not ")null.",
                    example: "\(name)(1, NULL, 2)", result: result)
            ) { arguments, type, count, _ in
                let output = Vector(flat: type, capacity: count)
                for row in 0..<count {
                    output.values(Int32.self)[row] = Int32(arguments.filter { $0.isNull(row) == countsNulls }.count)
                }
                return output
            }
        }
        for type in [DataType.timestamp, .timestampTZ] {
            registry.scalar(
                "date_bin", [.interval, .exact(type), .exact(type)], type, canFail: true,
                FunctionDocumentation(
                    "Date and time", "The start of the bin of a fixed width that holds a moment.",
                    example: type == .timestamp
                        ? "date_bin('15 minutes', timestamp '2020-02-11 15:44:17', timestamp '2001-01-01')" : nil,
                    result: type == .timestamp ? "2020-02-11 15:30:00" : nil)
            ) { arguments, result, count, _ in
                let strides = ValueColumn<IntervalValue>(arguments[0])
                let (moments, origins) = (ValueColumn<Int64>(arguments[1]), ValueColumn<Int64>(arguments[2]))
                return try DateTimeFunctions.rows(arguments, result, count) { row -> Int64 in
                    let stride = strides[row]
                    if stride.months != 0 {
                        throw QueryError.notSupported("timestamps binned into intervals containing months or years")
                    }
                    let (days, daysOverflow) = Int64(stride.days).multipliedReportingOverflow(
                        by: CivilCalendar.microsecondsPerDay)
                    let (width, widthOverflow) = days.addingReportingOverflow(stride.microseconds)
                    if daysOverflow || widthOverflow { throw DateArithmetic.outOfRange("interval") }
                    guard width > 0 else {
                        throw QueryError(.datetimeFieldOverflow, "stride must be greater than zero")
                    }
                    let (distance, overflow) = moments[row].subtractingReportingOverflow(origins[row])
                    if overflow { throw DateArithmetic.outOfRange("timestamp") }
                    let rest = distance % width
                    return origins[row] &+ distance &- rest &- (rest < 0 ? width : 0)
                }
            }
        }
    }

    private static func format(
        _ arguments: [Vector], _ type: DataType, _ count: Int, _ context: EvaluationContext
    ) throws -> Vector {
        let templates = ViewColumn(arguments[0])
        let settings = context.textSettings
        return try Kernel.text([arguments[0]], type, count) { row, output in
            if arguments[0].isNull(row) { return false }
            var template = Substring(templates.string(row))
            var next = 1
            while let character = template.first {
                template = template.dropFirst()
                guard character == "%" else {
                    output.append(contentsOf: String(character).utf8)
                    continue
                }
                guard let first = template.first else {
                    throw QueryError(.invalidParameterValue, "unterminated format() type specifier")
                }
                if first == "%" {
                    output.append(0x25)
                    template = template.dropFirst()
                    continue
                }
                // position$, then - and a width
                let digits = template.prefix { $0.isNumber }
                if !digits.isEmpty, template.dropFirst(digits.count).first == "$" {
                    next = Int(digits) ?? 0
                    template = template.dropFirst(digits.count + 1)
                }
                let alignsLeft = template.first == "-"
                if alignsLeft { template = template.dropFirst() }
                let widthText = template.prefix { $0.isNumber }
                let width = Int(widthText) ?? 0
                template = template.dropFirst(widthText.count)
                guard let kind = template.first else {
                    throw QueryError(.invalidParameterValue, "unterminated format() type specifier")
                }
                template = template.dropFirst()
                guard next >= 1, next < arguments.count else {
                    throw QueryError(.invalidParameterValue, "too few arguments for format()")
                }
                var piece: [UInt8] = []
                let isNull = arguments[next].isNull(row)
                if !isNull { TextFormat.append(arguments[next], row: row, settings: settings, into: &piece) }
                switch kind {
                case "s": break
                case "I":
                    if isNull {
                        throw QueryError(.nullValueNotAllowed, "null values cannot be formatted as an SQL identifier")
                    }
                    piece = quoted(piece, 0x22)
                case "L": piece = isNull ? Array("NULL".utf8) : quoted(piece, 0x27)
                default: throw QueryError(.invalidParameterValue, "unrecognized format() type specifier \"\(kind)\"")
                }
                next += 1
                let blanks = [UInt8](repeating: 0x20, count: max(0, width - piece.count))
                output.append(contentsOf: alignsLeft ? piece + blanks : blanks + piece)
            }
            return true
        }
    }

    private static func quoted(_ piece: [UInt8], _ mark: UInt8) -> [UInt8] {
        var result: [UInt8] = []
        piece.withUnsafeBufferPointer { TextFunctions.quote($0, mark, &result) }
        return result
    }
}
