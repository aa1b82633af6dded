// The thread that moves all requests of one store: libcurl's multi interface, with retries by RetryInstance.
//
// Callers wait for answers on their own threads; this one never does anything but move bytes. Connections are kept and
// shared between requests.

import CCurl
import Columnar
import Diagnostics
import Glibc
import Synchronization

/// How requests behave.
struct TransferSettings: Sendable, Hashable {
    var connectionMax = 64
    var connectMilliseconds = 5_000
    /// Seconds without a byte after which an attempt has failed.
    var stallSeconds = 20
    var retry = RetryInstance.Limits()
    /// A file of certificates in place of the system's.
    var certificateFile: String?
}

final class TransferLoop: @unchecked Sendable {
    // Unchecked: everything but `inbox` belongs to the loop's thread.
    private enum Command {
        case start(Transfer)
        case cancel(Transfer)
    }
    private struct Inbox {
        var commands: [Command] = []
        var isRunning = false
        var isClosed = false
    }

    private let settings: TransferSettings
    private let inbox = Mutex(Inbox())
    private let multi: OpaquePointer?
    private var idle: [OpaquePointer] = []
    private var running: [OpaquePointer: Transfer] = [:]
    private var queue: [Transfer] = []
    private var queueStart = 0
    private var paused: [(at: UInt64, transfer: Transfer)] = []
    private var budget = RetryBudget()
    private var random = SystemRandomNumberGenerator()
    /// A thread without work ends after so long; the next request starts another.
    private static let idleMilliseconds = 30_000

    private static let started: Void = martlet_curl_start()

    init(_ settings: TransferSettings) {
        _ = Self.started
        self.settings = settings
        multi = OpaquePointer(curl_multi_init())
        if let multi {
            _ = martlet_curl_set_multi(UnsafeMutableRawPointer(multi), CURLMOPT_MAXCONNECTS, settings.connectionMax)
        }
    }

    deinit {
        // No thread runs: it holds a reference.
        for handle in idle { curl_easy_cleanup(UnsafeMutableRawPointer(handle)) }
        if let multi { curl_multi_cleanup(UnsafeMutableRawPointer(multi)) }
    }

    private var multiHandle: UnsafeMutableRawPointer? { multi.map { UnsafeMutableRawPointer($0) } }

    func start(_ transfer: Transfer) { send(.start(transfer)) }
    func cancel(_ transfer: Transfer) { send(.cancel(transfer)) }

    private func send(_ command: Command) {
        let needsThread = inbox.withLock { inbox in
            inbox.commands.append(command)
            defer { inbox.isRunning = true }
            return !inbox.isRunning
        }
        if needsThread { launch() } else { curl_multi_wakeup(multiHandle) }
    }

    private func launch() {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self)
        let result = pthread_create(
            &thread, nil,
            { context in
                if let context { Unmanaged<TransferLoop>.fromOpaque(context).takeRetainedValue().run() }
                return nil
            }, context.toOpaque())
        guard result == 0 else {
            context.release()
            let commands = inbox.withLock { inbox in
                inbox.isRunning = false
                defer { inbox.commands = [] }
                return inbox.commands
            }
            for case .start(let transfer) in commands {
                transfer.finish(.failure(.connection("no thread could be started")))
            }
            return
        }
        pthread_detach(thread)
    }

    private static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    // MARK: The thread

    private func run() {
        var idleSince = Self.now()
        while true {
            let commands = inbox.withLock { inbox in
                defer { inbox.commands = [] }
                return inbox.commands
            }
            for command in commands { carryOut(command) }
            resume()
            startQueued()
            var count: Int32 = 0
            curl_multi_perform(multiHandle, &count)
            collect()
            startQueued()
            let now = Self.now()
            let hasWork = !running.isEmpty || !paused.isEmpty || queueStart < queue.count
            if hasWork { idleSince = now }
            if !hasWork, now - idleSince > UInt64(Self.idleMilliseconds) * 1_000_000 {
                let ends = inbox.withLock { inbox in
                    guard inbox.commands.isEmpty else { return false }
                    inbox.isRunning = false
                    return true
                }
                if ends { return }
                continue
            }
            var timeout = hasWork ? 1_000 : Self.idleMilliseconds
            if let next = paused.map(\.at).min() {
                timeout = min(timeout, next > now ? Int((next - now) / 1_000_000) + 1 : 0)
            }
            // Woken by sockets, by `send`, or when a pause ends.
            curl_multi_poll(multiHandle, nil, 0, Int32(timeout), nil)
        }
    }

    private func carryOut(_ command: Command) {
        switch command {
        case .start(let transfer):
            transfer.retry = RetryInstance(settings.retry, start: Self.now())
            queue.append(transfer)
        case .cancel(let transfer):
            transfer.isCancelled = true
            if let handle = transfer.handle { release(handle, transfer) }
            paused.removeAll { $0.transfer === transfer }
            transfer.finish(.failure(.cancelled))
        }
    }

    private func resume() {
        let now = Self.now()
        for (at, transfer) in paused where at <= now { queue.append(transfer) }
        paused.removeAll { $0.at <= now }
    }

    private func startQueued() {
        while queueStart < queue.count, running.count < settings.connectionMax {
            let transfer = queue[queueStart]
            queueStart += 1
            if !transfer.isCancelled { begin(transfer) }
        }
        if queueStart == queue.count {
            queue.removeAll(keepingCapacity: true)
            queueStart = 0
        }
    }

    private func begin(_ transfer: Transfer) {
        guard let handle = idle.popLast() ?? OpaquePointer(curl_easy_init()) else {
            transfer.finish(.failure(.connection("out of memory")))
            return
        }
        transfer.handle = handle
        transfer.received = 0
        transfer.answer = []
        transfer.isTooLong = false
        transfer.headers = ResponseHeaders()
        transfer.errorText[0] = 0
        transfer.retry?.noteAttempt()
        running[handle] = transfer
        let request = transfer.prepare()
        TransferOptions.apply(request, transfer, settings, UnsafeMutableRawPointer(handle))
        curl_multi_add_handle(multiHandle, UnsafeMutableRawPointer(handle))
    }

    private func release(_ handle: OpaquePointer, _ transfer: Transfer) {
        let easy = UnsafeMutableRawPointer(handle)
        curl_multi_remove_handle(multiHandle, easy)
        curl_easy_reset(easy)
        running[handle] = nil
        transfer.handle = nil
        if let list = transfer.headerList { curl_slist_free_all(list) }
        transfer.headerList = nil
        if idle.count < settings.connectionMax { idle.append(handle) } else { curl_easy_cleanup(easy) }
    }

    // MARK: Answers

    private func collect() {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multiHandle, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle else { continue }
            let code = martlet_curl_message_result(message)
            let handle = OpaquePointer(easy)
            guard let transfer = running[handle] else { continue }
            let status = martlet_curl_status(easy)
            let text = String(cString: transfer.errorText)
            release(handle, transfer)
            judge(transfer, code, Int(status), text)
        }
    }

    private func judge(_ transfer: Transfer, _ code: CURLcode, _ status: Int, _ text: String) {
        let now = Self.now()
        let (outcome, failure) = TransferJudgement.judge(transfer, code, status, text)
        if outcome == .final, failure == nil {
            budget.noteSuccess()
            transfer.finish(.success(response(transfer, status)))
            return
        }
        let advised = transfer.headers.retryAfter.map { UInt64(max(0, min($0, 60))) * 1_000_000_000 }
        let decision = transfer.retry?.decide(
            outcome, now: now, chance: Double.random(in: 0..<1, using: &random), advised: advised, budget: &budget)
        if case .again(let at)? = decision {
            paused.append((at, transfer))
            return
        }
        if let failure {
            transfer.finish(.failure(failure))
        } else {
            transfer.finish(.success(response(transfer, status)))
        }
    }

    private func response(_ transfer: Transfer, _ status: Int) -> Response {
        let headers = transfer.headers
        return Response(
            status: status, etag: headers.etag, contentRange: headers.contentRange,
            contentLength: headers.contentLength, bucketRegion: headers.bucketRegion, retryAfter: headers.retryAfter,
            body: transfer.answer, attemptCount: transfer.retry?.attemptCount ?? 1)
    }
}

/// What an attempt's end means.
enum TransferJudgement {
    /// The outcome, and the failure if there is no answer to go by.
    static func judge(_ transfer: Transfer, _ code: CURLcode, _ status: Int, _ text: String)
        -> (AttemptOutcome, TransferFailure?)
    {
        guard code == CURLE_OK else {
            let reason = text.isEmpty ? String(cString: curl_easy_strerror(code)) : text
            switch code {
            case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
                CURLE_SSL_ISSUER_ERROR:
                return (.final, .trust(reason))
            case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_OUT_OF_MEMORY, CURLE_BAD_FUNCTION_ARGUMENT:
                return (.final, .connection(reason))
            case CURLE_WRITE_ERROR where transfer.isTooLong:
                return (.final, .connection("the answer is longer than what was asked for"))
            default: return (.transient, .connection(reason))
            }
        }
        switch status {
        case 200..<300:
            if let target = transfer.target, transfer.received != target.count {
                return (.transient, .connection("the answer has \(transfer.received) of \(target.count) bytes"))
            }
            if transfer.looksIntoBody, let error = ErrorDocument(transfer.answer) { return (outcome(of: error), nil) }
            return (.final, nil)
        case 429, 503: return (.throttled, nil)
        case 408, 500, 502, 504: return (.transient, nil)
        case 400, 409: return (ErrorDocument(transfer.answer).map { outcome(of: $0) } ?? .final, nil)
        default: return (.final, nil)
        }
    }

    private static func outcome(of error: ErrorDocument) -> AttemptOutcome {
        switch error.code {
        case "SlowDown", "ServiceUnavailable": .throttled
        case "InternalError", "RequestTimeout", "OperationAborted", "ConditionalRequestConflict": .transient
        default: .final
        }
    }
}

/// A request as options of libcurl.
private enum TransferOptions {
    /// Answers that no target was given for are kept up to this size.
    private static let answerByteCountMax = 64 << 20

    static func apply(
        _ request: PreparedRequest, _ transfer: Transfer, _ settings: TransferSettings,
        _ handle: UnsafeMutableRawPointer
    ) {
        func number(_ option: CURLoption, _ value: Int) { martlet_curl_set_number(handle, option, value) }
        let context = Unmanaged.passUnretained(transfer).toOpaque()
        martlet_curl_set_text(handle, CURLOPT_URL, request.url)
        martlet_curl_set_text(handle, CURLOPT_PROTOCOLS_STR, "http,https")
        number(CURLOPT_PATH_AS_IS, 1)
        number(CURLOPT_NOSIGNAL, 1)
        number(CURLOPT_TCP_KEEPALIVE, 1)
        number(CURLOPT_CONNECTTIMEOUT_MS, settings.connectMilliseconds)
        number(CURLOPT_LOW_SPEED_LIMIT, 1)
        number(CURLOPT_LOW_SPEED_TIME, settings.stallSeconds)
        number(CURLOPT_BUFFERSIZE, 256 << 10)
        // Many connections carry more than many streams of one.
        number(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        if let file = settings.certificateFile { martlet_curl_set_text(handle, CURLOPT_CAINFO, file) }
        martlet_curl_set_pointer(handle, CURLOPT_ERRORBUFFER, transfer.errorText)
        martlet_curl_set_pointer(handle, CURLOPT_WRITEDATA, context)
        martlet_curl_set_pointer(handle, CURLOPT_HEADERDATA, context)
        martlet_curl_set_callback(handle, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
            guard let bytes, let context else { return 0 }
            let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
            return TransferOptions.take(UnsafeRawBufferPointer(start: bytes, count: size * count), transfer)
        }
        martlet_curl_set_callback(handle, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
            guard let bytes, let context else { return 0 }
            let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
            transfer.headers.add(
                String(decoding: UnsafeRawBufferPointer(start: bytes, count: size * count), as: UTF8.self))
            return size * count
        }
        var headers: UnsafeMutablePointer<curl_slist>?
        // What libcurl would add by itself is not signed or not wanted.
        for header in request.headers + ["Expect:", "Content-Type: application/octet-stream"] {
            headers = curl_slist_append(headers, header) ?? headers
        }
        transfer.headerList = headers
        martlet_curl_set_pointer(handle, CURLOPT_HTTPHEADER, headers)
        switch request.method {
        case "GET": number(CURLOPT_HTTPGET, 1)
        case "HEAD": number(CURLOPT_NOBODY, 1)
        case "DELETE": martlet_curl_set_text(handle, CURLOPT_CUSTOMREQUEST, "DELETE")
        default:
            number(CURLOPT_POST, 1)
            martlet_curl_set_text(handle, CURLOPT_CUSTOMREQUEST, request.method)
            martlet_curl_set_large(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(transfer.body?.count ?? 0))
            // The transfer keeps the memory until it has ended.
            if let body = transfer.body {
                martlet_curl_set_pointer(handle, CURLOPT_POSTFIELDS, body.buffer.base)
            } else {
                martlet_curl_set_text(handle, CURLOPT_COPYPOSTFIELDS, "")
            }
        }
    }

    private static func take(_ bytes: UnsafeRawBufferPointer, _ transfer: Transfer) -> Int {
        guard let base = bytes.baseAddress else { return 0 }
        let status = transfer.handle.map { martlet_curl_status(UnsafeMutableRawPointer($0)) } ?? 0
        if let target = transfer.target, status >= 200, status < 300 {
            guard transfer.received + bytes.count <= target.count else {
                transfer.isTooLong = true
                return 0
            }
            (target.buffer.base + target.offset + transfer.received).copyMemory(from: base, byteCount: bytes.count)
            transfer.received += bytes.count
            return bytes.count
        }
        guard transfer.answer.count + bytes.count <= answerByteCountMax else {
            transfer.isTooLong = true
            return 0
        }
        transfer.answer.append(contentsOf: bytes)
        return bytes.count
    }
}
