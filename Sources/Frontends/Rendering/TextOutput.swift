// Buffered output to a file descriptor.

import Diagnostics

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Collects bytes and writes them in large pieces. Confined to one thread at a time.
package final class TextOutput {
    private static let flushByteCount = 64 << 10

    /// Bytes not yet written; renderers append here and then call `flushIfLarge`.
    package var bytes: [UInt8] = []
    private let descriptor: Int32
    private let closesAtEnd: Bool

    package init(descriptor: Int32) {
        self.descriptor = descriptor
        closesAtEnd = false
    }

    /// A new file, or one that is replaced.
    package init(path: String) throws {
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        closesAtEnd = true
        guard descriptor >= 0 else {
            throw QueryError(.ioError, "could not open \"\(path)\": \(String(cString: strerror(errno)))", object: path)
        }
    }

    /// Keeps everything in `bytes`; for tests.
    package init() {
        descriptor = -1
        closesAtEnd = false
    }

    deinit {
        if closesAtEnd {
            try? flush()
            close(descriptor)
        }
    }

    package var isTerminal: Bool { descriptor >= 0 && isatty(descriptor) == 1 }

    package func write(_ text: String) { bytes.append(contentsOf: text.utf8) }

    package func flushIfLarge() throws {
        if bytes.count >= TextOutput.flushByteCount { try flush() }
    }

    package func flush() throws {
        guard descriptor >= 0 else { return }
        var start = 0
        while start < bytes.count {
            let written = bytes.withUnsafeBytes { pointer in
                #if canImport(Glibc)
                    Glibc.write(descriptor, pointer.baseAddress! + start, pointer.count - start)
                #else
                    Darwin.write(descriptor, pointer.baseAddress! + start, pointer.count - start)
                #endif
            }
            if written < 0 {
                if errno == EINTR { continue }
                bytes.removeAll()
                throw QueryError(.ioError, "could not write output: \(String(cString: strerror(errno)))")
            }
            start += written
        }
        bytes.removeAll(keepingCapacity: true)
    }
}
