// Directories and glob patterns: which files there are.

import Diagnostics
import FileFormats
import Glibc

/// One entry of a directory.
struct DirectoryEntry: Sendable {
    var name: String
    /// The directory's path and the name.
    var path: String
    var isDirectory: Bool
    /// Whether it may be a link.
    var isLink = false
    /// What the name of a file tells; `nil` for other files and directories.
    var format: FileFormat?
    /// The name without its endings, if there is a format.
    var baseName: String

    func leadsOut(of roots: FileRoots) -> Bool { isLink && !roots.allowsReading(path) }
}

enum DirectoryListing {
    private static let cache = ListingCache()

    /// The entries of a directory, sorted by name, hidden ones left out.
    static func entries(_ path: String) throws -> [DirectoryEntry] {
        try cache.entries(path) { try read(path) }
    }

    /// Reads a directory. The entries are `isFixed` if they change only when the directory does.
    private static func read(_ path: String) throws -> (entries: [DirectoryEntry], isFixed: Bool) {
        guard let directory = opendir(path) else { throw LocalFile.error("could not open directory", path) }
        defer { closedir(directory) }
        var result: [DirectoryEntry] = []
        var isFixed = true
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasPrefix(".") || name.hasPrefix("_") { continue }
            var isDirectory = entry.pointee.d_type == UInt8(DT_DIR)
            // Links and file systems that do not tell the type.
            let full = (path == "/" ? "" : path) + "/" + name
            let isLink = entry.pointee.d_type == UInt8(DT_LNK) || entry.pointee.d_type == UInt8(DT_UNKNOWN)
            if isLink {
                isDirectory = DirectoryListing.isDirectory(full)
                isFixed = false
            }
            let known = isDirectory ? nil : FileFormat.of(fileName: name)
            result.append(
                DirectoryEntry(
                    name: name, path: full, isDirectory: isDirectory, isLink: isLink, format: known?.format,
                    baseName: known?.baseName ?? ""))
        }
        return (result.sorted { $0.name < $1.name }, isFixed)
    }

    /// Paths that one thread looks up.
    private static let pathsPerThread = 1000

    /// The identities of files at absolute paths. `hasLinks` tells whether some file has other names (or may have).
    static func identities(_ paths: [String]) throws -> (files: [FileIdentity], hasLinks: Bool) {
        let found = try paths.mappedInPieces(of: pathsPerThread) { try lookedUp($0) }
        return (found.map(\.identity), found.contains { $0.isLinked })
    }

    private struct LookedUp {
        var identity: FileIdentity
        var isLinked: Bool
    }

    /// Neighbours are looked up from their directory, which is faster.
    private static func lookedUp(_ paths: ArraySlice<String>) throws -> [LookedUp] {
        var result: [LookedUp] = []
        result.reserveCapacity(paths.count)
        var directory: Substring.UTF8View?
        var descriptor: Int32 = -1
        defer { if descriptor >= 0 { close(descriptor) } }
        for path in paths {
            guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")), slash != path.utf8.startIndex else {
                result.append(LookedUp(identity: try FileIdentity(path: path), isLinked: true))
                continue
            }
            let parent = path.utf8[..<slash]
            if directory.map({ !$0.elementsEqual(parent) }) ?? true {
                if descriptor >= 0 { close(descriptor) }
                descriptor = open(String(path[..<slash]), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                guard descriptor >= 0 else { throw LocalFile.error("could not open directory of", path) }
                directory = parent
            }
            let nameOffset = path.utf8.distance(from: path.utf8.startIndex, to: slash) + 1
            var isLinked = false
            let identity = try FileIdentity(
                path: path, directory: descriptor, nameOffset: nameOffset, isLinked: &isLinked)
            result.append(LookedUp(identity: identity, isLinked: isLinked))
        }
        return result
    }

    /// Directories of files, each once, in order.
    static func parents(_ paths: [String]) -> [String] {
        var result: [String] = []
        for path in paths {
            guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { continue }
            let parent = path.utf8[..<slash]
            if let last = result.last, last.utf8.elementsEqual(parent) { continue }
            let text = slash == path.utf8.startIndex ? "/" : String(path[..<slash])
            if !result.contains(text) { result.append(text) }
        }
        return result
    }

    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// An absolute path without `.`, `..` and doubled slashes; links stay.
    static func absolute(_ path: String) throws -> String {
        var full = path
        if path == "~" || path.hasPrefix("~/"), let home = getenv("HOME") {
            full = String(cString: home) + path.dropFirst()
        }
        if !full.hasPrefix("/") {
            guard let current = getcwd(nil, 0) else { throw LocalFile.error("could not find the directory of", path) }
            full = String(cString: current) + "/" + full
            free(current)
        }
        var parts: [Substring] = []
        for part in full.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    static func isPattern(_ path: String) -> Bool { path.contains { $0 == "*" || $0 == "?" || $0 == "[" } }

    /// Directories that a `**` descends at most.
    private static let depthMax = 32

    /// The files that an absolute pattern matches, sorted. `**` stands for any number of directories. Directories that lie
    /// outside of the roots are passed over; files there are given whether they exist or not, if a link within has the name.
    static func glob(_ pattern: String, within roots: FileRoots = .unlimited) throws -> [String] {
        var result: [String] = []
        try glob("", pattern.split(separator: "/").map(String.init)[...], depth: 0, roots, &result)
        return result.sorted()
    }

    private static func glob(
        _ base: String, _ parts: ArraySlice<String>, depth: Int, _ roots: FileRoots, _ result: inout [String]
    ) throws {
        guard let part = parts.first, depth < depthMax else { return }
        let rest = parts.dropFirst()
        let directory = base.isEmpty ? "/" : base
        if part == "**" {
            try glob(base, rest.isEmpty ? ["*"] : rest, depth: depth, roots, &result)
            for entry in (try? entries(directory)) ?? [] where entry.isDirectory && !entry.leadsOut(of: roots) {
                try glob(base + "/" + entry.name, parts, depth: depth + 1, roots, &result)
            }
            return
        }
        if !isPattern(part) {
            let path = base + "/" + part
            if rest.isEmpty {
                guard roots.allowsReading(path) else { return }
                var status = stat()
                if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG { result.append(path) }
            } else {
                try glob(path, rest, depth: depth, roots, &result)
            }
            return
        }
        // Above the first star there are only directories on the way to a root.
        guard roots.allowsReading(directory), isDirectory(directory) else { return }
        for entry in try entries(directory) where matches(Array(entry.name.utf8)[...], Array(part.utf8)[...]) {
            if rest.isEmpty {
                if !entry.isDirectory || entry.leadsOut(of: roots) { result.append(entry.path) }
            } else if entry.isDirectory, !entry.leadsOut(of: roots) {
                try glob(entry.path, rest, depth: depth, roots, &result)
            }
        }
    }

    /// Whether a name matches a pattern of `*`, `?` and `[…]`.
    static func matches(_ name: ArraySlice<UInt8>, _ pattern: ArraySlice<UInt8>) -> Bool {
        var name = name
        var pattern = pattern
        // Where to go on when the rest after the last star does not match.
        var retry: (name: ArraySlice<UInt8>, pattern: ArraySlice<UInt8>)?
        while true {
            if let star = pattern.first, star == UInt8(ascii: "*") {
                pattern = pattern.dropFirst()
                retry = (name, pattern)
                continue
            }
            if let byte = name.first, let length = matchOne(byte, pattern) {
                name = name.dropFirst()
                pattern = pattern.dropFirst(length)
                continue
            }
            if name.isEmpty && pattern.isEmpty { return true }
            guard let last = retry, !last.name.isEmpty else { return false }
            retry = (last.name.dropFirst(), last.pattern)
            name = last.name.dropFirst()
            pattern = last.pattern
        }
    }

    /// How much of the pattern one byte uses up; `nil` if it does not match.
    private static func matchOne(_ byte: UInt8, _ pattern: ArraySlice<UInt8>) -> Int? {
        guard let first = pattern.first else { return nil }
        if first == UInt8(ascii: "?") { return 1 }
        if first == UInt8(ascii: "["), let close = pattern.dropFirst(2).firstIndex(of: UInt8(ascii: "]")) {
            var members = pattern[(pattern.startIndex + 1)..<close]
            let isNegated = members.first == UInt8(ascii: "!")
            if isNegated { members = members.dropFirst() }
            var isMember = false
            while let low = members.first {
                let high = members.dropFirst(2).first
                if members.dropFirst().first == UInt8(ascii: "-"), let high {
                    isMember = isMember || (low <= byte && byte <= high)
                    members = members.dropFirst(3)
                } else {
                    isMember = isMember || low == byte
                    members = members.dropFirst()
                }
            }
            return isMember != isNegated ? close - pattern.startIndex + 1 : nil
        }
        return first == byte ? 1 : nil
    }
}
