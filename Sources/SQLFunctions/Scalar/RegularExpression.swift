// Regular expressions through PCRE2: compiled once a pattern, cached, matched by its just-in-time compiler.

import CPCRE2
import Columnar
import Diagnostics
import Synchronization

/// A compiled pattern. PCRE2's compiled code is read-only and may be used by several threads.
final class Regex: @unchecked Sendable {
    private let code: OpaquePointer
    private let groupCount: Int
    private let preference: RegexTranslation.Preference?

    struct Match {
        /// Byte range of the whole match, then of each group.
        var ranges: [Range<Int>?]
        var bytes: [[UInt8]?]
        var whole: Range<Int> { (ranges.first ?? nil) ?? 0..<0 }
        /// The groups; without any, the whole match.
        var groupsOrWhole: [[UInt8]?] { bytes.count > 1 ? Array(bytes[1...]) : bytes }
    }

    /// `flags` are PostgreSQL's: i, c, g (the caller's business), n, m, s, p, w, x, q.
    init(_ pattern: String, flags: String) throws {
        var options =
            UInt32(PCRE2_UTF) | UInt32(PCRE2_NO_UTF_CHECK) | UInt32(PCRE2_DOTALL) | UInt32(PCRE2_DOLLAR_ENDONLY)
        for flag in flags {
            switch flag {
            case "i": options |= UInt32(PCRE2_CASELESS)
            case "c": options &= ~UInt32(PCRE2_CASELESS)
            case "n", "m": options = options & ~UInt32(PCRE2_DOTALL) | UInt32(PCRE2_MULTILINE)
            case "p": options &= ~UInt32(PCRE2_DOTALL)
            case "w": options |= UInt32(PCRE2_MULTILINE)
            case "s", "t", "g", "e": break
            case "b": throw QueryError.notSupported("basic regular expressions")
            case "x": options |= UInt32(PCRE2_EXTENDED)
            case "q":
                options = options & UInt32(PCRE2_CASELESS) | UInt32(PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_LITERAL)
            default:
                throw QueryError(.invalidParameterValue, "invalid regular expression option: \"\(flag)\"")
            }
        }
        var error: Int32 = 0
        var offset = 0
        let translation = options & UInt32(PCRE2_LITERAL) == 0 ? try RegexTranslation(pattern) : nil
        if translation?.isLiteral == true {
            options = options & UInt32(PCRE2_CASELESS) | UInt32(PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_LITERAL)
        } else if translation?.needsUnicodeClasses == true {
            options |= UInt32(PCRE2_UCP)
        }
        // A repeat at the end that never gives back would hide the shorter matches.
        if translation?.preference == .shortest { options |= UInt32(PCRE2_NO_AUTO_POSSESS) }
        preference = translation?.preference
        // A zero behind the end gives an empty pattern an address.
        let bytes = Array((translation?.pattern ?? pattern).utf8) + [0]
        let compiled = bytes.withUnsafeBufferPointer {
            pcre2_compile_8($0.baseAddress, $0.count - 1, options, &error, &offset, nil)
        }
        guard let compiled else {
            var buffer = [UInt8](repeating: 0, count: 256)
            let length = pcre2_get_error_message_8(error, &buffer, buffer.count)
            let message = String(decoding: buffer.prefix(Int(max(0, length))), as: UTF8.self)
            throw QueryError(.invalidRegularExpression, "invalid regular expression: \(message)")
        }
        code = compiled
        _ = pcre2_jit_compile_8(compiled, UInt32(PCRE2_JIT_COMPLETE))
        var count: UInt32 = 0
        _ = pcre2_pattern_info_8(compiled, UInt32(PCRE2_INFO_CAPTURECOUNT), &count)
        groupCount = Int(count)
    }

    deinit { pcre2_code_free_8(code) }

    /// The address of an empty text.
    private static let emptyBuffer = Buffer(byteCount: 1)
    private static var empty: UnsafePointer<UInt8> {
        UnsafePointer(emptyBuffer.base.assumingMemoryBound(to: UInt8.self))
    }

    /// Scratch memory for matching; one a call of a kernel.
    final class Scratch {
        fileprivate let data: OpaquePointer?
        fileprivate var matchCount: UInt = 0
        init(_ regex: Regex) { data = pcre2_match_data_create_from_pattern_8(regex.code, nil) }
        deinit { pcre2_match_data_free_8(data) }
    }

    /// Whether the pattern occurs.
    func occurs(in text: UnsafeBufferPointer<UInt8>, _ scratch: Scratch) throws -> Bool {
        try run(text, from: 0, scratch) >= 0
    }

    private func run(_ text: UnsafeBufferPointer<UInt8>, from: Int, _ scratch: Scratch) throws -> Int32 {
        // A single match may take milliseconds.
        scratch.matchCount &+= 1
        if scratch.matchCount % 16 == 0 { try Interruption.check() }
        let status = pcre2_match_8(
            code, text.baseAddress ?? Regex.empty, text.count, from, UInt32(PCRE2_NO_UTF_CHECK), scratch.data, nil)
        if status < -1 {
            throw QueryError(.invalidRegularExpression, "regular expression failed: code \(status)")
        }
        return status
    }

    /// Replaces the match found by the one that PostgreSQL prefers among those from the same place: as a rule the longest.
    private func prefer(_ text: UnsafeBufferPointer<UInt8>, _ scratch: Scratch) throws {
        guard let preference, let found = pcre2_get_ovector_pointer_8(scratch.data) else { return }
        let (start, end) = (Int(found[0]), Int(found[1]))
        let ends = pcre2_match_data_create_8(1024, nil)
        defer { pcre2_match_data_free_8(ends) }
        var workspace = [Int32](repeating: 0, count: 4096)
        let status = pcre2_dfa_match_8(
            code, text.baseAddress ?? Regex.empty, text.count, start, UInt32(PCRE2_NO_UTF_CHECK | PCRE2_ANCHORED), ends,
            nil, &workspace, workspace.count)
        // The matches come longest first; with 0 there are more than fit.
        guard status >= 0, preference == .longest || status > 0, let all = pcre2_get_ovector_pointer_8(ends) else {
            return
        }
        let wanted = all + (preference == .longest ? 0 : 2 * Int(status - 1))
        if Int(wanted[1]) == end { return }
        // The groups of the match with that end.
        let again = pcre2_match_8(
            code, text.baseAddress ?? Regex.empty, Int(wanted[1]), start,
            UInt32(PCRE2_NO_UTF_CHECK | PCRE2_ANCHORED | PCRE2_ENDANCHORED), scratch.data, nil)
        if again < 0 { _ = try run(text, from: start, scratch) }
    }

    /// The first `limit` matches from a byte offset on.
    func matches(_ text: [UInt8], limit: Int, from start: Int = 0) throws -> [Match] {
        let scratch = Scratch(self)
        return try text.withUnsafeBufferPointer { buffer in
            var result: [Match] = []
            var at = start
            while at <= buffer.count, result.count < limit {
                if try run(buffer, from: at, scratch) < 0 { break }
                try prefer(buffer, scratch)
                guard let vector = pcre2_get_ovector_pointer_8(scratch.data) else { break }
                var ranges: [Range<Int>?] = []
                for group in 0...groupCount {
                    let from = vector[group * 2]
                    let to = vector[group * 2 + 1]
                    ranges.append(
                        from == Int.max || from < 0 || from > buffer.count || to < from ? nil : Int(from)..<Int(to))
                }
                let whole = (ranges.first ?? nil) ?? at..<at
                result.append(Match(ranges: ranges, bytes: ranges.map { range in range.map { Array(buffer[$0]) } }))
                at = whole.upperBound
                if whole.isEmpty {
                    at += 1
                    while at < buffer.count, buffer[at] & 0xC0 == 0x80 { at += 1 }
                }
            }
            return result
        }
    }

    /// The parts between matches; an empty match at an end splits nothing.
    func split(_ text: String) throws -> [String] {
        let bytes = Array(text.utf8)
        var result: [String] = []
        var start = 0
        for match in try matches(bytes, limit: Int.max) {
            let range = match.whole
            if range.isEmpty && (range.lowerBound == 0 || range.lowerBound >= bytes.count || range.lowerBound == start)
            {
                continue
            }
            result.append(String(decoding: bytes[start..<range.lowerBound], as: UTF8.self))
            start = range.upperBound
        }
        result.append(String(decoding: bytes[start...], as: UTF8.self))
        return result
    }

    /// The text with matches replaced: `\1`…`\9` are groups, `\&` the match, `\\` a backslash.
    func replacing(
        _ text: [UInt8], with replacement: [UInt8], all: Bool, from: Int = 0, number: Int? = nil,
        into output: inout [UInt8]
    ) throws {
        var start = 0
        let found = try matches(text, limit: all ? Int.max : number ?? 1, from: from)
        for match in number.map({ Array(found.dropFirst($0 - 1)) }) ?? found {
            output.append(contentsOf: text[start..<match.whole.lowerBound])
            var at = 0
            while at < replacement.count {
                let byte = replacement[at]
                at += 1
                guard byte == 0x5C, at < replacement.count else {
                    output.append(byte)
                    continue
                }
                let next = replacement[at]
                at += 1
                if next == 0x26 {
                    output.append(contentsOf: (match.bytes.first ?? nil) ?? [])
                } else if next &- 0x31 < 9 {
                    let group = Int(next - 0x30)
                    if group < match.bytes.count { output.append(contentsOf: match.bytes[group] ?? []) }
                } else if next == 0x5C {
                    output.append(0x5C)
                } else {
                    output.append(0x5C)
                    output.append(next)
                }
            }
            start = match.whole.upperBound
        }
        output.append(contentsOf: text[start...])
    }
}

/// Compiled patterns of the process.
enum RegexCache {
    private static let cache = Mutex<[String: Regex]>([:])
    private static let entryCountMax = 256

    static func regex(_ pattern: String, flags: String = "") throws -> Regex {
        let key = flags + "/" + pattern
        if let regex = cache.withLock({ $0[key] }) { return regex }
        let regex = try Regex(pattern, flags: flags)
        cache.withLock { cache in
            if cache.count >= entryCountMax { cache.removeAll() }
            cache[key] = regex
        }
        return regex
    }
}

enum RegexFunctions {
    private static func text(_ text: String, _ example: String? = nil, _ result: String? = nil) -> FunctionDocumentation
    {
        FunctionDocumentation("Pattern matching", text, example: example, result: result)
    }

    static func register(in registry: FunctionRegistry) {
        for (name, isNegated, flags, example) in [
            ("~", false, "", "'thomas' ~ 't.*ma'"), ("~*", false, "i", "'thomas' ~* 'T.*ma'"),
            ("!~", true, "", "'thomas' !~ 't.*max'"), ("!~*", true, "i", "'thomas' !~* 'T.*ma.$x'"),
        ] {
            registry.scalar(
                name, [.text, .text], .boolean, canFail: true,
                text("Whether a regular expression matches.", example, "t")
            ) {
                arguments, _, count, _ in try matching(arguments, count, flags: flags, isNegated: isNegated)
            }
        }
        for hasFlags in [false, true] {
            registry.scalar(
                "regexp_like", Array(repeating: .text, count: hasFlags ? 3 : 2), .boolean, canFail: true,
                text(
                    "Whether a regular expression matches.", hasFlags ? "regexp_like('Hello', 'hello', 'i')" : nil,
                    hasFlags ? "t" : nil)
            ) { arguments, _, count, _ in
                let flags = hasFlags ? ViewColumn(arguments[2]) : nil
                let texts = ViewColumn(arguments[0])
                let patterns = ViewColumn(arguments[1])
                return try DateTimeFunctions.rows(arguments, .boolean, count) { row -> UInt8 in
                    let letters = flags?.string(row) ?? ""
                    try RegexSearches.refuseGlobal(letters, "regexp_like")
                    let regex = try RegexCache.regex(patterns.string(row), flags: letters)
                    return flag(try regex.occurs(in: texts.bytes(row), Regex.Scratch(regex)))
                }
            }
            registry.scalar(
                "regexp_replace", Array(repeating: .text, count: hasFlags ? 4 : 3), .text, canFail: true,
                text(
                    "The text with the first match, or with flag g all matches, replaced.",
                    hasFlags
                        ? "regexp_replace('foobarbaz', 'b(..)', 'X\\1Y', 'g')"
                        : "regexp_replace('Thomas', '.[mN]a.', 'M')",
                    hasFlags ? "fooXarYXazY" : "ThM")
            ) { arguments, type, count, _ in
                let columns = arguments.map { ViewColumn($0) }
                return try Kernel.text(arguments, type, count) { row, output in
                    let flags = hasFlags ? columns[3].string(row) : ""
                    let regex = try RegexCache.regex(columns[1].string(row), flags: flags)
                    try regex.replacing(
                        Array(columns[0].bytes(row)), with: Array(columns[2].bytes(row)), all: flags.contains("g"),
                        into: &output)
                    return true
                }
            }
            registry.scalar(
                "regexp_match", Array(repeating: .text, count: hasFlags ? 3 : 2), .array(.text), canFail: true,
                text(
                    "The groups of the first match as an array.",
                    hasFlags ? nil : "regexp_match('foobarbequebaz', '(bar)(beque)')", hasFlags ? nil : "{bar,beque}")
            ) { arguments, type, count, _ in
                let columns = arguments.map { ViewColumn($0) }
                return try Kernel.text(arguments, type, count) { row, output in
                    let letters = hasFlags ? columns[2].string(row) : ""
                    if letters.contains("g") {
                        throw QueryError(
                            .invalidParameterValue, "regexp_match() does not support the \"global\" option",
                            hint: "Use the regexp_matches function instead.")
                    }
                    let regex = try RegexCache.regex(columns[1].string(row), flags: letters)
                    guard let match = try regex.matches(Array(columns[0].bytes(row)), limit: 1).first else {
                        return false
                    }
                    output = ArrayBlob.encode(
                        match.groupsOrWhole.map { $0.map { .bytes($0) } ?? .null }, elementType: .text)
                    return true
                }
            }
            registry.scalar(
                "regexp_split_to_array", Array(repeating: .text, count: hasFlags ? 3 : 2), .array(.text), canFail: true,
                text(
                    "The parts between matches as an array.",
                    hasFlags ? nil : "regexp_split_to_array('hello world', '\\s+')", hasFlags ? nil : "{hello,world}")
            ) { arguments, type, count, _ in
                let columns = arguments.map { ViewColumn($0) }
                return try Kernel.text(arguments, type, count) { row, output in
                    let letters = hasFlags ? columns[2].string(row) : ""
                    try RegexSearches.refuseGlobal(letters, "regexp_split_to_array")
                    let regex = try RegexCache.regex(columns[1].string(row), flags: letters)
                    output = ArrayBlob.encode(
                        try regex.split(columns[0].string(row)).map { .string($0) }, elementType: .text)
                    return true
                }
            }
        }
        registerMeasures(in: registry)
    }

    private static func registerMeasures(in registry: FunctionRegistry) {
        registry.scalar(
            "substring", [.text, .text], .text, canFail: true,
            text("The first match, or its first group.", "substring('Thomas', '...$')", "mas")
        ) { arguments, type, count, _ in
            let (texts, patterns) = (ViewColumn(arguments[0]), ViewColumn(arguments[1]))
            return try Kernel.text(arguments, type, count) { row, output in
                let regex = try RegexCache.regex(patterns.string(row))
                guard let match = try regex.matches(Array(texts.bytes(row)), limit: 1).first,
                    let found = match.groupsOrWhole.first ?? nil
                else { return false }
                output = found
                return true
            }
        }
        RegexSearches.register(in: registry)
        for hasEscape in [false, true] {
            registry.scalar(
                "similar_to_escape", hasEscape ? [.text, .text] : [.text], .text, canFail: true,
                text("A SIMILAR TO pattern as a regular expression.")
            ) { arguments, type, count, _ in
                let patterns = ViewColumn(arguments[0])
                return try Kernel.text(arguments, type, count) { row, output in
                    let escape = hasEscape ? ViewColumn(arguments[1]).string(row) : "\\"
                    output.append(
                        contentsOf: try SimilarSubstring.expression(patterns.string(row), escape: escape).utf8)
                    return true
                }
            }
        }
    }

    private static func matching(_ arguments: [Vector], _ count: Int, flags: String, isNegated: Bool) throws -> Vector {
        let texts = ViewColumn(arguments[0])
        let patterns = ViewColumn(arguments[1])
        let result = Vector(flat: .boolean, capacity: count)
        let target = result.values(UInt8.self)
        let isConstant = arguments[1].encoding == .constant
        var regex: Regex?
        var scratch: Regex.Scratch?
        for row in 0..<count {
            target[row] = 0
            if !ValidityMask.isValid(arguments, row) { continue }
            if regex == nil || !isConstant {
                let compiled = try RegexCache.regex(patterns.string(row), flags: flags)
                regex = compiled
                scratch = Regex.Scratch(compiled)
            }
            guard let regex, let scratch else { continue }
            target[row] = flag(try regex.occurs(in: texts.bytes(row), scratch) != isNegated)
        }
        return result
    }
}
