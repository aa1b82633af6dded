// The functions and operators that evaluate paths.

import Columnar
import Diagnostics

enum JSONPathFunctions {
    /// Paths of a column; the last one stays parsed.
    private final class Paths {
        private let column: ViewColumn
        private var text: [UInt8] = []
        private var path: JSONPath?

        init(_ vector: Vector) { column = ViewColumn(vector) }

        func path(_ row: Int) throws -> JSONPath {
            let bytes = column.bytes(row)
            if let path, text.elementsEqual(bytes) { return path }
            let parsed = try JSONPath(bytes)
            text = Array(bytes)
            path = parsed
            return parsed
        }
    }

    static func register(in registry: FunctionRegistry) {
        registerOperators(in: registry)
        for usesZone in [false, true] {
            registerScalars(usesZone, in: registry)
            registerQuery(usesZone, in: registry)
        }
    }

    private static func each(
        _ arguments: [Vector], _ count: Int, _ context: EvaluationContext, usesZone: Bool, isSilent: Bool? = nil,
        _ body: (Int, JSONPathEvaluator, JSONPath, Bool) throws -> Void
    ) throws {
        let targets = ViewColumn(arguments[0])
        let paths = Paths(arguments[1])
        let variables = arguments.count > 2 ? ViewColumn(arguments[2]) : nil
        let silent = arguments.count > 3 ? ValueColumn<UInt8>(arguments[3]) : nil
        let zone = usesZone ? TextSettings(context).timeZone : nil
        let isOperator = isSilent != nil
        for row in 0..<count where !arguments.contains(where: { $0.isNull(row) }) {
            let path = try paths.path(row)
            let isSilent = isSilent ?? silent.map { $0[row] != 0 } ?? false
            let evaluator = try JSONPathEvaluator(
                path, JSONNode(at: targets.view(row)), variables: variables.map { JSONNode(at: $0.view(row)) },
                isSilent: isSilent, zone: zone, missingIsNull: isOperator)
            try body(row, evaluator, path, isSilent)
        }
    }

    private static func setNull(_ result: Vector, _ row: Int) { Validity.setNull(result.ensureValidity(), row) }

    private static func exists(
        _ arguments: [Vector], _ count: Int, _ context: EvaluationContext, usesZone: Bool, isSilent: Bool? = nil
    ) throws -> Vector {
        let result = Vector(flat: .boolean, capacity: count)
        let target = result.values(UInt8.self)
        target.update(repeating: 0, count: count)
        try each(arguments, count, context, usesZone: usesZone, isSilent: isSilent) { row, evaluator, path, _ in
            let outcome = try evaluator.run(path, into: nil)
            if outcome == .failed { setNull(result, row) } else { target[row] = flag(outcome == .ok) }
        }
        return result
    }

    private static func match(
        _ arguments: [Vector], _ count: Int, _ context: EvaluationContext, usesZone: Bool, isSilent: Bool? = nil
    ) throws -> Vector {
        let result = Vector(flat: .boolean, capacity: count)
        let target = result.values(UInt8.self)
        target.update(repeating: 0, count: count)
        try each(arguments, count, context, usesZone: usesZone, isSilent: isSilent) { row, evaluator, path, isSilent in
            let items = JSONPathItems()
            _ = try evaluator.run(path, into: items)
            if items.items.count == 1, items.items[0].moment == nil {
                let node = items.items[0].node
                if node.isBoolean {
                    target[row] = flag(node.kind == .true)
                    return
                }
                if node.isNull { return setNull(result, row) }
            }
            if !isSilent { throw QueryError(SQLState("22038"), "single boolean result is expected") }
            setNull(result, row)
        }
        return result
    }

    private static func registerOperators(in registry: FunctionRegistry) {
        let parameters: [ParameterType] = [.exact(.jsonb), .exact(.jsonpath)]
        registry.scalar(
            "@?", parameters, .boolean, canFail: true,
            JSONAccess.documentation(
                "Whether a path gives any item.", "'{\"a\": [1, 2]}'::jsonb @? '$.a[*] ? (@ > 1)'", "t")
        ) { try exists($0, $2, $3, usesZone: false, isSilent: true) }
        registry.scalar(
            "@@", parameters, .boolean, canFail: true,
            JSONAccess.documentation("The truth value of a path.", "'{\"a\": [1, 2]}'::jsonb @@ '$.a[*] > 1'", "t")
        ) { try match($0, $2, $3, usesZone: false, isSilent: true) }
    }

    /// Target and path, then perhaps variables and whether errors are silent.
    private static func signatures() -> [[ParameterType]] {
        let all: [ParameterType] = [.exact(.jsonb), .exact(.jsonpath), .exact(.jsonb), .boolean]
        return (2...4).map { Array(all.prefix($0)) }
    }

    private static func registerScalars(_ usesZone: Bool, in registry: FunctionRegistry) {
        let suffix = usesZone ? "_tz" : ""
        for parameters in signatures() {
            registry.scalar(
                "jsonb_path_exists\(suffix)", parameters, .boolean, volatility: usesZone ? .stable : .immutable,
                canFail: true, JSONAccess.documentation("Whether a path gives any item.")
            ) { try exists($0, $2, $3, usesZone: usesZone) }
            registry.scalar(
                "jsonb_path_match\(suffix)", parameters, .boolean, volatility: usesZone ? .stable : .immutable,
                canFail: true, JSONAccess.documentation("The truth value of a path.")
            ) { try match($0, $2, $3, usesZone: usesZone) }
            registry.scalar(
                "jsonb_path_query_array\(suffix)", parameters, .jsonb, volatility: usesZone ? .stable : .immutable,
                canFail: true, JSONAccess.documentation("The items of a path as an array.")
            ) { try collect($0, $2, $3, usesZone: usesZone, asArray: true) }
            registry.scalar(
                "jsonb_path_query_first\(suffix)", parameters, .jsonb, volatility: usesZone ? .stable : .immutable,
                canFail: true, JSONAccess.documentation("The first item of a path.")
            ) { try collect($0, $2, $3, usesZone: usesZone, asArray: false) }
        }
    }

    private static func collect(
        _ arguments: [Vector], _ count: Int, _ context: EvaluationContext, usesZone: Bool, asArray: Bool
    ) throws -> Vector {
        let result = Vector(flat: .jsonb, capacity: count)
        for row in 0..<count { result.views[row] = StringView() }
        let heap = StringHeap(chunkByteCount: 4 << 10)
        var builder = JSONBuilder()
        try each(arguments, count, context, usesZone: usesZone) { row, evaluator, path, _ in
            let items = JSONPathItems()
            _ = try evaluator.run(path, into: items)
            if asArray {
                builder.removeAll()
                builder.beginArray()
                for item in items.items { builder.node(evaluator.node(of: item)) }
                builder.end()
                result.views[row] = try builder.withNode { heap.copy($0) }
            } else if let first = items.items.first {
                result.views[row] = heap.copy(evaluator.node(of: first))
            } else {
                setNull(result, row)
            }
        }
        result.pinned = heap.buffers
        return result
    }

    /// Table functions do not know the session's zone: where it matters, both forms raise 0A000.
    private static func registerQuery(_ usesZone: Bool, in registry: FunctionRegistry) {
        let name = usesZone ? "jsonb_path_query_tz" : "jsonb_path_query"
        for parameters in signatures() {
            JSONTableFunctions.add(
                registry, name, parameters, [Field(name: name, type: .jsonb)], "The items of a path."
            ) { arguments, append in
                let blobs = arguments.prefix(3).map { JSONTableFunctions.bytes($0) }
                let isSilent = arguments.count > 3 && arguments[3] == .boolean(true)
                try blobs[0].withUnsafeBufferPointer { target in
                    try (blobs.count > 2 ? blobs[2] : []).withUnsafeBufferPointer { variables in
                        let path = try blobs[1].withUnsafeBufferPointer { try JSONPath($0) }
                        let evaluator = try JSONPathEvaluator(
                            path, JSONNode(target), variables: blobs.count > 2 ? JSONNode(variables) : nil,
                            isSilent: isSilent, zone: nil)
                        let items = JSONPathItems()
                        _ = try evaluator.run(path, into: items)
                        for item in items.items { try append([.bytes(Array(evaluator.node(of: item).bytes))]) }
                    }
                }
            }
        }
    }
}
