// Functions and operators over ranges.

import Columnar
import Diagnostics

enum RangeFunctions {
    private static func text(_ text: String, _ example: String? = nil, _ result: String? = nil) -> FunctionDocumentation
    {
        FunctionDocumentation("Range", text, example: example, result: result)
    }

    static func register(in registry: FunctionRegistry) {
        for kind in RangeKind.allCases {
            registerConstruction(kind, in: registry)
            registerBounds(kind, in: registry)
            registerTests(kind, in: registry)
            registerCombinations(kind, in: registry)
        }
    }

    /// The value in a row that is not null.
    static func value(_ vector: Vector, _ row: Int, _ kind: RangeKind) -> RangeValue {
        let (source, index) = vector.position(row)
        return RangeValue(source.views + index, kind)
    }

    private static func registerConstruction(_ kind: RangeKind, in registry: FunctionRegistry) {
        let element = ParameterType.exact(kind.element)
        let isNumber = kind == .int32
        registry.scalar(
            kind.sqlName, [element, element], .range(kind), isStrict: false, canFail: true,
            text(
                "The range from a bound, included, to another, excluded; NULL is without limit.",
                isNumber ? "int4range(1, 5)" : nil, isNumber ? "[1,5)" : nil)
        ) { arguments, type, count, _ in
            try rows(type, count) { row in
                try RangeValue(
                    .init(arguments[0].value(at: row), isInclusive: true),
                    .init(arguments[1].value(at: row), isInclusive: false), kind)
            }
        }
        registry.scalar(
            kind.sqlName, [element, element, .text], .range(kind), isStrict: false, canFail: true,
            text(
                "The range between two bounds; the third argument says which of them it has.",
                isNumber ? "int4range(1, 5, '(]')" : nil, isNumber ? "[2,6)" : nil)
        ) { arguments, type, count, _ in
            let flags = ViewColumn(arguments[2])
            return try rows(type, count) { row in
                if arguments[2].isNull(row) {
                    throw QueryError(SQLState("22000"), "range constructor flags argument must not be null")
                }
                let text = flags.string(row)
                guard ["[]", "[)", "(]", "()"].contains(text) else {
                    throw QueryError(
                        .syntaxError, "invalid range bound flags",
                        hint: "Valid values are \"[]\", \"[)\", \"(]\", and \"()\".")
                }
                return try RangeValue(
                    .init(arguments[0].value(at: row), isInclusive: text.hasPrefix("[")),
                    .init(arguments[1].value(at: row), isInclusive: text.hasSuffix("]")), kind)
            }
        }
    }

    private static func rows(_ type: DataType, _ count: Int, _ body: (Int) throws -> RangeValue?) throws -> Vector {
        let builder = VectorBuilder(type: type, capacity: count)
        for row in 0..<count {
            if let value = try body(row) { builder.append(.bytes(value.blob)) } else { builder.appendNull() }
        }
        return builder.finish()
    }

    /// A range for each row whose arguments are not null.
    private static func strictRows(
        _ arguments: [Vector], _ type: DataType, _ count: Int, _ body: (Int) throws -> RangeValue
    ) throws -> Vector {
        try rows(type, count) { row in ValidityMask.isValid(arguments, row) ? try body(row) : nil }
    }

    // MARK: - Bounds

    private static func registerBounds(_ kind: RangeKind, in registry: FunctionRegistry) {
        let range = ParameterType.exact(.range(kind))
        let isNumber = kind == .int32
        for (name, isLower) in [("lower", true), ("upper", false)] {
            registry.scalar(
                name, [range], kind.element,
                text(
                    "The \(name) bound; NULL where there is none.", isNumber ? "\(name)(int4range(1, 5))" : nil,
                    isNumber ? (isLower ? "1" : "5") : nil)
            ) { arguments, type, count, _ in
                let builder = VectorBuilder(type: type, capacity: count)
                for row in 0..<count {
                    if arguments[0].isNull(row) {
                        builder.appendNull()
                    } else {
                        let value = value(arguments[0], row, kind)
                        builder.append(value.isEmpty ? .null : isLower ? value.lower.value : value.upper.value)
                    }
                }
                return builder.finish()
            }
        }
        let tests: [(String, String, @Sendable (RangeValue) -> Bool)] = [
            ("isempty", "Whether the range is empty.", { $0.isEmpty }),
            ("lower_inc", "Whether the range has its lower bound.", { !$0.isEmpty && $0.lower.isInclusive }),
            ("upper_inc", "Whether the range has its upper bound.", { !$0.isEmpty && $0.upper.isInclusive }),
            ("lower_inf", "Whether the range has no lower bound.", { !$0.isEmpty && $0.lower.isInfinite }),
            ("upper_inf", "Whether the range has no upper bound.", { !$0.isEmpty && $0.upper.isInfinite }),
        ]
        for (name, documentation, test) in tests {
            registry.scalar(name, [range], .boolean, text(documentation)) { arguments, type, count, _ in
                try DateTimeFunctions.rows(arguments, type, count) { row -> UInt8 in
                    flag(test(value(arguments[0], row, kind)))
                }
            }
        }
    }

    // MARK: - Tests

    private static func registerTests(_ kind: RangeKind, in registry: FunctionRegistry) {
        let range = ParameterType.exact(.range(kind))
        let element = ParameterType.exact(kind.element)
        func pair(
            _ names: [String], _ documentation: String, _ test: @escaping @Sendable (RangeValue, RangeValue) -> Bool
        ) {
            for name in names {
                registry.scalar(name, [range, range], .boolean, text(documentation)) { arguments, type, count, _ in
                    try DateTimeFunctions.rows(arguments, type, count) { row -> UInt8 in
                        flag(test(value(arguments[0], row, kind), value(arguments[1], row, kind)))
                    }
                }
            }
        }
        pair(["@>", "range_contains"], "Whether the first range contains the second.") { $0.contains($1, kind) }
        pair(["<@", "range_contained_by"], "Whether the second range contains the first.") { $1.contains($0, kind) }
        pair(["&&", "range_overlaps"], "Whether the ranges have something in common.") { $0.overlaps($1, kind) }
        pair(["<<", "range_before"], "Whether the first range ends before the second.") { $0.isBefore($1, kind) }
        pair([">>", "range_after"], "Whether the first range begins behind the second.") { $1.isBefore($0, kind) }
        pair(["-|-", "range_adjacent"], "Whether the ranges touch and have nothing in common.") {
            $0.isAdjacent(to: $1, kind)
        }
        pair(["&<", "range_overleft"], "Whether the first range does not extend behind the second.") {
            !$0.isEmpty && !$1.isEmpty
                && RangeValue.compare($0.upper, isLower: false, $1.upper, isLower: false, kind) <= 0
        }
        pair(["&>", "range_overright"], "Whether the first range does not extend in front of the second.") {
            !$0.isEmpty && !$1.isEmpty
                && RangeValue.compare($0.lower, isLower: true, $1.lower, isLower: true, kind) >= 0
        }
        for name in ["@>", "range_contains_elem"] {
            registry.scalar(name, [range, element], .boolean, text("Whether the range contains the value.")) {
                arguments, type, count, _ in
                try DateTimeFunctions.rows(arguments, type, count) { row -> UInt8 in
                    flag(value(arguments[0], row, kind).contains(arguments[1].value(at: row), kind))
                }
            }
        }
        for name in ["<@", "elem_contained_by_range"] {
            registry.scalar(name, [element, range], .boolean, text("Whether the range contains the value.")) {
                arguments, type, count, _ in
                try DateTimeFunctions.rows(arguments, type, count) { row -> UInt8 in
                    flag(value(arguments[1], row, kind).contains(arguments[0].value(at: row), kind))
                }
            }
        }
    }

    // MARK: - Combinations

    private static func registerCombinations(_ kind: RangeKind, in registry: FunctionRegistry) {
        let range = ParameterType.exact(.range(kind))
        func combination(
            _ names: [String], _ documentation: String, canFail: Bool,
            _ combine: @escaping @Sendable (RangeValue, RangeValue) throws -> RangeValue
        ) {
            for name in names {
                registry.scalar(name, [range, range], .range(kind), canFail: canFail, text(documentation)) {
                    arguments, type, count, _ in
                    try strictRows(arguments, type, count) { row in
                        try combine(value(arguments[0], row, kind), value(arguments[1], row, kind))
                    }
                }
            }
        }
        combination(["+", "range_union"], "What is in either range.", canFail: true) { a, b in
            if !a.isEmpty, !b.isEmpty, !a.overlaps(b, kind), !a.isAdjacent(to: b, kind) {
                throw QueryError(SQLState("22000"), "result of range union would not be contiguous")
            }
            return a.merged(b, kind)
        }
        combination(["*", "range_intersect"], "What is in both ranges.", canFail: false) { $0.intersection($1, kind) }
        combination(["-", "range_minus"], "What is in the first range and not in the second.", canFail: true) { a, b in
            guard let result = a.difference(b, kind) else {
                throw QueryError(SQLState("22000"), "result of range difference would not be contiguous")
            }
            return result
        }
        combination(["range_merge"], "The smallest range that contains both.", canFail: false) { $0.merged($1, kind) }
        registry.aggregate(
            "range_intersect_agg", [range], .range(kind),
            FunctionDocumentation("Aggregate", "What is in all ranges.")
        ) { _, result in BoxAggregate(RangeIntersection(resultType: result, kind: kind)) }
    }
}

struct RangeIntersection: BoxLogic {
    let resultType: DataType
    let kind: RangeKind
    var exportedTypes: [DataType] { [resultType] }

    final class Box: AggregateBox {
        let kind: RangeKind
        var value: RangeValue?
        init(_ kind: RangeKind) { self.kind = kind }
        func add(_ arguments: [Vector], _ row: Int) { add(RangeFunctions.value(arguments[0], row, kind)) }
        func absorb(_ other: Box) { if let other = other.value { add(other) } }
        private func add(_ other: RangeValue) { value = value.map { $0.intersection(other, kind) } ?? other }
    }

    func makeBox() -> Box { Box(kind) }
    func prepare(_ arguments: [Vector], count: Int) -> [Vector] { arguments.map { $0.flattened() } }
    func finish(_ box: Box?, to result: Vector, row: Int, heap: StringHeap) throws {
        guard let value = box?.value else { return result.setNull(row) }
        result.store(.bytes(value.blob), at: row, heap: heap)
    }
    func export(_ box: Box?, to columns: [Vector], row: Int, heap: StringHeap) throws {
        try finish(box, to: columns[0], row: row, heap: heap)
    }
    func load(_ columns: [Vector], row: Int) throws -> Box? {
        if columns[0].isNull(row) { return nil }
        let box = makeBox()
        box.add(columns, row)
        return box
    }
}
