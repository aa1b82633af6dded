// Calls with VARIADIC: an array in place of the last arguments of concat, concat_ws, format, num_nulls and num_nonnulls.

import Columnar
import Diagnostics

package enum VariadicFunctions {
    /// What the binder calls for a function whose last argument is an array of arguments.
    package static func name(_ name: String) -> String { name + " variadic" }

    /// After the functions themselves.
    static func register(in registry: FunctionRegistry) {
        for name in ["concat", "concat_ws", "format", "num_nulls", "num_nonnulls"] {
            guard let function = registry.scalarOverloads(name).first(where: \.isVariadic) else { continue }
            let fixed = function.parameters.dropLast()
            registry.register(
                ScalarFunction(
                    Self.name(name), fixed + [.anyArray], resultType: { try function.resultType($0) },
                    volatility: function.volatility, isStrict: false, canFail: function.canFail,
                    documentation: FunctionDocumentation(
                        function.documentation.category, "\(name) with an array in place of its last arguments.")
                ) { arguments, type, count, context in
                    let builder = VectorBuilder(type: type, capacity: count)
                    for row in 0..<count {
                        let list = arguments[arguments.count - 1]
                        // Without an array there is no result; format() needs none.
                        if list.isNull(row), name != "format" {
                            builder.appendNull()
                            continue
                        }
                        var single = arguments.dropLast().map {
                            Vector.constant($0.value(at: row), type: $0.type, count: 1)
                        }
                        if case .bytes(let blob) = list.value(at: row) {
                            let element = list.type.elementType ?? .text
                            single += ArrayBlob.elements(blob, elementType: element).map {
                                Vector.constant($0, type: element, count: 1)
                            }
                        }
                        if single.isEmpty {
                            builder.append(type == .int32 ? .integer(0) : .bytes([]))
                        } else {
                            builder.append(try function.kernel(single, type, 1, context).value(at: 0))
                        }
                    }
                    return builder.finish()
                })
        }
    }
}
