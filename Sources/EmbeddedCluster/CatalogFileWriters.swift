// Writers for COPY … TO files, by the backend that reads files.

import Columnar
import Diagnostics
import QueryPlan
import Storage
import WorkerRuntime

/// Finds the backend that can write files and asks it.
struct CatalogFileWriters: FileWriterFactory {
    let catalog: Catalog?

    func makeWriter(_ target: WriteTarget) throws -> any TableWriter {
        guard case .file(let path, let format, let options, let columns) = target else {
            throw QueryError.internalError("not a file")
        }
        guard let catalog else { throw QueryError.notSupported("COPY TO a file without a catalogue of files") }
        return try catalog.fileBackend(for: path, as: (any FileWritingBackend).self).backend.makeFileWriter(
            path: path, format: format, options: options, columns: columns)
    }
}

/// The allocator's settings, applied once a process.
enum MemoryAllocationSettings {
    private static let applied: Void = MemoryAllocation.configure()
    static func apply() { _ = applied }
}
