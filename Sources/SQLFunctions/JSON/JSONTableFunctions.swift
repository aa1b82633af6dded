// Functions that give the members of JSON values as rows.

import Columnar
import Diagnostics

enum JSONTableFunctions {
    /// Rows on their way out: batches of at most the standard size.
    final class Rows {
        private let types: [DataType]
        private var builders: [VectorBuilder]

        init(_ types: [DataType]) {
            self.types = types
            builders = types.map { VectorBuilder(type: $0) }
        }

        func append(_ values: [ScalarValue], _ emit: (Batch) throws -> Void) throws {
            for (builder, value) in zip(builders, values) { builder.append(value) }
            if builders[0].count == Batch.standardRowCount { try flush(emit) }
        }

        func flush(_ emit: (Batch) throws -> Void) throws {
            let count = builders[0].count
            if count == 0 { return }
            try emit(Batch(columns: builders.map { $0.finish() }, rowCount: count))
            builders = types.map { VectorBuilder(type: $0) }
        }
    }

    static func add(
        _ registry: FunctionRegistry, _ name: String, _ parameters: [ParameterType], _ fields: [Field],
        _ documentation: String,
        _ body: @escaping @Sendable ([ScalarValue], ([ScalarValue]) throws -> Void) throws -> Void
    ) {
        registry.register(
            TableFunction(
                name, parameters, resultFields: { _ in fields },
                documentation: FunctionDocumentation("JSON", documentation)
            ) { arguments, _, emit in
                if arguments.contains(where: \.isNull) { return }
                let rows = Rows(fields.map(\.type))
                try body(arguments) { try rows.append($0, emit) }
                try rows.flush(emit)
            })
    }

    static func bytes(_ value: ScalarValue) -> [UInt8] { if case .bytes(let bytes) = value { bytes } else { [] } }

    static func register(in registry: FunctionRegistry) {
        registerBinary(in: registry)
        registerText(in: registry)
    }

    private static func failure(_ message: String) -> QueryError { QueryError(.invalidParameterValue, message) }

    /// What `->>` gives for a part.
    private static func text(_ node: JSONNode) -> ScalarValue {
        if node.isNull { return .null }
        var text: [UInt8] = []
        JSONText.appendUnquoted(node, into: &text)
        return .bytes(text)
    }
    private static func text(_ value: JSONTextValue) throws -> ScalarValue {
        if value.isNull { return .null }
        return .bytes(value.isString ? try value.decoded() : Array(value.text))
    }

    // MARK: - jsonb

    private static func registerBinary(in registry: FunctionRegistry) {
        let jsonb = ParameterType.exact(.jsonb)
        add(
            registry, "jsonb_object_keys", [jsonb], [Field(name: "jsonb_object_keys", type: .text)],
            "The keys of an object."
        ) { arguments, append in
            try bytes(arguments[0]).withUnsafeBufferPointer { blob in
                let node = JSONNode(blob)
                guard node.isObject else {
                    throw failure("cannot call jsonb_object_keys on \(node.isArray ? "an array" : "a scalar")")
                }
                for index in 0..<node.memberCount { try append([.bytes(Array(node.key(index)))]) }
            }
        }
        for isText in [false, true] {
            let suffix = isText ? "_text" : ""
            let type: DataType = isText ? .text : .jsonb
            add(
                registry, "jsonb_each\(suffix)", [jsonb],
                [Field(name: "key", type: .text), Field(name: "value", type: type)],
                "The members of an object: keys and values\(isText ? " as text" : "")."
            ) { arguments, append in
                try bytes(arguments[0]).withUnsafeBufferPointer { blob in
                    let node = JSONNode(blob)
                    guard node.isObject else { throw failure("cannot call jsonb_each\(suffix) on a non-object") }
                    for index in 0..<node.memberCount {
                        let value = node.value(index)
                        try append([.bytes(Array(node.key(index))), isText ? text(value) : .bytes(Array(value.bytes))])
                    }
                }
            }
            add(
                registry, "jsonb_array_elements\(suffix)", [jsonb], [Field(name: "value", type: type)],
                "The elements of an array\(isText ? " as text" : "")."
            ) { arguments, append in
                try bytes(arguments[0]).withUnsafeBufferPointer { blob in
                    let node = JSONNode(blob)
                    guard node.isArray else {
                        throw failure("cannot extract elements from \(node.isObject ? "an object" : "a scalar")")
                    }
                    for index in 0..<node.memberCount {
                        let value = node.element(index)
                        try append([isText ? text(value) : .bytes(Array(value.bytes))])
                    }
                }
            }
        }
    }

    // MARK: - json

    private static func registerText(in registry: FunctionRegistry) {
        let json = ParameterType.exact(.json)
        add(
            registry, "json_object_keys", [json], [Field(name: "json_object_keys", type: .text)],
            "The keys of an object."
        ) { arguments, append in
            try bytes(arguments[0]).withUnsafeBufferPointer { text in
                let value = JSONTextValue(text)
                guard value.isObject else {
                    throw failure("cannot call json_object_keys on \(value.isArray ? "an array" : "a scalar")")
                }
                try value.forEachMember { key, _ in try append([.bytes(try key.decoded())]) }
            }
        }
        for isText in [false, true] {
            let suffix = isText ? "_text" : ""
            let type: DataType = isText ? .text : .json
            add(
                registry, "json_each\(suffix)", [json],
                [Field(name: "key", type: .text), Field(name: "value", type: type)],
                "The members of an object: keys and values\(isText ? " as text" : "")."
            ) { arguments, append in
                try bytes(arguments[0]).withUnsafeBufferPointer { source in
                    let value = JSONTextValue(source)
                    guard value.isObject else {
                        throw failure(
                            value.isArray ? "cannot deconstruct an array as an object" : "cannot deconstruct a scalar")
                    }
                    try value.forEachMember { key, member in
                        let shown = isText ? try text(member) : .bytes(Array(member.text))
                        try append([.bytes(try key.decoded()), shown])
                    }
                }
            }
            add(
                registry, "json_array_elements\(suffix)", [json], [Field(name: "value", type: type)],
                "The elements of an array\(isText ? " as text" : "")."
            ) { arguments, append in
                try bytes(arguments[0]).withUnsafeBufferPointer { source in
                    let value = JSONTextValue(source)
                    guard value.isArray else {
                        let shape = value.isObject ? "a non-array" : "a scalar"
                        throw failure("cannot call json_array_elements\(suffix) on \(shape)")
                    }
                    try value.forEachElement { element in
                        try append([isText ? try text(element) : .bytes(Array(element.text))])
                        return true
                    }
                }
            }
        }
    }
}
