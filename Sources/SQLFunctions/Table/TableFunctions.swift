// Functions that give rows: generate_series, unnest, and the ones that split text.

import Columnar
import Diagnostics

enum TableFunctions {
    private static func text(_ text: String) -> FunctionDocumentation { FunctionDocumentation("Table", text) }

    static func register(in registry: FunctionRegistry) {
        registerIntegerSeries(in: registry)
        registerDecimalSeries(in: registry)
        registerTimeSeries(in: registry)
        registerArrays(in: registry)
        registerSplits(in: registry)
    }

    private static func add(
        _ registry: FunctionRegistry, _ name: String, _ parameters: [ParameterType], _ column: String,
        typed: @escaping @Sendable ([DataType]) throws -> DataType, _ documentation: String,
        _ evaluate: @escaping @Sendable ([ScalarValue], DataType, [DataType], (Batch) throws -> Void) throws -> Void
    ) {
        registry.register(
            TableFunction(
                name, parameters, resultFields: { [Field(name: column, type: try typed($0))] },
                documentation: text(documentation)
            ) { arguments, types, emit in
                if arguments.contains(where: \.isNull) { return }
                try evaluate(arguments, try typed(types), types, emit)
            })
    }

    /// Emits values from `next` until it gives none.
    private static func emitAll(
        _ type: DataType, _ emit: (Batch) throws -> Void, _ next: () throws -> ScalarValue?
    ) throws {
        var builder = VectorBuilder(type: type)
        while let value = try next() {
            builder.append(value)
            if builder.count == Batch.standardRowCount {
                let vector = builder.finish()
                try emit(Batch(columns: [vector], rowCount: vector.count))
                builder = VectorBuilder(type: type)
            }
        }
        if builder.count > 0 {
            let vector = builder.finish()
            try emit(Batch(columns: [vector], rowCount: vector.count))
        }
    }

    private static func integer(_ value: ScalarValue) -> Int64 {
        if case .integer(let number) = value { number } else { 0 }
    }

    /// Functions without bound: NULL among the arguments gives no rows.
    private static func addSeries(
        _ registry: FunctionRegistry, _ parameters: [ParameterType], _ type: DataType, _ documentation: String,
        _ series: @escaping @Sendable ([ScalarValue], EvaluationContext) throws -> any RowSeries
    ) {
        registry.register(
            TableFunction(
                "generate_series", parameters, resultFields: { _ in [Field(name: "generate_series", type: type)] },
                series: { arguments, _, context in
                    if arguments.contains(where: \.isNull) { return EmptySeries() }
                    return try series(arguments, context)
                }, documentation: text(documentation)))
    }

    private static func registerIntegerSeries(in registry: FunctionRegistry) {
        for type in [DataType.int32, .int64] {
            for hasStep in [false, true] {
                addSeries(
                    registry, Array(repeating: .exact(type), count: hasStep ? 3 : 2), type,
                    "Numbers from the first to the second, both included."
                ) { arguments, _ in
                    try IntegerSeries(
                        from: integer(arguments[0]), to: integer(arguments[1]),
                        step: hasStep ? integer(arguments[2]) : 1, type: type)
                }
            }
        }
    }

    private static func registerDecimalSeries(in registry: FunctionRegistry) {
        for hasStep in [false, true] {
            addSeries(
                registry, Array(repeating: .numeric, count: hasStep ? 3 : 2), .anyNumeric,
                "Numbers from the first to the second, both included."
            ) { arguments, _ in
                let values = arguments.map { argument in
                    if case .bytes(let bytes) = argument { NumericBlob.value(bytes) } else { NumericValue.zero }
                }
                return try DecimalSeries(values)
            }
        }
    }

    private static func registerTimeSeries(in registry: FunctionRegistry) {
        for type in [DataType.timestamp, .timestampTZ] {
            addSeries(
                registry, [.exact(type), .exact(type), .interval], type,
                type == .timestamp
                    ? "Moments from the first to the second, both included."
                    : "Moments from the first to the second, both included, by the session's calendar."
            ) { arguments, context in
                guard case .interval(let step) = arguments[2] else { return EmptySeries() }
                let zone = type == .timestampTZ ? TimeZoneData.named(context.timeZone) : nil
                return try MomentSeries(
                    type, from: integer(arguments[0]), to: integer(arguments[1]), step: step, zone: zone ?? .utc)
            }
        }
    }

    private static func registerArrays(in registry: FunctionRegistry) {
        add(
            registry, "unnest", [.anyArray], "unnest", typed: { $0[0].elementType ?? .text },
            "The elements of an array."
        ) { arguments, type, _, emit in
            guard case .bytes(let bytes) = arguments[0] else { return }
            let elements = bytes.withUnsafeBufferPointer { buffer in
                buffer.baseAddress.map { ArrayBlob.decode($0, byteCount: buffer.count, elementType: type) }
            }
            guard let elements, elements.count > 0 else { return }
            if elements.count <= Batch.standardRowCount {
                return try emit(Batch(columns: [elements], rowCount: elements.count))
            }
            var row = 0
            try emitAll(type, emit) {
                if row == elements.count { return nil }
                defer { row += 1 }
                return elements.value(at: row)
            }
        }
        for hasReverse in [false, true] {
            add(
                registry, "generate_subscripts", [.anyArray, .int32] + (hasReverse ? [.boolean] : []),
                "generate_subscripts",
                typed: { _ in .int32 }, "The subscripts of an array's dimension."
            ) { arguments, type, _, emit in
                guard case .bytes(let bytes) = arguments[0], case .integer(let number) = arguments[1] else { return }
                let shape = bytes.withUnsafeBufferPointer { buffer in
                    buffer.baseAddress.map { ArrayBlob.shape($0, byteCount: buffer.count) }
                }
                guard let shape, number >= 1, number <= Int64(shape.dimensions.count) else { return }
                let dimension = shape.dimensions[Int(number) - 1]
                let (first, last) = (Int64(dimension.lower), Int64(dimension.upper))
                let isReverse = hasReverse && arguments[2] == .boolean(true)
                let series = try IntegerSeries(
                    from: isReverse ? last : first, to: isReverse ? first : last, step: isReverse ? -1 : 1, type: type)
                while let batch = series.next() { try emit(batch) }
            }
        }
    }

    private static func registerSplits(in registry: FunctionRegistry) {
        for hasNull in [false, true] {
            registry.register(
                TableFunction(
                    "string_to_table", Array(repeating: .text, count: hasNull ? 3 : 2),
                    resultFields: { _ in [Field(name: "string_to_table", type: .text)] },
                    documentation: text("The parts of a text between separators, one a row.")
                ) { arguments, _, emit in
                    guard let source = arguments[0].text else { return }
                    let nullText = hasNull ? arguments[2].text : nil
                    var parts = ArrayFunctions.split(source, separator: arguments[1].text)[...]
                    try emitAll(.text, emit) {
                        guard let part = parts.popFirst() else { return nil }
                        return part == nullText ? .null : .string(part)
                    }
                })
        }
        for hasFlags in [false, true] {
            add(
                registry, "regexp_split_to_table", Array(repeating: .text, count: hasFlags ? 3 : 2),
                "regexp_split_to_table",
                typed: { _ in .text }, "The parts of a text between matches of a pattern, one a row."
            ) { arguments, type, _, emit in
                let flags = hasFlags ? arguments[2].text ?? "" : ""
                try RegexSearches.refuseGlobal(flags, "regexp_split_to_table")
                let regex = try RegexCache.regex(arguments[1].text ?? "", flags: flags)
                var parts = try regex.split(arguments[0].text ?? "")[...]
                try emitAll(type, emit) { parts.popFirst().map { .string($0) } }
            }
            add(
                registry, "regexp_matches", Array(repeating: .text, count: hasFlags ? 3 : 2), "regexp_matches",
                typed: { _ in .array(.text) }, "The groups of the first match, or with flag g of all, one array a row."
            ) { arguments, type, _, emit in
                let flags = hasFlags ? arguments[2].text ?? "" : ""
                let regex = try RegexCache.regex(arguments[1].text ?? "", flags: flags)
                let all = try regex.matches(
                    Array((arguments[0].text ?? "").utf8), limit: flags.contains("g") ? Int.max : 1)
                var rows = all.map { $0.groupsOrWhole }[...]
                try emitAll(type, emit) {
                    rows.popFirst().map { groups in
                        .bytes(ArrayBlob.encode(groups.map { $0.map { .bytes($0) } ?? .null }, elementType: .text))
                    }
                }
            }
        }
    }
}
