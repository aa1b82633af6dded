// Cases about types: what is written is what is read, at the ends of each type's range too, and NULL besides.

import Columnar
import Diagnostics
import QueryPlan
import Storage

extension StorageConformance {
    /// Types with texts of values, in PostgreSQL's form. A store that keeps fewer values of a type refuses the others.
    private static let samples: [(DataType, [String])] = [
        (.boolean, ["t", "f"]),
        (.int16, ["0", "-32768", "32767"]),
        (.int32, ["0", "-2147483648", "2147483647"]),
        (.int64, ["0", "-9223372036854775808", "9223372036854775807", "4503599627370497"]),
        (.float32, ["0", "1.5", "-3.4028235e+38", "1e-45", "Infinity", "0.1"]),
        (.float64, ["0", "0.1", "-1.7976931348623157e+308", "5e-324", "Infinity", "-Infinity", "1e23"]),
        (.decimal(precision: 10, scale: 2), ["0.00", "0.01", "-99999999.99", "12345678.90", "99999999.99"]),
        (.decimal(precision: 15, scale: 15), ["0.123456789012345", "-0.000000000000001"]),
        (.decimal(precision: 38, scale: 10), ["1234567890123456789012345678.0123456789", "-0.0000000001"]),
        (.decimal(precision: 18, scale: 0), ["999999999999999999", "-1"]),
        (.numeric(nil), ["0", "1.50", "-123456789012345678901234567890.123456789", "0.000001"]),
        (.text, ["", "a", "it's", "Zürich 東京 🙂", "line\nbreak\ttab", "0123", " blanks ", "NULL"]),
        (.varchar(length: 5), ["", "12345", "äöüéè"]),
        (.char(length: 4), ["", "ab", "abcd"]),
        (.bytea, ["\\x", "\\x00", "\\x00ff10", "\\x27225c"]),
        (.date, ["1970-01-01", "0001-01-01", "9999-12-31", "2024-02-29", "infinity", "-infinity"]),
        (.time, ["00:00:00", "23:59:59.999999", "12:34:56.5", "24:00:00"]),
        (.timestamp, ["1970-01-01 00:00:00", "2024-02-29 23:59:59.999999", "0001-01-01 00:00:00", "infinity"]),
        (.timestampTZ, ["1970-01-01 00:00:00+00", "2024-02-29 12:00:00.000001+00", "-infinity"]),
        (.interval, ["00:00:00", "1 year 2 mons 3 days 04:05:06.7", "-1 days", "-00:00:00.000001"]),
        (.uuid, ["00000000-0000-0000-0000-000000000000", "6f6b1c1e-0000-4444-8888-0123456789ab"]),
        (.json, ["1.50", "{\"a\": [1, 2]}", "\"text\"", "null", "1e5"]),
        (.jsonb, ["1.50", "{\"a\": [1, 2]}", "\"text\"", "null"]),
    ]

    static let typeCases: [ConformanceCase] = samples.flatMap { type, texts in
        [
            ConformanceCase("type \(type.sqlName): there and back") { fixture in
                try await fixture.withTable([Field(name: "n", type: .int64), Field(name: "v", type: type)]) { name in
                    let table = try await fixture.provider(name)
                    try fixture.require(
                        table.schema.types[1] == type, "the column has type \(table.schema.types[1].sqlName)")
                    var rows: [[ScalarValue]] = try texts.enumerated().map { index, text in
                        [.integer(Int64(index)), try TextFormat.parse(text, as: type)]
                    }
                    rows.append([.integer(-1), .null])
                    try await fixture.write(name, rows)
                    try fixture.requireSame(try await fixture.all(name), rows, "values change")
                }
            },
            ConformanceCase("type \(type.sqlName): conditions") { fixture in
                guard !type.isFloat, type != .json else { throw NotApplicable(reason: "no equality by identity") }
                try await fixture.withTable([Field(name: "n", type: .int64), Field(name: "v", type: type)]) { name in
                    let values = try texts.map { try TextFormat.parse($0, as: type) }
                    let rows =
                        values.enumerated().map { [ScalarValue.integer(Int64($0)), $1] } + [[.integer(-1), .null]]
                    try await fixture.write(name, rows)
                    let table = try await fixture.provider(name)
                    let column = Expression.input(1, type)
                    for value in values {
                        let predicates: [(Expression, (ScalarValue) -> Bool)] = [
                            (.comparison("=", column, .literal(value, type)), { $0 == value }),
                            (.comparison("<=", column, .literal(value, type)), { $0 == value }),
                            (.comparison(">=", column, .literal(value, type)), { $0 == value }),
                            (.inList(column, [value, .null]), { $0 == value }),
                            (.not(.comparison("=", column, .literal(value, type))), { $0 != value && !$0.isNull }),
                        ]
                        for (predicate, keeps) in predicates {
                            let found = Set(
                                try await fixture.rows(
                                    table, ScanRequest(projection: [0, 1], predicates: [predicate])))
                            try fixture.require(
                                rows.filter { keeps($0[1]) }.allSatisfy(found.contains), "\(predicate) loses rows")
                        }
                    }
                }
            },
        ]
    }
}
