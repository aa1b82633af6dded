// The memory of group rows: pages by partition.

import Columnar

/// Rows of one layout in one or in `partitionCount` partitions by the top bits of their hashes. Owns the states in its
/// rows: what is still there at the end is destroyed. Confined to one thread at a time while rows are added; afterwards
/// threads may read and discard partitions of their own.
final class GroupRowStore {
    static let partitionBits = 8
    static let partitionCount = 1 << partitionBits

    private struct Page {
        let buffer: Buffer
        var byteCount: Int
    }
    private struct Partition {
        var pages: [Page] = []
    }

    let layout: GroupLayout
    let partitionCount: Int
    /// Behind a shift by one, so that one partition (63) needs no branch.
    private let shift: UInt64
    /// Not an array: different threads read and discard different partitions.
    private let partitions: UnsafeMutablePointer<Partition>
    private let cursors: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    private let ends: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    /// Bytes of all pages, those of discarded partitions too.
    private(set) var byteCount = 0
    private(set) var rowCount = 0

    init(layout: GroupLayout, isPartitioned: Bool) {
        self.layout = layout
        partitionCount = isPartitioned ? GroupRowStore.partitionCount : 1
        shift = isPartitioned ? UInt64(63 - GroupRowStore.partitionBits) : 63
        partitions = .allocate(capacity: partitionCount)
        partitions.initialize(repeating: Partition(), count: partitionCount)
        cursors = .allocate(capacity: partitionCount)
        cursors.initialize(repeating: nil, count: partitionCount)
        ends = .allocate(capacity: partitionCount)
        ends.initialize(repeating: nil, count: partitionCount)
    }

    deinit {
        destroyAll()
        partitions.deinitialize(count: partitionCount)
        partitions.deallocate()
        cursors.deallocate()
        ends.deallocate()
    }

    @inline(__always)
    private func partition(of hash: UInt64) -> Int { Int(truncatingIfNeeded: (hash &>> 1) &>> shift) }

    /// Room for one row, uninitialised.
    @inline(__always)
    func allocate(hash: UInt64) -> UnsafeMutableRawPointer {
        let index = partition(of: hash)
        rowCount &+= 1
        if let cursor = cursors[index], cursor + layout.rowByteCount <= ends[index].unsafelyUnwrapped {
            cursors[index] = cursor + layout.rowByteCount
            return cursor
        }
        return allocateFromNewPage(index)
    }

    @inline(never)
    private func allocateFromNewPage(_ index: Int) -> UnsafeMutableRawPointer {
        closePage(index)
        let pageCount = partitions[index].pages.count
        let base = partitionCount == 1 ? 16 << 10 : 4 << 10
        let size = max(layout.rowByteCount, min(base << min(pageCount, 8), 256 << 10))
        let buffer = Buffer(byteCount: size)
        byteCount += size
        partitions[index].pages.append(Page(buffer: buffer, byteCount: 0))
        cursors[index] = buffer.base + layout.rowByteCount
        ends[index] = buffer.base + size
        return buffer.base
    }

    /// Notes how far the last page of a partition is filled.
    private func closePage(_ index: Int) {
        guard let cursor = cursors[index], let last = partitions[index].pages.indices.last else { return }
        partitions[index].pages[last].byteCount = cursor - partitions[index].pages[last].buffer.base
    }

    /// Calls `body` with up to `Batch.standardRowCount` rows at a time.
    func forEachChunk(
        partition: Int, _ body: (UnsafeMutablePointer<UnsafeMutableRawPointer>, Int) throws -> Void
    ) rethrows {
        closePage(partition)
        let rows = UnsafeMutablePointer<UnsafeMutableRawPointer>.allocate(capacity: Batch.standardRowCount)
        defer { rows.deallocate() }
        var count = 0
        for page in partitions[partition].pages {
            var offset = 0
            while offset < page.byteCount {
                rows[count] = page.buffer.base + offset
                count &+= 1
                offset &+= layout.rowByteCount
                if count == Batch.standardRowCount {
                    try body(rows, count)
                    count = 0
                }
            }
        }
        if count > 0 { try body(rows, count) }
    }

    /// Reads a partition's rows piece by piece.
    struct Cursor {
        var page = 0
        var offset = 0
    }

    /// The next rows of a partition, at most `limit`; 0 at its end.
    func next(
        partition: Int, _ cursor: inout Cursor, into rows: UnsafeMutablePointer<UnsafeMutableRawPointer>, limit: Int
    ) -> Int {
        if cursor.page == 0 && cursor.offset == 0 { closePage(partition) }
        var count = 0
        while count < limit && cursor.page < partitions[partition].pages.count {
            let page = partitions[partition].pages[cursor.page]
            while count < limit && cursor.offset < page.byteCount {
                rows[count] = page.buffer.base + cursor.offset
                count &+= 1
                cursor.offset &+= layout.rowByteCount
            }
            if cursor.offset >= page.byteCount {
                cursor.page += 1
                cursor.offset = 0
            }
        }
        return count
    }

    /// Destroys a partition's states and gives its memory back.
    func discard(partition: Int) {
        if layout.needsDestroy {
            forEachChunk(partition: partition) { rows, count in layout.destroyStates(rows, count: count) }
        }
        forget(partition: partition)
    }

    /// Gives a partition's memory back; its states have been moved away.
    private func forget(partition: Int) {
        partitions[partition].pages = []
        cursors[partition] = nil
        ends[partition] = nil
    }

    private func destroyAll() {
        if !layout.needsDestroy { return }
        for partition in 0..<partitionCount { discard(partition: partition) }
    }

    /// Moves all rows into a partitioned store; the addresses of groups change.
    func repartitioned() -> GroupRowStore {
        let target = GroupRowStore(layout: layout, isPartitioned: true)
        let words = layout.rowByteCount
        forEachChunk(partition: 0) { rows, count in
            var index = 0
            while index < count {
                target.allocate(hash: rowHash(rows[index])).copyMemory(from: rows[index], byteCount: words)
                index &+= 1
            }
        }
        forget(partition: 0)
        rowCount = 0
        return target
    }
}
