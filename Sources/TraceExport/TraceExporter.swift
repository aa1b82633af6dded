// TraceExport sends the spans of queries that have ended to a collector, by OTLP over HTTP.
//
//   TraceExporter    a queue with a bound and the thread that empties it (this file)
//   OTLPDocument     spans as the collector reads them
//   TraceRequest     one POST

import Coordination
import Diagnostics
import EngineConfiguration
import Logging
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

package struct TraceExportOptions: Sendable {
    /// Where traces go: the address of the collector, `/v1/traces` included.
    package var endpoint: String
    /// Header lines, as `authorization: …`.
    package var headers: [String] = []
    package var serviceName = "martlet"
    /// Share of the queries without a client's trace that are recorded, from 0 to 1.
    package var share = 1.0
    package var withText = false
    /// Queries that wait for the collector; further ones are dropped and counted.
    package var queueCountMax = 1024
    package var batchCountMax = 64
    /// How long a query waits for others to go with.
    package var pause = Duration.milliseconds(500)
    package var timeout = Duration.seconds(5)
    package init(endpoint: String) { self.endpoint = endpoint }

    /// `nil` if no endpoint is configured. F0000 for an address that is none.
    package init?(_ configuration: EngineConfiguration) throws {
        let endpoint = configuration["trace.endpoint"]
        guard !endpoint.isEmpty else { return nil }
        guard endpoint.hasPrefix("http://") || endpoint.hasPrefix("https://") else {
            throw QueryError(
                .configurationFileError, "trace.endpoint must begin with http:// or https://, not \"\(endpoint)\"",
                hint: "Collectors take traces by HTTP at http://HOST:4318/v1/traces.", object: "trace.endpoint")
        }
        self.endpoint = endpoint
        guard let share = Double(configuration["trace.share"]), (0...1).contains(share) else {
            throw QueryError(
                .configurationFileError, "trace.share must be a number from 0 to 1", object: "trace.share")
        }
        self.share = share
        headers = configuration.list("trace.headers").map { header in
            guard let equals = header.firstIndex(of: "=") else { return header }
            return "\(header[..<equals]): \(header[header.index(after: equals)...])"
        }
        if headers.contains(where: { $0.contains { $0.isNewline } || !$0.contains(":") }) {
            throw QueryError(
                .configurationFileError, "trace.headers must have the form NAME=VALUE,NAME=VALUE",
                object: "trace.headers")
        }
        serviceName = configuration["trace.service-name"]
        withText = configuration.boolean("trace.statements")
    }
}

/// Queries never wait for it: what the collector does not take in time is dropped. Thread-safe.
package final class TraceExporter: Sendable {
    private struct Item {
        var record: QueryRecord
        var course: QueryCourse?
    }
    private struct State {
        var queue: [Item] = []
        var isUnderWay = false
        var isStopped = false
        var sentCount = 0
        var droppedCount = 0
        var lastFailure: String?
        var thread: pthread_t?
    }
    /// What it has done so far, counted in queries.
    package struct Counts: Sendable, Hashable {
        package var sent: Int
        package var dropped: Int
        package var waiting: Int
    }

    private let options: TraceExportOptions
    private let logger: Logger
    private let state = Mutex(State())

    package init(options: TraceExportOptions, logger: Logger) {
        self.options = options
        self.logger = logger
    }

    package var counts: Counts {
        state.withLock { Counts(sent: $0.sentCount, dropped: $0.droppedCount, waiting: $0.queue.count) }
    }

    /// Takes every query that ends from now on.
    package func observe(_ engine: QueryEngine) {
        observe(engine.queries)
        engine.traceShare = options.share
    }

    func observe(_ queries: QueryRegistry) {
        queries.observeTraces { [weak self] record, course in self?.note(record, course) }
    }

    private func note(_ record: QueryRecord, _ course: QueryCourse?) {
        guard record.trace?.isSampled == true else { return }
        state.withLock { state in
            guard !state.isStopped, state.queue.count < options.queueCountMax else {
                state.droppedCount += 1
                return
            }
            state.queue.append(Item(record: record, course: course))
        }
    }

    /// Starts sending, on a thread of its own: a collector that hangs holds up nobody else.
    package func start() {
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { argument in
                #if canImport(Glibc)
                    guard let argument else { return nil }
                #endif
                Unmanaged<TraceExporter>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        if status == 0 { pthread_detach(thread) }
    }

    /// Sends what waits, within the time, and then no more. Blocks.
    package func stop(within limit: Duration = .seconds(2)) {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            let isDone = state.withLock { $0.queue.isEmpty && !$0.isUnderWay }
            if isDone { break }
            usleep(10_000)
        }
        state.withLock { state in
            state.isStopped = true
            state.queue = []
        }
    }

    private func run() {
        let request = TraceRequest(options)
        let pauseMicroseconds = UInt32(clamping: options.pause.wholeMicroseconds)
        var isAway = false
        while true {
            usleep(isAway ? min(5_000_000, pauseMicroseconds &* 4) : pauseMicroseconds)
            while true {
                let (items, isStopped) = state.withLock { state -> ([Item], Bool) in
                    let count = min(options.batchCountMax, state.queue.count)
                    let items = Array(state.queue.prefix(count))
                    state.queue.removeFirst(count)
                    state.isUnderWay = !items.isEmpty
                    return (items, state.isStopped)
                }
                if isStopped { return }
                if items.isEmpty { break }
                let failure = send(items, request)
                isAway = failure != nil
                note(failure, count: items.count)
                if isAway { break }
            }
        }
    }

    private func send(_ items: [Item], _ request: TraceRequest) -> String? {
        let traces = items.compactMap { item in
            item.record.trace.map {
                QueryTrace(context: $0, record: item.record, course: item.course, withText: options.withText)
            }
        }
        return request.post(
            OTLPDocument.request(traces, serviceName: options.serviceName, version: EngineVersion.version))
    }

    /// What did not get through is not tried again: the next ones matter more.
    private func note(_ failure: String?, count: Int) {
        let isNews = state.withLock { state in
            state.isUnderWay = false
            if failure == nil { state.sentCount += count } else { state.droppedCount += count }
            defer { state.lastFailure = failure }
            return state.lastFailure != failure
        }
        guard isNews else { return }
        if let failure {
            logger.warning("traces do not get to their collector", metadata: ["error": "\(failure)"])
        } else {
            logger.info("traces get to their collector")
        }
    }
}

extension Duration {
    fileprivate var wholeMicroseconds: Int64 {
        components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000
    }
}
