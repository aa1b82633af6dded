// JSON objects as records: json_populate_record and json_populate_recordset, and the nested arrays of json_to_record.

import Columnar
import Diagnostics

/// The members of nested JSON arrays as the elements of one array. The first member that is none itself says how deep they
/// lie.
struct JSONArrayMembers {
    let element: DataType
    private var elements: [ScalarValue] = []
    private var lengths: [Int] = []
    private var depth: Int?

    init(element: DataType) { self.element = element }

    private var mismatch: QueryError {
        QueryError(
            .invalidTextRepresentation, "malformed JSON array",
            detail: "Multidimensional arrays must have sub-arrays with matching dimensions.")
    }

    private mutating func note(length: Int, at level: Int) throws {
        if level == lengths.count { lengths.append(length) } else if lengths[level] != length { throw mismatch }
    }

    /// Whether a member at a level is an element; arrays are as deep as the first element.
    private mutating func isElement(isArray: Bool, at level: Int) throws -> Bool {
        if let depth {
            if level == depth { return true }
            if !isArray { throw JSONRecords.expectedArray }
            return false
        }
        if isArray { return false }
        guard level >= lengths.count else { throw JSONRecords.expectedArray }
        depth = level
        return true
    }

    mutating func gather(_ node: JSONNode, _ settings: TextSettings, level: Int = 0) throws {
        if level > ArrayShape.dimensionCountMax { throw mismatch }
        try note(length: node.memberCount, at: level)
        for index in 0..<node.memberCount {
            let member = node.element(index)
            if try isElement(isArray: member.isArray, at: level + 1) {
                elements.append(member.isNull ? .null : try JSONRecords.value(member, as: element, settings))
            } else {
                try gather(member, settings, level: level + 1)
            }
        }
    }

    mutating func gather(_ source: JSONTextValue, _ settings: TextSettings, level: Int = 0) throws {
        if level > ArrayShape.dimensionCountMax { throw mismatch }
        var members: [JSONTextValue] = []
        source.forEachElement { member in
            members.append(member)
            return true
        }
        try note(length: members.count, at: level)
        for member in members {
            if try isElement(isArray: member.isArray, at: level + 1) {
                elements.append(member.isNull ? .null : try JSONRecords.value(member, as: element, settings))
            } else {
                try gather(member, settings, level: level + 1)
            }
        }
    }

    func blob() throws -> ScalarValue {
        let shape = try ArrayShape(lengths.map { ArrayShape.Dimension(length: $0) }).checked()
        guard shape.count == elements.count else { throw mismatch }
        return .bytes(ArrayBlob.encode(elements, elementType: element, shape: shape))
    }
}

extension JSONRecords {
    /// An object as a record: fields that it does not have come from `base`.
    static func record(_ node: JSONNode, _ fields: [Field], base: [ScalarValue]?, _ settings: TextSettings) throws
        -> ScalarValue
    {
        let values = try fields.enumerated().map { index, field -> ScalarValue in
            let member = Array(field.name.utf8).withUnsafeBufferPointer { node.member($0) }
            guard let member else { return base?[index] ?? .null }
            return member.isNull ? .null : try value(member, as: field.type, settings)
        }
        return .bytes(RecordBlob.encode(values, fields))
    }

    static func record(_ source: JSONTextValue, _ fields: [Field], base: [ScalarValue]?, _ settings: TextSettings)
        throws
        -> ScalarValue
    {
        let values = try fields.enumerated().map { index, field -> ScalarValue in
            let member = try Array(field.name.utf8).withUnsafeBufferPointer { try source.member($0) }
            guard let member else { return base?[index] ?? .null }
            return member.isNull ? .null : try value(member, as: field.type, settings)
        }
        return .bytes(RecordBlob.encode(values, fields))
    }

    /// The fields of a record in a row of a vector; `nil` if it is null.
    private static func base(_ records: Vector, _ row: Int, _ fields: [Field]) -> [ScalarValue]? {
        guard case .bytes(let bytes) = records.value(at: row) else { return nil }
        return RecordBlob.values(bytes, fields)
    }

    static func registerPopulation(in registry: FunctionRegistry) {
        for type in [DataType.json, .jsonb] {
            let prefix = type == .json ? "json" : "jsonb"
            registry.scalar(
                prefix + "_populate_record", [.any, .exact(type)],
                typed: { try rowType($0[0], prefix + "_populate_record") },
                volatility: .stable, isStrict: false, canFail: true,
                JSONAccess.documentation(
                    "The object's members as the fields of a record, others from the first argument.")
            ) { arguments, result, count, context in
                let settings = TextSettings(context)
                let fields = result.recordFields ?? []
                let column = ViewColumn(arguments[1])
                let builder = VectorBuilder(type: result, capacity: count)
                for row in 0..<count {
                    let base = base(arguments[0], row, fields)
                    if arguments[1].isNull(row) {
                        builder.append(arguments[0].isNull(row) ? .null : arguments[0].value(at: row))
                    } else if type == .json {
                        let source = JSONTextValue(column.bytes(row))
                        try checkObject(
                            isObject: source.isObject, isArray: source.isArray, "json_populate_record")
                        builder.append(try record(source, fields, base: base, settings))
                    } else {
                        let node = JSONNode(at: column.view(row))
                        try checkObject(isObject: node.isObject, isArray: node.isArray, "jsonb_populate_record")
                        builder.append(try record(node, fields, base: base, settings))
                    }
                }
                return builder.finish()
            }
            registerSet(prefix + "_populate_recordset", type, in: registry)
        }
    }

    private static func rowType(_ type: DataType, _ name: String) throws -> DataType {
        if type.recordFields != nil { return type }
        guard type == .unknown || type == .text else {
            throw QueryError(.datatypeMismatch, "first argument of \(name) must be a row type")
        }
        throw QueryError(
            .invalidParameterValue, "could not determine row type for result of \(name)",
            hint: "Provide a non-null record argument, or call the function in the FROM clause using a column "
                + "definition list.")
    }

    private static func registerSet(_ name: String, _ type: DataType, in registry: FunctionRegistry) {
        registry.register(
            TableFunction(
                name, [.any, .exact(type)],
                resultFields: { [Field(name: name, type: try rowType($0[0], name))] },
                documentation: JSONAccess.documentation("The objects of an array as records.")
            ) { arguments, types, emit in
                guard case .bytes(let bytes) = arguments[1] else { return }
                let fields = types[0].recordFields ?? []
                var base: [ScalarValue]?
                if case .bytes(let record) = arguments[0] { base = RecordBlob.values(record, fields) }
                let settings = TextSettings()
                let builder = VectorBuilder(type: types[0], capacity: 16)
                var count = 0
                try bytes.withUnsafeBufferPointer { buffer in
                    if type == .json {
                        let source = JSONTextValue(buffer)
                        try checkSet(isArray: source.isArray, isObject: source.isObject, name)
                        try source.forEachElement { element in
                            if !element.isObject { throw notObjects(name) }
                            builder.append(try record(element, fields, base: base, settings))
                            count += 1
                            return true
                        }
                    } else {
                        let node = JSONNode(buffer)
                        try checkSet(isArray: node.isArray, isObject: node.isObject, name)
                        for index in 0..<node.memberCount {
                            let element = node.element(index)
                            if !element.isObject { throw notObjects(name) }
                            builder.append(try record(element, fields, base: base, settings))
                            count += 1
                        }
                    }
                }
                if count > 0 { try emit(Batch(columns: [builder.finish()], rowCount: count)) }
            })
    }
}
