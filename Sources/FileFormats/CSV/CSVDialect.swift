// The rules of one CSV file.

/// How fields and rows are written.
package struct CSVDialect: Hashable, Sendable {
    package var delimiter = UInt8(ascii: ",")
    /// 0 if fields are never quoted.
    package var quote = UInt8(ascii: "\"")
    /// What takes the meaning of a quote inside quotes: the quote itself as a rule.
    package var escape = UInt8(ascii: "\"")
    /// The last byte of a row: a line feed, or a carriage return in very old files.
    package var newline = UInt8(ascii: "\n")
    package var hasHeader = false
    package var hasTrailingDelimiter = false
    /// The unquoted text that stands for NULL.
    package var null: [UInt8] = []

    package init() {}

    /// Whether the parity of quotes tells what is inside of them.
    var isParityBased: Bool { quote == 0 || escape == quote }
}
