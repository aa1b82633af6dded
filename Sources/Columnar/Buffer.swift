// Owned memory for vectors: 64-byte aligned, padded so that kernels may read and write past the end.

import CKernels

/// One allocation. Alignment is 64 bytes; 64 bytes beyond `byteCount` may be read and written freely.
///
/// Shared between threads only after its filler is done with it, hence unchecked.
package final class Buffer: @unchecked Sendable {
    /// Bytes that kernels may touch beyond the end.
    package static let padding = 64

    package let base: UnsafeMutableRawPointer
    package let byteCount: Int
    private let owner: (any AnyObject)?

    package init(byteCount: Int) {
        self.byteCount = byteCount
        base = ck_block_take(byteCount + Buffer.padding)
        owner = nil
    }

    /// Memory that `owner` keeps alive; it must have the padding too.
    package init(borrowing base: UnsafeMutableRawPointer, byteCount: Int, owner: any AnyObject) {
        self.base = base
        self.byteCount = byteCount
        self.owner = owner
    }

    deinit {
        if owner == nil { ck_block_give(base, byteCount + Buffer.padding) }
    }
}

/// Process-wide settings of the allocator; called once at start-up.
package enum MemoryAllocation {
    /// Keeps freed memory in the process: page faults cost more than anything else a query does.
    package static func configure() { ck_keep_memory() }
}
