// The 22 queries of TPC-H at scale factor 0.01 against the answers in Fixtures/tpch/answers, by value: numbers with a
// relative tolerance, everything else as text.

import EngineTestSupport
import Foundation
import Testing

@Suite("TPC-H answers")
struct TPCHAnswerTests {
    @Test("embedded")
    func embedded() async throws { try await runAll(workers: 1) }

    @Test("a cluster of three workers in one process")
    func cluster() async throws { try await runAll(workers: 3) }

    private func runAll(workers: Int) async throws {
        let engine = try await TestEngine.start(workers: workers)
        let connection = engine.makeConnection()
        _ = try await connection.run("SET search_path = 'sf0.01'")
        for number in 1...22 {
            let name = number < 10 ? "q0\(number)" : "q\(number)"
            var sql = try String(contentsOfFile: Fixtures.path("tpch/queries/\(name).sql"), encoding: .utf8)
            // Q11's fraction is 0.0001 divided by the scale factor.
            if number == 11 { sql = sql.replacing("0.0001", with: "0.01") }
            let answer = try String(contentsOfFile: Fixtures.path("tpch/answers/sf0.01/\(name).csv"), encoding: .utf8)
            let expected = Array(AnswerFile.rows(of: answer).dropFirst())
            do {
                let actual = try await connection.run(sql).map { row in row.map { $0 ?? "" } }
                if let difference = AnswerFile.difference(expected, actual) {
                    Issue.record("\(name) with \(workers) worker(s): \(difference)")
                }
            } catch {
                Issue.record("\(name) with \(workers) worker(s): \(error)")
            }
        }
        await engine.shutdown()
    }
}

/// Results as comma-separated values, and how they are compared.
enum AnswerFile {
    /// The fields of every line; quotes around a field are taken off.
    static func rows(of text: String) -> [[String]] {
        var rows: [[String]] = []
        var row: [String] = []
        var field = ""
        var isQuoted = false
        var characters = text.makeIterator()
        var next = characters.next()
        while let character = next {
            next = characters.next()
            if isQuoted {
                if character == "\"", next == "\"" {
                    field.append("\"")
                    next = characters.next()
                } else if character == "\"" {
                    isQuoted = false
                } else {
                    field.append(character)
                }
            } else if character == "\"" {
                isQuoted = true
            } else if character == "," || character.isNewline {
                row.append(field)
                field = ""
                if character.isNewline {
                    rows.append(row)
                    row = []
                }
            } else {
                field.append(character)
            }
        }
        if !field.isEmpty || !row.isEmpty { rows.append(row + [field]) }
        return rows
    }

    /// What differs first, or `nil` if the results are the same.
    static func difference(_ expected: [[String]], _ actual: [[String]]) -> String? {
        if expected.count != actual.count { return "\(actual.count) rows instead of \(expected.count)" }
        for (index, (left, right)) in zip(expected, actual).enumerated() {
            guard left.count == right.count, zip(left, right).allSatisfy(isSame) else {
                return "row \(index + 1) is \(right) instead of \(left)"
            }
        }
        return nil
    }

    private static func isSame(_ expected: String, _ actual: String) -> Bool {
        if expected == actual { return true }
        guard let left = Double(expected), let right = Double(actual) else { return false }
        return abs(left - right) <= 1e-9 * max(abs(left), abs(right))
    }
}
