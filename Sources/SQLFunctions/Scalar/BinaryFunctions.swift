// Functions over bytes: single bytes and bits, digests, search.

import Columnar
import Diagnostics

enum BinaryFunctions {
    private static func text(_ text: String, _ example: String? = nil, _ result: String? = nil) -> FunctionDocumentation
    {
        FunctionDocumentation("Binary", text, example: example, result: result)
    }

    private static func outOfRange(_ index: Int64, _ last: Int) -> QueryError {
        QueryError(SQLState("2202E"), "index \(index) out of valid range, 0..\(last)")
    }

    static func register(in registry: FunctionRegistry) {
        registerAccess(in: registry)
        registerDigests(in: registry)
        registerParts(in: registry)
    }

    private static func registerAccess(in registry: FunctionRegistry) {
        registry.scalar(
            "get_byte", [.bytea, .int32], .int32, canFail: true,
            text("The byte at a place, from 0.", "get_byte('\\x1234567890'::bytea, 4)", "144")
        ) { arguments, type, count, _ in
            let (values, places) = (ViewColumn(arguments[0]), ValueColumn<Int32>(arguments[1]))
            return try DateTimeFunctions.rows(arguments, type, count) { row -> Int32 in
                let bytes = values.bytes(row)
                let place = Int(places[row])
                guard place >= 0, place < bytes.count else { throw outOfRange(Int64(place), bytes.count - 1) }
                return Int32(bytes[place])
            }
        }
        registry.scalar(
            "get_bit", [.bytea, .int64], .int32, canFail: true,
            text("The bit at a place, from 0, the lowest of a byte first.", "get_bit('\\x1234567890'::bytea, 30)", "1")
        ) { arguments, type, count, _ in
            let (values, places) = (ViewColumn(arguments[0]), ValueColumn<Int64>(arguments[1]))
            return try DateTimeFunctions.rows(arguments, type, count) { row -> Int32 in
                let bytes = values.bytes(row)
                let place = places[row]
                guard place >= 0, place < Int64(bytes.count) * 8 else { throw outOfRange(place, bytes.count * 8 - 1) }
                return Int32(bytes[Int(place / 8)] >> UInt8(place % 8) & 1)
            }
        }
        registry.scalar(
            "set_byte", [.bytea, .int32, .int32], .bytea, canFail: true,
            text("The value with another byte at a place.", "set_byte('\\x1234567890'::bytea, 4, 64)", "\\x1234567840")
        ) { arguments, type, count, _ in
            let values = ViewColumn(arguments[0])
            let (places, others) = (ValueColumn<Int32>(arguments[1]), ValueColumn<Int32>(arguments[2]))
            return try Kernel.text(arguments, type, count) { row, output in
                output.append(contentsOf: values.bytes(row))
                let place = Int(places[row])
                guard place >= 0, place < output.count else { throw outOfRange(Int64(place), output.count - 1) }
                output[place] = UInt8(truncatingIfNeeded: others[row])
                return true
            }
        }
        registry.scalar(
            "set_bit", [.bytea, .int64, .int32], .bytea, canFail: true,
            text("The value with another bit at a place.", "set_bit('\\x1234567890'::bytea, 30, 0)", "\\x1234563890")
        ) { arguments, type, count, _ in
            let values = ViewColumn(arguments[0])
            let (places, others) = (ValueColumn<Int64>(arguments[1]), ValueColumn<Int32>(arguments[2]))
            return try Kernel.text(arguments, type, count) { row, output in
                output.append(contentsOf: values.bytes(row))
                let place = places[row]
                guard place >= 0, place < Int64(output.count) * 8 else {
                    throw outOfRange(place, output.count * 8 - 1)
                }
                guard others[row] == 0 || others[row] == 1 else {
                    throw QueryError(.invalidParameterValue, "new bit must be 0 or 1")
                }
                let mask = UInt8(1) << UInt8(place % 8)
                if others[row] == 1 { output[Int(place / 8)] |= mask } else { output[Int(place / 8)] &= ~mask }
                return true
            }
        }
        registry.scalar(
            "bit_count", [.bytea], .int64, text("Number of bits set.", "bit_count('\\x1234567890'::bytea)", "15")
        ) { arguments, type, count, _ in
            let values = ViewColumn(arguments[0])
            return try DateTimeFunctions.rows(arguments, type, count) { row -> Int64 in
                values.bytes(row).reduce(0) { $0 + Int64($1.nonzeroBitCount) }
            }
        }
    }

    private static func registerDigests(in registry: FunctionRegistry) {
        let digests: [(String, Int, @Sendable (UnsafeBufferPointer<UInt8>) -> [UInt8])] = [
            ("sha224", 224, { SecureHash.sha224($0) }), ("sha256", 256, { SecureHash.sha256($0) }),
            ("sha384", 384, { SecureHash.sha384($0) }), ("sha512", 512, { SecureHash.sha512($0) }),
        ]
        for (name, bits, digest) in digests {
            registry.scalar(name, [.bytea], .bytea, text("The SHA-2 digest of \(bits) bits.")) {
                arguments, type, count, _ in
                let values = ViewColumn(arguments[0])
                return try Kernel.text(arguments, type, count) { row, output in
                    output.append(contentsOf: digest(values.bytes(row)))
                    return true
                }
            }
        }
    }

    private static func registerParts(in registry: FunctionRegistry) {
        for name in ["substring", "substr"] {
            registry.scalar(name, [.bytea, .int32], .bytea, text("The bytes from a place on, from 1.")) {
                arguments, type, count, _ in
                let (values, starts) = (ViewColumn(arguments[0]), ValueColumn<Int32>(arguments[1]))
                return try Kernel.text(arguments, type, count) { row, output in
                    output.append(contentsOf: values.bytes(row).dropFirst(max(0, Int(starts[row]) - 1)))
                    return true
                }
            }
        }
        registry.scalar(
            "substr", [.bytea, .int32, .int32], .bytea, canFail: true, text("As many bytes from a place on.")
        ) {
            arguments, type, count, _ in
            let values = ViewColumn(arguments[0])
            let (starts, lengths) = (ValueColumn<Int32>(arguments[1]), ValueColumn<Int32>(arguments[2]))
            return try Kernel.text(arguments, type, count) { row, output in
                if lengths[row] < 0 { throw QueryError(.substringError, "negative substring length not allowed") }
                let end = Int(starts[row]) - 1 + Int(lengths[row])
                output.append(contentsOf: values.bytes(row).prefix(max(0, end)).dropFirst(max(0, Int(starts[row]) - 1)))
                return true
            }
        }
        registry.scalar(
            "position", [.bytea, .bytea], .int32,
            text("Where the second value begins in the first, from 1; 0: nowhere.")
        ) { arguments, type, count, _ in
            let (values, needles) = (ViewColumn(arguments[0]), ViewColumn(arguments[1]))
            return try DateTimeFunctions.rows(arguments, type, count) { row -> Int32 in
                let (bytes, needle) = (values.bytes(row), needles.bytes(row))
                if needle.isEmpty { return 1 }
                if needle.count > bytes.count { return 0 }
                for start in 0...(bytes.count - needle.count)
                where UnsafeBufferPointer(rebasing: bytes[start..<(start + needle.count)]).elementsEqual(needle) {
                    return Int32(start + 1)
                }
                return 0
            }
        }
        for hasLength in [true, false] {
            registry.scalar(
                "overlay", [.bytea, .bytea, .int32] + (hasLength ? [.int32] : []), .bytea, canFail: true,
                text("The value with bytes from a place on replaced.")
            ) { arguments, type, count, _ in
                let (values, others) = (ViewColumn(arguments[0]), ViewColumn(arguments[1]))
                let starts = ValueColumn<Int32>(arguments[2])
                let lengths = hasLength ? ValueColumn<Int32>(arguments[3]) : nil
                return try Kernel.text(arguments, type, count) { row, output in
                    let bytes = values.bytes(row)
                    let other = others.bytes(row)
                    let start = Int(starts[row])
                    if start <= 0 { throw QueryError(.substringError, "negative substring length not allowed") }
                    let length = lengths.map { Int($0[row]) } ?? other.count
                    output.append(contentsOf: bytes.prefix(start - 1))
                    output.append(contentsOf: other)
                    output.append(contentsOf: bytes.dropFirst(max(0, start - 1 + length)))
                    return true
                }
            }
        }
        for (name, atStart, atEnd) in [("btrim", true, true), ("ltrim", true, false), ("rtrim", false, true)] {
            registry.scalar(
                name, [.bytea, .bytea], .bytea, text("The value without the given bytes at its ends.")
            ) { arguments, type, count, _ in
                let (values, sets) = (ViewColumn(arguments[0]), ViewColumn(arguments[1]))
                return try Kernel.text(arguments, type, count) { row, output in
                    var bytes = values.bytes(row)[...]
                    let set = sets.bytes(row)
                    if atStart { while let first = bytes.first, set.contains(first) { bytes = bytes.dropFirst() } }
                    if atEnd { while let last = bytes.last, set.contains(last) { bytes = bytes.dropLast() } }
                    output.append(contentsOf: bytes)
                    return true
                }
            }
        }
    }
}
