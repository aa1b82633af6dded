// unistr and parse_ident: escapes and quoted names taken apart.

import Columnar
import Diagnostics

enum UnicodeFunctions {
    private static func text(_ text: String, _ example: String? = nil, _ result: String? = nil) -> FunctionDocumentation
    {
        FunctionDocumentation("Text", text, example: example, result: result)
    }

    static func register(in registry: FunctionRegistry) {
        registerQuoting(in: registry)
        registry.scalar(
            "unistr", [.text], .text, canFail: true,
            text("The text with Unicode escapes replaced.", "unistr('d\\0061t\\+000061')", "data")
        ) { arguments, type, count, _ in
            let texts = ViewColumn(arguments[0])
            return try Kernel.text(arguments, type, count) { row, output in
                output.append(contentsOf: try unescaped(texts.string(row)).utf8)
                return true
            }
        }
        for isStrictDefault in [true, false] {
            registry.scalar(
                "parse_ident", isStrictDefault ? [.text] : [.text, .boolean], .array(.text), canFail: true,
                text(
                    "A qualified name in parts.",
                    isStrictDefault ? "parse_ident('\"SomeSchema\".someTable')" : nil,
                    isStrictDefault ? "{SomeSchema,sometable}" : nil)
            ) { arguments, type, count, _ in
                let texts = ViewColumn(arguments[0])
                return try Kernel.text(arguments, type, count) { row, output in
                    let isStrict =
                        isStrictDefault || arguments[1].value(at: row) == .boolean(true)
                    let parts = try identifiers(texts.string(row), isStrict: isStrict)
                    output = ArrayBlob.encode(parts.map { .string($0) }, elementType: .text)
                    return true
                }
            }
        }
    }

    private static func registerQuoting(in registry: FunctionRegistry) {
        for (name, type) in [
            ("quote_nullable", ParameterType.text), ("quote_nullable", .any), ("quote_literal", .any),
        ] {
            let isNullable = name == "quote_nullable"
            let hasExample = isNullable && type == .text
            registry.scalar(
                name, [type], .text, volatility: .stable, isStrict: !isNullable,
                text(
                    "The value's text as a SQL string\(isNullable ? "; NULL for NULL" : "").",
                    hasExample ? "quote_nullable(NULL)" : nil, hasExample ? "NULL" : nil)
            ) { arguments, result, count, context in
                let settings = context.textSettings
                return try Kernel.text([], result, count) { row, output in
                    if arguments[0].isNull(row) {
                        if isNullable { output.append(contentsOf: "NULL".utf8) }
                        return isNullable
                    }
                    var piece: [UInt8] = []
                    TextFormat.append(arguments[0], row: row, settings: settings, into: &piece)
                    piece.withUnsafeBufferPointer { TextFunctions.quote($0, 0x27, &output) }
                    return true
                }
            }
        }
    }

    private static func unescaped(_ source: String) throws -> String {
        let text = Array(source.unicodeScalars)
        var result = String.UnicodeScalarView()
        var at = 0
        var highSurrogate: UInt32?
        func failure(_ message: String) -> QueryError { QueryError(.syntaxError, message) }
        while at < text.count {
            guard text[at] == "\\" else {
                if highSurrogate != nil { throw failure("invalid Unicode surrogate pair") }
                result.append(text[at])
                at += 1
                continue
            }
            at += 1
            if at < text.count, text[at] == "\\" {
                if highSurrogate != nil { throw failure("invalid Unicode surrogate pair") }
                result.append("\\")
                at += 1
                continue
            }
            var digits = 4
            if at < text.count {
                switch text[at] {
                case "u": at += 1
                case "U":
                    digits = 8
                    at += 1
                case "+":
                    digits = 6
                    at += 1
                default: break
                }
            }
            var code: UInt32 = 0
            for _ in 0..<digits {
                guard at < text.count, let digit = Character(text[at]).hexDigitValue else {
                    throw QueryError(
                        .syntaxError, "invalid Unicode escape",
                        hint: "Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.")
                }
                code = code << 4 | UInt32(digit)
                at += 1
            }
            if let high = highSurrogate {
                guard (0xDC00...0xDFFF).contains(code) else { throw failure("invalid Unicode surrogate pair") }
                code = 0x10000 + (high - 0xD800) << 10 + (code - 0xDC00)
                highSurrogate = nil
            } else if (0xD800...0xDBFF).contains(code) {
                highSurrogate = code
                continue
            }
            guard code != 0, let scalar = Unicode.Scalar(code) else {
                throw failure(
                    (0xDC00...0xDFFF).contains(code)
                        ? "invalid Unicode surrogate pair"
                        : "invalid Unicode code point: \(String(code, radix: 16, uppercase: true))")
            }
            result.append(scalar)
        }
        if highSurrogate != nil { throw failure("invalid Unicode surrogate pair") }
        return String(result)
    }

    private static func identifiers(_ source: String, isStrict: Bool) throws -> [String] {
        let text = Array(source.unicodeScalars)
        var at = 0
        var parts: [String] = []
        func failure(_ detail: String?) -> QueryError {
            QueryError(
                .invalidParameterValue, "string is not a valid identifier: \"\(source)\"", detail: detail)
        }
        func skipSpaces() { while at < text.count, DateTemplate.isSpace(text[at]) { at += 1 } }
        skipSpaces()
        while true {
            guard at < text.count else {
                throw failure(parts.isEmpty ? nil : "No valid identifier after \".\".")
            }
            if text[at] == "\"" {
                var name = String.UnicodeScalarView()
                at += 1
                while true {
                    guard at < text.count else { throw failure("String has unclosed double quotes.") }
                    if text[at] == "\"" {
                        if at + 1 < text.count, text[at + 1] == "\"" { at += 1 } else { break }
                    }
                    name.append(text[at])
                    at += 1
                }
                at += 1
                if name.isEmpty { throw failure("Quoted identifier must not be empty.") }
                parts.append(String(name))
            } else {
                let isStart = text[at] == "_" || text[at].value >= 0x80 || text[at].properties.isAlphabetic
                guard isStart else {
                    throw failure(
                        text[at] == "."
                            ? "No valid identifier before \".\"."
                            : parts.isEmpty ? nil : "No valid identifier after \".\".")
                }
                var name = ""
                while at < text.count {
                    let scalar = text[at]
                    guard
                        scalar == "_" || scalar == "$" || scalar.value >= 0x80 || scalar.properties.isAlphabetic
                            || (scalar.value >= 0x30 && scalar.value <= 0x39)
                    else { break }
                    name.unicodeScalars.append(
                        scalar.value >= 0x41 && scalar.value <= 0x5A ? Unicode.Scalar(UInt8(scalar.value + 32)) : scalar
                    )
                    at += 1
                }
                parts.append(name)
            }
            skipSpaces()
            if at < text.count, text[at] == "." {
                at += 1
                skipSpaces()
                continue
            }
            if at < text.count, isStrict { throw failure(nil) }
            return parts
        }
    }
}
