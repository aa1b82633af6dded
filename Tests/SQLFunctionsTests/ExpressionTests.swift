// Expressions against a file of what PostgreSQL 15 gives, and against the examples that functions document.

import Columnar
import Diagnostics
import Glibc
import QueryPlan
import SQLFunctions
import Testing

/// One expression of the file and its expected text; `\N` is NULL, `ERROR state` an error. A line `!> text` under the
/// expected text is what this engine gives instead, on purpose.
struct ExpressionCase: Sendable, CustomTestStringConvertible {
    var sql: String
    var expected: String
    var testDescription: String { sql }

    static let all: [ExpressionCase] = {
        // This file lies three levels below the repository.
        let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
        let path = root + "/Fixtures/functions/expressions.txt"
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, file)
        var result: [ExpressionCase] = []
        var sql = ""
        for line in String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n") {
            if line.hasPrefix("  -> ") || line.hasPrefix("  ->") {
                result.append(ExpressionCase(sql: sql, expected: String(line.dropFirst(5))))
            } else if line.hasPrefix("  !> ") {
                result[result.count - 1].expected = String(line.dropFirst(5))
            } else if !line.hasPrefix("#") {
                sql = String(line)
            }
        }
        return result
    }()
}

@Suite struct ExpressionTests {
    @Test func fileIsRead() { #expect(ExpressionCase.all.count > 300) }

    @Test(arguments: ExpressionCase.all)
    func constants(_ test: ExpressionCase) async {
        let result = await ExpressionFixture.evaluate(test.sql)
        #expect(result == test.expected, "\(test.sql)")
    }

    @Test(arguments: ExpressionCase.all)
    func columns(_ test: ExpressionCase) async {
        if let result = await ExpressionFixture.evaluateAsColumns(test.sql, dictionaries: false) {
            #expect(result == test.expected, "\(test.sql) over columns")
        }
        if let result = await ExpressionFixture.evaluateAsColumns(test.sql, dictionaries: true) {
            #expect(result == test.expected, "\(test.sql) over dictionaries")
        }
    }

    @Test func documentedExamples() async {
        var checked = 0
        for name in FunctionRegistry.builtIn.names {
            for function in FunctionRegistry.builtIn.scalarOverloads(name) {
                #expect(!function.documentation.text.isEmpty, "\(name) is not documented")
                guard let example = function.documentation.example, let expected = function.documentation.exampleResult
                else { continue }
                let result = await ExpressionFixture.evaluate(example)
                #expect(result == expected, "\(name): \(example)")
                checked += 1
            }
        }
        #expect(checked > 100)
    }
}
