// Memory that grows at its end: staged values, pages, row groups before they go out.

import Glibc

/// Bytes that are appended to. 64 bytes behind the last one may be written too. Confined to its writer.
final class GrowingBytes {
    private static let slack = 64

    private(set) var base: UnsafeMutableRawPointer
    private(set) var count = 0
    private(set) var capacity: Int

    init(capacity: Int = 4096) {
        self.capacity = capacity
        base = .allocate(byteCount: capacity + GrowingBytes.slack, alignment: 64)
    }

    deinit { base.deallocate() }

    /// Where `more` bytes have room; they count when `advance` is told.
    @inline(__always)
    func room(_ more: Int) -> UnsafeMutableRawPointer {
        if count &+ more > capacity { grow(count + more) }
        return base + count
    }

    @inline(__always)
    func advance(_ more: Int) { count &+= more }

    private func grow(_ wanted: Int) {
        let larger = max(wanted, capacity * 2)
        let moved = UnsafeMutableRawPointer.allocate(byteCount: larger + GrowingBytes.slack, alignment: 64)
        moved.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = moved
        capacity = larger
    }

    /// Keeps the memory.
    func removeAll() { count = 0 }

    /// Gives memory back that a large value took.
    func shrink(to bytes: Int) {
        count = 0
        guard capacity > bytes else { return }
        base.deallocate()
        base = .allocate(byteCount: bytes + GrowingBytes.slack, alignment: 64)
        capacity = bytes
    }

    func append(_ source: UnsafeRawPointer, count more: Int) {
        room(more).copyMemory(from: source, byteCount: more)
        count &+= more
    }

    func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { if let start = $0.baseAddress { append(start, count: $0.count) } }
    }

    @inline(__always)
    func append<T: FixedWidthInteger>(_ value: T) {
        room(MemoryLayout<T>.size).storeBytes(of: value.littleEndian, as: T.self)
        count &+= MemoryLayout<T>.size
    }

    func append(varint value: Int) {
        var rest = UInt64(truncatingIfNeeded: value)
        while rest >= 128 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }
}
