// The first step of reading a date, time or interval: the text cut into numbers, words and groups of both.

/// A piece of a date, time or interval text, in lower case.
struct DateTimeField {
    enum Kind {
        /// Digits, perhaps with a point.
        case number
        /// A word.
        case word
        /// Numbers and words joined by `-`, `/` or `.`: a date, a zone's name, or a time with an offset.
        case date
        /// Digits and colons.
        case time
        /// A sign and digits: an offset or a signed number.
        case signed
        /// A sign and a word.
        case signedWord
    }
    var kind: Kind
    var text: [UInt8]

    var string: String { String(decoding: text, as: UTF8.self) }
    var startsWithDigit: Bool { text.first.map(ASCII.isDigit) ?? false }
    /// Digits in front of the first point; `nil` without a point.
    var pointAt: Int? { text.firstIndex(of: 0x2E) }

    private static let fieldCountMax = 25

    /// `nil` for a character that belongs to no date, or for too many pieces.
    static func split(_ text: UnsafeBufferPointer<UInt8>) -> [DateTimeField]? {
        var fields: [DateTimeField] = []
        var at = 0
        func peek(_ offset: Int = 0) -> UInt8 { at + offset < text.count ? text[at + offset] : 0 }
        while at < text.count {
            if NumericText.isSpace(text[at]) {
                at += 1
                continue
            }
            var field = DateTimeField(kind: .number, text: [])
            func take() {
                field.text.append(ASCII.lower(text[at]))
                at += 1
            }
            func takeWhile(_ condition: (UInt8) -> Bool) { while at < text.count, condition(text[at]) { take() } }
            if ASCII.isDigit(peek()) {
                takeWhile(ASCII.isDigit)
                let mark = peek()
                if mark == 0x3A {
                    field.kind = .time
                    takeWhile { ASCII.isDigit($0) || $0 == 0x3A || $0 == 0x2E }
                } else if mark == 0x2D || mark == 0x2F || mark == 0x2E {
                    take()
                    if ASCII.isDigit(peek()) {
                        field.kind = mark == 0x2E ? .number : .date
                        takeWhile(ASCII.isDigit)
                        if peek() == mark {
                            field.kind = .date
                            takeWhile { ASCII.isDigit($0) || $0 == mark }
                        }
                    } else {
                        field.kind = .date
                        takeWhile { ASCII.isDigit($0) || ASCII.isLetter($0) || $0 == mark }
                    }
                }
            } else if peek() == 0x2E {
                take()
                takeWhile(ASCII.isDigit)
            } else if ASCII.isLetter(peek()) {
                field.kind = .word
                takeWhile(ASCII.isLetter)
                let next = peek()
                var isDate = next == 0x2D || next == 0x2F || next == 0x2E
                if !isDate, next == 0x2B || ASCII.isDigit(next) { isDate = DateTimeWord(field.string) == nil }
                if isDate {
                    field.kind = .date
                    takeWhile {
                        ASCII.isLetter($0) || ASCII.isDigit($0) || $0 == 0x2B || $0 == 0x2D || $0 == 0x2F
                            || $0 == 0x5F || $0 == 0x2E || $0 == 0x3A
                    }
                }
            } else if peek() == 0x2B || peek() == 0x2D {
                take()
                while NumericText.isSpace(peek()) { at += 1 }
                if ASCII.isDigit(peek()) {
                    field.kind = .signed
                    takeWhile { ASCII.isDigit($0) || $0 == 0x3A || $0 == 0x2E || $0 == 0x2D }
                } else if ASCII.isLetter(peek()) {
                    field.kind = .signedWord
                    takeWhile(ASCII.isLetter)
                } else {
                    return nil
                }
            } else if ASCII.isPunctuation(peek()) {
                at += 1
                continue
            } else {
                return nil
            }
            guard fields.count < fieldCountMax else { return nil }
            fields.append(field)
        }
        return fields
    }
}

enum ASCII {
    @inline(__always) static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 <= 9 }
    @inline(__always) static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- 0x61 <= 25 }
    @inline(__always) static func isPunctuation(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte < 0x7F && !isDigit(byte) && !isLetter(byte)
    }
    @inline(__always) static func lower(_ byte: UInt8) -> UInt8 { byte &- 0x41 <= 25 ? byte | 0x20 : byte }
}

/// A number at the start of a text, read as C's `strtol` does.
struct LeadingInteger {
    /// `nil` when it does not fit 32 bits.
    var value: Int?
    /// Bytes read; 0 if there is no number.
    var length: Int

    init(_ text: ArraySlice<UInt8>, wide: Bool = false) {
        var at = text.startIndex
        var isNegative = false
        if at < text.endIndex, text[at] == 0x2B || text[at] == 0x2D {
            isNegative = text[at] == 0x2D
            at += 1
        }
        let digits = at
        var total: Int? = 0
        while at < text.endIndex, ASCII.isDigit(text[at]) {
            if let sum = total {
                let (product, overflow) = sum.multipliedReportingOverflow(by: 10)
                let (next, carry) = product.addingReportingOverflow(Int(text[at] &- 0x30))
                total = overflow || carry ? nil : next
            }
            at += 1
        }
        length = at == digits ? 0 : at - text.startIndex
        value = total.map { isNegative ? -$0 : $0 }
        if !wide, let number = value, Int32(exactly: number) == nil { value = nil }
    }
}

/// Words that dates and times are written with.
enum DateTimeWord {
    enum Special { case now, today, tomorrow, yesterday, allballs, epoch, infinity, minusInfinity }
    enum Label { case year, month, day, hour, minute, second, julian, other }
    case special(Special)
    case month(Int)
    case weekday(Int)
    /// Whether it is the afternoon.
    case halfDay(Bool)
    /// Whether it is before Christ.
    case era(Bool)
    /// Says what the next number is.
    case label(Label)
    /// `T` in front of a time.
    case timeFollows
    /// `DST` behind a zone's abbreviation.
    case summerTime
    case ignored

    init?(_ word: String) {
        switch word {
        case "-infinity": self = .special(.minusInfinity)
        case "infinity": self = .special(.infinity)
        case "now": self = .special(.now)
        case "today": self = .special(.today)
        case "tomorrow": self = .special(.tomorrow)
        case "yesterday": self = .special(.yesterday)
        case "allballs": self = .special(.allballs)
        case "epoch": self = .special(.epoch)
        case "ad": self = .era(false)
        case "bc": self = .era(true)
        case "am": self = .halfDay(false)
        case "pm": self = .halfDay(true)
        case "at", "on": self = .ignored
        case "d": self = .label(.day)
        case "h": self = .label(.hour)
        case "m": self = .label(.month)
        case "mm": self = .label(.minute)
        case "s": self = .label(.second)
        case "y": self = .label(.year)
        case "j", "jd", "julian": self = .label(.julian)
        case "dow", "doy", "isodow", "isoyear": self = .label(.other)
        case "t": self = .timeFollows
        case "dst": self = .summerTime
        default:
            if let month = Self.months[word] {
                self = .month(month)
            } else if let day = Self.weekdays[word] {
                self = .weekday(day)
            } else {
                return nil
            }
        }
    }

    private static let months = [
        "jan": 1, "january": 1, "feb": 2, "february": 2, "mar": 3, "march": 3, "apr": 4, "april": 4, "may": 5,
        "jun": 6, "june": 6, "jul": 7, "july": 7, "aug": 8, "august": 8, "sep": 9, "sept": 9, "september": 9,
        "oct": 10, "october": 10, "nov": 11, "november": 11, "dec": 12, "december": 12,
    ]
    private static let weekdays = [
        "sun": 0, "sunday": 0, "mon": 1, "monday": 1, "tue": 2, "tues": 2, "tuesday": 2, "wed": 3, "weds": 3,
        "wednesday": 3, "thu": 4, "thur": 4, "thurs": 4, "thursday": 4, "fri": 5, "friday": 5, "sat": 6,
        "saturday": 6,
    ]
}
