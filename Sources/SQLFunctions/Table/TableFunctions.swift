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
    private static let zeroStep = QueryError(.invalidParameterValue, "step size cannot equal zero")

    private static func registerIntegerSeries(in registry: FunctionRegistry) {
        for type in [DataType.int32, .int64] {
            for hasStep in [false, true] {
                add(
                    registry, "generate_series", Array(repeating: .exact(type), count: hasStep ? 3 : 2),
                    "generate_series",
                    typed: { _ in type }, "Numbers from the first to the second, both included."
                ) { arguments, type, _, emit in
                    try integers(
                        from: integer(arguments[0]), to: integer(arguments[1]),
                        step: hasStep ? integer(arguments[2]) : 1, type, emit)
                }
            }
        }
    }

    private static func integers(
        from: Int64, to: Int64, step: Int64, _ type: DataType, _ emit: (Batch) throws -> Void
    ) throws {
        if step == 0 { throw zeroStep }
        var next = from
        var isDone = step > 0 ? from > to : from < to
        while !isDone {
            let vector = Vector(flat: type, capacity: Batch.standardRowCount)
            var count = 0
            while count < Batch.standardRowCount && !isDone {
                if type.physical == .int32 {
                    vector.values(Int32.self)[count] = Int32(truncatingIfNeeded: next)
                } else {
                    vector.values(Int64.self)[count] = next
                }
                count &+= 1
                let (sum, overflow) = next.addingReportingOverflow(step)
                next = sum
                isDone = overflow || (step > 0 ? sum > to : sum < to)
            }
            vector.count = count
            try emit(Batch(columns: [vector], rowCount: count))
        }
    }

    private static func registerDecimalSeries(in registry: FunctionRegistry) {
        for hasStep in [false, true] {
            add(
                registry, "generate_series", Array(repeating: .numeric, count: hasStep ? 3 : 2), "generate_series",
                typed: { _ in .anyNumeric }, "Numbers from the first to the second, both included."
            ) { arguments, type, _, emit in
                let names = ["start value", "stop value", "step size"]
                let values = arguments.map { argument in
                    if case .bytes(let bytes) = argument { NumericBlob.value(bytes) } else { NumericValue.zero }
                }
                for (name, value) in zip(names, values) where !value.isFinite {
                    throw QueryError(
                        .invalidParameterValue, "\(name) cannot be \(value.isNaN ? "NaN" : "infinity")")
                }
                let step = hasStep ? values[2] : .one
                if step.isZero { throw zeroStep }
                var next = values[0]
                try emitAll(type, emit) {
                    let order = NumericValue.compare(next, values[1])
                    if step.signum > 0 ? order > 0 : order < 0 { return nil }
                    defer { next = NumericValue.sum(next, step) }
                    return .bytes(NumericBlob.bytes(next))
                }
            }
        }
    }

    private static func registerTimeSeries(in registry: FunctionRegistry) {
        for type in [DataType.timestamp, .timestampTZ] {
            registry.register(
                TableFunction(
                    "generate_series", [.exact(type), .exact(type), .interval],
                    resultFields: { _ in [Field(name: "generate_series", type: type)] },
                    documentation: text(
                        type == .timestamp
                            ? "Moments from the first to the second, both included."
                            : "Moments from the first to the second, both included, by the session's calendar."),
                    evaluateInSession: { arguments, _, context, emit in
                        if arguments.contains(where: \.isNull) { return }
                        guard case .interval(let step) = arguments[2] else { return }
                        let zone = type == .timestampTZ ? TimeZoneData.named(context.timeZone) : nil
                        try emitMoments(type, arguments, by: step, in: zone ?? .utc, emit)
                    }))
        }
    }

    private static func emitMoments(
        _ type: DataType, _ bounds: [ScalarValue], by step: IntervalValue, in zone: TimeZoneData,
        _ emit: (Batch) throws -> Void
    ) throws {
        let length = step.comparisonMicroseconds
        if length == 0 { throw zeroStep }
        var next = integer(bounds[0])
        let to = integer(bounds[1])
        try emitAll(type, emit) {
            let current = next
            guard length > 0 ? current <= to : current >= to else { return nil }
            var failed: UInt8 = 0
            next = DateArithmetic.sum(current, step, in: zone, &failed)
            if failed != 0 { throw QueryError(.datetimeFieldOverflow, "timestamp out of range") }
            return .integer(current)
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
                if hasReverse, arguments[2] == .boolean(true) {
                    try integers(from: last, to: first, step: -1, type, emit)
                } else {
                    try integers(from: first, to: last, step: 1, type, emit)
                }
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
