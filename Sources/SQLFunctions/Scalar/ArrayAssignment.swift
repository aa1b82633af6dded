// Arrays with elements or slices replaced, as SET column[…] = … asks for.

import Columnar
import Diagnostics

enum ArrayAssignment {
    static func register(in registry: FunctionRegistry) {
        let documentation = FunctionDocumentation("Array", "The array with a part of it replaced.")
        registry.scalar(
            "array assign", [.anyArray, .anyElement, .int32], typed: { $0[0] }, isVariadic: true, isStrict: false,
            canFail: true, documentation
        ) { arguments, type, count, _ in
            let element = type.elementType ?? .text
            return try Kernel.text([], type, count) { row, output in
                let subscripts = try arguments.dropFirst(2).map { try number($0, row) }
                var array = Parts(arguments[0], row, element)
                try array.set(arguments[1].value(at: row), at: subscripts)
                output = try array.blob(element)
                return true
            }
        }
        registry.scalar(
            "array slice assign", [.anyArray, .anyArray, .any], typed: { $0[0] }, isVariadic: true, isStrict: false,
            canFail: true, documentation
        ) { arguments, type, count, _ in
            let element = type.elementType ?? .text
            let boundCount = (arguments.count - 2) / 2
            return try Kernel.text([], type, count) { row, output in
                var array = Parts(arguments[0], row, element)
                // NULL in place of an array changes nothing.
                if arguments[1].isNull(row) {
                    output = try array.blob(element)
                    return true
                }
                var bounds: [Int?] = []
                for index in 0..<boundCount {
                    let isGiven = arguments[2 + boundCount + index].value(at: row) == .boolean(true)
                    bounds.append(isGiven ? try number(arguments[2 + index], row) : nil)
                }
                try array.set(Parts(arguments[1], row, element), between: bounds)
                output = try array.blob(element)
                return true
            }
        }
    }

    private static func number(_ vector: Vector, _ row: Int) throws -> Int {
        guard case .integer(let value) = vector.value(at: row) else {
            throw QueryError(.nullValueNotAllowed, "array subscript in assignment must not be null")
        }
        return Int(value)
    }

    /// An array taken apart.
    private struct Parts {
        var elements: [ScalarValue] = []
        var shape = ArrayShape([])

        init(_ vector: Vector, _ row: Int, _ element: DataType) {
            if vector.isNull(row) { return }
            let (source, index) = vector.position(row)
            shape = ArrayBlob.shape(source.views + index)
            if case .bytes(let bytes) = source.value(at: index) {
                elements = ArrayBlob.elements(bytes, elementType: element)
            }
        }

        func blob(_ element: DataType) throws -> [UInt8] {
            ArrayBlob.encode(elements, elementType: element, shape: try shape.checked())
        }

        private var outOfRange: QueryError { QueryError(SQLState("2202E"), "array subscript out of range") }
        private var wrongCount: QueryError { QueryError(SQLState("2202E"), "wrong number of array subscripts") }

        /// An array of one dimension made long enough for a subscript.
        private mutating func extend(from low: Int, to high: Int) throws {
            let dimension = shape.dimensions[0]
            let lower = min(low, dimension.lower)
            let upper = max(high, dimension.upper)
            shape.dimensions[0] = ArrayShape.Dimension(length: upper - lower + 1, lower: lower)
            _ = try shape.checked()
            elements =
                Array(repeating: .null, count: dimension.lower - lower) + elements
                + Array(repeating: .null, count: upper - dimension.upper)
        }

        mutating func set(_ value: ScalarValue, at subscripts: [Int]) throws {
            if subscripts.count > ArrayShape.dimensionCountMax { throw wrongCount }
            if shape.dimensions.isEmpty {
                shape = ArrayShape(subscripts.map { ArrayShape.Dimension(length: 1, lower: $0) })
                elements = [value]
                return
            }
            guard subscripts.count == shape.dimensions.count else { throw wrongCount }
            if subscripts.count == 1 { try extend(from: subscripts[0], to: subscripts[0]) }
            guard let place = shape.offset(subscripts) else { throw outOfRange }
            elements[place] = value
        }

        /// Bounds come in pairs, lower and upper of each dimension.
        mutating func set(_ source: Parts, between bounds: [Int?]) throws {
            let count = bounds.count / 2
            if count > ArrayShape.dimensionCountMax { throw wrongCount }
            let tooSmall = QueryError(SQLState("2202E"), "source array too small")
            if shape.dimensions.isEmpty {
                var dimensions: [ArrayShape.Dimension] = []
                for index in 0..<count {
                    guard let low = bounds[index * 2], let high = bounds[index * 2 + 1] else {
                        throw QueryError(
                            SQLState("2202E"), "array slice subscript must provide both boundaries",
                            detail: "When assigning to a slice of an empty array value, slice boundaries must be fully "
                                + "specified.")
                    }
                    if low > high {
                        throw QueryError(SQLState("2202E"), "upper bound cannot be less than lower bound")
                    }
                    dimensions.append(ArrayShape.Dimension(length: high - low + 1, lower: low))
                }
                shape = try ArrayShape(dimensions).checked()
                guard source.elements.count >= shape.count else { throw tooSmall }
                elements = Array(source.elements.prefix(shape.count))
                return
            }
            guard count <= shape.dimensions.count else { throw wrongCount }
            var ranges: [(Int, Int)] = []
            for (index, dimension) in shape.dimensions.enumerated() {
                let low = index < count ? bounds[index * 2] ?? dimension.lower : dimension.lower
                let high = index < count ? bounds[index * 2 + 1] ?? dimension.upper : dimension.upper
                if low > high { throw QueryError(SQLState("2202E"), "upper bound cannot be less than lower bound") }
                ranges.append((low, high))
            }
            if shape.dimensions.count == 1 { try extend(from: ranges[0].0, to: ranges[0].1) }
            for (range, dimension) in zip(ranges, shape.dimensions) {
                guard range.0 >= dimension.lower, range.1 <= dimension.upper else { throw outOfRange }
            }
            let places = shape.slice(ranges.map { (lower: $0.0, upper: $0.1) }).places
            guard source.elements.count >= places.count else { throw tooSmall }
            for (place, value) in zip(places, source.elements) { elements[place] = value }
        }
    }
}
