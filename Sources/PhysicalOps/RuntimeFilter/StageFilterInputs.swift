// The filters that a scan gets from joins of other stages: awaited for a moment, applied whenever they come.

import Columnar
import Diagnostics
import QueryPlan
import Synchronization
import Transport

/// Reads the messages of the joins' tasks for all drivers of one scan. A stream that fails or ends early says nothing: the
/// scan then reads more than it must.
final class StageFilterInputs: Sendable {
    private struct Part {
        enum Place { case ready, elsewhere, done }
        let filter: Int
        let reader: any ExchangeReader
        var place = Place.ready
        var assembler = StageFilterPart.Assembler()
        var content: RuntimeFilter.Content?
    }
    private struct State {
        var parts: [Part] = []
        /// By filter: parts that are not done.
        var missing: [Int]
        /// In the order in which they became complete.
        var complete: [AttachedRuntimeTest] = []
        /// Drivers that wait.
        var waiting: [@Sendable () -> Void] = []
        /// Set by the first driver that has to wait.
        var deadline: UInt64?
        var isClosed = false
    }
    /// How long a scan waits before it begins without them.
    private static let waitNanoseconds: UInt64 = 1_000_000_000

    private let filters: [(filter: StageFilter, type: DataType)]
    private let state: Mutex<State>

    /// `readers`: for each filter, one for each task that publishes it.
    init(_ filters: [(filter: StageFilter, type: DataType)], readers: [[any ExchangeReader]]) {
        self.filters = filters
        var state = State(missing: readers.map(\.count))
        for (index, readers) in readers.enumerated() {
            for reader in readers { state.parts.append(Part(filter: index, reader: reader)) }
        }
        self.state = Mutex(state)
    }

    /// The complete filters from number `count` on.
    func complete(from count: Int) -> ArraySlice<AttachedRuntimeTest> {
        state.withLock { $0.complete.dropFirst(count) }
    }

    /// Takes what has come. Returns whether the scan may go on; otherwise `wake` is called.
    func advance(wake: @escaping @Sendable () -> Void) -> Bool {
        while let (index, reader) = takePart() {
            var event = ExchangeEvent.finished
            do { event = try reader.poll(wake: { [weak self] in self?.putBack(index) }) } catch {}
            switch event {
            case .batch(let batch):
                if let content = state.withLock({ $0.parts[index].assembler.append(batch) }) {
                    finish(index, content)
                } else {
                    putBack(index)
                }
            // The wake call puts it back.
            case .pending: break
            case .finished: finish(index, .everything)
            }
        }
        let (goesOn, setsTimer) = state.withLock { state -> (Bool, Bool) in
            if state.isClosed || state.missing.allSatisfy({ $0 == 0 }) { return (true, false) }
            let now = monotonicNanoseconds()
            let isFirst = state.deadline == nil
            let deadline = state.deadline ?? now &+ StageFilterInputs.waitNanoseconds
            state.deadline = deadline
            if now >= deadline { return (true, false) }
            state.waiting.append(wake)
            return (false, isFirst)
        }
        if setsTimer {
            Task { [weak self] in
                try? await Task.sleep(for: .nanoseconds(StageFilterInputs.waitNanoseconds))
                self?.wakeAll()
            }
        }
        return goesOn
    }

    private func takePart() -> (Int, any ExchangeReader)? {
        state.withLock { state in
            guard !state.isClosed, let index = state.parts.firstIndex(where: { $0.place == .ready }) else { return nil }
            state.parts[index].place = .elsewhere
            return (index, state.parts[index].reader)
        }
    }

    private func putBack(_ index: Int) {
        state.withLock { state in
            if state.parts[index].place == .elsewhere { state.parts[index].place = .ready }
        }
        wakeAll()
    }

    private func finish(_ index: Int, _ content: RuntimeFilter.Content) {
        let reader = state.withLock { state in
            state.parts[index].place = .done
            state.parts[index].content = content
            let number = state.parts[index].filter
            state.missing[number] -= 1
            if state.missing[number] == 0 {
                let filter = RuntimeFilter(type: filters[number].type)
                filter.publish(StageFilterPart.union(state.parts.filter { $0.filter == number }.compactMap(\.content)))
                state.complete.append(AttachedRuntimeTest(test: .keys(filter), column: filters[number].filter.column))
            }
            return state.parts[index].reader
        }
        reader.close()
        wakeAll()
    }

    private func wakeAll() {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        for wake in waiting { wake() }
    }

    func close() {
        let readers = state.withLock { state -> [any ExchangeReader] in
            if state.isClosed { return [] }
            state.isClosed = true
            return state.parts.filter { $0.place != .done }.map(\.reader)
        }
        for reader in readers { reader.close() }
        wakeAll()
    }
}
