// Output that found no room in memory: frames with checksums in the task's spill file, read again in the order they came.

import Columnar
import Diagnostics
import PhysicalOps
import Storage

/// The rows of one partition on disk. Guarded by the buffer's lock, hence unchecked.
struct OutputOverflow: @unchecked Sendable {
    /// A piece is read only as a whole: what is being written ends when it is this large, or when its reader has caught up.
    private static let pieceByteCount = 4 << 20

    private let store: any SpillStore
    private var writing: (any SpillFile)?
    /// Oldest first.
    private var written: [any SpillFile] = []
    private var reading: (any BatchReader)?

    init(store: any SpillStore) { self.store = store }

    /// Throws 53100 when the disk is full.
    mutating func append(_ batch: Batch) throws {
        let file = try writing ?? store.makeFile(types: batch.columns.map(\.type))
        writing = file
        try file.append(batch)
        if file.byteCount >= Self.pieceByteCount { try seal() }
    }

    /// The oldest batch; `nil`: nothing is left. Throws XX001 when bytes have changed on disk.
    mutating func next() throws -> Batch? {
        while true {
            if let batch = try reading?.next() { return batch }
            reading = nil
            if written.isEmpty { try seal() }
            guard !written.isEmpty else { return nil }
            reading = try written.removeFirst().read()
        }
    }

    private mutating func seal() throws {
        guard let file = writing else { return }
        try file.seal()
        written.append(file)
        writing = nil
    }
}
