// The lexer: keywords, folding, operators.

import Diagnostics
import Testing

@testable import SQLParser

@Suite("Lexer")
struct LexerTests {
    @Test("The spellings of keywords stand in the order of the cases")
    func keywordSpellings() {
        for keyword in Keyword.allCases where keyword != .noKeyword {
            let spelling = KeywordTable.shared.spelling(of: keyword)
            let name = String(describing: keyword).lowercased()
            #expect(spelling.filter { $0 != "_" } == name)
            #expect(KeywordTable.shared.keyword(spelt: spelling) == keyword)
        }
        #expect(KeywordTable.shared.keyword(spelt: "selec") == .noKeyword)
        #expect(KeywordTable.shared.keyword(spelt: "SELECT") == .noKeyword)
    }

    @Test("Unreserved keywords name columns, tables and aliases")
    func unreservedKeywords() throws {
        for keyword in Keyword.allCases where keyword != .noKeyword && keyword.category == .unreserved {
            let word = KeywordTable.shared.spelling(of: keyword)
            _ = try StatementParser.parse("SELECT \(word), t.\(word) AS \(word) FROM \(word) AS \(word)")
            if keyword != .semi, keyword != .anti, keyword != .qualify, !keyword.needsAsForLabel {
                _ = try StatementParser.parse("SELECT 1 \(word) FROM t \(word) WHERE \(word) = 1")
            }
        }
    }

    @Test("Every name prints so that it is read back")
    func names() throws {
        var names = Keyword.allCases.map { KeywordTable.shared.spelling(of: $0) }.filter { !$0.isEmpty }
        names += ["a", "A b", "a\"b", "1a", "ä", "$a", "a$", "_", "select ", "E", "u&"]
        for name in names {
            let text = SyntaxPrinter.identifier(name)
            let sql = "SELECT \(text), x.\(text), 1 AS \(text) FROM \(text) AS \(text) (\(text))"
            guard case .query(let query) = try parseOne(sql), case .select(let core) = query.body else {
                Issue.record("\(sql)")
                continue
            }
            #expect(core.items[0].kind == .expression(Expression(.column([name]), at: query.position), alias: nil))
            #expect(core.from[0].alias?.name?.text == name)
            // As a function and a type.
            let call = FunctionCall(name: ObjectName([name], at: query.position), arguments: [])
            let function = Expression(.function(call), at: query.position)
            #expect(try StatementParser.parseExpression(SyntaxPrinter.text(of: function)) == function)
        }
    }

    @Test("Labels that need AS are refused without it")
    func labels() {
        for keyword in Keyword.allCases where keyword != .noKeyword && keyword.needsAsForLabel {
            let word = KeywordTable.shared.spelling(of: keyword)
            if ["isnull", "notnull", "limit", "window"].contains(word) { continue }
            #expect(parseError("SELECT 1 AS \(word)") == nil)
            let alone = try? parseOne("SELECT 1 \(word)")
            if case .query(let query)? = alone, case .select(let core) = query.body {
                #expect(
                    core.items[0].kind == .expression(Expression(.literal(.integer(1)), at: query.position), alias: nil)
                )
            }
        }
    }

    @Test(
        "Operators end where PostgreSQL's do",
        arguments: [
            ("1*-1", "(1 * -1)"), ("a<-1", "(a < -1)"), ("a=-1", "(a = -1)"), ("a@-1", "(a @- 1)"),
            ("a<>-1", "(a <> -1)"),
            ("a--b", "a"), ("a/**/+b", "(a + b)"), ("a||/*x*/b", "(a || b)"), ("2^-1", "(2 ^- 1)"),
            ("2*-1", "(2 * -1)"), ("a>=b", "(a >= b)"),
            ("a&&b", "(a && b)"), ("1.5+.5", "(1.5 + .5)"),
        ])
    func operators(_ sql: String, _ expected: String) throws {
        #expect(try shape(sql) == expected)
    }
}
