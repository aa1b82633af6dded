// Counters and gauges in the text format of Prometheus.

import Coordination
import Diagnostics
import Transport

/// A counter of another part of the program that `/metrics` shows.
package struct MetricCounter: Sendable {
    package var name: String
    package var text: String
    package var value: @Sendable () -> Int
    /// The name ends in `_total`.
    package init(_ name: String, _ text: String, value: @escaping @Sendable () -> Int) {
        self.name = name
        self.text = text
        self.value = value
    }
}

struct MetricsText: Sendable {
    let engine: QueryEngine
    /// PostgreSQL clients connected now.
    let connectionCount: @Sendable () -> Int
    let httpConnectionCount: @Sendable () -> Int
    let viewerCount: @Sendable () -> Int
    var counters: [MetricCounter] = []
    var eventLoopLag: @Sendable () -> Duration = { .zero }
    let start = ContinuousClock.now

    func document() -> [UInt8] {
        let counts = engine.queries.counts
        let admission = engine.admission.counts
        let workers = engine.directory.summaries()
        let usage = ProcessUsage.current
        var text = ""
        func metric(_ name: String, _ kind: String, _ help: String, _ lines: [(labels: String, value: String)]) {
            text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
            for line in lines { text += "\(name)\(line.labels) \(line.value)\n" }
        }
        func single(_ name: String, _ kind: String, _ help: String, _ value: some BinaryInteger) {
            metric(name, kind, help, [("", String(value))])
        }
        single(
            "martlet_uptime_seconds", "gauge", "Seconds since the start.",
            (ContinuousClock.now - start).components.seconds)
        metric(
            "martlet_process_cpu_seconds_total", "counter", "Processor time of the coordinator's process.",
            [("", String(Double(usage.processorNanoseconds) / 1e9))])
        single(
            "martlet_process_resident_bytes", "gauge", "Resident memory of the coordinator's process.",
            usage.residentBytes)
        single("martlet_queries_running", "gauge", "Queries that wait or run.", counts.running)
        single("martlet_queries_queued", "gauge", "Queries that wait for admission.", admission.queued)
        single("martlet_queries_started_total", "counter", "Queries started.", counts.started)
        single("martlet_queries_failed_total", "counter", "Queries that ended with an error.", counts.failed)
        single(
            "martlet_memory_admitted_bytes", "gauge", "Memory reserved by admitted queries on each worker.",
            admission.memoryByteCount)
        single("martlet_connections", "gauge", "PostgreSQL clients connected.", connectionCount())
        single("martlet_http_connections", "gauge", "HTTP clients connected.", httpConnectionCount())
        single("martlet_event_viewers", "gauge", "Viewers of live events.", viewerCount())
        let totals = engine.queries.totals
        func seconds(_ name: String, _ kind: String, _ help: String, nanoseconds: some BinaryInteger) {
            metric(name, kind, help, [("", String(Double(nanoseconds) / 1e9))])
        }
        seconds(
            "martlet_query_queue_seconds_total", "counter", "Time that queries have waited for their places.",
            nanoseconds: totals.queuedNanoseconds)
        seconds(
            "martlet_query_plan_seconds_total", "counter", "Time in which queries were planned.",
            nanoseconds: totals.planningNanoseconds)
        single("martlet_query_plans_total", "counter", "Plans made.", totals.plannedCount)
        metric(
            "martlet_query_retries_total", "counter",
            "Attempts of queries that were given up and made anew, by reason.",
            totals.retryCounts.sorted { $0.key < $1.key }.map { ("{sqlstate=\"\($0.key)\"}", "\($0.value)") })
        seconds(
            "martlet_query_wasted_cpu_seconds_total", "counter", "Processor time of attempts that were given up.",
            nanoseconds: totals.wastedNanoseconds)
        single("martlet_spilled_bytes_total", "counter", "Bytes that operators have spilled.", totals.spilledBytes)
        seconds(
            "martlet_event_loop_lag_seconds", "gauge",
            "How late an event loop has run what was due, at most, in the last one to two minutes.",
            nanoseconds: eventLoopLag().wholeNanoseconds)
        if let store = engine.stateSummary {
            single("martlet_state_store_writes_total", "counter", "Writes to the state store.", store.writeCount)
            seconds(
                "martlet_state_store_write_seconds_total", "counter", "Time of writes to the state store.",
                nanoseconds: store.writingTime.wholeNanoseconds)
            single("martlet_state_store_queued", "gauge", "Queries that wait for the store.", store.queuedCount)
            single("martlet_state_store_dropped_total", "counter", "Queries it has not got.", store.droppedCount)
            single("martlet_state_store_away", "gauge", "Whether the state store is away.", store.isAway ? 1 : 0)
        }
        let failures = engine.directory.failureCounts
        single("martlet_workers_lost_total", "counter", "Workers that were given up.", failures.lost)
        single(
            "martlet_workers_falsely_suspected_total", "counter", "Workers that were suspected and had not gone.",
            failures.falselySuspected)
        text += Self.histogram(
            "martlet_worker_suspicion", "How suspicious workers were (phi) when their heartbeats came.",
            [("", engine.directory.suspicions)])
        text += Self.meters(workers)
        for counter in counters { single(counter.name, "counter", counter.text, counter.value()) }
        let states = Dictionary(grouping: workers, by: \.state).mapValues(\.count).sorted { $0.key < $1.key }
        metric(
            "martlet_workers", "gauge", "Workers by state.", states.map { ("{state=\"\($0.key)\"}", "\($0.value)") })
        func perWorker(_ name: String, _ help: String, _ value: (WorkerSummary) -> String) {
            metric(name, "gauge", help, workers.map { ("{worker=\"\(Self.escaped($0.id.text))\"}", value($0)) })
        }
        metric(
            "martlet_worker_silence_seconds", "gauge", "Time since the worker's last heartbeat.",
            workers.compactMap { worker in
                worker.silence.map {
                    ("{worker=\"\(Self.escaped(worker.id.text))\"}", String(Double($0.wholeNanoseconds) / 1e9))
                }
            })
        perWorker("martlet_worker_running_tasks", "Tasks that run, by worker.") { "\($0.runningTasks)" }
        perWorker("martlet_worker_memory_used_bytes", "Memory reserved by queries, by worker.") {
            "\(max(0, $0.memoryBytes - $0.load.memoryFreeBytes))"
        }
        perWorker("martlet_worker_resident_bytes", "Resident memory of the worker's process.") {
            "\($0.load.residentBytes)"
        }
        perWorker("martlet_worker_cpu_seconds", "Processor time of the worker's process.") {
            String(Double($0.load.processorNanoseconds) / 1e9)
        }
        return Array(text.utf8)
    }

    /// Of this process, and of those of workers that have joined it.
    private static func meters(_ workers: [WorkerSummary]) -> String {
        var readings = [(node: "coordinator", reading: ProcessMeters.reading)]
        for worker in workers where worker.silence != nil { readings.append((worker.id.text, worker.load.meters)) }
        var text = ""
        func family(_ name: String, _ kind: String, _ help: String, _ value: (MeterReading) -> String) {
            text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
            for (node, reading) in readings { text += "\(name){node=\"\(escaped(node))\"} \(value(reading))\n" }
        }
        func seconds(_ nanoseconds: UInt64) -> String { String(Double(nanoseconds) / 1e9) }
        family(
            "martlet_exchange_reader_wait_seconds_total", "counter",
            "Time that drivers of tasks have waited for rows of other stages."
        ) { seconds($0.exchangeReaderWaitNanoseconds) }
        family(
            "martlet_exchange_writer_wait_seconds_total", "counter",
            "Time that drivers of tasks have waited for room in their output."
        ) { seconds($0.exchangeWriterWaitNanoseconds) }
        family(
            "martlet_exchange_credit_wait_seconds_total", "counter",
            "Time that channels to other nodes have waited for credit of their readers."
        ) { seconds($0.exchangeCreditWaitNanoseconds) }
        family("martlet_spill_held_bytes", "gauge", "Bytes in spill files now.") { "\($0.heldSpillBytes)" }
        family(
            "martlet_spill_orphaned_bytes_total", "counter", "Bytes of spill files of earlier processes, removed."
        ) { "\($0.orphanedSpillBytes)" }
        let requests = readings.flatMap { node, reading in
            reading.storeRequests.sorted { $0.key < $1.key }.map { catalog, histogram in
                ("node=\"\(escaped(node))\",catalog=\"\(escaped(catalog))\"", histogram)
            }
        }
        return text
            + histogram(
                "martlet_store_request_seconds", "Time until servers of catalogues have answered requests.", requests)
    }

    private static func histogram(_ name: String, _ help: String, _ series: [(labels: String, values: Histogram)])
        -> String
    {
        var text = "# HELP \(name) \(help)\n# TYPE \(name) histogram\n"
        for (labels, values) in series {
            let prefix = labels.isEmpty ? "" : labels + ","
            for (bound, count) in zip(values.bounds, values.cumulativeCounts) {
                text += "\(name)_bucket{\(prefix)le=\"\(bound)\"} \(count)\n"
            }
            text += "\(name)_bucket{\(prefix)le=\"+Inf\"} \(values.count)\n"
            let own = labels.isEmpty ? "" : "{\(labels)}"
            text += "\(name)_sum\(own) \(values.sum)\n\(name)_count\(own) \(values.count)\n"
        }
        return text
    }

    private static func escaped(_ text: String) -> String {
        text.map { $0 == "\\" ? "\\\\" : $0 == "\"" ? "\\\"" : $0 == "\n" ? "\\n" : String($0) }.joined()
    }
}
