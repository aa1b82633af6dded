// How data files become part of a table: the seam between writers and table formats.

import Columnar
import Diagnostics
import Glibc
import Storage

/// A data file that is complete and durable, and that nobody reads yet.
package struct DataFile: Sendable {
    package var path: String
    package var rowCount: Int
    package var byteCount: Int
    /// What the store calls this version of it.
    package var version = ""
}

/// One change of a table. Readers see all of its files or none, whenever the process ends. Exactly one of `commit` and
/// `abort` ends it; whatever is left of one that has neither is never read.
package protocol TableCommit: AnyObject, Sendable {
    /// Where the table and its new files lie.
    var store: any FileStore { get }
    /// Where a new file is written: on the file system of the table, under a name that no listing shows.
    func stagingPath(_ name: String) throws -> String
    /// Publishes the files, which lie at paths that `stagingPath` gave.
    func commit(_ files: [DataFile]) throws
    func abort()
}

extension TableCommit {
    package var store: any FileStore { LocalFiles.shared }
}

/// A new table: a directory that appears with its files.
package final class NewDirectoryCommit: TableCommit {
    private let directory: StagedDirectory

    package init(path: String) throws { directory = try StagedDirectory(path: path) }

    package func stagingPath(_ name: String) throws -> String { directory.stagingPath + "/" + name }
    package func commit(_ files: [DataFile]) throws { try directory.commit() }
    package func abort() { directory.abort() }
}

/// One more file of a table whose files a listing finds: a single rename publishes it. Further files would need a manifest.
package final class AppendedFileCommit: TableCommit {
    private let target: String
    private let staging: String

    package init(target: String) {
        self.target = target
        let slash = target.lastIndex(of: "/") ?? target.startIndex
        let name = target[slash...].drop { $0 == "/" }
        staging = target[..<slash] + "/.\(name).part-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    }

    package func stagingPath(_ name: String) throws -> String { staging }

    package func commit(_ files: [DataFile]) throws {
        guard files.count == 1 else { throw QueryError.internalError("several files without a manifest") }
        // A link fails where a rename would replace a file that came meanwhile.
        guard link(staging, target) == 0 else {
            let error = LocalFile.error("could not create file", target)
            unlink(staging)
            throw error
        }
        unlink(staging)
        do { try OutputFile.synchronizeDirectory(of: target) } catch {
            unlink(target)
            throw error
        }
    }

    package func abort() { unlink(staging) }
}

/// Writes the rows of one statement as one Parquet file of a table.
package final class TableFileWriter: PartitionedTableWriter {
    private let commitment: any TableCommit
    private let path: String
    private let writer: any TableWriter
    private let fields: [Field]
    private let onEnd: @Sendable (_ isCommitted: Bool) -> Void

    package init(
        _ commitment: any TableCommit, fields: [Field], options: [String: String] = [:],
        onEnd: @escaping @Sendable (Bool) -> Void = { _ in }
    ) throws {
        self.commitment = commitment
        self.fields = fields
        self.onEnd = onEnd
        do {
            path = try commitment.stagingPath("data-0.parquet")
            writer = try ParquetWriter(path: path, options: options, columns: fields, in: commitment.store)
        } catch {
            commitment.abort()
            throw error
        }
    }

    package var acceptsParts: Bool { (writer as? any PartitionedTableWriter)?.acceptsParts ?? false }

    package func makePart() throws -> any TableWriterPart {
        guard let writer = writer as? any PartitionedTableWriter else {
            throw QueryError.internalError("a writer without parts")
        }
        return try writer.makePart()
    }

    package func write(_ batch: Batch) throws { try writer.write(batch) }
    package var heldByteCount: Int { writer.heldByteCount }

    package func commit() throws {
        do {
            do { try writer.commit() } catch var error as QueryError where error.state == SQLState("08007") {
                // Whether the file is there or not: nothing names it, and it is given up.
                error.state = .connectionFailure
                throw error
            }
            let store = commitment.store
            let identity = try store.identity(path: path)
            let metadata = try ParquetFile(identity, in: store).metadata
            // What is read must be what was written, or the table could not be read any more.
            let read = metadata.columns.map(\.field)
            guard read.map(\.name) == fields.map(\.name), read.map(\.type) == fields.map(\.type) else {
                throw QueryError.notSupported(
                    "writing columns of these types to a table of files",
                    hint:
                        "Cast the columns to types that Parquet has: text for times with a zone, bits, ranges and enumerations, "
                        + "numeric(p, s) for numeric.")
            }
            try commitment.commit([
                DataFile(
                    path: path, rowCount: metadata.rowCount, byteCount: identity.byteCount, version: identity.version)
            ])
        } catch {
            abort()
            throw error
        }
        onEnd(true)
    }

    package func abort() {
        writer.abort()
        commitment.abort()
        onEnd(false)
    }
}
