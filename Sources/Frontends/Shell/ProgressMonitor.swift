// How far the statement that runs is: one line below it, drawn over itself.

import Diagnostics
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Asks through another session of the same place, so that the statement's own is left alone. Says nothing of statements
/// that take less than half a second, nor where there is no terminal.
final class ProgressMonitor: Sendable {
    private struct State {
        var isShown = false
        var isHidden = false
        var task: Task<Void, Never>?
    }
    private static let patience = Duration.milliseconds(500)
    private static let interval = Duration.milliseconds(200)

    private let connection: any ShellConnection
    private let descriptor: Int32
    private let state = Mutex(State())

    /// `nil` when the output is no terminal.
    init?(_ connection: any ShellConnection, output: TextOutput) {
        guard output.isTerminal, TerminalAbilities.canMoveCursor else { return nil }
        self.connection = connection
        descriptor = output.descriptor
    }

    func start() {
        let started = ContinuousClock.now
        let task = Task { [self] in
            do {
                try await Task.sleep(for: Self.patience)
                // The first question may take a while: it looks the catalogue over.
                draw(nil, since: started)
                while !Task.isCancelled {
                    let progress = await ask()
                    draw(progress, since: started)
                    try await Task.sleep(for: Self.interval)
                }
            } catch { return }
        }
        state.withLock { $0.task = task }
    }

    /// Rows are about to be printed: there is no place for the line any more.
    func hide() {
        state.withLock { state in
            state.isHidden = true
            erase(&state)
        }
    }

    func stop() async {
        hide()
        let task = state.withLock { $0.task }
        task?.cancel()
        await task?.value
    }

    private func erase(_ state: inout State) {
        guard state.isShown else { return }
        state.isShown = false
        write("\r\u{1B}[K")
    }

    private func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { posixWrite(descriptor, $0.baseAddress, $0.count) }
    }

    // MARK: - The line

    private func ask() async -> QueryProgress? {
        guard connection.isMartlet, let observer = try? await connection.observer() else { return nil }
        let rows = try? await observer.texts(
            """
            SELECT (SELECT count(*) FROM system.stages s WHERE s.query_id = q.query_id),
                (SELECT count(*) FROM system.stages s WHERE s.query_id = q.query_id AND running_task_count = 0),
                state, queued_reason,
                (SELECT sum(row_count) FROM system.operators o WHERE o.query_id = q.query_id AND o.name LIKE '%can%'),
                (SELECT sum(bytes_read) FROM system.operators o WHERE o.query_id = q.query_id),
                (SELECT sum(row_count) / nullif(sum(estimated_row_count), 0) FROM system.operators o
                    WHERE o.query_id = q.query_id AND o.name LIKE '%can%')
            FROM system.queries q WHERE session_id = \(connection.sessionNumber) AND duration IS NULL
            """)
        return rows?.first.map { row in
            QueryProgress(
                share: Double(row[6]).map { min($0, 0.99) }, rows: Int64(row[4]) ?? 0, bytes: Int64(row[5]) ?? 0,
                stages: Int(row[0]) ?? 0,
                endedStages: Int(row[1]) ?? 0, isQueued: row[2] == "queued",
                queuedReason: row[3])
        }
    }

    private func draw(_ progress: QueryProgress?, since started: ContinuousClock.Instant) {
        let elapsed = (ContinuousClock.now - started).components
        let milliseconds = elapsed.seconds * 1000 + elapsed.attoseconds / 1_000_000_000_000_000
        let width = Terminal.size(of: descriptor).columns
        let line = (progress ?? QueryProgress()).line(milliseconds: milliseconds, width: width - 1)
        state.withLock { state in
            guard !state.isHidden else { return }
            state.isShown = true
            write("\r\u{1B}[K" + line)
        }
    }
}

/// A look at a query that runs.
package struct QueryProgress: Sendable {
    /// Between 0 and 1; `nil` if nobody knows.
    package var share: Double?
    package var rows: Int64 = 0
    package var bytes: Int64 = 0
    package var stages = 0
    package var endedStages = 0
    package var isQueued = false
    package var queuedReason = ""

    package init(
        share: Double? = nil, rows: Int64 = 0, bytes: Int64 = 0, stages: Int = 0, endedStages: Int = 0,
        isQueued: Bool = false, queuedReason: String = ""
    ) {
        self.share = share
        self.rows = rows
        self.bytes = bytes
        self.stages = stages
        self.endedStages = endedStages
        self.isQueued = isQueued
        self.queuedReason = queuedReason
    }

    /// A bar, rows, bytes, stages, time and time left, as much as the width has room for.
    package func line(milliseconds: Int64, width: Int) -> String {
        var parts: [String] = []
        if isQueued {
            parts.append(queuedReason.isEmpty ? "queued" : "queued (\(queuedReason))")
        } else if let share {
            let percent = Int((min(max(share, 0), 1) * 100).rounded(.down))
            let filled = percent * 20 / 100
            let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 20 - filled)
            parts.append("[\(bar)] \(percent) %")
        } else {
            parts.append("running")
        }
        if rows > 0 { parts.append("\(ShellText.count(rows)) rows") }
        if bytes > 0 { parts.append(ShellText.bytes(bytes)) }
        if stages > 1 { parts.append("stage \(min(endedStages + 1, stages)) of \(stages)") }
        parts.append(ShellText.span(milliseconds: milliseconds))
        if let share, share > 0.05, share < 1 {
            parts.append("\(ShellText.span(milliseconds: Int64(Double(milliseconds) * (1 - share) / share))) left")
        }
        var line = ""
        for part in parts {
            let longer = line.isEmpty ? part : line + "  " + part
            guard longer.count <= width else { break }
            line = longer
        }
        return line
    }
}
