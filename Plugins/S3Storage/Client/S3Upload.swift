// Writing objects: small ones at once, larger ones in parts that go out while the next is filled.

import Columnar
import Diagnostics
import FileFormats
import Synchronization

/// Nothing is seen of the object before `commit`. Confined to its writer.
final class S3Upload: FileSink {
    private static let partCountMax = 10_000
    /// Parts on their way at the same time.
    private static let partsUnderWay = 2
    /// After so many parts the next ones are twice as long: what can be written is not bounded by the number of parts.
    private static let partsPerSize = 1_000
    private static let partByteCountMax = 1 << 30

    private struct Part {
        var number: Int
        var byteCount: Int
        var claim: TransferClaim
    }

    private let store: S3Store
    private let path: ObjectPath
    private var buffer: Buffer?
    private var filled = 0
    private var partByteCount: Int
    private var upload: String?
    private var underWay: [Part] = []
    private var etags: [String] = []
    private var isEnded = false
    private(set) var byteCount = 0

    init(_ store: S3Store, _ path: ObjectPath) {
        self.store = store
        self.path = path
        partByteCount = store.partByteCount
    }

    deinit { abort() }

    var heldByteCount: Int { underWay.reduce(buffer?.byteCount ?? 0) { $0 + $1.byteCount } }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        guard !isEnded else { throw QueryError.internalError("a write to a closed file") }
        var rest = bytes
        while let base = rest.baseAddress, !rest.isEmpty {
            let buffer = self.buffer ?? Buffer(byteCount: partByteCount)
            self.buffer = buffer
            let count = min(rest.count, partByteCount - filled)
            (buffer.base + filled).copyMemory(from: base, byteCount: count)
            filled += count
            byteCount += count
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
            if filled == partByteCount { try sendPart() }
        }
    }

    private func sendPart() throws {
        guard let buffer, filled > 0 else { return }
        let number = etags.count + underWay.count + 1
        guard number <= Self.partCountMax else {
            throw QueryError(.programLimitExceeded, "\"\(path)\" is too large for an object", object: path.description)
        }
        let upload = try self.upload ?? begin()
        while underWay.count >= Self.partsUnderWay { try collect() }
        let request = S3Store.Request(
            method: "PUT", path: path,
            query: [(name: "partNumber", value: "\(number)"), (name: "uploadId", value: upload)])
        let transfer = store.start(request, body: TransferBody(buffer, count: filled))
        underWay.append(Part(number: number, byteCount: filled, claim: TransferClaim(transfer)))
        self.buffer = nil
        filled = 0
        if number % Self.partsPerSize == 0 { partByteCount = min(partByteCount * 2, Self.partByteCountMax) }
    }

    private func begin() throws -> String {
        let request = S3Store.Request(method: "POST", path: path, query: [(name: "uploads", value: "")])
        let response = try store.answer(store.start(request), "write", path)
        guard response.isSuccess else { throw S3Errors.error(response, "write", path) }
        guard let upload = XMLElement(document: response.body)?.text(of: "UploadId"), !upload.isEmpty else {
            throw S3Errors.malformed("write", path, "It has no identifier of an upload.")
        }
        self.upload = upload
        return upload
    }

    /// Waits for the part that was sent first.
    private func collect() throws {
        guard let part = underWay.first else { return }
        let response = try store.answer(part.claim.transfer, "write", path)
        guard response.isSuccess else { throw S3Errors.error(response, "write", path) }
        guard let etag = response.etag else { throw S3Errors.malformed("write", path, "A part has no etag.") }
        underWay.removeFirst()
        etags.append(etag)
    }

    func commit() throws {
        guard !isEnded else { throw QueryError.internalError("a file is closed twice") }
        do {
            if upload == nil {
                let body = buffer.map { TransferBody($0, count: filled) } ?? TransferBody([])
                try certain { _ = try store.put(path, body, ifAbsent: false) }
            } else {
                try sendPart()
                while !underWay.isEmpty { try collect() }
                try certain { try complete() }
            }
        } catch {
            abort()
            throw error
        }
        isEnded = true
        buffer = nil
    }

    /// A last step after whose failure it is not known whether it happened says so.
    private func certain(_ body: () throws -> Void) throws {
        do { try Interruption.shielded(body) } catch let error as QueryError where error.state == .connectionFailure {
            throw S3Errors.unknown(path, error.detail ?? error.message)
        }
    }

    private func complete() throws {
        guard let upload else { return }
        var text = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        for (index, etag) in etags.enumerated() {
            text += "<Part><PartNumber>\(index + 1)</PartNumber><ETag>\(Self.escaped(etag))</ETag></Part>"
        }
        text += "</CompleteMultipartUpload>"
        let request = S3Store.Request(method: "POST", path: path, query: [(name: "uploadId", value: upload)])
        let transfer = store.start(request, body: TransferBody(Array(text.utf8)), looksIntoBody: true)
        let response = try store.answer(transfer, "write", path)
        let error = ErrorDocument(response.body)
        if response.isSuccess, error == nil { return }
        if error?.code == "NoSuchUpload", response.attemptCount > 1, try store.head(path)?.byteCount == byteCount {
            // The first try did it, and its answer was lost.
            return
        }
        throw S3Errors.error(response, "write", path)
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            default: result.append(character)
            }
        }
        return result
    }

    /// The parts that the server has are given up; nobody waits for that.
    func abort() {
        guard !isEnded else { return }
        isEnded = true
        underWay = []
        buffer = nil
        if let upload {
            _ = store.start(
                S3Store.Request(method: "DELETE", path: path, query: [(name: "uploadId", value: upload)]))
        }
    }
}
