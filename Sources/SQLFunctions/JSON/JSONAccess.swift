// Parts of JSON values: the arrow operators, paths, subscripts, and what tells about a value's shape.

import Columnar
import Diagnostics

enum JSONAccess {
    static func documentation(_ text: String, _ example: String? = nil, _ result: String? = nil)
        -> FunctionDocumentation
    {
        FunctionDocumentation("JSON", text, example: example, result: result)
    }

    static func register(in registry: FunctionRegistry) {
        registerBinary(in: registry)
        registerText(in: registry)
        registerShape(in: registry)
    }

    // MARK: - jsonb

    private static func registerBinary(in registry: FunctionRegistry) {
        let jsonb = ParameterType.exact(.jsonb)
        let path = ParameterType.exact(.array(.text))
        registry.scalar(
            "->", [jsonb, .text], .jsonb,
            documentation("The member of an object.", "'{\"a\": {\"b\": 1}}'::jsonb -> 'a'", "{\"b\": 1}")
        ) { arguments, _, count, _ in
            let keys = ViewColumn(arguments[1])
            return JSONKernel.parts(arguments[0], [arguments[1]], count) { $1.member(keys.bytes($0)) }
        }
        registry.scalar(
            "->>", [jsonb, .text], .text,
            documentation("The member of an object as text.", "'{\"a\": \"b\"}'::jsonb ->> 'a'", "b")
        ) { arguments, _, count, _ in
            let keys = ViewColumn(arguments[1])
            return JSONKernel.partTexts(arguments[0], [arguments[1]], count) { $1.member(keys.bytes($0)) }
        }
        registry.scalar(
            "->", [jsonb, .int32], .jsonb,
            documentation("The element of an array, from 0; negative: from the end.", "'[1, 2, 3]'::jsonb -> -1", "3")
        ) { arguments, _, count, _ in
            let positions = ValueColumn<Int32>(arguments[1])
            return JSONKernel.parts(arguments[0], [arguments[1]], count) { element($1, Int(positions[$0])) }
        }
        registry.scalar(
            "->>", [jsonb, .int32], .text,
            documentation("The element of an array as text.", "'[1, \"x\"]'::jsonb ->> 1", "x")
        ) { arguments, _, count, _ in
            let positions = ValueColumn<Int32>(arguments[1])
            return JSONKernel.partTexts(arguments[0], [arguments[1]], count) { element($1, Int(positions[$0])) }
        }
        registry.scalar(
            "#>", [jsonb, path], .jsonb,
            documentation("The part at a path.", "'{\"a\": [1, 2]}'::jsonb #> '{a,1}'", "2")
        ) { arguments, _, count, _ in
            let paths = JSONPathTexts(arguments[1])
            return JSONKernel.parts(arguments[0], [arguments[1]], count) { row, node in
                paths.withSteps(row) { follow(node, $0) }
            }
        }
        registry.scalar(
            "#>>", [jsonb, path], .text,
            documentation("The part at a path as text.", "'{\"a\": [1, \"x\"]}'::jsonb #>> '{a,1}'", "x")
        ) { arguments, _, count, _ in
            let paths = JSONPathTexts(arguments[1])
            return JSONKernel.partTexts(arguments[0], [arguments[1]], count) { row, node in
                paths.withSteps(row) { follow(node, $0) }
            }
        }
        registry.scalar(
            "jsonb_extract_path", [jsonb, .text], .jsonb, isVariadic: true,
            documentation("The part at a path.", "jsonb_extract_path('{\"a\": [1, 2]}', 'a', '1')", "2")
        ) { arguments, _, count, _ in
            let steps = arguments.dropFirst().map { ViewColumn($0) }
            return JSONKernel.parts(arguments[0], Array(arguments.dropFirst()), count) { row, node in
                follow(node, steps.map { $0.bytes(row) })
            }
        }
        registry.scalar(
            "jsonb_extract_path_text", [jsonb, .text], .text, isVariadic: true,
            documentation("The part at a path as text.", "jsonb_extract_path_text('{\"a\": [1, 2]}', 'a', '1')", "2")
        ) { arguments, _, count, _ in
            let steps = arguments.dropFirst().map { ViewColumn($0) }
            return JSONKernel.partTexts(arguments[0], Array(arguments.dropFirst()), count) { row, node in
                follow(node, steps.map { $0.bytes(row) })
            }
        }
        registry.scalar(
            "jsonb_subscript", [jsonb, .text], .jsonb, documentation("What a subscript of jsonb stands for.")
        ) { arguments, _, count, _ in
            let steps = ViewColumn(arguments[1])
            return JSONKernel.parts(arguments[0], [arguments[1]], count) { follow($1, [steps.bytes($0)]) }
        }
    }

    /// An element of an array; for the arrow operators a scalar is an array of one.
    private static func element(_ node: JSONNode, _ position: Int) -> JSONNode? {
        if !node.isContainer { return position == 0 || position == -1 ? node : nil }
        return node.element(atSubscript: position)
    }

    /// The part that a path leads to. Steps into arrays must be integers.
    static func follow(_ node: JSONNode, _ steps: [UnsafeBufferPointer<UInt8>]) -> JSONNode? {
        var node = node
        for step in steps {
            let next: JSONNode?
            if node.isObject {
                next = node.member(step)
            } else if node.isArray {
                next = position(step).flatMap { node.element(atSubscript: $0) }
            } else {
                return nil
            }
            guard let next else { return nil }
            node = next
        }
        return node
    }

    /// An integer as C's `strtol` reads it, with nothing behind it.
    static func position(_ text: UnsafeBufferPointer<UInt8>) -> Int? {
        var index = 0
        while index < text.count, text[index] == 0x20 || (text[index] >= 9 && text[index] <= 13) { index += 1 }
        var isNegative = false
        if index < text.count, text[index] == 0x2D || text[index] == 0x2B {
            isNegative = text[index] == 0x2D
            index += 1
        }
        if index == text.count { return nil }
        var value = 0
        while index < text.count {
            guard text[index] &- 0x30 <= 9 else { return nil }
            value = value * 10 + Int(text[index] &- 0x30)
            if value > 1 << 31 { return nil }
            index += 1
        }
        return Int32(exactly: isNegative ? -value : value).map { Int($0) }
    }

    // MARK: - json

    private static func registerText(in registry: FunctionRegistry) {
        let json = ParameterType.exact(.json)
        let path = ParameterType.exact(.array(.text))
        for (name, result) in [("->", DataType.json), ("->>", .text)] {
            let suffix = result == .text ? " as text." : "."
            registry.scalar(
                name, [json, .text], result, canFail: true,
                documentation("The member of an object\(suffix)", "'{\"a\":5}'::json \(name) 'a'", "5")
            ) { arguments, type, count, _ in
                let keys = ViewColumn(arguments[1])
                return try JSONKernel.textParts(arguments[0], [arguments[1]], type, count) {
                    try $1.member(keys.bytes($0))
                }
            }
            registry.scalar(
                name, [json, .int32], result, canFail: true,
                documentation("The element of an array\(suffix)", "'[1,2,3]'::json \(name) 2", "3")
            ) { arguments, type, count, _ in
                let positions = ValueColumn<Int32>(arguments[1])
                return try JSONKernel.textParts(arguments[0], [arguments[1]], type, count) {
                    $1.element(atSubscript: Int(positions[$0]))
                }
            }
        }
        for (name, result) in [("#>", DataType.json), ("#>>", .text)] {
            registry.scalar(
                name, [json, path], result, canFail: true,
                documentation("The part at a path.", "'{\"a\":[1,2]}'::json \(name) '{a,1}'", "2")
            ) { arguments, type, count, _ in
                let paths = JSONPathTexts(arguments[1])
                return try JSONKernel.textParts(arguments[0], [arguments[1]], type, count) { row, value in
                    try paths.withSteps(row) { try follow(value, $0) }
                }
            }
        }
        for (name, result) in [("json_extract_path", DataType.json), ("json_extract_path_text", .text)] {
            registry.scalar(
                name, [json, .text], result, isVariadic: true, canFail: true,
                documentation("The part at a path.", "\(name)('{\"a\":[1,2]}', 'a', '1')", "2")
            ) { arguments, type, count, _ in
                let steps = arguments.dropFirst().map { ViewColumn($0) }
                return try JSONKernel.textParts(arguments[0], Array(arguments.dropFirst()), type, count) { row, value in
                    try follow(value, steps.map { $0.bytes(row) })
                }
            }
        }
    }

    static func follow(_ value: JSONTextValue, _ steps: [UnsafeBufferPointer<UInt8>]) throws -> JSONTextValue? {
        var value = value
        for step in steps {
            let next: JSONTextValue?
            if value.isObject {
                next = try value.member(step)
            } else if value.isArray {
                next = position(step).flatMap { value.element(atSubscript: $0) }
            } else {
                return nil
            }
            guard let next else { return nil }
            value = next
        }
        return value
    }

    // MARK: - Shape

    private static func registerShape(in registry: FunctionRegistry) {
        registry.scalar(
            "jsonb_typeof", [.exact(.jsonb)], .text,
            documentation("The kind of a value.", "jsonb_typeof('[1]')", "array")
        ) { arguments, type, count, _ in
            let column = ViewColumn(arguments[0])
            return try Kernel.text(arguments, type, count) { row, text in
                text.append(contentsOf: JSONNode(at: column.view(row)).typeName.utf8)
                return true
            }
        }
        registry.scalar(
            "json_typeof", [.exact(.json)], .text, documentation("The kind of a value.", "json_typeof('1')", "number")
        ) { arguments, type, count, _ in
            let column = ViewColumn(arguments[0])
            return try Kernel.text(arguments, type, count) { row, text in
                text.append(contentsOf: JSONTextValue(column.bytes(row)).typeName.utf8)
                return true
            }
        }
        registry.scalar(
            "jsonb_array_length", [.exact(.jsonb)], .int32, canFail: true,
            documentation("The number of elements of an array.", "jsonb_array_length('[1, 2]')", "2")
        ) { arguments, _, count, _ in
            let column = ViewColumn(arguments[0])
            return try lengths(arguments[0], count) { row in
                let node = JSONNode(at: column.view(row))
                return (node.isArray, node.isObject, node.memberCount)
            }
        }
        registry.scalar(
            "json_array_length", [.exact(.json)], .int32, canFail: true,
            documentation("The number of elements of an array.", "json_array_length('[1, 2]')", "2")
        ) { arguments, _, count, _ in
            let column = ViewColumn(arguments[0])
            return try lengths(arguments[0], count) { row in
                let value = JSONTextValue(column.bytes(row))
                return (value.isArray, value.isObject, value.elementCount)
            }
        }
    }

    private static func lengths(
        _ source: Vector, _ count: Int, _ shape: (Int) -> (isArray: Bool, isObject: Bool, count: Int)
    ) throws -> Vector {
        let result = Vector(flat: .int32, capacity: count)
        let target = result.values(Int32.self)
        for row in 0..<count {
            target[row] = 0
            if source.isNull(row) { continue }
            let shape = shape(row)
            guard shape.isArray else {
                throw QueryError(
                    .invalidParameterValue,
                    "cannot get array length of a \(shape.isObject ? "non-array" : "scalar")")
            }
            target[row] = Int32(truncatingIfNeeded: shape.count)
        }
        return result
    }
}

/// Paths in a text[] column, row by row.
struct JSONPathTexts {
    private let column: ViewColumn
    /// The steps of a path that is the same for all rows; `nil` inside: a step is null.
    private let constant: Vector?

    init(_ vector: Vector) {
        column = ViewColumn(vector)
        constant =
            vector.encoding == .constant && !vector.isNull(0) ? JSONPathTexts.decode(column.view(0)) : nil
    }

    private static func decode(_ view: UnsafePointer<StringView>) -> Vector {
        ArrayBlob.decode(StringView.bytes(at: view), byteCount: view.pointee.count, elementType: .text)
    }

    /// The steps as a vector of text, nulls among them.
    func steps(_ row: Int) -> Vector { constant ?? JSONPathTexts.decode(column.view(row)) }

    /// Calls `body` with the steps of a row's path; NULL without it if a step is null.
    func withSteps<R>(_ row: Int, _ body: ([UnsafeBufferPointer<UInt8>]) throws -> R?) rethrows -> R? {
        let steps = steps(row)
        return try withExtendedLifetime(steps) {
            var pieces: [UnsafeBufferPointer<UInt8>] = []
            pieces.reserveCapacity(steps.count)
            for index in 0..<steps.count {
                if steps.isNull(index) { return nil }
                let view = steps.views + index
                pieces.append(UnsafeBufferPointer(start: StringView.bytes(at: view), count: view.pointee.count))
            }
            return try body(pieces)
        }
    }
}
