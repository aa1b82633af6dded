// The operations of the protocol: requests, and what their answers mean.

import CCurl
import Columnar
import Diagnostics
import FileFormats
import Glibc
import Synchronization

/// A server with credentials. Thread-safe.
final class S3Store: ObjectStore {
    let endpoint: Endpoint
    private let region: String
    private let isPathStyle: Bool?
    private let credentials: Credentials?
    private let loop: TransferLoop
    let partByteCount: Int

    init(_ options: S3Options) {
        endpoint = options.endpoint
        region = options.region
        isPathStyle = options.isPathStyle
        credentials = options.credentials.credentials
        partByteCount = options.partByteCount
        loop = TransferLoop(options.settings)
    }

    // MARK: Requests

    /// One request; sent again it is signed anew.
    struct Request: Sendable {
        var method: String
        var path: ObjectPath
        var query: [(name: String, value: String)] = []
        /// Names in lower case.
        var headers: [(name: String, value: String)] = []
    }

    private static let emptyDigest = Digest.hexadecimal(Digest.sha256(""))

    private func address(_ path: ObjectPath) -> (host: String, path: String) {
        let key = PercentEncoding.encode(path.key, keepsSlash: true)
        // A name with a point in it does not match the server's certificate.
        if isPathStyle ?? path.bucket.contains(".") {
            return (endpoint.host, "/\(path.bucket)" + (path.key.isEmpty ? "" : "/\(key)"))
        }
        return ("\(path.bucket).\(endpoint.host)", "/\(key)")
    }

    private func prepare(_ request: Request, digest: String) -> PreparedRequest {
        let (host, path) = address(request.path)
        var signable = SignableRequest(
            method: request.method, path: path, query: request.query, headers: request.headers + [("host", host)],
            payloadDigest: digest)
        let query = signable.queryText
        let url = "\(endpoint.scheme)://\(host)\(path)" + (query.isEmpty ? "" : "?\(query)")
        guard let credentials else {
            return PreparedRequest(
                method: request.method, url: url, headers: request.headers.map { "\($0.name): \($0.value)" })
        }
        let stamp = SigningTime(seconds: time(nil))
        signable.headers += [("x-amz-content-sha256", digest), ("x-amz-date", stamp.stamp)]
        if let token = credentials.sessionToken { signable.headers.append(("x-amz-security-token", token)) }
        let authorization = SignatureV4.authorization(
            signable, credentials: credentials, region: region, service: "s3", time: stamp)
        return PreparedRequest(
            method: request.method, url: url,
            headers: signable.headers.filter { $0.name != "host" }.map { "\($0.name): \($0.value)" }
                + ["authorization: \(authorization)"])
    }

    func start(
        _ request: Request, body: TransferBody? = nil, target: Transfer.Target? = nil, looksIntoBody: Bool = false
    ) -> Transfer {
        let digest =
            body.map {
                Digest.hexadecimal(Digest.sha256(UnsafeRawBufferPointer(start: $0.buffer.base, count: $0.count)))
            } ?? Self.emptyDigest
        let transfer = Transfer(loop, body: body, target: target, looksIntoBody: looksIntoBody) { [self] in
            prepare(request, digest: digest)
        }
        loop.start(transfer)
        return transfer
    }

    /// Waits for an answer of any status.
    func answer(_ transfer: Transfer, _ action: String, _ path: ObjectPath) throws -> Response {
        do { return try transfer.wait() } catch let failure as TransferFailure {
            throw S3Errors.error(failure, action, path, endpoint: endpoint)
        }
    }

    private func send(_ request: Request, body: TransferBody? = nil, looksIntoBody: Bool = false, _ action: String)
        throws
        -> Response
    {
        try answer(start(request, body: body, looksIntoBody: looksIntoBody), action, request.path)
    }

    // MARK: Identities

    /// What tells one version of an object on one server from others.
    func version(_ etag: String) -> String { "\(endpoint.text) \(etag)" }

    /// The etag of a version that is this server's.
    func etag(of identity: FileIdentity, _ path: ObjectPath) throws -> String {
        let own = endpoint.text + " "
        guard identity.version.hasPrefix(own) else {
            throw QueryError(
                .configurationFileError, "\"\(path)\" was found on another server than the one it is read from",
                hint: "All nodes need the same endpoint.", object: path.description)
        }
        return String(identity.version.dropFirst(own.count))
    }

    func storedVersion(_ version: String) -> String { String(version.drop { $0 != " " }.dropFirst()) }

    /// Manifests of before have the address too.
    func version(stored: String) -> String { version(stored.hasPrefix("http") ? storedVersion(stored) : stored) }

    func objectPath(_ path: String) throws -> ObjectPath {
        guard let object = ObjectPath(path), !object.key.isEmpty else { throw ObjectStoreErrors.notAPath(path) }
        return object
    }

    // MARK: ObjectStore

    func open(_ identity: FileIdentity) throws -> any ReadableFile {
        let path = try objectPath(identity.path)
        return S3File(self, identity, path, etag: try etag(of: identity, path))
    }

    func makeFile(path: String) throws -> any FileSink { S3Upload(self, try objectPath(path)) }

    private static let pageCount = 1000

    func list(_ prefix: ObjectPath, isDeep: Bool, limit: Int?) throws -> ObjectListing {
        var result = ObjectListing()
        var token: String?
        repeat {
            let left = (limit ?? .max) - result.objects.count - result.directories.count
            var query = [
                (name: "list-type", value: "2"), (name: "prefix", value: prefix.key),
                (name: "max-keys", value: "\(min(left, Self.pageCount))"), (name: "encoding-type", value: "url"),
            ]
            if !isDeep { query.append((name: "delimiter", value: "/")) }
            if let token { query.append((name: "continuation-token", value: token)) }
            let request = Request(method: "GET", path: ObjectPath(bucket: prefix.bucket, key: ""), query: query)
            let response = try answer(start(request), "list", prefix)
            guard response.isSuccess else { throw S3Errors.error(response, "list", prefix) }
            token = try add(response, prefix, to: &result)
        } while token != nil && result.objects.count + result.directories.count < limit ?? .max
        return result
    }

    /// Adds a page; gives the token of the next one.
    private func add(_ response: Response, _ prefix: ObjectPath, to result: inout ObjectListing) throws -> String? {
        guard let root = XMLElement(document: response.body), root.name == "ListBucketResult" else {
            throw S3Errors.malformed("list", prefix, "It is not a list of objects.")
        }
        let isEncoded = root.text(of: "EncodingType") == "url"
        func decoded(_ text: String) -> String { isEncoded ? PercentEncoding.decode(text.replacingPlus) : text }
        for element in root.children {
            switch element.name {
            case "Contents":
                guard let key = element.text(of: "Key"), let size = element.text(of: "Size").flatMap({ Int($0) }),
                    size >= 0,
                    let etag = element.text(of: "ETag")
                else { throw S3Errors.malformed("list", prefix, "An object has no key, size or etag.") }
                let path = ObjectPath(bucket: prefix.bucket, key: decoded(key))
                guard path.key.hasPrefix(prefix.key) else { continue }
                result.objects.append(
                    FileIdentity(
                        path: path.description, byteCount: size, modified: 0, version: version(Self.quoted(etag))))
            case "CommonPrefixes":
                if let key = element.text(of: "Prefix") {
                    result.directories.append(ObjectPath(bucket: prefix.bucket, key: decoded(key)))
                }
            default: break
            }
        }
        guard root.text(of: "IsTruncated") == "true" else { return nil }
        guard let token = root.text(of: "NextContinuationToken"), !token.isEmpty else {
            throw S3Errors.malformed("list", prefix, "It has no token for the next page.")
        }
        return token
    }

    /// Some servers leave out the quotes in lists.
    static func quoted(_ etag: String) -> String { etag.hasPrefix("\"") || etag.hasPrefix("W/") ? etag : "\"\(etag)\"" }

    func head(_ path: ObjectPath) throws -> FileIdentity? {
        let response = try send(Request(method: "HEAD", path: path), "open")
        if response.status == 404 { return nil }
        guard response.isSuccess else {
            // The answer has no body that says what is wrong: the same question as a list has one.
            if response.status == 403 || response.status == 400 {
                let query = [
                    (name: "list-type", value: "2"), (name: "prefix", value: path.key), (name: "max-keys", value: "1"),
                ]
                let other = try send(
                    Request(method: "GET", path: ObjectPath(bucket: path.bucket, key: ""), query: query), "open")
                if !other.isSuccess { throw S3Errors.error(other, "open", path) }
            }
            throw S3Errors.error(response, "open", path)
        }
        guard let etag = response.etag, let count = response.contentLength else {
            throw S3Errors.malformed("open", path, "It has no etag or no length.")
        }
        return FileIdentity(
            path: path.description, byteCount: count, modified: 0, version: version(Self.quoted(etag)))
    }

    func get(_ path: ObjectPath) throws -> [UInt8]? {
        let response = try send(Request(method: "GET", path: path), "read")
        if response.status == 404, ErrorDocument(response.body)?.code != "NoSuchBucket" { return nil }
        guard response.isSuccess else { throw S3Errors.error(response, "read", path) }
        return response.body
    }

    func put(_ path: ObjectPath, _ bytes: [UInt8], ifAbsent: Bool) throws -> PutOutcome {
        try put(path, TransferBody(bytes), ifAbsent: ifAbsent)
    }

    func put(_ path: ObjectPath, _ body: TransferBody, ifAbsent: Bool) throws -> PutOutcome {
        var request = Request(method: "PUT", path: path)
        if ifAbsent { request.headers.append((name: "if-none-match", value: "*")) }
        let response = try send(request, body: body, "write")
        if ifAbsent, response.status == 412 { return .exists }
        guard response.isSuccess else { throw S3Errors.error(response, "write", path) }
        return .stored
    }

    func delete(_ paths: [ObjectPath]) throws {
        let transfers = paths.map { start(Request(method: "DELETE", path: $0)) }
        for (path, transfer) in zip(paths, transfers) {
            let response = try answer(transfer, "delete", path)
            guard response.isSuccess || response.status == 404 else { throw S3Errors.error(response, "delete", path) }
        }
    }
}

extension String {
    /// Lists that are escaped as URLs may have a plus for a blank; a plus itself is always escaped in them.
    fileprivate var replacingPlus: String { contains("+") ? String(map { $0 == "+" ? " " : $0 }) : self }
}
