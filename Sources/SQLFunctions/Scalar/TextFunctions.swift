// Functions that measure, search and build text.

import CKernels
import Columnar
import Diagnostics
import QueryPlan

enum TextFunctions {
    private static func text(_ text: String, _ example: String? = nil, _ result: String? = nil) -> FunctionDocumentation
    {
        FunctionDocumentation("Text", text, example: example, result: result)
    }

    static func register(in registry: FunctionRegistry) {
        registerMeasures(in: registry)
        registerConcatenation(in: registry)
        registerBuilders(in: registry)
        registerCodes(in: registry)
    }

    /// An Int32 for every row of the first argument.
    @inline(__always)
    private static func measure(_ arguments: [Vector], _ count: Int, _ body: (UnsafeBufferPointer<UInt8>, Int) -> Int)
        -> Vector
    {
        let result = Vector(flat: .int32, capacity: count)
        let target = result.values(Int32.self)
        let column = ViewColumn(arguments[0])
        var row = 0
        while row < count {
            target[row] = Int32(truncatingIfNeeded: body(column.bytes(row), row))
            row &+= 1
        }
        return result
    }

    private static func characterCount(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        bytes.baseAddress.map { Utf8.characterCount($0, bytes.count) } ?? 0
    }

    private static func registerMeasures(in registry: FunctionRegistry) {
        for name in ["length", "char_length", "character_length"] {
            registry.scalar(name, [.text], .int32, text("Number of characters.", "\(name)('jose')", "4")) {
                arguments, _, count, _ in
                measure(arguments, count) { bytes, _ in characterCount(bytes) }
            }
        }
        registry.scalar("length", [.bytea], .int32, FunctionDocumentation("Binary", "Number of bytes.")) {
            arguments, _, count, _ in
            measure(arguments, count) { bytes, _ in bytes.count }
        }
        for type in [ParameterType.text, .bytea] {
            registry.scalar(
                "octet_length", [type], .int32,
                text("Number of bytes.", type == .text ? "octet_length('jose')" : nil, type == .text ? "4" : nil)
            ) { arguments, _, count, _ in measure(arguments, count) { bytes, _ in bytes.count } }
            registry.scalar(
                "bit_length", [type], .int32,
                text("Number of bits.", type == .text ? "bit_length('jose')" : nil, type == .text ? "32" : nil)
            ) { arguments, _, count, _ in measure(arguments, count) { bytes, _ in bytes.count * 8 } }
        }
        for (name, example) in [("position", "position('ig' in 'high')"), ("strpos", "strpos('high', 'ig')")] {
            registry.scalar(
                name, [.text, .text], .int32,
                text("Where the second text begins in the first, from 1; 0: nowhere.", example, "2")
            ) { arguments, _, count, _ in
                let needles = ViewColumn(arguments[1])
                return measure(arguments, count) { bytes, row in find(needles.bytes(row), in: bytes) }
            }
        }
        for name in ["starts_with", "^@", "ends_with"] {
            let atEnd = name == "ends_with"
            registry.scalar(
                name, [.text, .text], .boolean,
                text(
                    "Whether the first text \(atEnd ? "ends" : "begins") with the second.",
                    name == "^@"
                        ? "'alphabet' ^@ 'alph'"
                        : atEnd ? "ends_with('alphabet', 'bet')" : "starts_with('alphabet', 'alph')", "t")
            ) { arguments, _, count, _ in
                let texts = ViewColumn(arguments[0])
                let parts = ViewColumn(arguments[1])
                let result = Vector(flat: .boolean, capacity: count)
                let target = result.values(UInt8.self)
                for row in 0..<count {
                    let size = texts.view(row).pointee.count
                    let length = parts.view(row).pointee.count
                    let bytes = StringView.bytes(at: texts.view(row)) + (atEnd ? max(0, size - length) : 0)
                    target[row] = flag(
                        length <= size && memcmp(bytes, StringView.bytes(at: parts.view(row)), length) == 0)
                }
                return result
            }
        }
        registry.scalar(
            "ascii", [.text], .int32, text("The code point of the first character.", "ascii('x')", "120")
        ) { arguments, _, count, _ in
            measure(arguments, count) { bytes, _ in
                Int(String(decoding: bytes.prefix(4), as: UTF8.self).unicodeScalars.first?.value ?? 0)
            }
        }
    }

    /// Position in characters from 1; 0 when not found; an empty needle is found at 1.
    private static func find(_ needle: UnsafeBufferPointer<UInt8>, in text: UnsafeBufferPointer<UInt8>) -> Int {
        guard let wanted = needle.baseAddress, needle.count > 0 else { return 1 }
        guard let bytes = text.baseAddress else { return 0 }
        let found = ck_search(bytes, text.count, wanted, needle.count)
        return found < 0 ? 0 : Utf8.characterCount(bytes, Int(found)) + 1
    }

    // MARK: Concatenation

    private static func registerConcatenation(in registry: FunctionRegistry) {
        let documentation = text("Both texts, one behind the other.", "'Post' || 'greSQL'", "PostgreSQL")
        registry.scalar("||", [.text, .text], .text, documentation) { arguments, type, count, _ in
            let a = ViewColumn(arguments[0])
            let b = ViewColumn(arguments[1])
            return concatenated(arguments, a, b, type, count)
        }
        registry.scalar(
            "||", [.bytea, .bytea], .bytea, FunctionDocumentation("Binary", "Both values, one behind the other.")
        ) {
            arguments, type, count, _ in
            concatenated(arguments, ViewColumn(arguments[0]), ViewColumn(arguments[1]), type, count)
        }
        for parameters in [[ParameterType.any, .text], [.text, .any]] {
            registry.scalar(
                "||", parameters, .text, volatility: .stable, text("A value's text and a text, one behind the other.")
            ) { arguments, type, count, context in
                let settings = context.textSettings
                return try Kernel.text(arguments, type, count) { row, output in
                    for argument in arguments { appendCast(argument, row, settings, &output) }
                    return true
                }
            }
        }
        registry.scalar(
            "concat", [.any], .text, isVariadic: true, volatility: .stable, isStrict: false,
            text(
                "The texts of all arguments, one behind the other; NULL is empty.", "concat('abc', 2, NULL, 22)",
                "abc222")
        ) { arguments, type, count, context in
            let settings = context.textSettings
            return try Kernel.text([], type, count) { row, output in
                for argument in arguments where !argument.isNull(row) { appendAny(argument, row, settings, &output) }
                return true
            }
        }
        registry.scalar(
            "concat_ws", [.text, .any], .text, isVariadic: true, volatility: .stable, isStrict: false,
            text(
                "The texts of the arguments that are not null, with a separator between.",
                "concat_ws(',', 'abc', 2, NULL, 22)", "abc,2,22")
        ) { arguments, type, count, context in
            let settings = context.textSettings
            return try Kernel.text([arguments[0]], type, count) { row, output in
                if arguments[0].isNull(row) { return false }
                var isFirst = true
                for argument in arguments.dropFirst() where !argument.isNull(row) {
                    if !isFirst { appendAny(arguments[0], row, settings, &output) }
                    isFirst = false
                    appendAny(argument, row, settings, &output)
                }
                return true
            }.maskedLike(arguments[0], count)
        }
    }

    private static func appendAny(_ vector: Vector, _ row: Int, _ settings: TextSettings, _ output: inout [UInt8]) {
        TextFormat.append(vector, row: row, settings: settings, into: &output)
    }

    /// The text that a cast gives: the words of booleans are longer there.
    private static func appendCast(_ vector: Vector, _ row: Int, _ settings: TextSettings, _ output: inout [UInt8]) {
        guard vector.type == .boolean else { return appendAny(vector, row, settings, &output) }
        let (base, index) = vector.position(row)
        output.append(contentsOf: base.values(UInt8.self)[index] != 0 ? Array("true".utf8) : Array("false".utf8))
    }

    private static func concatenated(
        _ arguments: [Vector], _ a: ViewColumn, _ b: ViewColumn, _ type: DataType, _ count: Int
    ) -> Vector {
        let result = Vector(flat: type, capacity: count)
        let heap = StringHeap(chunkByteCount: 16 << 10)
        let mayHaveNulls = arguments.contains { $0.mayHaveNulls }
        let scratch = Buffer(byteCount: 16)
        let small = scratch.base.assumingMemoryBound(to: UInt8.self)
        var row = 0
        while row < count {
            if mayHaveNulls && !ValidityMask.isValid(arguments, row) {
                result.views[row] = StringView()
            } else {
                let x = a.bytes(row)
                let y = b.bytes(row)
                let total = x.count &+ y.count
                let target = total <= 12 ? small : heap.reserve(total)
                if let base = x.baseAddress { target.update(from: base, count: x.count) }
                if let base = y.baseAddress { (target + x.count).update(from: base, count: y.count) }
                result.views[row] = StringView(target, count: total)
            }
            row &+= 1
        }
        result.pinned = heap.buffers
        return result
    }

    // MARK: Builders

    private static func registerBuilders(in registry: FunctionRegistry) {
        registry.scalar(
            "replace", [.text, .text, .text], .text,
            text(
                "The first text with every occurrence of the second replaced by the third.",
                "replace('abcdefabcdef', 'cd', 'XX')", "abXXefabXXef")
        ) { arguments, type, count, _ in
            let (texts, needles, others) = (
                ViewColumn(arguments[0]), ViewColumn(arguments[1]), ViewColumn(arguments[2])
            )
            return try Kernel.text(arguments, type, count) { row, output in
                replace(texts.bytes(row), needles.bytes(row), others.bytes(row), &output)
                return true
            }
        }
        registry.scalar(
            "translate", [.text, .text, .text], .text,
            text(
                "Characters of the second text replaced by those at the same place in the third, or removed.",
                "translate('12345', '143', 'ax')", "a2x5")
        ) { arguments, type, count, _ in
            let (texts, from, to) = (ViewColumn(arguments[0]), ViewColumn(arguments[1]), ViewColumn(arguments[2]))
            return try Kernel.text(arguments, type, count) { row, output in
                let source = Array(from.string(row).unicodeScalars)
                let target = Array(to.string(row).unicodeScalars)
                for scalar in texts.string(row).unicodeScalars {
                    guard let index = source.firstIndex(of: scalar) else {
                        output.append(contentsOf: String(scalar).utf8)
                        continue
                    }
                    if index < target.count { output.append(contentsOf: String(target[index]).utf8) }
                }
                return true
            }
        }
        registry.scalar(
            "reverse", [.text], .text, text("The characters in reverse order.", "reverse('abcde')", "edcba")
        ) {
            arguments, type, count, _ in
            let texts = ViewColumn(arguments[0])
            return try Kernel.text(arguments, type, count) { row, output in
                var reversed = String.UnicodeScalarView()
                reversed.append(contentsOf: texts.string(row).unicodeScalars.reversed())
                output.append(contentsOf: String(reversed).utf8)
                return true
            }
        }
        registry.scalar(
            "repeat", [.text, .int32], .text, canFail: true,
            text("The text several times.", "repeat('Pg', 4)", "PgPgPgPg")
        ) {
            arguments, type, count, _ in
            let texts = ViewColumn(arguments[0])
            let numbers = ValueColumn<Int32>(arguments[1])
            return try Kernel.text(arguments, type, count) { row, output in
                let bytes = texts.bytes(row)
                let times = Int(max(0, numbers[row]))
                try checkLength(bytes.count * times)
                for _ in 0..<times { output.append(contentsOf: bytes) }
                return true
            }
        }
        for (name, atStart, example, result) in [
            ("lpad", true, "lpad('hi', 5, 'xy')", "xyxhi"), ("rpad", false, "rpad('hi', 5, 'xy')", "hixyx"),
        ] {
            let documentation = text("The text filled up or cut to a length in characters.", example, result)
            registry.scalar(name, [.text, .int32, .text], .text, canFail: true, documentation) {
                arguments, type, count, _ in
                let (texts, lengths, fills) = (
                    ViewColumn(arguments[0]), ValueColumn<Int32>(arguments[1]), ViewColumn(arguments[2])
                )
                return try Kernel.text(arguments, type, count) { row, output in
                    try pad(texts.bytes(row), Int(lengths[row]), fills.bytes(row), atStart, &output)
                    return true
                }
            }
            registry.scalar(
                name, [.text, .int32], .text, canFail: true, text("The text filled up with blanks or cut.")
            ) {
                arguments, type, count, _ in
                let (texts, lengths) = (ViewColumn(arguments[0]), ValueColumn<Int32>(arguments[1]))
                let blank: [UInt8] = [0x20]
                return try Kernel.text(arguments, type, count) { row, output in
                    try blank.withUnsafeBufferPointer {
                        try pad(texts.bytes(row), Int(lengths[row]), $0, atStart, &output)
                    }
                    return true
                }
            }
        }
        for hasLength in [true, false] {
            registry.scalar(
                "overlay", [.text, .text, .int32] + (hasLength ? [.int32] : []), .text, canFail: true,
                text(
                    "The text with characters from a place on replaced.",
                    hasLength ? "overlay('Txxxxas', 'hom', 2, 4)" : "overlay('Txxxas', 'hom', 2)", "Thomas")
            ) { arguments, type, count, _ in
                let (texts, others, starts) = (
                    ViewColumn(arguments[0]), ViewColumn(arguments[1]), ValueColumn<Int32>(arguments[2])
                )
                return try Kernel.text(arguments, type, count) { row, output in
                    let source = Array(texts.string(row).unicodeScalars)
                    let other = others.string(row)
                    let start = Int(starts[row])
                    if start <= 0 { throw QueryError(.substringError, "negative substring length not allowed") }
                    let length = hasLength ? Int(ValueColumn<Int32>(arguments[3])[row]) : other.unicodeScalars.count
                    var result = String.UnicodeScalarView()
                    result.append(contentsOf: source.prefix(start - 1))
                    result.append(contentsOf: other.unicodeScalars)
                    result.append(contentsOf: source.dropFirst(max(0, start - 1 + length)))
                    output.append(contentsOf: String(result).utf8)
                    return true
                }
            }
        }
        for name in ["quote_literal", "quote_ident"] {
            let mark: UInt8 = name == "quote_literal" ? 0x27 : 0x22
            registry.scalar(
                name, [.text], .text,
                text(
                    "The text as a SQL \(mark == 0x27 ? "string" : "identifier").",
                    mark == 0x27 ? "quote_literal('O''Reilly')" : "quote_ident('Foo bar')",
                    mark == 0x27 ? "'O''Reilly'" : "\"Foo bar\"")
            ) { arguments, type, count, _ in
                let texts = ViewColumn(arguments[0])
                return try Kernel.text(arguments, type, count) { row, output in
                    quote(texts.bytes(row), mark, &output)
                    return true
                }
            }
        }
    }

    static func quote(_ bytes: UnsafeBufferPointer<UInt8>, _ mark: UInt8, _ output: inout [UInt8]) {
        if mark == 0x22, let first = bytes.first, first == 0x5F || (first >= 0x61 && first <= 0x7A),
            bytes.allSatisfy({ $0 == 0x5F || ($0 >= 0x61 && $0 <= 0x7A) || ($0 >= 0x30 && $0 <= 0x39) }),
            !QuotedNames.keywords.contains(Array(bytes))
        {
            output.append(contentsOf: bytes)
            return
        }
        let hasBackslash = mark == 0x27 && bytes.contains(0x5C)
        if hasBackslash { output.append(0x45) }
        output.append(mark)
        for byte in bytes {
            if byte == mark || (hasBackslash && byte == 0x5C) { output.append(byte) }
            output.append(byte)
        }
        output.append(mark)
    }

    private static func checkLength(_ count: Int) throws {
        if count > 1 << 30 { throw QueryError(.programLimitExceeded, "requested length too large") }
    }

    static func replace(
        _ text: UnsafeBufferPointer<UInt8>, _ needle: UnsafeBufferPointer<UInt8>, _ other: UnsafeBufferPointer<UInt8>,
        _ output: inout [UInt8]
    ) {
        guard let bytes = text.baseAddress, let wanted = needle.baseAddress, needle.count > 0 else {
            output.append(contentsOf: text)
            return
        }
        var at = 0
        while true {
            let found = ck_search(bytes + at, text.count - at, wanted, needle.count)
            if found < 0 { break }
            output.append(contentsOf: UnsafeBufferPointer(start: bytes + at, count: Int(found)))
            output.append(contentsOf: other)
            at += Int(found) + needle.count
        }
        output.append(contentsOf: UnsafeBufferPointer(start: bytes + at, count: text.count - at))
    }

    private static func pad(
        _ text: UnsafeBufferPointer<UInt8>, _ length: Int, _ fill: UnsafeBufferPointer<UInt8>, _ atStart: Bool,
        _ output: inout [UInt8]
    ) throws {
        guard length > 0 else { return }
        try checkLength(length)
        let count = characterCount(text)
        if count >= length || fill.isEmpty {
            let kept = text.baseAddress.map { Utf8.byteOffset($0, text.count, character: length) } ?? 0
            output.append(contentsOf: text[..<kept])
            return
        }
        if !atStart { output.append(contentsOf: text) }
        var missing = length - count
        let fillCount = characterCount(fill)
        while missing >= fillCount {
            output.append(contentsOf: fill)
            missing -= fillCount
        }
        if missing > 0, let base = fill.baseAddress {
            output.append(contentsOf: fill[..<Utf8.byteOffset(base, fill.count, character: missing)])
        }
        if atStart { output.append(contentsOf: text) }
    }

    // MARK: Codes

    private static func registerCodes(in registry: FunctionRegistry) {
        registry.scalar("chr", [.int32], .text, canFail: true, text("The character with a code point.", "chr(65)", "A"))
        {
            arguments, type, count, _ in
            let codes = ValueColumn<Int32>(arguments[0])
            return try Kernel.text(arguments, type, count) { row, output in
                guard codes[row] >= 0 else {
                    throw QueryError(.invalidParameterValue, "character number must be positive")
                }
                guard codes[row] > 0, let scalar = Unicode.Scalar(UInt32(truncatingIfNeeded: codes[row])) else {
                    throw QueryError(
                        .programLimitExceeded,
                        codes[row] == 0
                            ? "null character not permitted"
                            : "requested character too large for encoding: \(codes[row])")
                }
                output.append(contentsOf: String(scalar).utf8)
                return true
            }
        }
        for (type, example) in [(DataType.int32, "to_hex(2147483647)"), (.int64, nil as String?)] {
            registry.scalar(
                "to_hex", [.exact(type)], .text,
                text("The number in hexadecimal.", example, example == nil ? nil : "7fffffff")
            ) {
                arguments, result, count, _ in
                try Kernel.text(arguments, result, count) { row, output in
                    let value =
                        type == .int32
                        ? UInt64(UInt32(bitPattern: ValueColumn<Int32>(arguments[0])[row]))
                        : UInt64(bitPattern: ValueColumn<Int64>(arguments[0])[row])
                    output.append(contentsOf: String(value, radix: 16).utf8)
                    return true
                }
            }
        }
        for type in [ParameterType.text, .bytea] {
            registry.scalar(
                "md5", [type], .text,
                text(
                    "The MD5 digest in hexadecimal.", type == .text ? "md5('abc')" : nil,
                    type == .text ? "900150983cd24fb0d6963f7d28e17f72" : nil)
            ) { arguments, result, count, _ in
                let values = ViewColumn(arguments[0])
                return try Kernel.text(arguments, result, count) { row, output in
                    for byte in MessageDigest.md5(values.bytes(row)) {
                        for nibble in [byte >> 4, byte & 15] {
                            output.append(nibble < 10 ? 0x30 + nibble : 0x57 + nibble)
                        }
                    }
                    return true
                }
            }
        }
        registerEncodings(in: registry)
    }

    private static func registerEncodings(in registry: FunctionRegistry) {
        registry.scalar(
            "encode", [.bytea, .text], .text, canFail: true,
            FunctionDocumentation("Binary", "Bytes as text: hex, base64 or escape.")
        ) { arguments, type, count, _ in
            let (values, formats) = (ViewColumn(arguments[0]), ViewColumn(arguments[1]))
            return try Kernel.text(arguments, type, count) { row, output in
                try BinaryText.encode(values.bytes(row), format: formats.string(row), into: &output)
                return true
            }
        }
        registry.scalar(
            "decode", [.text, .text], .bytea, canFail: true,
            FunctionDocumentation("Binary", "Bytes from text: hex, base64 or escape.")
        ) { arguments, type, count, _ in
            let (values, formats) = (ViewColumn(arguments[0]), ViewColumn(arguments[1]))
            return try Kernel.text(arguments, type, count) { row, output in
                try BinaryText.decode(values.bytes(row), format: formats.string(row), into: &output)
                return true
            }
        }
        registry.scalar(
            "convert_from", [.bytea, .text], .text, canFail: true,
            FunctionDocumentation(
                "Binary", "Bytes of an encoding as text.", example: "convert_from('\\xe9', 'latin1')", result: "é")
        ) { arguments, type, count, _ in
            let values = ViewColumn(arguments[0])
            let encodings = ViewColumn(arguments[1])
            return try Kernel.text(arguments, type, count) { row, output in
                let bytes = values.bytes(row)
                if let encoding = try Self.encoding(encodings.string(row), "source") {
                    output.append(contentsOf: try encoding.decoded(bytes))
                    return true
                }
                guard String(validating: bytes, as: UTF8.self) != nil else {
                    throw QueryError(.characterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\"")
                }
                output.append(contentsOf: bytes)
                return true
            }
        }
        registry.scalar(
            "convert_to", [.text, .text], .bytea, canFail: true,
            FunctionDocumentation(
                "Binary", "Text as bytes of an encoding.", example: "convert_to('é', 'latin1')", result: "\\xe9")
        ) { arguments, type, count, _ in
            let values = ViewColumn(arguments[0])
            let encodings = ViewColumn(arguments[1])
            return try Kernel.text(arguments, type, count) { row, output in
                if let encoding = try Self.encoding(encodings.string(row), "destination") {
                    output.append(contentsOf: try encoding.encoded(values.bytes(row)))
                    return true
                }
                output.append(contentsOf: values.bytes(row))
                return true
            }
        }
    }

    /// `nil`: text as it is. Errors: 22023, 0A000.
    private static func encoding(_ name: String, _ side: String) throws -> ClientEncoding? {
        switch ClientEncoding.meaning(of: name) {
        case .unchanged: return nil
        case .converted(let encoding): return encoding
        case .unsupported: throw QueryError.notSupported("the encoding \"\(name)\"")
        case nil:
            throw QueryError(.invalidParameterValue, "invalid \(side) encoding name \"\(name)\"")
        }
    }
}

extension Vector {
    /// Rows that are null in `other` become null here too; for results of functions that are not strict.
    func maskedLike(_ other: Vector, _ count: Int) -> Vector {
        if other.encoding == .constant { return other.isNull(0) ? .constant(.null, type: type, count: count) : self }
        return ValidityMask.apply([other], to: self, count: count)
    }
}
