// Numbers as reports print them.

package enum DecimalText {
    /// With so many digits behind the point, rounded.
    package static func fixed(_ value: Double, digits: Int) -> String {
        guard value.isFinite else { return "-" }
        var factor = 1.0
        for _ in 0..<digits { factor *= 10 }
        let scaled = (abs(value) * factor).rounded()
        guard scaled < 9e18 else { return "\(value)" }
        let whole = Int64(scaled)
        let sign = value < 0 && whole != 0 ? "-" : ""
        guard digits > 0 else { return "\(sign)\(whole)" }
        let text = String(whole)
        let padded = String(repeating: "0", count: max(0, digits + 1 - text.count)) + text
        return sign + padded.dropLast(digits) + "." + padded.suffix(digits)
    }

    /// Milliseconds with as many digits as mean something.
    package static func milliseconds(_ value: Double) -> String {
        fixed(value, digits: value < 1 ? 3 : value < 100 ? 2 : value < 1000 ? 1 : 0)
    }
}
