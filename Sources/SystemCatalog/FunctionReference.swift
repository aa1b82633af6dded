// The registry's functions with their documentation: `system.functions`, SHOW FUNCTIONS and the reference page.

import Columnar
import SQLFunctions

package enum FunctionReference {
    /// One overload.
    package struct Entry: Sendable {
        package var name: String
        /// `function`, `operator`, `aggregate`, `window` or `table`.
        package var kind: String
        package var arguments: String
        package var result: String
        package var category: String
        package var text: String
        package var example: String?
        package var exampleResult: String?
    }

    /// All overloads by name. Those that clients cannot tell apart are one.
    package static func entries(_ registry: FunctionRegistry) -> [Entry] {
        var result: [Entry] = []
        var seen: Set<[String]> = []
        func add(
            _ name: String, _ kind: String, _ parameters: [ParameterType], isVariadic: Bool,
            _ documentation: FunctionDocumentation, _ resultType: String?
        ) {
            guard let resultType, !name.contains(" "), !name.contains("[") else { return }
            let types = parameters.map(typeName)
            let arguments = types.enumerated().map { index, type in
                isVariadic && index == types.count - 1 ? type + ", …" : type
            }
            let entry = Entry(
                name: name, kind: kind, arguments: arguments.joined(separator: ", "), result: resultType,
                category: documentation.category, text: documentation.text, example: documentation.example,
                exampleResult: documentation.exampleResult)
            if seen.insert([name, kind, entry.arguments]).inserted { result.append(entry) }
        }
        for function in registry.scalarFunctions {
            add(
                function.name, FunctionRegistry.isOperator(function.name) ? "operator" : "function",
                function.parameters,
                isVariadic: function.isVariadic, function.documentation,
                resultName(function.parameters, function.resultType))
        }
        for function in registry.aggregateFunctions {
            add(
                function.name, "aggregate", function.parameters, isVariadic: function.isVariadic,
                function.documentation, resultName(function.parameters, function.resultType))
        }
        for function in registry.windowFunctions {
            add(
                function.name, "window", function.parameters, isVariadic: false, function.documentation,
                resultName(function.parameters, function.resultType))
        }
        for function in registry.tableFunctions {
            let fields = try? function.resultFields(representatives(function.parameters))
            let name = fields.map { fields in
                fields.count == 1
                    ? "setof " + typeName(fields[0].type, function.parameters)
                    : "table("
                        + fields.map { "\($0.name) \(typeName($0.type, function.parameters))" }
                        .joined(separator: ", ") + ")"
            }
            add(function.name, "table", function.parameters, isVariadic: false, function.documentation, name)
        }
        return result.sorted { ($0.name, $0.kind, $0.arguments) < ($1.name, $1.kind, $1.arguments) }
    }

    /// Stands for polymorphic parameters while the result's type is asked for.
    private static let element = DataType.uuid

    private static func representatives(_ parameters: [ParameterType]) -> [DataType] {
        parameters.map { parameter in
            switch parameter {
            case .exact(let type): type
            case .anyDecimal: .decimal(precision: 10, scale: 2)
            case .anyArray: .array(element)
            case .anyElement, .any: element
            case .anyEnumeration: .enumeration(.unnamed)
            }
        }
    }

    private static func resultName(
        _ parameters: [ParameterType], _ resultType: @Sendable ([DataType]) throws -> DataType
    ) -> String? {
        (try? resultType(representatives(parameters))).map { typeName($0, parameters) }
    }

    private static func typeName(_ type: DataType, _ parameters: [ParameterType]) -> String {
        if parameters.contains(where: { $0 == .anyElement || $0 == .anyArray || $0 == .any }) {
            if type == element { return "anyelement" }
            if type == .array(element) { return "anyarray" }
        }
        if type == .enumeration(.unnamed) { return "anyenum" }
        if type == .array(.enumeration(.unnamed)) { return "anyarray" }
        return TypeConversion.displayName(type)
    }

    private static func typeName(_ parameter: ParameterType) -> String {
        switch parameter {
        case .exact(let type): TypeConversion.displayName(type)
        case .anyDecimal: "numeric"
        case .anyArray: "anyarray"
        case .anyElement: "anyelement"
        case .anyEnumeration: "anyenum"
        case .any: "any"
        }
    }
}
