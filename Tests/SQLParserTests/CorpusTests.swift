// How many statements of recorded corpora parse. The score is printed, not judged: the corpora hold statements that
// are deliberately not supported.

import Diagnostics
import Foundation
import Testing

@testable import SQLParser

private let shared = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("shared")
private let sharedFolders = [shared.path]

private func corpus(_ folder: String, _ suffix: String) -> [URL] {
    for base in sharedFolders {
        let path = URL(fileURLWithPath: base).appendingPathComponent(folder)
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: path.path) else { continue }
        return names.filter { $0.hasSuffix(suffix) }.sorted().map { path.appendingPathComponent($0) }
    }
    return []
}

private let hasCorpora = !corpus("corpora/postgres", ".pgslt").isEmpty

@Suite("Corpora", .enabled(if: hasCorpora, "the folder ../shared with the corpora is missing"))
struct CorpusTests {
    private struct Score {
        var parsed = 0
        var unsupported = 0
        var failed = 0
        var failures: [String] = []
        /// Set where statements should fail: those that parse are then what is worth listing.
        var listsParsed = false
    }

    /// Parses, prints, parses again; a difference is a failure.
    private func check(_ sql: String, in file: String, _ score: inout Score) {
        do throws(QueryError) {
            let first = try StatementParser.parse(sql)
            for statement in first {
                let text = SyntaxPrinter.text(of: statement.statement)
                let second = try? StatementParser.parse(text)
                if second?.first?.statement != statement.statement {
                    Issue.record("printed text differs: \(text)\n from \(sql.prefix(400))")
                }
            }
            score.parsed += 1
            if score.listsParsed { score.failures.append("[\(file)] parsed: \(sql.prefix(300))") }
        } catch {
            if error.state == .featureNotSupported {
                score.unsupported += 1
            } else {
                score.failed += 1
            }
            score.failures.append(
                "[\(file)] \(error.state) \(error.message) at \(error.position?.offset ?? -1): \(sql.prefix(300))")
        }
    }

    private func report(_ name: String, _ score: Score) {
        print("\(name): parsed \(score.parsed), not supported \(score.unsupported), failed \(score.failed)")
        guard let path = ProcessInfo.processInfo.environment["MARTLET_CORPUS_REPORT"] else { return }
        let text = score.failures.joined(separator: "\n")
        try? text.write(toFile: path + "." + name, atomically: true, encoding: .utf8)
    }

    @Test("Statements of PostgreSQL's regression tests")
    func postgres() throws {
        var accepted = Score()
        var refused = Score()
        refused.listsParsed = true
        for file in corpus("corpora/postgres", ".pgslt") {
            let text = try String(contentsOf: file, encoding: .utf8)
            var lines = text.split(separator: "\n", omittingEmptySubsequences: false)[...]
            while let header = lines.popFirst() {
                guard header.hasPrefix("statement") || header.hasPrefix("query") else { continue }
                var sql = ""
                while let line = lines.first, !line.isEmpty, line != "----" {
                    sql += line + "\n"
                    lines.removeFirst()
                }
                let name = file.lastPathComponent
                if header.hasPrefix("statement error 42601") {
                    check(sql, in: name, &refused)
                } else if !header.hasPrefix("statement error") {
                    check(sql, in: name, &accepted)
                }
                while let line = lines.first, !line.isEmpty { _ = line; lines.removeFirst() }
            }
        }
        report("postgres", accepted)
        print("postgres: of statements with syntax errors \(refused.parsed) parse")
        report("postgres-errors", refused)
    }

    @Test("Statements that clients send")
    func clients() throws {
        var score = Score()
        for file in corpus("clients", ".sql") {
            let text = try String(contentsOf: file, encoding: .utf8)
            // Each statement begins with a comment that says how it was sent.
            for part in text.components(separatedBy: "\n-- [").dropFirst() {
                let sql = part.split(separator: "\n", omittingEmptySubsequences: false).dropFirst().joined(
                    separator: "\n")
                check(sql, in: file.lastPathComponent, &score)
            }
        }
        report("clients", score)
    }

    @Test("Statements of other engines' script tests", arguments: ["duckdb", "datafusion", "risingwave", "sqlite"])
    func scripts(_ engine: String) throws {
        var score = Score()
        for base in sharedFolders {
            let folder = URL(fileURLWithPath: base).appendingPathComponent("corpora/" + engine)
            guard FileManager.default.fileExists(atPath: folder.path),
                let walker = FileManager.default.enumerator(atPath: folder.path)
            else { continue }
            for case let name as String in walker {
                guard let text = try? String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8) else {
                    continue
                }
                var lines = text.split(separator: "\n", omittingEmptySubsequences: false)[...]
                while let header = lines.popFirst() {
                    guard header.hasPrefix("statement ok") || header.hasPrefix("query") else { continue }
                    var sql = ""
                    while let line = lines.first, !line.isEmpty, !line.hasPrefix("----") {
                        sql += line + "\n"
                        lines.removeFirst()
                    }
                    check(sql, in: name, &score)
                }
            }
            break
        }
        report(engine, score)
    }
}

@Suite("Fixtures")
struct FixtureTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Fixtures/tpch/queries")
    private static let files = (try? FileManager.default.contentsOfDirectory(atPath: root.path).sorted()) ?? []

    @Test("All queries of TPC-H parse, print and parse again", .enabled(if: !files.isEmpty, "no fixtures"))
    func tpch() throws {
        for file in FixtureTests.files where file.hasSuffix(".sql") {
            let path = FixtureTests.root.appendingPathComponent(file)
            let sql = try String(contentsOf: path, encoding: .utf8)
            let statements = try StatementParser.parse(sql)
            #expect(!statements.isEmpty, "\(file)")
            for statement in statements {
                #expect(try parseOne(SyntaxPrinter.text(of: statement.statement)) == statement.statement, "\(file)")
            }
        }
    }
}
