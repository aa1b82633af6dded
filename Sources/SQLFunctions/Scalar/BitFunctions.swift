// Functions over bit strings, whose values are their digits (see BitText).

import Columnar
import Diagnostics

enum BitFunctions {
    /// An operation on the digits of two strings of one length.
    enum Operation: String, Sendable {
        case and = "AND"
        case or = "OR"
        case xor = "XOR"

        init(_ operation: BitFold.Operation) {
            switch operation {
            case .and: self = .and
            case .or: self = .or
            case .xor: self = .xor
            }
        }
        @inline(__always) func apply(_ a: UInt8, _ b: UInt8) -> UInt8 {
            switch self {
            case .and: a & b
            case .or: a | b
            case .xor: 0x30 | (a ^ b)
            }
        }
        var differentLengths: QueryError {
            QueryError(SQLState("22026"), "cannot \(rawValue) bit strings of different sizes")
        }
    }

    private static let bit = ParameterType.exact(.bit(length: nil))
    private static let varbit = ParameterType.exact(.varbit(length: nil))

    private static func text(_ text: String, _ example: String? = nil, _ result: String? = nil) -> FunctionDocumentation
    {
        FunctionDocumentation("Bit string", text, example: example, result: result)
    }

    static func register(in registry: FunctionRegistry) {
        registerOperators(in: registry)
        registerMeasures(in: registry)
        registerParts(in: registry)
        registerPlaces(in: registry)
    }

    private static func registerOperators(in registry: FunctionRegistry) {
        for (name, operation, documentation) in [
            ("&", Operation.and, text("Bitwise AND of two bit strings of one length.", "B'1011' & B'0110'", "0010")),
            ("|", .or, text("Bitwise OR of two bit strings of one length.", "B'1011' | B'0110'", "1111")),
            ("#", .xor, text("Bitwise exclusive OR of two bit strings of one length.", "B'1011' # B'0110'", "1101")),
        ] {
            registry.scalar(name, [bit, bit], .bit(length: nil), canFail: true, documentation) {
                arguments, type, count, _ in
                let (left, right) = (ViewColumn(arguments[0]), ViewColumn(arguments[1]))
                return try Kernel.text(arguments, type, count) { row, output in
                    let (a, b) = (left.bytes(row), right.bytes(row))
                    guard a.count == b.count else { throw operation.differentLengths }
                    for index in 0..<a.count { output.append(operation.apply(a[index], b[index])) }
                    return true
                }
            }
        }
        registry.scalar("~", [bit], .bit(length: nil), text("The bits turned round.", "~ B'1011'", "0100")) {
            arguments, type, count, _ in
            let values = ViewColumn(arguments[0])
            return try Kernel.text(arguments, type, count) { row, output in
                for byte in values.bytes(row) { output.append(byte ^ 1) }
                return true
            }
        }
        for (name, isLeft) in [("<<", true), (">>", false)] {
            registry.scalar(
                name, [bit, .int32], .bit(length: nil),
                text(
                    "The bits moved to the \(isLeft ? "left" : "right"), zeros filled in.", "B'1011' \(name) 1",
                    isLeft ? "0110" : "0101")
            ) { arguments, type, count, _ in
                let (values, distances) = (ViewColumn(arguments[0]), ValueColumn<Int32>(arguments[1]))
                return try Kernel.text(arguments, type, count) { row, output in
                    let bytes = values.bytes(row)
                    let distance = isLeft ? Int(distances[row]) : -Int(distances[row])
                    for index in 0..<bytes.count {
                        let from = index + distance
                        output.append(from >= 0 && from < bytes.count ? bytes[from] : 0x30)
                    }
                    return true
                }
            }
        }
        registry.scalar(
            "||", [varbit, varbit], .varbit(length: nil), text("Both, one behind the other.", "B'10' || B'01'", "1001")
        ) { arguments, type, count, _ in
            let (left, right) = (ViewColumn(arguments[0]), ViewColumn(arguments[1]))
            return try Kernel.text(arguments, type, count) { row, output in
                output.append(contentsOf: left.bytes(row))
                output.append(contentsOf: right.bytes(row))
                return true
            }
        }
    }

    private static func registerMeasures(in registry: FunctionRegistry) {
        let measures: [(String, String, String, @Sendable (Int) -> Int32)] = [
            ("length", "Number of bits.", "10", { Int32(truncatingIfNeeded: $0) }),
            ("bit_length", "Number of bits.", "10", { Int32(truncatingIfNeeded: $0) }),
            ("octet_length", "Number of bytes that the bits fill.", "2", { Int32(truncatingIfNeeded: ($0 + 7) / 8) }),
        ]
        for (name, documentation, result, measure) in measures {
            registry.scalar(name, [bit], .int32, text(documentation, "\(name)(B'1011101110')", result)) {
                arguments, type, count, _ in
                let values = ViewColumn(arguments[0])
                return try DateTimeFunctions.rows(arguments, type, count) { row -> Int32 in
                    measure(values.bytes(row).count)
                }
            }
        }
        registry.scalar("bit_count", [bit], .int64, text("Number of bits set.", "bit_count(B'1011')", "3")) {
            arguments, type, count, _ in
            let values = ViewColumn(arguments[0])
            return try DateTimeFunctions.rows(arguments, type, count) { row -> Int64 in
                values.bytes(row).reduce(0) { $0 + Int64($1 & 1) }
            }
        }
        registry.scalar(
            "position", [bit, bit], .int32,
            text("Where the second value begins in the first, from 1; 0: nowhere.", "position(B'01' in B'11011')", "3")
        ) { arguments, type, count, _ in
            let (values, needles) = (ViewColumn(arguments[0]), ViewColumn(arguments[1]))
            return try DateTimeFunctions.rows(arguments, type, count) { row -> Int32 in
                let (bytes, needle) = (values.bytes(row), needles.bytes(row))
                // Nothing is found in nothing, not even nothing.
                if bytes.isEmpty { return 0 }
                if needle.isEmpty { return 1 }
                if needle.count > bytes.count { return 0 }
                for start in 0...(bytes.count - needle.count)
                where UnsafeBufferPointer(rebasing: bytes[start..<(start + needle.count)]).elementsEqual(needle) {
                    return Int32(truncatingIfNeeded: start + 1)
                }
                return 0
            }
        }
    }

    /// The places of a part within `count` bits. Errors: 22011 for a negative length.
    private static func part(_ count: Int, from start: Int32, length: Int32?) throws -> Range<Int> {
        let first = Int(start) - 1
        guard let length else { return min(max(0, first), count)..<count }
        if length < 0 { throw QueryError(.substringError, "negative substring length not allowed") }
        let end = min(max(0, first + Int(length)), count)
        return min(max(0, first), end)..<end
    }

    private static func registerParts(in registry: FunctionRegistry) {
        for hasLength in [false, true] {
            registry.scalar(
                "substring", [bit, .int32] + (hasLength ? [.int32] : []), .bit(length: nil), canFail: hasLength,
                text("The bits from a place on, from 1.", "substring(B'110010' from 3)", "0010")
            ) { arguments, type, count, _ in
                let (values, starts) = (ViewColumn(arguments[0]), ValueColumn<Int32>(arguments[1]))
                let lengths = hasLength ? ValueColumn<Int32>(arguments[2]) : nil
                return try Kernel.text(arguments, type, count) { row, output in
                    let bytes = values.bytes(row)
                    output.append(
                        contentsOf: bytes[try part(bytes.count, from: starts[row], length: lengths?[row])])
                    return true
                }
            }
            registry.scalar(
                "overlay", [bit, bit, .int32] + (hasLength ? [.int32] : []), .bit(length: nil), canFail: true,
                text("Other bits in a place.", "overlay(B'01010101' placing B'111' from 3)", "01111101")
            ) { arguments, type, count, _ in
                let (values, others) = (ViewColumn(arguments[0]), ViewColumn(arguments[1]))
                let starts = ValueColumn<Int32>(arguments[2])
                let lengths = hasLength ? ValueColumn<Int32>(arguments[3]) : nil
                return try Kernel.text(arguments, type, count) { row, output in
                    let (bytes, other) = (values.bytes(row), others.bytes(row))
                    if starts[row] <= 0 { throw QueryError(.substringError, "negative substring length not allowed") }
                    let length = lengths.map { Int($0[row]) } ?? other.count
                    output.append(contentsOf: bytes.prefix(Int(starts[row]) - 1))
                    output.append(contentsOf: other)
                    output.append(contentsOf: bytes.dropFirst(max(0, Int(starts[row]) - 1 + length)))
                    return true
                }
            }
        }
    }

    private static func registerPlaces(in registry: FunctionRegistry) {
        @Sendable func outOfRange(_ place: Int32, _ count: Int) -> QueryError {
            QueryError(SQLState("2202E"), "bit index \(place) out of valid range (0..\(count - 1))")
        }
        registry.scalar(
            "get_bit", [bit, .int32], .int32, canFail: true,
            text("The bit at a place, from 0, the first one first.", "get_bit(B'101010', 2)", "1")
        ) { arguments, type, count, _ in
            let (values, places) = (ViewColumn(arguments[0]), ValueColumn<Int32>(arguments[1]))
            return try DateTimeFunctions.rows(arguments, type, count) { row -> Int32 in
                let (bytes, place) = (values.bytes(row), places[row])
                guard place >= 0, Int(place) < bytes.count else { throw outOfRange(place, bytes.count) }
                return Int32(bytes[Int(place)] & 1)
            }
        }
        registry.scalar(
            "set_bit", [bit, .int32, .int32], .bit(length: nil), canFail: true,
            text("The value with another bit at a place.", "set_bit(B'101010', 0, 0)", "001010")
        ) { arguments, type, count, _ in
            let values = ViewColumn(arguments[0])
            let (places, others) = (ValueColumn<Int32>(arguments[1]), ValueColumn<Int32>(arguments[2]))
            return try Kernel.text(arguments, type, count) { row, output in
                output.append(contentsOf: values.bytes(row))
                let place = places[row]
                guard place >= 0, Int(place) < output.count else { throw outOfRange(place, output.count) }
                guard others[row] == 0 || others[row] == 1 else {
                    throw QueryError(.invalidParameterValue, "new bit must be 0 or 1")
                }
                output[Int(place)] = 0x30 | UInt8(truncatingIfNeeded: others[row])
                return true
            }
        }
    }
}
