// Which files statements may name: on a server, those below directories that its configuration lists.

import Diagnostics
import FileFormats
import Glibc
import Storage

/// The limits of one catalogue. Links are followed before a path is compared.
struct FileRoots: Sendable {
    /// `nil`: no limit, the program does what its user may do. Empty: files are read anywhere and written nowhere.
    private let directories: [String]?
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
                try FileRoots.resolved(DirectoryListing.absolute(String($0)))
            }
        }
    }

    func checkRead(_ path: String) throws {
        guard let directories, !readsAnywhere else { return }
        try check(path, directories, "read")
    }

    func checkWrite(_ path: String) throws {
        guard let directories else { return }
        try check(path, directories, "write")
    }

    /// Whether tables in the directory may be written.
    func allowsWriting(_ directory: String) -> Bool { (try? checkWrite(directory)) != nil }

    private func check(_ path: String, _ directories: [String], _ action: String) throws {
        let full = try FileRoots.resolved(path)
        if directories.contains(where: { $0 == "/" || full == $0 || full.hasPrefix($0 + "/") }) { return }
        throw QueryError(
            .insufficientPrivilege, "this server does not \(action) the file \"\(path)\"",
            hint: "Files that may be named lie below the directories of the configuration key server.file-roots.",
            object: path)
    }

    /// The path without links; where it does not exist yet, as far as it does.
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
