// COPY … TO a directory: each thread writes a file of its own, and all of them appear together.

import Columnar
import Diagnostics
import Glibc
import Storage
import Synchronization

/// Files that are written beside their place and come into it by one rename, so that readers see all or none.
package final class StagedDirectory: Sendable {
    let path: String
    /// Hidden from listings.
    let stagingPath: String
    private let isOpen = Mutex(true)

    /// Fails if there is something at `path` already, an empty directory excepted.
    init(path: String) throws {
        self.path = path
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        let name = path[slash...].drop { $0 == "/" }
        stagingPath =
            path[..<slash] + "/.\(name).part-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        try StagedDirectory.checkFree(path)
        guard mkdir(stagingPath, 0o755) == 0 else { throw LocalFile.error("could not create directory", path) }
    }

    deinit { abort() }

    private static func checkFree(_ path: String) throws {
        var status = stat()
        guard stat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFDIR, (try? entries(path))?.isEmpty == true else { throw taken(path) }
    }

    private static func taken(_ path: String) -> QueryError {
        QueryError(
            .duplicateFile, "\"\(path)\" exists and is not an empty directory",
            hint: "Give another name, or take away what is there.", object: path)
    }

    static func entries(_ path: String) throws -> [String] {
        guard let directory = opendir(path) else { throw LocalFile.error("could not open directory", path) }
        defer { closedir(directory) }
        var result: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { result.append(name) }
        }
        return result
    }

    func commit() throws {
        try OutputFile.synchronizeDirectory(of: stagingPath + "/.")
        guard rename(stagingPath, path) == 0 else {
            let code = errno
            abort()
            if code == ENOTEMPTY || code == EEXIST || code == ENOTDIR { throw StagedDirectory.taken(path) }
            errno = code
            throw LocalFile.error("could not create directory", path)
        }
        isOpen.withLock { $0 = false }
        try OutputFile.synchronizeDirectory(of: path)
    }

    func abort() {
        let wasOpen = isOpen.withLock { isOpen in
            defer { isOpen = false }
            return isOpen
        }
        if wasOpen { StagedDirectory.remove(stagingPath) }
    }

    /// A directory of files, and it.
    package static func remove(_ path: String) {
        for name in (try? entries(path)) ?? [] { unlink(path + "/" + name) }
        rmdir(path)
    }
}

/// Files `data-0`, `data-1` … of one format in a new directory.
package final class DirectoryWriter: PartitionedTableWriter {
    private struct State {
        var partCount = 0
        var finished = 0
    }
    private let directory: StagedDirectory
    private let format: String
    private let options: [String: String]
    private let fields: [Field]
    private let state = Mutex(State())
    private var own: DirectoryPart?

    package init(path: String, format: String, options: [String: String], columns: [Field]) throws {
        self.format = format
        self.options = options
        fields = columns
        directory = try StagedDirectory(path: path)
        do {
            // What is wrong with options and types is an error before any row is read.
            try makeFile("check").abort()
        } catch {
            directory.abort()
            throw error
        }
    }

    /// Files of one table agree about the scale of a numeric column: one thread writes them.
    package var acceptsParts: Bool { format != "parquet" || !fields.contains { $0.type.isNumericBlob } }

    private func makeFile(_ name: String) throws -> any TableWriter {
        let isPacked = options["compression"].map { $0.lowercased() == "gzip" } ?? false
        let ending: String =
            switch format {
            case "parquet", "arrow": format
            case "json": isPacked ? "jsonl.gz" : "jsonl"
            case "text": isPacked ? "tsv.gz" : "tsv"
            default: isPacked ? format + ".gz" : format
            }
        return try FileTable.makeWriter(
            path: "\(directory.stagingPath)/\(name).\(ending)", format: format, options: options, columns: fields)
    }

    fileprivate func nextFile() throws -> any TableWriter {
        let number = state.withLock { state in
            defer { state.partCount += 1 }
            return state.partCount
        }
        return try makeFile("data-\(number)")
    }

    package func makePart() throws -> any TableWriterPart { DirectoryPart(self) }

    package var heldByteCount: Int { own?.heldByteCount ?? 0 }

    package func write(_ batch: Batch) throws {
        let part = own ?? DirectoryPart(self)
        own = part
        try part.write(batch)
    }

    package func commit() throws {
        try own?.finish()
        // Without rows there is one file, which says what the columns are.
        if state.withLock({ $0.partCount }) == 0 { try nextFile().commit() }
        try directory.commit()
    }

    package func abort() { directory.abort() }
}

/// One file, made with its first rows. Confined to one thread.
private final class DirectoryPart: TableWriterPart {
    private let owner: DirectoryWriter
    private var file: (any TableWriter)?

    init(_ owner: DirectoryWriter) { self.owner = owner }

    var heldByteCount: Int { file?.heldByteCount ?? 0 }

    func write(_ batch: Batch) throws {
        let file = try self.file ?? owner.nextFile()
        self.file = file
        try file.write(batch)
    }

    func finish() throws {
        try file?.commit()
        file = nil
    }
}
