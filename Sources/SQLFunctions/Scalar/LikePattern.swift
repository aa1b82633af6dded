// LIKE patterns: parsed once, classified, and matched by search for their fixed parts.

import CKernels
import Columnar
import Diagnostics

/// A parsed LIKE pattern.
final class LikePattern: Sendable {
    enum Shape: Sendable {
        /// No wildcard.
        case exact
        case prefix, suffix, contains
        /// Fixed parts between %, anchored or not at either end.
        case parts
        /// Underscores somewhere.
        case general
        /// Only %.
        case everything
    }
    let shape: Shape
    /// The fixed parts between runs of %, in order.
    private let parts: [[UInt8]]
    private let isAnchoredAtStart: Bool
    private let isAnchoredAtEnd: Bool
    /// For `general`: the pattern as tokens.
    private let tokens: [Token]

    private enum Token: Sendable, Equatable {
        case byte(UInt8)
        case anyCharacter
        case anyText
    }

    /// Errors: 22025 when the pattern ends with its escape character.
    init(_ pattern: UnsafeBufferPointer<UInt8>) throws {
        var tokens: [Token] = []
        var at = 0
        while at < pattern.count {
            let byte = pattern[at]
            at += 1
            switch byte {
            case 0x25: if tokens.last != .anyText { tokens.append(.anyText) }
            case 0x5F: tokens.append(.anyCharacter)
            case 0x5C:
                guard at < pattern.count else {
                    throw QueryError(.invalidEscapeSequence, "LIKE pattern must not end with escape character")
                }
                tokens.append(.byte(pattern[at]))
                at += 1
            default: tokens.append(.byte(byte))
            }
        }
        var parts: [[UInt8]] = []
        var current: [UInt8] = []
        var hasUnderscore = false
        for token in tokens {
            switch token {
            case .byte(let byte): current.append(byte)
            case .anyCharacter: hasUnderscore = true
            case .anyText:
                if !current.isEmpty { parts.append(current) }
                current = []
            }
        }
        if !current.isEmpty { parts.append(current) }
        self.parts = parts
        isAnchoredAtStart = tokens.first != .anyText
        isAnchoredAtEnd = tokens.last != .anyText
        self.tokens = hasUnderscore ? tokens : []
        if hasUnderscore {
            shape = .general
        } else if !tokens.contains(.anyText) {
            shape = .exact
        } else if parts.isEmpty {
            shape = .everything
        } else if parts.count == 1 {
            shape = isAnchoredAtStart ? .prefix : isAnchoredAtEnd ? .suffix : .contains
        } else {
            shape = .parts
        }
    }

    /// Writes 1 for the rows of a flat or constant vector that match, else 0; inverted with `isNegated`.
    func match(_ vector: Vector, count: Int, isNegated: Bool, into target: UnsafeMutablePointer<UInt8>) {
        let column = ViewColumn(vector)
        let invert: UInt8 = isNegated ? 1 : 0
        var row = 0
        switch shape {
        case .everything: target.update(repeating: 1 ^ invert, count: count)
        case .exact:
            let part = parts.first ?? []
            part.withUnsafeBufferPointer { needle in
                let wanted = needle.baseAddress.map { StringView($0, count: needle.count) } ?? StringView()
                while row < count {
                    target[row] = flag(StringView.equal(column.view(row).pointee, wanted)) ^ invert
                    row &+= 1
                }
            }
        case .prefix, .suffix:
            let isPrefix = shape == .prefix
            parts[0].withUnsafeBufferPointer { needle in
                guard let wanted = needle.baseAddress else { return }
                let length = needle.count
                while row < count {
                    let view = column.view(row)
                    let size = view.pointee.count
                    var found: UInt8 = 0
                    if size >= length {
                        let bytes = StringView.bytes(at: view)
                        found = flag(memcmp(isPrefix ? bytes : bytes + (size &- length), wanted, length) == 0)
                    }
                    target[row] = found ^ invert
                    row &+= 1
                }
            }
        case .contains:
            parts[0].withUnsafeBufferPointer { needle in
                guard let wanted = needle.baseAddress else { return }
                let length = needle.count
                while row < count {
                    let view = column.view(row)
                    let found = ck_search(StringView.bytes(at: view), view.pointee.count, wanted, length) >= 0
                    target[row] = flag(found) ^ invert
                    row &+= 1
                }
            }
        case .parts: matchParts(column, count, invert, target)
        case .general:
            while row < count {
                let bytes = column.bytes(row)
                target[row] = flag(matchesGeneral(bytes)) ^ invert
                row &+= 1
            }
        }
    }

    private func matchParts(_ column: ViewColumn, _ count: Int, _ invert: UInt8, _ target: UnsafeMutablePointer<UInt8>)
    {
        // All parts in one allocation, so that the loop touches raw memory only.
        let bytes = parts.flatMap { $0 }
        let lengths = parts.map(\.count)
        let partCount = parts.count
        let start = isAnchoredAtStart
        let end = isAnchoredAtEnd
        bytes.withUnsafeBufferPointer { allBytes in
            lengths.withUnsafeBufferPointer { allLengths in
                guard let needles = allBytes.baseAddress, let sizes = allLengths.baseAddress else { return }
                var row = 0
                while row < count {
                    let view = column.view(row)
                    target[row] =
                        flag(
                            LikePattern.holds(
                                StringView.bytes(at: view), view.pointee.count, needles, sizes, partCount, start, end))
                        ^ invert
                    row &+= 1
                }
            }
        }
    }

    @inline(__always)
    private static func holds(
        _ text: UnsafePointer<UInt8>, _ count: Int, _ needles: UnsafePointer<UInt8>, _ sizes: UnsafePointer<Int>,
        _ partCount: Int, _ start: Bool, _ end: Bool
    ) -> Bool {
        var part = 0
        var needle = needles
        var position = 0
        var limit = count
        var last = partCount
        if start {
            let size = sizes[0]
            if size > limit || memcmp(text, needle, size) != 0 { return false }
            position = size
            needle += size
            part = 1
        }
        if end {
            last &-= 1
            let size = sizes[last]
            if size > limit &- position { return false }
            limit &-= size
        }
        while part < last {
            let size = sizes[part]
            let found = ck_search(text + position, limit &- position, needle, size)
            if found < 0 { return false }
            position &+= Int(found) &+ size
            needle += size
            part &+= 1
        }
        return !end || memcmp(text + limit, needle, sizes[last]) == 0
    }

    /// Greedy matching with one point of return per %: characters are Unicode scalars.
    private func matchesGeneral(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        var at = 0
        var token = 0
        var resumeToken = -1
        var resumeAt = 0
        while at < text.count || token < tokens.count {
            if token < tokens.count {
                switch tokens[token] {
                case .anyText:
                    resumeToken = token
                    resumeAt = at
                    token += 1
                    continue
                case .anyCharacter:
                    if at < text.count {
                        at += LikePattern.characterLength(text, at)
                        token += 1
                        continue
                    }
                case .byte(let byte):
                    if at < text.count, text[at] == byte {
                        at += 1
                        token += 1
                        continue
                    }
                }
            }
            guard resumeToken >= 0, resumeAt < text.count else { return false }
            resumeAt += LikePattern.characterLength(text, resumeAt)
            at = resumeAt
            token = resumeToken + 1
        }
        return true
    }

    private static func characterLength(_ text: UnsafeBufferPointer<UInt8>, _ at: Int) -> Int {
        var length = 1
        while at + length < text.count, text[at + length] & 0xC0 == 0x80 { length += 1 }
        return length
    }
}

enum LikeFunctions {
    static func register(in registry: FunctionRegistry) {
        func text(_ text: String, _ example: String, _ result: String) -> FunctionDocumentation {
            FunctionDocumentation("Pattern matching", text, example: example, result: result)
        }
        for (name, isNegated, ignoresCase, example) in [
            ("~~", false, false, "'abc' ~~ 'a%'"), ("!~~", true, false, "'abc' !~~ 'b%'"),
            ("~~*", false, true, "'ABC' ~~* 'a%'"),
            ("!~~*", true, true, "'abc' !~~* 'B%'"),
        ] {
            registry.scalar(
                name, [.text, .text], .boolean, canFail: false,
                text(
                    "LIKE\(ignoresCase ? " without regard to case" : "")\(isNegated ? ", negated" : "").", example, "t")
            ) { arguments, _, count, _ in
                try evaluate(arguments, count, isNegated: isNegated, ignoresCase: ignoresCase)
            }
        }
        registry.scalar(
            "like_escape", [.text, .text], .text, canFail: true,
            text(
                "A LIKE pattern with another escape character, in the form for the default one.",
                "like_escape('a#%b', '#')", #"a\%b"#)
        ) { arguments, type, count, _ in
            let patterns = ViewColumn(arguments[0])
            let escapes = ViewColumn(arguments[1])
            return try Kernel.text(arguments, type, count) { row, output in
                try escape(patterns.bytes(row), escapes.bytes(row), into: &output)
                return true
            }
        }
    }

    private static func escape(
        _ pattern: UnsafeBufferPointer<UInt8>, _ escape: UnsafeBufferPointer<UInt8>, into output: inout [UInt8]
    ) throws {
        if let base = escape.baseAddress, escape.count > 1, Utf8.characterCount(base, escape.count) > 1 {
            throw QueryError(
                .invalidEscapeSequence, "invalid escape string", hint: "Escape string must be empty or one character.")
        }
        var at = 0
        while at < pattern.count {
            if !escape.isEmpty, pattern[at...].starts(with: escape) {
                output.append(0x5C)
                at += escape.count
                if at < pattern.count {
                    output.append(pattern[at])
                    at += 1
                }
            } else {
                if pattern[at] == 0x5C { output.append(0x5C) }
                output.append(pattern[at])
                at += 1
            }
        }
    }

    private static func evaluate(_ arguments: [Vector], _ count: Int, isNegated: Bool, ignoresCase: Bool) throws
        -> Vector
    {
        let texts = ignoresCase ? try CaseMapping.lowercased(arguments[0], count) : arguments[0]
        let patterns = ignoresCase ? try CaseMapping.lowercased(arguments[1], count) : arguments[1]
        let result = Vector(flat: .boolean, capacity: count)
        let target = result.values(UInt8.self)
        if patterns.encoding == .constant {
            try LikePattern(ViewColumn(patterns).bytes(0)).match(
                texts, count: count, isNegated: isNegated, into: target)
            return result
        }
        let column = ViewColumn(patterns)
        for row in 0..<count {
            target[row] = 0
            if texts.isNull(row) || patterns.isNull(row) { continue }
            let single = Vector(flat: .text, capacity: 1)
            single.views[0] = ViewColumn(texts).view(row).pointee
            try LikePattern(column.bytes(row)).match(single, count: 1, isNegated: isNegated, into: target + row)
        }
        return result
    }
}
