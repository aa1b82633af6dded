// FileFormats: readers and writers of Parquet, Arrow, CSV and JSON lines, used by every storage plug-in that holds files.
//
//   IO/           files read by position and written whole, with typed errors
//   Writing/      directories of files, packed files, how files become part of a table
//   Compression/  the codecs of pages and files
//   Parquet/      footer, pages, encodings, pruning, the reader of a row group
//   Arrow/        Arrow IPC files: FlatBuffers, the reader of a record batch, the writer
//   JSONLines/    objects line by line: columns from the first lines, the reader of a byte range, the writer
//   CSV/          type sniffing, the scanner, the reader of a byte range, the writer
//   FileTable     a table made of files of one format

import Diagnostics

extension QueryError {
    /// A file whose bytes break its format's rules.
    static func corrupted(_ what: String) -> QueryError { QueryError(.dataCorrupted, "invalid Parquet file: \(what)") }
}
