// A connection to a server over PostgreSQL's protocol 3.0: simple queries, text results, blocking sockets.

import Coordination
import Diagnostics
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Statements run one after the other, on a thread of the connection's own; `cancel` may come from any thread. Immutable but
/// for what `state` guards, and for the descriptor and the receive buffer, which only the running statement touches.
package final class ServerConnection: ShellConnection, @unchecked Sendable {
    private struct State {
        var processID: Int32 = 0
        var secret: Int32 = 0
        var isOpen = false
        var isLost = false
        var transaction = TransactionStatus.idle
        var observer: ServerConnection?
    }
    private static let messageByteCountMax = 1 << 30

    package let serverAddress: ServerAddress
    private let thread = BlockingThread()
    private var descriptor: Int32 = -1
    /// `nil`: the connection is in plain.
    private var encryption: EncryptedSocket?
    private let state = Mutex(State())
    private var serverVersion = ""
    private var received: [UInt8] = []
    private var receivedStart = 0

    /// Proves that the client has a password; `nil`: such proofs cannot be made here.
    package typealias ProofMaker = @Sendable (_ password: String) -> any PasswordProof
    private let makeProof: ProofMaker?

    package init(_ address: ServerAddress, makeProof: ProofMaker? = nil) throws {
        serverAddress = address
        self.makeProof = makeProof
        try open()
    }

    deinit { close() }

    private func open() throws {
        descriptor = try ServerConnection.connect(serverAddress.host, serverAddress.port)
        do { encryption = try ServerConnection.encrypt(descriptor, serverAddress) } catch {
            Glibc.close(descriptor)
            descriptor = -1
            throw error
        }
        received = []
        receivedStart = 0
        state.withLock { state in
            state.isOpen = true
            state.isLost = false
            state.transaction = .idle
        }
        var message = WireMessage()
        message.int32(196_608)
        for (name, value) in [
            ("user", serverAddress.user), ("database", serverAddress.database),
            ("application_name", serverAddress.applicationName),
            ("client_encoding", "UTF8"),
        ] {
            message.string(name)
            message.string(value)
        }
        message.byte(0)
        do {
            try send(message.framed(type: nil))
            try authenticate(serverAddress.password)
        } catch {
            close()
            throw error
        }
    }

    package var isEmbedded: Bool { false }
    package var address: ServerAddress? { serverAddress }
    package var isMartlet: Bool { serverVersion.contains("Martlet") }
    package var isLost: Bool { state.withLock { $0.isLost } }
    package var transactionStatus: TransactionStatus { state.withLock { $0.transaction } }
    package var sessionNumber: Int { Int(state.withLock { $0.processID }) }

    package func reconnect() async throws {
        close()
        try open()
    }

    package func observer() async throws -> any ShellConnection {
        if let known = state.withLock({ $0.observer }), !known.isLost { return known }
        var address = serverAddress
        address.applicationName += ", observer"
        let opened = try ServerConnection(address, makeProof: makeProof)
        state.withLock { $0.observer = opened }
        return opened
    }

    package var summary: String {
        "Connected to \(serverAddress.host):\(serverAddress.port) as \(serverAddress.user), database \(serverAddress.database), server \(serverVersion)"
            + (encryption == nil ? "." : ", with TLS.")
    }

    package func close() {
        let (wasOpen, observer) = state.withLock { state in
            defer {
                state.isOpen = false
                state.observer = nil
            }
            return (state.isOpen, state.observer)
        }
        observer?.close()
        guard wasOpen else { return }
        try? send(WireMessage().framed(type: "X"))
        // A statement that waits for its rows on another thread gets an end of the connection.
        Glibc.shutdown(descriptor, Int32(SHUT_RDWR))
        Glibc.close(descriptor)
        descriptor = -1
        encryption = nil
    }

    /// Asks the server, over a connection of its own, to stop what runs.
    package func cancel() {
        guard let other = try? ServerConnection.connect(serverAddress.host, serverAddress.port) else { return }
        defer { Glibc.close(other) }
        let encryption: EncryptedSocket?
        do { encryption = try ServerConnection.encrypt(other, serverAddress) } catch { return }
        let (process, secret) = state.withLock { ($0.processID, $0.secret) }
        var message = WireMessage()
        message.int32(80_877_102)
        message.int32(process)
        message.int32(secret)
        let bytes = message.framed(type: nil)
        _ = bytes.withUnsafeBytes { pointer in
            encryption?.write(pointer) ?? Glibc.send(other, pointer.baseAddress, pointer.count, Int32(MSG_NOSIGNAL))
        }
    }

    /// Asks the server for TLS as the address wants it; `nil`: the connection stays in plain.
    private static func encrypt(_ descriptor: Int32, _ address: ServerAddress) throws -> EncryptedSocket? {
        guard address.encryption != .disable else { return nil }
        var request = WireMessage()
        request.int32(80_877_103)
        let bytes = request.framed(type: nil)
        var answer: UInt8 = 0
        guard
            bytes.withUnsafeBytes({ Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) })
                == bytes.count, recv(descriptor, &answer, 1, 0) == 1
        else { throw lost }
        if answer == UInt8(ascii: "S") {
            return try EncryptedSocket(
                descriptor, host: address.host, mode: address.encryption, authorityPath: address.authorityPath)
        }
        guard answer == UInt8(ascii: "N"), address.encryption == .prefer else {
            throw QueryError(
                .connectionFailure, "the server does not encrypt connections",
                hint: "sslmode=disable connects without encryption.")
        }
        return nil
    }

    package func run(_ sql: String, input: CopyInput?, onEvent: (ShellEvent) throws -> Void) async throws {
        try await withTaskExecutorPreference(thread) { try runNow(sql, input, onEvent) }
    }

    private func runNow(_ sql: String, _ input: CopyInput?, _ onEvent: (ShellEvent) throws -> Void) throws {
        guard !isLost else { throw ServerConnection.lost }
        var query = WireMessage()
        query.string(sql)
        try send(query.framed(type: "Q"))
        var failure: (any Error)?
        var columnCount = 0
        var rows: [[[UInt8]?]] = []
        /// What people see is UTF-8 whatever they set; the server is told so again.
        var hasOtherEncoding = false
        var isDone = false
        func deliver(_ event: ShellEvent) {
            guard failure == nil else { return }
            do { try onEvent(event) } catch {
                failure = error
                cancel()
            }
        }
        func flushRows() {
            if !rows.isEmpty { deliver(.rows(ResultRows(texts: rows))) }
            rows.removeAll(keepingCapacity: true)
        }
        while true {
            var (type, body) = try receive()
            if type != "D" { flushRows() }
            if isDone, type != "Z", type != "S" { continue }
            switch type {
            case "T":
                columnCount = Int(try body.int16())
                let columns = try (0..<columnCount).map { _ in
                    let name = try body.string()
                    try body.skip(6)
                    let oid = try body.int32()
                    try body.skip(2)
                    let modifier = try body.int32()
                    try body.skip(2)
                    return ResultColumn(name: name, postgresType: Int(oid), modifier: Int(modifier))
                }
                deliver(.columns(columns))
            case "D":
                let count = Int(try body.int16())
                var row: [[UInt8]?] = []
                row.reserveCapacity(count)
                for _ in 0..<count {
                    let length = Int(try body.int32())
                    row.append(length < 0 ? nil : try body.bytes(length))
                }
                rows.append(row)
                if rows.count >= 1000 { flushRows() }
            case "C": deliver(.done(tag: try body.string()))
            case "I": deliver(.done(tag: ""))
            case "E": failure = failure ?? ServerConnection.error(&body)
            case "N": deliver(.notice(ServerConnection.error(&body)))
            case "G": try sendCopy(input)
            case "d": deliver(.copyData(body.rest))
            case "S":
                if try body.string() == "client_encoding" { hasOtherEncoding = try body.string() != "UTF8" }
            case "Z":
                noteStatus(&body)
                if let failure { throw failure }
                guard hasOtherEncoding, transactionStatus != .failed else { return }
                hasOtherEncoding = false
                var change = WireMessage()
                change.string("SET client_encoding TO 'UTF8'")
                try send(change.framed(type: "Q"))
                deliver(.notice(ServerConnection.encodingNotice))
                isDone = true
            default: break
            }
        }
    }

    private static let encodingNotice = QueryError(
        SQLState("00000"), "the shell's text is UTF-8, so client_encoding is UTF8 again")

    /// The data of COPY FROM STDIN. What goes wrong on this side ends the statement there.
    private func sendCopy(_ input: CopyInput?) throws {
        var problem: String?
        if let input {
            do {
                while let bytes = try input.next() {
                    var data = WireMessage()
                    data.raw(bytes)
                    try send(data.framed(type: "d"))
                }
            } catch let error as QueryError where error.state != .connectionFailure {
                problem = error.message
            }
        } else {
            problem = "there are no data for it"
        }
        if let problem {
            var refusal = WireMessage()
            refusal.string(problem)
            try send(refusal.framed(type: "f"))
        } else {
            try send(WireMessage().framed(type: "c"))
        }
    }

    private func noteStatus(_ body: inout WireBody) {
        let status: TransactionStatus
        switch try? body.byte() {
        case UInt8(ascii: "T"): status = .inTransaction
        case UInt8(ascii: "E"): status = .failed
        default: status = .idle
        }
        state.withLock { $0.transaction = status }
    }

    // MARK: - Start

    private func authenticate(_ password: String?) throws {
        var proof: (any PasswordProof)?
        var isServerProven = true
        while true {
            var (type, body) = try receive()
            switch type {
            case "R":
                switch try body.int32() {
                case 0: guard isServerProven else { throw ServerConnection.unexpected }
                case 3:
                    var answer = WireMessage()
                    answer.string(password ?? "")
                    try send(answer.framed(type: "p"))
                case 10:
                    var mechanisms: [String] = []
                    while let name = try? body.string(), !name.isEmpty { mechanisms.append(name) }
                    guard let password else {
                        throw QueryError(
                            .invalidPassword, "the server asks for a password",
                            hint: "Give it by the variable PGPASSWORD or in the address.")
                    }
                    guard let begun = makeProof?(password), mechanisms.contains(begun.mechanism) else {
                        throw QueryError.notSupported("the server's kind of authentication")
                    }
                    proof = begun
                    isServerProven = false
                    var answer = WireMessage()
                    answer.string(begun.mechanism)
                    answer.int32(Int32(begun.first.count))
                    answer.raw(begun.first)
                    try send(answer.framed(type: "p"))
                case 11:
                    guard var current = proof else { throw ServerConnection.unexpected }
                    var answer = WireMessage()
                    answer.raw(try current.answer(body.rest))
                    proof = current
                    try send(answer.framed(type: "p"))
                case 12:
                    guard let current = proof else { throw ServerConnection.unexpected }
                    try current.check(body.rest)
                    isServerProven = true
                default: throw QueryError.notSupported("the server's kind of authentication")
                }
            case "S":
                if try body.string() == "server_version" { serverVersion = try body.string() }
            case "K":
                let process = try body.int32()
                let secret = try body.int32()
                state.withLock { state in
                    state.processID = process
                    state.secret = secret
                }
            case "E": throw ServerConnection.error(&body)
            case "Z": return
            default: break
            }
        }
    }

    private static let unexpected = QueryError(
        .protocolViolation, "the server sent a message of authentication that does not belong here")

    private static func error(_ body: inout WireBody) -> QueryError {
        var error = QueryError(.internalError, "the server sent an error without a message")
        while let code = try? body.byte(), code != 0, let value = try? body.string() {
            switch Character(Unicode.Scalar(code)) {
            case "C": error.state = SQLState(value)
            case "M": error.message = value
            case "D": error.detail = value
            case "H": error.hint = value
            case "P": error.position = Int(value).map { SourcePosition(offset: $0 - 1) }
            default: break
            }
        }
        return error
    }

    // MARK: - Bytes

    static func connect(_ host: String, _ port: Int) throws -> Int32 {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &list)
        guard status == 0 else {
            throw QueryError(
                .connectionFailure, "could not resolve \"\(host)\": \(String(cString: gai_strerror(status)))")
        }
        defer { freeaddrinfo(list) }
        var reason = "no address"
        var next = list
        while let entry = next {
            let descriptor = socket(entry.pointee.ai_family, entry.pointee.ai_socktype, entry.pointee.ai_protocol)
            if descriptor >= 0 {
                if Glibc.connect(descriptor, entry.pointee.ai_addr, entry.pointee.ai_addrlen) == 0 {
                    var on: Int32 = 1
                    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
                    return descriptor
                }
                reason = String(cString: strerror(errno))
                Glibc.close(descriptor)
            }
            next = entry.pointee.ai_next
        }
        throw QueryError(.connectionFailure, "could not connect to \(host):\(port): \(reason)")
    }

    private func send(_ bytes: [UInt8]) throws {
        var start = 0
        while start < bytes.count {
            let count = bytes.withUnsafeBytes { all in
                let rest = UnsafeRawBufferPointer(rebasing: all[start...])
                return encryption?.write(rest)
                    ?? Glibc.send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw noteLoss() }
            start += count
        }
    }

    private func noteLoss() -> QueryError {
        state.withLock { state in
            state.isLost = true
            state.transaction = .idle
        }
        return ServerConnection.lost
    }

    private static let lost = QueryError(.connectionFailure, "the connection to the server was lost")

    private func fill(_ count: Int) throws {
        if receivedStart > 0, receivedStart == received.count || received.count - receivedStart < count {
            received.removeFirst(receivedStart)
            receivedStart = 0
        }
        while received.count - receivedStart < count {
            var piece = [UInt8](repeating: 0, count: 64 << 10)
            let got = encryption?.read(&piece) ?? recv(descriptor, &piece, piece.count, 0)
            if got < 0, errno == EINTR { continue }
            guard got > 0 else { throw noteLoss() }
            received.append(contentsOf: piece[..<got])
        }
    }

    private func receive() throws -> (Character, WireBody) {
        try fill(5)
        let type = Character(Unicode.Scalar(received[receivedStart]))
        var header = WireBody(Array(received[(receivedStart + 1)..<(receivedStart + 5)]))
        let length = Int(try header.int32())
        guard length >= 4, length <= ServerConnection.messageByteCountMax else {
            throw QueryError(.protocolViolation, "the server sent a message of \(length) bytes")
        }
        try fill(1 + length)
        let body = Array(received[(receivedStart + 5)..<(receivedStart + 1 + length)])
        receivedStart += 1 + length
        return (type, WireBody(body))
    }
}

/// Builds a message.
struct WireMessage {
    private var bytes: [UInt8] = []

    mutating func byte(_ value: UInt8) { bytes.append(value) }
    mutating func raw(_ values: [UInt8]) { bytes.append(contentsOf: values) }
    mutating func int32(_ value: Int32) { withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) } }
    mutating func string(_ text: String) {
        bytes.append(contentsOf: text.utf8.filter { $0 != 0 })
        bytes.append(0)
    }

    /// With type and length in front.
    func framed(type: Character?) -> [UInt8] {
        var result: [UInt8] = type.flatMap(\.asciiValue).map { [$0] } ?? []
        withUnsafeBytes(of: Int32(bytes.count + 4).bigEndian) { result.append(contentsOf: $0) }
        return result + bytes
    }
}

/// Reads a message; 08P01 when it is too short.
struct WireBody {
    private let content: [UInt8]
    private var at = 0

    init(_ content: [UInt8]) { self.content = content }

    private func need(_ count: Int) throws {
        guard count >= 0, content.count - at >= count else {
            throw QueryError(.protocolViolation, "the server sent a message that is too short")
        }
    }
    /// Everything that was not read.
    var rest: [UInt8] { Array(content[at...]) }
    mutating func skip(_ count: Int) throws {
        try need(count)
        at += count
    }
    mutating func byte() throws -> UInt8 {
        try need(1)
        defer { at += 1 }
        return content[at]
    }
    mutating func int16() throws -> Int16 {
        try need(2)
        defer { at += 2 }
        return Int16(content[at]) << 8 | Int16(content[at + 1])
    }
    mutating func int32() throws -> Int32 {
        try need(4)
        defer { at += 4 }
        return content[at..<(at + 4)].reduce(0) { $0 << 8 | Int32($1) }
    }
    mutating func bytes(_ count: Int) throws -> [UInt8] {
        try need(count)
        defer { at += count }
        return Array(content[at..<(at + count)])
    }
    mutating func string() throws -> String {
        guard let end = content[at...].firstIndex(of: 0) else { try need(.max); return "" }
        defer { at = end + 1 }
        return String(decoding: content[at..<end], as: UTF8.self)
    }
}
