// + - * / % and sign of numerics whose scale belongs to their values.

import Columnar
import Diagnostics
import QueryPlan

enum NumericArithmetic {
    private static func documentation(_ text: String, _ example: String, _ result: String) -> FunctionDocumentation {
        FunctionDocumentation("Arithmetic", text, example: example, result: result)
    }

    static func register(in registry: FunctionRegistry) {
        let pair: [ParameterType] = [.numeric, .numeric]
        let operators: [(String, Operation, String, String, String)] = [
            ("+", .sum, "Sum.", "1.5::numeric + 2.25", "3.75"),
            ("-", .difference, "Difference.", "1.5::numeric - 2.25", "-0.75"),
            ("*", .product, "Product.", "1.5::numeric * 2.25", "3.375"),
            ("/", .quotient, "Quotient, with 16 significant digits or more.", "2.0 / 3", "0.66666666666666666667"),
            ("%", .remainder, "Remainder, with the sign of the dividend.", "7.5::numeric % 2", "1.5"),
            ("mod", .remainder, "Remainder, with the sign of the dividend.", "mod(7.5::numeric, 2)", "1.5"),
            ("div", .wholeQuotient, "The whole part of a quotient.", "div(9.0, 4)", "2"),
        ]
        for (name, operation, text, example, result) in operators {
            registry.scalar(name, pair, .anyNumeric, canFail: true, documentation(text, example, result)) {
                arguments, type, count, _ in
                try evaluate(operation, arguments[0], arguments[1], type, count)
            }
        }
        registry.scalar("-", [.numeric], .anyNumeric, documentation("Negation.", "- 1.5::numeric", "-1.5")) {
            arguments, type, count, _ in
            try NumericKernel.unary(arguments[0], type, count, fast: { (0 &- $0.unscaled, $0.scale) }) { $0.negated }
        }
        registry.scalar("+", [.numeric], .anyNumeric, documentation("The operand itself.", "+ 1.5::numeric", "1.5")) {
            arguments, _, _, _ in arguments[0]
        }
    }

    enum Operation: Sendable { case sum, difference, product, quotient, remainder, wholeQuotient }

    /// Arguments of any exact numeric type.
    static func evaluate(_ operation: Operation, _ a: Vector, _ b: Vector, _ type: DataType, _ count: Int) throws
        -> Vector
    {
        let x = try widened(a)
        let y = try widened(b)
        switch operation {
        case .sum:
            return try NumericKernel.binary(x, y, type, count, fast: NumericKernel.sum) { NumericValue.sum($0, $1) }
        case .difference:
            return try NumericKernel.binary(x, y, type, count, fast: NumericKernel.difference) {
                NumericValue.difference($0, $1)
            }
        case .product:
            return try NumericKernel.binary(x, y, type, count, fast: NumericKernel.product) {
                NumericValue.product($0, $1)
            }
        case .quotient:
            return try NumericKernel.binary(x, y, type, count, fast: NumericKernel.quotient) {
                try NumericValue.quotient($0, $1)
            }
        case .remainder:
            return try NumericKernel.binary(x, y, type, count, fast: NumericKernel.remainder) {
                try NumericValue.remainder($0, $1)
            }
        case .wholeQuotient:
            return try NumericKernel.binary(x, y, type, count) { try NumericValue.wholeQuotient($0, $1) }
        }
    }

    /// A decimal or integer vector as numerics.
    static func widened(_ vector: Vector) throws -> Vector {
        if vector.type.isNumericBlob { return vector }
        return try Casting.cast(vector, to: .anyNumeric, kind: .strict, context: EvaluationContext())
    }
}
