// Rules about files that no compiler checks.

import Foundation
import TestSupport
import Testing

@Suite("Tidiness")
struct TidyTests {
    private static let lineCountMax = 800
    /// Files that may be longer, each with its reason.
    private static let longFiles: [String: String] = [:]
    private static let bannedNames: Set<String> = [
        "Utils", "Util", "Utilities", "Helpers", "Helper", "Common", "Misc", "Manager",
    ]

    private struct SourceFile {
        var path: String
        var lines: [Substring]
        /// Written by a code generator, from a schema that is in the repository too.
        var isGenerated: Bool { path.contains("/Generated/") }
    }

    private func sources(_ parents: [String]) throws -> [SourceFile] {
        try parents.flatMap { Repository.files(under: $0, suffix: ".swift") }.map { path in
            SourceFile(
                path: path, lines: try Repository.text(path).split(separator: "\n", omittingEmptySubsequences: false))
        }
    }

    @Test("no file is longer than 800 lines")
    func length() throws {
        for file in try sources(["Sources", "Plugins", "Tests"]) where !file.isGenerated {
            let isLong = file.lines.count > Self.lineCountMax
            #expect(isLong == (Self.longFiles[file.path] != nil), "\(file.path) has \(file.lines.count) lines")
        }
    }

    @Test("every file begins with a comment that says what it is for")
    func headers() throws {
        for file in try sources(["Sources", "Plugins", "Tests"]) where !file.isGenerated {
            let first = file.lines.first ?? ""
            #expect(first.hasPrefix("// "), "\(file.path) begins with \"\(first)\"")
        }
    }

    @Test("nothing ends the process: no fatalError, no try!")
    func noTraps() throws {
        for file in try sources(["Sources", "Plugins"]) where !file.isGenerated {
            for (index, line) in file.lines.enumerated() {
                let code = line.prefix { $0 != "/" }
                if code.contains("fatalError(") || code.contains("try! ") || code.contains("TODO") {
                    Issue.record("\(file.path):\(index + 1): \(line.trimmingCharacters(in: .whitespaces))")
                }
            }
        }
    }

    @Test("names say what a file holds")
    func names() throws {
        for file in try sources(["Sources", "Plugins", "Tests"]) {
            let stem = String(file.path.split(separator: "/").last?.split(separator: ".").first ?? "")
            let words = stem.split(separator: "+").map(String.init)
            #expect(Self.bannedNames.isDisjoint(with: words), "\(file.path)")
        }
    }

    @Test("files of the build are not in the repository")
    func untracked() throws {
        guard Repository.exists(".git") else { return }
        let git = Process()
        git.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        git.arguments = ["git", "-C", Repository.root, "ls-files"]
        let pipe = Pipe()
        git.standardOutput = pipe
        git.standardError = FileHandle.nullDevice
        try git.run()
        let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        git.waitUntilExit()
        guard git.terminationStatus == 0 else { return }
        let banned = output.split(separator: "\n").filter { path in
            path.hasSuffix("Package.resolved") || path.hasPrefix(".build") || path.hasSuffix(".o")
        }
        #expect(banned == [])
    }
}
