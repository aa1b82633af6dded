// The files of this repository, for tests that look at sources, documents and fixtures.

import Foundation

package enum Repository {
    /// The directory that holds Package.swift.
    package static let root: String = {
        // Tests/TestSupport/Repository.swift is three levels below it.
        var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        parts.removeLast(3)
        return parts.joined(separator: "/")
    }()

    package static func path(_ relative: String) -> String { "\(root)/\(relative)" }

    /// The text of a file; `relative` is its path from the root.
    package static func text(_ relative: String) throws -> String {
        try String(contentsOfFile: path(relative), encoding: .utf8)
    }

    package static func exists(_ relative: String) -> Bool { FileManager.default.fileExists(atPath: path(relative)) }

    /// Paths, from the root, of all files below a directory that end in `suffix`, sorted. Hidden files are left out.
    package static func files(under directory: String, suffix: String) -> [String] {
        guard let walk = FileManager.default.enumerator(atPath: path(directory)) else { return [] }
        return walk.compactMap { $0 as? String }
            .filter { name in name.hasSuffix(suffix) && !name.split(separator: "/").contains { $0.hasPrefix(".") } }
            .map { "\(directory)/\($0)" }.sorted()
    }

    /// Names of the directories directly below a directory, sorted.
    package static func directories(in directory: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path(directory)).filter { name in
            var isDirectory: ObjCBool = false
            let exists = FileManager.default.fileExists(
                atPath: path("\(directory)/\(name)"), isDirectory: &isDirectory)
            return exists && isDirectory.boolValue && !name.hasPrefix(".")
        }.sorted()
    }
}
