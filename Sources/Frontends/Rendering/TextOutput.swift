// Buffered output to a file descriptor.

import Diagnostics

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Collects bytes and writes them in large pieces. Confined to one thread at a time.
package final class TextOutput {
    private enum Target {
        case descriptor(Int32, closesAtEnd: Bool)
        case program(UnsafeMutablePointer<FILE>)
        case sink(([UInt8]) throws -> Void)
        case memory
    }
    private static let flushByteCount = 64 << 10

    /// Bytes not yet written; renderers append here and then call `flushIfLarge`.
    package var bytes: [UInt8] = []
    /// Set when a file of a binary format is being written: nothing else can stand behind it.
    var holdsFile = false
    private let target: Target

    package init(descriptor: Int32) { target = .descriptor(descriptor, closesAtEnd: false) }

    /// A new file, or one that is replaced; behind a bar, a program that reads it.
    package init(path: String) throws {
        if path.hasPrefix("|") {
            guard let pipe = popen(String(path.dropFirst()), "w") else {
                throw QueryError(.ioError, "could not run \"\(path.dropFirst())\": \(String(cString: strerror(errno)))")
            }
            target = .program(pipe)
            return
        }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw QueryError(.ioError, "could not open \"\(path)\": \(String(cString: strerror(errno)))", object: path)
        }
        target = .descriptor(descriptor, closesAtEnd: true)
    }

    /// Gives the pieces to somebody else.
    package init(sink: @escaping ([UInt8]) throws -> Void) { target = .sink(sink) }

    /// Keeps everything in `bytes`; for tests.
    package init() { target = .memory }

    deinit {
        try? flush()
        switch target {
        case .descriptor(let descriptor, closesAtEnd: true): close(descriptor)
        case .program(let pipe): pclose(pipe)
        default: break
        }
    }

    /// -1 if there is none.
    package var descriptor: Int32 {
        switch target {
        case .descriptor(let descriptor, _): descriptor
        case .program(let pipe): fileno(pipe)
        case .sink, .memory: -1
        }
    }

    package var isTerminal: Bool { descriptor >= 0 && isatty(descriptor) == 1 }

    package func write(_ text: String) { bytes.append(contentsOf: text.utf8) }

    package func flushIfLarge() throws {
        if bytes.count >= TextOutput.flushByteCount { try flush() }
    }

    package func flush() throws {
        if case .sink(let sink) = target, !bytes.isEmpty {
            let piece = bytes
            bytes.removeAll(keepingCapacity: true)
            try sink(piece)
            return
        }
        let descriptor = self.descriptor
        guard descriptor >= 0 else { return }
        var start = 0
        while start < bytes.count {
            let written = bytes.withUnsafeBytes { pointer in
                posixWrite(descriptor, pointer.baseAddress.map { $0 + start }, pointer.count - start)
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
