// to_char, to_date, to_timestamp and to_number: the functions over templates.

import Columnar
import Diagnostics
import Glibc

enum Formatting {
    static func text(_ text: String, _ example: String? = nil, _ result: String? = nil) -> FunctionDocumentation {
        FunctionDocumentation("Formatting", text, example: example, result: result)
    }

    static func register(in registry: FunctionRegistry) {
        registerMoments(in: registry)
        registerIntegers(in: registry)
        registerDecimals(in: registry)
        registerNumerics(in: registry)
        registerFloats(in: registry)
        registerParsing(in: registry)
        registerToNumber(in: registry)
    }

    /// Rows of text by templates, which are cut up once if they are constant.
    @inline(__always)
    private static func rows<Template>(
        _ arguments: [Vector], _ result: DataType, _ count: Int, _ make: (String) throws -> Template,
        _ body: (Int, Template, inout [UInt8]) throws -> Bool
    ) throws -> Vector {
        let templates = ViewColumn(arguments[1])
        let constant =
            arguments[1].encoding == .constant && !arguments[1].isNull(0) ? try make(templates.string(0)) : nil
        return try Kernel.text(arguments, result, count) { row, output in
            try body(row, constant ?? make(templates.string(row)), &output)
        }
    }

    // MARK: Moments

    private static func registerMoments(in registry: FunctionRegistry) {
        for type in [DataType.timestamp, .timestampTZ, .interval] {
            registry.scalar(
                "to_char", [.exact(type), .text], .text, volatility: .stable, canFail: true,
                text(
                    "A date or time by a template.",
                    type == .timestamp ? "to_char(timestamp '2002-04-20 17:31:12.66', 'HH12:MI:SS')" : nil,
                    type == .timestamp ? "05:31:12" : nil)
            ) { arguments, result, count, context in
                let zone = type == .timestampTZ ? context.textSettings.timeZone : nil
                return try rows(arguments, result, count, { DateTemplate($0) }) { row, template, output in
                    if template.nodes.isEmpty { return false }
                    let (vector, index) = arguments[0].position(row)
                    let parts: MomentParts
                    if type == .interval {
                        parts = MomentParts(interval: vector.values(IntervalValue.self)[index])
                    } else {
                        let moment = vector.values(Int64.self)[index]
                        if moment == .max || moment == .min { return false }
                        parts = MomentParts(moment: moment, zone: zone)
                    }
                    for node in template.nodes { try DateWriter.append(node, parts, &output) }
                    return true
                }
            }
        }
    }

    // MARK: Numbers

    private static func registerIntegers(in registry: FunctionRegistry) {
        for type in [DataType.int32, .int64] {
            registry.scalar(
                "to_char", [.exact(type), .text], .text, canFail: true,
                text(
                    "A number by a template.", type == .int32 ? "to_char(125, '999')" : nil,
                    type == .int32 ? " 125" : nil)
            ) { arguments, result, count, _ in
                try rows(arguments, result, count, { try NumberTemplate($0) }) { row, template, output in
                    guard case .integer(let value) = arguments[0].value(at: row) else { return true }
                    if template.isScientific {
                        append(scientific: Double(value), template, &output)
                    } else if template.isRoman {
                        guard let number = Int32(exactly: value) else {
                            throw QueryError(.numericValueOutOfRange, "integer out of range")
                        }
                        append(roman: Int(number), template, &output)
                    } else {
                        try append(decimal: Int128(value), scale: 0, template, &output)
                    }
                    return true
                }
            }
        }
    }

    private static func registerDecimals(in registry: FunctionRegistry) {
        registry.scalar(
            "to_char", [.anyDecimal, .text], .text, canFail: true,
            text("A number by a template.", "to_char(-125.8, '999D99S')", "125.80-")
        ) { arguments, result, count, _ in
            let scale = arguments[0].type.scale
            return try rows(arguments, result, count, { try NumberTemplate($0) }) { row, template, output in
                guard case .decimal(let value) = arguments[0].value(at: row) else { return true }
                if template.isScientific {
                    append(scientific: value, scale: scale, template, &output)
                } else if template.isRoman {
                    append(roman: Int(DecimalMath.rescaled(value, from: scale, to: 0) ?? 0), template, &output)
                } else {
                    try append(decimal: value, scale: scale, template, &output)
                }
                return true
            }
        }
    }

    private static func registerNumerics(in registry: FunctionRegistry) {
        registry.scalar(
            "to_char", [.numeric, .text], .text, canFail: true,
            text("A number by a template.", "to_char(100.0 / 3, '999D99')", "  33.33")
        ) { arguments, result, count, _ in
            let values = ViewColumn(arguments[0])
            return try rows(arguments, result, count, { try NumberTemplate($0) }) { row, template, output in
                let value = NumericBlob.value(values.view(row))
                // Templates show less than 30 digits behind the point.
                let shown = value.scale > 30 ? value.rounded(toScale: 30) : value
                guard let unscaled = shown.unscaled(precision: 38, scale: shown.scale) else {
                    throw QueryError.notSupported(
                        value.isFinite ? "to_char of more than 38 digits" : "to_char of a number that is not finite")
                }
                if template.isScientific {
                    append(scientific: unscaled, scale: shown.scale, template, &output)
                } else if template.isRoman {
                    append(roman: Int(shown.int64 ?? 0), template, &output)
                } else {
                    try append(decimal: unscaled, scale: shown.scale, template, &output)
                }
                return true
            }
        }
    }

    private static func append(roman value: Int, _ template: NumberTemplate, _ output: inout [UInt8]) {
        output.append(
            contentsOf: NumberWriter.text(
                template, digits: Array(NumberTemplate.roman(value).utf8), isNegative: false, wholeDigits: 15))
    }

    private static func append(
        decimal value: Int128, scale: Int, _ template: NumberTemplate, _ output: inout [UInt8]
    ) throws {
        let places = template.fractionDigits
        var unscaled = value
        var valueScale = scale - template.shiftDigits
        while valueScale < 0 {
            let (product, overflow) = unscaled.multipliedReportingOverflow(by: 10)
            if overflow { throw QueryError(.numericValueOutOfRange, "numeric field overflow") }
            unscaled = product
            valueScale += 1
        }
        var digits: [UInt8] = []
        var isNegative = unscaled < 0
        if places <= valueScale {
            guard let rounded = DecimalMath.rescaled(unscaled, from: valueScale, to: places) else {
                throw QueryError(.numericValueOutOfRange, "numeric field overflow")
            }
            NumericText.append(decimal: rounded < 0 ? 0 - rounded : rounded, scale: places, into: &digits)
            if rounded == 0 { isNegative = false }
        } else {
            NumericText.append(decimal: unscaled < 0 ? 0 - unscaled : unscaled, scale: valueScale, into: &digits)
            if valueScale == 0 { digits.append(0x2E) }
            digits.append(contentsOf: repeatElement(0x30, count: places - valueScale))
        }
        output.append(
            contentsOf: NumberWriter.text(
                template, digits: digits, isNegative: isNegative,
                wholeDigits: template.wholeDigits + template.shiftDigits))
    }

    /// One digit, a point, the template's fraction, and an exponent of two digits or more.
    private static func append(
        scientific value: Int128, scale: Int, _ template: NumberTemplate, _ output: inout [UInt8]
    ) {
        let places = template.fractionDigits
        var digits: [UInt8] = []
        NumericText.append(decimal: value < 0 ? 0 - value : value, scale: 0, into: &digits)
        var exponent = digits.count - 1 - scale
        if value == 0 { exponent = 0 }
        if digits.count > places + 1 {
            let roundsUp = digits[places + 1] >= 0x35
            digits = Array(digits[...places])
            if roundsUp {
                var index = places
                while index >= 0, digits[index] == 0x39 {
                    digits[index] = 0x30
                    index -= 1
                }
                if index >= 0 {
                    digits[index] += 1
                } else {
                    digits = [0x31] + digits.dropLast()
                    exponent += 1
                }
            }
        } else {
            digits.append(contentsOf: repeatElement(0x30, count: places + 1 - digits.count))
        }
        output.append(value < 0 ? 0x2D : 0x20)
        output.append(digits[0])
        if places > 0 {
            output.append(0x2E)
            output.append(contentsOf: digits[1...])
        }
        output.append(0x65)
        output.append(exponent < 0 ? 0x2D : 0x2B)
        NumericText.appendDigits(UInt64(exponent.magnitude), minimum: 2, into: &output)
    }

    private static func append(scientific value: Double, _ template: NumberTemplate, _ output: inout [UInt8]) {
        if !value.isFinite {
            var marks = [UInt8](repeating: 0x23, count: template.wholeDigits + template.fractionDigits + 6)
            marks[0] = 0x20
            if template.wholeDigits + 1 < marks.count { marks[template.wholeDigits + 1] = 0x2E }
            return output.append(contentsOf: marks)
        }
        var text = printed("%+.*e", template.fractionDigits, value)
        if text.first == 0x2B { text[0] = 0x20 }
        output.append(contentsOf: text)
    }

    private static func printed(_ format: String, _ digits: Int, _ value: Double) -> [UInt8] {
        if value.isNaN { return Array("NaN".utf8) }
        if value.isInfinite { return Array((value < 0 ? "-Infinity" : "Infinity").utf8) }
        var buffer = [CChar](repeating: 0, count: 400 + digits)
        let count = withVaList([Int32(digits), value]) { vsnprintf(&buffer, buffer.count, format, $0) }
        return buffer[..<Int(count)].map { UInt8(bitPattern: $0) }
    }

    private static func registerFloats(in registry: FunctionRegistry) {
        for (type, safeDigits) in [(DataType.float32, 6), (.float64, 15)] {
            registry.scalar(
                "to_char", [.exact(type), .text], .text, canFail: true, text("A number by a template.")
            ) { arguments, result, count, _ in
                try rows(arguments, result, count, { try NumberTemplate($0) }) { row, template, output in
                    guard case .float(let value) = arguments[0].value(at: row) else { return true }
                    if template.isScientific {
                        append(scientific: value, template, &output)
                    } else if template.isRoman {
                        append(
                            roman: value.isFinite ? Int(exactly: value.rounded(.toNearestOrEven)) ?? 0 : 0, template,
                            &output)
                    } else {
                        let shifted = template.isShifted ? value * pow(10, Double(template.shiftDigits)) : value
                        let wholeLength = printed("%.*f", 0, abs(shifted)).count
                        let places = max(0, min(template.fractionDigits, safeDigits - wholeLength))
                        let digits = printed("%.*f", places, shifted)
                        output.append(
                            contentsOf: NumberWriter.text(
                                template, digits: digits.first == 0x2D ? Array(digits.dropFirst()) : digits,
                                isNegative: digits.first == 0x2D,
                                wholeDigits: template.wholeDigits + template.shiftDigits))
                    }
                    return true
                }
            }
        }
    }

    // MARK: Parsing

    private static func registerParsing(in registry: FunctionRegistry) {
        registry.scalar(
            "to_date", [.text, .text], .date, canFail: true,
            text("A date from a text by a template.", "to_date('05 Dec 2000', 'DD Mon YYYY')", "2000-12-05")
        ) { arguments, result, count, _ in
            let (texts, templates) = (ViewColumn(arguments[0]), ViewColumn(arguments[1]))
            return try DateTimeFunctions.rows(arguments, result, count) { row -> Int32 in
                let text = texts.string(row)
                let day = try DateReader.read(text, DateTemplate(templates.string(row))).day
                guard day >= CivilCalendar.firstDay, day <= CivilCalendar.lastDateDay else {
                    throw QueryError(.datetimeFieldOverflow, "date out of range: \"\(text)\"")
                }
                return Int32(day)
            }
        }
        registry.scalar(
            "to_timestamp", [.text, .text], .timestampTZ, volatility: .stable, canFail: true,
            text("A moment from a text by a template.")
        ) { arguments, result, count, context in
            let (texts, templates) = (ViewColumn(arguments[0]), ViewColumn(arguments[1]))
            let zone = context.textSettings.timeZone
            return try DateTimeFunctions.rows(arguments, result, count) { row -> Int64 in
                let text = texts.string(row)
                let read = try DateReader.read(text, DateTemplate(templates.string(row)))
                let (midnight, overflow) = Int64(read.day).multipliedReportingOverflow(
                    by: CivilCalendar.microsecondsPerDay)
                let (local, carry) = midnight.addingReportingOverflow(read.time)
                let moment =
                    overflow || carry
                    ? Int64.max
                    : read.offset.map { local &- Int64($0) &* 1_000_000 } ?? zone.moment(ofLocal: local)
                guard CivilCalendar.isValidTimestamp(moment) else {
                    throw QueryError(.datetimeFieldOverflow, "timestamp out of range: \"\(text)\"")
                }
                return read.fractionDigits.map { TimePrecision.rounded(moment: moment, to: $0) } ?? moment
            }
        }
    }

    private static func registerToNumber(in registry: FunctionRegistry) {
        registry.scalar(
            "to_number", [.text, .text], typed: { _ in .anyNumeric }, canFail: true,
            literalResultType: { _, literals in
                guard literals.count == 2, let template = try literals[1]?.text.map({ try NumberTemplate($0) }) else {
                    return nil
                }
                return .decimal(precision: 38, scale: min(30, template.fractionDigits + template.shiftDigits))
            },
            text("A number from a text by a template.", "to_number('12,454.8-', '99G999D9S')", "-12454.8")
        ) { arguments, result, count, _ in
            let (texts, templates) = (ViewColumn(arguments[0]), ViewColumn(arguments[1]))
            let output = Vector(flat: result, capacity: count)
            for row in 0..<count {
                (output.data + row * 16).initializeMemory(as: UInt8.self, repeating: 0, count: 16)
                if !ValidityMask.isValid(arguments, row) { continue }
                let template = try NumberTemplate(templates.string(row))
                if template.nodes.isEmpty {
                    Validity.setNull(output.ensureValidity(), row)
                    continue
                }
                let (text, scale) = try NumberReader.read(Array(texts.bytes(row)), template)
                guard scale <= 30, let (value, valueScale) = NumericText.parseDecimal(text.filter { $0 != 0x20 }) else {
                    let shown = String(decoding: text, as: UTF8.self)
                    throw QueryError(
                        .invalidTextRepresentation, "invalid input syntax for type numeric: \"\(shown)\"")
                }
                if result.isNumericBlob {
                    output.setNumeric(NumericValue(value, scale: max(0, valueScale + template.shiftDigits)), row)
                    continue
                }
                guard
                    let scaled = DecimalMath.rescaled(
                        value, from: valueScale + template.shiftDigits, to: result.scale)
                else { throw QueryError(.numericValueOutOfRange, "numeric field overflow") }
                output.values(Int128.self)[row] = scaled
            }
            return output
        }
    }
}
