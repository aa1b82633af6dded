// The trace of a client that a query belongs to, in the form of the W3C (Trace Context, level 1).

import Synchronization

/// `version-trace-parent-flags`, in hexadecimal digits.
package struct TraceContext: Hashable, Sendable {
    /// 16 and 8 bytes, as lower-case hexadecimal digits; never all zeros.
    package let traceID: String
    /// The span of the client that waits for the query; `nil`: the trace begins here.
    package let parentSpanID: String?
    /// Whether whoever began the trace wants it recorded.
    package let isSampled: Bool

    /// The trace of the statement that runs now.
    @TaskLocal package static var current: TraceContext?

    package init(traceID: String, parentSpanID: String?, isSampled: Bool) {
        self.traceID = traceID
        self.parentSpanID = parentSpanID
        self.isSampled = isSampled
    }

    /// A trace that begins with the query.
    package static func begun() -> TraceContext {
        TraceContext(traceID: TraceIdentifiers.trace(), parentSpanID: nil, isSampled: true)
    }

    /// Reads the value of a header `traceparent`; `nil` if it is none, which is then as if it were not there.
    package init?(traceparent text: some StringProtocol) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 4, let version = Self.digits(parts[0], 2), version != "ff",
            // Later versions may have more parts, this one has not.
            version != "00" || parts.count == 4, let trace = Self.digits(parts[1], 32),
            let parent = Self.digits(parts[2], 16), let flags = Self.digits(parts[3], 2),
            trace.contains(where: { $0 != "0" }), parent.contains(where: { $0 != "0" })
        else { return nil }
        traceID = trace
        parentSpanID = parent
        isSampled = (UInt8(flags, radix: 16) ?? 0) & 1 == 1
    }

    private static func digits(_ text: some StringProtocol, _ count: Int) -> String? {
        guard text.utf8.count == count,
            text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 || $0 >= 0x61 && $0 <= 0x66 })
        else { return nil }
        return String(text)
    }

    private static let commentKey = Array("traceparent='".utf8)

    /// The one that a comment of a statement names, as in `/*traceparent='00-…-01'*/`; `nil` if none does.
    package init?(commentOf sql: String) {
        var copy = sql
        let found = copy.withUTF8 { bytes -> TraceContext? in
            let key = Self.commentKey
            guard bytes.count > key.count else { return nil }
            var at = 0
            var start: Int?
            // A comment begins before it, and nothing else is looked at twice.
            while at + 1 < bytes.count {
                guard bytes[at] == UInt8(ascii: "/"), bytes[at + 1] == UInt8(ascii: "*") else {
                    at += 1
                    continue
                }
                var end = at + 2
                while end + 1 < bytes.count, bytes[end] != UInt8(ascii: "*") || bytes[end + 1] != UInt8(ascii: "/") {
                    if start == nil, end + key.count <= bytes.count,
                        (0..<key.count).allSatisfy({ bytes[end + $0] == key[$0] })
                    {
                        start = end + key.count
                    }
                    end += 1
                }
                if let start {
                    let value = bytes[start...].prefix { $0 != UInt8(ascii: "'") }
                    return value.count <= 256 ? TraceContext(traceparent: String(decoding: value, as: UTF8.self)) : nil
                }
                at = end + 2
            }
            return nil
        }
        guard let found else { return nil }
        self = found
    }
}

/// Identifiers that are unlikely to come twice.
package enum TraceIdentifiers {
    package static func trace() -> String { hexadecimal(UInt64.random(in: 1 ... .max)) + span() }
    package static func span() -> String { hexadecimal(UInt64.random(in: 1 ... .max)) }

    private static func hexadecimal(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
