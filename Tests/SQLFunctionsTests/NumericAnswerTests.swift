// Arithmetic of numerics against PostgreSQL's answers: Fixtures/functions/numeric.tsv, written by scripts/numeric-answers.py.

import Columnar
import Diagnostics
import QueryPlan
import TestSupport
import Testing

@testable import SQLFunctions

@Suite struct NumericAnswerTests {
    private struct Case {
        var operation: String
        var operands: [String]
        var answer: String
    }

    private func cases() throws -> [Case] {
        try Repository.text("Fixtures/functions/numeric.tsv").split(separator: "\n").map { line in
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            return Case(
                operation: fields[0], operands: Array(fields[1..<(fields.count - 1)]), answer: fields[fields.count - 1])
        }
    }

    private func vector(_ text: String) throws -> Vector {
        .constant(try TextFormat.parse(text, as: .anyNumeric), type: .anyNumeric, count: 1)
    }

    /// The kernel's answer, as text; an error as "!" and its SQLSTATE.
    private func evaluate(_ test: Case) throws -> String {
        var arguments = try test.operands.map(vector)
        let name: String
        switch test.operation {
        case "compare":
            return String(NumericBlob.compare(arguments[0].views, arguments[1].views).signum())
        case "float8", "int8":
            let target = test.operation == "int8" ? DataType.int64 : .float64
            let context = EvaluationContext()
            let result = try Casting.cast(arguments[0], to: target, kind: .strict, context: context)
            return TextFormat.text(of: result.value(at: 0), type: target)
        case "round", "trunc":
            arguments[1] = .constant(.integer(Int64(test.operands[1]) ?? 0), type: .int32, count: 1)
            name = test.operation
        case "logarithm": name = "log"
        default: name = test.operation
        }
        let function = try FunctionRegistry.builtIn.resolveScalar(name, arguments.map(\.type)).function
        let result = try function.kernel(arguments, .anyNumeric, 1, EvaluationContext())
        return TextFormat.text(of: result.value(at: 0), type: .anyNumeric)
    }

    @Test func answersAreThoseOfPostgreSQL() throws {
        for test in try cases() {
            var answer: String
            do { answer = try evaluate(test) } catch let error as QueryError { answer = "!\(error.state)" }
            if test.operation == "float8", let value = Double(answer), value == Double(test.answer) {
                // Texts of doubles are another matter.
                answer = test.answer
            }
            #expect(answer == test.answer, "\(test.operation) \(test.operands.joined(separator: ", "))")
        }
    }

    /// Values that are equal have equal hashes, and the prefixes of the sort have the order of the values.
    @Test func hashesAndPrefixesFollowTheOrder() throws {
        let texts = try cases().prefix(600).flatMap(\.operands)
        let values = try texts.flatMap { text -> [Vector] in
            let value = try vector(text)
            let trimmed = NumericBlob.value(value.views).withoutTrailingZeros
            let padded = trimmed.rounded(toScale: min(NumericValue.scaleMax, trimmed.scale + 3))
            return try [value, vector(trimmed.text), vector(padded.text)]
        }
        for index in values.indices {
            let (a, b) = (values[index].views, values[(index * 7 + 1) % values.count].views)
            let order = NumericBlob.compare(a, b)
            #expect(order.signum() == NumericValue.compare(NumericBlob.value(a), NumericBlob.value(b)).signum())
            let (x, y) = (NumericBlob.sortPrefix(a), NumericBlob.sortPrefix(b))
            #expect(order < 0 ? x <= y : order > 0 ? x >= y : x == y)
            if order == 0 { #expect(NumericBlob.hash(a) == NumericBlob.hash(b)) }
            let first = values[index - index % 3].views
            #expect(NumericBlob.hash(a) == NumericBlob.hash(first))
        }
    }

    @Test func anyBytesAreANumber() {
        var generator = SeededGenerator()
        for _ in 0..<2_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            let vector = Vector.constant(.bytes(bytes), type: .anyNumeric, count: 1)
            let value = NumericBlob.value(vector.views)
            #expect(NumericBlob.compare(vector.views, vector.views) == 0)
            #expect(NumericValue.compare(NumericBlob.value(NumericBlob.bytes(value)), value) == 0)
        }
    }
}
