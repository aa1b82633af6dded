// Arrays: constructor, subscripts, and functions over their elements.

import Columnar
import Diagnostics

enum ArrayFunctions {
    private static func text(_ text: String, _ example: String? = nil, _ result: String? = nil) -> FunctionDocumentation
    {
        FunctionDocumentation("Array", text, example: example, result: result)
    }

    static func register(in registry: FunctionRegistry) {
        registerConstruction(in: registry)
        registerAccess(in: registry)
        registerText(in: registry)
        registerContainment(in: registry)
    }

    /// Decoded elements of a row of arrays.
    static func elements(_ column: ViewColumn, _ row: Int, _ type: DataType) -> Vector {
        let bytes = column.bytes(row)
        guard let base = bytes.baseAddress else { return Vector(flat: type, capacity: 0) }
        return ArrayBlob.decode(base, byteCount: bytes.count, elementType: type)
    }

    private static func arrayType(_ types: [DataType]) -> DataType { .array(types.first ?? .text) }

    private static func registerConstruction(in registry: FunctionRegistry) {
        registry.scalar(
            "array", [.anyElement], typed: arrayType, isVariadic: true, isStrict: false,
            text("An array of the arguments.")
        ) { arguments, type, count, _ in
            let element = type.elementType ?? .text
            return try Kernel.text([], type, count) { row, output in
                let list = ValueList(type: element)
                for argument in arguments {
                    let (vector, index) = argument.position(row)
                    list.append(vector, argument.encoding == .flat ? row : index)
                }
                output = ArrayBlob.encode(list.finished())
                return true
            }
        }
        registry.scalar(
            "array of arrays", [.anyArray], typed: { $0[0] }, isVariadic: true, isStrict: false, canFail: true,
            text("An array with the arguments as its sub-arrays.")
        ) { arguments, type, count, _ in
            let element = type.elementType ?? .text
            return try Kernel.text([], type, count) { row, output in
                let list = ValueList(type: type)
                for argument in arguments {
                    let (vector, index) = argument.position(row)
                    list.append(vector, index)
                }
                output = try combined(list.finished(), element, .constructed)
                return true
            }
        }
        registerConcatenation(in: registry)
        for (name, isReplace) in [("array_remove", false), ("array_replace", true)] {
            registry.scalar(
                name, [.anyArray, .anyElement] + (isReplace ? [.anyElement] : []), typed: { $0[0] }, isStrict: false,
                canFail: !isReplace,
                text(
                    isReplace ? "The array with equal elements replaced." : "The array without equal elements.",
                    isReplace ? "array_replace(array[1, 2, 1], 1, 9)" : "array_remove(array[1, 2, 3, 2], 2)",
                    isReplace ? "{9,2,9}" : "{1,3}")
            ) { arguments, type, count, _ in
                let element = type.elementType ?? .text
                let column = ViewColumn(arguments[0])
                return try Kernel.text([arguments[0]], type, count) { row, output in
                    if arguments[0].isNull(row) { return false }
                    let source = elements(column, row, element)
                    let shape = ArrayBlob.shape(column.view(row))
                    if !isReplace, shape.dimensions.count > 1 {
                        throw QueryError.notSupported("removing elements from multidimensional arrays")
                    }
                    let list = ValueList(type: element)
                    for item in 0..<source.count {
                        if Comparison.compareValues(source, item, arguments[1], row) == 0 {
                            if isReplace {
                                let (vector, index) = arguments[2].position(row)
                                list.append(vector, index)
                            }
                        } else {
                            list.append(source, item)
                        }
                    }
                    let values = list.finished()
                    output = ArrayBlob.encode(values, shape: isReplace ? shape : ArrayShape(count: values.count))
                    return true
                }.maskedLike(arguments[0], count)
            }
        }
    }

    // MARK: Access

    private static func registerAccess(in registry: FunctionRegistry) {
        registry.scalar(
            "[]", [.anyArray, .int32], typed: { $0[0].elementType ?? .text }, isVariadic: true,
            text("An element by its subscripts, one for each dimension.")
        ) { arguments, type, count, _ in
            let column = ViewColumn(arguments[0])
            let indexes = arguments.dropFirst().map { ValueColumn<Int32>($0) }
            let result = Vector(flat: type, capacity: count)
            let heap = StringHeap(chunkByteCount: 4 << 10)
            for row in 0..<count {
                guard ValidityMask.isValid(arguments, row),
                    let place = ArrayBlob.shape(column.view(row)).offset(indexes.map { Int($0[row]) })
                else {
                    result.setNull(row)
                    continue
                }
                result.copyRow(row, from: elements(column, row, type), place, heap: heap)
            }
            result.pinned += heap.buffers
            return result
        }
        registry.scalar(
            "[:]", [.anyArray, .int32, .int32], typed: { $0[0] }, isVariadic: true,
            text("The elements between two subscripts of each dimension, both included.")
        ) { arguments, type, count, _ in
            let element = type.elementType ?? .text
            let column = ViewColumn(arguments[0])
            let bounds = arguments.dropFirst().map { ValueColumn<Int32>($0) }
            return try Kernel.text(arguments, type, count) { row, output in
                let source = elements(column, row, element)
                let (places, shape) = ArrayBlob.shape(column.view(row)).slice(
                    stride(from: 0, to: bounds.count, by: 2).map { (Int(bounds[$0][row]), Int(bounds[$0 + 1][row])) })
                let list = ValueList(type: element)
                for place in places { list.append(source, place) }
                output = ArrayBlob.encode(list.finished(), shape: shape)
                return true
            }
        }
        registry.scalar(
            "cardinality", [.anyArray], .int32, text("Number of elements.", "cardinality(array[1, 2, 3])", "3")
        ) {
            arguments, type, count, _ in
            let column = ViewColumn(arguments[0])
            return try DateTimeFunctions.rows(arguments, type, count) { row in Int32(elementCount(column, row)) }
        }
        let measures: [(String, String, @Sendable (ArrayShape.Dimension) -> Int)] = [
            ("array_length", "Number of elements in a dimension; NULL when there are none.", { $0.length }),
            ("array_upper", "The largest subscript of a dimension.", { $0.upper }),
            ("array_lower", "The smallest subscript of a dimension.", { $0.lower }),
        ]
        for (name, documentation, measure) in measures {
            registry.scalar(
                name, [.anyArray, .int32], .int32,
                text(documentation, "\(name)(array[1, 2, 3], 1)", name == "array_lower" ? "1" : "3")
            ) { arguments, type, count, _ in
                let column = ViewColumn(arguments[0])
                let numbers = ValueColumn<Int32>(arguments[1])
                return dimensionValues(arguments, type, count) { row in
                    let dimensions = ArrayBlob.shape(column.view(row)).dimensions
                    let number = Int(numbers[row])
                    return number >= 1 && number <= dimensions.count ? measure(dimensions[number - 1]) : nil
                }
            }
        }
        registry.scalar("array_ndims", [.anyArray], .int32, text("Number of dimensions.", "array_ndims(array[1])", "1"))
        {
            arguments, type, count, _ in
            let column = ViewColumn(arguments[0])
            return dimensionValues(arguments, type, count) { row in
                let number = ArrayBlob.shape(column.view(row)).dimensions.count
                return number == 0 ? nil : number
            }
        }
        registry.scalar(
            "array_position", [.anyArray, .anyElement], .int32, isStrict: false, canFail: true,
            text("The number of the first equal element, from 1.", "array_position(array[5, 7, 9], 7)", "2")
        ) { arguments, type, count, _ in
            let column = ViewColumn(arguments[0])
            let element = arguments[1].type
            let result = Vector(flat: type, capacity: count)
            for row in 0..<count {
                result.setNull(row)
                if arguments[0].isNull(row) { continue }
                let source = elements(column, row, element)
                let lower = try searched(ArrayBlob.shape(column.view(row)))
                for item in 0..<source.count where Comparison.compareValues(source, item, arguments[1], row) == 0 {
                    result.values(Int32.self)[row] = Int32(truncatingIfNeeded: item + lower)
                    Validity.setValid(result.ensureValidity(), row)
                    break
                }
            }
            return result
        }
    }

    private static func dimensionValues(
        _ arguments: [Vector], _ type: DataType, _ count: Int, _ body: (Int) -> Int?
    ) -> Vector {
        let result = Vector(flat: type, capacity: count)
        for row in 0..<count {
            if ValidityMask.isValid(arguments, row), let value = body(row) {
                result.values(Int32.self)[row] = Int32(truncatingIfNeeded: value)
            } else {
                result.setNull(row)
            }
        }
        return result
    }

    private static func elementCount(_ column: ViewColumn, _ row: Int) -> Int {
        let bytes = column.bytes(row)
        return bytes.baseAddress.map { ArrayBlob.count($0, byteCount: bytes.count) } ?? 0
    }

    /// The lower bound of an array to be searched, which must have one dimension.
    static func searched(_ shape: ArrayShape) throws -> Int {
        if shape.dimensions.count > 1 {
            throw QueryError.notSupported("searching for elements in multidimensional arrays")
        }
        return shape.dimensions.first?.lower ?? 1
    }

    // MARK: Text

    /// Parts of a text between separators; `nil` splits into characters, an empty separator does not split.
    static func split(_ text: String, separator: String?) -> [String] {
        if text.isEmpty { return [] }
        guard let separator else { return text.unicodeScalars.map { String($0) } }
        if separator.isEmpty { return [text] }
        let needle = Array(separator.utf8)
        let bytes = Array(text.utf8)
        var result: [String] = []
        var start = 0
        var at = 0
        while at + needle.count <= bytes.count {
            if bytes[at] == needle[0], bytes[at..<(at + needle.count)].elementsEqual(needle) {
                result.append(String(decoding: bytes[start..<at], as: UTF8.self))
                at += needle.count
                start = at
            } else {
                at += 1
            }
        }
        result.append(String(decoding: bytes[start...], as: UTF8.self))
        return result
    }

    private static func registerText(in registry: FunctionRegistry) {
        for hasNull in [false, true] {
            registry.scalar(
                "string_to_array", Array(repeating: .text, count: hasNull ? 3 : 2), .array(.text), isStrict: false,
                text(
                    "The parts of a text between separators.",
                    hasNull ? "string_to_array('xx~~yy~~zz', '~~', 'yy')" : "string_to_array('1,2,3', ',')",
                    hasNull ? "{xx,NULL,zz}" : "{1,2,3}")
            ) { arguments, type, count, _ in
                let columns = arguments.map { ViewColumn($0) }
                return try Kernel.text([arguments[0]], type, count) { row, output in
                    if arguments[0].isNull(row) { return false }
                    let separator = arguments[1].isNull(row) ? nil : columns[1].string(row)
                    let nullText = hasNull && !arguments[2].isNull(row) ? columns[2].string(row) : nil
                    let parts = split(columns[0].string(row), separator: separator)
                    output = ArrayBlob.encode(parts.map { $0 == nullText ? .null : .string($0) }, elementType: .text)
                    return true
                }.maskedLike(arguments[0], count)
            }
            registry.scalar(
                "array_to_string", [.anyArray, .text] + (hasNull ? [.text] : []), .text, volatility: .stable,
                isStrict: false,
                text(
                    "The elements' texts with a separator between.",
                    hasNull ? "array_to_string(array[1, NULL, 3], ',', '*')" : "array_to_string(array[1, 2, 3], '~')",
                    hasNull ? "1,*,3" : "1~2~3")
            ) { arguments, type, count, context in
                let element = arguments[0].type.elementType ?? .text
                let columns = arguments.map { ViewColumn($0) }
                let settings = context.textSettings
                return try Kernel.text([arguments[0], arguments[1]], type, count) { row, output in
                    if arguments[0].isNull(row) || arguments[1].isNull(row) { return false }
                    let source = elements(columns[0], row, element)
                    var isFirst = true
                    for item in 0..<source.count {
                        let isNull = source.isNull(item)
                        if isNull && !(hasNull && !arguments[2].isNull(row)) { continue }
                        if !isFirst { output.append(contentsOf: columns[1].bytes(row)) }
                        isFirst = false
                        if isNull {
                            output.append(contentsOf: columns[2].bytes(row))
                        } else {
                            TextFormat.append(source, row: item, settings: settings, into: &output)
                        }
                    }
                    return true
                }.maskedLike(arguments[0], count).maskedLike(arguments[1], count)
            }
        }
    }

    // MARK: Containment

    private static func registerContainment(in registry: FunctionRegistry) {
        for (name, documentation, example) in [
            ("@>", "Whether the left array has all elements of the right.", "array[1, 4, 3] @> array[3, 1]"),
            ("<@", "Whether the right array has all elements of the left.", "array[2, 7] <@ array[1, 7, 4, 2]"),
            ("&&", "Whether the arrays have an element in common.", "array[1, 4, 3] && array[2, 1]"),
        ] {
            registry.scalar(name, [.anyArray, .anyArray], .boolean, text(documentation, example, "t")) {
                arguments, type, count, _ in
                let element = arguments[0].type.elementType ?? .text
                let columns = arguments.map { ViewColumn($0) }
                return try DateTimeFunctions.rows(arguments, type, count) { row -> UInt8 in
                    var a = elements(columns[0], row, element)
                    var b = elements(columns[1], row, element)
                    if name == "<@" { swap(&a, &b) }
                    func contains(_ item: Int) -> Bool {
                        if b.isNull(item) { return false }
                        for other in 0..<a.count
                        where !a.isNull(other) && Comparison.compareValues(a, other, b, item) == 0 { return true }
                        return false
                    }
                    return flag(
                        name == "&&" ? (0..<b.count).contains(where: contains) : (0..<b.count).allSatisfy(contains))
                }
            }
        }
    }
}
