// How many columns of a terminal a text takes.

package enum DisplayWidth {
    /// Columns of valid or invalid UTF-8 without line breaks.
    package static func columns(_ bytes: ArraySlice<UInt8>) -> Int {
        var isASCII = true
        for byte in bytes where byte >= 0x80 {
            isASCII = false
            break
        }
        if isASCII { return bytes.count }
        var width = 0
        for character in String(decoding: bytes, as: UTF8.self) { width += columns(character) }
        return width
    }

    package static func columns(_ text: String) -> Int { columns(Array(text.utf8)[...]) }

    /// A character of several parts (an emoji with a joiner or a variation, a flag) is as wide as one.
    package static func columns(_ character: Character) -> Int {
        let scalars = character.unicodeScalars
        guard let first = scalars.first else { return 0 }
        if scalars.count == 1 { return columns(first) }
        let isEmoji = scalars.contains { $0.value == 0xFE0F || $0.value == 0x200D || isRegional($0.value) }
        return isEmoji ? 2 : min(2, scalars.reduce(0) { $0 + columns($1) })
    }

    private static func isRegional(_ value: UInt32) -> Bool { (0x1F1E6...0x1F1FF).contains(value) }

    private static func columns(_ scalar: Unicode.Scalar) -> Int {
        if scalar.value < 0x300 { return 1 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        return isWide(scalar.value) ? 2 : 1
    }

    /// East Asian wide and full-width characters, and emoji.
    private static func isWide(_ value: UInt32) -> Bool {
        switch value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
            0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F,
            0x1F680...0x1F6FF, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
            true
        default: false
        }
    }
}
