// int4send and its kin: values in the bytes of the protocol's binary form.

import Columnar
import Diagnostics

enum SendFunctions {
    private static func text(_ example: String, _ result: String) -> FunctionDocumentation {
        FunctionDocumentation(
            "Binary", "The value as the protocol sends it in binary.", example: example, result: result)
    }

    static func register(in registry: FunctionRegistry) {
        integers(registry, "int2send", .int16, Int16.self, text("int2send(258::int2)", "\\x0102"))
        integers(registry, "int4send", .int32, Int32.self, text("int4send(258)", "\\x00000102"))
        integers(registry, "int8send", .int64, Int64.self, text("int8send(258)", "\\x0000000000000102"))
        registry.scalar("float4send", [.float32], .bytea, text("float4send(1::real)", "\\x3f800000")) {
            arguments, type, count, _ in
            let values = ValueColumn<Float>(arguments[0])
            return try bytes(arguments, type, count) { values[$0].bitPattern }
        }
        registry.scalar("float8send", [.float64], .bytea, text("float8send(1)", "\\x3ff0000000000000")) {
            arguments, type, count, _ in
            let values = ValueColumn<Double>(arguments[0])
            return try bytes(arguments, type, count) { values[$0].bitPattern }
        }
        registry.scalar("boolsend", [.boolean], .bytea, text("boolsend(true)", "\\x01")) { arguments, type, count, _ in
            let values = ValueColumn<UInt8>(arguments[0])
            return try bytes(arguments, type, count) { values[$0] }
        }
        for (name, parameter) in [("textsend", ParameterType.text), ("byteasend", .bytea)] {
            registry.scalar(name, [parameter], .bytea, text("\(name)('ab')", "\\x6162")) { arguments, type, count, _ in
                let values = ViewColumn(arguments[0])
                return try Kernel.text(arguments, type, count) { row, output in
                    output.append(contentsOf: values.bytes(row))
                    return true
                }
            }
        }
    }

    private static func integers<T: FixedWidthInteger & Sendable>(
        _ registry: FunctionRegistry, _ name: String, _ parameter: ParameterType, _: T.Type,
        _ documentation: FunctionDocumentation
    ) {
        registry.scalar(name, [parameter], .bytea, documentation) { arguments, type, count, _ in
            let values = ValueColumn<T>(arguments[0])
            return try bytes(arguments, type, count) { values[$0] }
        }
    }

    private static func bytes<T: FixedWidthInteger>(
        _ arguments: [Vector], _ type: DataType, _ count: Int, _ value: (Int) -> T
    ) throws -> Vector {
        try Kernel.text(arguments, type, count) { row, output in
            withUnsafeBytes(of: value(row).bigEndian) { output.append(contentsOf: $0) }
            return true
        }
    }
}
