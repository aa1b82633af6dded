// Random changes to good statements: the parser must never crash, and what it accepts must print and parse back.

import Diagnostics
import Testing

@testable import SQLParser

/// A small generator with a fixed seed (SplitMix64), so that failures can be repeated.
private struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

@Suite("Mutations")
struct MutationTests {
    private static let texts =
        tpchQueries + StatementTests.queries.map(\.0) + StatementTests.others.map(\.0)
        + ExpressionTests.constructs.map { "SELECT " + $0.0 }

    /// The text's words and symbols, roughly; joined again they make the text.
    private func pieces(_ text: String) -> [String] {
        var result: [String] = []
        var current = ""
        for scalar in text.unicodeScalars {
            let isWord = scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || scalar == "_"
            if !isWord, !current.isEmpty {
                result.append(current)
                current = ""
            }
            current.unicodeScalars.append(scalar)
            if !isWord {
                result.append(current)
                current = ""
            }
        }
        if !current.isEmpty { result.append(current) }
        return result
    }

    @Test("Mutated statements", arguments: [1, 2, 3, 4])
    func mutated(_ seed: UInt64) {
        var random = SeededGenerator(state: seed)
        let parts = MutationTests.texts.map(pieces)
        let vocabulary = Array(Set(parts.joined())).sorted()
        for _ in 0..<3_000 {
            var tokens = parts[Int.random(in: 0..<parts.count, using: &random)]
            for _ in 0...Int.random(in: 0...2, using: &random) where !tokens.isEmpty {
                let index = Int.random(in: 0..<tokens.count, using: &random)
                switch Int.random(in: 0...3, using: &random) {
                case 0: tokens.remove(at: index)
                case 1: tokens.insert(tokens[Int.random(in: 0..<tokens.count, using: &random)], at: index)
                case 2: tokens[index] = vocabulary[Int.random(in: 0..<vocabulary.count, using: &random)]
                default:
                    tokens.insert(vocabulary[Int.random(in: 0..<vocabulary.count, using: &random)] + " ", at: index)
                }
            }
            let sql = tokens.joined()
            do throws(QueryError) {
                for parsed in try StatementParser.parse(sql) {
                    let text = SyntaxPrinter.text(of: parsed.statement)
                    let again = try? StatementParser.parse(text)
                    #expect(again?.count == 1 && again?[0].statement == parsed.statement, "\(sql)\n→ \(text)")
                }
            } catch {
                #expect(error.position.map { $0.offset <= sql.unicodeScalars.count } == true, "\(sql): \(error)")
            }
        }
    }
}
