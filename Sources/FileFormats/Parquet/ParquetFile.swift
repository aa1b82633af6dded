// Opening Parquet files: finding and parsing the footer, and keeping parsed footers.

import Columnar
import Diagnostics
import Synchronization

/// Footers parsed so far, by version of the file; shared by the whole process.
private final class FooterCache: Sendable {
    private struct State {
        var footers: [FileIdentity: ParquetMetadata] = [:]
        var chunkCount = 0
    }
    /// Column chunks kept at most; each takes some 200 bytes.
    private static let chunkCountMax = 400_000
    private let state = Mutex(State())

    func footer(_ identity: FileIdentity) -> ParquetMetadata? { state.withLock { $0.footers[identity] } }

    func keep(_ footer: ParquetMetadata, _ identity: FileIdentity) {
        let chunks = footer.rowGroups.reduce(1) { $0 + $1.columns.count }
        state.withLock { state in
            if state.chunkCount + chunks > FooterCache.chunkCountMax {
                state.footers.removeAll()
                state.chunkCount = 0
            }
            if state.footers.updateValue(footer, forKey: identity) == nil { state.chunkCount += chunks }
        }
    }
}

private let footerCache = FooterCache()

/// A Parquet file: identity and footer.
package struct ParquetFile: Sendable {
    package let identity: FileIdentity
    let store: any FileStore
    package let metadata: ParquetMetadata

    /// The footer of exactly this version of the file, from the cache if it was read before.
    package init(_ identity: FileIdentity, in store: any FileStore = LocalFiles.shared) throws {
        self.identity = identity
        self.store = store
        if let footer = footerCache.footer(identity) {
            metadata = footer
            return
        }
        let file = try store.open(identity)
        metadata = try ParquetFile.readFooter(file)
        footerCache.keep(metadata, identity)
    }

    package init(path: String) throws { try self.init(try FileIdentity(path: path)) }

    /// Footers that one thread reads.
    private static let filesPerThread = 100

    /// The footers of many files, read by several threads.
    static func open(_ identities: [FileIdentity], in store: any FileStore) throws -> [ParquetFile] {
        if store.isRemote { return try openRemote(identities, in: store) }
        return try identities.mappedInPieces(of: filesPerThread) { piece in
            try piece.map { try ParquetFile($0, in: store) }
        }
    }

    /// Footers asked for at the same time.
    private static let footersUnderWay = 32

    private static func openRemote(_ identities: [FileIdentity], in store: any FileStore) throws -> [ParquetFile] {
        var result: [ParquetFile] = []
        result.reserveCapacity(identities.count)
        var rest = identities[...]
        while !rest.isEmpty {
            let piece = rest.prefix(footersUnderWay)
            rest = rest.dropFirst(piece.count)
            let tails = try piece.map { identity -> (any ReadableFile, any RangeFetch)? in
                guard footerCache.footer(identity) == nil, identity.byteCount >= 12 else { return nil }
                let file = try store.open(identity)
                let size = identity.byteCount
                return (file, try file.fetch([size - min(size, tailByteCount)..<size])[0])
            }
            for (identity, tail) in zip(piece, tails) {
                if let (file, tail) = tail { footerCache.keep(try readFooter(file, tail: tail), identity) }
                result.append(try ParquetFile(identity, in: store))
            }
        }
        return result
    }

    /// Bytes read at once at the end of the file: most footers fit.
    private static let tailByteCount = 64 << 10

    private static func readFooter(_ file: any ReadableFile, tail: (any RangeFetch)? = nil) throws -> ParquetMetadata {
        let size = file.identity.byteCount
        do {
            guard size >= 12 else { throw QueryError.corrupted("it is too short") }
            let tailCount = min(size, tailByteCount)
            let (tail, position) = try (tail ?? file.fetch([size - tailCount..<size])[0]).wait()
            let end = tail.base + position + tailCount
            let magic = (end - 4).loadUnaligned(as: UInt32.self)
            if magic == 0x4552_4150 { throw QueryError.notSupported("an encrypted Parquet file") }
            guard magic == 0x3152_4150 else { throw QueryError.corrupted("it does not end with PAR1") }
            let count = Int(UInt32(littleEndian: (end - 8).loadUnaligned(as: UInt32.self)))
            guard count <= size - 12 else { throw QueryError.corrupted("the footer is longer than the file") }
            if count + 8 <= tailCount {
                return try ParquetMetadata(footer: end - 8 - count, count: count, fileByteCount: size)
            }
            let footer = Buffer(byteCount: count)
            try file.read(into: footer.base, count: count, at: size - 8 - count)
            return try ParquetMetadata(footer: footer.base, count: count, fileByteCount: size)
        } catch let error as QueryError {
            throw error.about(file: file.identity)
        }
    }
}

extension QueryError {
    /// The error with the file that it was found in, unless it names something already.
    func about(file: FileIdentity) -> QueryError {
        if object != nil { return self }
        var error = self
        error.object = file.path
        error.detail = "File: \(file.path)."
        return error
    }
}
