// Rows that are kept outside of memory and read again in pieces, in any order and as often as wanted.

import Columnar

/// Makes blocks of rows on disk; the rows of one keeper, as a cursor that goes backwards. Thread-safe.
package protocol RowBlockStore: AnyObject, Sendable {
    /// Writes the rows. Throws 53100 when the disk is full.
    func store(_ batches: [Batch], types: [DataType]) throws -> any RowBlock
}

/// Rows on disk, which go with the object.
package protocol RowBlock: AnyObject, Sendable {
    /// The rows, in the order that they were written in. Throws XX001 when bytes have changed since.
    func read() throws -> [Batch]
}
