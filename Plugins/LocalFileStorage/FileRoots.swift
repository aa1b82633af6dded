// Which files statements may name: on a server, those below directories that its configuration lists.

import Diagnostics
import FileFormats
import Glibc
import Storage

/// The limits of one catalogue. A path is followed from a root on, link by link, and never looked at beyond: whatever lies
/// elsewhere gives the same error whether it is there or not.
struct FileRoots: Sendable {
    private struct Directory: Sendable {
        /// As configured, made absolute, and without links.
        var written: String
        var resolved: String
    }
    /// `nil`: no limit, the program does what its user may do. Empty: files are read anywhere and written nowhere.
    private let directories: [Directory]?
    private let readsAnywhere: Bool

    static let unlimited = FileRoots()
    private init() {
        directories = nil
        readsAnywhere = true
    }

    init(_ list: String?) throws {
        // Prefixes of object stores are not of this file system. If there are only such, no file of it may be named.
        readsAnywhere = list?.isEmpty ?? true
        directories = try list.map { text in
            try text.split(separator: ",").filter { !FilePath.hasScheme(String($0)) }.map {
                let path = try DirectoryListing.absolute(String($0))
                return Directory(written: path, resolved: try FileRoots.resolved(path))
            }
        }
    }

    /// The path, absolute and without dots, of a file, a directory or a pattern; of a pattern what stands before its first star.
    func checkRead(_ path: String) throws {
        guard let directories, !readsAnywhere else { return }
        try check(DirectoryListing.isPattern(path) ? Self.fixedPart(path) : path, directories, "read", shown: path)
    }

    func checkWrite(_ path: String) throws {
        guard let directories else { return }
        try check(path, directories, "write", shown: path)
    }

    /// Whether tables in the directory may be written.
    func allowsWriting(_ directory: String) -> Bool { (try? checkWrite(directory)) != nil }

    /// Whether a path that a pattern or a directory has led to may be looked at.
    func allowsReading(_ path: String) -> Bool {
        guard let directories, !readsAnywhere else { return true }
        return Self.isWithin(path, directories)
    }

    private func check(_ path: String, _ directories: [Directory], _ action: String, shown: String) throws {
        if Self.isWithin(path, directories) { return }
        throw QueryError(
            .insufficientPrivilege, "this server does not \(action) the file \"\(shown)\"",
            hint: "Files that may be named lie below the directories of the configuration key server.file-roots.",
            object: shown)
    }

    private static func fixedPart(_ pattern: String) -> String {
        "/" + pattern.split(separator: "/").prefix { !DirectoryListing.isPattern(String($0)) }.joined(separator: "/")
    }

    // MARK: - Following a path

    /// More links than the system follows.
    private static let linkCountMax = 40

    private static func isWithin(_ path: String, _ directories: [Directory]) -> Bool {
        guard var (current, rest) = entered(path, directories) else { return false }
        var linkCount = 0
        while let part = rest.popFirst() {
            if part == "." || part.isEmpty { continue }
            if part == ".." {
                let parent = current.lastIndex(of: "/").map { String(current[..<$0]) } ?? ""
                guard directories.contains(where: { isBelow(parent, $0.resolved) }) else { return false }
                current = parent
                continue
            }
            let next = (current == "/" ? "" : current) + "/" + part
            var status = stat()
            guard lstat(next, &status) == 0 else {
                // Nothing is there, or nothing that this process sees; what follows is not there either.
                return !rest.contains("..")
            }
            guard status.st_mode & S_IFMT == S_IFLNK else {
                current = next
                continue
            }
            linkCount += 1
            guard linkCount <= linkCountMax, let target = link(at: next) else { return true }
            if target.hasPrefix("/") {
                guard let (root, parts) = entered(target, directories) else { return false }
                current = root
                rest = parts + rest
            } else {
                rest = parts(target) + rest
            }
        }
        return true
    }

    /// The innermost root that an absolute path begins with, without links, and the parts behind it.
    private static func entered(_ path: String, _ directories: [Directory]) -> (String, ArraySlice<String>)? {
        var best: (root: String, length: Int)?
        for directory in directories {
            for form in [directory.written, directory.resolved] where isBelow(path, form) {
                if form.utf8.count > best?.length ?? -1 { best = (directory.resolved, form.utf8.count) }
            }
        }
        guard let best else { return nil }
        return (best.root, parts(String(decoding: path.utf8.dropFirst(best.length), as: UTF8.self)))
    }

    private static func parts(_ path: String) -> ArraySlice<String> { path.split(separator: "/").map(String.init)[...] }

    private static func isBelow(_ path: String, _ root: String) -> Bool {
        root == "/" || path == root || path.hasPrefix(root + "/")
    }

    /// `nil` if it cannot be read.
    private static func link(at path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = buffer.withUnsafeMutableBytes { bytes in
            bytes.baseAddress.map { readlink(path, $0, bytes.count) } ?? -1
        }
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }

    /// The path of a root without links; where it does not exist yet, as far as it does.
    private static func resolved(_ path: String) throws -> String {
        var existing = path
        var rest = ""
        while true {
            if let pointer = realpath(existing, nil) {
                defer { free(pointer) }
                let base = String(cString: pointer)
                return rest.isEmpty ? base : (base == "/" ? "" : base) + rest
            }
            // A link whose target is missing would be created where it points to.
            var status = stat()
            if lstat(existing, &status) == 0 { throw LocalFile.error("could not open file", path) }
            guard let slash = existing.lastIndex(of: "/"), existing != "/" else { return path }
            rest = existing[slash...] + rest
            existing = slash == existing.startIndex ? "/" : String(existing[..<slash])
        }
    }
}
