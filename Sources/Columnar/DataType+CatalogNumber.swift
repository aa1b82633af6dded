// Types by their numbers in PostgreSQL's catalogue.

extension DataType {
    /// The type of a number, without what a modifier adds; `nil` if values of it cannot be given as parameters.
    package init?(catalogIdentifier number: Int64) {
        switch number {
        case 16: self = .boolean
        case 21: self = .int16
        case 23: self = .int32
        case 20: self = .int64
        case 26, 28, 29: self = .oid
        case 700: self = .float32
        case 701: self = .float64
        case 1700: self = .anyNumeric
        case 25: self = .text
        case 18: self = .internalChar
        case 19: self = .name
        case 22: self = .indexVector(.int16)
        case 30: self = .indexVector(.oid)
        case 1002: self = .array(.internalChar)
        case 1003: self = .array(.name)
        case 1028: self = .array(.oid)
        case 24, 2202...2206, 4089, 4096, 4191:
            guard let kind = RegisteredKind.allCases.first(where: { $0.catalogIdentifier == number }) else {
                return nil
            }
            self = .registered(kind)
        case 1043: self = .varchar(length: nil)
        case 3904, 3906, 3908, 3910, 3912, 3926:
            guard let kind = RangeKind.allCases.first(where: { $0.catalogIdentifier == number }) else { return nil }
            self = .range(kind)
        case 1560: self = .bit(length: nil)
        case 1562: self = .varbit(length: nil)
        case 1042: self = .text
        case 17: self = .bytea
        case 1082: self = .date
        case 1083: self = .time
        case 1266: self = .timeTZ
        case 1114: self = .timestamp
        case 1184: self = .timestampTZ
        case 1186: self = .interval
        case 2950: self = .uuid
        case 114: self = .json
        case 3802: self = .jsonb
        case 4072: self = .jsonpath
        case 1000: self = .array(.boolean)
        case 1005: self = .array(.int16)
        case 1007: self = .array(.int32)
        case 1016: self = .array(.int64)
        case 1021: self = .array(.float32)
        case 1022: self = .array(.float64)
        case 1009, 1014, 1015: self = .array(.text)
        case 1001: self = .array(.bytea)
        case 1115: self = .array(.timestamp)
        case 1182: self = .array(.date)
        case 1183: self = .array(.time)
        case 1185: self = .array(.timestampTZ)
        case 1187: self = .array(.interval)
        case 1231: self = .array(.anyNumeric)
        case 199: self = .array(.json)
        case 2951: self = .array(.uuid)
        case 3807: self = .array(.jsonb)
        default: return nil
        }
    }
}
