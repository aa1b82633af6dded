// From the text of a field to a value.

import Columnar
import Diagnostics

/// Parsers of one field each. They take exactly the field's bytes, quotes removed, and give `nil` if it is no such value.
/// All may read 16 bytes past the field.
enum CSVText {
    /// The number that up to eight digits make; `nil` if there is another byte.
    @inline(__always)
    static func digits(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> UInt64? {
        let raw = UnsafeRawPointer(bytes).loadUnaligned(as: UInt64.self)
        // The first digit lies in the lowest byte; zeros take the places of the missing digits below it.
        let shift = UInt64(truncatingIfNeeded: 64 &- count &* 8)
        let text = count == 0 ? 0x3030_3030_3030_3030 : raw &<< shift | 0x3030_3030_3030_3030 & ~(~0 &<< shift)
        let low = text & 0xF0F0_F0F0_F0F0_F0F0
        let high = (text &+ 0x0606_0606_0606_0606) & 0xF0F0_F0F0_F0F0_F0F0
        if low != 0x3030_3030_3030_3030 || high != 0x3030_3030_3030_3030 { return nil }
        var value = text & 0x0F0F_0F0F_0F0F_0F0F
        value = (value &* 10 &+ value &>> 8) & 0x00FF_00FF_00FF_00FF
        value = (value &* 100 &+ value &>> 16) & 0x0000_FFFF_0000_FFFF
        return (value &* 10_000 &+ value &>> 32) & 0xFFFF_FFFF
    }

    @inline(__always)
    static func integer(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int64? {
        var start = bytes
        var left = count
        let first = bytes[0]
        let isNegative = first == UInt8(ascii: "-")
        if isNegative || first == UInt8(ascii: "+") {
            start += 1
            left &-= 1
        }
        if left <= 0 { return nil }
        if left <= 8 {
            guard let value = digits(start, left) else { return nil }
            let number = Int64(bitPattern: value)
            return isNegative ? 0 &- number : number
        }
        return longInteger(start, left, isNegative)
    }

    @inline(never)
    private static func longInteger(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ isNegative: Bool) -> Int64? {
        var value: UInt64 = 0
        for index in 0..<count {
            let digit = UInt64(bytes[index] &- 48)
            if digit > 9 { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(digit)
            if overflow || carry { return nil }
            value = sum
        }
        if isNegative { return value <= 1 &<< 63 ? Int64(bitPattern: 0 &- value) : nil }
        return value < 1 &<< 63 ? Int64(value) : nil
    }

    private static let powers: [Double] = (0...22).map { exponent in
        var power = 1.0
        for _ in 0..<exponent { power *= 10 }
        return power
    }
    /// 10⁰ … 10²², all exact.
    nonisolated(unsafe) static let powersOfTen: UnsafePointer<Double> = {
        let table = UnsafeMutablePointer<Double>.allocate(capacity: 23)
        table.initialize(from: powers, count: 23)
        return UnsafePointer(table)
    }()

    /// Digits with an optional fraction; other forms (exponents, many digits, infinity) go to the library.
    @inline(__always)
    static func double(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ powers: UnsafePointer<Double>) -> Double? {
        var at = 0
        let isNegative = bytes[0] == UInt8(ascii: "-")
        if isNegative { at = 1 }
        var mantissa: UInt64 = 0
        let firstDigit = at
        var byte: UInt8 = 0
        while at < count {
            byte = bytes[at] &- 48
            if byte > 9 { break }
            mantissa = mantissa &* 10 &+ UInt64(byte)
            at &+= 1
        }
        var digitCount = at &- firstDigit
        var scale = 0
        if at < count && bytes[at] == UInt8(ascii: ".") {
            at &+= 1
            let fraction = at
            while at < count {
                byte = bytes[at] &- 48
                if byte > 9 { break }
                mantissa = mantissa &* 10 &+ UInt64(byte)
                at &+= 1
            }
            scale = at &- fraction
            digitCount &+= scale
        }
        // Up to 15 digits are exact in a double, and so is the power: one rounding, the right one.
        if at == count && digitCount > 0 && digitCount <= 15 && scale <= 22 {
            let value = Double(mantissa) / powers[scale]
            return isNegative ? -value : value
        }
        return anyDouble(bytes, count)
    }

    @inline(never)
    static func anyDouble(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Double? {
        guard count > 0, count < 400 else { return nil }
        // Hexadecimal and other forms that the library understands are no numbers of SQL.
        for index in 0..<count where bytes[index] == UInt8(ascii: "x") || bytes[index] == UInt8(ascii: "X") {
            return nil
        }
        return Double(Substring(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self))
    }

    /// true and false in any case.
    static func boolean(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool? {
        func matches(_ word: StaticString) -> Bool {
            guard word.utf8CodeUnitCount == count else { return false }
            for index in 0..<count where bytes[index] | 0x20 != word.utf8Start[index] { return false }
            return true
        }
        if matches("true") { return true }
        return matches("false") ? false : nil
    }

    /// Days since 1970-01-01 of a date of the Gregorian calendar; `nil` if there is no such date.
    @inline(__always)
    static func days(year: Int, month: Int, day: Int) -> Int? {
        if month < 1 || month > 12 || day < 1 || day > 31 || year < 1 { return nil }
        let isLeap = year & 3 == 0 && (year % 100 != 0 || year % 400 == 0)
        if day > 28 {
            let length = month == 2 ? (isLeap ? 29 : 28) : 30 &+ ((month &+ month &>> 3) & 1)
            if day > length { return nil }
        }
        // Years begin in March, so that the leap day is the last one.
        let shifted = month > 2 ? year : year &- 1
        let era = shifted / 400
        let yearOfEra = shifted &- era &* 400
        let monthFromMarch = month > 2 ? month &- 3 : month &+ 9
        let dayOfYear = (153 &* monthFromMarch &+ 2) / 5 &+ day &- 1
        let dayOfEra = yearOfEra &* 365 &+ yearOfEra / 4 &- yearOfEra / 100 &+ dayOfYear
        return era &* 146_097 &+ dayOfEra &- 719_468
    }

    /// YYYY-MM-DD.
    @inline(__always)
    static func date(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int32? {
        guard count == 10, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-") else { return nil }
        guard let year = digits(bytes, 4), let month = digits(bytes + 5, 2), let day = digits(bytes + 8, 2),
            let days = days(year: Int(year), month: Int(month), day: Int(day))
        else { return nil }
        return Int32(truncatingIfNeeded: days)
    }

    /// HH:MM, HH:MM:SS, HH:MM:SS.ffffff; microseconds since midnight.
    static func time(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int64? {
        guard count >= 5, bytes[2] == UInt8(ascii: ":"), let hour = digits(bytes, 2), let minute = digits(bytes + 3, 2),
            hour < 24, minute < 60
        else { return nil }
        var result = (Int64(hour) * 60 + Int64(minute)) * 60_000_000
        if count == 5 { return result }
        guard count >= 8, bytes[5] == UInt8(ascii: ":"), let second = digits(bytes + 6, 2), second < 60 else {
            return nil
        }
        result += Int64(second) * 1_000_000
        if count == 8 { return result }
        let digitCount = count - 9
        guard bytes[8] == UInt8(ascii: "."), digitCount >= 1, digitCount <= 9 else { return nil }
        var fraction: Int64 = 0
        var index = 0
        while index < 6 {
            var digit: UInt8 = 0
            if index < digitCount {
                digit = bytes[9 + index] &- 48
                if digit > 9 { return nil }
            }
            fraction = fraction * 10 + Int64(digit)
            index += 1
        }
        for index in 6..<max(6, digitCount) where bytes[9 + index] &- 48 > 9 { return nil }
        return result + fraction
    }

    /// A date, and a time behind a blank or a T, perhaps with a zone. Microseconds since 1970.
    static func timestamp(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> (value: Int64, hasZone: Bool)? {
        guard count >= 10, let day = date(bytes, 10) else { return nil }
        let midnight = Int64(day) * 86_400_000_000
        if count == 10 { return (midnight, false) }
        guard count >= 16, bytes[10] == UInt8(ascii: " ") || bytes[10] == UInt8(ascii: "T") else { return nil }
        var end = count
        var offset: Int64 = 0
        var hasZone = false
        if bytes[count - 1] | 0x20 == UInt8(ascii: "z") {
            end = count - 1
            hasZone = true
        } else {
            var sign = count - 1
            while sign > 11 && bytes[sign] != UInt8(ascii: "+") && bytes[sign] != UInt8(ascii: "-") { sign -= 1 }
            if sign > 11 {
                guard let seconds = zone(bytes + sign, count - sign) else { return nil }
                offset = seconds
                end = sign
                hasZone = true
            }
        }
        if bytes[end - 1] == UInt8(ascii: " ") { end -= 1 }
        guard let time = time(bytes + 11, end - 11) else { return nil }
        return (midnight + time - offset * 1_000_000, hasZone)
    }

    /// +HH, +HHMM or +HH:MM in seconds.
    private static func zone(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int64? {
        guard count == 3 || count == 5 || count == 6, let hours = digits(bytes + 1, 2), hours < 16 else { return nil }
        var seconds = Int64(hours) * 3600
        if count > 3 {
            if count == 6 && bytes[3] != UInt8(ascii: ":") { return nil }
            guard let minutes = digits(bytes + (count - 2), 2), minutes < 60 else { return nil }
            seconds += Int64(minutes) * 60
        }
        return bytes[0] == UInt8(ascii: "-") ? -seconds : seconds
    }

    /// The text of a field with its quotes: quotes toggle, and an escaped quote inside of them stands for itself. Gives the
    /// number of bytes written; the target has room for `count`.
    static func unquote(
        _ bytes: UnsafePointer<UInt8>, _ count: Int, _ dialect: CSVDialect, into target: UnsafeMutablePointer<UInt8>
    ) -> Int {
        var isQuoted = false
        var written = 0
        var index = 0
        while index < count {
            let byte = bytes[index]
            if isQuoted, byte == dialect.escape, index + 1 < count,
                bytes[index + 1] == dialect.quote || bytes[index + 1] == dialect.escape
            {
                target[written] = bytes[index + 1]
                written += 1
                index += 2
                continue
            }
            if byte == dialect.quote {
                isQuoted.toggle()
            } else {
                target[written] = byte
                written += 1
            }
            index += 1
        }
        return written
    }
}
