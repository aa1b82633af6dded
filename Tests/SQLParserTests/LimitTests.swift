// Limits: hostile texts give errors quickly and never overflow a stack of 512 KB; long flat texts parse.

import Diagnostics
import Testing

@testable import SQLParser

/// A text made of a part repeated any number of times.
private struct LongText: Sendable {
    let name: String
    let make: @Sendable (Int) -> String
    init(_ name: String, _ make: @escaping @Sendable (Int) -> String) {
        self.name = name
        self.make = make
    }
}

private let nestedTexts: [LongText] = [
    LongText(
        "parentheses", { "SELECT " + String(repeating: "(", count: $0) + "1" + String(repeating: ")", count: $0) }),
    LongText("open parentheses", { "SELECT " + String(repeating: "(", count: $0) }),
    LongText(
        "parentheses and sums",
        { "SELECT " + String(repeating: "(1+", count: $0) + "1" + String(repeating: ")", count: $0) }),
    LongText("deep operators", { "SELECT " + String(repeating: "(a OR b AND NOT c = 1 + 2 * 3 ^ ", count: $0) }),
    LongText("minus", { "SELECT " + String(repeating: "- ", count: $0) + "a" }),
    LongText("NOT", { "SELECT " + String(repeating: "NOT ", count: $0) + "a" }),
    LongText("prefix operators", { "SELECT " + String(repeating: "@ ", count: $0) + "a" }),
    LongText("subqueries", { String(repeating: "SELECT (", count: $0) + "1" }),
    LongText("subqueries in FROM", { String(repeating: "SELECT * FROM (", count: $0) }),
    LongText("IN", { "SELECT " + String(repeating: "a IN (", count: $0) }),
    LongText("EXISTS", { String(repeating: "SELECT EXISTS (", count: $0) }),
    LongText("WITH", { String(repeating: "WITH a AS (", count: $0) }),
    LongText(
        "query parentheses", { String(repeating: "(", count: $0) + "SELECT 1" + String(repeating: ")", count: $0) }),
    LongText("table parentheses", { "SELECT * FROM " + String(repeating: "(", count: $0) + "a JOIN b" }),
    LongText("joins to the right", { "SELECT * FROM a" + String(repeating: " JOIN b", count: $0) }),
    LongText("CASE", { "SELECT " + String(repeating: "CASE WHEN ", count: $0) }),
    LongText("functions", { "SELECT " + String(repeating: "f(", count: $0) }),
    LongText("COALESCE", { "SELECT " + String(repeating: "coalesce(", count: $0) }),
    LongText("CAST", { "SELECT " + String(repeating: "cast(", count: $0) }),
    LongText("arrays", { "SELECT ARRAY" + String(repeating: "[", count: $0) }),
    LongText("ARRAY of ARRAY", { "SELECT " + String(repeating: "ARRAY[", count: $0) }),
    LongText("subscripts", { "SELECT " + String(repeating: "a[", count: $0) }),
    LongText("types", { "SELECT 1" + String(repeating: "::t(1", count: $0) }),
    LongText("BETWEEN", { "SELECT " + String(repeating: "a BETWEEN ", count: $0) }),
    LongText("windows", { "SELECT " + String(repeating: "f() OVER (ORDER BY ", count: $0) }),
    LongText("grouping sets", { "SELECT 1 GROUP BY " + String(repeating: "GROUPING SETS (", count: $0) }),
    LongText("EXPLAIN and PREPARE", { String(repeating: "EXPLAIN PREPARE a AS ", count: $0) }),
    LongText("EXPLAIN", { String(repeating: "EXPLAIN WITH a AS (SELECT 1) ", count: $0) }),
    LongText("set operations to the right", { String(repeating: "SELECT 1 UNION (", count: $0) }),
    LongText("row", { "SELECT " + String(repeating: "ROW(", count: $0) }),
]

private let chainsTexts: [LongText] = [
    LongText("sum", { "SELECT 1" + String(repeating: " + 1", count: $0) }),
    LongText("concatenation", { "SELECT 'a'" + String(repeating: " || 'a'", count: $0) }),
    LongText("casts", { "SELECT 1" + String(repeating: "::int", count: $0) }),
    LongText("IS NULL", { "SELECT a" + String(repeating: " IS NULL", count: $0) }),
    LongText("UNION", { "SELECT 1" + String(repeating: " UNION SELECT 1", count: $0) }),
    LongText("joins", { "SELECT * FROM a" + String(repeating: " CROSS JOIN a", count: $0) }),
    LongText("fields", { "SELECT (a)" + String(repeating: ".b", count: $0) }),
    LongText("COLLATE", { "SELECT a" + String(repeating: " COLLATE c", count: $0) }),
    LongText("AT TIME ZONE", { "SELECT a" + String(repeating: " AT TIME ZONE b", count: $0) }),
    LongText(
        "subscripts in parentheses",
        {
            "SELECT " + String(repeating: "(", count: min($0, 100)) + "a"
                + String(repeating: "[1])[2]", count: min($0, 100))
        }),
]

private let flatTexts: [LongText] = [
    LongText("AND", { "SELECT a" + String(repeating: " AND a", count: $0) }),
    LongText("OR", { "SELECT a" + String(repeating: " OR a AND b", count: $0) }),
    LongText("IN", { "SELECT a IN (1" + String(repeating: ", 1", count: $0) + ")" }),
    LongText("items", { "SELECT 1" + String(repeating: ", 1 + 1 + 1", count: $0) }),
    LongText("VALUES", { "VALUES (1)" + String(repeating: ", (1)", count: $0) }),
    LongText("CASE", { "SELECT CASE" + String(repeating: " WHEN a THEN 1", count: $0) + " END" }),
    LongText("statements", { String(repeating: "SELECT 1;", count: $0) }),
    LongText("tables", { "SELECT 1 FROM a" + String(repeating: ", a", count: $0) }),
    LongText("subscripts", { "SELECT a" + String(repeating: "[1]", count: $0) }),
    LongText("comments", { "SELECT 1 " + String(repeating: "/* ", count: $0) + String(repeating: "*/", count: $0) }),
]

private let fairTexts: [LongText] = [
    LongText(
        "parentheses", { "SELECT " + String(repeating: "(", count: $0) + "1" + String(repeating: ")", count: $0) }),
    LongText("sums", { "SELECT " + String(repeating: "(1+", count: $0) + "1" + String(repeating: ")", count: $0) }),
    LongText("functions", { "SELECT " + String(repeating: "f(", count: $0) + "1" + String(repeating: ")", count: $0) }),
    LongText(
        "subqueries", { String(repeating: "SELECT (", count: $0) + "SELECT 1" + String(repeating: ")", count: $0) }),
    LongText(
        "tables", { String(repeating: "SELECT * FROM (", count: $0) + "SELECT 1" + String(repeating: ")", count: $0) }),
    LongText(
        "CASE",
        { "SELECT " + String(repeating: "CASE WHEN a THEN ", count: $0) + "1" + String(repeating: " END", count: $0) }),
]

@Suite("Limits", .serialized)
struct LimitTests {

    @Test("Nesting ends in 54001 or a syntax error, quickly, on a small stack", arguments: nestedTexts.indices)
    func nesting(_ index: Int) {
        let (name, make) = (nestedTexts[index].name, nestedTexts[index].make)
        onSmallStack {
            for count in [50, 200, 1_000, 10_000, 300_000] {
                let sql = make(count)
                let clock = ContinuousClock()
                var error: QueryError?
                let time = clock.measure { error = parseError(sql) }
                #expect(time < .seconds(1), "\(name) × \(count)")
                if count >= 10_000 {
                    #expect(error?.state == .statementTooComplex || error?.state == .syntaxError, "\(name) × \(count)")
                    #expect(error != nil, "\(name)")
                }
            }
        }
    }

    @Test("Ten megabytes of parentheses give 54001")
    func manyParentheses() {
        onSmallStack {
            let clock = ContinuousClock()
            var error: QueryError?
            let sql = "SELECT " + String(repeating: "(", count: 10 << 20)
            let time = clock.measure { error = parseError(sql) }
            #expect(error?.state == .statementTooComplex)
            #expect(time < .seconds(1))
        }
    }

    // Without optimisation the frames are several times as large as the engine's ever are.
    @Test(
        "Fair nesting parses, prints, compares and is destroyed on a small stack",
        .enabled(if: !_isDebugAssertConfiguration()))
    func fairNesting() {
        onSmallStack {
            for text in fairTexts {
                #expect(parseError(text.make(60)) == nil, "\(text.name)")
            }
        }
    }

    @Test(
        "Chains up to the height limit parse, print and compare on a small stack; beyond it they give 54001",
        .enabled(if: !_isDebugAssertConfiguration()), arguments: chainsTexts.indices)
    func chains(_ index: Int) {
        let (name, make) = (chainsTexts[index].name, chainsTexts[index].make)
        onSmallStack {
            for count in [10, 400] {
                do throws(QueryError) {
                    let sql = make(count)
                    let tree = try StatementParser.parse(sql)
                    let text = SyntaxPrinter.text(of: tree[0].statement)
                    #expect(try StatementParser.parse(text)[0].statement == tree[0].statement, "\(name)")
                    #expect(tree.hashValue == tree.hashValue)
                } catch {
                    Issue.record("\(name) × \(count): \(error)")
                }
            }
        }
        guard index < chainsTexts.count - 1 else { return }
        onSmallStack {
            #expect(parseError(make(990)) == nil, "\(name)")
            #expect(parseError(make(100_000))?.state == .statementTooComplex, "\(name)")
        }
    }

    @Test("Chains within nesting count together")
    func chainsWithinNesting() {
        onSmallStack {
            let chain = String(repeating: " + 1", count: 600)
            #expect(parseError("SELECT (1\(chain))\(chain)")?.state == .statementTooComplex)
            #expect(parseError("SELECT (1\(chain)), (1\(chain))") == nil)
            #expect(parseError("SELECT f((SELECT 1\(chain)))\(chain)")?.state == .statementTooComplex)
        }
    }

    @Test("Flat texts of 100,000 parts parse on a small stack", arguments: flatTexts.indices)
    func flatText(_ index: Int) {
        let (name, make) = (flatTexts[index].name, flatTexts[index].make)
        onSmallStack {
            let sql = make(100_000)
            let clock = ContinuousClock()
            let time = clock.measure { #expect(parseError(sql) == nil, "\(name)") }
            #expect(time < .seconds(5), "\(name)")
        }
    }

    @Test("A text longer than the limit gives 54000")
    func longText() {
        var limits = ParserLimits()
        limits.textBytes = 10
        #expect(parseError("SELECT 12345", limits: limits)?.state == .programLimitExceeded)
        #expect(parseError("SELECT 123", limits: limits) == nil)
    }

    @Test("Parsing is quick")
    func speed() throws {
        func perStatement(_ sql: String, _ count: Int) throws -> Double {
            let clock = ContinuousClock()
            let time = try clock.measure { for _ in 0..<count { _ = try StatementParser.parse(sql) } }
            return Double(time.components.attoseconds) / 1e12 / Double(count) + Double(time.components.seconds) * 1e6
                / Double(count)
        }
        let simple = try perStatement("SELECT 1", 5_000)
        let tpch = try perStatement(tpchQueries[1], 500)
        print("SELECT 1: \(simple) µs, a TPC-H query: \(tpch) µs")
        // Generous: the machine may be busy.
        #expect(simple < 1_000)
        #expect(tpch < 20_000)
    }
}
