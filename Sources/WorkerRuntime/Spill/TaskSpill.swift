// What the operators of one task spill: exchange frames, compressed and with checksums, in one file without a name.

import Columnar
import Diagnostics
import Glibc
import PhysicalOps
import Storage
import Synchronization
import WireCodec

/// One task's spill files, which share a file on disk. It is made when the first batch is spilled and loses its name at once,
/// so a process that is killed leaves nothing behind.
package final class TaskSpill: SpillStore {
    private let directory: String
    private let disk = Mutex<DiskFile?>(nil)

    package init(directory: String) { self.directory = directory }

    /// Removes what earlier processes have left in the directory, for a node that starts. Returns the bytes of it, which
    /// metrics show too.
    @discardableResult
    package static func removeOrphans(in directory: String) -> Int {
        let byteCount = DiskFile.removeOrphans(in: directory)
        ProcessMeters.addOrphanedSpill(byteCount: byteCount)
        return byteCount
    }

    package func makeFile(types: [DataType]) throws -> any SpillFile {
        let file = try disk.withLock { disk in
            if let disk { return disk }
            let made = try DiskFile(directory: directory)
            disk = made
            return made
        }
        return FrameSpillFile(disk: file, types: types)
    }
}

/// A file that grows at its end until the task is over. Thread-safe.
private final class DiskFile: Sendable {
    private static let namePrefix = "martlet-spill-"

    private let directory: String
    private let descriptor: Int32
    private let end = Atomic<Int>(0)

    init(directory: String) throws {
        self.directory = directory
        let path = "\(directory)/\(Self.namePrefix)\(getpid())-\(UInt64.random(in: .min ... .max))"
        descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw DiskFile.error("could not create a spill file", directory) }
        unlink(path)
    }

    deinit {
        close(descriptor)
        ProcessMeters.addHeldSpill(byteCount: -end.load(ordering: .relaxed))
    }

    /// Removes what processes that were killed between making a file and taking its name away have left, and says how many
    /// bytes that was. A file that another process makes just now loses its name a little earlier.
    static func removeOrphans(in directory: String) -> Int {
        guard let folder = opendir(directory), let nameOffset = MemoryLayout<dirent>.offset(of: \.d_name) else {
            return 0
        }
        defer { closedir(folder) }
        var byteCount = 0
        while let entry = readdir(folder) {
            // An entry is only as long as its name: the field as a value would be read beyond it.
            let name = String(
                cString: (UnsafeRawPointer(entry) + nameOffset).assumingMemoryBound(to: CChar.self))
            guard name.hasPrefix(namePrefix) else { continue }
            let path = "\(directory)/\(name)"
            var status = stat()
            guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, unlink(path) == 0 else { continue }
            byteCount += Int(status.st_size)
        }
        return byteCount
    }

    /// Writes the bytes and says where.
    func append(_ bytes: UnsafeRawBufferPointer) throws -> Int {
        let offset = end.wrappingAdd(bytes.count, ordering: .relaxed).oldValue
        ProcessMeters.addHeldSpill(byteCount: bytes.count)
        var done = 0
        while done < bytes.count {
            let count = pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw DiskFile.error("could not write a spill file", directory)
            }
            done += count
        }
        return offset
    }

    func read(_ range: Range<Int>) throws -> Buffer {
        let buffer = Buffer(byteCount: range.count)
        var done = 0
        while done < range.count {
            let count = pread(descriptor, buffer.base + done, range.count - done, off_t(range.lowerBound + done))
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw DiskFile.error("could not read a spill file", directory) }
            done += count
        }
        return buffer
    }

    private static func error(_ what: String, _ directory: String) -> QueryError {
        let code = errno
        let state: SQLState = code == ENOSPC || code == EDQUOT ? .diskFull : .ioError
        return QueryError(
            state, "\(what) in \"\(directory)\": \(String(cString: strerror(code)))",
            hint: "Make room there, or set spill-directory to another place.", object: directory)
    }
}

/// A run of frames. Where they lie is kept in memory: 16 bytes a frame.
private final class FrameSpillFile: SpillFile {
    private let disk: DiskFile
    private let types: [DataType]
    private var encoder: FrameEncoder
    private(set) var frames: [Range<Int>] = []
    private(set) var byteCount = 0
    private(set) var rowCount = 0

    init(disk: DiskFile, types: [DataType]) {
        self.disk = disk
        self.types = types
        var options = FrameOptions(compression: .lz4)
        // An operator fills many files at once, each with a frame in memory.
        options.targetByteCount = 64 << 10
        encoder = FrameEncoder(options: options)
    }

    func append(_ batch: Batch) throws {
        rowCount += batch.rowCount
        try encoder.append(batch.densified())
        while let frame = encoder.next(flush: false) { try write(frame) }
    }

    func seal() throws { while let frame = encoder.next(flush: true) { try write(frame) } }

    func read() throws -> any BatchReader { FrameSpillReader(file: self, types: types) }

    private func write(_ frame: EncodedFrame) throws {
        let offset = try disk.append(frame.bytes)
        frames.append(offset..<offset + frame.byteCount)
        byteCount += frame.byteCount
    }

    fileprivate func bytes(of frame: Int) throws -> Buffer { try disk.read(frames[frame]) }
}

/// Keeps the file alive as long as it reads.
private final class FrameSpillReader: BatchReader {
    private let file: FrameSpillFile
    private var decoder: FrameDecoder
    private var ready: [Batch] = []
    private var position = 0

    init(file: FrameSpillFile, types: [DataType]) {
        self.file = file
        decoder = FrameDecoder(types: types)
    }

    func next() throws -> Batch? {
        while ready.isEmpty {
            guard position < file.frames.count else {
                try decoder.finish(frameCount: file.frames.count, rowCount: file.rowCount)
                return nil
            }
            let buffer = try file.bytes(of: position)
            ready = try decoder.decode(buffer, byteCount: buffer.byteCount).reversed()
            position += 1
        }
        return ready.removeLast()
    }
}
