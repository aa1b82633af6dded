// JSON values made of SQL values.

import Columnar
import Diagnostics

enum JSONConstruction {
    static func register(in registry: FunctionRegistry) {
        registerConversions(in: registry)
        registerBuilders(in: registry)
        registerObjects(in: registry)
    }

    private static func registerConversions(in registry: FunctionRegistry) {
        registry.scalar(
            "to_json", [.any], .json, volatility: .stable, canFail: true,
            JSONAccess.documentation("A value as JSON.", "to_json(ARRAY[1, 2])", "[1,2]")
        ) { arguments, type, count, context in
            let settings = TextSettings(context)
            return try Kernel.text(arguments, type, count) { row, text in
                try JSONConversion.append(arguments[0], row, settings: settings, into: &text)
                return true
            }
        }
        registry.scalar(
            "to_jsonb", [.any], .jsonb, volatility: .stable, canFail: true,
            JSONAccess.documentation("A value as jsonb.", "to_jsonb(ARRAY[1, 2])", "[1, 2]")
        ) { arguments, _, count, context in
            let settings = TextSettings(context)
            return try JSONKernel.build(arguments, count) { row, builder in
                try JSONConversion.build(arguments[0], row, settings: settings, into: &builder)
                return true
            }
        }
        for hasFlag in [false, true] {
            registry.scalar(
                "row_to_json", [.any] + (hasFlag ? [.boolean] : []), .json, volatility: .stable, canFail: true,
                JSONAccess.documentation(
                    "A row as a JSON object; with a flag, one field a line.",
                    "row_to_json(ROW(1, 'a')\(hasFlag ? ", false" : ""))", "{\"f1\":1,\"f2\":\"a\"}")
            ) { arguments, type, count, context in
                guard case .record(let fields) = arguments[0].type else {
                    throw QueryError(
                        .undefinedFunction,
                        "function row_to_json(\(TypeConversion.displayName(arguments[0].type))) does not exist")
                }
                let settings = TextSettings(context)
                let flags = hasFlag ? ValueColumn<UInt8>(arguments[1]) : nil
                return try Kernel.text(arguments, type, count) { row, text in
                    let (vector, index) = arguments[0].position(row)
                    let isSplit = flags.map { $0[row] != 0 } ?? false
                    try JSONConversion.appendRecord(
                        vector, index, fields, separator: isSplit ? ",\n " : ",", settings: settings, into: &text)
                    return true
                }
            }
            registry.scalar(
                "array_to_json", [.anyArray] + (hasFlag ? [.boolean] : []), .json, volatility: .stable, canFail: true,
                JSONAccess.documentation(
                    "An array as JSON; with a flag, one element a line.",
                    "array_to_json(ARRAY[1, 2]\(hasFlag ? ", false" : ""))", "[1,2]")
            ) { arguments, type, count, context in
                let settings = TextSettings(context)
                let element = arguments[0].type.elementType ?? .text
                let flags = hasFlag ? ValueColumn<UInt8>(arguments[1]) : nil
                return try Kernel.text(arguments, type, count) { row, text in
                    let (vector, index) = arguments[0].position(row)
                    let isSplit = flags.map { $0[row] != 0 } ?? false
                    try JSONConversion.appendArray(
                        vector, index, element, separator: isSplit ? ",\n " : ",", settings: settings, into: &text)
                    return true
                }
            }
        }
    }

    static func appendArray(
        _ elements: Vector, separator: String, _ settings: TextSettings, into text: inout [UInt8]
    ) throws {
        text.append(0x5B)
        for index in 0..<elements.count {
            if index > 0 { text.append(contentsOf: separator.utf8) }
            try JSONConversion.append(elements, index, settings: settings, into: &text)
        }
        text.append(0x5D)
    }

    // MARK: - Builders

    private static let oddArguments = "argument list must have even number of elements"

    private static func registerBuilders(in registry: FunctionRegistry) {
        for parameters in [[], [ParameterType.any]] {
            let isVariadic = !parameters.isEmpty
            registry.scalar(
                "json_build_array", parameters, .json, isVariadic: isVariadic, volatility: .stable, isStrict: false,
                canFail: true,
                JSONAccess.documentation(
                    "An array of the arguments.", isVariadic ? "json_build_array(1, 'a', NULL)" : "json_build_array()",
                    isVariadic ? "[1, \"a\", null]" : "[]")
            ) { arguments, type, count, context in
                let settings = TextSettings(context)
                return try Kernel.text([], type, count) { row, text in
                    text.append(0x5B)
                    for (index, argument) in arguments.enumerated() {
                        if index > 0 { text.append(contentsOf: [0x2C, 0x20]) }
                        try JSONConversion.append(argument, row, settings: settings, into: &text)
                    }
                    text.append(0x5D)
                    return true
                }
            }
            registry.scalar(
                "jsonb_build_array", parameters, .jsonb, isVariadic: isVariadic, volatility: .stable, isStrict: false,
                canFail: true,
                JSONAccess.documentation(
                    "An array of the arguments.",
                    isVariadic ? "jsonb_build_array(1, 'a', NULL)" : "jsonb_build_array()",
                    isVariadic ? "[1, \"a\", null]" : "[]")
            ) { arguments, _, count, context in
                let settings = TextSettings(context)
                return try JSONKernel.build(arguments, count, skipsNulls: false) { row, builder in
                    builder.beginArray()
                    for argument in arguments {
                        try JSONConversion.build(argument, row, settings: settings, into: &builder)
                    }
                    builder.end()
                    return true
                }
            }
            registerObjectBuilders(parameters, isVariadic, in: registry)
        }
        registerVariadicForms(in: registry)
    }

    private static func registerObjectBuilders(
        _ parameters: [ParameterType], _ isVariadic: Bool, in registry: FunctionRegistry
    ) {
        registry.scalar(
            "json_build_object", parameters, .json, isVariadic: isVariadic, volatility: .stable, isStrict: false,
            canFail: true,
            JSONAccess.documentation(
                "An object of keys and values in turn.",
                isVariadic ? "json_build_object('a', 1)" : "json_build_object()", isVariadic ? "{\"a\" : 1}" : "{}")
        ) { arguments, type, count, context in
            let settings = TextSettings(context)
            return try Kernel.text([], type, count) { row, text in
                try appendObject(arguments, row, settings, into: &text)
                return true
            }
        }
        registry.scalar(
            "jsonb_build_object", parameters, .jsonb, isVariadic: isVariadic, volatility: .stable, isStrict: false,
            canFail: true,
            JSONAccess.documentation(
                "An object of keys and values in turn.",
                isVariadic ? "jsonb_build_object('a', 1)" : "jsonb_build_object()", isVariadic ? "{\"a\": 1}" : "{}")
        ) { arguments, _, count, context in
            let settings = TextSettings(context)
            try checkEven(arguments.count, "jsonb_build_object")
            return try JSONKernel.build(arguments, count, skipsNulls: false) { row, builder in
                builder.beginObject()
                for index in stride(from: 0, to: arguments.count, by: 2) {
                    if arguments[index].isNull(row) {
                        throw QueryError(
                            .invalidParameterValue, "argument \(index + 1): key must not be null")
                    }
                    builder.key(try key(arguments[index], row, settings))
                    try JSONConversion.build(arguments[index + 1], row, settings: settings, into: &builder)
                }
                builder.end()
                return true
            }
        }
    }

    private static func checkEven(_ count: Int, _ name: String) throws {
        if count % 2 == 0 { return }
        throw QueryError(
            .invalidParameterValue, oddArguments,
            hint: "The arguments of \(name)() must consist of alternating keys and values.")
    }

    /// The text that a value has as a key. Error: 22023 for what is no scalar.
    static func key(_ source: Vector, _ sourceRow: Int, _ settings: TextSettings) throws -> [UInt8] {
        let (vector, row) = source.position(sourceRow)
        switch vector.type {
        case .array, .json, .jsonb, .record:
            throw QueryError(
                .invalidParameterValue, "key value must be scalar, not array, composite, or json")
        default: return JSONConversion.plainText(vector, row, settings)
        }
    }

    private static func appendObject(
        _ arguments: [Vector], _ row: Int, _ settings: TextSettings, into text: inout [UInt8]
    ) throws {
        try checkEven(arguments.count, "json_build_object")
        text.append(0x7B)
        for index in stride(from: 0, to: arguments.count, by: 2) {
            if index > 0 { text.append(contentsOf: [0x2C, 0x20]) }
            if arguments[index].isNull(row) {
                throw QueryError(
                    .invalidParameterValue, "argument \(index + 1) cannot be null",
                    hint: "Object keys should be text.")
            }
            JSONText.appendQuoted(try key(arguments[index], row, settings), into: &text)
            text.append(contentsOf: " : ".utf8)
            try JSONConversion.append(arguments[index + 1], row, settings: settings, into: &text)
        }
        text.append(0x7D)
    }

    /// `json_build_array(VARIADIC array)` and its kin.
    private static func registerVariadicForms(in registry: FunctionRegistry) {
        registry.scalar(
            "json_build_array_variadic", [.anyArray], .json, volatility: .stable, canFail: true,
            JSONAccess.documentation("What json_build_array(VARIADIC array) stands for.")
        ) { arguments, type, count, context in
            let settings = TextSettings(context)
            let element = arguments[0].type.elementType ?? .text
            return try Kernel.text(arguments, type, count) { row, text in
                let (vector, index) = arguments[0].position(row)
                try appendArray(
                    JSONConversion.elements(vector, index, element), separator: ", ", settings, into: &text)
                return true
            }
        }
        registry.scalar(
            "json_build_object_variadic", [.anyArray], .json, volatility: .stable, canFail: true,
            JSONAccess.documentation("What json_build_object(VARIADIC array) stands for.")
        ) { arguments, type, count, context in
            let settings = TextSettings(context)
            let element = arguments[0].type.elementType ?? .text
            return try Kernel.text(arguments, type, count) { row, text in
                let (vector, index) = arguments[0].position(row)
                let elements = JSONConversion.elements(vector, index, element)
                try checkEven(elements.count, "json_build_object")
                text.append(0x7B)
                for position in stride(from: 0, to: elements.count, by: 2) {
                    if position > 0 { text.append(contentsOf: [0x2C, 0x20]) }
                    if elements.isNull(position) {
                        throw QueryError(
                            .invalidParameterValue, "argument \(position + 1) cannot be null",
                            hint: "Object keys should be text.")
                    }
                    JSONText.appendQuoted(try key(elements, position, settings), into: &text)
                    text.append(contentsOf: " : ".utf8)
                    try JSONConversion.append(elements, position + 1, settings: settings, into: &text)
                }
                text.append(0x7D)
                return true
            }
        }
        registry.scalar(
            "jsonb_build_object_variadic", [.anyArray], .jsonb, volatility: .stable, canFail: true,
            JSONAccess.documentation("What jsonb_build_object(VARIADIC array) stands for.")
        ) { arguments, _, count, context in
            let settings = TextSettings(context)
            let element = arguments[0].type.elementType ?? .text
            return try JSONKernel.build(arguments, count) { row, builder in
                let (vector, index) = arguments[0].position(row)
                let elements = JSONConversion.elements(vector, index, element)
                try checkEven(elements.count, "jsonb_build_object")
                builder.beginObject()
                for position in stride(from: 0, to: elements.count, by: 2) {
                    if elements.isNull(position) {
                        throw QueryError(.invalidParameterValue, "argument \(position + 1): key must not be null")
                    }
                    builder.key(try key(elements, position, settings))
                    try JSONConversion.build(elements, position + 1, settings: settings, into: &builder)
                }
                builder.end()
                return true
            }
        }
    }

    // MARK: - Objects of text

    private static func registerObjects(in registry: FunctionRegistry) {
        let list = ParameterType.exact(.array(.text))
        for hasValues in [false, true] {
            let parameters = hasValues ? [list, list] : [list]
            let example = hasValues ? "('{a,b}', '{1,2}')" : "('{a,1,b,2}')"
            registry.scalar(
                "json_object", parameters, .json, canFail: true,
                JSONAccess.documentation(
                    "An object of texts.", "json_object\(example)", "{\"a\" : \"1\", \"b\" : \"2\"}")
            ) { arguments, type, count, _ in
                let columns = arguments.map { JSONPathTexts($0) }
                return try Kernel.text(arguments, type, count) { row, text in
                    text.append(0x7B)
                    var isFirst = true
                    try checkShapes(arguments, row)
                    try forEachPair(columns.map { $0.steps(row) }) { key, value in
                        if !isFirst { text.append(contentsOf: [0x2C, 0x20]) }
                        isFirst = false
                        JSONText.appendQuoted(key, into: &text)
                        text.append(contentsOf: " : ".utf8)
                        if let value {
                            JSONText.appendQuoted(value, into: &text)
                        } else {
                            text.append(contentsOf: "null".utf8)
                        }
                    }
                    text.append(0x7D)
                    return true
                }
            }
            registry.scalar(
                "jsonb_object", parameters, .jsonb, canFail: true,
                JSONAccess.documentation(
                    "An object of texts.", "jsonb_object\(example)", "{\"a\": \"1\", \"b\": \"2\"}")
            ) { arguments, _, count, _ in
                let columns = arguments.map { JSONPathTexts($0) }
                return try JSONKernel.build(arguments, count) { row, builder in
                    try checkShapes(arguments, row)
                    builder.beginObject()
                    try forEachPair(columns.map { $0.steps(row) }) { key, value in
                        builder.key(key)
                        if let value { builder.string(value) } else { builder.null() }
                    }
                    builder.end()
                    return true
                }
            }
        }
    }

    /// One list may have two columns instead; two lists have one dimension each. Errors: 2202E.
    private static func checkShapes(_ arguments: [Vector], _ row: Int) throws {
        for argument in arguments {
            let (vector, index) = argument.position(row)
            let dimensions = ArrayBlob.shape(vector.views + index).dimensions
            if dimensions.count <= 1 { continue }
            if dimensions.count == 2, arguments.count == 1 {
                if dimensions[1].length == 2 { continue }
                throw QueryError(SQLState("2202E"), "array must have two columns")
            }
            throw QueryError(SQLState("2202E"), "wrong number of array subscripts")
        }
    }

    /// Pairs of one list, in turn, or of two. Errors: 2202E for lists that do not match, 22004 for a null key.
    private static func forEachPair(_ lists: [Vector], _ body: ([UInt8], [UInt8]?) -> Void) throws {
        let keys = lists[0]
        let values = lists.count > 1 ? lists[1] : keys
        if lists.count == 1, keys.count % 2 != 0 {
            throw QueryError(.arraySubscriptError, "array must have even number of elements")
        }
        if lists.count > 1, keys.count != values.count {
            throw QueryError(.arraySubscriptError, "mismatched array dimensions")
        }
        for index in 0..<(lists.count > 1 ? keys.count : keys.count / 2) {
            let (at, valueAt) = lists.count > 1 ? (index, index) : (index * 2, index * 2 + 1)
            if keys.isNull(at) {
                throw QueryError(.nullValueNotAllowed, "null value not allowed for object key")
            }
            body(
                StringView.array(at: keys.views + at),
                values.isNull(valueAt) ? nil : StringView.array(at: values.views + valueAt))
        }
    }
}
