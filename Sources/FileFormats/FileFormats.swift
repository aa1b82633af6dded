// FileFormats: readers and writers of Parquet, CSV and JSON lines, used by every storage plug-in that holds files.
//
//   IO/           files read by position, with typed errors
//   Compression/  the codecs of pages and files
//   Parquet/      footer, pages, encodings, pruning, the reader of a row group
//   JSONLines/    objects line by line: columns from the first lines, the reader of a byte range, the writer
//   CSV/          type sniffing, the scanner, the reader of a byte range, the writer
//   FileTable     a table made of files of one format

import Diagnostics

extension QueryError {
    /// A file whose bytes break its format's rules.
    static func corrupted(_ what: String) -> QueryError { QueryError(.dataCorrupted, "invalid Parquet file: \(what)") }
}
