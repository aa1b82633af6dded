// Members of JSON objects as values of SQL types: json_to_record and its kin.

import Columnar
import Diagnostics

enum JSONRecords {
    static func register(in registry: FunctionRegistry) {
        let documentation = JSONAccess.documentation("A member of an object as a column of json_to_record.")
        registry.scalar(
            "json member as", [.exact(.jsonb), .text], typed: { _ in .text }, volatility: .stable, canFail: true,
            documentation
        ) { arguments, type, count, context in
            let column = ViewColumn(arguments[0])
            return try members(arguments, type, count, context) { row, key in
                let node = JSONNode(at: column.view(row))
                try checkObject(isObject: node.isObject, isArray: node.isArray, "jsonb_to_record")
                guard let member = node.member(key), !member.isNull else { return nil }
                return try value(member, as: type, TextSettings(context))
            }
        }
        registry.scalar(
            "json member as", [.exact(.json), .text], typed: { _ in .text }, volatility: .stable, canFail: true,
            documentation
        ) { arguments, type, count, context in
            let column = ViewColumn(arguments[0])
            return try members(arguments, type, count, context) { row, key in
                let text = JSONTextValue(column.bytes(row))
                try checkObject(isObject: text.isObject, isArray: text.isArray, "json_to_record")
                guard let member = try text.member(key), !member.isNull else { return nil }
                return try value(member, as: type, TextSettings(context))
            }
        }
        registerObjects(in: registry)
        registerPopulation(in: registry)
    }

    static func checkObject(isObject: Bool, isArray: Bool, _ name: String) throws {
        if isObject { return }
        throw QueryError(
            .invalidParameterValue, "cannot call \(name) on \(isArray ? "an array" : "a scalar")")
    }

    private static func members(
        _ arguments: [Vector], _ type: DataType, _ count: Int, _ context: EvaluationContext,
        _ body: (Int, UnsafeBufferPointer<UInt8>) throws -> ScalarValue?
    ) throws -> Vector {
        let builder = VectorBuilder(type: type, capacity: count)
        let keys = ViewColumn(arguments[1])
        for row in 0..<count {
            if arguments[0].isNull(row) || arguments[1].isNull(row) {
                builder.appendNull()
            } else {
                builder.append(try body(row, keys.bytes(row)) ?? .null)
            }
        }
        return builder.finish()
    }

    /// A value that is not null.
    static func value(_ node: JSONNode, as type: DataType, _ settings: TextSettings) throws -> ScalarValue {
        switch type {
        case .jsonb: return .bytes(Array(node.bytes))
        case .json: return .bytes(Array(JSONText.text(node).utf8))
        case .array(let element) where !node.isString:
            guard node.isArray else { throw expectedArray }
            var members = JSONArrayMembers(element: element)
            try members.gather(node, settings)
            return try members.blob()
        case .record(let fields) where !node.isString:
            try checkObject(isObject: node.isObject, isArray: node.isArray, "populate_composite")
            return try record(node, fields, base: nil, settings)
        default:
            var text: [UInt8] = []
            JSONText.appendUnquoted(node, into: &text)
            return try text.withUnsafeBufferPointer { try TextFormat.parse($0, as: type, settings: settings) }
        }
    }

    static func value(_ source: JSONTextValue, as type: DataType, _ settings: TextSettings) throws
        -> ScalarValue
    {
        switch type {
        case .json: return .bytes(Array(source.text))
        case .jsonb: return .bytes(try JSONText.blob(source.text))
        case .array(let element) where !source.isString:
            guard source.isArray else { throw expectedArray }
            var members = JSONArrayMembers(element: element)
            try members.gather(source, settings)
            return try members.blob()
        case .record(let fields) where !source.isString:
            try checkObject(isObject: source.isObject, isArray: source.isArray, "populate_composite")
            return try record(source, fields, base: nil, settings)
        default:
            let text = source.isString ? try source.decoded() : Array(source.text)
            return try text.withUnsafeBufferPointer { try TextFormat.parse($0, as: type, settings: settings) }
        }
    }

    static var expectedArray: QueryError { QueryError(.invalidTextRepresentation, "expected JSON array") }

    // MARK: - Sets

    /// The objects of an array, one a row, for the members to be taken out of.
    private static func registerObjects(in registry: FunctionRegistry) {
        JSONTableFunctions.add(
            registry, "jsonb_to_recordset objects", [.exact(.jsonb)], [Field(name: "value", type: .jsonb)],
            "The objects of an array."
        ) { arguments, append in
            try JSONTableFunctions.bytes(arguments[0]).withUnsafeBufferPointer { blob in
                let node = JSONNode(blob)
                try checkSet(isArray: node.isArray, isObject: node.isObject, "jsonb_to_recordset")
                for index in 0..<node.memberCount {
                    let element = node.element(index)
                    if !element.isObject { throw notObjects("jsonb_to_recordset") }
                    try append([.bytes(Array(element.bytes))])
                }
            }
        }
        JSONTableFunctions.add(
            registry, "json_to_recordset objects", [.exact(.json)], [Field(name: "value", type: .json)],
            "The objects of an array."
        ) { arguments, append in
            try JSONTableFunctions.bytes(arguments[0]).withUnsafeBufferPointer { text in
                let value = JSONTextValue(text)
                try checkSet(isArray: value.isArray, isObject: value.isObject, "json_to_recordset")
                try value.forEachElement { element in
                    if !element.isObject { throw notObjects("json_to_recordset") }
                    try append([.bytes(Array(element.text))])
                    return true
                }
            }
        }
    }

    static func checkSet(isArray: Bool, isObject: Bool, _ name: String) throws {
        if isArray { return }
        throw QueryError(
            .invalidParameterValue, "cannot call \(name) on \(isObject ? "an object" : "a scalar")")
    }
    static func notObjects(_ name: String) -> QueryError {
        QueryError(.invalidParameterValue, "argument of \(name) must be an array of objects")
    }
}
