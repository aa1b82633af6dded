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

    private static func shape(_ vector: Vector, _ row: Int) -> ArrayShape {
        ArrayBlob.shape(ViewColumn(vector).view(row))
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
                let whole = shape(arguments[0], row)
                let length = whole.dimensions.first?.length ?? 0
                guard number >= 0, number <= length else {
                    throw QueryError(SQLState("2202E"), "number of elements to trim must be between 0 and \(length)")
                }
                let lower = whole.dimensions.first?.lower ?? 1
                let (places, rest) = whole.slice([(lower, lower + length - 1 - number)])
                let list = ValueList(type: element)
                for place in places { list.append(source, place) }
                output = ArrayBlob.encode(list.finished(), shape: rest)
                return true
            }
        }
        registry.scalar(
            "array_positions", [.anyArray, .anyElement], .array(.int32), isStrict: false, canFail: true,
            text("The numbers of all equal elements.", "array_positions(array[1, 2, 1], 1)", "{1,3}")
        ) { arguments, type, count, _ in
            let element = arguments[1].type
            return try Kernel.text([arguments[0]], type, count) { row, output in
                if arguments[0].isNull(row) { return false }
                let source = elements(arguments[0], row, element)
                let lower = try ArrayFunctions.searched(shape(arguments[0], row))
                var found: [ScalarValue] = []
                for item in 0..<source.count where Comparison.compareValues(source, item, arguments[1], row) == 0 {
                    found.append(.integer(Int64(item + lower)))
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
                let lower = try ArrayFunctions.searched(shape(arguments[0], row))
                let first = max(lower, Int(ValueColumn<Int32>(arguments[2])[row])) - lower
                if first >= source.count { continue }
                for item in first..<source.count where Comparison.compareValues(source, item, arguments[1], row) == 0 {
                    result.values(Int32.self)[row] = Int32(truncatingIfNeeded: item + lower)
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
            try Kernel.text(arguments, type, count) { row, output in
                let dimensions = shape(arguments[0], row).dimensions
                for dimension in dimensions {
                    output.append(contentsOf: "[\(dimension.lower):\(dimension.upper)]".utf8)
                }
                return !dimensions.isEmpty
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
                    let lengths = elements(arguments[1], row, .int32)
                    let lowers = hasBounds ? elements(arguments[2], row, .int32) : nil
                    if shape(arguments[1], row).dimensions.count > 1 {
                        throw QueryError(
                            SQLState("2202E"), "wrong number of array subscripts",
                            detail: "Dimension array must be one dimensional.")
                    }
                    if let lowers, lowers.count != lengths.count {
                        throw QueryError(
                            SQLState("2202E"), "wrong number of array subscripts",
                            detail: "Low bound array has different size than dimensions array.")
                    }
                    var dimensions: [ArrayShape.Dimension] = []
                    for index in 0..<lengths.count {
                        if lengths.isNull(index) || lowers?.isNull(index) ?? false {
                            throw QueryError(.nullValueNotAllowed, "dimension values cannot be null")
                        }
                        let length = Int(lengths.values(Int32.self)[index])
                        if length < 0 {
                            throw QueryError(
                                .programLimitExceeded,
                                "array size exceeds the maximum allowed (\(ArrayShape.elementCountMax))")
                        }
                        dimensions.append(
                            ArrayShape.Dimension(
                                length: length, lower: lowers.map { Int($0.values(Int32.self)[index]) } ?? 1))
                    }
                    let shape = try ArrayShape(dimensions).checked()
                    let list = ValueList(type: arguments[0].type)
                    let (vector, index) = arguments[0].position(row)
                    for _ in 0..<shape.count { list.append(vector, index) }
                    output = ArrayBlob.encode(list.finished(), shape: shape)
                    return true
                }
            }
        }
    }
}
