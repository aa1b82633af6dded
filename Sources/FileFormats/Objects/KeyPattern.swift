// Patterns over keys: `*` and `?` within a part between slashes, `**` over any number of parts, `[a-z]`.

/// A pattern in pieces.
package struct KeyPattern: Sendable {
    private let pattern: [UInt8]

    package init(_ text: String) { pattern = Array(text.utf8) }

    package static func isPattern(_ text: String) -> Bool { text.contains { $0 == "*" || $0 == "?" || $0 == "[" } }

    /// What every key that matches begins with.
    package static func fixedPrefix(_ text: String) -> String {
        String(text.prefix { $0 != "*" && $0 != "?" && $0 != "[" })
    }

    package func matches(_ key: String) -> Bool { matches(0, Array(key.utf8)[...]) }

    private static let slash = UInt8(ascii: "/")

    private func matches(_ start: Int, _ key: ArraySlice<UInt8>) -> Bool {
        var at = start
        var rest = key
        while at < pattern.count {
            switch pattern[at] {
            case UInt8(ascii: "*"):
                let isDeep = at + 1 < pattern.count && pattern[at + 1] == UInt8(ascii: "*")
                var next = at + (isDeep ? 2 : 1)
                // `**/` also stands for no part at all.
                if isDeep, next < pattern.count, pattern[next] == Self.slash {
                    if matches(next + 1, rest) { return true }
                    next = at + 2
                }
                var tail = rest
                while true {
                    if matches(next, tail) { return true }
                    guard let first = tail.first, isDeep || first != Self.slash else { return false }
                    tail = tail.dropFirst()
                }
            case UInt8(ascii: "?"):
                guard let first = rest.first, first != Self.slash else { return false }
                rest = rest.dropFirst()
                at += 1
            case UInt8(ascii: "["):
                guard let first = rest.first, first != Self.slash, let (isMember, end) = isMember(first, at) else {
                    return false
                }
                guard isMember else { return false }
                rest = rest.dropFirst()
                at = end
            default:
                guard rest.first == pattern[at] else { return false }
                rest = rest.dropFirst()
                at += 1
            }
        }
        return rest.isEmpty
    }

    /// Whether a byte is in the set that begins at `start`, and where the set ends; `nil` if it does not.
    private func isMember(_ byte: UInt8, _ start: Int) -> (Bool, Int)? {
        var at = start + 1
        var isNegated = false
        if at < pattern.count, pattern[at] == UInt8(ascii: "!") || pattern[at] == UInt8(ascii: "^") {
            isNegated = true
            at += 1
        }
        var found = false
        var isFirst = true
        while at < pattern.count, isFirst || pattern[at] != UInt8(ascii: "]") {
            isFirst = false
            if at + 2 < pattern.count, pattern[at + 1] == UInt8(ascii: "-"), pattern[at + 2] != UInt8(ascii: "]") {
                if pattern[at] <= byte && byte <= pattern[at + 2] { found = true }
                at += 3
            } else {
                if pattern[at] == byte { found = true }
                at += 1
            }
        }
        guard at < pattern.count else { return nil }
        return (found != isNegated, at + 1)
    }
}
