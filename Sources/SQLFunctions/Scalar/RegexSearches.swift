// regexp_count, regexp_instr, regexp_substr and regexp_replace with all their optional arguments.

import Columnar
import Diagnostics

enum RegexSearches {
    private static func text(_ text: String, _ example: String? = nil, _ result: String? = nil) -> FunctionDocumentation
    {
        FunctionDocumentation("Pattern matching", text, example: example, result: result)
    }

    /// Errors: 22023 for the flag g where all matches are looked at anyway.
    static func refuseGlobal(_ flags: String, _ function: String) throws {
        if flags.contains("g") {
            throw QueryError(.invalidParameterValue, "\(function)() does not support the \"global\" option")
        }
    }

    /// One search: the text, the compiled pattern, and the byte where it begins.
    private struct Search {
        let bytes: [UInt8]
        let regex: Regex
        /// `nil` behind the end of the text.
        let start: Int?

        init(
            _ text: UnsafeBufferPointer<UInt8>, _ pattern: String, _ flags: String, start number: Int,
            _ function: String
        )
            throws
        {
            try RegexSearches.refuseGlobal(flags, function)
            if number <= 0 { throw RegexSearches.invalid("start", number) }
            bytes = Array(text)
            regex = try RegexCache.regex(pattern, flags: flags)
            let length = text.baseAddress.map { Utf8.characterCount($0, text.count) } ?? 0
            start =
                number - 1 > length
                ? nil : text.baseAddress.map { Utf8.byteOffset($0, text.count, character: number - 1) } ?? 0
        }

        func matches(limit: Int) throws -> [Regex.Match] {
            try start.map { try regex.matches(bytes, limit: limit, from: $0) } ?? []
        }
    }

    private static func invalid(_ parameter: String, _ value: Int) -> QueryError {
        QueryError(.invalidParameterValue, "invalid value for parameter \"\(parameter)\": \(value)")
    }

    /// Optional arguments behind the pattern, by their position.
    private struct Options {
        let numbers: [ValueColumn<Int32>?]
        let flags: ViewColumn?

        init(_ arguments: [Vector], from first: Int) {
            var numbers: [ValueColumn<Int32>?] = []
            var flags: ViewColumn?
            for argument in arguments.dropFirst(first) {
                if argument.type.isString {
                    flags = ViewColumn(argument)
                    numbers.append(nil)
                } else {
                    numbers.append(ValueColumn<Int32>(argument))
                }
            }
            self.numbers = numbers
            self.flags = flags
        }
        func number(_ index: Int, _ row: Int, default value: Int) -> Int {
            index < numbers.count ? numbers[index].map { Int($0[row]) } ?? value : value
        }
        func letters(_ row: Int) -> String { flags?.string(row) ?? "" }
    }

    static func register(in registry: FunctionRegistry) {
        registerCount(in: registry)
        registerInstr(in: registry)
        registerSubstr(in: registry)
        registerReplace(in: registry)
    }

    private static func registerCount(in registry: FunctionRegistry) {
        let signatures: [[ParameterType]] = [[], [.int32], [.int32, .text]]
        for options in signatures {
            registry.scalar(
                "regexp_count", [.text, .text] + options, .int32, canFail: true,
                text(
                    "Number of matches.", options.isEmpty ? "regexp_count('123456789012', '\\d\\d\\d')" : nil,
                    options.isEmpty ? "4" : nil)
            ) { arguments, type, count, _ in
                let (texts, patterns) = (ViewColumn(arguments[0]), ViewColumn(arguments[1]))
                let options = Options(arguments, from: 2)
                return try DateTimeFunctions.rows(arguments, type, count) { row -> Int32 in
                    let search = try Search(
                        texts.bytes(row), patterns.string(row), options.letters(row),
                        start: options.number(0, row, default: 1), "regexp_count")
                    return Int32(truncatingIfNeeded: try search.matches(limit: Int.max).count)
                }
            }
        }
    }

    private static func registerInstr(in registry: FunctionRegistry) {
        let all: [ParameterType] = [.int32, .int32, .int32, .text, .int32]
        for optionCount in 0...5 {
            registry.scalar(
                "regexp_instr", [.text, .text] + all.prefix(optionCount), .int32, canFail: true,
                text(
                    "Where the n-th match begins, or what follows it; 0: there is none.",
                    optionCount == 0 ? "regexp_instr('number of your street', '[^ ]+', 1, 3)" : nil,
                    optionCount == 0 ? "11" : nil)
            ) { arguments, type, count, _ in
                let (texts, patterns) = (ViewColumn(arguments[0]), ViewColumn(arguments[1]))
                let options = Options(arguments, from: 2)
                return try DateTimeFunctions.rows(arguments, type, count) { row -> Int32 in
                    let number = options.number(1, row, default: 1)
                    let atEnd = options.number(2, row, default: 0)
                    let group = options.number(4, row, default: 0)
                    let search = try Search(
                        texts.bytes(row), patterns.string(row), options.letters(row),
                        start: options.number(0, row, default: 1), "regexp_instr")
                    if number <= 0 { throw invalid("n", number) }
                    if atEnd != 0 && atEnd != 1 { throw invalid("endoption", atEnd) }
                    if group < 0 { throw invalid("subexpr", group) }
                    let matches = try search.matches(limit: number)
                    guard matches.count == number, let match = matches.last, group < match.ranges.count,
                        let range = match.ranges[group]
                    else { return 0 }
                    let offset = atEnd == 1 ? range.upperBound : range.lowerBound
                    return search.bytes.withUnsafeBufferPointer { bytes in
                        Int32(bytes.baseAddress.map { Utf8.characterCount($0, offset) } ?? 0) + 1
                    }
                }
            }
        }
    }

    private static func registerSubstr(in registry: FunctionRegistry) {
        let all: [ParameterType] = [.int32, .int32, .text, .int32]
        for optionCount in 0...4 {
            registry.scalar(
                "regexp_substr", [.text, .text] + all.prefix(optionCount), .text, canFail: true,
                text(
                    "The n-th match.", optionCount == 0 ? "regexp_substr('Thomas', '...$')" : nil,
                    optionCount == 0 ? "mas" : nil)
            ) { arguments, type, count, _ in
                let (texts, patterns) = (ViewColumn(arguments[0]), ViewColumn(arguments[1]))
                let options = Options(arguments, from: 2)
                return try Kernel.text(arguments, type, count) { row, output in
                    let number = options.number(1, row, default: 1)
                    let group = options.number(3, row, default: 0)
                    let search = try Search(
                        texts.bytes(row), patterns.string(row), options.letters(row),
                        start: options.number(0, row, default: 1), "regexp_substr")
                    if number <= 0 { throw invalid("n", number) }
                    if group < 0 { throw invalid("subexpr", group) }
                    let matches = try search.matches(limit: number)
                    guard matches.count == number, let match = matches.last, group < match.bytes.count,
                        let found = match.bytes[group]
                    else { return false }
                    output.append(contentsOf: found)
                    return true
                }
            }
        }
    }

    private static func registerReplace(in registry: FunctionRegistry) {
        let all: [ParameterType] = [.int32, .int32, .text]
        for optionCount in 1...3 {
            registry.scalar(
                "regexp_replace", [.text, .text, .text] + all.prefix(optionCount), .text, canFail: true,
                text(
                    "The text with the n-th match behind a place replaced; 0 means all matches.",
                    optionCount == 2 ? "regexp_replace('A PostgreSQL function', 'a|e|i|o|u', 'X', 1, 3)" : nil,
                    optionCount == 2 ? "A PostgreSQL fXnction" : nil)
            ) { arguments, type, count, _ in
                let columns = arguments.prefix(3).map { ViewColumn($0) }
                let options = Options(arguments, from: 3)
                return try Kernel.text(arguments, type, count) { row, output in
                    let number = options.number(1, row, default: 1)
                    if number < 0 { throw invalid("n", number) }
                    let letters = options.letters(row).filter { $0 != "g" }
                    let search = try Search(
                        columns[0].bytes(row), columns[1].string(row), letters,
                        start: options.number(0, row, default: 1), "regexp_replace")
                    guard let start = search.start else {
                        output.append(contentsOf: search.bytes)
                        return true
                    }
                    try search.regex.replacing(
                        search.bytes, with: Array(columns[2].bytes(row)), all: number == 0, from: start,
                        number: number == 0 ? nil : number, into: &output)
                    return true
                }
            }
        }
    }
}
