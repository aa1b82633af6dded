// Arrays put together: ||, array_cat, array_append, array_prepend, and arrays made of arrays.

import Columnar
import Diagnostics

extension ArrayFunctions {
    private static func text(_ text: String, _ example: String, _ result: String) -> FunctionDocumentation {
        FunctionDocumentation("Array", text, example: example, result: result)
    }

    static func registerConcatenation(in registry: FunctionRegistry) {
        for (name, documentation) in [
            ("||", text("Both arrays, one behind the other.", "array[1, 2] || array[3]", "{1,2,3}")),
            ("array_cat", text("Both arrays, one behind the other.", "array_cat(array[1, 2], array[3])", "{1,2,3}")),
        ] {
            registry.scalar(
                name, [.anyArray, .anyArray], typed: { $0[0] }, isStrict: false, canFail: true, documentation
            ) { arguments, type, count, _ in
                let element = type.elementType ?? .text
                let columns = arguments.map { ViewColumn($0) }
                return try Kernel.text([], type, count) { row, output in
                    let given = columns.indices.filter { !arguments[$0].isNull(row) }
                    if given.isEmpty { return false }
                    if given.count == 1 {
                        output.append(contentsOf: columns[given[0]].bytes(row))
                    } else {
                        output = try concatenated(columns[0], columns[1], row, element)
                    }
                    return true
                }
            }
        }
        for (name, isBehind, documentation) in [
            ("||", true, text("The array with an element behind it.", "array[1, 2] || 3", "{1,2,3}")),
            (
                "array_append", true,
                text("The array with an element behind it.", "array_append(array[1, 2], 3)", "{1,2,3}")
            ),
            ("||", false, text("The array with an element in front of it.", "1 || array[2, 3]", "{1,2,3}")),
            (
                "array_prepend", false,
                text("The array with an element in front of it.", "array_prepend(1, array[2, 3])", "{1,2,3}")
            ),
        ] {
            registry.scalar(
                name, isBehind ? [.anyArray, .anyElement] : [.anyElement, .anyArray],
                typed: { $0[isBehind ? 0 : 1] }, isStrict: false, canFail: true, documentation
            ) { arguments, type, count, _ in
                let element = type.elementType ?? .text
                let (array, value) = (arguments[isBehind ? 0 : 1], arguments[isBehind ? 1 : 0])
                let column = ViewColumn(array)
                return try Kernel.text([], type, count) { row, output in
                    let list = ValueList(type: element)
                    let (vector, position) = value.position(row)
                    var lower = 1
                    if !isBehind { list.append(vector, position) }
                    if !array.isNull(row) {
                        let shape = ArrayBlob.shape(column.view(row))
                        if shape.dimensions.count > 1 {
                            throw QueryError(SQLState("22000"), "argument must be empty or one-dimensional array")
                        }
                        lower = shape.dimensions.first?.lower ?? 1
                        let source = elements(column, row, element)
                        for item in 0..<source.count { list.append(source, item) }
                    }
                    if isBehind { list.append(vector, position) }
                    let values = list.finished()
                    let shape = ArrayShape([ArrayShape.Dimension(length: values.count, lower: lower)])
                    output = ArrayBlob.encode(values, shape: try shape.checked())
                    return true
                }
            }
        }
    }

    /// Two arrays of one number of dimensions, along the first; or one of them as the first or last sub-array of the other.
    private static func concatenated(
        _ first: ViewColumn, _ second: ViewColumn, _ row: Int, _ element: DataType
    ) throws -> [UInt8] {
        let (a, b) = (ArrayBlob.shape(first.view(row)), ArrayBlob.shape(second.view(row)))
        if a.dimensions.isEmpty { return Array(second.bytes(row)) }
        if b.dimensions.isEmpty { return Array(first.bytes(row)) }
        func inner(_ shape: ArrayShape) -> [Int] { shape.dimensions.dropFirst().map(\.length) }
        func lengths(_ shape: ArrayShape) -> [Int] { shape.dimensions.map(\.length) }
        var dimensions: [ArrayShape.Dimension]
        switch a.dimensions.count - b.dimensions.count {
        case 0 where inner(a) == inner(b):
            dimensions = a.dimensions
            dimensions[0].length += b.dimensions[0].length
        case 1 where inner(a) == lengths(b):
            dimensions = a.dimensions
            dimensions[0].length += 1
        case -1 where lengths(a) == inner(b):
            dimensions = b.dimensions
            dimensions[0].length += 1
        default:
            let isSameNumber = abs(a.dimensions.count - b.dimensions.count) <= 1
            throw QueryError(
                SQLState("2202E"), "cannot concatenate incompatible arrays",
                detail: isSameNumber
                    ? "Arrays with differing dimensions are not compatible for concatenation."
                    : "Arrays of \(a.dimensions.count) and \(b.dimensions.count) dimensions are not compatible for "
                        + "concatenation.")
        }
        let list = ValueList(type: element)
        for column in [first, second] {
            let source = elements(column, row, element)
            for item in 0..<source.count { list.append(source, item) }
        }
        return ArrayBlob.encode(list.finished(), shape: try ArrayShape(dimensions).checked())
    }

    /// Who puts arrays into an array: their words for what does not fit differ.
    enum Combination { case constructed, accumulated }

    /// An array with the rows of a vector of arrays as its sub-arrays.
    static func combined(_ arrays: Vector, _ element: DataType, _ combination: Combination) throws -> [UInt8] {
        let shapes = (0..<arrays.count).map { row in
            arrays.isNull(row) ? nil : ArrayBlob.shape(arrays.views + row)
        }
        switch combination {
        case .constructed:
            if shapes.allSatisfy({ $0?.dimensions.isEmpty ?? true }) {
                return ArrayBlob.encode(Vector(flat: element, capacity: 0))
            }
            let mismatch = QueryError(
                SQLState("2202E"),
                "multidimensional arrays must have array expressions with matching dimensions")
            guard let first = shapes.first ?? nil, shapes.allSatisfy({ $0 == first }) else { throw mismatch }
        case .accumulated:
            if shapes.contains(where: { $0 == nil }) {
                throw QueryError(.nullValueNotAllowed, "cannot accumulate null arrays")
            }
            if shapes.contains(where: { $0?.dimensions.isEmpty ?? true }) {
                throw QueryError(SQLState("2202E"), "cannot accumulate empty arrays")
            }
            let first = shapes.first.flatMap { $0?.dimensions.map(\.length) }
            guard shapes.allSatisfy({ $0?.dimensions.map(\.length) == first }) else {
                throw QueryError(SQLState("2202E"), "cannot accumulate arrays of different dimensionality")
            }
        }
        let inner = (shapes.first ?? nil)?.dimensions ?? []
        let list = ValueList(type: element)
        let column = ViewColumn(arrays)
        for row in 0..<arrays.count {
            let source = elements(column, row, element)
            for item in 0..<source.count { list.append(source, item) }
        }
        let shape = ArrayShape([ArrayShape.Dimension(length: arrays.count)] + inner)
        return ArrayBlob.encode(list.finished(), shape: try shape.checked())
    }
}
