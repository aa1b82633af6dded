// Ranges of numbers, dates and times: their values, how they lie in memory, and their text.

import Diagnostics

/// The built-in types of ranges.
package enum RangeKind: UInt8, Hashable, Sendable, CaseIterable {
    case int32, int64, numeric, date, timestamp, timestampTZ

    package var element: DataType {
        switch self {
        case .int32: .int32
        case .int64: .int64
        case .numeric: .anyNumeric
        case .date: .date
        case .timestamp: .timestamp
        case .timestampTZ: .timestampTZ
        }
    }
    package var sqlName: String {
        switch self {
        case .int32: "int4range"
        case .int64: "int8range"
        case .numeric: "numrange"
        case .date: "daterange"
        case .timestamp: "tsrange"
        case .timestampTZ: "tstzrange"
        }
    }
    package var catalogIdentifier: Int64 {
        switch self {
        case .int32: 3904
        case .int64: 3926
        case .numeric: 3906
        case .date: 3912
        case .timestamp: 3908
        case .timestampTZ: 3910
        }
    }
    /// Whether every value has a next one: then ranges are written as `[a,b)`.
    package var isDiscrete: Bool { self == .int32 || self == .int64 || self == .date }
}

/// A range: empty, or two bounds of which either may be infinite.
package struct RangeValue: Sendable {
    /// One end. NULL is without limit.
    package struct Bound: Sendable {
        package var value: ScalarValue
        package var isInclusive: Bool
        package var isInfinite: Bool { value.isNull }
        package init(_ value: ScalarValue, isInclusive: Bool) {
            self.value = value
            self.isInclusive = isInclusive && !value.isNull
        }
    }
    package var isEmpty: Bool
    package var lower: Bound
    package var upper: Bound

    package static let empty = RangeValue(
        isEmpty: true, lower: Bound(.null, isInclusive: false), upper: Bound(.null, isInclusive: false))

    private init(isEmpty: Bool, lower: Bound, upper: Bound) {
        self.isEmpty = isEmpty
        self.lower = lower
        self.upper = upper
    }

    /// In canonical form. Errors: 22000 for bounds in the wrong order, 22003 and 22008 for a last value that has no next.
    package init(_ lower: Bound, _ upper: Bound, _ kind: RangeKind) throws {
        self.init(isEmpty: false, lower: lower, upper: upper)
        if !lower.isInfinite, !upper.isInfinite {
            let order = Self.compare(lower.value, upper.value, kind)
            if order > 0 {
                throw QueryError(
                    SQLState("22000"), "range lower bound must be less than or equal to range upper bound")
            }
            if order == 0, !(lower.isInclusive && upper.isInclusive) { self = .empty }
        }
        try makeCanonical(kind)
    }

    private mutating func makeCanonical(_ kind: RangeKind) throws {
        guard kind.isDiscrete, !isEmpty else { return }
        if !lower.isInfinite, !lower.isInclusive, Self.hasNext(lower.value, kind) {
            lower = Bound(try Self.next(lower.value, kind), isInclusive: true)
        }
        if !upper.isInfinite, upper.isInclusive, Self.hasNext(upper.value, kind) {
            upper = Bound(try Self.next(upper.value, kind), isInclusive: false)
        }
        if !lower.isInfinite, !upper.isInfinite, Self.compare(lower.value, upper.value, kind) >= 0 { self = .empty }
    }

    /// Infinite dates have no next one: bounds at them stay as they are.
    private static func hasNext(_ value: ScalarValue, _ kind: RangeKind) -> Bool {
        guard kind == .date, case .integer(let number) = value else { return true }
        return number != Int64(Int32.max) && number != Int64(Int32.min)
    }

    private static func next(_ value: ScalarValue, _ kind: RangeKind) throws -> ScalarValue {
        guard case .integer(let number) = value else { return value }
        switch kind {
        case .int32:
            if number == Int64(Int32.max) { throw QueryError(.numericValueOutOfRange, "integer out of range") }
        case .int64:
            if number == .max { throw QueryError(.numericValueOutOfRange, "bigint out of range") }
        default: break
        }
        return .integer(number + 1)
    }

    // MARK: Order

    package static func compare(_ a: ScalarValue, _ b: ScalarValue, _ kind: RangeKind) -> Int {
        switch (a, b) {
        case (.integer(let x), .integer(let y)): return x < y ? -1 : x == y ? 0 : 1
        case (.bytes(let x), .bytes(let y)):
            return withViews(x, y) { NumericBlob.compare($0, $1) }
        default: return 0
        }
    }

    private static func withViews(
        _ a: [UInt8], _ b: [UInt8], _ body: (UnsafePointer<StringView>, UnsafePointer<StringView>) -> Int
    ) -> Int {
        a.withUnsafeBufferPointer { a in
            b.withUnsafeBufferPointer { b in
                let first = a.baseAddress.map { StringView($0, count: a.count) } ?? StringView()
                let second = b.baseAddress.map { StringView($0, count: b.count) } ?? StringView()
                return withUnsafePointer(to: first) { x in withUnsafePointer(to: second) { body(x, $0) } }
            }
        }
    }

    /// Where two bounds lie; `isLower` says of each whether it is the lower end of its range.
    package static func compare(
        _ a: Bound, isLower aIsLower: Bool, _ b: Bound, isLower bIsLower: Bool, _ kind: RangeKind
    ) -> Int {
        switch (a.isInfinite, b.isInfinite) {
        case (true, true): return aIsLower == bIsLower ? 0 : aIsLower ? -1 : 1
        case (true, false): return aIsLower ? -1 : 1
        case (false, true): return bIsLower ? 1 : -1
        case (false, false): break
        }
        let order = compare(a.value, b.value, kind)
        if order != 0 { return order }
        // An exclusive lower bound lies behind its value, an exclusive upper bound in front of it.
        func shift(_ bound: Bound, _ isLower: Bool) -> Int { bound.isInclusive ? 0 : isLower ? 1 : -1 }
        return shift(a, aIsLower) - shift(b, bIsLower)
    }

    /// Empty ranges come first, then lower bounds decide, then upper ones.
    package func compare(_ other: RangeValue, _ kind: RangeKind) -> Int {
        if isEmpty || other.isEmpty { return isEmpty ? (other.isEmpty ? 0 : -1) : 1 }
        let order = Self.compare(lower, isLower: true, other.lower, isLower: true, kind)
        return order != 0 ? order : Self.compare(upper, isLower: false, other.upper, isLower: false, kind)
    }

    package func contains(_ value: ScalarValue, _ kind: RangeKind) -> Bool {
        if isEmpty { return false }
        if !lower.isInfinite {
            let order = Self.compare(lower.value, value, kind)
            if order > 0 || (order == 0 && !lower.isInclusive) { return false }
        }
        if !upper.isInfinite {
            let order = Self.compare(upper.value, value, kind)
            if order < 0 || (order == 0 && !upper.isInclusive) { return false }
        }
        return true
    }

    package func contains(_ other: RangeValue, _ kind: RangeKind) -> Bool {
        if other.isEmpty { return true }
        if isEmpty { return false }
        return Self.compare(lower, isLower: true, other.lower, isLower: true, kind) <= 0
            && Self.compare(upper, isLower: false, other.upper, isLower: false, kind) >= 0
    }

    package func isBefore(_ other: RangeValue, _ kind: RangeKind) -> Bool {
        !isEmpty && !other.isEmpty && Self.compare(upper, isLower: false, other.lower, isLower: true, kind) < 0
    }

    package func overlaps(_ other: RangeValue, _ kind: RangeKind) -> Bool {
        !isEmpty && !other.isEmpty && !isBefore(other, kind) && !other.isBefore(self, kind)
    }

    /// Whether nothing lies between the upper bound of one and the lower bound of the other, and nothing in both.
    package func isAdjacent(to other: RangeValue, _ kind: RangeKind) -> Bool {
        func meets(_ upper: Bound, _ lower: Bound) -> Bool {
            !upper.isInfinite && !lower.isInfinite && upper.isInclusive != lower.isInclusive
                && Self.compare(upper.value, lower.value, kind) == 0
        }
        return !isEmpty && !other.isEmpty && (meets(upper, other.lower) || meets(other.upper, lower))
    }

    /// The smallest range with both in it.
    package func merged(_ other: RangeValue, _ kind: RangeKind) -> RangeValue {
        if isEmpty { return other }
        if other.isEmpty { return self }
        let low = Self.compare(lower, isLower: true, other.lower, isLower: true, kind) <= 0 ? lower : other.lower
        let high = Self.compare(upper, isLower: false, other.upper, isLower: false, kind) >= 0 ? upper : other.upper
        return RangeValue(isEmpty: false, lower: low, upper: high)
    }

    package func intersection(_ other: RangeValue, _ kind: RangeKind) -> RangeValue {
        guard overlaps(other, kind) else { return .empty }
        let low = Self.compare(lower, isLower: true, other.lower, isLower: true, kind) >= 0 ? lower : other.lower
        let high = Self.compare(upper, isLower: false, other.upper, isLower: false, kind) <= 0 ? upper : other.upper
        return RangeValue(isEmpty: false, lower: low, upper: high)
    }

    /// What is in this range and not in the other; `nil` if that is two ranges.
    package func difference(_ other: RangeValue, _ kind: RangeKind) -> RangeValue? {
        guard overlaps(other, kind) else { return self }
        let startsBefore = Self.compare(lower, isLower: true, other.lower, isLower: true, kind) < 0
        let endsBehind = Self.compare(upper, isLower: false, other.upper, isLower: false, kind) > 0
        switch (startsBefore, endsBehind) {
        case (true, true): return nil
        case (false, false): return .empty
        case (true, false):
            return RangeValue(
                isEmpty: false, lower: lower,
                upper: Bound(other.lower.value, isInclusive: !other.lower.isInclusive))
        case (false, true):
            return RangeValue(
                isEmpty: false, lower: Bound(other.upper.value, isInclusive: !other.upper.isInclusive), upper: upper)
        }
    }
}

// MARK: - Layout

/// A byte of flags (1 empty, 2 and 4: lower and upper bound inclusive, 8 and 16: infinite), then the finite bounds: integers
/// in eight bytes, numerics as a u32 length and their blob.
extension RangeValue {
    package var blob: [UInt8] {
        if isEmpty { return [1] }
        var bytes: [UInt8] = [
            (lower.isInclusive ? 2 : 0) | (upper.isInclusive ? 4 : 0) | (lower.isInfinite ? 8 : 0)
                | (upper.isInfinite ? 16 : 0)
        ]
        for bound in [lower, upper] {
            switch bound.value {
            case .integer(let number): withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
            case .bytes(let blob):
                withUnsafeBytes(of: UInt32(truncatingIfNeeded: blob.count).littleEndian) {
                    bytes.append(contentsOf: $0)
                }
                bytes.append(contentsOf: blob)
            default: break
            }
        }
        return bytes
    }

    package init(_ view: UnsafePointer<StringView>, _ kind: RangeKind) {
        let bytes = StringView.bytes(at: view)
        let raw = UnsafeRawPointer(bytes)
        let count = view.pointee.count
        guard count > 0, bytes[0] & 1 == 0 else {
            self = .empty
            return
        }
        let flags = bytes[0]
        var at = 1
        func read() -> ScalarValue {
            if kind == .numeric {
                let length = Int(raw.loadUnaligned(fromByteOffset: at, as: UInt32.self))
                at += 4 + length
                return .bytes(Array(UnsafeBufferPointer(start: bytes + at - length, count: length)))
            }
            at += 8
            return .integer(raw.loadUnaligned(fromByteOffset: at - 8, as: Int64.self))
        }
        let low = flags & 8 != 0 ? ScalarValue.null : read()
        let high = flags & 16 != 0 ? ScalarValue.null : read()
        self.init(
            isEmpty: false, lower: Bound(low, isInclusive: flags & 2 != 0),
            upper: Bound(high, isInclusive: flags & 4 != 0))
    }

    package func hash(_ kind: RangeKind) -> UInt64 {
        if isEmpty { return Hashing.mix(1) }
        var result = Hashing.mix(
            (lower.isInclusive ? 2 : 0) | (upper.isInclusive ? 4 : 0) | (lower.isInfinite ? 8 : 0)
                | (upper.isInfinite ? 16 : 0))
        for bound in [lower, upper] {
            switch bound.value {
            case .integer(let number): result = Hashing.combine(result, Hashing.mix(UInt64(bitPattern: number)))
            case .bytes(let blob):
                let hash = blob.withUnsafeBufferPointer { buffer -> UInt64 in
                    let view = buffer.baseAddress.map { StringView($0, count: buffer.count) } ?? StringView()
                    return withUnsafePointer(to: view) { NumericBlob.hash($0) }
                }
                result = Hashing.combine(result, hash)
            default: break
            }
        }
        return result
    }
}

// MARK: - Text

extension RangeValue {
    package func append(_ kind: RangeKind, settings: TextSettings, into text: inout [UInt8]) {
        if isEmpty {
            text.append(contentsOf: "empty".utf8)
            return
        }
        text.append(lower.isInclusive ? 0x5B : 0x28)
        Self.append(lower, kind, settings, into: &text)
        text.append(0x2C)
        Self.append(upper, kind, settings, into: &text)
        text.append(upper.isInclusive ? 0x5D : 0x29)
    }

    private static func append(
        _ bound: Bound, _ kind: RangeKind, _ settings: TextSettings, into text: inout [UInt8]
    ) {
        if bound.isInfinite { return }
        var piece: [UInt8] = []
        TextFormat.append(bound.value, type: kind.element, settings: settings, into: &piece)
        QuotedPiece.append(piece, isDelimiter: isDelimiter, into: &text)
    }

    /// A comma, a parenthesis or a bracket.
    private static func isDelimiter(_ byte: UInt8) -> Bool {
        byte == 0x2C || byte == 0x28 || byte == 0x29 || byte == 0x5B || byte == 0x5D
    }

    /// Errors: 22P02 and those of the bounds' type.
    package static func parse(
        _ source: UnsafeBufferPointer<UInt8>, _ kind: RangeKind, settings: TextSettings
    ) throws -> RangeValue {
        func malformed(_ detail: String) -> QueryError {
            QueryError(
                .invalidTextRepresentation, "malformed range literal: \"\(String(decoding: source, as: UTF8.self))\"",
                detail: detail)
        }
        let text = NumericText.trimmed(source)
        if text.count >= 5, String(decoding: text.prefix(5), as: UTF8.self).lowercased() == "empty" {
            guard text.count == 5 else { throw malformed("Junk after \"empty\" key word.") }
            return .empty
        }
        guard let first = text.first, first == 0x5B || first == 0x28 else {
            throw malformed("Missing left parenthesis or bracket.")
        }
        var at = 1
        func bound(until ends: [UInt8]) throws -> ScalarValue {
            if at < text.count, ends.contains(text[at]) { return .null }
            guard let piece = QuotedPiece.read(text, at: &at, isDelimiter: isDelimiter) else {
                throw malformed("Unexpected end of input.")
            }
            return try piece.withUnsafeBufferPointer {
                try TextFormat.parse($0, as: kind.element, settings: settings)
            }
        }
        let low = try bound(until: [0x2C])
        guard at < text.count, text[at] == 0x2C else { throw malformed("Missing comma after lower bound.") }
        at += 1
        let high = try bound(until: [0x29, 0x5D])
        guard at < text.count, text[at] == 0x29 || text[at] == 0x5D else { throw malformed("Too many commas.") }
        let last = text[at]
        guard at + 1 == text.count else { throw malformed("Junk after right parenthesis or bracket.") }
        return try RangeValue(
            Bound(low, isInclusive: first == 0x5B), Bound(high, isInclusive: last == 0x5D), kind)
    }
}
