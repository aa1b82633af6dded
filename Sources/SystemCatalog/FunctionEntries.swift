// The registry's functions as pg_proc, pg_aggregate and pg_operator list them.

import Columnar
import QueryPlan
import SQLFunctions

/// A function, aggregate, window function or operator.
package struct FunctionEntry: Sendable {
    package var identifier: Int64
    package var name: String
    /// `f` function, `a` aggregate, `w` window function, `o` operator, `i` input or output of a type.
    package var kind: String
    package var argumentTypes: [Int64]
    package var resultType: Int64
    package var isVariadic = false
    package var returnsSet = false
    package var isStrict = true
    /// `i`, `s` or `v`.
    package var volatility = "i"
    package var text = ""
    /// Columns of its rows, if it gives several.
    package var outputColumns: [Field] = []

    /// The parameters as SQL writes them.
    package var arguments: String {
        var parts = argumentTypes.enumerated().map { index, type in
            (isVariadic && index == argumentTypes.count - 1 ? "VARIADIC " : "") + (BuiltInTypes.sqlName(type) ?? "")
        }
        if outputColumns.count > 1 {
            parts += outputColumns.map {
                "OUT \($0.name) \(BuiltInTypes.sqlName($0.type.catalogIdentifier) ?? $0.type.sqlName)"
            }
        }
        return parts.joined(separator: ", ")
    }
    package var result: String { (returnsSet ? "SETOF " : "") + (BuiltInTypes.sqlName(resultType) ?? "") }
    /// `name(types)`.
    var signature: String {
        "\(name)(\(argumentTypes.map { BuiltInTypes.sqlName($0) ?? "" }.joined(separator: ",")))"
    }
}

/// All of them with numbers that every process of this version gives alike.
package final class FunctionEntries: Sendable {
    /// Functions: what pg_proc lists.
    package let functions: [FunctionEntry]
    package let operators: [FunctionEntry]
    let byIdentifier: [Int64: FunctionEntry]
    let byName: [String: [Int64]]
    let operatorsByName: [String: [Int64]]

    private static let firstIdentifier: Int64 = 7_000

    init(_ registry: FunctionRegistry) {
        var functions: [FunctionEntry] = []
        var operators: [FunctionEntry] = []
        for function in registry.scalarFunctions {
            guard var entry = Self.entry(function.name, "f", function.parameters, function.resultType) else { continue }
            entry.isVariadic = function.isVariadic
            entry.isStrict = function.isStrict
            entry.volatility = function.volatility == .immutable ? "i" : function.volatility == .stable ? "s" : "v"
            entry.text = function.documentation.text
            if !FunctionRegistry.isOperator(function.name) {
                // Names with blanks and brackets are syntax, not functions.
                if function.name.contains(" ") { continue }
                functions.append(entry)
            } else if !function.name.contains("[") {
                entry.kind = "o"
                operators.append(entry)
            }
        }
        for function in registry.aggregateFunctions {
            guard var entry = Self.entry(function.name, "a", function.parameters, function.resultType) else { continue }
            entry.isVariadic = function.isVariadic
            entry.isStrict = false
            entry.text = function.documentation.text
            functions.append(entry)
        }
        for function in registry.windowFunctions {
            guard var entry = Self.entry(function.name, "w", function.parameters, function.resultType) else { continue }
            entry.isStrict = false
            entry.text = function.documentation.text
            functions.append(entry)
        }
        for function in registry.tableFunctions { if let entry = Self.entry(function) { functions.append(entry) } }
        functions = Self.unique(functions).sorted { ($0.name, $0.signature) < ($1.name, $1.signature) }
        operators = Self.unique(operators).sorted { ($0.name, $0.signature) < ($1.name, $1.signature) }
        functions += Self.typeFunctions()
        var next = Self.firstIdentifier
        for index in functions.indices {
            functions[index].identifier = next
            next += 1
        }
        for index in operators.indices {
            operators[index].identifier = next
            next += 1
        }
        self.functions = functions
        self.operators = operators
        byIdentifier = Dictionary(
            (functions + operators).map { ($0.identifier, $0) }, uniquingKeysWith: { first, _ in first })
        byName = Dictionary(grouping: functions, by: \.name).mapValues { $0.map(\.identifier) }
        operatorsByName = Dictionary(grouping: operators, by: \.name).mapValues { $0.map(\.identifier) }
    }

    /// Types that stand for polymorphic parameters while the result's type is asked for.
    private static let element = DataType.uuid

    private static func types(_ parameters: [ParameterType]) -> (numbers: [Int64], representatives: [DataType]) {
        var numbers: [Int64] = []
        var representatives: [DataType] = []
        for parameter in parameters {
            switch parameter {
            case .exact(let type):
                numbers.append(type.catalogIdentifier)
                representatives.append(type)
            case .anyDecimal:
                numbers.append(1700)
                representatives.append(.decimal(precision: 10, scale: 2))
            case .anyArray:
                numbers.append(2277)
                representatives.append(.array(element))
            case .anyElement:
                numbers.append(2283)
                representatives.append(element)
            case .anyEnumeration:
                numbers.append(3500)
                representatives.append(.enumeration(.unnamed))
            case .any:
                numbers.append(2276)
                representatives.append(element)
            }
        }
        return (numbers, representatives)
    }

    private static func number(of result: DataType, _ parameters: [ParameterType]) -> Int64 {
        let isPolymorphic = parameters.contains { $0 == .anyArray || $0 == .anyElement || $0 == .any }
        if isPolymorphic, result == element { return 2283 }
        if isPolymorphic, result == .array(element) { return 2277 }
        if result == .enumeration(.unnamed) { return 3500 }
        if result == .array(.enumeration(.unnamed)) { return 2277 }
        return result.catalogIdentifier
    }

    private static func entry(
        _ name: String, _ kind: String, _ parameters: [ParameterType],
        _ resultType: @Sendable ([DataType]) throws -> DataType
    ) -> FunctionEntry? {
        let (numbers, representatives) = types(parameters)
        guard let result = try? resultType(representatives) else { return nil }
        return FunctionEntry(
            identifier: 0, name: name, kind: kind, argumentTypes: numbers, resultType: number(of: result, parameters))
    }

    private static func entry(_ function: TableFunction) -> FunctionEntry? {
        let (numbers, representatives) = types(function.parameters)
        guard let fields = try? function.resultFields(representatives), let first = fields.first else { return nil }
        var entry = FunctionEntry(
            identifier: 0, name: function.name, kind: "f", argumentTypes: numbers,
            resultType: fields.count > 1 ? 2249 : number(of: first.type, function.parameters))
        entry.returnsSet = true
        entry.text = function.documentation.text
        entry.outputColumns = fields
        return entry
    }

    /// Overloads that differ only in types that clients do not know are one.
    private static func unique(_ entries: [FunctionEntry]) -> [FunctionEntry] {
        var seen: Set<String> = []
        return entries.filter { seen.insert("\($0.kind) \($0.signature)").inserted }
    }

    /// The functions that types are read and written by; clients look them up to learn which types have binary forms.
    private static func typeFunctions() -> [FunctionEntry] {
        var names: Set<String> = []
        for type in BuiltInTypes.all {
            names.formUnion([type.functionPrefix + "in", type.functionPrefix + "out"])
            if type.hasBinaryFunctions {
                names.formUnion([type.functionPrefix + "recv", type.functionPrefix + "send"])
            }
            if let modifiers = type.modifierFunction {
                names.formUnion([modifiers, modifiers.replacingSuffix("in", with: "out")])
            }
        }
        return names.sorted().map { name in
            let isInput = name.hasSuffix("in") || name.hasSuffix("recv")
            return FunctionEntry(
                identifier: 0, name: name, kind: "i", argumentTypes: [isInput ? 2275 : 2276], resultType: 2281)
        }
    }
}

extension String {
    func replacingSuffix(_ suffix: String, with other: String) -> String {
        hasSuffix(suffix) ? String(dropLast(suffix.count)) + other : self
    }
}
