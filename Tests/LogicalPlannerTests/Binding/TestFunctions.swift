// Functions that only have signatures, for what binding tests need and the registry does not hold.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions

enum TestFunctions {
    /// The built-in functions, and signatures for names among the tests' that are missing.
    static let registry: FunctionRegistry = {
        let registry = FunctionRegistry(builtIns: ())
        let documentation = FunctionDocumentation("test", "A signature.")
        func scalar(
            _ name: String, _ parameters: [ParameterType], _ result: DataType, isVariadic: Bool = false,
            volatility: Volatility = .immutable, typed: (@Sendable ([DataType]) -> DataType)? = nil
        ) {
            guard registry.scalarOverloads(name).isEmpty else { return }
            registry.register(
                ScalarFunction(
                    name, parameters, isVariadic: isVariadic, resultType: { typed?($0) ?? result },
                    volatility: volatility, documentation: documentation,
                    kernel: { _, _, _, _ in throw QueryError.notSupported("evaluation") }))
        }
        let text = ParameterType.exact(.text)
        scalar("~~", [text, text], .boolean)
        scalar("||", [text, text], .text)
        scalar("substring", [text, .exact(.int32), .exact(.int32)], .text)
        scalar("extract", [text, .exact(.date)], .int64)
        scalar("lower", [text], .text)
        scalar("now", [], .timestampTZ, volatility: .stable)
        scalar("array", [.anyElement], .unknown, isVariadic: true, typed: { .array($0.first ?? .text) })
        if registry.windowOverloads("row_number").isEmpty {
            registry.register(
                WindowFunction("row_number", [], resultType: { _ in .int64 }, documentation: documentation) { _, _ in
                    throw QueryError.notSupported("evaluation")
                })
        }
        if registry.tableOverloads("unnest").isEmpty {
            registry.register(
                TableFunction(
                    "unnest", [.anyArray],
                    resultFields: { [Field(name: "unnest", type: $0.first?.elementType ?? .text)] },
                    documentation: documentation
                ) { _, _, _ in throw QueryError.notSupported("evaluation") })
        }
        return registry
    }()
}
