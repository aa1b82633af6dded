// Tables of files: which formats there are, and which table a set of files makes.

import Columnar
import Diagnostics
import Storage

/// The formats that tables of files may have.
package enum FileFormat: String, Sendable, CaseIterable {
    case parquet, csv, tsv, tbl
    /// JSON lines.
    case jsonl, ndjson
    /// Arrow IPC files.
    case arrow

    /// The format that a file's name tells, and the name without its endings.
    package static func of(fileName: String) -> (format: FileFormat, baseName: String)? {
        var name = Substring(fileName)
        if name.hasSuffix(".gz") { name = name.dropLast(3) }
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return nil }
        guard let format = FileFormat(rawValue: name[name.index(after: dot)...].lowercased()) else { return nil }
        if (format == .parquet || format == .arrow) && name.endIndex != fileName.endIndex { return nil }
        return (format, String(name[..<dot]))
    }
}

package enum FileTable {
    /// The table that files of one format make.
    package static func open(
        name: String, format: FileFormat, files: [FileIdentity], options: [String: String] = [:],
        in store: any FileStore = LocalFiles.shared
    ) throws -> any TableProvider {
        switch format {
        case .parquet: return try ParquetTable(name: name, files: files, in: store)
        case .csv, .tsv, .tbl:
            return try CSVTable(name: name, files: files, options: CSVOptions(options, format: format), in: store)
        case .jsonl, .ndjson: return try JSONLinesTable(name: name, files: files, in: store)
        case .arrow: return try ArrowTable(name: name, files: files, in: store)
        }
    }

    /// A writer for one file, which appears when the writer commits, or with the option `per_thread_output` for a directory
    /// of them. Formats as COPY names them.
    package static func makeWriter(
        path: String, format: String, options: [String: String], columns: [Field],
        in store: any FileStore = LocalFiles.shared
    ) throws -> any TableWriter {
        if let value = options["per_thread_output"] {
            var options = options
            options["per_thread_output"] = nil
            switch value.lowercased() {
            case "true", "on", "1", "":
                guard store is LocalFiles else {
                    throw QueryError.notSupported(
                        "per_thread_output in an object store",
                        hint: "Several objects do not appear together; CREATE TABLE AS in a catalogue does.")
                }
                return try DirectoryWriter(path: path, format: format, options: options, columns: columns)
            case "false", "off", "0":
                return try makeWriter(path: path, format: format, options: options, columns: columns, in: store)
            default:
                throw QueryError(
                    .syntaxError, "per_thread_output requires a Boolean value", object: "per_thread_output")
            }
        }
        switch format {
        case "csv", "text":
            return try CSVWriter(path: path, format: format, options: options, columns: columns, in: store)
        case "json": return try JSONLinesWriter(path: path, options: options, columns: columns, in: store)
        case "parquet": return try ParquetWriter(path: path, options: options, columns: columns, in: store)
        case "arrow": return try ArrowWriter(path: path, options: options, columns: columns, in: store)
        default: throw QueryError.notSupported("COPY TO in the format \"\(format)\"")
        }
    }
}
