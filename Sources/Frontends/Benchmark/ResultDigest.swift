// Whether a result is the right one: its rows as one number.

/// A number of all rows, whatever their order: queries may leave the order of equal rows open. Numbers count with two
/// digits behind the point, so that engines may differ in the last digits of averages.
package struct ResultDigest: Sendable, Hashable {
    package private(set) var rowCount = 0
    package private(set) var value: UInt64 = 0

    package init() {}
    package init(rowCount: Int, value: UInt64) {
        self.rowCount = rowCount
        self.value = value
    }

    package mutating func add(_ row: [[UInt8]?]) {
        // FNV-1a of the row; rows are added up, so that they may come in any order.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func mix(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        for value in row {
            for byte in value.map(Self.canonical) ?? [] { mix(byte) }
            mix(0x1F)
        }
        rowCount += 1
        value &+= hash
    }

    /// Numbers with two digits behind the point, texts without blanks at their end.
    static func canonical(_ text: [UInt8]) -> [UInt8] {
        guard let point = text.firstIndex(of: UInt8(ascii: ".")), isNumber(text) else {
            var rest = text[...]
            while rest.last == 0x20 { rest = rest.dropLast() }
            return Array(rest)
        }
        var digits = Array(text[..<point].drop { $0 == UInt8(ascii: "-") })
        let fraction = text[(point + 1)...]
        digits += fraction.prefix(2)
        digits += [UInt8](repeating: 0x30, count: max(0, 2 - fraction.count))
        if let third = fraction.dropFirst(2).first, third >= UInt8(ascii: "5") { increment(&digits) }
        let isZero = digits.allSatisfy { $0 == 0x30 }
        let sign = text.first == UInt8(ascii: "-") && !isZero ? [UInt8(ascii: "-")] : []
        return sign + digits.dropLast(2) + [UInt8(ascii: ".")] + digits.suffix(2)
    }

    private static func isNumber(_ text: [UInt8]) -> Bool {
        var points = 0
        for (index, byte) in text.enumerated() {
            switch byte {
            case 0x30...0x39: continue
            case UInt8(ascii: "."): points += 1
            case UInt8(ascii: "-") where index == 0: continue
            default: return false
            }
        }
        return points == 1 && text.count > 1
    }

    private static func increment(_ digits: inout [UInt8]) {
        var index = digits.count - 1
        while index >= 0 {
            if digits[index] < UInt8(ascii: "9") {
                digits[index] += 1
                return
            }
            digits[index] = 0x30
            index -= 1
        }
        digits.insert(UInt8(ascii: "1"), at: 0)
    }
}
