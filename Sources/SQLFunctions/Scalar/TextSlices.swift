// Functions whose result is a part of their argument: views into the same bytes, nothing is copied.

import CKernels
import Columnar
import Diagnostics

enum TextSlices {
    private static func text(_ text: String, _ example: String, _ result: String) -> FunctionDocumentation {
        FunctionDocumentation("Text", text, example: example, result: result)
    }

    static func register(in registry: FunctionRegistry) {
        for name in ["substring", "substr"] {
            registry.scalar(
                name, [.text, .int32], .text,
                text("The text from a character on, from 1.", "\(name)('alphabet', 3)", "phabet")
            ) { arguments, type, count, _ in
                let starts = ValueColumn<Int32>(arguments[1])
                return try slices(arguments, type, count) { row, bytes, size, isASCII in
                    characters(bytes, size, isASCII, from: Int(starts[row]) - 1, to: Int.max)
                }
            }
            registry.scalar(
                name, [.text, .int32, .int32], .text, canFail: true,
                canFailForLiterals: { if case .integer(0...) = $0[2] { false } else { true } },
                text("As many characters from a character on, from 1.", "\(name)('alphabet', 3, 2)", "ph")
            ) { arguments, type, count, _ in
                let starts = ValueColumn<Int32>(arguments[1])
                let lengths = ValueColumn<Int32>(arguments[2])
                return try slices(arguments, type, count) { row, bytes, size, isASCII in
                    if lengths[row] < 0 { throw QueryError(.substringError, "negative substring length not allowed") }
                    let start = Int(starts[row]) - 1
                    return characters(bytes, size, isASCII, from: start, to: start + Int(lengths[row]))
                }
            }
        }
        registry.scalar(
            "left", [.text, .int32], .text,
            text("The first characters; negative: all but the last.", "left('abcde', 2)", "ab")
        ) { arguments, type, count, _ in
            let numbers = ValueColumn<Int32>(arguments[1])
            return try slices(arguments, type, count) { row, bytes, size, isASCII in
                let number = Int(numbers[row])
                let end = number >= 0 ? number : length(bytes, size, isASCII) + number
                return characters(bytes, size, isASCII, from: 0, to: end)
            }
        }
        registry.scalar(
            "right", [.text, .int32], .text,
            text("The last characters; negative: all but the first.", "right('abcde', 2)", "de")
        ) { arguments, type, count, _ in
            let numbers = ValueColumn<Int32>(arguments[1])
            return try slices(arguments, type, count) { row, bytes, size, isASCII in
                let number = Int(numbers[row])
                let start = number >= 0 ? max(0, length(bytes, size, isASCII) - number) : 0 - number
                return characters(bytes, size, isASCII, from: start, to: Int.max)
            }
        }
        registerTrims(in: registry)
        registry.scalar(
            "split_part", [.text, .text, .int32], .text, canFail: true,
            canFailForLiterals: { if case .integer(let number) = $0[2] { number == 0 } else { true } },
            text(
                "The n-th field between separators; negative: from the end.", "split_part('abc~@~def~@~ghi', '~@~', 2)",
                "def")
        ) { arguments, type, count, _ in
            let separators = ViewColumn(arguments[1])
            let numbers = ValueColumn<Int32>(arguments[2])
            return try slices(arguments, type, count) { row, bytes, size, _ in
                try field(bytes, size, separators.bytes(row), Int(numbers[row]))
            }
        }
        registry.scalar(
            "substring", [.bytea, .int32, .int32], .bytea, canFail: true,
            FunctionDocumentation("Binary", "As many bytes from a byte on, from 1.")
        ) { arguments, type, count, _ in
            let starts = ValueColumn<Int32>(arguments[1])
            let lengths = ValueColumn<Int32>(arguments[2])
            return try slices(arguments, type, count) { row, bytes, size, _ in
                if lengths[row] < 0 { throw QueryError(.substringError, "negative substring length not allowed") }
                let start = Int(starts[row]) - 1
                return characters(bytes, size, true, from: start, to: start + Int(lengths[row]))
            }
        }
    }

    private static func registerTrims(in registry: FunctionRegistry) {
        let trims: [(String, Bool, Bool, String, String)] = [
            ("btrim", true, true, "btrim('  trim ')", "trim"), ("ltrim", true, false, "ltrim('  trim')", "trim"),
            ("rtrim", false, true, "rtrim('trim  ')", "trim"), ("trim", true, true, "trim('  trim ')", "trim"),
        ]
        for (name, atStart, atEnd, example, result) in trims {
            registry.scalar(name, [.text], .text, text("The text without blanks at its ends.", example, result)) {
                arguments, type, count, _ in
                try slices(arguments, type, count) { _, bytes, size, _ in
                    var from = 0
                    var to = size
                    if atStart { while from < to && bytes[from] == 0x20 { from &+= 1 } }
                    if atEnd { while to > from && bytes[to &- 1] == 0x20 { to &-= 1 } }
                    return (from, to)
                }
            }
            registry.scalar(
                name, [.text, .text], .text,
                FunctionDocumentation("Text", "The text without the given characters at its ends.")
            ) { arguments, type, count, _ in
                let sets = ViewColumn(arguments[1])
                return try slices(arguments, type, count) { row, bytes, size, _ in
                    trimmed(bytes, size, Array(sets.string(row).unicodeScalars), atStart, atEnd)
                }
            }
        }
    }

    private static func trimmed(
        _ bytes: UnsafePointer<UInt8>, _ size: Int, _ set: [Unicode.Scalar], _ atStart: Bool, _ atEnd: Bool
    ) -> (Int, Int) {
        let scalars = Array(
            String(decoding: UnsafeBufferPointer(start: bytes, count: size), as: UTF8.self).unicodeScalars)
        var from = 0
        var to = size
        var first = 0
        var last = scalars.count
        if atStart {
            while first < last, set.contains(scalars[first]) {
                from += UTF8.width(scalars[first])
                first += 1
            }
        }
        if atEnd {
            while last > first, set.contains(scalars[last - 1]) {
                to -= UTF8.width(scalars[last - 1])
                last -= 1
            }
        }
        return (from, to)
    }

    /// Characters of a text.
    static func length(_ bytes: UnsafePointer<UInt8>, _ size: Int, _ isASCII: Bool) -> Int {
        isASCII ? size : Utf8.characterCount(bytes, size)
    }

    /// Byte range of the characters from `from` up to `to`, both from 0 and cut to the text.
    @inline(__always)
    private static func characters(
        _ bytes: UnsafePointer<UInt8>, _ size: Int, _ isASCII: Bool, from: Int, to: Int
    ) -> (Int, Int) {
        let start = max(0, from)
        let end = max(start, to)
        if isASCII { return (min(start, size), min(end, size)) }
        let first = Utf8.byteOffset(bytes, size, character: start)
        let last = end >= size ? size : first + Utf8.byteOffset(bytes + first, size - first, character: end - start)
        return (first, last)
    }

    /// One slice a row: `body` gives the byte range. Rows that are null in an argument are left out.
    @inline(__always)
    private static func slices(
        _ arguments: [Vector], _ type: DataType, _ count: Int,
        _ body: (_ row: Int, _ bytes: UnsafePointer<UInt8>, _ size: Int, _ isASCII: Bool) throws -> (Int, Int)
    ) throws -> Vector {
        let result = Vector(flat: type, capacity: count)
        let source = arguments[0]
        let column = ViewColumn(source)
        let views = result.views
        let mayHaveNulls = arguments.contains { $0.mayHaveNulls }
        var row = 0
        while row < count {
            if mayHaveNulls && !ValidityMask.isValid(arguments, row) {
                views[row] = StringView()
            } else {
                let view = column.view(row)
                let bytes = StringView.bytes(at: view)
                let size = view.pointee.count
                let (from, to) = try body(row, bytes, size, ck_is_ascii(bytes, size) != 0)
                views[row] = from == 0 && to == size ? view.pointee : StringView(bytes + from, count: to &- from)
            }
            row &+= 1
        }
        result.pinned = source.pinned + [source.dataOwner]
        return result
    }

    private static func field(
        _ bytes: UnsafePointer<UInt8>, _ size: Int, _ separator: UnsafeBufferPointer<UInt8>, _ number: Int
    ) throws -> (Int, Int) {
        if number == 0 { throw QueryError(.invalidParameterValue, "field position must not be zero") }
        guard let needle = separator.baseAddress, separator.count > 0 else {
            return number == 1 || number == -1 ? (0, size) : (0, 0)
        }
        var ranges: [(Int, Int)] = []
        var start = 0
        while true {
            let found = ck_search(bytes + start, size - start, needle, separator.count)
            let end = found < 0 ? size : start + Int(found)
            if number > 0 && ranges.count == number - 1 { return (start, end) }
            ranges.append((start, end))
            if found < 0 { break }
            start = end + separator.count
        }
        if number > 0 { return (0, 0) }
        return ranges.count + number >= 0 ? ranges[ranges.count + number] : (0, 0)
    }
}
