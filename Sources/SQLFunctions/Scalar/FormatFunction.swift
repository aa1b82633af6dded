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
                        throw QueryError(
                            .featureNotSupported,
                            "timestamps cannot be binned into intervals containing months or years")
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
                    let start = origins[row] &+ distance &- rest &- (rest < 0 ? width : 0)
                    guard CivilCalendar.isValidTimestamp(start) else { throw DateArithmetic.outOfRange("timestamp") }
                    return start
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
                let hasPosition = !digits.isEmpty && template.dropFirst(digits.count).first == "$"
                if hasPosition {
                    next = Int(digits) ?? 0
                    guard next > 0 else { throw Self.zeroPosition }
                    template = template.dropFirst(digits.count + 1)
                }
                var alignsLeft = template.first == "-"
                while template.first == "-" { template = template.dropFirst() }
                var width = 0
                if template.first == "*" {
                    // The width is an argument: the next one, or one by its number.
                    template = template.dropFirst()
                    let number = template.prefix { $0.isNumber }
                    var place = next
                    if !number.isEmpty {
                        guard template.dropFirst(number.count).first == "$" else {
                            throw QueryError(
                                .invalidParameterValue, "width argument position must be ended by \"$\"")
                        }
                        place = Int(number) ?? 0
                        template = template.dropFirst(number.count + 1)
                        guard place > 0 else { throw Self.zeroPosition }
                    }
                    guard place < arguments.count else {
                        throw QueryError(.invalidParameterValue, "too few arguments for format()")
                    }
                    switch arguments[place].value(at: row) {
                    case .null: width = 0
                    case .integer(let value): width = Int(value)
                    case .bytes(let text):
                        width = Int(try text.withUnsafeBufferPointer { try TextFormat.parseInteger($0, .int32) })
                    default: throw QueryError.notSupported("a width of this type in format()")
                    }
                    if width < 0 {
                        alignsLeft = true
                        width = 0 - width
                    }
                    if !hasPosition { next = place + 1 }
                } else {
                    let widthText = template.prefix { $0.isNumber }
                    guard let value = widthText.isEmpty ? 0 : Int32(widthText) else {
                        throw QueryError(.numericValueOutOfRange, "number is out of range")
                    }
                    width = Int(value)
                    template = template.dropFirst(widthText.count)
                }
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
                let length = piece.withUnsafeBufferPointer {
                    $0.baseAddress.map { Utf8.characterCount($0, piece.count) } ?? 0
                }
                let blanks = [UInt8](repeating: 0x20, count: max(0, width - length))
                output.append(contentsOf: alignsLeft ? piece + blanks : blanks + piece)
            }
            return true
        }
    }

    private static var zeroPosition: QueryError {
        QueryError(.invalidParameterValue, "format specifies argument 0, but arguments are numbered from 1")
    }

    private static func quoted(_ piece: [UInt8], _ mark: UInt8) -> [UInt8] {
        var result: [UInt8] = []
        piece.withUnsafeBufferPointer { TextFunctions.quote($0, mark, &result) }
        return result
    }
}
