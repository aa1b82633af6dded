// Turns what a terminal sends into keys: UTF-8, control characters, escape sequences and bracketed paste.

/// One thing a person did at the keyboard.
package enum Key: Hashable, Sendable {
    case character(Character)
    /// A text that was pasted, with line feeds as its only line ends.
    case paste(String)
    case enter, tab, backTab, backspace, delete, escape
    case up, down, left, right, home, end, pageUp, pageDown, wordLeft, wordRight
    /// The letter in lower case.
    case control(Character)
    /// With the meta key, which terminals send as an escape in front.
    case alt(Character)
    case altEnter, altBackspace
    /// A sequence without a meaning here.
    case other
}

/// A state machine over bytes. What may still become a longer sequence waits for the next bytes; `flush` ends the wait.
package struct KeyDecoder {
    private enum State: Equatable {
        case ground
        case escape
        /// Behind `ESC [` or `ESC O`.
        case sequence(parameters: [UInt8])
        case paste
        case scalar(bytes: [UInt8], count: Int)
    }
    private static let sequenceByteCountMax = 32
    private static let pasteEnd = Array("\u{1B}[201~".utf8)

    private var state = State.ground
    private var pasted: [UInt8] = []

    package init() {}

    /// Whether bytes were taken that do not make a key yet.
    package var isWaiting: Bool { state != .ground && state != .paste }

    package mutating func decode(_ bytes: [UInt8]) -> [Key] {
        var keys: [Key] = []
        for byte in bytes { take(byte, &keys) }
        return keys
    }

    /// No more bytes came for a while: an escape was the key of that name.
    package mutating func flush() -> [Key] {
        defer { if state != .paste { state = .ground } }
        switch state {
        case .ground, .paste: return []
        case .escape: return [.escape]
        case .sequence, .scalar: return [.other]
        }
    }

    private mutating func take(_ byte: UInt8, _ keys: inout [Key]) {
        switch state {
        case .ground: ground(byte, &keys)
        case .escape:
            switch byte {
            case UInt8(ascii: "["), UInt8(ascii: "O"): state = .sequence(parameters: [])
            case 0x1B: keys.append(.escape)
            case 0x0D, 0x0A: end(.altEnter, &keys)
            case 0x7F, 0x08: end(.altBackspace, &keys)
            case 0x20..<0x7F: end(.alt(Character(Unicode.Scalar(byte))), &keys)
            default: end(.other, &keys)
            }
        case .sequence(var parameters):
            // Parameters and intermediate bytes come before the final byte.
            if (0x20..<0x40).contains(byte), parameters.count < Self.sequenceByteCountMax {
                parameters.append(byte)
                state = .sequence(parameters: parameters)
            } else {
                endSequence(parameters, byte, &keys)
            }
        case .paste:
            pasted.append(byte)
            guard byte == UInt8(ascii: "~"), pasted.suffix(Self.pasteEnd.count).elementsEqual(Self.pasteEnd) else {
                return
            }
            pasted.removeLast(Self.pasteEnd.count)
            end(.paste(Self.cleaned(pasted)), &keys)
            pasted = []
        case .scalar(var bytes, let count):
            guard byte & 0xC0 == 0x80 else {
                state = .ground
                keys.append(.other)
                ground(byte, &keys)
                return
            }
            bytes.append(byte)
            if bytes.count < count {
                state = .scalar(bytes: bytes, count: count)
            } else {
                end(String(decoding: bytes, as: UTF8.self).first.map { .character($0) } ?? .other, &keys)
            }
        }
    }

    private mutating func end(_ key: Key, _ keys: inout [Key]) {
        state = .ground
        keys.append(key)
    }

    private mutating func ground(_ byte: UInt8, _ keys: inout [Key]) {
        switch byte {
        case 0x0D, 0x0A: keys.append(.enter)
        case 0x09: keys.append(.tab)
        case 0x7F, 0x08: keys.append(.backspace)
        case 0x1B: state = .escape
        case 0: keys.append(.control(" "))
        case 1..<0x1B: keys.append(.control(Character(Unicode.Scalar(byte + 0x60))))
        case 0x1C..<0x20: keys.append(.control(Character(Unicode.Scalar(byte + 0x40))))
        case 0x20..<0x80: keys.append(.character(Character(Unicode.Scalar(byte))))
        case 0xC2..<0xE0: state = .scalar(bytes: [byte], count: 2)
        case 0xE0..<0xF0: state = .scalar(bytes: [byte], count: 3)
        case 0xF0..<0xF5: state = .scalar(bytes: [byte], count: 4)
        default: keys.append(.other)
        }
    }

    private mutating func endSequence(_ parameters: [UInt8], _ final: UInt8, _ keys: inout [Key]) {
        let numbers = parameters.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false).map {
            Int(String(decoding: $0, as: UTF8.self)) ?? 0
        }
        let isWithModifier = numbers.count > 1 && numbers[1] > 1
        switch final {
        case UInt8(ascii: "A"): end(.up, &keys)
        case UInt8(ascii: "B"): end(.down, &keys)
        case UInt8(ascii: "C"): end(isWithModifier ? .wordRight : .right, &keys)
        case UInt8(ascii: "D"): end(isWithModifier ? .wordLeft : .left, &keys)
        case UInt8(ascii: "H"): end(.home, &keys)
        case UInt8(ascii: "F"): end(.end, &keys)
        case UInt8(ascii: "Z"): end(.backTab, &keys)
        case UInt8(ascii: "M"): end(.enter, &keys)
        case UInt8(ascii: "~"):
            switch numbers.first ?? 0 {
            case 1, 7: end(.home, &keys)
            case 3: end(.delete, &keys)
            case 4, 8: end(.end, &keys)
            case 5: end(.pageUp, &keys)
            case 6: end(.pageDown, &keys)
            case 200:
                pasted = []
                state = .paste
            default: end(.other, &keys)
            }
        default: end(.other, &keys)
        }
    }

    /// Line ends of any kind become line feeds, tabs four blanks; other control characters go.
    private static func cleaned(_ bytes: [UInt8]) -> String {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        for (index, byte) in bytes.enumerated() {
            switch byte {
            case 0x0D: result.append(0x0A)
            case 0x0A: if index == 0 || bytes[index - 1] != 0x0D { result.append(0x0A) }
            case 0x09: result.append(contentsOf: [0x20, 0x20, 0x20, 0x20])
            case 0..<0x20, 0x7F: break
            default: result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
