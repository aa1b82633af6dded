// How values that are carried by views compare: by their bytes, or by what the bytes mean.

/// The meaning of a view's bytes, as far as equality, order and hashes go.
package indirect enum ViewKind: Sendable {
    /// Bytes decide: text, bytea.
    case bytes
    /// `JSONNode`s.
    case jsonb
    /// `NumericBlob`s.
    case numeric
    /// `ArrayBlob`s of elements that bytes alone do not decide about.
    case array(DataType)
    /// `RangeValue`s.
    case range(RangeKind)
    /// `RecordBlob`s with fields that bytes alone do not decide about.
    case record([Field])

    package init(_ type: DataType) {
        switch type {
        case .jsonb: self = .jsonb
        case .numeric: self = .numeric
        case .range(let kind): self = .range(kind)
        case .array(let element) where !element.comparesByBytes: self = .array(element)
        case .record(let fields) where !type.comparesByBytes: self = .record(fields)
        default: self = .bytes
        }
    }

    @inline(__always)
    package var isBytes: Bool { if case .bytes = self { true } else { false } }

    package func equal(_ a: UnsafePointer<StringView>, _ b: UnsafePointer<StringView>) -> Bool {
        switch self {
        case .bytes: return StringView.equal(a.pointee, b.pointee)
        case .jsonb: return JSONOrder.equal(a, b)
        case .numeric: return NumericBlob.equal(a, b)
        case .range(let kind): return RangeValue(a, kind).compare(RangeValue(b, kind), kind) == 0
        case .array(let element):
            if StringView.equal(a.pointee, b.pointee) { return true }
            let (x, y) = (ViewKind.elements(a, element), ViewKind.elements(b, element))
            guard x.count == y.count else { return false }
            let kind = ViewKind(element)
            for row in 0..<x.count {
                if x.isNull(row) != y.isNull(row) { return false }
                if !x.isNull(row), !kind.equal(x.views + row, y.views + row) { return false }
            }
            return true
        case .record(let fields):
            return fields.indices.allSatisfy { index in
                switch (ViewKind.field(a, index), ViewKind.field(b, index)) {
                case (nil, nil): return true
                case (let x?, let y?):
                    let kind = ViewKind(fields[index].type)
                    return withUnsafePointer(to: x) { x in withUnsafePointer(to: y) { kind.equal(x, $0) } }
                default: return false
                }
            }
        }
    }

    /// Negative, zero or positive. Arrays are compared by what knows their elements' order; here their bytes decide.
    @inline(__always)
    package func compare(_ a: UnsafePointer<StringView>, _ b: UnsafePointer<StringView>) -> Int {
        if case .numeric = self { return NumericBlob.compare(a, b) }
        if case .range(let kind) = self { return RangeValue(a, kind).compare(RangeValue(b, kind), kind) }
        if case .jsonb = self { return JSONOrder.compare(JSONNode(at: a), JSONNode(at: b)) }
        return StringView.compare(a, b)
    }

    package func hash(_ view: UnsafePointer<StringView>) -> UInt64 {
        switch self {
        case .bytes: return Hashing.hash(view)
        case .jsonb: return JSONOrder.hash(view)
        case .numeric: return NumericBlob.hash(view)
        case .range(let kind): return RangeValue(view, kind).hash(kind)
        case .array(let element):
            let elements = ViewKind.elements(view, element)
            let kind = ViewKind(element)
            var result = Hashing.mix(UInt64(elements.count))
            for row in 0..<elements.count {
                result = Hashing.combine(
                    result, elements.isNull(row) ? Hashing.nullHash : kind.hash(elements.views + row))
            }
            return result
        case .record(let fields):
            var result = Hashing.mix(UInt64(fields.count))
            for (index, field) in fields.enumerated() {
                let hash = ViewKind.field(view, index).map { value in
                    withUnsafePointer(to: value) { ViewKind(field.type).hash($0) }
                }
                result = Hashing.combine(result, hash ?? Hashing.nullHash)
            }
            return result
        }
    }

    /// A field's bytes as a view; none if it is null.
    private static func field(_ record: UnsafePointer<StringView>, _ index: Int) -> StringView? {
        RecordBlob.field(index, of: StringView.bytes(at: record), byteCount: record.pointee.count).map { bytes in
            bytes.baseAddress.map { StringView($0, count: bytes.count) } ?? StringView()
        }
    }

    private static func elements(_ view: UnsafePointer<StringView>, _ type: DataType) -> Vector {
        ArrayBlob.decode(StringView.bytes(at: view), byteCount: view.pointee.count, elementType: type)
    }
}

extension DataType {
    /// Whether equal values of this type, where views carry it, have equal bytes.
    package var comparesByBytes: Bool {
        switch self {
        case .jsonb, .numeric, .range: false
        case .array(let element): element.comparesByBytes
        case .record(let fields): fields.allSatisfy(\.type.comparesByBytes)
        default: true
        }
    }
}
