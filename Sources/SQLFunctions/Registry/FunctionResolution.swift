// Look-up of a function by name and argument types: PostgreSQL's overload resolution.

import Columnar
import Diagnostics
import QueryPlan

/// The overload that a call means.
package struct ResolvedFunction<Function: Sendable>: Sendable {
    package var function: Function
    /// What each argument must be cast to.
    package var parameterTypes: [DataType]
    package var resultType: DataType
}

/// What resolution needs to know of an overload.
protocol Overload: Sendable {
    var name: String { get }
    var parameters: [ParameterType] { get }
    var isVariadic: Bool { get }
}
extension ScalarFunction: Overload {}
extension AggregateFunction: Overload {}
extension WindowFunction: Overload { var isVariadic: Bool { false } }
extension TableFunction: Overload { var isVariadic: Bool { false } }

extension FunctionRegistry {
    /// The overload of a scalar function or operator for arguments of the given types. `literals` holds the values of
    /// arguments that are literals: they make numeric types tight and fix the scale of `round(x, 2)`.
    /// Errors: 42883 undefined function, 42725 ambiguous function, and those of the result's type.
    package func resolveScalar(
        _ name: String, _ argumentTypes: [DataType], literals: [ScalarValue?] = [], at position: SourcePosition? = nil
    ) throws -> ResolvedFunction<ScalarFunction> {
        let (function, types) = try resolve(
            scalarOverloads(name), name, argumentTypes, literals: literals, at: position)
        if let result = try function.literalResultType?(types, literals) {
            return ResolvedFunction(function: function, parameterTypes: types, resultType: result)
        }
        return ResolvedFunction(function: function, parameterTypes: types, resultType: try function.resultType(types))
    }

    package func resolveAggregate(
        _ name: String, _ argumentTypes: [DataType], literals: [ScalarValue?] = [], at position: SourcePosition? = nil
    ) throws -> ResolvedFunction<AggregateFunction> {
        let (function, types) = try resolve(
            aggregateOverloads(name), name, argumentTypes, literals: literals, at: position)
        return ResolvedFunction(function: function, parameterTypes: types, resultType: try function.resultType(types))
    }

    package func resolveWindow(
        _ name: String, _ argumentTypes: [DataType], literals: [ScalarValue?] = [], at position: SourcePosition? = nil
    ) throws -> ResolvedFunction<WindowFunction> {
        let (function, types) = try resolve(
            windowOverloads(name), name, argumentTypes, literals: literals, at: position)
        return ResolvedFunction(function: function, parameterTypes: types, resultType: try function.resultType(types))
    }

    /// `resultType` is the type of the first column; `function.resultFields` gives all.
    package func resolveTable(
        _ name: String, _ argumentTypes: [DataType], literals: [ScalarValue?] = [], at position: SourcePosition? = nil
    ) throws -> ResolvedFunction<TableFunction> {
        let (function, types) = try resolve(tableOverloads(name), name, argumentTypes, literals: literals, at: position)
        let fields = try function.resultFields(types)
        return ResolvedFunction(function: function, parameterTypes: types, resultType: fields.first?.type ?? .text)
    }

    private func resolve<Function: Overload>(
        _ overloads: [Function], _ name: String, _ types: [DataType], literals: [ScalarValue?],
        at position: SourcePosition?
    ) throws -> (Function, [DataType]) {
        guard !overloads.isEmpty else { throw undefined(name, types, overloadsExist: false, at: position) }
        var resolver = OverloadResolver(overloads: overloads, types: types)
        switch resolver.choose(isOperator: FunctionRegistry.isOperator(name)) {
        case .one(let function):
            let parameters = OverloadResolver.expand(function, count: types.count) ?? []
            guard let cast = OverloadResolver<Function>.parameterTypes(parameters, types, literals: literals) else {
                throw undefined(name, types, overloadsExist: true, at: position)
            }
            return (function, cast)
        case .none: throw undefined(name, types, overloadsExist: true, at: position)
        case .many:
            let signature = FunctionRegistry.signature(name, types)
            let isOperator = FunctionRegistry.isOperator(name)
            throw QueryError(
                .ambiguousFunction,
                isOperator ? "operator is not unique: \(signature)" : "function \(signature) is not unique",
                hint: "Could not choose a best candidate \(isOperator ? "operator" : "function"). "
                    + "You might need to add explicit type casts.", at: position, object: name)
        }
    }

    /// Operators have the names of their symbols.
    package static func isOperator(_ name: String) -> Bool {
        guard let first = name.utf8.first else { return false }
        let isLetter =
            (first >= 0x61 && first <= 0x7A) || (first >= 0x41 && first <= 0x5A) || first == 0x5F || first >= 0x80
        return !isLetter
    }

    private static func signature(_ name: String, _ types: [DataType]) -> String {
        let names = types.map(TypeConversion.displayName)
        guard isOperator(name) else { return "\(name)(\(names.joined(separator: ", ")))" }
        return names.count == 2 ? "\(names[0]) \(name) \(names[1])" : "\(name) \(names.joined(separator: ", "))"
    }

    private func undefined(_ name: String, _ types: [DataType], overloadsExist: Bool, at position: SourcePosition?)
        -> QueryError
    {
        let signature = FunctionRegistry.signature(name, types)
        if FunctionRegistry.isOperator(name) {
            return QueryError(
                .undefinedFunction, "operator does not exist: \(signature)",
                hint:
                    "No operator matches the given name and argument types. You might need to add explicit type casts.",
                at: position, object: name)
        }
        var hint = "No function matches the given name and argument types. You might need to add explicit type casts."
        if !overloadsExist, let near = nearestName(to: name) { hint = "Perhaps you meant the function \"\(near)\"." }
        return QueryError(
            .undefinedFunction, "function \(signature) does not exist", hint: hint, at: position, object: name)
    }

    /// The registered name with the smallest edit distance, if it is small enough to be a slip.
    private func nearestName(to name: String) -> String? {
        let target = Array(name.utf8)
        var best: (name: String, distance: Int)?
        for candidate in names where !FunctionRegistry.isOperator(candidate) {
            let distance = FunctionRegistry.editDistance(target, Array(candidate.utf8))
            if distance < best?.distance ?? Int.max { best = (candidate, distance) }
        }
        guard let best, best.distance <= max(1, target.count / 3) else { return nil }
        return best.name
    }

    private static func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var previous = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var row = [i + 1]
            for (j, y) in b.enumerated() {
                row.append(min(previous[j + 1] + 1, row[j] + 1, previous[j] + (x == y ? 0 : 1)))
            }
            previous = row
        }
        return previous[b.count]
    }
}

/// The choice among overloads, step by step as chapter 10 of PostgreSQL's manual describes it.
private struct OverloadResolver<Function: Overload> {
    enum Outcome { case none, one(Function), many }
    private struct Candidate {
        var function: Function
        var parameters: [ParameterType]
    }
    private var candidates: [Candidate]
    private let types: [DataType]

    init(overloads: [Function], types: [DataType]) {
        self.types = types
        candidates = overloads.compactMap { function in
            OverloadResolver.expand(function, count: types.count).map { Candidate(function: function, parameters: $0) }
        }
    }

    /// The parameters for `count` arguments; `nil` when the overload does not take so many.
    static func expand(_ function: Function, count: Int) -> [ParameterType]? {
        let parameters = function.parameters
        if parameters.count == count { return parameters }
        guard function.isVariadic, let last = parameters.last, count >= parameters.count else { return nil }
        return parameters + Array(repeating: last, count: count - parameters.count)
    }

    mutating func choose(isOperator: Bool) -> Outcome {
        if isOperator, types.count == 2, types.contains(.unknown), let known = types.first(where: { $0 != .unknown }) {
            let assumed = [known, known]
            if let exact = candidates.first(where: { Self.exactCount($0.parameters, assumed) == 2 }),
                Self.parameterTypes(exact.parameters, assumed, literals: []) != nil
            {
                return .one(exact.function)
            }
        }
        let all = types.count
        let exact = candidates.filter { Self.exactCount($0.parameters, types) == all }
        // An overload made for a type goes before one that takes any.
        if let first = exact.first(where: { !$0.parameters.contains(where: \.isPolymorphic) }) ?? exact.first {
            return .one(first.function)
        }
        candidates.removeAll { !Self.isCastable($0.parameters, types) }
        if candidates.count <= 1 { return outcome }
        keepBest { [types] in Self.exactCount($0.parameters, types) }
        if candidates.count == 1 { return outcome }
        keepBest { [types] in Self.preferredCount($0.parameters, types) }
        if candidates.count == 1 { return outcome }
        // Of numeric's two forms the one whose types know the scale.
        keepBest { [types] in zip($0.parameters, types).count { $0 == .anyDecimal && $1 != .unknown } }
        if candidates.count == 1 { return outcome }
        chooseForUnknown()
        if candidates.count == 1 { return outcome }
        let known = Set(types.filter { $0 != .unknown })
        if known.count == 1, types.contains(.unknown), let type = known.first {
            let assumed = types.map { _ in type }
            let kept = candidates.filter { Self.isCastable($0.parameters, assumed) }
            if kept.count == 1 { return .one(kept[0].function) }
        }
        return outcome
    }

    private var outcome: Outcome {
        candidates.isEmpty ? .none : candidates.count == 1 ? .one(candidates[0].function) : .many
    }

    private mutating func keepBest(_ score: (Candidate) -> Int) {
        let best = candidates.map(score).max() ?? 0
        candidates.removeAll { score($0) != best }
    }

    /// For arguments without type: the string category if a candidate takes it, else the only category there is; within
    /// it the preferred type.
    private mutating func chooseForUnknown() {
        for (index, type) in types.enumerated() where type == .unknown {
            let categories = candidates.map { Self.category($0.parameters[index]) }
            guard let first = categories.first else { return }
            let chosen: TypeConversion.Category
            if categories.contains(.string) {
                chosen = .string
            } else if categories.allSatisfy({ $0 == first }) {
                chosen = first
            } else {
                continue
            }
            let kept = candidates.filter { Self.category($0.parameters[index]) == chosen }
            let preferred = kept.filter {
                if case .exact(let type) = $0.parameters[index] { TypeConversion.isPreferred(type) } else { false }
            }
            candidates = preferred.isEmpty ? kept : preferred
        }
    }

    private static func category(_ parameter: ParameterType) -> TypeConversion.Category {
        switch parameter {
        case .exact(let type): TypeConversion.category(of: type)
        case .anyDecimal: .numeric
        case .anyArray: .array
        case .anyEnumeration: .enumeration
        case .anyElement, .any: .other
        }
    }

    private static func isExact(_ parameter: ParameterType, _ type: DataType) -> Bool {
        switch parameter {
        case .exact(.text): type.isString && type != .unknown
        case .numeric: type.isExactNumeric
        case .exact(.bit(nil)): if case .bit = type { true } else { false }
        case .exact(.varbit(nil)): if case .varbit = type { true } else { false }
        case .exact(let wanted): wanted == type
        case .anyDecimal: type.isDecimal
        case .anyArray: type.elementType != nil
        case .anyEnumeration: type.enumeratedType != nil
        case .anyElement, .any: type != .unknown
        }
    }

    private static func exactCount(_ parameters: [ParameterType], _ types: [DataType]) -> Int {
        var count = 0
        for (parameter, type) in zip(parameters, types) where isExact(parameter, type) {
            // An overload made for the type beats one that takes anything.
            count += 1
        }
        if count == types.count,
            parameters.contains(where: { $0 == .anyElement || $0 == .anyArray || $0 == .anyEnumeration }),
            parameterTypes(parameters, types, literals: []) == nil
        {
            return 0
        }
        return count
    }

    private static func preferredCount(_ parameters: [ParameterType], _ types: [DataType]) -> Int {
        var count = 0
        for (parameter, type) in zip(parameters, types) {
            if isExact(parameter, type) {
                count += 1
            } else if case .exact(let wanted) = parameter, type != .unknown, TypeConversion.isPreferred(wanted) {
                count += 1
            }
        }
        return count
    }

    private static func isCastable(_ parameters: [ParameterType], _ types: [DataType]) -> Bool {
        for (parameter, type) in zip(parameters, types) {
            switch parameter {
            case .exact(let wanted):
                if !isExact(parameter, type), !TypeConversion.canCast(from: type, to: wanted, context: .implicit) {
                    return false
                }
            case .anyDecimal:
                if !(type.isDecimal || type.isInteger || type == .unknown) { return false }
            case .anyArray:
                if type.elementType == nil && type != .unknown { return false }
            case .anyEnumeration:
                if type.enumeratedType == nil && type != .unknown { return false }
            case .anyElement, .any: break
            }
        }
        return parameterTypes(parameters, types, literals: []) != nil
    }

    /// The types to cast arguments to; `nil` when polymorphic parameters do not agree.
    static func parameterTypes(_ parameters: [ParameterType], _ types: [DataType], literals: [ScalarValue?])
        -> [DataType]?
    {
        var elements: [DataType] = []
        var hasPolymorphic = false
        for (parameter, type) in zip(parameters, types) {
            if parameter == .anyElement || parameter == .anyEnumeration {
                hasPolymorphic = true
                elements.append(type)
            } else if parameter == .anyArray {
                hasPolymorphic = true
                if let element = type.elementType { elements.append(element) } else if type != .unknown { return nil }
            }
        }
        var element = DataType.text
        if hasPolymorphic, !elements.isEmpty {
            guard let common = TypeConversion.commonElement(elements) else { return nil }
            element = common
        }
        var result: [DataType] = []
        for (index, (parameter, type)) in zip(parameters, types).enumerated() {
            switch parameter {
            case .exact(.text): result.append(type.isString && type != .unknown ? type : .text)
            case .exact(.bit(nil)), .exact(.varbit(nil)):
                if isExact(parameter, type) {
                    result.append(type)
                } else if case .exact(let wanted) = parameter {
                    result.append(wanted)
                }
            case .exact(let wanted): result.append(wanted)
            case .anyDecimal:
                result.append(
                    decimalParameter(type, literal: index < literals.count ? literals[index] : nil)
                )
            case .anyArray: result.append(.array(element))
            case .anyElement: result.append(element)
            case .anyEnumeration:
                guard element.enumeratedType != nil else { return nil }
                result.append(element)
            case .any: result.append(type == .unknown ? .text : type)
            }
        }
        return result
    }

    private static func decimalParameter(_ type: DataType, literal: ScalarValue?) -> DataType {
        if type.isDecimal { return type }
        if case .integer(let value) = literal { return TypeConversion.minimalDecimal(Int128(value), scale: 0) }
        if type.isInteger { return TypeConversion.decimalType(of: type) }
        if let text = literal?.text, let (value, scale) = NumericText.parseDecimal(Array(text.utf8)) {
            return TypeConversion.minimalDecimal(value, scale: scale)
        }
        return .anyNumeric
    }
}
