// Questions about jsonb values: containment and keys.

import Columnar
import Diagnostics

enum JSONPredicates {
    static func register(in registry: FunctionRegistry) {
        let jsonb = ParameterType.exact(.jsonb)
        registry.scalar(
            "@>", [jsonb, jsonb], .boolean, canFail: true,
            JSONAccess.documentation(
                "Whether the left value contains the right one.", "'{\"a\": 1, \"b\": 2}'::jsonb @> '{\"b\": 2}'", "t")
        ) { arguments, _, count, _ in
            let (a, b) = (ViewColumn(arguments[0]), ViewColumn(arguments[1]))
            return try test(arguments, count) { try contains(JSONNode(at: a.view($0)), JSONNode(at: b.view($0))) }
        }
        registry.scalar(
            "<@", [jsonb, jsonb], .boolean, canFail: true,
            JSONAccess.documentation("Whether the right value contains the left one.", "'1'::jsonb <@ '[1, 2]'", "t")
        ) { arguments, _, count, _ in
            let (a, b) = (ViewColumn(arguments[0]), ViewColumn(arguments[1]))
            return try test(arguments, count) { try contains(JSONNode(at: b.view($0)), JSONNode(at: a.view($0))) }
        }
        for name in ["?", "jsonb_exists"] {
            registry.scalar(
                name, [jsonb, .text], .boolean,
                JSONAccess.documentation("Whether a text is a key of an object or an element of an array.")
            ) { arguments, _, count, _ in
                let (a, b) = (ViewColumn(arguments[0]), ViewColumn(arguments[1]))
                return test(arguments, count) { has(JSONNode(at: a.view($0)), b.bytes($0)) }
            }
        }
        for (name, isAll) in [("?|", false), ("jsonb_exists_any", false), ("?&", true), ("jsonb_exists_all", true)] {
            registry.scalar(
                name, [jsonb, .exact(.array(.text))], .boolean,
                JSONAccess.documentation("Whether \(isAll ? "all" : "any") of the texts are keys or elements.")
            ) { arguments, _, count, _ in
                let a = ViewColumn(arguments[0])
                let lists = JSONPathTexts(arguments[1])
                return test(arguments, count) { row in
                    let node = JSONNode(at: a.view(row))
                    let keys = lists.steps(row)
                    for index in 0..<keys.count where !keys.isNull(index) {
                        let view = keys.views + index
                        let key = UnsafeBufferPointer(start: StringView.bytes(at: view), count: view.pointee.count)
                        if has(node, key) != isAll { return !isAll }
                    }
                    return isAll
                }
            }
        }
    }

    private static func test(_ arguments: [Vector], _ count: Int, _ body: (Int) throws -> Bool) rethrows -> Vector {
        let result = Vector(flat: .boolean, capacity: count)
        let target = result.values(UInt8.self)
        let mayHaveNulls = arguments.contains { $0.mayHaveNulls }
        for row in 0..<count {
            target[row] = 0
            if mayHaveNulls, arguments.contains(where: { $0.isNull(row) }) { continue }
            target[row] = flag(try body(row))
        }
        return result
    }

    private static func has(_ node: JSONNode, _ key: UnsafeBufferPointer<UInt8>) -> Bool {
        if node.isObject { return node.index(of: key) != nil }
        if node.isString { return JSONOrder.compareText(node.stringBytes, key) == 0 }
        guard node.isArray else { return false }
        for index in 0..<node.memberCount {
            let element = node.element(index)
            if element.isString, JSONOrder.compareText(element.stringBytes, key) == 0 { return true }
        }
        return false
    }

    /// Levels that a comparison descends; each takes some of the thread's stack.
    static let depthMax = 4_000

    /// Containment: a scalar counts as an array of one, but contains no array. Error: 54001.
    static func contains(_ value: JSONNode, _ part: JSONNode, depth: Int = 0) throws -> Bool {
        if depth > depthMax { throw QueryError(.statementTooComplex, "stack depth limit exceeded") }
        if value.isObject || part.isObject {
            guard value.isObject, part.isObject, value.memberCount >= part.memberCount else { return false }
            for index in 0..<part.memberCount {
                guard let own = value.member(part.key(index)) else { return false }
                let wanted = part.value(index)
                if wanted.isContainer {
                    guard own.isContainer, own.kind == wanted.kind, try contains(own, wanted, depth: depth + 1) else {
                        return false
                    }
                } else if own.isContainer || JSONOrder.compareScalars(own, wanted) != 0 {
                    return false
                }
            }
            return true
        }
        if !value.isContainer { return !part.isContainer && JSONOrder.compareScalars(value, part) == 0 }
        if !part.isContainer { return hasScalar(value, part) }
        for index in 0..<part.memberCount {
            let wanted = part.element(index)
            if !wanted.isContainer {
                if !hasScalar(value, wanted) { return false }
                continue
            }
            var isFound = false
            for position in 0..<value.memberCount where !isFound {
                let own = value.element(position)
                isFound = own.kind == wanted.kind ? try contains(own, wanted, depth: depth + 1) : false
            }
            if !isFound { return false }
        }
        return true
    }

    private static func hasScalar(_ array: JSONNode, _ scalar: JSONNode) -> Bool {
        for index in 0..<array.memberCount {
            let element = array.element(index)
            if !element.isContainer, JSONOrder.compareScalars(element, scalar) == 0 { return true }
        }
        return false
    }
}
