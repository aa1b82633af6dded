// What a statement gives its client.

import Columnar
import Diagnostics
import Synchronization
import Transport

/// The outcome of one statement: a stream of rows, or only a command tag. To be read to the end by one reader.
package final class StatementResult: Sendable {
    private enum Source: Sendable {
        case none
        case batches([Batch])
        case query(QueryExecution, limitTag: @Sendable (Int) -> String)
        case cursor(CursorReader)
    }
    private struct State {
        var source: Source
        var rowCount = 0
        var tag: String
        var nextBatch = 0
    }

    /// Columns of the rows; `nil` for statements without rows.
    package let fields: [Field]?
    package let notices: [QueryError]
    /// Set for COPY TO STDOUT: the rows are to be sent as its lines.
    package let copyWriter: CopyWriter?
    /// What regclass and its like are shown by.
    package let objectNames: (any ObjectNames)?
    private let state: Mutex<State>
    private let execution: QueryExecution?

    /// Without rows.
    package init(tag: String, notices: [QueryError] = []) {
        fields = nil
        self.notices = notices
        copyWriter = nil
        objectNames = nil
        execution = nil
        state = Mutex(State(source: .none, tag: tag))
    }

    /// With rows that are there already. Without a tag: `SELECT n`.
    package init(
        fields: [Field], batches: [Batch], tag: String? = nil, notices: [QueryError] = [],
        objectNames: (any ObjectNames)? = nil
    ) {
        self.fields = fields
        self.notices = notices
        copyWriter = nil
        self.objectNames = objectNames
        execution = nil
        let count = batches.reduce(0) { $0 + $1.rowCount }
        state = Mutex(State(source: .batches(batches), tag: tag ?? "SELECT \(count)"))
    }

    /// With the rows of a running query.
    init(
        fields: [Field], execution: QueryExecution, copyWriter: CopyWriter? = nil,
        objectNames: (any ObjectNames)? = nil,
        tag: @escaping @Sendable (Int) -> String
    ) {
        self.fields = fields
        notices = []
        self.copyWriter = copyWriter
        self.objectNames = objectNames
        self.execution = execution
        state = Mutex(State(source: .query(execution, limitTag: tag), tag: tag(0)))
    }

    /// With rows of a cursor, which go on when they are asked for.
    init(fields: [Field], reader: CursorReader, objectNames: (any ObjectNames)?) {
        self.fields = fields
        notices = []
        copyWriter = nil
        self.objectNames = objectNames
        execution = nil
        state = Mutex(State(source: .cursor(reader), tag: "FETCH 0"))
    }

    /// The next rows, never an empty batch; `nil` at the end.
    package func next() async throws -> Batch? {
        let source = state.withLock { $0.source }
        switch source {
        case .none: return nil
        case .batches(let batches):
            return state.withLock { state in
                while state.nextBatch < batches.count {
                    let batch = batches[state.nextBatch]
                    state.nextBatch += 1
                    if !batch.isEmpty { return batch }
                }
                return nil
            }
        case .query(let execution, let tag):
            while let batch = try await execution.rows.next() {
                if batch.isEmpty { continue }
                state.withLock { state in
                    state.rowCount += batch.rowCount
                    state.tag = tag(state.rowCount)
                }
                return batch
            }
            await execution.waitForEnd()
            return nil
        case .cursor(var reader):
            let batch = try await reader.next()
            state.withLock { state in
                state.source = .cursor(reader)
                state.rowCount += batch?.rowCount ?? 0
                state.tag = "FETCH \(state.rowCount)"
            }
            return batch
        }
    }

    /// The command tag, final when the rows have been read.
    package var tag: String { state.withLock { $0.tag } }
    package var queryID: QueryID? { execution?.query }
    /// What the operators did, when the query has ended.
    package var metrics: [OperatorMetrics] { execution?.metrics ?? [] }

    /// No more rows are wanted: the query's work stops.
    package func cancel() { execution?.cancel() }
    func cancel(_ error: QueryError) { execution?.cancel(error) }

    /// All rows; for small results.
    package func collect() async throws -> [Batch] {
        var batches: [Batch] = []
        while let batch = try await next() { batches.append(batch) }
        return batches
    }
}
