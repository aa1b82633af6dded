// One connection to a server, by libpq. It waits with poll, looks at the statement's interruption meanwhile, and cancels on
// the server what is not wanted any more.

import CLibPQ
import Diagnostics
import Dispatch
import Glibc
import Storage

/// Confined to whoever borrowed it from the pool.
final class PostgresConnection: @unchecked Sendable {
    let id: ConnectionID
    private let catalog: String
    private let handle: OpaquePointer
    private var isFinished = false
    /// The server was asked to end something; that may arrive at any time.
    private var wasCancelled = false
    /// Whether text of the database is UTF-8, in which its bytes have the order of the engine's text.
    private(set) var isUTF8 = false
    /// Whether the server gives text without having checked its bytes.
    private(set) var hasUncheckedText = false
    private(set) var serverVersion: Int32 = 0
    /// When the request was sent that has no answer yet.
    private var sentAt: ContinuousClock.Instant?

    /// Errors: 08001, or the server's.
    init(id: ConnectionID, _ options: PostgresOptions) throws {
        self.id = id
        catalog = options.name
        let keywords = options.parameters.map { strdup($0.keyword) }
        let values = options.parameters.map { strdup($0.value) }
        defer { for text in keywords + values { free(text) } }
        let started = (keywords.map { UnsafePointer($0) } + [nil]).withUnsafeBufferPointer { keywords in
            (values.map { UnsafePointer($0) } + [nil]).withUnsafeBufferPointer { values in
                PQconnectStartParams(keywords.baseAddress, values.baseAddress, 0)
            }
        }
        guard let handle = started else { throw QueryError(.outOfMemory, "out of memory") }
        self.handle = handle
        martlet_ignore_notices(handle)
        _ = PQsetErrorVerbosity(handle, PQERRORS_VERBOSE)
        let end = ContinuousClock.now + .milliseconds(options.connectMilliseconds)
        var next = PGRES_POLLING_WRITING
        while next != PGRES_POLLING_OK {
            guard next != PGRES_POLLING_FAILED, PQstatus(handle) != CONNECTION_BAD else {
                throw ConnectionErrors.failedOpening(String(cString: PQerrorMessage(handle)), catalog: catalog)
            }
            let left = (end - .now).components
            let milliseconds = Int32(left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000)
            var descriptor = pollfd(
                fd: PQsocket(handle), events: Int16(next == PGRES_POLLING_READING ? POLLIN : POLLOUT), revents: 0)
            guard milliseconds > 0, poll(&descriptor, 1, milliseconds) != 0 else {
                throw ConnectionErrors.failedOpening("the time for connecting is over", catalog: catalog)
            }
            next = PQconnectPoll(handle)
        }
        _ = PQsetErrorVerbosity(handle, PQERRORS_DEFAULT)
        serverVersion = PQserverVersion(handle)
        let encoding = PQparameterStatus(handle, "server_encoding").map { String(cString: $0) }
        isUTF8 = encoding == "UTF8"
        hasUncheckedText = encoding == "SQL_ASCII"
        guard serverVersion >= 120_000 else {
            throw QueryError.notSupported("PostgreSQL \(serverVersion / 10_000) as a store", hint: "12 is the oldest.")
        }
    }

    deinit { if !isFinished { PQfinish(handle) } }

    func finish() {
        if !isFinished { PQfinish(handle) }
        isFinished = true
    }

    // MARK: State

    /// Whether it can be lent to somebody else.
    var isAtRest: Bool {
        !isFinished && !wasCancelled && PQstatus(handle) == CONNECTION_OK
            && PQtransactionStatus(handle) == PQTRANS_IDLE
    }

    /// Whether the socket says nothing to the contrary: a server that ends says why and closes it. One that says anything
    /// else while nobody asks is left as well.
    var isAlive: Bool {
        guard isAtRest else { return false }
        var descriptor = pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0)
        return poll(&descriptor, 1, 0) == 0
    }

    /// Whether the server answers.
    func answers() -> Bool { isAlive && (try? rows("SELECT 1")) != nil }

    // MARK: Waiting

    /// Waits for the socket. If the statement is to end meanwhile, the server is told and the interruption's error thrown;
    /// the connection is of no more use then.
    private func wait(_ events: Int32) throws {
        var descriptor = pollfd(fd: PQsocket(handle), events: Int16(events), revents: 0)
        if poll(&descriptor, 1, 1) > 0 { return }
        let interruption = Interruption.current
        Interruption.whileBlocked {
            while interruption?.isRequested != true {
                let count = poll(&descriptor, 1, 20)
                if count > 0 || (count < 0 && errno != EINTR) { return }
            }
        }
        guard let interruption, interruption.isRequested else { return }
        cancel()
        try interruption.check()
    }

    /// Asks the server to end what it does for this connection, without waiting for that. Nobody can use the connection
    /// afterwards: the request may arrive when the server does something else for it.
    func cancel() {
        guard PQtransactionStatus(handle) == PQTRANS_ACTIVE, let request = PQgetCancel(handle) else { return }
        wasCancelled = true
        let address = Int(bitPattern: request)
        DispatchQueue.global().async {
            guard let request = OpaquePointer(bitPattern: address) else { return }
            var message = [CChar](repeating: 0, count: 256)
            _ = PQcancel(request, &message, 256)
            PQfreeCancel(request)
        }
    }

    /// The next result, `nil` after the last one.
    private func nextResult() throws -> OpaquePointer? {
        let result = try awaitResult()
        // The first result of a request, an error too, is its server's answer; rows of a COPY are still to come then.
        if let sentAt {
            self.sentAt = nil
            ProcessMeters.addStoreRequest(catalog: catalog, duration: .now - sentAt)
        }
        return result
    }

    private func awaitResult() throws -> OpaquePointer? {
        while PQflush(handle) > 0 { try wait(POLLIN | POLLOUT) }
        while PQisBusy(handle) == 1 {
            try wait(POLLIN)
            guard PQconsumeInput(handle) == 1 else {
                throw ConnectionErrors.lost(String(cString: PQerrorMessage(handle)), catalog: catalog)
            }
        }
        return PQgetResult(handle)
    }

    private func failure(_ result: OpaquePointer?) -> QueryError {
        ConnectionErrors.failure(result, handle, catalog: catalog)
    }

    /// Takes results up to the end of the statement, so that the connection is at rest, and throws the error.
    private func fail(_ error: QueryError) throws -> Never {
        while let next = try? nextResult() {
            let status = PQresultStatus(next)
            PQclear(next)
            // Rows that are still to come would have to be read.
            if status == PGRES_COPY_OUT || status == PGRES_COPY_IN || status == PGRES_COPY_BOTH { break }
        }
        throw error
    }

    // MARK: Statements

    private func send(_ text: String, _ parameters: [String?] = []) throws {
        sentAt = .now
        let sent: Int32
        if parameters.isEmpty {
            sent = PQsendQuery(handle, text)
        } else {
            let values = parameters.map { $0.map { strdup($0) } ?? nil }
            defer { for value in values { free(value) } }
            sent = values.map { UnsafePointer($0) }.withUnsafeBufferPointer { values in
                PQsendQueryParams(handle, text, Int32(parameters.count), nil, values.baseAddress, nil, nil, 0)
            }
        }
        guard sent == 1 else {
            throw ConnectionErrors.lost(String(cString: PQerrorMessage(handle)), catalog: catalog)
        }
    }

    /// Statements whose results are not wanted; several with semicolons between them.
    func run(_ text: String) throws { _ = try rows(text) }

    /// The rows of the last statement as text.
    func rows(_ text: String, _ parameters: [String?] = []) throws -> [[String?]] {
        try send(text, parameters)
        var rows: [[String?]] = []
        while let result = try nextResult() {
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_TUPLES_OK:
                rows = (0..<PQntuples(result)).map { row in
                    (0..<PQnfields(result)).map { column in
                        PQgetisnull(result, row, column) == 1
                            ? nil : PQgetvalue(result, row, column).map { String(cString: $0) }
                    }
                }
            case PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: break
            default: try fail(failure(result))
            }
        }
        return rows
    }

    /// The number of rows that a statement changed.
    func changedRowCount(_ text: String) throws -> Int {
        try send(text)
        var count = 0
        while let result = try nextResult() {
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_TUPLES_OK, PGRES_COMMAND_OK:
                count = PQcmdTuples(result).flatMap { Int(String(cString: $0)) } ?? count
            default: try fail(failure(result))
            }
        }
        return count
    }

    /// Ends an open transaction, if the connection is still good for anything.
    func rollBack() {
        if wasCancelled { return }
        switch PQtransactionStatus(handle) {
        case PQTRANS_INTRANS, PQTRANS_INERROR: try? run("ROLLBACK")
        default: break
        }
    }

    // MARK: COPY out

    /// A column of a result as the server describes it.
    struct ResultColumn: Equatable {
        var type: UInt32
        var modifier: Int32
    }

    /// Sends statements of which one is COPY TO STDOUT. Returns the columns of the last query in front of it.
    func startCopyOut(_ text: String) throws -> [ResultColumn] {
        try send(text)
        var columns: [ResultColumn] = []
        while let result = try nextResult() {
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_TUPLES_OK:
                columns = (0..<PQnfields(result)).map {
                    ResultColumn(type: PQftype(result, $0), modifier: PQfmod(result, $0))
                }
            case PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: break
            case PGRES_COPY_OUT: return columns
            default: try fail(failure(result))
            }
        }
        throw ConnectionErrors.malformed(catalog, "no rows for COPY")
    }

    /// Calls `body` with the bytes of each message of the COPY until it says that it has enough for now. False at the end of
    /// the rows; then the transaction is over too.
    func copyOut(while body: (UnsafePointer<UInt8>, Int) throws -> Bool) throws -> Bool {
        while true {
            var message: UnsafeMutablePointer<CChar>?
            let count = PQgetCopyData(handle, &message, 1)
            if count > 0, let message {
                defer { PQfreemem(message) }
                let goesOn = try message.withMemoryRebound(to: UInt8.self, capacity: Int(count)) {
                    try body(UnsafePointer($0), Int(count))
                }
                if !goesOn { return true }
            } else if count == 0 {
                try wait(POLLIN)
                guard PQconsumeInput(handle) == 1 else {
                    throw ConnectionErrors.lost(String(cString: PQerrorMessage(handle)), catalog: catalog)
                }
            } else if count == -1 {
                while let result = try nextResult() {
                    defer { PQclear(result) }
                    switch PQresultStatus(result) {
                    case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: break
                    default: try fail(failure(result))
                    }
                }
                return false
            } else {
                throw ConnectionErrors.lost(String(cString: PQerrorMessage(handle)), catalog: catalog)
            }
        }
    }

    // MARK: COPY in

    func startCopyIn(_ text: String) throws {
        try send(text)
        guard let result = try nextResult() else { throw ConnectionErrors.malformed(catalog, "no answer to COPY") }
        defer { PQclear(result) }
        guard PQresultStatus(result) == PGRES_COPY_IN else { try fail(failure(result)) }
        _ = PQsetnonblocking(handle, 1)
    }

    func copyIn(_ bytes: UnsafeBufferPointer<UInt8>) throws {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return }
        // Pieces that libpq has room for.
        var offset = 0
        while offset < bytes.count {
            let count = min(1 << 16, bytes.count - offset)
            let taken = (base + offset).withMemoryRebound(to: CChar.self, capacity: count) {
                PQputCopyData(handle, $0, Int32(count))
            }
            guard taken >= 0 else {
                throw ConnectionErrors.lost(String(cString: PQerrorMessage(handle)), catalog: catalog)
            }
            if taken == 1 { offset += count }
            while PQflush(handle) > 0 {
                try wait(POLLIN | POLLOUT)
                guard PQconsumeInput(handle) == 1 else {
                    throw ConnectionErrors.lost(String(cString: PQerrorMessage(handle)), catalog: catalog)
                }
            }
        }
    }

    /// Ends the COPY; throws what the server has against the rows.
    func endCopyIn() throws {
        while true {
            let taken = PQputCopyEnd(handle, nil)
            guard taken >= 0 else {
                throw ConnectionErrors.lost(String(cString: PQerrorMessage(handle)), catalog: catalog)
            }
            if taken == 1 { break }
            try wait(POLLOUT)
        }
        defer { _ = PQsetnonblocking(handle, 0) }
        while let result = try nextResult() {
            defer { PQclear(result) }
            if PQresultStatus(result) != PGRES_COMMAND_OK { try fail(failure(result)) }
        }
    }
}
