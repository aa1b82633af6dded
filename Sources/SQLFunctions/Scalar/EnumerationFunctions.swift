// enum_first, enum_last, enum_range: the labels of an enumerated type, whatever the argument's value is.

import Columnar
import Diagnostics

enum EnumerationFunctions {
    static func register(in registry: FunctionRegistry) {
        for (name, isFirst) in [("enum_first", true), ("enum_last", false)] {
            registry.scalar(
                name, [.anyEnumeration], typed: { $0[0] }, isStrict: false, canFail: true,
                FunctionDocumentation("Enumeration", "The \(isFirst ? "first" : "last") value of the argument's type.")
            ) { arguments, type, count, _ in
                let labels = try enumeration(arguments[0].type).labels
                guard let label = isFirst ? labels.first : labels.last else {
                    throw QueryError(
                        SQLState("55000"), "enum \(arguments[0].type.sqlName) contains no values")
                }
                return .constant(.integer(label.key), type: type, count: count)
            }
        }
        registry.scalar(
            "enum_range", [.anyEnumeration], typed: { .array($0[0]) }, isStrict: false, canFail: true,
            FunctionDocumentation("Enumeration", "All values of the argument's type in order.")
        ) { arguments, type, count, _ in
            let element = arguments[0].type
            return .constant(try array(element, from: nil, to: nil), type: type, count: count)
        }
        registry.scalar(
            "enum_range", [.anyEnumeration, .anyEnumeration], typed: { .array($0[0]) }, isStrict: false, canFail: true,
            FunctionDocumentation("Enumeration", "The values from one to another; NULL is without limit.")
        ) { arguments, type, count, _ in
            let builder = VectorBuilder(type: type, capacity: count)
            for row in 0..<count {
                let bounds = arguments.map { argument -> Int64? in
                    if case .integer(let key) = argument.value(at: row) { key } else { nil }
                }
                builder.append(try array(arguments[0].type, from: bounds[0], to: bounds[1]))
            }
            return builder.finish()
        }
    }

    private static func enumeration(_ type: DataType) throws -> EnumeratedType {
        guard let enumerated = type.enumeratedType else {
            throw QueryError.internalError("an enumerated type was expected")
        }
        return enumerated
    }

    private static func array(_ type: DataType, from low: Int64?, to high: Int64?) throws -> ScalarValue {
        let keys = try enumeration(type).labels.map(\.key).filter { $0 >= low ?? .min && $0 <= high ?? .max }
        return .bytes(ArrayBlob.encode(keys.map { .integer($0) }, elementType: type))
    }
}
