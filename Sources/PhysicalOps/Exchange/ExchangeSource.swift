// Reads another stage's output: any order, every driver from any reader.

import Columnar
import Diagnostics
import QueryPlan
import Synchronization
import Transport

extension PipelineBuilder {
    func compileExchangeSource(_ node: PhysicalNode, _ exchange: ExchangeSourceNode) throws -> OpenPipeline {
        let readers = try environment.exchangeReaders(stage: exchange.stage, copy: exchange.copy)
        if exchange.mergeKeys.isEmpty || readers.count < 2 {
            // One sorted stream stays in order with one driver.
            let drivers = exchange.mergeKeys.isEmpty ? Int.max : 1
            return OpenPipeline(source: ExchangeSourceFactory(node: node, readers: readers, maximumDrivers: drivers))
        }
        return OpenPipeline(source: MergeSourceFactory(node: node, readers: readers, keys: exchange.mergeKeys))
    }
}

/// Readers that drivers take in turns, a batch at a time. A reader is with one driver, in the queue, waiting for its wake
/// call, or finished.
private final class ExchangeSourceFactory: SourceFactory {
    private struct State {
        /// Readers that may have something.
        var ready: [any ExchangeReader]
        /// Readers that are not finished, wherever they are.
        var unfinished: Int
        /// Drivers that found nothing ready.
        var waiting: [@Sendable () -> Void] = []
        var isClosed = false
    }

    let node: PhysicalNode
    let maximumDrivers: Int
    var readsExchange: Bool { true }
    private let readers: [any ExchangeReader]
    private let state: Mutex<State>

    init(node: PhysicalNode, readers: [any ExchangeReader], maximumDrivers: Int) {
        self.node = node
        self.readers = readers
        self.maximumDrivers = maximumDrivers
        state = Mutex(State(ready: readers, unfinished: readers.count))
    }

    func makeSource(driver: DriverContext) throws -> any BatchSource {
        ExchangeSource(factory: self, counters: driver.makeCounters(for: node))
    }

    func close() {
        let wasOpen = state.withLock { state in
            defer { state.isClosed = true }
            return !state.isClosed
        }
        if wasOpen { for reader in readers { reader.close() } }
    }

    fileprivate enum Turn {
        case reader(any ExchangeReader)
        case blocked, finished
    }

    /// A reader for the driver, or its place among those that wait.
    fileprivate func takeReader(wake: @escaping @Sendable () -> Void) -> Turn {
        state.withLock { state in
            if state.unfinished == 0 { return .finished }
            if !state.ready.isEmpty { return .reader(state.ready.removeFirst()) }
            state.waiting.append(wake)
            return .blocked
        }
    }

    /// Puts a reader back, and wakes a driver that waits for one.
    fileprivate func putBack(_ reader: any ExchangeReader) {
        let wake = state.withLock { state in
            state.ready.append(reader)
            return state.waiting.popLast()
        }
        wake?()
    }

    /// A driver ends. It may have been woken for a reader that it leaves to the others, and if it ends because no more
    /// rows are wanted they must see that as well: whoever waits looks again.
    fileprivate func driverLeft() {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        for wake in waiting { wake() }
    }

    fileprivate func readerFinished() {
        let waiting = state.withLock { state -> [@Sendable () -> Void] in
            state.unfinished -= 1
            guard state.unfinished == 0 else { return [] }
            defer { state.waiting = [] }
            return state.waiting
        }
        for wake in waiting { wake() }
    }
}

private final class ExchangeSource: BatchSource {
    let counters: OperatorCounters
    private let factory: ExchangeSourceFactory
    private let records: RecordRestorer

    init(factory: ExchangeSourceFactory, counters: OperatorCounters) {
        self.factory = factory
        self.counters = counters
        records = RecordRestorer(factory.node.output.types)
    }

    func close() { factory.driverLeft() }

    func next(wake: @escaping @Sendable () -> Void) throws -> SourceEvent {
        let factory = factory
        while true {
            switch factory.takeReader(wake: wake) {
            case .finished: return .finished
            case .blocked: return .blocked
            case .reader(let reader):
                switch try reader.poll(wake: { factory.putBack(reader) }) {
                case .batch(let batch):
                    factory.putBack(reader)
                    return .batch(records.restored(batch))
                // The wake call puts the reader back.
                case .pending: break
                case .finished: factory.readerFinished()
                }
            }
        }
    }
}
