// A file from its beginning to its end: COPY … FROM.

import Diagnostics
import Storage

/// Gives the bytes of a file, unpacked if its name says that it is a gzip file. Confined to its reader.
package final class SequentialFile: FileStream {
    private static let pieceByteCount = 1 << 20
    private let source: any ByteSource

    package init(_ file: any ReadableFile) throws {
        source =
            file.identity.path.lowercased().hasSuffix(".gz")
            ? try GzipSource(file) : try FileRangeSource(file, 0..<file.identity.byteCount)
    }

    package func next() throws -> [UInt8]? {
        let bytes = try [UInt8](unsafeUninitializedCapacity: Self.pieceByteCount) { buffer, count in
            guard let base = buffer.baseAddress else { return }
            count = try source.read(into: base, count: Self.pieceByteCount)
        }
        return bytes.isEmpty ? nil : bytes
    }
}
