// WireCodec turns plans and batches into bytes and back. It knows no network and no operator.
//
//   Bytes/    the reader and writer that everything here is built on: length-checked, little-endian, no crash on any input
//   Frames/   batches as exchange frames: Arrow-like buffers, checksum, compression, fragments
//   Exchange/  the two halves of a channel, without I/O, for the transports that carry frames
//   Plans/    plan nodes, expressions, types and values, one file a family; `TaskCodec` is the entry

import Diagnostics

/// Versions of what travels. A node refuses what it does not know with ME004.
package enum WireVersion {
    /// Plans, expressions, task descriptors.
    package static let plan = 1
    /// Exchange frames.
    package static let frame = 1
}

extension QueryError {
    /// Bytes that cannot have been written by this format. The state is XX001.
    static func corrupt(_ what: String) -> QueryError {
        QueryError(.dataCorrupted, "invalid data on the wire: \(what)")
    }
}
