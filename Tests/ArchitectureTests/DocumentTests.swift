// Documents name files that exist.

import Foundation
import TestSupport
import Testing

@Suite("Documents")
struct DocumentTests {
    private static let directories = ["docs", "Sources", "Plugins", "Fixtures", "Tests", "bench"]
    /// What commands write; it is not there after a clone.
    private static let written = "bench/results/"

    private func documents() throws -> [String] {
        let top = try FileManager.default.contentsOfDirectory(atPath: Repository.root).filter { $0.hasSuffix(".md") }
        return top.sorted() + Self.directories.flatMap { Repository.files(under: $0, suffix: ".md") }
    }

    @Test("relative links lead to files")
    func links() throws {
        for document in try documents() {
            let base = document.split(separator: "/").dropLast().joined(separator: "/")
            for (line, text) in try lines(of: document) {
                for match in text.matches(of: #/\]\(([^)\s]+)\)/#) {
                    let target = match.1.split(separator: "#", omittingEmptySubsequences: false)[0]
                    if target.isEmpty || target.contains("://") || target.hasPrefix("mailto:") { continue }
                    let path = base.isEmpty ? String(target) : "\(base)/\(target)"
                    #expect(Repository.exists(path), "\(document):\(line): no file \(target)")
                }
            }
        }
    }

    @Test("paths in the text exist")
    func paths() throws {
        let pattern = #/`((?:Sources|Plugins|Tests|Fixtures|docs|scripts|bench)/[A-Za-z0-9_.+\/-]+)`/#
        for document in try documents() {
            for (line, text) in try lines(of: document) {
                for match in text.matches(of: pattern) where !match.1.hasPrefix(Self.written) {
                    #expect(Repository.exists(String(match.1)), "\(document):\(line): no file \(match.1)")
                }
            }
        }
    }

    @Test("decisions are numbered without gaps, and docs/README.md lists every document")
    func index() throws {
        let decisions = Repository.files(under: "docs/decisions", suffix: ".md")
        let names = decisions.compactMap { $0.split(separator: "/").last }
        let numbers = names.compactMap { $0.split(separator: "-").first.flatMap { Int($0) } }
        #expect(numbers == Array(1..<numbers.count + 1))
        let index = try Repository.text("docs/README.md")
        for document in Repository.files(under: "docs", suffix: ".md") where document != "docs/README.md" {
            #expect(index.contains("(\(document.dropFirst(5)))"), "docs/README.md does not name \(document)")
        }
    }

    private func lines(of document: String) throws -> [(Int, Substring)] {
        let text = try Repository.text(document).split(separator: "\n", omittingEmptySubsequences: false)
        return zip(1..., text).map { ($0, $1) }
    }
}
