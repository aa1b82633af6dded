// A spilled run as a stream that the merging source reads.

import Columnar
import Diagnostics
import Storage
import Transport

/// Reads a file of batches; never has to wait. Confined to the driver that merges, hence unchecked.
final class SpilledRunReader: ExchangeReader, @unchecked Sendable {
    private var reader: (any BatchReader)?

    init(_ file: any SpillFile) throws { reader = try file.read() }

    func poll(wake: @escaping @Sendable () -> Void) throws -> ExchangeEvent {
        guard let batch = try reader?.next() else { return .finished }
        return .batch(batch)
    }

    func close() { reader = nil }
}
