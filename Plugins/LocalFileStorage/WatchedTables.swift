// Tables of very many files, found again without a look at each file.

import FileFormats
import Glibc
import Storage
import Synchronization

/// Tables that were opened from directories which have not changed since.
///
/// A table is kept from the second look on: the first one tells which directories have to be watched, and only what is looked
/// at while they are watched can be kept.
final class WatchedTables: Sendable {
    /// Files of a table are asked one by one up to so many: that is faster than what it takes to watch.
    static let fileCountMin = 64

    private struct Kept {
        /// Directories that decide which files the table has, and that hold them.
        var directories: [String]
        var state: Watched?
        var table: (any TableProvider)?
    }
    /// What must be the same for a table to be the same.
    private struct Watched: Equatable {
        var stamps: [DirectoryWatch.Stamp]
        var staleFileCount: Int
        /// All files are looked at once a minute in any case: a second name that a file gets later is not reported.
        var minute: Int
    }
    private static let countMax = 256
    private let watch: DirectoryWatch
    private let state = Mutex<[String: Kept]>([:])

    init(watch: DirectoryWatch = .shared) { self.watch = watch }

    /// What one look at the directories has found.
    struct Look {
        var table: any TableProvider
        /// All directories that were read; `nil` if the table cannot be kept.
        var directories: [String]?

        init(_ table: any TableProvider) { self.table = table }

        /// For files that have no other names elsewhere; whether the directories hold links is looked at here.
        init(_ table: any TableProvider, directories: [String]) throws {
            self.table = table
            let hasLinks = try directories.contains { try DirectoryListing.entries($0).contains(where: \.isLink) }
            if !hasLinks { self.directories = directories }
        }
    }

    /// The table as it is now; `look` finds it where it is not kept.
    func table(_ name: String, look: () throws -> Look?) rethrows -> (any TableProvider)? {
        let kept = state.withLock { $0[name] }
        let now = kept.flatMap { watched($0.directories) }
        if let kept, let table = kept.table, let now, now == kept.state { return table }
        guard let found = try look() else {
            if kept != nil { state.withLock { $0[name] = nil } }
            return nil
        }
        state.withLock { state in
            guard let directories = found.directories else {
                state[name] = nil
                return
            }
            if state.count >= WatchedTables.countMax, state[name] == nil { state.removeAll() }
            state[name] = Kept(directories: directories)
            if let kept, let now, kept.directories == directories {
                state[name]?.state = now
                state[name]?.table = found.table
            }
        }
        return found.table
    }

    private func watched(_ directories: [String]) -> Watched? {
        var stamps: [DirectoryWatch.Stamp] = []
        for directory in directories {
            guard let stamp = watch.stamp(directory) else { return nil }
            stamps.append(stamp)
        }
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        return Watched(stamps: stamps, staleFileCount: StaleFiles.count, minute: Int(time.tv_sec) / 60)
    }
}
