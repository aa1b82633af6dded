// Directories whose changes the kernel reports, so that the state of very many files need not be asked for file by file.

import Diagnostics
import Glibc
import Synchronization

/// Watches directories by inotify. Reports are queued before the call that changes a file returns, and a mapping of a file
/// that is written through is reported when it ends: whoever looks at a stamp after a change sees another one.
///
/// Not reported, and therefore not watched, are changes that other machines make (only file systems of this machine are taken)
/// and changes by way of another name (the caller leaves out links).
final class DirectoryWatch: Sendable {
    /// What a directory's state is told from another by.
    struct Stamp: Equatable {
        fileprivate var device: UInt
        fileprivate var inode: UInt
        fileprivate var watch: Int32
        fileprivate var changeCount: Int
    }

    fileprivate struct Watched {
        var device: UInt
        var inode: UInt
        var watch: Int32
    }
    fileprivate struct State {
        /// Of the queue of reports; -1 before the first watch.
        var descriptor: Int32 = -1
        var isUnavailable = false
        var watched: [String: Watched] = [:]
        /// By watch.
        var changeCounts: [Int32: Int] = [:]
    }

    static let shared = DirectoryWatch()
    /// Directories watched at most. The kernel gives each user some thousand watches at least.
    fileprivate static let directoryCountMax = 256
    fileprivate static let reportByteCount = 64 << 10
    /// File systems that nobody but this machine's kernel writes.
    private static let localFileSystems: Set<String> = [
        "ext2", "ext3", "ext4", "xfs", "f2fs", "zfs", "tmpfs", "overlay",
    ]
    fileprivate static let changes = UInt32(
        IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF
            | IN_MOVE_SELF | IN_ONLYDIR)

    private let state = Mutex(State())

    /// The stamp of the directory that lies at an absolute path now. Two equal ones say that nothing in the directory itself
    /// changed between the calls: no name, and no byte of its files. `nil` if the directory cannot be watched.
    func stamp(_ path: String) -> Stamp? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        let device = UInt(status.st_dev)
        let inode = UInt(status.st_ino)
        return state.withLock { state in
            if let known = state.watched[path] {
                state.readReports()
                if let count = state.changeCounts[known.watch], known.device == device, known.inode == inode {
                    return Stamp(device: device, inode: inode, watch: known.watch, changeCount: count)
                }
                state.forget(path)
            }
            guard let watch = state.add(path, device: status.st_dev) else { return nil }
            // The directory may have been another one by then.
            guard stat(path, &status) == 0, UInt(status.st_dev) == device, UInt(status.st_ino) == inode else {
                state.forget(path)
                return nil
            }
            state.watched[path] = Watched(device: device, inode: inode, watch: watch)
            return Stamp(device: device, inode: inode, watch: watch, changeCount: state.changeCounts[watch] ?? 0)
        }
    }

    /// Whether the file system with a device's number is written by this machine alone, by the list of mounts.
    fileprivate static func isLocal(_ device: dev_t) -> Bool {
        guard let file = fopen("/proc/self/mountinfo", "re") else { return false }
        defer { fclose(file) }
        let number = UInt64(device)
        // As glibc splits the number.
        let major = number >> 8 & 0xfff | number >> 32 & ~0xfff
        let minor = number & 0xff | number >> 12 & ~0xff
        let wanted = "\(major):\(minor)"
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        while getline(&line, &capacity, file) > 0, let text = line {
            // Number, parent, device, root, place, options, optional fields up to a dash, file system, ….
            let fields = String(cString: text).split(separator: " ")
            guard fields.count > 6, fields[2] == wanted, let dash = fields.firstIndex(of: "-") else { continue }
            return dash + 1 < fields.count && localFileSystems.contains(String(fields[dash + 1]))
        }
        return false
    }
}

extension DirectoryWatch.State {
    fileprivate mutating func add(_ path: String, device: dev_t) -> Int32? {
        guard !isUnavailable, watched.count < DirectoryWatch.directoryCountMax, DirectoryWatch.isLocal(device) else {
            return nil
        }
        if descriptor < 0 {
            descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
            isUnavailable = descriptor < 0
            if isUnavailable { return nil }
        }
        let watch = inotify_add_watch(descriptor, path, DirectoryWatch.changes)
        guard watch >= 0 else { return nil }
        if changeCounts[watch] == nil { changeCounts[watch] = 0 }
        return watch
    }

    fileprivate mutating func forget(_ path: String) {
        guard let old = watched.removeValue(forKey: path) else { return }
        // Two paths of one directory share a watch.
        guard !watched.values.contains(where: { $0.watch == old.watch }) else { return }
        if changeCounts.removeValue(forKey: old.watch) != nil { inotify_rm_watch(descriptor, old.watch) }
    }

    /// Counts the changes reported so far.
    fileprivate mutating func readReports() {
        withUnsafeTemporaryAllocation(byteCount: DirectoryWatch.reportByteCount, alignment: 8) { reports in
            while true {
                let count = read(descriptor, reports.baseAddress, reports.count)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return }
                var offset = 0
                while offset + MemoryLayout<inotify_event>.size <= count {
                    let event = reports.loadUnaligned(fromByteOffset: offset, as: inotify_event.self)
                    offset += MemoryLayout<inotify_event>.size + Int(event.len)
                    if event.mask & UInt32(IN_Q_OVERFLOW) != 0 {
                        for watch in changeCounts.keys { changeCounts[watch, default: 0] += 1 }
                    } else if event.mask & UInt32(IN_IGNORED) != 0 {
                        changeCounts[event.wd] = nil
                    } else if changeCounts[event.wd] != nil {
                        changeCounts[event.wd, default: 0] += 1
                    }
                }
            }
        }
    }
}
