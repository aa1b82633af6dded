// Table scans: splits are the morsels, filters run inside the readers.

import Columnar
import Diagnostics
import QueryPlan
import Storage
import Synchronization

extension PipelineBuilder {
    func compileScan(_ node: PhysicalNode, _ scan: ScanNode) throws -> OpenPipeline {
        let tests = scan.limit == nil ? takeRuntimeTests(scan: node.id) : []
        return OpenPipeline(
            source: ScanSourceFactory(
                node: node, scan: scan, table: try environment.table(for: scan.table),
                splits: try environment.splits(node: node.id), runtimeTests: tests, task: task))
    }
}

/// Shares the splits of one scan between drivers.
private final class ScanSourceFactory: SourceFactory {
    let node: PhysicalNode
    let scan: ScanNode
    let table: any TableProvider
    let splits: any SplitSource
    let runtimeTests: [AttachedRuntimeTest]
    let task: TaskContext
    /// Rows given so far, for scans with a limit.
    let rowsGiven = Atomic<Int>(0)

    init(
        node: PhysicalNode, scan: ScanNode, table: any TableProvider, splits: any SplitSource,
        runtimeTests: [AttachedRuntimeTest], task: TaskContext
    ) {
        self.node = node
        self.scan = scan
        self.table = table
        self.splits = splits
        self.runtimeTests = runtimeTests
        self.task = task
    }

    var maximumDrivers: Int { splits.remainingCount ?? .max }

    func makeSource(driver: DriverContext) throws -> any BatchSource {
        try ScanSource(factory: self, driver: driver)
    }
}

/// Reads split after split.
private final class ScanSource: BatchSource {
    let counters: OperatorCounters
    private let factory: ScanSourceFactory
    private let driver: DriverContext
    private let filters: AdaptiveFilters
    private let request: ScanRequest
    private let context: ScanContext
    private var reader: (any BatchReader)?

    init(factory: ScanSourceFactory, driver: DriverContext) throws {
        self.factory = factory
        self.driver = driver
        counters = driver.makeCounters(for: factory.node)
        filters = try AdaptiveFilters(
            predicates: factory.scan.predicates, runtimeTests: factory.runtimeTests, task: driver.task)
        let scan = factory.scan
        request = ScanRequest(
            projection: scan.projection, predicates: scan.predicates,
            limit: scan.predicates.isEmpty ? scan.limit : nil)
        let task = driver.task
        context = ScanContext(checkCancellation: { try task.checkCancellation() })
    }

    func next(wake: @escaping @Sendable () -> Void) throws -> SourceEvent {
        while true {
            if let limit = factory.scan.limit, factory.rowsGiven.load(ordering: .relaxed) >= limit { return .finished }
            if let reader {
                if let batch = try reader.next() {
                    if factory.scan.limit != nil {
                        factory.rowsGiven.wrappingAdd(batch.rowCount, ordering: .relaxed)
                    }
                    return .batch(batch)
                }
                closeReader()
                // An empty batch: the driver looks at its clock between splits.
                return .batch(Batch(columns: [], rowCount: 0))
            }
            switch try factory.splits.next(wake: wake) {
            case .split(let split):
                try driver.checkCancellation()
                context.filters = filters.ordered()
                context.bytesRead = 0
                reader = try factory.table.makeReader(for: split, request: request, context: context)
            case .pending: return .blocked
            case .finished: return .finished
            }
        }
    }

    private func closeReader() {
        counters.metrics.bytes += context.bytesRead
        context.bytesRead = 0
        reader = nil
    }

    func close() { closeReader() }
}
