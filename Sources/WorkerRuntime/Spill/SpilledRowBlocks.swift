// Blocks of rows in a spill file, each of which can be read on its own.

import Columnar
import PhysicalOps
import Storage
import Synchronization

/// The blocks of one keeper share a file on disk, which goes when the last of them has gone.
package final class SpilledRowBlocks: RowBlockStore {
    private let spill: TaskSpill

    package init(directory: String) { spill = TaskSpill(directory: directory) }

    package func store(_ batches: [Batch], types: [DataType]) throws -> any RowBlock {
        let file = try spill.makeFile(types: types)
        for batch in batches { try file.append(batch) }
        try file.seal()
        return SpilledRowBlock(file)
    }
}

/// Files are used by one thread at a time: under the lock.
private final class SpilledRowBlock: RowBlock {
    private struct Place: @unchecked Sendable { let file: any SpillFile }
    private let place: Mutex<Place>

    init(_ file: any SpillFile) { place = Mutex(Place(file: file)) }

    func read() throws -> [Batch] {
        try place.withLock { place in
            let reader = try place.file.read()
            var batches: [Batch] = []
            while let batch = try reader.next() { batches.append(batch) }
            return batches
        }
    }
}
