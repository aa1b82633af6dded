// How values that are carried by views compare: by their bytes, or by what the bytes mean.

/// The meaning of a view's bytes, as far as equality, order and hashes go.
package indirect enum ViewKind: Sendable {
    /// Bytes decide: text, bytea.
    case bytes
    /// `JSONNode`s.
    case jsonb
    /// `ArrayBlob`s of elements that bytes alone do not decide about.
    case array(DataType)

    package init(_ type: DataType) {
        switch type {
        case .jsonb: self = .jsonb
        case .array(let element) where !element.comparesByBytes: self = .array(element)
        default: self = .bytes
        }
    }

    @inline(__always)
    package var isBytes: Bool { if case .bytes = self { true } else { false } }

    package func equal(_ a: UnsafePointer<StringView>, _ b: UnsafePointer<StringView>) -> Bool {
        switch self {
        case .bytes: return StringView.equal(a.pointee, b.pointee)
        case .jsonb: return JSONOrder.equal(a, b)
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
        }
    }

    /// Negative, zero or positive. Arrays are compared by what knows their elements' order; here their bytes decide.
    package func compare(_ a: UnsafePointer<StringView>, _ b: UnsafePointer<StringView>) -> Int {
        if case .jsonb = self { return JSONOrder.compare(JSONNode(at: a), JSONNode(at: b)) }
        return StringView.compare(a, b)
    }

    package func hash(_ view: UnsafePointer<StringView>) -> UInt64 {
        switch self {
        case .bytes: return Hashing.hash(view)
        case .jsonb: return JSONOrder.hash(view)
        case .array(let element):
            let elements = ViewKind.elements(view, element)
            let kind = ViewKind(element)
            var result = Hashing.mix(UInt64(elements.count))
            for row in 0..<elements.count {
                result = Hashing.combine(
                    result, elements.isNull(row) ? Hashing.nullHash : kind.hash(elements.views + row))
            }
            return result
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
        case .jsonb: false
        case .array(let element): element.comparesByBytes
        default: true
        }
    }
}
