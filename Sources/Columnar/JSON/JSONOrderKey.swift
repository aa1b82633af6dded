// jsonb values as bytes that order as the values do.

extension JSONOrder {
    /// Appends bytes whose order by memcmp is that of `compare`; equal values have equal ones, and none begins another.
    package static func appendKey(_ node: JSONNode, into key: inout [UInt8]) {
        // At the top a scalar counts as an array of one, and comes before the array.
        if node.isObject {
            key.append(2)
        } else {
            key.append(1)
            appendCount(node.isArray ? node.memberCount : 1, into: &key)
            key.append(node.isArray ? 1 : 0)
        }
        var walker = JSONWalker(node)
        var isTop = true
        while let event = walker.next() {
            switch event {
            case .beginArray(let count):
                if !isTop {
                    key.append(5)
                    appendCount(count, into: &key)
                }
            case .beginObject(let count):
                if !isTop { key.append(6) }
                appendCount(count, into: &key)
            case .key(let text): appendText(text, into: &key)
            case .scalar(let scalar): appendScalar(scalar, into: &key)
            case .endArray, .endObject: break
            }
            isTop = false
        }
    }

    private static func appendCount(_ count: Int, into key: inout [UInt8]) {
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: count).bigEndian) { key.append(contentsOf: $0) }
    }

    /// Zeros are marked, so that two of them end the text.
    private static func appendText(_ text: UnsafeBufferPointer<UInt8>, into key: inout [UInt8]) {
        for byte in text {
            key.append(byte)
            if byte == 0 { key.append(0xFF) }
        }
        key.append(0)
        key.append(0)
    }

    private static func appendScalar(_ scalar: JSONNode, into key: inout [UInt8]) {
        switch scalar.kind {
        case .null: key.append(1)
        case .string:
            key.append(2)
            appendText(scalar.stringBytes, into: &key)
        case .false, .true:
            key.append(4)
            key.append(scalar.kind == .true ? 1 : 0)
        case .integer, .decimal:
            key.append(3)
            let number = scalar.number
            if number.isZero { return key.append(1) }
            key.append(number.isNegative ? 0 : 2)
            let start = key.count
            appendCount(number.exponent + (1 << 24), into: &key)
            for digit in number.digits { key.append(digit + 1) }
            key.append(0)
            if number.isNegative {
                for index in start..<key.count { key[index] = ~key[index] }
            }
        case .array, .object: break
        }
    }
}
