// What earlier lives of this worker died of: notes in the spill directory, written by a process while it crashed and read
// by the next one that is started for the same worker.

import ClusterMembership
import Diagnostics
import PhysicalOps

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The notes of one worker.
package struct CrashNotes: Sendable {
    private static let headline = "martlet crash 1"
    /// Longer than any note.
    private static let byteCountMax = 4096
    private let directory: String
    private let prefix: String

    /// `identity`: what stays the same over the lives of a worker.
    package init(directory: String, identity: [String]) {
        self.directory = directory
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in identity.joined(separator: "\u{0}").utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        prefix = "martlet-crash-\(String(hash, radix: 16))-"
    }

    /// From now on this process leaves a note when it crashes while it runs a query.
    package func install(incarnation: Incarnation) {
        CrashNoteWriter.install(
            path: "\(directory)/\(prefix)\(getpid())-\(incarnation.value)",
            head: "\(Self.headline)\n\(incarnation.value)\n")
    }

    /// The crashes that nobody was told of yet. Their notes are gone afterwards.
    package func take() -> [WorkerCrash] {
        guard let listing = opendir(directory) else { return [] }
        defer { closedir(listing) }
        var names: [String] = []
        while let entry = readdir(listing) {
            // In place: an entry ends with its name, and a copy of the whole field would read beyond it.
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasPrefix(prefix) { names.append(name) }
        }
        return names.sorted().compactMap { take("\(directory)/\($0)") }
    }

    /// The directory may be everybody's: only files of this user are notes.
    private func take(_ path: String) -> WorkerCrash? {
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var facts = stat()
        guard fstat(descriptor, &facts) == 0, facts.st_uid == geteuid(), facts.st_mode & S_IFMT == S_IFREG,
            // Another process may be about to tell the same.
            unlink(path) == 0
        else { return nil }
        var bytes = [UInt8](repeating: 0, count: Self.byteCountMax)
        let count = read(descriptor, &bytes, bytes.count)
        guard count > 0 else { return nil }
        return Self.parse(String(decoding: bytes[..<count], as: UTF8.self))
    }

    static func parse(_ text: String) -> WorkerCrash? {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        // The last line is whole only if its end was written.
        guard lines.count == 4, lines[0] == headline, let incarnation = UInt64(lines[1]), !lines[2].isEmpty,
            lines[3].isEmpty
        else { return nil }
        return WorkerCrash(incarnation: Incarnation(incarnation), query: String(lines[2]))
    }
}
