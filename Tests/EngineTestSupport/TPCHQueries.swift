// The 22 queries of TPC-H at scale factor 0.01 against the answers in Fixtures/tpch/answers, by value: numbers with a
// relative tolerance, everything else as text.

import Diagnostics
import Foundation

package enum TPCHQueries {
    package static let tables = [
        "region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem",
    ]

    package static func name(_ number: Int) -> String { number < 10 ? "q0\(number)" : "q\(number)" }

    /// The text of a query for scale factor 0.01.
    package static func text(_ number: Int) throws -> String {
        let sql = try String(contentsOfFile: Fixtures.path("tpch/queries/\(name(number)).sql"), encoding: .utf8)
        // Q11's fraction is 0.0001 divided by the scale factor.
        return number == 11 ? sql.replacing("0.0001", with: "0.01") : sql
    }

    /// Makes tables with the rows of scale factor 0.01; `place` gives the name of a table's new home.
    package static func fill(
        _ engine: TestEngine, _ tables: [String] = TPCHQueries.tables, place: (String) -> String
    ) async throws {
        for table in tables {
            _ = try await engine.query("CREATE TABLE \(place(table)) AS SELECT * FROM tpch.\"sf0.01\".\(table)")
        }
    }

    /// Makes views in the schema `public` that lead to tables, as the queries name no catalogue.
    package static func makeViews(_ engine: TestEngine, place: (String) -> String) async throws {
        for table in tables {
            _ = try await engine.query("CREATE VIEW public.\(table) AS SELECT * FROM \(place(table))")
        }
    }

    /// Runs all queries over the tables of a schema; a line for each that fails or has another answer.
    package static func failures(_ engine: TestEngine, searchPath: String) async throws -> [String] {
        let connection = engine.makeConnection()
        _ = try await connection.run("SET search_path = '\(searchPath)'")
        var failures: [String] = []
        for number in 1...22 {
            let answer = try String(
                contentsOfFile: Fixtures.path("tpch/answers/sf0.01/\(name(number)).csv"), encoding: .utf8)
            let expected = Array(AnswerFile.rows(of: answer).dropFirst())
            do {
                let actual = try await connection.run(text(number)).map { row in row.map { $0 ?? "" } }
                if let difference = AnswerFile.difference(expected, actual) {
                    failures.append("\(name(number)): \(difference)")
                }
            } catch { failures.append("\(name(number)): \(error)") }
        }
        return failures
    }
}
