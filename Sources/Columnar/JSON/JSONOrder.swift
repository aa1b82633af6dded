// Order, equality and hashes of jsonb values, as PostgreSQL's operator classes for jsonb define them.

import CKernels
import Diagnostics

package enum JSONOrder {
    /// The order of keys within an object: shorter ones first, then bytewise.
    package static func compareKeys(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Int {
        if a.count != b.count { return a.count < b.count ? -1 : 1 }
        guard let x = a.baseAddress, let y = b.baseAddress, a.count > 0 else { return 0 }
        return Int(memcmp(x, y, a.count))
    }

    /// Bytewise order of texts.
    package static func compareText(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Int {
        let common = min(a.count, b.count)
        if common > 0, let x = a.baseAddress, let y = b.baseAddress {
            let order = Int(memcmp(x, y, common))
            if order != 0 { return order }
        }
        return a.count - b.count
    }

    /// Whether two values are equal: numbers by value, whatever zeros they end in.
    package static func equal(_ a: UnsafePointer<StringView>, _ b: UnsafePointer<StringView>) -> Bool {
        if StringView.equal(a.pointee, b.pointee) { return true }
        // The first byte of a value is the lowest of the view's prefix.
        let flags = (a.pointee.head | b.pointee.head) >> 32
        if flags & UInt64(JSONNode.trailingZerosFlag) == 0 { return false }
        return compare(JSONNode(at: a), JSONNode(at: b)) == 0
    }

    package static func equal(_ a: JSONNode, _ b: JSONNode) -> Bool {
        if !a.hasTrailingZeros && !b.hasTrailingZeros {
            return a.count == b.count && memcmp(a.base, b.base, a.count) == 0
        }
        return compare(a, b) == 0
    }

    /// A hash that equal values share.
    package static func hash(_ view: UnsafePointer<StringView>) -> UInt64 {
        if view.pointee.head >> 32 & UInt64(JSONNode.trailingZerosFlag) == 0 { return Hashing.hash(view) }
        let bytes = normalized(JSONNode(at: view))
        return bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return 0 }
            var copy = StringView(base, count: buffer.count)
            return withUnsafePointer(to: &copy) { Hashing.hash($0) }
        }
    }

    /// The value with its numbers as short as possible.
    private static func normalized(_ node: JSONNode) -> [UInt8] {
        var builder = JSONBuilder()
        var walker = JSONWalker(node)
        while let event = walker.next() {
            switch event {
            case .scalar(let scalar) where scalar.hasTrailingZeros:
                var number = scalar.number
                number.scale = number.scaleMin
                builder.number(number)
            default: builder.append(event)
            }
        }
        return builder.takeBytes()
    }

    /// Negative, zero or positive. Object > array > boolean > number > string > null; containers compare by their number
    /// of members before these themselves. A scalar that stands alone counts as an array of one.
    package static func compare(_ a: JSONNode, _ b: JSONNode) -> Int {
        if !a.isContainer || !b.isContainer { return compareTop(a, b) }
        var walkerA = JSONWalker(a)
        var walkerB = JSONWalker(b)
        while let x = walkerA.next(), let y = walkerB.next() {
            let order = compare(x, y)
            if order != 0 { return order }
        }
        return 0
    }

    private static func compareTop(_ a: JSONNode, _ b: JSONNode) -> Int {
        if !a.isContainer && !b.isContainer { return compareScalars(a, b) }
        let scalarIsFirst = !a.isContainer
        let container = scalarIsFirst ? b : a
        // Less than an array of one or more and than every object, but greater than the empty array.
        let isLess = container.isObject || container.memberCount > 0
        return isLess == scalarIsFirst ? -1 : 1
    }

    private static func compare(_ x: JSONWalker.Event, _ y: JSONWalker.Event) -> Int {
        switch (x, y) {
        case (.beginArray(let m), .beginArray(let n)), (.beginObject(let m), .beginObject(let n)):
            return m < n ? -1 : m > n ? 1 : 0
        case (.key(let p), .key(let q)): return compareText(p, q)
        case (.scalar(let p), .scalar(let q)): return compareScalars(p, q)
        case (.endArray, .endArray), (.endObject, .endObject): return 0
        default: return rank(x) - rank(y)
        }
    }

    private static func rank(_ event: JSONWalker.Event) -> Int {
        switch event {
        case .endArray, .endObject: -1
        case .key: 0
        case .scalar(let node): rank(node)
        case .beginArray: 5
        case .beginObject: 6
        }
    }
    private static func rank(_ node: JSONNode) -> Int {
        switch node.kind {
        case .null: 1
        case .string: 2
        case .integer, .decimal: 3
        case .false, .true: 4
        case .array: 5
        case .object: 6
        }
    }

    /// The order of two scalars of any kinds.
    package static func compareScalars(_ a: JSONNode, _ b: JSONNode) -> Int {
        let rankA = rank(a)
        let rankB = rank(b)
        if rankA != rankB { return rankA - rankB }
        switch a.kind {
        case .null, .array, .object: return 0
        case .string: return compareText(a.stringBytes, b.stringBytes)
        case .false, .true: return Int(a.kind.rawValue) - Int(b.kind.rawValue)
        case .integer, .decimal:
            if a.kind == .integer && b.kind == .integer {
                return a.integer < b.integer ? -1 : a.integer > b.integer ? 1 : 0
            }
            return JSONNumber.compare(a.number, b.number)
        }
    }
}
