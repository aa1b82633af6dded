// Identifiers of objects for `keyvalue()`: where an object lies in PostgreSQL's binary form of its document.

import Columnar

/// PostgreSQL numbers objects by their offset in jsonb as it stores it: a container is a word of header, a word for each
/// key and value, then the keys and the values; numbers and containers begin at multiples of four bytes.
enum JSONPathIdentity {
    /// The offset of `target` within `base`, of which it is a part; 0 if it is not.
    static func offset(of target: JSONNode, in base: JSONNode) -> Int {
        let place = target.bytes.baseAddress
        if place == base.bytes.baseAddress { return 0 }
        return find(place, in: base) ?? 0
    }

    private static func find(_ place: UnsafePointer<UInt8>?, in container: JSONNode) -> Int? {
        var at = header(container)
        for index in 0..<container.memberCount {
            let child = container.isObject ? container.value(index) : container.element(index)
            if child.isNumber || child.isContainer { at = aligned(at) }
            if child.isContainer, let start = child.bytes.baseAddress, let place {
                if start == place { return at }
                if place > start, place < start + child.count { return find(place, in: child).map { at + $0 } }
            }
            at += size(child)
        }
        return nil
    }

    private static func aligned(_ offset: Int) -> Int { (offset + 3) & ~3 }

    /// Bytes in front of the first value.
    private static func header(_ container: JSONNode) -> Int {
        let count = container.memberCount
        guard container.isObject else { return 4 + 4 * count }
        return (0..<count).reduce(4 + 8 * count) { $0 + container.key($1).count }
    }

    private static func size(_ node: JSONNode) -> Int {
        switch node.kind {
        case .null, .true, .false: return 0
        case .string: return node.stringBytes.count
        case .integer, .decimal: return size(node.number)
        case .array, .object:
            var at = header(node)
            for index in 0..<node.memberCount {
                let child = node.isObject ? node.value(index) : node.element(index)
                if child.isNumber || child.isContainer { at = aligned(at) }
                at += size(child)
            }
            return at
        }
    }

    /// A number's bytes: length, a header of two bytes or four, and groups of four digits.
    private static func size(_ number: JSONNumber) -> Int {
        if number.isZero { return number.scale <= 63 ? 6 : 8 }
        let groupsBefore = number.exponent > 0 ? (number.exponent + 3) / 4 : -(-number.exponent / 4)
        let padding = groupsBefore * 4 - number.exponent
        let groups = (padding + number.digits.count + 3) / 4
        let weight = groupsBefore - 1
        let isShort = number.scale <= 63 && weight >= -64 && weight <= 63
        return (isShort ? 6 : 8) + groups * 2
    }
}
