// One request and its answer: made by a caller, moved by the transfer loop, waited for by one or more threads.

import CCurl
import Columnar
import Diagnostics
import Dispatch
import Glibc
import Synchronization

/// A request that is ready to be sent, signed for this moment.
struct PreparedRequest {
    var method: String
    var url: String
    /// `name: value`
    var headers: [String]
}

/// What a server answered.
struct Response: Sendable {
    var status: Int
    var etag: String?
    var contentRange: String?
    var contentLength: Int?
    var bucketRegion: String?
    var retryAfter: Int?
    /// Of answers that did not go into the transfer's target.
    var body: [UInt8]
    /// Tries that it took. A request that was repeated may have had its effect before.
    var attemptCount: Int

    var isSuccess: Bool { status >= 200 && status < 300 }
}

/// Why there is no answer.
enum TransferFailure: Error, Sendable {
    case connection(String)
    /// The server's certificate, or how TLS is spoken.
    case trust(String)
    case cancelled
}

/// Memory that a request sends.
struct TransferBody: Sendable {
    var buffer: Buffer
    var count: Int

    init(_ buffer: Buffer, count: Int) {
        self.buffer = buffer
        self.count = count
    }

    init(_ bytes: [UInt8]) {
        buffer = Buffer(byteCount: max(1, bytes.count))
        count = bytes.count
        bytes.withUnsafeBytes {
            if let base = $0.baseAddress { buffer.base.copyMemory(from: base, byteCount: $0.count) }
        }
    }
}

/// A request under way. The loop's thread has the parts marked so for itself; the result is under a lock.
final class Transfer: @unchecked Sendable {
    /// Where the bytes of a successful answer go.
    struct Target {
        var buffer: Buffer
        var offset: Int
        var count: Int
    }

    let prepare: @Sendable () -> PreparedRequest
    let body: TransferBody?
    let target: Target?
    /// Whether a successful answer may still hold an error, as the end of an upload does.
    let looksIntoBody: Bool

    // Of the loop's thread.
    var handle: OpaquePointer?
    var headerList: UnsafeMutablePointer<curl_slist>?
    var retry: RetryInstance?
    var received = 0
    var answer: [UInt8] = []
    var isTooLong = false
    var headers = ResponseHeaders()
    var isCancelled = false
    let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))

    private let group = DispatchGroup()
    private let result = Mutex<Result<Response, TransferFailure>?>(nil)
    private let loop: TransferLoop

    init(
        _ loop: TransferLoop, body: TransferBody? = nil, target: Target? = nil, looksIntoBody: Bool = false,
        prepare: @escaping @Sendable () -> PreparedRequest
    ) {
        self.loop = loop
        self.body = body
        self.target = target
        self.looksIntoBody = looksIntoBody
        self.prepare = prepare
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        group.enter()
    }

    deinit { errorText.deallocate() }

    /// Called once, by the loop.
    func finish(_ outcome: Result<Response, TransferFailure>) {
        let isFirst = result.withLock { result in
            if result != nil { return false }
            result = outcome
            return true
        }
        if isFirst { group.leave() }
    }

    var isFinished: Bool { result.withLock { $0 != nil } }

    func cancel() { if !isFinished { loop.cancel(self) } }

    /// How often a waiting thread looks whether its statement is to stop.
    private static let look = DispatchTimeInterval.milliseconds(20)

    /// Keeps the thread until the answer is there or the statement is to stop.
    func wait() throws -> Response {
        if group.wait(timeout: .now()) != .success {
            let interruption = Interruption.current
            Interruption.whileBlocked {
                while group.wait(timeout: .now() + Self.look) != .success {
                    if interruption?.isRequested == true { return }
                }
            }
        }
        if let outcome = result.withLock({ $0 }) { return try outcome.get() }
        cancel()
        try Interruption.check()
        throw TransferFailure.cancelled
    }
}

/// Ends a request when nobody wants its answer any more.
final class TransferClaim: Sendable {
    let transfer: Transfer
    init(_ transfer: Transfer) { self.transfer = transfer }
    deinit { transfer.cancel() }
}

/// The fields of an answer's head that matter here.
struct ResponseHeaders {
    var etag: String?
    var contentRange: String?
    var contentLength: Int?
    var bucketRegion: String?
    var retryAfter: Int?

    /// One line of the head. A new status line begins a new head.
    mutating func add(_ line: String) {
        if line.hasPrefix("HTTP/") {
            self = ResponseHeaders()
            return
        }
        guard let colon = line.firstIndex(of: ":") else { return }
        let value = String(
            line[line.index(after: colon)...].drop { $0 == " " }.prefix { $0 != "\r" && $0 != "\n" && $0 != "\r\n" })
        switch line[..<colon].lowercased() {
        case "etag": etag = value
        case "content-range": contentRange = value
        case "content-length": contentLength = Int(value)
        case "x-amz-bucket-region": bucketRegion = value
        case "retry-after": retryAfter = Int(value)
        default: break
        }
    }
}
