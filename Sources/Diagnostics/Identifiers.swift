// Identifiers as distinct types, so that one kind is never passed for another.

/// A query, unique over all coordinators: 128 random bits with the time in front (UUID version 7), as text.
package struct QueryID: Hashable, Sendable, CustomStringConvertible {
    package let text: String
    package init(_ text: String) { self.text = text }
    package var description: String { text }
}

/// A stage of a query's plan; stage 0 is the one whose output is the result.
package struct StageID: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let number: Int
    package init(_ number: Int) { self.number = number }
    package var description: String { String(number) }
    package static func < (a: StageID, b: StageID) -> Bool { a.number < b.number }
}

/// One partition of a stage, in one of its attempts. Attempt numbers are never used twice.
package struct TaskAttemptID: Hashable, Sendable, CustomStringConvertible {
    package let query: QueryID
    /// Counts restarts of the whole query, from 0.
    package let queryAttempt: Int
    package let stage: StageID
    /// The index of the task within its stage, from 0.
    package let partition: Int
    package let attempt: Int

    package init(query: QueryID, queryAttempt: Int = 0, stage: StageID, partition: Int, attempt: Int = 0) {
        self.query = query
        self.queryAttempt = queryAttempt
        self.stage = stage
        self.partition = partition
        self.attempt = attempt
    }

    package var description: String { "\(query).\(queryAttempt).\(stage).\(partition).\(attempt)" }
}

/// A worker node; chosen by the worker, kept over restarts where it can be.
package struct WorkerID: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let text: String
    package init(_ text: String) { self.text = text }
    package var description: String { text }
    package static func < (a: WorkerID, b: WorkerID) -> Bool { a.text < b.text }
}

/// One life of a worker process: grows with every start, so that messages of an earlier life are recognised.
package struct Incarnation: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let value: UInt64
    package init(_ value: UInt64) { self.value = value }
    package var description: String { String(value) }
    package static func < (a: Incarnation, b: Incarnation) -> Bool { a.value < b.value }
}
