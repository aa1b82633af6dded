// Settings that decide how values look as text: DateStyle, IntervalStyle, TimeZone, extra_float_digits, bytea_output.

import Columnar
import Diagnostics

extension SessionSettings {
    /// The style that the values of the settings name.
    var madeTextStyle: TextStyle {
        var style = TextStyle()
        _ = style.apply(dateStyle: self["datestyle"])
        style.intervalFormat = TextStyle.intervalFormat(named: self["intervalstyle"]) ?? .postgres
        style.byteFormat = TextStyle.byteFormat(named: self["bytea_output"]) ?? .hex
        style.extraFloatDigits = Int(self["extra_float_digits"]) ?? 1
        return style
    }

    /// The encoding that the setting names, if it is one that text is converted to.
    var madeClientEncoding: ClientEncoding? {
        guard case .converted(let encoding)? = ClientEncoding.meaning(of: self["client_encoding"]) else { return nil }
        return encoding
    }

    package var textSettings: TextSettings { TextSettings(timeZoneNamed: self["timezone"], style: textStyle) }

    /// The value to keep of one of these settings; `nil` if the setting is another one. Errors: 22023.
    func checkedTextSetting(_ name: String, _ value: String) throws -> String? {
        func invalid(_ hint: String? = nil) -> QueryError {
            QueryError(
                .invalidParameterValue,
                "invalid value for parameter \"\(Self.reportedName(name))\": \"\(value)\"", hint: hint)
        }
        switch name {
        case "datestyle":
            var style = textStyle
            guard style.apply(dateStyle: value) else { throw invalid() }
            return style.dateStyleText
        case "intervalstyle":
            guard TextStyle.intervalFormat(named: value) != nil else {
                throw invalid("Available values: postgres, postgres_verbose, sql_standard, iso_8601.")
            }
            return value.lowercased()
        case "bytea_output":
            guard TextStyle.byteFormat(named: value) != nil else { throw invalid("Available values: escape, hex.") }
            return value.lowercased()
        case "extra_float_digits":
            guard let number = Int(value) else { throw invalid() }
            guard (-15...3).contains(number) else {
                throw QueryError(
                    .invalidParameterValue,
                    "\(number) is outside the valid range for parameter \"extra_float_digits\" (-15 .. 3)")
            }
            return String(number)
        case "timezone":
            if value.lowercased() == "default" || value.lowercased() == "local" {
                return Self.definition("timezone")?.defaultValue ?? "UTC"
            }
            if value.lowercased().hasPrefix("interval") {
                // SET TIME ZONE INTERVAL '+05:30' HOUR TO MINUTE
                let quoted = value.split(separator: "'", omittingEmptySubsequences: false)
                guard quoted.count == 3 else { throw invalid() }
                let interval = try Array(quoted[1].utf8).withUnsafeBufferPointer {
                    try IntervalText.parse($0, qualifier: .hourToMinute)
                }
                guard interval.months == 0, interval.days == 0 else { throw invalid() }
                return TimeZoneData.fixed(seconds: Int(interval.microseconds / 1_000_000)).name
            }
            guard let zone = TimeZoneData.session(value) else { throw invalid() }
            return zone.name
        default: return nil
        }
    }
}
