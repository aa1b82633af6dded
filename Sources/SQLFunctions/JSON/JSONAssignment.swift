// jsonb with the part that a path leads to replaced, as SET column['key'][0] = … asks for.

import Columnar
import Diagnostics

enum JSONAssignment {
    static func register(in registry: FunctionRegistry) {
        registry.scalar(
            "jsonb assign", [.exact(.jsonb), .exact(.jsonb), .boolean, .text], .jsonb, isVariadic: true,
            isStrict: false, canFail: true,
            JSONAccess.documentation("The value with the part that a path leads to replaced or added.")
        ) { arguments, type, count, _ in
            let (targets, values) = (ViewColumn(arguments[0]), ViewColumn(arguments[1]))
            let builder = VectorBuilder(type: type, capacity: count)
            for row in 0..<count {
                var path: [[UInt8]] = []
                for step in arguments.dropFirst(3) {
                    guard case .bytes(let key) = step.value(at: row) else {
                        throw QueryError(.nullValueNotAllowed, "jsonb subscript in assignment must not be null")
                    }
                    path.append(key)
                }
                let value = arguments[1].isNull(row) ? nil : JSONNode(at: values.view(row))
                let assignment = Assignment(path: path, value: value)
                var output = JSONBuilder()
                if arguments[0].isNull(row) {
                    try assignment.create(
                        0, asObject: arguments[2].value(at: row) == .boolean(true), into: &output)
                } else {
                    try assignment.apply(to: JSONNode(at: targets.view(row)), 0, into: &output)
                }
                builder.append(.bytes(try output.finish()))
            }
            return builder.finish()
        }
    }

    private struct Assignment {
        let path: [[UInt8]]
        /// None is JSON's null.
        let value: JSONNode?

        private func put(into builder: inout JSONBuilder) {
            if let value { builder.node(value) } else { builder.null() }
        }

        private func index(_ step: Int) -> Int? { Int(String(decoding: path[step], as: UTF8.self)) }

        /// A value for the rest of the path where nothing is yet: arrays for numbers, objects for other keys.
        func create(_ step: Int, asObject: Bool? = nil, into builder: inout JSONBuilder) throws {
            guard step < path.count else { return put(into: &builder) }
            if asObject ?? (index(step) == nil) {
                builder.beginObject()
                builder.key(String(decoding: path[step], as: UTF8.self))
                try create(step + 1, into: &builder)
                builder.end()
                return
            }
            builder.beginArray()
            guard let place = index(step), place >= 0 else { throw outOfRange(step) }
            try pad(place, into: &builder)
            try create(step + 1, into: &builder)
            builder.end()
        }

        private func outOfRange(_ step: Int) -> QueryError {
            QueryError(
                .invalidParameterValue,
                "path element at position \(step + 1) is out of range: \(String(decoding: path[step], as: UTF8.self))")
        }

        private func pad(_ count: Int, into builder: inout JSONBuilder) throws {
            guard count <= ArrayShape.elementCountMax else {
                throw QueryError(.programLimitExceeded, "array size exceeds the maximum allowed")
            }
            for _ in 0..<count { builder.null() }
        }

        func apply(to node: JSONNode, _ step: Int, into builder: inout JSONBuilder) throws {
            guard step < path.count else { return put(into: &builder) }
            if node.isObject {
                builder.beginObject()
                var isFound = false
                for member in 0..<node.memberCount {
                    builder.key(node.key(member))
                    if node.key(member).elementsEqual(path[step]) {
                        isFound = true
                        try apply(to: node.value(member), step + 1, into: &builder)
                    } else {
                        builder.node(node.value(member))
                    }
                }
                if !isFound {
                    builder.key(String(decoding: path[step], as: UTF8.self))
                    try create(step + 1, into: &builder)
                }
                builder.end()
            } else if node.isArray {
                guard var place = index(step) else {
                    throw QueryError(
                        .invalidTextRepresentation,
                        "path element at position \(step + 1) is not an integer: "
                            + "\"\(String(decoding: path[step], as: UTF8.self))\"")
                }
                if place < 0 { place += node.memberCount }
                if place < 0 { throw outOfRange(step) }
                builder.beginArray()
                for member in 0..<node.memberCount {
                    if member == place {
                        try apply(to: node.element(member), step + 1, into: &builder)
                    } else {
                        builder.node(node.element(member))
                    }
                }
                if place >= node.memberCount {
                    try pad(place - node.memberCount, into: &builder)
                    try create(step + 1, into: &builder)
                }
                builder.end()
            } else {
                throw QueryError(
                    .invalidParameterValue, "cannot replace existing key",
                    detail: "The path assumes key is a composite object, but it is a scalar value.")
            }
        }
    }
}
