// Queries that were started over HTTP and are read page by page.
//
// A query runs on while its client reads: pages are made ahead up to a bound of bytes, then the query waits, as it does for
// any client that reads slowly. A page is dropped once the page after the next one is asked for.

import Columnar
import Coordination
import Diagnostics
import Frontends
import Synchronization

struct QueryJobLimits: Sendable {
    /// A page has so many bytes, or one row more.
    var pageByteCount = 512 << 10
    /// Pages that are made ahead have so many bytes.
    var heldByteCountMax = 32 << 20
    var jobCountMax = 100
    /// Nobody has asked for so long: the query is cancelled and dropped.
    var lifetime = Duration.seconds(300)
}

/// One started query.
final class QueryJob: Sendable {
    enum State: String, Sendable { case running, finished, failed, cancelled }

    private struct Inner {
        var state = State.running
        var fields: [Field]?
        var pages: [[UInt8]] = []
        /// The number of the first page in `pages`.
        var firstPage = 0
        var heldByteCount = 0
        var outcome: [UInt8]?
        var error: QueryError?
        var isDropped = false
        var touchedAt = ContinuousClock.now
        var waiters: [CheckedContinuation<Void, Never>] = []
        var task: Task<Void, Never>?
    }

    struct Answer {
        var isReady: Bool
        var document: [UInt8]
    }

    let id: QueryID
    let user: String
    private let limits: QueryJobLimits
    private let inner = Mutex(Inner())

    init(id: QueryID, user: String, limits: QueryJobLimits) {
        self.id = id
        self.user = user
        self.limits = limits
    }

    var state: State { inner.withLock { $0.state } }
    var error: QueryError? { inner.withLock { $0.error } }
    var idleTime: Duration { inner.withLock { ContinuousClock.now - $0.touchedAt } }

    func run(_ request: QueryRequest, _ run: StatementRun) {
        let task = Task {
            await withTaskCancellationHandler {
                await QueryIDWish.$current.withValue(QueryIDWish(id)) { await fill(request, run) }
            } onCancel: {
                run.session.cancelCurrent()
            }
            run.session.close()
        }
        let isDropped = inner.withLock { inner in
            inner.task = task
            return inner.isDropped
        }
        if isDropped { task.cancel() }
    }

    func drop() {
        let task = inner.withLock { inner in
            inner.isDropped = true
            inner.pages = []
            return inner.task
        }
        task?.cancel()
        wake()
    }

    // MARK: - The query's side

    private func fill(_ request: QueryRequest, _ run: StatementRun) async {
        let start = ContinuousClock.now
        do {
            let result = try await run.start()
            let fields = result.fields ?? []
            inner.withLock { $0.fields = fields }
            let encoder = ResultEncoder(request, fields: fields, settings: run.textSettings(result))
            var page: [UInt8] = []
            var isTruncated = false
            while !isTruncated, let batch = try await result.next() {
                let room = (request.rowCountMax ?? .max) - encoder.rowCount
                isTruncated = batch.rowCount > room
                let settings = run.textSettings(result)
                let part = ResultRows(isTruncated ? batch.slice(0, room) : batch, settings: settings)
                page += encoder.jsonRows(part, isFirst: page.isEmpty)
                encoder.count(part.rowCount)
                if page.count >= limits.pageByteCount {
                    try await append(page)
                    page = []
                }
            }
            if isTruncated { result.cancel() }
            if !page.isEmpty { try await append(page) }
            let outcome = ResultEncoder.members(
                ResultEncoder.Outcome(
                    tag: result.tag, query: result.queryID, notices: result.notices, isTruncated: isTruncated,
                    microseconds: Int64((ContinuousClock.now - start).wholeNanoseconds / 1000)),
                rowCount: encoder.rowCount)
            inner.withLock { inner in
                inner.state = .finished
                inner.outcome = outcome
            }
        } catch {
            let error = QueryError.wrapping(error)
            inner.withLock { inner in
                inner.error = error
                inner.state = error.state == .queryCanceled ? .cancelled : .failed
            }
        }
        wake()
    }

    /// Waits for room, then keeps the page.
    private func append(_ page: [UInt8]) async throws {
        while true {
            try Task.checkCancellation()
            let isKept = inner.withLock { inner in
                guard inner.heldByteCount < limits.heldByteCountMax else { return false }
                inner.pages.append(page)
                inner.heldByteCount += page.count
                return true
            }
            if isKept { return wake() }
            await waitForChange(upTo: .seconds(1))
        }
    }

    private func wake() {
        let waiters = inner.withLock { inner in
            defer { inner.waiters = [] }
            return inner.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Returns at the next change, or when the time is over.
    private func waitForChange(upTo limit: Duration) async {
        let timer = Task {
            try? await Task.sleep(for: limit)
            self.wake()
        }
        await withCheckedContinuation { continuation in inner.withLock { $0.waiters.append(continuation) } }
        timer.cancel()
    }

    // MARK: - The client's side

    func page(_ number: Int, wait: Duration) async throws -> Answer {
        let deadline = ContinuousClock.now + wait
        while true {
            let answer = try inner.withLock { inner in
                inner.touchedAt = ContinuousClock.now
                return try makeAnswer(number, &inner)
            }
            wake()
            let left = deadline - ContinuousClock.now
            if answer.isReady || left <= .zero { return answer }
            await waitForChange(upTo: left)
        }
    }

    private func makeAnswer(_ number: Int, _ inner: inout Inner) throws -> Answer {
        guard !inner.isDropped else { throw HTTPFailure.notFound("the query was dropped") }
        guard number >= inner.firstPage else {
            throw HTTPFailure(.gone, QueryError(.undefinedObject, "page \(number) was read and dropped"))
        }
        // The page before stays, for a client that has not got it.
        while inner.firstPage < number - 1, !inner.pages.isEmpty {
            inner.heldByteCount -= inner.pages.removeFirst().count
            inner.firstPage += 1
        }
        let position = number - inner.firstPage
        let hasPage = position < inner.pages.count
        let hasEnded = inner.state != .running
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("id", id.text)
            writer.member("state", inner.state.rawValue)
            writer.member("page", number)
            if let fields = inner.fields { ResultEncoder.write(fields, &writer) }
            writer.key("rows")
            writer.raw([UInt8(ascii: "[")] + (hasPage ? inner.pages[position] : []) + [UInt8(ascii: "]")])
            // All pages before an error are given, then the error.
            let error = hasPage ? nil : inner.error
            let isLast = error != nil || (hasEnded && inner.error == nil && position >= inner.pages.count - 1)
            writer.member("next_page", isLast ? nil : hasPage ? number + 1 : number)
            if isLast, let outcome = inner.outcome {
                writer.key("outcome")
                writer.raw(outcome)
            }
            if let error { writer.object("error") { ErrorResponse.write(error, &$0) } }
        }
        return Answer(isReady: hasPage || hasEnded, document: writer.bytes)
    }
}

/// Thread-safe.
final class QueryJobs: Sendable {
    private let engine: QueryEngine
    private let limits: QueryJobLimits
    private let jobs = Mutex<[QueryID: QueryJob]>([:])

    init(engine: QueryEngine, limits: QueryJobLimits = QueryJobLimits()) {
        self.engine = engine
        self.limits = limits
    }

    func start(_ request: QueryRequest) throws -> QueryJob {
        let run = try StatementRun(request, engine: engine)
        let job = QueryJob(id: QueryID.make(), user: run.session.user, limits: limits)
        let isTaken = jobs.withLock { jobs in
            guard jobs.count < limits.jobCountMax else { return false }
            jobs[job.id] = job
            return true
        }
        guard isTaken else {
            run.session.close()
            throw QueryError(
                .tooManyConnections, "too many started queries are kept",
                detail: "The limit is \(limits.jobCountMax).", hint: "DELETE those whose rows are not wanted any more.")
        }
        job.run(request, run)
        return job
    }

    func job(_ id: QueryID) -> QueryJob? { jobs.withLock { $0[id] } }

    /// Cancels and drops it. `false` if there is none of this id.
    func remove(_ id: QueryID) -> Bool {
        guard let job = jobs.withLock({ $0.removeValue(forKey: id) }) else { return false }
        job.drop()
        return true
    }

    /// Drops what nobody asks for any more, until cancelled.
    func run() async {
        while !Task.isCancelled {
            do { try await Task.sleep(for: .seconds(5)) } catch { return }
            for job in jobs.withLock({ Array($0.values) }) where job.idleTime > limits.lifetime { _ = remove(job.id) }
        }
    }

    func shutdown() { for job in jobs.withLock({ Array($0.values) }) { job.drop() } }
}
