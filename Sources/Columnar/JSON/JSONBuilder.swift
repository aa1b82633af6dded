// Making jsonb blobs part by part.

import CKernels
import Diagnostics

/// What a text parser tells of the parts of a value, in their order.
protocol JSONSink {
    mutating func beginArray()
    mutating func beginObject()
    mutating func end()
    mutating func key(_ bytes: UnsafeBufferPointer<UInt8>)
    mutating func string(_ bytes: UnsafeBufferPointer<UInt8>)
    /// A number as JSON's grammar has it.
    mutating func number(text: UnsafeBufferPointer<UInt8>) throws
    mutating func boolean(_ value: Bool)
    mutating func null()
}

/// Collects the parts of one value. Containers are closed by `end`; an object takes `key` before each value. Of equal keys
/// the last one stays.
package struct JSONBuilder: JSONSink {
    private struct Frame {
        var isObject: Bool
        /// Where the container's parts begin.
        var start: Int
        var firstEntry: Int
    }
    private struct Entry {
        var keyStart: Int
        var valueStart: Int
        var valueEnd: Int
        var keyCount: Int { valueStart - keyStart }
        var valueCount: Int { valueEnd - valueStart }
    }
    /// Parts of all open containers, finished ones among them; keys lie in front of their values.
    private var bytes: [UInt8] = []
    private var entries: [Entry] = []
    private var frames: [Frame] = []
    private var keyStart = 0
    private var isTooLarge = false

    /// PostgreSQL's limit for the parts of one container.
    private static let containerByteCountMax = 0x0FFF_FFFF

    package init() {}

    package var depth: Int { frames.count }

    // MARK: - Scalars

    /// Notes that the value which began at `start` is complete.
    @inline(__always)
    private mutating func finishValue(_ start: Int) {
        guard !frames.isEmpty else { return }
        entries.append(Entry(keyStart: keyStart, valueStart: start, valueEnd: bytes.count))
        keyStart = bytes.count
    }

    private mutating func single(_ kind: JSONNode.Kind) {
        let start = bytes.count
        bytes.append(kind.rawValue)
        finishValue(start)
    }

    package mutating func null() { single(.null) }
    package mutating func boolean(_ value: Bool) { single(value ? .true : .false) }

    package mutating func integer(_ value: Int64) {
        let start = bytes.count
        bytes.append(JSONNode.Kind.integer.rawValue)
        func put<T: FixedWidthInteger>(_ narrow: T, _ bytes: inout [UInt8]) {
            withUnsafeBytes(of: narrow.littleEndian) { bytes.append(contentsOf: $0) }
        }
        if let narrow = Int8(exactly: value) {
            put(narrow, &bytes)
        } else if let narrow = Int16(exactly: value) {
            put(narrow, &bytes)
        } else if let narrow = Int32(exactly: value) {
            put(narrow, &bytes)
        } else {
            put(value, &bytes)
        }
        finishValue(start)
    }

    package mutating func number(_ value: JSONNumber) {
        if value.scale == 0, let integer = value.exactInteger { return self.integer(integer) }
        let start = bytes.count
        let flag = value.scale > value.scaleMin ? JSONNode.trailingZerosFlag : 0
        bytes.append(JSONNode.Kind.decimal.rawValue | flag)
        bytes.append(value.isNegative ? 1 : 0)
        withUnsafeBytes(of: Int32(clamping: value.exponent).littleEndian) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: UInt16(clamping: value.scale).littleEndian) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: value.digits)
        finishValue(start)
    }

    /// A number in JSON's grammar. Error: 22003 beyond what numeric holds.
    package mutating func number(text: UnsafeBufferPointer<UInt8>) throws {
        if text.count <= 18 {
            var value: Int64 = 0
            var index = text.first == 0x2D ? 1 : 0
            while index < text.count, text[index] &- 0x30 <= 9 {
                value = value &* 10 &+ Int64(text[index] &- 0x30)
                index &+= 1
            }
            if index == text.count { return integer(text.first == 0x2D ? -value : value) }
        }
        number(try JSONNumber(text: text))
    }

    package mutating func string(_ text: UnsafeBufferPointer<UInt8>) {
        let start = bytes.count
        bytes.append(JSONNode.Kind.string.rawValue)
        bytes.append(contentsOf: text)
        if text.count > JSONBuilder.containerByteCountMax { isTooLarge = true }
        finishValue(start)
    }
    package mutating func string(_ text: [UInt8]) { text.withUnsafeBufferPointer { string($0) } }
    package mutating func string(_ text: String) {
        var text = text
        text.withUTF8 { string($0) }
    }

    /// A copy of a value.
    package mutating func node(_ node: JSONNode) {
        if node.count == 0 { return null() }
        let start = bytes.count
        bytes.append(contentsOf: node.bytes)
        finishValue(start)
    }

    // MARK: - Containers

    package mutating func beginArray() { begin(isObject: false) }
    package mutating func beginObject() { begin(isObject: true) }

    /// An open object keeps its key: the bytes in front of what its value will be.
    private mutating func begin(isObject: Bool) {
        frames.append(Frame(isObject: isObject, start: bytes.count, firstEntry: entries.count))
        keyStarts.append(keyStart)
        keyStart = bytes.count
    }
    private var keyStarts: [Int] = []

    package mutating func key(_ text: UnsafeBufferPointer<UInt8>) {
        keyStart = bytes.count
        bytes.append(contentsOf: text)
    }
    package mutating func key(_ text: [UInt8]) { text.withUnsafeBufferPointer { key($0) } }
    package mutating func key(_ text: String) {
        var text = text
        text.withUTF8 { key($0) }
    }

    /// A part as a walker gives it.
    package mutating func append(_ event: JSONWalker.Event) {
        switch event {
        case .beginArray: beginArray()
        case .beginObject: beginObject()
        case .endArray, .endObject: end()
        case .key(let text): key(text)
        case .scalar(let scalar): node(scalar)
        }
    }

    package mutating func end() {
        guard let frame = frames.popLast() else { return }
        if frame.isObject { endObject(frame) } else { endArray(frame) }
        entries.removeSubrange(frame.firstEntry...)
        keyStart = keyStarts.popLast() ?? 0
        finishValue(frame.start)
    }

    private mutating func put(_ value: Int, _ width: Int, at place: inout Int) {
        for byte in 0..<width { bytes[place + byte] = UInt8(truncatingIfNeeded: value >> (byte * 8)) }
        place += width
    }

    private func widthShift(_ size: Int, _ count: Int) -> UInt8 {
        let largest = max(size, count)
        return largest <= 0xFF ? 0 : largest <= 0xFFFF ? 1 : 2
    }

    private mutating func endArray(_ frame: Frame) {
        let size = bytes.count - frame.start
        let count = entries.count - frame.firstEntry
        if size > JSONBuilder.containerByteCountMax { isTooLarge = true }
        let shift = widthShift(size, count)
        let width = 1 << Int(shift)
        let header = 1 + (count + 1) * width
        bytes.append(contentsOf: repeatElement(0, count: header))
        var flags: UInt8 = 0
        for entry in entries[frame.firstEntry...] { flags |= bytes[entry.valueStart] & JSONNode.trailingZerosFlag }
        bytes.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            memmove(base + frame.start + header, base + frame.start, size)
        }
        bytes[frame.start] = JSONNode.Kind.array.rawValue | shift << JSONNode.widthShift | flags
        var place = frame.start + 1
        put(count, width, at: &place)
        for index in frame.firstEntry..<entries.count {
            put(entries[index].valueEnd - frame.start, width, at: &place)
        }
    }

    private mutating func endObject(_ frame: Frame) {
        let members = sortedMembers(frame)
        var keyBytes = 0
        var valueBytes = 0
        var flags: UInt8 = 0
        for member in members {
            keyBytes += member.keyCount
            valueBytes += member.valueCount
            flags |= bytes[member.valueStart] & JSONNode.trailingZerosFlag
        }
        let size = keyBytes + valueBytes
        if size > JSONBuilder.containerByteCountMax { isTooLarge = true }
        let shift = widthShift(size, members.count)
        let width = 1 << Int(shift)
        let header = 1 + (members.count * 2 + 1) * width
        let source = Array(bytes[frame.start...])
        bytes.removeSubrange(frame.start...)
        bytes.reserveCapacity(frame.start + header + size)
        bytes.append(JSONNode.Kind.object.rawValue | shift << JSONNode.widthShift | flags)
        bytes.append(contentsOf: repeatElement(0, count: header - 1))
        var place = frame.start + 1
        put(members.count, width, at: &place)
        var end = 0
        for member in members {
            end += member.keyCount
            put(end, width, at: &place)
        }
        for member in members {
            end += member.valueCount
            put(end, width, at: &place)
        }
        for member in members {
            bytes.append(contentsOf: source[(member.keyStart - frame.start)..<(member.valueStart - frame.start)])
        }
        for member in members {
            bytes.append(contentsOf: source[(member.valueStart - frame.start)..<(member.valueEnd - frame.start)])
        }
    }

    /// The members of an object in the order of their keys, the last one of each key.
    private func sortedMembers(_ frame: Frame) -> [Entry] {
        var members = Array(entries[frame.firstEntry...])
        if members.count < 2 { return members }
        bytes.withUnsafeBufferPointer { buffer in
            func order(_ a: Entry, _ b: Entry) -> Int {
                JSONOrder.compareKeys(
                    UnsafeBufferPointer(rebasing: buffer[a.keyStart..<a.valueStart]),
                    UnsafeBufferPointer(rebasing: buffer[b.keyStart..<b.valueStart]))
            }
            var isOrdered = true
            for index in 1..<members.count where order(members[index - 1], members[index]) >= 0 {
                isOrdered = false
                break
            }
            if isOrdered { return }
            members.sort { a, b in
                let result = order(a, b)
                return result != 0 ? result < 0 : a.keyStart < b.keyStart
            }
            var kept = 0
            for index in 1..<members.count {
                if order(members[kept], members[index]) != 0 { kept += 1 }
                members[kept] = members[index]
            }
            members.removeSubrange((kept + 1)...)
        }
        return members
    }

    // MARK: - Result

    /// Forgets everything and keeps the memory.
    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        entries.removeAll(keepingCapacity: true)
        frames.removeAll(keepingCapacity: true)
        keyStarts.removeAll(keepingCapacity: true)
        keyStart = 0
        isTooLarge = false
    }

    /// The blob; the builder is empty afterwards. Error: 54000 for containers and strings beyond 256 MB.
    package mutating func finish() throws -> [UInt8] {
        if isTooLarge {
            throw QueryError(
                .programLimitExceeded,
                "total size of jsonb elements exceeds the maximum of \(JSONBuilder.containerByteCountMax) bytes")
        }
        return takeBytes()
    }

    /// As `finish`, for values that are small.
    package mutating func takeBytes() -> [UInt8] {
        let result = bytes
        removeAll()
        return result
    }

    /// Calls `body` with the finished value, in place.
    package mutating func withNode<R>(_ body: (JSONNode) throws -> R) throws -> R {
        if isTooLarge { _ = try finish() }
        return try bytes.withUnsafeBufferPointer { try body(JSONNode($0)) }
    }
}
