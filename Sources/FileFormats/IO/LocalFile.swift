// Files of the local file system: identity, reading by position, and errors with the right SQLSTATE.

import Diagnostics
import Glibc
import Synchronization

/// What tells one version of a file from another.
package struct FileIdentity: Hashable, Sendable {
    package var path: String
    package var byteCount: Int
    /// Modification time, nanoseconds since 1970.
    package var modified: Int64
    /// What a store that counts versions calls this one; empty for files of a file system.
    package var version: String
    package init(path: String, byteCount: Int, modified: Int64, version: String = "") {
        self.path = path
        self.byteCount = byteCount
        self.modified = modified
        self.version = version
    }

    /// The identity of the file that lies at `path` now.
    package init(path: String) throws {
        var status = stat()
        guard stat(path, &status) == 0 else { throw LocalFile.error("could not open file", path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw QueryError(.ioError, "\"\(path)\" is not a regular file", object: path)
        }
        self.init(path: path, status: status)
    }

    /// The same for a path whose directory is open as `directory`; the file's name begins at byte `nameOffset`. `isLinked`
    /// tells whether the file has other names.
    package init(path: String, directory: Int32, nameOffset: Int, isLinked: inout Bool) throws {
        var status = stat()
        let result = path.withCString { fstatat(directory, $0 + nameOffset, &status, 0) }
        guard result == 0 else { throw LocalFile.error("could not open file", path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw QueryError(.ioError, "\"\(path)\" is not a regular file", object: path)
        }
        isLinked = status.st_nlink > 1
        self.init(path: path, status: status)
    }

    init(path: String, status: stat) {
        self.init(
            path: path, byteCount: Int(status.st_size),
            modified: Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec))
    }
}

/// Files that were not the version that a query was planned with: whoever keeps what files were looks again.
package enum StaleFiles {
    private static let counter = Atomic<Int>(0)
    package static var count: Int { counter.load(ordering: .acquiring) }
    package static func noticed() { counter.add(1, ordering: .releasing) }
}

/// A file open for reading. Reads by position, so several threads may share it.
package final class LocalFile: ReadableFile {
    package let identity: FileIdentity
    private let descriptor: Int32

    package init(path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw LocalFile.error("could not open file", path) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let error = LocalFile.error("could not stat file", path)
            close(descriptor)
            throw error
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw QueryError(.ioError, "\"\(path)\" is not a regular file", object: path)
        }
        self.descriptor = descriptor
        identity = FileIdentity(path: path, status: status)
    }

    /// Opens a file that must still be the version that was planned with.
    package convenience init(_ identity: FileIdentity) throws {
        try self.init(path: identity.path)
        guard self.identity == identity else {
            StaleFiles.noticed()
            throw QueryError(
                .ioError, "file \"\(identity.path)\" changed while the query ran",
                hint: "Run the query again.", object: identity.path)
        }
    }

    deinit { close(descriptor) }

    /// Reads exactly `count` bytes from `offset`; a file that ends before that is an error.
    package func read(into target: UnsafeMutableRawPointer, count: Int, at offset: Int) throws {
        let got = try readSome(into: target, count: count, at: offset)
        guard got == count else {
            throw QueryError(
                .ioError, "could not read file \"\(identity.path)\": it ends at byte \(offset + got)",
                object: identity.path)
        }
    }

    /// Reads up to `count` bytes from `offset`; fewer only at the end of the file.
    package func readSome(into target: UnsafeMutableRawPointer, count: Int, at offset: Int) throws -> Int {
        var done = 0
        while done < count {
            let got = pread(descriptor, target + done, count - done, off_t(offset + done))
            if got == 0 { break }
            if got < 0 {
                if errno == EINTR { continue }
                throw LocalFile.error("could not read file", identity.path)
            }
            done += got
        }
        return done
    }

    /// The error for the current `errno`.
    package static func error(_ what: String, _ path: String) -> QueryError {
        let code = errno
        let state: SQLState =
            switch code {
            case ENOENT, ENOTDIR: .undefinedFile
            case EACCES, EPERM: .insufficientPrivilege
            case ENOSPC, EDQUOT: .diskFull
            case EEXIST: .duplicateFile
            default: .ioError
            }
        return QueryError(state, "\(what) \"\(path)\": \(String(cString: strerror(code)))", object: path)
    }
}
