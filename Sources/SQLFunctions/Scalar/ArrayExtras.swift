// Arrays: filling, trimming, all positions of an element, and dimensions as text.

import Columnar
import Diagnostics

enum ArrayExtras {
    private static func text(_ text: String, _ example: String? = nil, _ result: String? = nil) -> FunctionDocumentation
    {
        FunctionDocumentation("Array", text, example: example, result: result)
    }

    private static func elements(_ vector: Vector, _ row: Int, _ type: DataType) -> Vector {
        let bytes = ViewColumn(vector).bytes(row)
        guard let base = bytes.baseAddress else { return Vector(flat: type, capacity: 0) }
        return ArrayBlob.decode(base, byteCount: bytes.count, elementType: type)
    }

    static func register(in registry: FunctionRegistry) {
        registry.scalar(
            "trim_array", [.anyArray, .int32], typed: { $0[0] }, canFail: true,
            text("The array without so many elements at its end.", "trim_array(array[1, 2, 3, 4], 2)", "{1,2}")
        ) { arguments, type, count, _ in
            let element = type.elementType ?? .text
            let numbers = ValueColumn<Int32>(arguments[1])
            return try Kernel.text(arguments, type, count) { row, output in
                let source = elements(arguments[0], row, element)
                let number = Int(numbers[row])
                guard number >= 0, number <= source.count else {
                    throw QueryError(
                        SQLState("2202E"), "number of elements to trim must be between 0 and \(source.count)")
                }
                let list = ValueList(type: element)
                for item in 0..<(source.count - number) { list.append(source, item) }
                output = ArrayBlob.encode(list.finished())
                return true
            }
        }
        registry.scalar(
            "array_positions", [.anyArray, .anyElement], .array(.int32), isStrict: false,
            text("The numbers of all equal elements.", "array_positions(array[1, 2, 1], 1)", "{1,3}")
        ) { arguments, type, count, _ in
            let element = arguments[1].type
            return try Kernel.text([arguments[0]], type, count) { row, output in
                if arguments[0].isNull(row) { return false }
                let source = elements(arguments[0], row, element)
                var found: [ScalarValue] = []
                for item in 0..<source.count where Comparison.compareValues(source, item, arguments[1], row) == 0 {
                    found.append(.integer(Int64(item + 1)))
                }
                output = ArrayBlob.encode(found, elementType: .int32)
                return true
            }.maskedLike(arguments[0], count)
        }
        registry.scalar(
            "array_position", [.anyArray, .anyElement, .int32], .int32, isStrict: false, canFail: true,
            text("The number of the first equal element from a place on.", "array_position(array[1, 2, 1], 1, 2)", "3")
        ) { arguments, type, count, _ in
            let element = arguments[1].type
            let result = Vector(flat: type, capacity: count)
            for row in 0..<count {
                result.setNull(row)
                if arguments[0].isNull(row) { continue }
                if arguments[2].isNull(row) {
                    throw QueryError(.nullValueNotAllowed, "initial position must not be null")
                }
                let source = elements(arguments[0], row, element)
                let first = max(1, Int(ValueColumn<Int32>(arguments[2])[row])) - 1
                if first >= source.count { continue }
                for item in first..<source.count where Comparison.compareValues(source, item, arguments[1], row) == 0 {
                    result.values(Int32.self)[row] = Int32(item + 1)
                    Validity.setValid(result.ensureValidity(), row)
                    break
                }
            }
            return result
        }
        registry.scalar(
            "array_dims", [.anyArray], .text, text("The bounds as text.", "array_dims(array[7, 8])", "[1:2]")
        ) {
            arguments, type, count, _ in
            let element = arguments[0].type.elementType ?? .text
            return try Kernel.text(arguments, type, count) { row, output in
                let size = elements(arguments[0], row, element).count
                if size == 0 { return false }
                output.append(contentsOf: "[1:\(size)]".utf8)
                return true
            }
        }
        for hasBounds in [false, true] {
            registry.scalar(
                "array_fill", [.anyElement, .exact(.array(.int32))] + (hasBounds ? [.exact(.array(.int32))] : []),
                typed: { .array($0[0] == .unknown ? .text : $0[0]) }, isStrict: false, canFail: true,
                text(
                    "An array of copies of a value.", hasBounds ? nil : "array_fill(7, array[3])",
                    hasBounds ? nil : "{7,7,7}")
            ) { arguments, type, count, _ in
                try Kernel.text([], type, count) { row, output in
                    if arguments.dropFirst().contains(where: { $0.isNull(row) }) {
                        throw QueryError(
                            .nullValueNotAllowed, "dimension array or low bound array cannot be null")
                    }
                    let dimensions = elements(arguments[1], row, .int32)
                    if dimensions.count > 1 { throw QueryError.notSupported("arrays of several dimensions") }
                    if hasBounds {
                        let bounds = elements(arguments[2], row, .int32)
                        guard bounds.count == dimensions.count else {
                            throw QueryError(SQLState("2202E"), "wrong number of array subscripts")
                        }
                        if bounds.count == 1, bounds.values(Int32.self)[0] != 1 {
                            throw QueryError.notSupported("arrays whose subscripts do not begin at 1")
                        }
                    }
                    if dimensions.count == 1, dimensions.isNull(0) {
                        throw QueryError(.nullValueNotAllowed, "dimension values cannot be null")
                    }
                    let size = dimensions.count == 0 ? 0 : Int(dimensions.values(Int32.self)[0])
                    guard size >= 0, size <= 134_217_727 else {
                        throw QueryError(.programLimitExceeded, "array size exceeds the maximum allowed (134217727)")
                    }
                    let list = ValueList(type: arguments[0].type)
                    let (vector, index) = arguments[0].position(row)
                    for _ in 0..<size { list.append(vector, arguments[0].encoding == .flat ? row : index) }
                    output = ArrayBlob.encode(list.finished())
                    return true
                }
            }
        }
    }
}
