// Directories read before.

import Diagnostics
import FileFormats
import Glibc
import Storage
import Synchronization

/// Entries of directories, kept until the directory changes: files that come, go or get another name change its
/// modification time. Files that are written in place do not; therefore nothing about their contents is kept here.
final class ListingCache: Sendable {
    private struct Version: Equatable {
        var device: UInt
        var inode: UInt
        /// Modification time, nanoseconds since 1970.
        var modified: Int64
    }
    private struct Kept {
        var version: Version
        var entries: [DirectoryEntry]
    }
    private struct State {
        var kept: [String: Kept] = [:]
        var entryCount = 0
    }
    /// Entries kept at most.
    private static let entryCountMax = 200_000
    /// Two changes within the clock's tick have the same time: what is younger than this is read again.
    private static let settledNanoseconds: Int64 = 1_000_000_000
    private let state = Mutex(State())

    func entries(_ path: String, read: () throws -> (entries: [DirectoryEntry], isFixed: Bool)) throws
        -> [DirectoryEntry]
    {
        let version = ListingCache.version(path)
        if let version, let kept = state.withLock({ $0.kept[path] }), kept.version == version { return kept.entries }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let (entries, isFixed) = try read()
        let age = Int64(now.tv_sec) &* 1_000_000_000 &+ Int64(now.tv_nsec) &- (version?.modified ?? .max)
        state.withLock { state in
            if let old = state.kept.removeValue(forKey: path) { state.entryCount -= old.entries.count }
            guard let version, isFixed, age > ListingCache.settledNanoseconds else { return }
            if state.entryCount + entries.count > ListingCache.entryCountMax {
                state.kept.removeAll()
                state.entryCount = 0
                if entries.count > ListingCache.entryCountMax { return }
            }
            state.kept[path] = Kept(version: version, entries: entries)
            state.entryCount += entries.count
        }
        return entries
    }

    private static func version(_ path: String) -> Version? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return Version(
            device: UInt(status.st_dev), inode: UInt(status.st_ino),
            modified: Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec))
    }
}
