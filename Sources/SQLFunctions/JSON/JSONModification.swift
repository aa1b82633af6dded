// jsonb values made of others: concatenation, deletion, replacement and insertion at paths.

import Columnar
import Diagnostics

enum JSONModification {
    static func register(in registry: FunctionRegistry) {
        registerOperators(in: registry)
        registerSetters(in: registry)
        registerShapes(in: registry)
    }

    private static func scalarError(_ what: String) -> QueryError { QueryError(.invalidParameterValue, what) }

    // MARK: - Operators

    private static func registerOperators(in registry: FunctionRegistry) {
        let jsonb = ParameterType.exact(.jsonb)
        registry.scalar(
            "||", [jsonb, jsonb], .jsonb, canFail: true,
            JSONAccess.documentation(
                "Two objects merged, or two values as one array.", "'{\"a\": 1}'::jsonb || '{\"b\": 2}'",
                "{\"a\": 1, \"b\": 2}")
        ) { arguments, _, count, _ in
            let (a, b) = (ViewColumn(arguments[0]), ViewColumn(arguments[1]))
            return try JSONKernel.build(arguments, count) { row, builder in
                concatenate(JSONNode(at: a.view(row)), JSONNode(at: b.view(row)), &builder)
                return true
            }
        }
        registry.scalar(
            "-", [jsonb, .text], .jsonb, canFail: true,
            JSONAccess.documentation(
                "An object without a member, or an array without a string.", "'{\"a\": 1, \"b\": 2}'::jsonb - 'a'",
                "{\"b\": 2}")
        ) { arguments, _, count, _ in
            let (a, b) = (ViewColumn(arguments[0]), ViewColumn(arguments[1]))
            return try JSONKernel.build(arguments, count) { row, builder in
                try delete([b.bytes(row)], from: JSONNode(at: a.view(row)), &builder)
                return true
            }
        }
        registry.scalar(
            "-", [jsonb, .exact(.array(.text))], .jsonb, canFail: true,
            JSONAccess.documentation(
                "An object without members, or an array without strings.",
                "'{\"a\": 1, \"b\": 2}'::jsonb - '{a,b}'::text[]", "{}")
        ) { arguments, _, count, _ in
            let a = ViewColumn(arguments[0])
            let lists = JSONPathTexts(arguments[1])
            return try JSONKernel.build(arguments, count) { row, builder in
                let keys = lists.steps(row)
                var wanted: [UnsafeBufferPointer<UInt8>] = []
                for index in 0..<keys.count where !keys.isNull(index) {
                    let view = keys.views + index
                    wanted.append(UnsafeBufferPointer(start: StringView.bytes(at: view), count: view.pointee.count))
                }
                try withExtendedLifetime(keys) { try delete(wanted, from: JSONNode(at: a.view(row)), &builder) }
                return true
            }
        }
        registry.scalar(
            "-", [jsonb, .int32], .jsonb, canFail: true,
            JSONAccess.documentation("An array without the element at a position.", "'[1, 2, 3]'::jsonb - 0", "[2, 3]")
        ) { arguments, _, count, _ in
            let a = ViewColumn(arguments[0])
            let positions = ValueColumn<Int32>(arguments[1])
            return try JSONKernel.build(arguments, count) { row, builder in
                try delete(position: Int(positions[row]), from: JSONNode(at: a.view(row)), &builder)
                return true
            }
        }
        for name in ["#-", "jsonb_delete_path"] {
            registry.scalar(
                name, [jsonb, .exact(.array(.text))], .jsonb, canFail: true,
                JSONAccess.documentation("A value without the part at a path.")
            ) { arguments, _, count, _ in
                let a = ViewColumn(arguments[0])
                let paths = JSONPathTexts(arguments[1])
                return try JSONKernel.build(arguments, count) { row, builder in
                    try deletePath(JSONNode(at: a.view(row)), paths.steps(row), &builder)
                    return true
                }
            }
        }
    }

    private static func concatenate(_ a: JSONNode, _ b: JSONNode, _ builder: inout JSONBuilder) {
        if a.isObject && b.isObject {
            builder.beginObject()
            for node in [a, b] {
                for index in 0..<node.memberCount {
                    builder.key(node.key(index))
                    builder.node(node.value(index))
                }
            }
            return builder.end()
        }
        builder.beginArray()
        for node in [a, b] {
            if node.isArray {
                for index in 0..<node.memberCount { builder.node(node.element(index)) }
            } else {
                builder.node(node)
            }
        }
        builder.end()
    }

    private static func delete(
        _ keys: [UnsafeBufferPointer<UInt8>], from node: JSONNode, _ builder: inout JSONBuilder
    ) throws {
        guard node.isContainer else { throw scalarError("cannot delete from scalar") }
        func isDeleted(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
            keys.contains { JSONOrder.compareText($0, text) == 0 }
        }
        if node.isObject {
            builder.beginObject()
            for index in 0..<node.memberCount where !isDeleted(node.key(index)) {
                builder.key(node.key(index))
                builder.node(node.value(index))
            }
        } else {
            builder.beginArray()
            for index in 0..<node.memberCount {
                let element = node.element(index)
                if !(element.isString && isDeleted(element.stringBytes)) { builder.node(element) }
            }
        }
        builder.end()
    }

    private static func delete(position: Int, from node: JSONNode, _ builder: inout JSONBuilder) throws {
        guard node.isContainer else { throw scalarError("cannot delete from scalar") }
        guard node.isArray else { throw scalarError("cannot delete from object using integer index") }
        let deleted = position < 0 ? position + node.memberCount : position
        builder.beginArray()
        for index in 0..<node.memberCount where index != deleted { builder.node(node.element(index)) }
        builder.end()
    }

    static func deletePath(_ node: JSONNode, _ path: Vector, _ builder: inout JSONBuilder) throws {
        guard node.isContainer else { throw scalarError("cannot delete path in scalar") }
        if node.memberCount == 0 || path.count == 0 { return builder.node(node) }
        try JSONPathEdit(path: path, mode: .delete, value: nil).apply(node, &builder)
    }

    // MARK: - Setters

    private static func registerSetters(in registry: FunctionRegistry) {
        let jsonb = ParameterType.exact(.jsonb)
        let path = ParameterType.exact(.array(.text))
        for hasFlag in [false, true] {
            let parameters = [jsonb, path, jsonb] + (hasFlag ? [ParameterType.boolean] : [])
            registry.scalar(
                "jsonb_set", parameters, .jsonb, canFail: true,
                JSONAccess.documentation(
                    "A value with another part at a path; a missing last step is added unless the flag is false.",
                    "jsonb_set('{\"a\": 1}', '{a}', '2'\(hasFlag ? ", true" : ""))", "{\"a\": 2}")
            ) { arguments, _, count, _ in
                let creates = hasFlag ? ValueColumn<UInt8>(arguments[3]) : nil
                return try edit(arguments, count) { row in creates.map { $0[row] == 0 } == true ? .replace : .create }
            }
            registry.scalar(
                "jsonb_insert", parameters, .jsonb, canFail: true,
                JSONAccess.documentation(
                    "A value with a part added at a path: in front of an element, or behind it if the flag is true.",
                    "jsonb_insert('{\"a\": [0, 1]}', '{a,1}', '\"x\"'\(hasFlag ? ", false" : ""))",
                    "{\"a\": [0, \"x\", 1]}")
            ) { arguments, _, count, _ in
                let after = hasFlag ? ValueColumn<UInt8>(arguments[3]) : nil
                return try edit(arguments, count) { row in
                    after.map { $0[row] != 0 } == true ? .insertAfter : .insertBefore
                }
            }
        }
        for extra in 0...2 {
            registry.scalar(
                "jsonb_set_lax", [jsonb, path, jsonb] + [.boolean, .text].prefix(extra), .jsonb, isStrict: false,
                canFail: true,
                JSONAccess.documentation("As jsonb_set, with a choice of what a NULL as the new part does.")
            ) { arguments, _, count, _ in try setLax(arguments, count) }
        }
    }

    private static func edit(
        _ arguments: [Vector], _ count: Int, _ mode: (Int) -> JSONPathEdit.Mode
    ) throws -> Vector {
        let (a, b) = (ViewColumn(arguments[0]), ViewColumn(arguments[2]))
        let paths = JSONPathTexts(arguments[1])
        return try JSONKernel.build(arguments, count) { row, builder in
            try set(
                JSONNode(at: a.view(row)), paths.steps(row), JSONNode(at: b.view(row)), mode(row), &builder)
            return true
        }
    }

    private static func set(
        _ node: JSONNode, _ path: Vector, _ value: JSONNode, _ mode: JSONPathEdit.Mode, _ builder: inout JSONBuilder
    ) throws {
        guard node.isContainer else { throw scalarError("cannot set path in scalar") }
        if path.count == 0 || (node.memberCount == 0 && mode == .replace) { return builder.node(node) }
        try JSONPathEdit(path: path, mode: mode, value: value).apply(node, &builder)
    }

    private static let nullTreatment = QueryError(
        .invalidParameterValue,
        "null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\"")

    private static func setLax(_ arguments: [Vector], _ count: Int) throws -> Vector {
        let (a, b) = (ViewColumn(arguments[0]), ViewColumn(arguments[2]))
        let paths = JSONPathTexts(arguments[1])
        let creates = arguments.count > 3 ? ValueColumn<UInt8>(arguments[3]) : nil
        let treatments = arguments.count > 4 ? ViewColumn(arguments[4]) : nil
        return try JSONKernel.build(arguments, count, skipsNulls: false) { row, builder in
            if arguments[0].isNull(row) || arguments[1].isNull(row) { return false }
            if arguments.count > 3, arguments[3].isNull(row) { return false }
            if arguments.count > 4, arguments[4].isNull(row) { throw nullTreatment }
            let mode: JSONPathEdit.Mode = creates.map { $0[row] != 0 } ?? true ? .create : .replace
            let node = JSONNode(at: a.view(row))
            if !arguments[2].isNull(row) {
                try set(node, paths.steps(row), JSONNode(at: b.view(row)), mode, &builder)
                return true
            }
            switch treatments?.string(row) ?? "use_json_null" {
            case "raise_exception":
                throw QueryError(
                    .nullValueNotAllowed, "JSON value must not be null",
                    detail: "Exception was raised because null_value_treatment is \"raise_exception\".",
                    hint: "To avoid, either change the null_value_treatment argument or ensure that an SQL NULL is "
                        + "not passed.")
            case "use_json_null":
                try set(
                    node, paths.steps(row), JSONNode(UnsafeBufferPointer(start: nil, count: 0)), mode, &builder)
            case "delete_key": try deletePath(node, paths.steps(row), &builder)
            case "return_target": builder.node(node)
            default: throw nullTreatment
            }
            return true
        }
    }

    // MARK: - Shapes

    private static func registerShapes(in registry: FunctionRegistry) {
        registry.scalar(
            "jsonb_strip_nulls", [.exact(.jsonb)], .jsonb, canFail: true,
            JSONAccess.documentation(
                "A value without the members that are null, at all levels.",
                "jsonb_strip_nulls('{\"a\": 1, \"b\": null}')", "{\"a\": 1}")
        ) { arguments, _, count, _ in
            let column = ViewColumn(arguments[0])
            return try JSONKernel.build(arguments, count) { row, builder in
                stripNulls(JSONNode(at: column.view(row)), &builder)
                return true
            }
        }
        registry.scalar(
            "json_strip_nulls", [.exact(.json)], .json, canFail: true,
            JSONAccess.documentation(
                "A value without the members that are null, at all levels.",
                "json_strip_nulls('{\"a\": 1, \"b\": null}')", "{\"a\":1}")
        ) { arguments, type, count, _ in
            let column = ViewColumn(arguments[0])
            return try Kernel.text(arguments, type, count) { row, text in
                try stripNulls(JSONTextValue(column.bytes(row)), &text, 0)
                return true
            }
        }
        registry.scalar(
            "jsonb_pretty", [.exact(.jsonb)], .text,
            JSONAccess.documentation("A value's text with a line for each part.", "jsonb_pretty('[]')", "[\n]")
        ) { arguments, type, count, _ in
            let column = ViewColumn(arguments[0])
            return try Kernel.text(arguments, type, count) { row, text in
                JSONText.appendPretty(JSONNode(at: column.view(row)), into: &text)
                return true
            }
        }
    }

    private static func stripNulls(_ node: JSONNode, _ builder: inout JSONBuilder) {
        var walker = JSONWalker(node)
        var key: UnsafeBufferPointer<UInt8>?
        while let event = walker.next() {
            switch event {
            case .key(let text): key = text
            case .scalar(let scalar) where scalar.isNull && key != nil: key = nil
            default:
                if let text = key { builder.key(text) }
                key = nil
                builder.append(event)
            }
        }
    }

    private static func stripNulls(_ value: JSONTextValue, _ text: inout [UInt8], _ depth: Int) throws {
        if depth > JSONPredicates.depthMax { throw QueryError(.statementTooComplex, "stack depth limit exceeded") }
        var isFirst = true
        if value.isObject {
            text.append(0x7B)
            try value.forEachMember { key, member in
                if member.isNull { return }
                if !isFirst { text.append(0x2C) }
                isFirst = false
                JSONText.appendQuoted(try key.decoded(), into: &text)
                text.append(0x3A)
                try stripNulls(member, &text, depth + 1)
            }
            text.append(0x7D)
        } else if value.isArray {
            text.append(0x5B)
            try value.forEachElement { element in
                if !isFirst { text.append(0x2C) }
                isFirst = false
                try stripNulls(element, &text, depth + 1)
                return true
            }
            text.append(0x5D)
        } else if value.isString {
            JSONText.appendQuoted(try value.decoded(), into: &text)
        } else {
            text.append(contentsOf: value.text)
        }
    }
}

/// A change at a path of a jsonb value.
struct JSONPathEdit {
    enum Mode { case create, replace, insertBefore, insertAfter, delete }
    let path: Vector
    let mode: Mode
    /// What is put in; `nil` when deleting.
    let value: JSONNode?

    private var adds: Bool { mode == .create || inserts }
    private var inserts: Bool { mode == .insertBefore || mode == .insertAfter }
    private static let absent = Int.min

    private func putValue(_ builder: inout JSONBuilder) { if let value { builder.node(value) } }

    private func step(_ level: Int) throws -> UnsafeBufferPointer<UInt8> {
        if path.isNull(level) {
            throw QueryError(.nullValueNotAllowed, "path element at position \(level + 1) is null")
        }
        let view = path.views + level
        return UnsafeBufferPointer(start: StringView.bytes(at: view), count: view.pointee.count)
    }

    /// Builds the changed value. Errors: 22004 for a null step, 22P02 for a step into an array that is no integer, 22023
    /// for inserting what is there, 54001.
    func apply(_ node: JSONNode, _ builder: inout JSONBuilder, level: Int = 0) throws {
        if level > JSONPredicates.depthMax { throw QueryError(.statementTooComplex, "stack depth limit exceeded") }
        if level >= path.count || !node.isContainer { return builder.node(node) }
        let step = try step(level)
        if node.isObject {
            try applyToObject(node, step, &builder, level)
        } else {
            try applyToArray(node, step, &builder, level)
        }
    }

    private func applyToObject(
        _ node: JSONNode, _ step: UnsafeBufferPointer<UInt8>, _ builder: inout JSONBuilder, _ level: Int
    ) throws {
        let isLast = level == path.count - 1
        let found = node.index(of: step)
        builder.beginObject()
        for index in 0..<node.memberCount {
            if index != found {
                builder.key(node.key(index))
                builder.node(node.value(index))
            } else if !isLast {
                builder.key(node.key(index))
                try apply(node.value(index), &builder, level: level + 1)
            } else if inserts {
                throw QueryError(
                    .invalidParameterValue, "cannot replace existing key",
                    hint: "Try using the function jsonb_set to replace key value.")
            } else if mode != .delete {
                builder.key(node.key(index))
                putValue(&builder)
            }
        }
        if found == nil, isLast, adds {
            builder.key(step)
            putValue(&builder)
        }
        builder.end()
    }

    private func applyToArray(
        _ node: JSONNode, _ step: UnsafeBufferPointer<UInt8>, _ builder: inout JSONBuilder, _ level: Int
    ) throws {
        guard var position = JSONAccess.position(step) else {
            throw QueryError(
                .invalidTextRepresentation,
                "path element at position \(level + 1) is not an integer: "
                    + "\"\(String(decoding: step, as: UTF8.self))\"")
        }
        let count = node.memberCount
        let isLast = level == path.count - 1
        if position < 0 {
            position = -position > count ? JSONPathEdit.absent : position + count
        } else if position > count {
            position = count
        }
        builder.beginArray()
        var isDone = false
        if isLast, adds, position == JSONPathEdit.absent || count == 0 {
            putValue(&builder)
            isDone = true
        }
        for index in 0..<count {
            guard index == position else {
                builder.node(node.element(index))
                continue
            }
            isDone = true
            if !isLast {
                try apply(node.element(index), &builder, level: level + 1)
                continue
            }
            if mode == .insertBefore || mode == .create || mode == .replace { putValue(&builder) }
            if inserts { builder.node(node.element(index)) }
            if mode == .insertAfter { putValue(&builder) }
        }
        if isLast, adds, !isDone { putValue(&builder) }
        builder.end()
    }
}
