// Where files lie: what the formats ask of a place that holds files, and the local file system as such a place.
//
//   FileStore      opens files for reading and makes new ones; a table is opened over one
//   ReadableFile   one version of a file, read by position
//   RangeFetch     a range that is on its way
//
// The seam lies where a file is opened and where its bytes come from. Pages, rows and values never see it.

import Columnar
import Diagnostics
import Storage

/// One version of a file, read by position; several threads may share it.
package protocol ReadableFile: AnyObject, Sendable {
    var identity: FileIdentity { get }
    /// Reads exactly `count` bytes from `offset`; a file that ends before that is an error.
    func read(into target: UnsafeMutableRawPointer, count: Int, at offset: Int) throws
    /// Reads up to `count` bytes from `offset`; fewer only at the end of the file.
    func readSome(into target: UnsafeMutableRawPointer, count: Int, at offset: Int) throws -> Int
    /// Whether each read is a request to a server: then readers ask early, for much at a time, and for several ranges at once.
    var isRemote: Bool { get }
    /// Asks for ranges, each inside of the file, without waiting. Ranges that lie near each other come in one request.
    func fetch(_ ranges: [Range<Int>]) throws -> [any RangeFetch]
}

/// Bytes of a file that were asked for. Dropping the last reference to a request ends it.
package protocol RangeFetch: AnyObject, Sendable {
    /// Waits for the bytes: from byte `position` of the buffer on.
    func wait() throws -> (buffer: Buffer, position: Int)
    /// Memory that the bytes take; ranges of one request share it.
    var heldByteCount: Int { get }
}

/// Opens files and makes new ones.
package protocol FileStore: AnyObject, Sendable {
    /// Whether each read is a request to a server.
    var isRemote: Bool { get }
    /// A file that must still be the version that was planned with, at the latest when bytes are read.
    func open(_ identity: FileIdentity) throws -> any ReadableFile
    /// The identity of the file that lies at a path now.
    func identity(path: String) throws -> FileIdentity
    /// A file that appears, or replaces another, when it is committed.
    func makeFile(path: String) throws -> any FileSink
}

extension ReadableFile {
    package var isRemote: Bool { false }
    package func fetch(_ ranges: [Range<Int>]) throws -> [any RangeFetch] {
        try ranges.map { range in
            let buffer = Buffer(byteCount: max(1, range.count))
            try read(into: buffer.base, count: range.count, at: range.lowerBound)
            return FetchedRange(buffer)
        }
    }
}

/// A range that is there already.
private final class FetchedRange: RangeFetch {
    private let buffer: Buffer
    init(_ buffer: Buffer) { self.buffer = buffer }
    func wait() throws -> (buffer: Buffer, position: Int) { (buffer, 0) }
    var heldByteCount: Int { buffer.byteCount }
}

/// The local file system.
package final class LocalFiles: FileStore {
    package static let shared = LocalFiles()

    package var isRemote: Bool { false }
    package func open(_ identity: FileIdentity) throws -> any ReadableFile { try LocalFile(identity) }
    package func identity(path: String) throws -> FileIdentity { try FileIdentity(path: path) }
    package func makeFile(path: String) throws -> any FileSink { try OutputFile(path: path) }
}

/// Memory that a reader holds for bytes under way, given back when the reader ends. Confined to its reader.
final class HeldBytes {
    private let context: ScanContext
    private var count = 0

    init(_ context: ScanContext) { self.context = context }
    deinit { context.heldByteCount -= count }

    /// Holds so many bytes more, or throws 53200.
    func add(_ more: Int) throws {
        count += more
        context.heldByteCount += more
        try context.chargeMemory(context.heldByteCount)
    }

    func remove(_ less: Int) {
        count -= less
        context.heldByteCount -= less
    }
}
