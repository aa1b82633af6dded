// Options of CSV files: what the user says, and what is found out by looking.

import Diagnostics

/// Options as given; `nil` is found out from the file.
package struct CSVOptions: Sendable, Hashable {
    package static let keys = ["header", "delimiter", "quote", "escape", "null", "sample_rows", "all_text"]

    package var header: Bool?
    package var delimiter: UInt8?
    package var quote: UInt8?
    package var escape: UInt8?
    /// The text that stands for NULL when it is not quoted.
    package var null: [UInt8] = []
    /// Every line ends with a delimiter.
    package var hasTrailingDelimiter = false
    /// Rows that types are found out from.
    package var sampleRowCount = 20_480
    /// Leaves all columns as text.
    package var isAllText = false

    package init() {}

    /// Parses options; `delim` and `sep` are understood as well.
    package init(_ values: [String: String], format: FileFormat) throws {
        self.init()
        switch format {
        case .tsv: delimiter = UInt8(ascii: "\t")
        case .tbl:
            delimiter = UInt8(ascii: "|")
            hasTrailingDelimiter = true
            header = false
        case .csv, .parquet, .jsonl, .ndjson, .arrow: break
        }
        for (key, value) in values {
            switch key {
            case "header": header = try CSVOptions.boolean(key, value)
            case "all_text": isAllText = try CSVOptions.boolean(key, value)
            case "delimiter": delimiter = try CSVOptions.byte(key, value)
            case "quote": quote = try CSVOptions.byte(key, value)
            case "escape": escape = try CSVOptions.byte(key, value)
            case "null": null = Array(value.utf8)
            case "sample_rows":
                guard let count = Int(value), count > 0 else { throw CSVOptions.invalid(key, value) }
                sampleRowCount = count
            default: throw QueryError(.invalidParameterValue, "there is no CSV option \"\(key)\"", object: key)
            }
        }
    }

    private static func boolean(_ key: String, _ value: String) throws -> Bool {
        switch value.lowercased() {
        case "true", "on", "yes", "1": return true
        case "false", "off", "no", "0": return false
        default: throw invalid(key, value)
        }
    }

    private static func byte(_ key: String, _ value: String) throws -> UInt8 {
        let text = value == "\\t" ? "\t" : value
        guard text.utf8.count == 1, let byte = text.utf8.first, byte != 10, byte != 13 else {
            throw invalid(key, value)
        }
        return byte
    }

    private static func invalid(_ key: String, _ value: String) -> QueryError {
        QueryError(.invalidParameterValue, "invalid value for the CSV option \"\(key)\": \"\(value)\"", object: key)
    }
}
