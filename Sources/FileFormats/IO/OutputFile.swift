// Files that appear whole: written under another name and renamed at the end.

import Diagnostics
import Glibc

/// Where the bytes of a new file go, in a directory or in an object store. Confined to its writer.
package protocol FileSink: AnyObject {
    /// Bytes appended so far.
    var byteCount: Int { get }
    func append(_ bytes: UnsafeRawBufferPointer) throws
    /// Puts the file in its place, durably; a file that was there is replaced.
    func commit() throws
    /// Leaves no trace.
    func abort()
    /// Memory that bytes take on their way.
    var heldByteCount: Int { get }
}

extension FileSink {
    package var heldByteCount: Int { 0 }
    func append(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try append($0) } }
}

/// A new file of the local file system. Until `commit` nobody sees it under its name.
final class OutputFile: FileSink {
    var heldByteCount: Int { buffer.capacity }
    private static let bufferByteCount = 256 << 10

    private let path: String
    private let temporaryPath: String
    private var descriptor: Int32
    private var buffer: [UInt8] = []
    /// Bytes written so far, buffered ones included.
    private(set) var byteCount = 0

    init(path: String) throws {
        self.path = path
        temporaryPath = path + ".part-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw LocalFile.error("could not create file", path) }
        buffer.reserveCapacity(OutputFile.bufferByteCount + 4096)
    }

    deinit { abort() }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        byteCount += bytes.count
        if bytes.count >= OutputFile.bufferByteCount {
            try flush()
            try write(bytes)
            return
        }
        buffer.append(contentsOf: bytes)
        if buffer.count >= OutputFile.bufferByteCount { try flush() }
    }

    private func flush() throws {
        if buffer.isEmpty { return }
        try buffer.withUnsafeBytes { try write($0) }
        buffer.removeAll(keepingCapacity: true)
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws {
        guard descriptor >= 0 else { throw QueryError.internalError("a write to a closed file") }
        var done = 0
        while done < bytes.count {
            let count = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
            if count < 0 {
                if errno == EINTR { continue }
                throw LocalFile.error("could not write file", path)
            }
            done += count
        }
    }

    func commit() throws {
        try flush()
        guard fsync(descriptor) == 0, close(descriptor) == 0 else {
            let error = LocalFile.error("could not write file", path)
            abort()
            throw error
        }
        descriptor = -1
        guard rename(temporaryPath, path) == 0 else {
            let error = LocalFile.error("could not create file", path)
            unlink(temporaryPath)
            throw error
        }
        try OutputFile.synchronizeDirectory(of: path)
    }

    /// Makes names that were given or taken away in a path's directory durable.
    static func synchronizeDirectory(of path: String) throws {
        let parent = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let directory = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw LocalFile.error("could not open directory", parent) }
        defer { close(directory) }
        // Some file systems cannot do that for directories.
        guard fsync(directory) == 0 || errno == EINVAL || errno == ENOTSUP else {
            throw LocalFile.error("could not write directory", parent)
        }
    }

    func abort() {
        guard descriptor >= 0 else { return }
        close(descriptor)
        descriptor = -1
        unlink(temporaryPath)
    }
}
