// The text of jsonb values, and of the strings within JSON.

import Diagnostics

extension JSONText {
    /// Appends a string in quotes, with the escapes that JSON demands and no others.
    package static func appendQuoted(_ text: UnsafeBufferPointer<UInt8>, into output: inout [UInt8]) {
        output.append(0x22)
        var from = 0
        var index = 0
        while index < text.count {
            let byte = text[index]
            if byte >= 0x20, byte != 0x22, byte != 0x5C {
                index &+= 1
                continue
            }
            output.append(contentsOf: text[from..<index])
            output.append(0x5C)
            switch byte {
            case 8: output.append(0x62)
            case 9: output.append(0x74)
            case 10: output.append(0x6E)
            case 12: output.append(0x66)
            case 13: output.append(0x72)
            case 0x22, 0x5C: output.append(byte)
            default:
                output.append(contentsOf: [0x75, 0x30, 0x30])
                for nibble in [byte >> 4, byte & 15] { output.append(nibble < 10 ? 0x30 + nibble : 0x57 + nibble) }
            }
            index &+= 1
            from = index
        }
        output.append(contentsOf: text[from...])
        output.append(0x22)
    }
    package static func appendQuoted(_ text: [UInt8], into output: inout [UInt8]) {
        text.withUnsafeBufferPointer { appendQuoted($0, into: &output) }
    }
    /// A string in quotes.
    package static func quoted(_ text: String) -> String {
        var output: [UInt8] = []
        output.reserveCapacity(text.utf8.count + 2)
        appendQuoted(Array(text.utf8), into: &output)
        return String(decoding: output, as: UTF8.self)
    }

    private static func appendScalar(_ node: JSONNode, into output: inout [UInt8]) {
        switch node.kind {
        case .null: output.append(contentsOf: [0x6E, 0x75, 0x6C, 0x6C])
        case .true: output.append(contentsOf: [0x74, 0x72, 0x75, 0x65])
        case .false: output.append(contentsOf: [0x66, 0x61, 0x6C, 0x73, 0x65])
        case .integer: NumericText.append(node.integer, into: &output)
        case .decimal: node.number.append(to: &output)
        case .string: appendQuoted(node.stringBytes, into: &output)
        case .array, .object: break
        }
    }

    /// Appends a value as PostgreSQL shows jsonb: one blank behind colons and commas.
    package static func append(_ node: JSONNode, into output: inout [UInt8]) {
        append(node, isPretty: false, into: &output)
    }

    /// Appends a value on as many lines as it has parts, four blanks a level.
    package static func appendPretty(_ node: JSONNode, into output: inout [UInt8]) {
        append(node, isPretty: true, into: &output)
    }

    private static func append(_ node: JSONNode, isPretty: Bool, into output: inout [UInt8]) {
        if !node.isContainer { return appendScalar(node, into: &output) }
        var walker = JSONWalker(node)
        /// Whether the next part is the first one of its container, or a value behind its key.
        var isFirst = true
        func startLine(_ depth: Int, _ output: inout [UInt8]) {
            output.append(0x0A)
            output.append(contentsOf: repeatElement(0x20, count: depth * 4))
        }
        func separate(_ depth: Int, _ output: inout [UInt8]) {
            if depth == 0 { return }
            if !isFirst { output.append(0x2C) }
            if isPretty { startLine(depth, &output) } else if !isFirst { output.append(0x20) }
        }
        var isBehindKey = false
        while let event = walker.next() {
            switch event {
            case .beginArray, .beginObject:
                if !isBehindKey { separate(walker.depth - 1, &output) }
                if case .beginArray = event { output.append(0x5B) } else { output.append(0x7B) }
                isFirst = true
                isBehindKey = false
            case .endArray, .endObject:
                if isPretty { startLine(walker.depth, &output) }
                if case .endArray = event { output.append(0x5D) } else { output.append(0x7D) }
                isFirst = false
            case .key(let text):
                separate(walker.depth, &output)
                appendQuoted(text, into: &output)
                output.append(contentsOf: [0x3A, 0x20])
                isBehindKey = true
            case .scalar(let scalar):
                if !isBehindKey { separate(walker.depth, &output) }
                appendScalar(scalar, into: &output)
                isFirst = false
                isBehindKey = false
            }
        }
    }

    package static func text(_ node: JSONNode) -> String {
        var output: [UInt8] = []
        append(node, into: &output)
        return String(decoding: output, as: UTF8.self)
    }

    /// What `->>` gives: a string without its quotes, other values as they are shown.
    package static func appendUnquoted(_ node: JSONNode, into output: inout [UInt8]) {
        if node.isString { output.append(contentsOf: node.stringBytes) } else { append(node, into: &output) }
    }
}

extension JSONText {
    /// The vector as files and clients see it: jsonb as the text of type json, anything else as it is.
    package static func shown(_ vector: Vector) -> Vector {
        guard vector.type == .jsonb else { return vector }
        let source = vector.flattened()
        let result = Vector(flat: .json, capacity: source.count)
        let heap = StringHeap(chunkByteCount: 16 << 10)
        var text: [UInt8] = []
        for row in 0..<source.count {
            result.views[row] = StringView()
            if source.isNull(row) { continue }
            text.removeAll(keepingCapacity: true)
            append(JSONNode(at: source.views + row), into: &text)
            text.withUnsafeBufferPointer { buffer in
                if let base = buffer.baseAddress { result.views[row] = heap.copy(base, count: buffer.count) }
            }
        }
        result.validity = source.validity
        result.validityOwner = source.validityOwner
        result.pinned = heap.buffers
        return result
    }
}
