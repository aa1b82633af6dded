// Numbers of bytes as people write them: pg_size_pretty and pg_size_bytes.

import Columnar
import Diagnostics

enum SizeFunctions {
    private static let units: [(name: String, bits: Int)] = [
        ("bytes", 0), ("kB", 10), ("MB", 20), ("GB", 30), ("TB", 40), ("PB", 50),
    ]

    static func register(in registry: FunctionRegistry) {
        func text(_ text: String, _ example: String, _ result: String) -> FunctionDocumentation {
            FunctionDocumentation("Sizes", text, example: example, result: result)
        }
        CatalogFunctions.lookUp(
            registry, "pg_size_pretty", [.int64], .text, volatility: .immutable, readsCatalog: false,
            text("A number of bytes in a unit that suits it.", "pg_size_pretty(1234567::bigint)", "1206 kB")
        ) { arguments, _ in .string(pretty(CatalogFunctions.number(arguments[0]))) }
        registry.scalar(
            "pg_size_pretty", [.numeric], .text, canFail: true,
            text("A number of bytes in a unit that suits it.", "pg_size_pretty(1234567.5)", "1206 kB")
        ) { arguments, type, count, _ in
            try texts(arguments, type, count) { row, values in try pretty(NumericBlob.value(values.view(row))) }
        }
        registry.scalar(
            "pg_size_bytes", [.text], .int64, canFail: true,
            text("The bytes of a size with a unit.", "pg_size_bytes('1.5 GB')", "1610612736")
        ) { arguments, type, count, _ in
            let result = Vector(flat: type, capacity: count)
            let sizes = ViewColumn(arguments[0])
            for row in 0..<count {
                result.values(Int64.self)[row] = arguments[0].isNull(row) ? 0 : try bytes(sizes.string(row))
            }
            return result
        }
    }

    private static func texts(
        _ arguments: [Vector], _ type: DataType, _ count: Int, _ text: (Int, ViewColumn) throws -> String
    ) throws -> Vector {
        let builder = VectorBuilder(type: type, capacity: max(1, count))
        let values = ViewColumn(arguments[0])
        for row in 0..<count {
            if arguments[0].isNull(row) { builder.appendNull() } else { builder.append(string: try text(row, values)) }
        }
        return builder.finish()
    }

    // MARK: - Pretty

    /// Units of 2^10; each is used up to a limit and then rounded half away from zero.
    private static func pretty(_ bytes: Int64) -> String {
        var size = bytes
        for (index, unit) in units.enumerated() {
            if index == units.count - 1 || size.magnitude < limit(index) {
                let shown = index == 0 ? size : (size + (size < 0 ? -1 : 1)) / 2
                return "\(shown) \(unit.name)"
            }
            size /= index == 0 ? 512 : 1024
        }
        return "\(size)"
    }

    /// Beyond bytes the number has one more bit than it is shown with.
    private static func limit(_ index: Int) -> UInt64 { index == 0 ? 10 * 1024 : 20 * 1024 - 1 }

    private static func pretty(_ bytes: NumericValue) throws -> String {
        var size = bytes
        for (index, unit) in units.enumerated() {
            let bound = NumericValue(Int128(limit(index)), scale: 0)
            if index == units.count - 1 || NumericValue.compare(size.absolute, bound) < 0 {
                if index > 0 {
                    let one = NumericValue(size.signum < 0 ? -1 : 1, scale: 0)
                    size = try NumericValue.wholeQuotient(.sum(size, one), NumericValue(2, scale: 0))
                }
                var digits: [UInt8] = []
                size.append(into: &digits)
                return String(decoding: digits, as: UTF8.self) + " " + unit.name
            }
            size = try NumericValue.wholeQuotient(size, NumericValue(index == 0 ? 512 : 1024, scale: 0))
        }
        return ""
    }

    // MARK: - Bytes

    private static func bytes(_ text: String) throws -> Int64 {
        let characters = Array(text.utf8)
        var position = 0
        func skipBlanks() {
            while position < characters.count, characters[position] == 0x20 || 9...13 ~= characters[position] {
                position += 1
            }
        }
        func skipDigits() -> Bool {
            let start = position
            while position < characters.count, 0x30...0x39 ~= characters[position] { position += 1 }
            return position > start
        }
        func isAt(_ choices: String) -> Bool {
            position < characters.count && choices.utf8.contains(characters[position])
        }
        skipBlanks()
        let start = position
        if isAt("+-") { position += 1 }
        var hasDigits = skipDigits()
        if isAt(".") {
            position += 1
            if skipDigits() { hasDigits = true }
        }
        guard hasDigits else { throw QueryError(.invalidParameterValue, "invalid size: \"\(text)\"") }
        // An exponent, unless the letter begins a unit.
        let mark = position
        if isAt("eE") {
            position += 1
            if isAt("+-") { position += 1 }
            if !skipDigits() { position = mark }
        }
        let number = Array(characters[start..<position])
        skipBlanks()
        var name = String(decoding: characters[position...], as: UTF8.self)
        while let last = name.last, last.isWhitespace { name.removeLast() }
        var size: NumericValue
        do throws(NumericText.Failure) {
            size = try parsed(number)
        } catch {
            throw QueryError(.invalidParameterValue, "invalid size: \"\(text)\"")
        }
        if !name.isEmpty {
            guard let unit = units.first(where: { $0.name.lowercased() == name.lowercased() }) else {
                throw QueryError(
                    .invalidParameterValue, "invalid size: \"\(text)\"", detail: "Invalid size unit: \"\(name)\".",
                    hint: "Valid units are \"bytes\", \"kB\", \"MB\", \"GB\", \"TB\", and \"PB\".")
            }
            size = .product(size, NumericValue(Int128(1) << Int128(unit.bits), scale: 0))
        }
        guard let bytes = size.rounded(toScale: 0).int64 else {
            throw QueryError(.numericValueOutOfRange, "bigint out of range")
        }
        return bytes
    }

    private static func parsed(_ digits: [UInt8]) throws(NumericText.Failure) -> NumericValue {
        var value = NumericValue.zero
        var failure: NumericText.Failure?
        digits.withUnsafeBufferPointer { buffer in
            do throws(NumericText.Failure) { value = try NumericValue.parse(buffer) } catch { failure = error }
        }
        if let failure { throw failure }
        return value
    }
}
