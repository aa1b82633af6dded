// From looks at the cluster to messages for viewers: a snapshot, then what has changed since the look before.
//
// Messages are JSON. Each delta has the number after the one before it; a viewer that misses one asks for a snapshot.

import Coordination
import Diagnostics
import Transport

/// What the feed looks at.
struct ClusterView: Sendable {
    var workers: [(summary: WorkerSummary, latest: WorkerSample?)]
    var running: [QueryRecord]
    /// Newest first.
    var ended: [QueryRecord]
    /// Oldest first.
    var samples: [ActivitySample]
    var totals: Totals

    struct Totals: Hashable, Sendable {
        var running: Int
        var queued: Int
        var started: Int
        var failed: Int
        var connections: Int
    }
}

/// Holds what viewers know. Without clock and sockets.
struct EventFeed {
    static let endedCountMax = 200
    private static let textCountMax = 600

    private(set) var sequence: UInt64 = 0
    /// The last document of each worker and each query that waits or runs.
    private var workers: [String: [UInt8]] = [:]
    private var running: [QueryID: [UInt8]] = [:]
    private var totals: ClusterView.Totals?

    /// Everything, for a viewer that begins. Stands for the state behind the last delta if the view is the one that it
    /// was made of.
    func snapshot(_ view: ClusterView, version: String) -> [UInt8] {
        JSONWriter.document { writer in
            writer.member("type", "snapshot")
            writer.member("seq", sequence)
            writer.member("version", version)
            write(view.totals, &writer)
            writer.array("workers", view.workers) { $0.raw(Self.document($1.summary, $1.latest)) }
            writer.array("queries", view.running + view.ended) { $0.raw(Self.document($1)) }
            writer.array("samples", view.samples) { StatusDocuments.write($1, &$0) }
        }
    }

    /// What is new in the view; `nil` if nothing is. `ended` and `samples` of the view are those since the last one.
    mutating func delta(_ view: ClusterView) -> [UInt8]? {
        var changedWorkers: [[UInt8]] = []
        var nextWorkers: [String: [UInt8]] = [:]
        for (summary, latest) in view.workers {
            let document = Self.document(summary, latest)
            nextWorkers[summary.id.text] = document
            if workers[summary.id.text] != document { changedWorkers.append(document) }
        }
        let gone = workers.keys.filter { nextWorkers[$0] == nil }.sorted()
        var queries: [[UInt8]] = []
        var nextRunning: [QueryID: [UInt8]] = [:]
        for query in view.running {
            let document = Self.document(query)
            nextRunning[query.id] = document
            if running[query.id] != document { queries.append(document) }
        }
        queries += view.ended.map(Self.document)
        // Ended among so many others that it was left out.
        let named = Set(view.ended.map(\.id))
        let vanished = running.keys.filter { nextRunning[$0] == nil && !named.contains($0) }
        defer {
            workers = nextWorkers
            running = nextRunning
            totals = view.totals
        }
        let isQuiet = changedWorkers.isEmpty && gone.isEmpty && queries.isEmpty && vanished.isEmpty
        guard !isQuiet || !view.samples.isEmpty || totals != view.totals else { return nil }
        sequence += 1
        return JSONWriter.document { writer in
            writer.member("type", "delta")
            writer.member("seq", sequence)
            write(view.totals, &writer)
            writer.array("workers", changedWorkers) { $0.raw($1) }
            writer.array("gone_workers", gone) { $0.value($1) }
            writer.array("queries", queries) { $0.raw($1) }
            writer.array("gone_queries", vanished) { $0.value($1.text) }
            writer.array("samples", view.samples) { StatusDocuments.write($1, &$0) }
        }
    }

    private func write(_ totals: ClusterView.Totals, _ writer: inout JSONWriter) {
        writer.object("totals") { writer in
            writer.member("running", totals.running)
            writer.member("queued", totals.queued)
            writer.member("started", totals.started)
            writer.member("failed", totals.failed)
            writer.member("connections", totals.connections)
        }
    }

    private static func document(_ worker: WorkerSummary, _ latest: WorkerSample?) -> [UInt8] {
        JSONWriter.document { StatusDocuments.write(worker, latest: latest, &$0) }
    }

    private static func document(_ query: QueryRecord) -> [UInt8] {
        JSONWriter.document { StatusDocuments.write(query, textCountMax: textCountMax, &$0) }
    }
}
