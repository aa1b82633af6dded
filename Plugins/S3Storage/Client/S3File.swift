// Reading objects: ranges of exactly one version, near ones in one request, large ones in several.

import Columnar
import Diagnostics
import FileFormats
import Synchronization

final class S3File: ReadableFile {
    let identity: FileIdentity
    private let store: S3Store
    private let path: ObjectPath
    private let etag: String

    /// Ranges with no more than this between them come in one request.
    private static let gapMax = 128 << 10
    /// A joined range ends when it has so many bytes.
    private static let joinedByteCountMax = 16 << 20
    /// Longer ranges come in several requests at the same time.
    private static let requestByteCountMax = 4 << 20

    init(_ store: S3Store, _ identity: FileIdentity, _ path: ObjectPath, etag: String) {
        self.store = store
        self.identity = identity
        self.path = path
        self.etag = etag
    }

    var isRemote: Bool { true }

    func fetch(_ ranges: [Range<Int>]) throws -> [any RangeFetch] {
        for range in ranges where range.lowerBound < 0 || range.upperBound > identity.byteCount {
            throw QueryError(
                .ioError, "could not read file \"\(path)\": it ends at byte \(identity.byteCount)",
                object: path.description)
        }
        var groups: [(range: Range<Int>, members: [Int])] = []
        for index in ranges.indices.sorted(by: { ranges[$0].lowerBound < ranges[$1].lowerBound }) {
            let range = ranges[index]
            if let last = groups.last, range.lowerBound <= last.range.upperBound + Self.gapMax,
                max(range.upperBound, last.range.upperBound) - last.range.lowerBound <= Self.joinedByteCountMax
            {
                groups[groups.count - 1].range =
                    last.range.lowerBound..<max(range.upperBound, last.range.upperBound)
                groups[groups.count - 1].members.append(index)
            } else {
                groups.append((range, [index]))
            }
        }
        var result = [(any RangeFetch)?](repeating: nil, count: ranges.count)
        for group in groups {
            let shared = start(group.range)
            for index in group.members { result[index] = S3Range(shared, ranges[index]) }
        }
        return result.compactMap { $0 }
    }

    private func start(_ range: Range<Int>) -> S3SharedRange {
        let buffer = Buffer(byteCount: max(1, range.count))
        var parts: [S3SharedRange.Part] = []
        var at = range.lowerBound
        // Parts of the same length, so that none of them ends last by much.
        let count = max(1, (range.count + Self.requestByteCountMax - 1) / Self.requestByteCountMax)
        while at < range.upperBound {
            let end = min(range.upperBound, at + (range.count + count - 1) / count)
            let request = S3Store.Request(
                method: "GET", path: path,
                headers: [(name: "if-match", value: etag), (name: "range", value: "bytes=\(at)-\(end - 1)")])
            let target = Transfer.Target(buffer: buffer, offset: at - range.lowerBound, count: end - at)
            parts.append(.init(range: at..<end, claim: TransferClaim(store.start(request, target: target))))
            at = end
        }
        return S3SharedRange(range, buffer, parts) { [self] in try check($0, $1) }
    }

    /// Whether an answer is what was asked for.
    private func check(_ transfer: Transfer, _ range: Range<Int>) throws {
        let response = try store.answer(transfer, "read", path)
        if response.status == 412 || response.status == 404 {
            if ErrorDocument(response.body)?.code == "NoSuchBucket" { throw S3Errors.error(response, "read", path) }
            throw S3Errors.changed(path)
        }
        guard response.isSuccess else {
            if response.status == 416 { throw S3Errors.changed(path) }
            throw S3Errors.error(response, "read", path)
        }
        if let found = response.etag, S3Store.quoted(found) != etag { throw S3Errors.changed(path) }
        if response.status == 206 {
            guard response.contentRange == "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(identity.byteCount)"
            else {
                throw S3Errors.malformed("read", path, "It has another range than was asked for.")
            }
        } else if range != 0..<identity.byteCount {
            throw S3Errors.malformed("read", path, "The server does not know ranges.")
        }
    }

    func read(into target: UnsafeMutableRawPointer, count: Int, at offset: Int) throws {
        if count == 0 { return }
        let (buffer, position) = try fetch([offset..<offset + count])[0].wait()
        target.copyMemory(from: buffer.base + position, byteCount: count)
    }

    func readSome(into target: UnsafeMutableRawPointer, count: Int, at offset: Int) throws -> Int {
        let wanted = max(0, min(count, identity.byteCount - offset))
        try read(into: target, count: wanted, at: offset)
        return wanted
    }
}

/// Bytes that several ranges share.
private final class S3SharedRange: Sendable {
    struct Part: Sendable {
        var range: Range<Int>
        var claim: TransferClaim
    }
    let range: Range<Int>
    let buffer: Buffer
    private let parts: [Part]
    private let check: @Sendable (Transfer, Range<Int>) throws -> Void

    init(
        _ range: Range<Int>, _ buffer: Buffer, _ parts: [Part],
        check: @escaping @Sendable (Transfer, Range<Int>) throws -> Void
    ) {
        self.range = range
        self.buffer = buffer
        self.parts = parts
        self.check = check
    }

    func wait(for wanted: Range<Int>) throws {
        for part in parts where part.range.overlaps(wanted) { try check(part.claim.transfer, part.range) }
    }
}

private final class S3Range: RangeFetch {
    private let shared: S3SharedRange
    private let range: Range<Int>

    init(_ shared: S3SharedRange, _ range: Range<Int>) {
        self.shared = shared
        self.range = range
    }

    var heldByteCount: Int { range.count }

    func wait() throws -> (buffer: Buffer, position: Int) {
        try shared.wait(for: range)
        return (shared.buffer, range.lowerBound - shared.range.lowerBound)
    }
}
