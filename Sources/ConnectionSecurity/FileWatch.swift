// Notices that files were replaced, as certificates are when they are renewed.

import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Looks at the files at most every few seconds. Thread-safe.
final class FileWatch: Sendable {
    private struct Stamp: Equatable {
        var file: UInt64
        var byteCount: Int64
        var seconds: Int
        var nanoseconds: Int
    }
    private struct State {
        var stamps: [Stamp?]
        var lookedAt: ContinuousClock.Instant
    }
    private static let pause = Duration.seconds(2)

    private let paths: [String]
    private let state: Mutex<State>

    init(_ paths: [String]) {
        self.paths = paths
        state = Mutex(State(stamps: paths.map(Self.stamp), lookedAt: .now))
    }

    /// Whether a file is another one than at the last look.
    func hasChanged() -> Bool {
        state.withLock { state in
            let now = ContinuousClock.now
            guard now - state.lookedAt >= Self.pause else { return false }
            state.lookedAt = now
            let stamps = paths.map(Self.stamp)
            defer { state.stamps = stamps }
            return stamps != state.stamps
        }
    }

    private static func stamp(_ path: String) -> Stamp? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        #if canImport(Glibc)
            let time = status.st_mtim
        #else
            let time = status.st_mtimespec
        #endif
        return Stamp(
            file: UInt64(status.st_ino), byteCount: Int64(status.st_size), seconds: time.tv_sec,
            nanoseconds: time.tv_nsec)
    }
}
