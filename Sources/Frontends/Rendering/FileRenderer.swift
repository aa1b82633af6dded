// Rows as a Parquet or an Arrow file: for files, pipes and programs, not for terminals.

import Columnar
import Diagnostics
import FileFormats
import Storage

/// Writes the rows of one result as a file of a binary format. Numbers, times and so on keep their types; of a server's rows
/// by the types' numbers, and those that have none here are text.
final class FileRenderer: ResultRenderer {
    enum Format: String { case parquet = "Parquet", arrow = "Arrow" }

    private let columns: [ResultColumn]
    private let output: TextOutput
    private let format: Format
    private var writer: (any TableWriter)?

    init(_ columns: [ResultColumn], _ output: TextOutput, format: Format) {
        self.columns = columns
        self.output = output
        self.format = format
    }

    /// Made when it is known that the result can be written.
    private func openedWriter() throws -> any TableWriter {
        if let writer { return writer }
        guard !output.isTerminal else {
            throw QueryError(
                .objectNotInPrerequisiteState, "\(format.rawValue) is not for a terminal",
                hint: "Write the rows to a file: \\o FILE, or \\g FILE.")
        }
        guard !output.holdsFile else {
            throw QueryError(
                .objectNotInPrerequisiteState, "a file in the format \(format.rawValue) has the rows of one statement",
                hint: "Give each statement a file of its own: \\g FILE.")
        }
        output.holdsFile = true
        let fields = columns.map { Field(name: $0.name, type: $0.type) }
        let sink = OutputSink(output)
        let made: any TableWriter =
            switch format {
            case .parquet: try ParquetWriter(options: [:], columns: fields) { sink }
            case .arrow: try ArrowWriter(options: [:], columns: fields) { sink }
            }
        writer = made
        return made
    }

    func append(_ rows: ResultRows) throws { try openedWriter().write(try rows.batch(columns)) }

    func finish() throws { try openedWriter().commit() }
}

/// A file that goes to where all output goes.
private final class OutputSink: FileSink {
    private let output: TextOutput
    private(set) var byteCount = 0

    init(_ output: TextOutput) { self.output = output }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        output.bytes.append(contentsOf: bytes)
        byteCount += bytes.count
        try output.flushIfLarge()
    }

    func commit() throws { try output.flush() }

    /// What went out stays there.
    func abort() {}
}

extension ResultRows {
    /// The rows with the columns' types. Errors: of texts that are no values of their types.
    func batch(_ columns: [ResultColumn]) throws -> Batch {
        switch source {
        case .vectors(let vectors, let settings):
            let typed = try zip(vectors, columns).map { vector, column in
                guard vector.type == .text, column.type != .text else { return vector }
                return try values(of: column.type, settings) { row, text in
                    guard !vector.isNull(row) else { return false }
                    TextFormat.append(vector, row: row, settings: settings, into: &text)
                    return true
                }
            }
            return Batch(columns: typed, rowCount: rowCount)
        case .texts(let rows):
            let vectors = try columns.enumerated().map { index, column in
                try values(of: column.type, TextSettings()) { row, text in
                    guard let value = rows[row][index] else { return false }
                    text = value
                    return true
                }
            }
            return Batch(columns: vectors, rowCount: rowCount)
        }
    }

    /// Values of the type from their texts; `append` gives the text of a row, or says that there is none.
    private func values(
        of type: DataType, _ settings: TextSettings, _ append: (Int, inout [UInt8]) -> Bool
    ) throws -> Vector {
        let builder = VectorBuilder(type: type, capacity: rowCount)
        var text: [UInt8] = []
        for row in 0..<rowCount {
            text.removeAll(keepingCapacity: true)
            guard append(row, &text) else {
                builder.appendNull()
                continue
            }
            builder.append(
                try text.withUnsafeBufferPointer { try TextFormat.parse($0, as: type, settings: settings) })
        }
        return builder.finish()
    }
}
