// Looks at workers and queries once a second and remembers what it saw: the past of the dashboard's charts.

import Diagnostics
import Synchronization

/// What a worker did and used around a second.
package struct WorkerSample: Sendable, Hashable {
    /// Seconds since 1970 UTC.
    package var second: Int64
    /// Processors kept busy by the worker's process; `nil` as long as it is not known.
    package var processors: Double?
    package var memoryUsedBytes: Int64
    package var residentBytes: Int64
    package var runningTasks: Int
}

/// Thread-safe. Holds a quarter of an hour of each worker.
package final class ClusterMonitor: Sendable {
    private struct Track {
        var incarnation: Incarnation
        var samples: [WorkerSample] = []
        var processorNanoseconds: UInt64 = 0
        var readAt: ContinuousClock.Instant
        var seenAt: Int64
    }
    private static let sampleCountMax = 900
    /// Workers that are not known any more are remembered so long.
    private static let trackLifetime: Int64 = 3600

    private let directory: WorkerDirectory
    private let queries: QueryRegistry
    private let tracks = Mutex<[WorkerID: Track]>([:])

    init(directory: WorkerDirectory, queries: QueryRegistry) {
        self.directory = directory
        self.queries = queries
    }

    /// Runs until cancelled.
    package func run() async {
        while !Task.isCancelled {
            do { try await Task.sleep(for: .seconds(1)) } catch { return }
            observe()
        }
    }

    /// The last quarter of an hour of a worker, oldest first.
    package func samples(of worker: WorkerID, after second: Int64 = .min) -> [WorkerSample] {
        tracks.withLock { ($0[worker]?.samples ?? []).filter { $0.second > second } }
    }

    private func observe() {
        let second = QueryEngine.now / 1_000_000
        queries.closeSecond(second)
        let workers = directory.summaries()
        let now = ContinuousClock.now
        tracks.withLock { tracks in
            for worker in workers where worker.state != "lost" && worker.state != "drained" {
                var track =
                    tracks[worker.id] ?? Track(incarnation: worker.incarnation, readAt: now, seenAt: second)
                Self.extend(&track, worker, now, second)
                tracks[worker.id] = track
            }
            tracks = tracks.filter { second - $0.value.seenAt < Self.trackLifetime }
        }
    }

    private static func extend(
        _ track: inout Track, _ worker: WorkerSummary, _ now: ContinuousClock.Instant, _ second: Int64
    ) {
        let isNewLife = track.incarnation != worker.incarnation
        let reading = worker.load.processorNanoseconds
        var processors: Double?
        if !isNewLife, track.processorNanoseconds > 0, reading > track.processorNanoseconds {
            let elapsed = (now - track.readAt).wholeNanoseconds
            if elapsed > 0 { processors = Double(reading - track.processorNanoseconds) / Double(elapsed) }
        }
        // Heartbeats and looks do not keep step: without a new reading the last rate still holds.
        if reading == track.processorNanoseconds, !isNewLife {
            processors = track.samples.last?.processors
        } else {
            track.processorNanoseconds = reading
            track.readAt = now
        }
        track.incarnation = worker.incarnation
        track.seenAt = second
        track.samples.append(
            WorkerSample(
                second: second, processors: processors,
                memoryUsedBytes: max(0, worker.memoryBytes - worker.load.memoryFreeBytes),
                residentBytes: worker.load.residentBytes, runningTasks: worker.load.runningTasks))
        if track.samples.count > sampleCountMax { track.samples.removeFirst(track.samples.count - sampleCountMax) }
    }
}
