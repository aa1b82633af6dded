// Sequences: numbers that are given out once.

import Diagnostics
import QueryPlan
import Synchronization

/// What CREATE SEQUENCE says.
package struct SequenceOptions: Hashable, Sendable {
    package var increment: Int64
    package var minimum: Int64
    package var maximum: Int64
    package var start: Int64
    package var cycles: Bool
    package init(
        increment: Int64 = 1, minimum: Int64? = nil, maximum: Int64? = nil, start: Int64? = nil, cycles: Bool = false
    ) {
        self.increment = increment
        self.minimum = minimum ?? (increment > 0 ? 1 : .min)
        self.maximum = maximum ?? (increment > 0 ? .max : -1)
        self.start = start ?? (increment > 0 ? self.minimum : self.maximum)
        self.cycles = cycles
    }
}

/// A sequence. Numbers that were given out are never given back, whatever becomes of the transaction.
package final class StoredSequence: Sendable {
    private struct State {
        var last: Int64
        var isCalled: Bool
    }
    /// Stays the same while the sequence is altered; one that is dropped and made again is another sequence.
    package let identity: UInt64
    private static let lastIdentity = Atomic<UInt64>(0)
    package let name: String
    package let options: SequenceOptions
    /// The column that owns it: it goes with the column.
    package let owner: (table: TableName, column: String)?
    private let state: Mutex<State>

    package init(
        name: String, options: SequenceOptions, owner: (table: TableName, column: String)? = nil,
        identity: UInt64? = nil
    ) {
        self.identity = identity ?? Self.lastIdentity.wrappingAdd(1, ordering: .relaxed).newValue
        self.name = name
        self.options = options
        self.owner = owner
        state = Mutex(State(last: options.start, isCalled: false))
    }

    /// With other options or another owner, at the same number.
    package convenience init(
        _ other: StoredSequence, name: String? = nil, options: SequenceOptions? = nil,
        owner: (table: TableName, column: String)?
    ) {
        self.init(
            name: name ?? other.name, options: options ?? other.options, owner: owner, identity: other.identity)
        let (last, isCalled) = other.current
        state.withLock { $0 = State(last: last, isCalled: isCalled) }
    }

    package var current: (last: Int64, isCalled: Bool) { state.withLock { ($0.last, $0.isCalled) } }

    package func next() throws -> Int64 {
        try state.withLock { state in
            if !state.isCalled {
                state.isCalled = true
                return state.last
            }
            let (sum, overflow) = state.last.addingReportingOverflow(options.increment)
            if options.increment > 0 ? overflow || sum > options.maximum : overflow || sum < options.minimum {
                guard options.cycles else {
                    let bound = options.increment > 0 ? ("maximum", options.maximum) : ("minimum", options.minimum)
                    throw QueryError(
                        SQLState("2200H"), "nextval: reached \(bound.0) value of sequence \"\(name)\" (\(bound.1))",
                        object: name)
                }
                state.last = options.increment > 0 ? options.minimum : options.maximum
            } else {
                state.last = sum
            }
            return state.last
        }
    }

    package func set(_ value: Int64, isCalled: Bool) throws {
        guard value >= options.minimum, value <= options.maximum else {
            throw QueryError(
                .numericValueOutOfRange,
                "setval: value \(value) is out of bounds for sequence \"\(name)\" (\(options.minimum)..\(options.maximum))",
                object: name)
        }
        state.withLock { $0 = State(last: value, isCalled: isCalled) }
    }

    package func restart() { state.withLock { $0 = State(last: options.start, isCalled: false) } }
}
