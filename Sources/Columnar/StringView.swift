// 16-byte string views: length, four bytes of prefix, and either the rest inline or a pointer.

import CKernels

/// A view of UTF-8 text or of bytes. Up to 12 bytes lie inside the view, zero-padded; longer values are a prefix and a
/// pointer into memory that the vector pins. Layout: u32 length, then 12 bytes.
@frozen
@usableFromInline package struct StringView: Sendable {
    /// Length in bytes (low half) and the first four bytes (high half).
    @usableFromInline package var head: UInt64
    /// Bytes 4…11 of a short value, or the address of all bytes of a long one.
    @usableFromInline package var tail: UInt64

    package static let inlineByteCountMax = 12

    @inlinable package init(head: UInt64, tail: UInt64) {
        self.head = head
        self.tail = tail
    }

    /// The empty string.
    @inlinable package init() {
        head = 0
        tail = 0
    }

    /// A view of `count` bytes. A long value keeps the pointer: the caller pins the memory. Reads no byte beyond `count`.
    @inlinable package init(_ bytes: UnsafePointer<UInt8>, count: Int) {
        if count <= 12 {
            var head = UInt64(UInt32(truncatingIfNeeded: count))
            var tail: UInt64 = 0
            withUnsafeMutableBytes(of: &head) { target in
                (target.baseAddress! + 4).copyMemory(from: bytes, byteCount: min(count, 4))
            }
            if count > 4 {
                withUnsafeMutableBytes(of: &tail) { target in
                    target.baseAddress!.copyMemory(from: bytes + 4, byteCount: count &- 4)
                }
            }
            self.head = head
            self.tail = tail
        } else {
            let prefix = UnsafeRawPointer(bytes).loadUnaligned(as: UInt32.self)
            head = UInt64(UInt32(truncatingIfNeeded: count)) | UInt64(prefix) &<< 32
            tail = UInt64(UInt(bitPattern: bytes))
        }
    }

    /// As `init(_:count:)`, faster: may read 16 bytes from `bytes` whatever `count` is.
    @inlinable package init(padded bytes: UnsafePointer<UInt8>, count: Int) {
        if count <= 12 {
            let raw = UnsafeRawPointer(bytes)
            let first = raw.loadUnaligned(as: UInt32.self)
            let rest = raw.loadUnaligned(fromByteOffset: 4, as: UInt64.self)
            let firstCount = min(count, 4)
            let firstMask = UInt32(truncatingIfNeeded: (UInt64(1) &<< UInt64(firstCount &* 8)) &- 1)
            let restCount = max(0, count &- 4)
            let restMask = restCount == 8 ? ~0 : (UInt64(1) &<< UInt64(restCount &* 8)) &- 1
            head = UInt64(UInt32(truncatingIfNeeded: count)) | UInt64(first & firstMask) &<< 32
            tail = rest & restMask
        } else {
            let prefix = UnsafeRawPointer(bytes).loadUnaligned(as: UInt32.self)
            head = UInt64(UInt32(truncatingIfNeeded: count)) | UInt64(prefix) &<< 32
            tail = UInt64(UInt(bitPattern: bytes))
        }
    }

    @inlinable package var count: Int { Int(UInt32(truncatingIfNeeded: head)) }
    @inlinable package var isInline: Bool { UInt32(truncatingIfNeeded: head) <= 12 }

    /// The address of a long value's bytes. Only for `!isInline`.
    @inlinable package var pointer: UnsafePointer<UInt8> {
        UnsafePointer(bitPattern: UInt(tail)).unsafelyUnwrapped
    }

    /// The bytes of the view that lies at `view`. Valid as long as both the view and what it pins.
    @inlinable package static func bytes(at view: UnsafePointer<StringView>) -> UnsafePointer<UInt8> {
        if view.pointee.isInline {
            return UnsafePointer((UnsafeRawPointer(view) + 4).assumingMemoryBound(to: UInt8.self))
        }
        return view.pointee.pointer
    }

    @inlinable package static func equal(_ a: StringView, _ b: StringView) -> Bool {
        if a.head != b.head { return false }
        if a.tail == b.tail { return true }
        if a.isInline { return false }
        return memcmp(a.pointer, b.pointer, a.count) == 0
    }

    /// Bytewise order: negative, zero or positive, as memcmp.
    @inlinable package static func compare(_ a: UnsafePointer<StringView>, _ b: UnsafePointer<StringView>) -> Int {
        // Byte-swapped prefixes compare as the bytes do; short values are zero-padded, which sorts first.
        let prefixA = UInt32(truncatingIfNeeded: a.pointee.head &>> 32).byteSwapped
        let prefixB = UInt32(truncatingIfNeeded: b.pointee.head &>> 32).byteSwapped
        if prefixA != prefixB { return prefixA < prefixB ? -1 : 1 }
        let countA = a.pointee.count
        let countB = b.pointee.count
        let result = memcmp(bytes(at: a), bytes(at: b), min(countA, countB))
        if result != 0 { return Int(result) }
        return countA &- countB
    }
}

extension StringView {
    /// The value as an array; for code that is not hot.
    package static func array(at view: UnsafePointer<StringView>) -> [UInt8] {
        Array(UnsafeBufferPointer(start: bytes(at: view), count: view.pointee.count))
    }
    /// The value as a string; invalid UTF-8 is repaired. For code that is not hot.
    package static func string(at view: UnsafePointer<StringView>) -> String {
        String(decoding: UnsafeBufferPointer(start: bytes(at: view), count: view.pointee.count), as: UTF8.self)
    }
}

/// Append-only memory for the bytes of long strings. Addresses stay valid as long as the heap or a vector that pins its
/// `buffers` lives. Confined to its filler.
package final class StringHeap: @unchecked Sendable {
    package private(set) var buffers: [Buffer] = []
    /// Bytes allocated so far.
    package private(set) var byteCount = 0
    private var cursor: UnsafeMutablePointer<UInt8>?
    private var left = 0
    private let chunkByteCount: Int
    /// Copies of long values by the address that they came from: the entries of a dictionary come again and again.
    private var recent: UnsafeMutablePointer<RecentCopy>?
    private var longCopies = 0
    private var recentHits = 0

    private struct RecentCopy {
        var source: UInt64
        var copy: StringView
    }
    private static let recentBits: UInt64 = 8
    /// Long values before the first one is remembered, for small heaps; and how often it is asked whether that pays.
    private static let rememberedFrom = 64
    private static let trialCount = 4096

    package init(chunkByteCount: Int = 64 << 10) { self.chunkByteCount = chunkByteCount }

    deinit { recent?.deallocate() }

    /// Room for `count` bytes, to be filled by the caller.
    package func reserve(_ count: Int) -> UnsafeMutablePointer<UInt8> {
        if count > left || cursor == nil {
            let size = max(count, chunkByteCount)
            let buffer = Buffer(byteCount: size)
            buffers.append(buffer)
            byteCount += size
            cursor = buffer.base.assumingMemoryBound(to: UInt8.self)
            left = size
        }
        let result = cursor.unsafelyUnwrapped
        cursor = result + count
        left -= count
        return result
    }

    /// Copies a value: short ones stay inline, long ones move into the heap.
    package func copy(_ bytes: UnsafePointer<UInt8>, count: Int) -> StringView {
        if count <= StringView.inlineByteCountMax { return StringView(bytes, count: count) }
        let target = reserve(count)
        target.update(from: bytes, count: count)
        return StringView(target, count: count)
    }

    /// As above for a value that may have been copied before; then it is the same copy.
    package func copy(_ view: StringView) -> StringView {
        if view.isInline { return view }
        longCopies &+= 1
        guard let recent else {
            if longCopies == StringHeap.rememberedFrom { startRemembering() }
            return copy(view.pointer, count: view.count)
        }
        let slot = recent + Int((view.tail &* 0x9E37_79B9_7F4A_7C15) &>> (64 &- StringHeap.recentBits))
        // The bytes count, not the address: the memory may have been used anew.
        if slot.pointee.source == view.tail, slot.pointee.copy.head == view.head,
            memcmp(slot.pointee.copy.pointer, view.pointer, view.count) == 0
        {
            recentHits &+= 1
            return slot.pointee.copy
        }
        let made = copy(view.pointer, count: view.count)
        slot.pointee = RecentCopy(source: view.tail, copy: made)
        if longCopies >= StringHeap.trialCount { judgeRemembering() }
        return made
    }

    private func startRemembering() {
        let count = 1 << Int(StringHeap.recentBits)
        let made = UnsafeMutablePointer<RecentCopy>.allocate(capacity: count)
        made.initialize(repeating: RecentCopy(source: 0, copy: StringView()), count: count)
        recent = made
    }

    /// Values that are never the same, comments say, are not looked up any more.
    private func judgeRemembering() {
        if recentHits &* 8 < longCopies {
            recent?.deallocate()
            recent = nil
        }
        longCopies = StringHeap.rememberedFrom
        recentHits = 0
    }

    package func copy(_ string: String) -> StringView {
        var string = string
        return string.withUTF8 { bytes in
            guard let base = bytes.baseAddress else { return StringView() }
            return copy(base, count: bytes.count)
        }
    }
}
