// The table that every backend's conformance test holds.

import Columnar
import QueryPlan
import Storage

/// 10,000 rows made by a formula, so that any generator can write them. `id` counts from 0.
package enum StandardTable {
    package static let rowCount = 10_000

    package static let fields = [
        Field(name: "id", type: .int64),
        Field(name: "category", type: .text),
        Field(name: "amount", type: .float64),
        Field(name: "day", type: .date),
        Field(name: "note", type: .text),
    ]

    /// Days since 1970 of 2020-01-01.
    package static let firstDay = 18_262

    package static func row(_ id: Int) -> [ScalarValue] {
        [
            .integer(Int64(id)), .string("category \(id % 7)"), .float(Double(id) * 0.25),
            id % 11 == 0 ? .null : .integer(Int64(firstDay + id % 1000)),
            id % 13 == 0 ? .null : .string("note number \(id) in some words"),
        ]
    }

    package static var rows: [[ScalarValue]] { (0..<rowCount).map(row) }

    /// The rows as a CSV file with a header.
    package static var csv: String {
        var text = "id,category,amount,day,note\n"
        for id in 0..<rowCount {
            let day = id % 11 == 0 ? "" : isoDate(id % 1000)
            let note = id % 13 == 0 ? "" : "note number \(id) in some words"
            text += "\(id),category \(id % 7),\(Double(id) * 0.25),\(day),\(note)\n"
        }
        return text
    }

    /// The date `offset` days after the first.
    private static func isoDate(_ offset: Int) -> String {
        var left = offset
        var year = 2020
        var month = 0
        while true {
            let isLeap = year % 4 == 0
            let length = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month]
            if left < length { break }
            left -= length
            month += 1
            if month == 12 {
                month = 0
                year += 1
            }
        }
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(year)-\(two(month + 1))-\(two(left + 1))"
    }
}
