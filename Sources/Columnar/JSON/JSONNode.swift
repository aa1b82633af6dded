// jsonb's binary form: how a value lies in memory, and how to read it without parsing.
//
//   JSONNode, JSONWalker   a value within a blob; its parts one after the other, without recursion
//   JSONBuilder            makes blobs: sorts keys, drops duplicates, chooses widths
//   JSONNumber             numbers with all their digits
//   JSONTextParser         text to blob or to a verdict; PostgreSQL's messages
//   JSONTextValue          parts of values of type json, which stay text
//   JSONTextOutput         blob to text
//   JSONOrder              order, equality and hashes
//   JSONPath…              the language of paths: syntax, parser, printer

import Diagnostics

/// A value of jsonb: a part of a blob that is itself a whole blob, so an element is taken out of its container by its
/// bounds alone. Layout, little endian:
///
/// - one byte: kind in bits 0…2; for containers in bits 3…4 the width of their offsets (1, 2 or 4 bytes); bit 7 is set if
///   the value is or contains a number with zeros behind its last digit, such as 1.50;
/// - integer: the value in 1, 2, 4 or 8 bytes, the fewest that hold it;
/// - decimal (all other numbers): sign (0 or 1), i32 exponent, u16 scale, then the digits 0…9 without zeros at either end;
///   the value is 0.DIGITS · 10^exponent and is shown with `scale` digits behind the point;
/// - string: its UTF-8 bytes, up to the end of the node;
/// - array: count, the ends of the elements, the elements; ends count from the first element;
/// - object: count, the ends of the keys, the ends of the values, then keys and values. Keys are ordered by length, then
///   bytewise, and occur once.
///
/// Two values without bit 7 are equal exactly if their bytes are.
package struct JSONNode {
    package enum Kind: UInt8, Sendable {
        case null, `false`, `true`, integer, decimal, string, array, object
    }

    let base: UnsafePointer<UInt8>
    package let count: Int

    static let kindMask: UInt8 = 7
    static let widthShift: UInt8 = 3
    static let trailingZerosFlag: UInt8 = 0x80

    /// The memory must outlive the node. No bytes at all are read as null.
    package init(_ base: UnsafePointer<UInt8>, count: Int) {
        self.base = base
        self.count = count
    }

    package init(_ bytes: UnsafeBufferPointer<UInt8>) {
        // An address that is never read from.
        base = bytes.baseAddress ?? UnsafePointer(bitPattern: 16).unsafelyUnwrapped
        count = bytes.count
    }

    /// The value that the view at `view` carries.
    package init(at view: UnsafePointer<StringView>) {
        self.init(StringView.bytes(at: view), count: view.pointee.count)
    }

    package var bytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: base, count: count) }

    private var head: UInt8 { count > 0 ? base[0] : Kind.null.rawValue }
    package var kind: Kind { Kind(rawValue: head & JSONNode.kindMask) ?? .null }
    package var isContainer: Bool { head & JSONNode.kindMask >= Kind.array.rawValue }
    package var isArray: Bool { kind == .array }
    package var isObject: Bool { kind == .object }
    package var isString: Bool { kind == .string }
    package var isNull: Bool { kind == .null }
    package var isNumber: Bool { kind == .integer || kind == .decimal }
    package var isBoolean: Bool { kind == .true || kind == .false }
    var hasTrailingZeros: Bool { head & JSONNode.trailingZerosFlag != 0 }

    /// The name that `jsonb_typeof` gives the kind.
    package var typeName: String {
        switch kind {
        case .null: "null"
        case .true, .false: "boolean"
        case .integer, .decimal: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }

    // MARK: - Scalars

    /// The text of a string.
    package var stringBytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: base + 1, count: count - 1) }

    package var integer: Int64 {
        let raw = UnsafeRawPointer(base)
        switch count {
        case 2: return Int64(raw.load(fromByteOffset: 1, as: Int8.self))
        case 3: return Int64(raw.loadUnaligned(fromByteOffset: 1, as: Int16.self))
        case 5: return Int64(raw.loadUnaligned(fromByteOffset: 1, as: Int32.self))
        case 9: return raw.loadUnaligned(fromByteOffset: 1, as: Int64.self)
        default: return 0
        }
    }

    static let decimalHeaderByteCount = 8

    package var number: JSONNumber {
        guard kind == .decimal, count >= JSONNode.decimalHeaderByteCount else { return JSONNumber(integer) }
        let raw = UnsafeRawPointer(base)
        return JSONNumber(
            isNegative: base[1] != 0, exponent: Int(raw.loadUnaligned(fromByteOffset: 2, as: Int32.self)),
            scale: Int(raw.loadUnaligned(fromByteOffset: 6, as: UInt16.self)),
            digits: Array(
                UnsafeBufferPointer(
                    start: base + JSONNode.decimalHeaderByteCount, count: count - JSONNode.decimalHeaderByteCount)))
    }

    // MARK: - Containers

    private var width: Int { 1 << Int(base[0] >> JSONNode.widthShift & 3) }

    @inline(__always)
    private func word(_ index: Int, _ width: Int) -> Int {
        let raw = UnsafeRawPointer(base) + 1 + index &* width
        switch width {
        case 1: return Int(raw.load(as: UInt8.self))
        case 2: return Int(raw.loadUnaligned(as: UInt16.self))
        default: return Int(raw.loadUnaligned(as: UInt32.self))
        }
    }

    /// Elements of an array, members of an object, 0 for scalars.
    package var memberCount: Int { isContainer ? word(0, width) : 0 }

    /// The element at a position, from 0 to `memberCount - 1`.
    package func element(_ index: Int) -> JSONNode {
        let width = width
        let start = 1 &+ (word(0, width) &+ 1) &* width
        let from = index == 0 ? 0 : word(index, width)
        return JSONNode(base + start + from, count: word(index &+ 1, width) &- from)
    }

    package func key(_ index: Int) -> UnsafeBufferPointer<UInt8> {
        let width = width
        let start = 1 &+ (word(0, width) &* 2 &+ 1) &* width
        let from = index == 0 ? 0 : word(index, width)
        return UnsafeBufferPointer(start: base + start + from, count: word(index &+ 1, width) &- from)
    }

    package func value(_ index: Int) -> JSONNode {
        let width = width
        let members = word(0, width)
        let start = 1 &+ (members &* 2 &+ 1) &* width
        // Ends of values follow those of the keys and go on counting.
        let from = word(members &+ index, width)
        return JSONNode(base + start + from, count: word(members &+ index &+ 1, width) &- from)
    }

    /// Position of the member with a key; `nil` if there is none or this is no object.
    package func index(of key: UnsafeBufferPointer<UInt8>) -> Int? {
        guard isObject else { return nil }
        var low = 0
        var high = memberCount
        while low < high {
            let middle = (low + high) / 2
            let order = JSONOrder.compareKeys(self.key(middle), key)
            if order == 0 { return middle }
            if order < 0 { low = middle + 1 } else { high = middle }
        }
        return nil
    }

    package func member(_ key: UnsafeBufferPointer<UInt8>) -> JSONNode? { index(of: key).map { value($0) } }

    /// The element at a subscript: negative ones count from the end. `nil` outside of the array.
    package func element(atSubscript position: Int) -> JSONNode? {
        guard isArray else { return nil }
        let count = memberCount
        let index = position < 0 ? position + count : position
        return index >= 0 && index < count ? element(index) : nil
    }
}

/// Gives a value's parts in order. It keeps its own stack: values may be nested as deeply as memory allows.
package struct JSONWalker {
    package enum Event {
        case beginArray(count: Int)
        case beginObject(count: Int)
        case endArray, endObject
        case key(UnsafeBufferPointer<UInt8>)
        case scalar(JSONNode)
    }
    private var root: JSONNode?
    private var stack: [(node: JSONNode, next: Int, keyIsGiven: Bool)] = []

    package init(_ node: JSONNode) { root = node }

    /// Number of containers that are open.
    package var depth: Int { stack.count }

    private mutating func enter(_ node: JSONNode) -> Event {
        guard node.isContainer else { return .scalar(node) }
        stack.append((node, 0, false))
        return node.isArray ? .beginArray(count: node.memberCount) : .beginObject(count: node.memberCount)
    }

    package mutating func next() -> Event? {
        if let node = root {
            root = nil
            return enter(node)
        }
        guard let top = stack.last else { return nil }
        if top.next == top.node.memberCount {
            stack.removeLast()
            return top.node.isArray ? .endArray : .endObject
        }
        let last = stack.count - 1
        if top.node.isArray {
            stack[last].next += 1
            return enter(top.node.element(top.next))
        }
        if !top.keyIsGiven {
            stack[last].keyIsGiven = true
            return .key(top.node.key(top.next))
        }
        stack[last].keyIsGiven = false
        stack[last].next += 1
        return enter(top.node.value(top.next))
    }
}
