// Functions of int2vector and oidvector whose results count from 0, where those of arrays count from 1.

import Columnar
import Diagnostics

enum IndexVectorFunctions {
    static func register(in registry: FunctionRegistry) {
        for element in [DataType.int16, .oid] {
            let vector = ParameterType.exact(.indexVector(element))
            for isUpper in [true, false] {
                registry.scalar(
                    isUpper ? "array_upper" : "array_lower", [vector, .int32], .int32,
                    FunctionDocumentation(
                        "Array", "The \(isUpper ? "largest" : "smallest") subscript of a vector, which begins with 0.")
                ) { arguments, type, count, _ in
                    let column = ViewColumn(arguments[0])
                    let dimensions = ValueColumn<Int32>(arguments[1])
                    let result = Vector(flat: type, capacity: count)
                    let output = result.values(Int32.self)
                    for row in 0..<count {
                        if !ValidityMask.isValid(arguments, row) || dimensions[row] != 1 {
                            result.setNull(row)
                        } else {
                            output[row] = isUpper ? Int32(elementCount(column, row) - 1) : 0
                        }
                    }
                    return result
                }
            }
            registry.register(
                TableFunction(
                    "generate_subscripts", [vector, .int32],
                    resultFields: { _ in [Field(name: "generate_subscripts", type: .int32)] },
                    documentation: FunctionDocumentation("Array", "The subscripts of a vector, from 0.")
                ) { arguments, _, emit in
                    guard case .bytes(let bytes) = arguments[0], arguments[1] == .integer(1) else { return }
                    let count = bytes.withUnsafeBufferPointer { buffer in
                        buffer.baseAddress.map { ArrayBlob.count($0, byteCount: buffer.count) } ?? 0
                    }
                    guard count > 0 else { return }
                    let builder = VectorBuilder(type: .int32, capacity: count)
                    for number in 0..<count { builder.append(.integer(Int64(number))) }
                    try emit(Batch(columns: [builder.finish()], rowCount: count))
                })
        }
    }

    private static func elementCount(_ column: ViewColumn, _ row: Int) -> Int {
        let bytes = column.bytes(row)
        return bytes.baseAddress.map { ArrayBlob.count($0, byteCount: bytes.count) } ?? 0
    }
}
