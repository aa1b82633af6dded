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
                splits: try environment.splits(node: node.id), runtimeTests: tests,
                stageFilters: try stageFilters(of: node), task: task))
    }

    /// What joins of other stages will say about the scan's columns.
    private func stageFilters(of node: PhysicalNode) throws -> StageFilterInputs? {
        let filters = environment.stageFilters.filter { !$0.isPublished && $0.filter.scan == node.id }.map(\.filter)
            .filter { node.output.fields.indices.contains($0.column) }
        if filters.isEmpty { return nil }
        return StageFilterInputs(
            filters.map { ($0, node.output.fields[$0.column].type) },
            readers: try filters.map { try environment.readers(of: $0) })
    }
}

/// Shares the splits of one scan between drivers.
private final class ScanSourceFactory: SourceFactory {
    let node: PhysicalNode
    let scan: ScanNode
    let table: any TableProvider
    let splits: any SplitSource
    let runtimeTests: [AttachedRuntimeTest]
    let stageFilters: StageFilterInputs?
    let task: TaskContext
    /// Rows given so far, for scans with a limit.
    let rowsGiven = Atomic<Int>(0)

    init(
        node: PhysicalNode, scan: ScanNode, table: any TableProvider, splits: any SplitSource,
        runtimeTests: [AttachedRuntimeTest], stageFilters: StageFilterInputs?, task: TaskContext
    ) {
        self.node = node
        self.scan = scan
        self.table = table
        self.splits = splits
        self.runtimeTests = runtimeTests
        self.stageFilters = stageFilters
        self.task = task
    }

    var maximumDrivers: Int { splits.remainingCount ?? .max }

    func makeSource(driver: DriverContext) throws -> any BatchSource {
        try ScanSource(factory: self, driver: driver)
    }

    func close() { stageFilters?.close() }
}

/// Reads split after split.
private final class ScanSource: BatchSource {
    let counters: OperatorCounters
    private let factory: ScanSourceFactory
    private let driver: DriverContext
    private let filters: AdaptiveFilters
    private let request: ScanRequest
    private var context: ScanContext
    private var reader: (any BatchReader)?
    /// The reader of the next split, made while the current one is read, so that its bytes are under way.
    private var followingReader: (any BatchReader)?
    private var followingContext: ScanContext?
    /// Of readers that hold more than their batch; most scans have none.
    private var reservation: MemoryReservation?
    /// Filters of other stages that `filters` has already.
    private var stageFilterCount = 0

    init(factory: ScanSourceFactory, driver: DriverContext) throws {
        self.factory = factory
        self.driver = driver
        counters = driver.makeCounters(for: factory.node)
        filters = try AdaptiveFilters(
            predicates: factory.scan.predicates, runtimeTests: factory.runtimeTests, task: driver.task)
        let scan = factory.scan
        request = ScanRequest(
            projection: scan.projection, predicates: scan.predicates,
            limit: scan.predicates.isEmpty ? scan.limit : nil, storeQuery: scan.storeQuery)
        context = Self.makeContext(driver)
        charge(context)
    }

    private static func makeContext(_ driver: DriverContext) -> ScanContext {
        let task = driver.task
        return ScanContext(checkCancellation: { try task.checkCancellation() })
    }

    /// What readers of either context hold is the scan's.
    private func charge(_ context: ScanContext) {
        context.chargeMemory = { [unowned self] _ in try chargeReaders() }
    }

    private func chargeReaders() throws {
        let reservation = self.reservation ?? MemoryReservation(driver.task.memory(for: factory.node))
        self.reservation = reservation
        try reservation.resize(to: context.heldByteCount + (followingContext?.heldByteCount ?? 0))
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
                if let reader = followingReader, let context = followingContext {
                    (followingReader, followingContext) = (nil, nil)
                    self.reader = reader
                    self.context = context
                    try prepareFollowing()
                }
                // An empty batch: the driver looks at its clock between splits.
                return .batch(Batch(columns: [], rowCount: 0))
            }
            if let stageFilters = factory.stageFilters, factory.splits.remainingCount != 0 {
                if !stageFilters.advance(wake: wake) { return .blocked }
                for test in stageFilters.complete(from: stageFilterCount) {
                    filters.add(test)
                    stageFilterCount += 1
                }
            }
            switch try factory.splits.next(wake: wake) {
            case .split(let split):
                try driver.checkCancellation()
                context.filters = filters.ordered()
                context.bytesRead = 0
                reader = try factory.table.makeReader(for: split, request: request, context: context)
                try prepareFollowing()
            case .pending: return .blocked
            case .finished: return .finished
            }
        }
    }

    /// Makes the reader of another split where that pays, if there is one at once.
    private func prepareFollowing() throws {
        guard factory.table.startsReadersEarly, factory.scan.limit == nil, followingReader == nil,
            factory.splits.remainingCount ?? 0 > 0, case .split(let split) = try factory.splits.next(wake: {})
        else { return }
        let context = Self.makeContext(driver)
        charge(context)
        context.filters = filters.ordered()
        followingContext = context
        followingReader = try factory.table.makeReader(for: split, request: request, context: context)
    }

    private func closeReader() {
        counters.metrics.bytes += context.bytesRead
        counters.metrics.rowsIn += context.rowsRead
        context.bytesRead = 0
        context.rowsRead = 0
        reader = nil
        reservation?.shrink(to: context.heldByteCount + (followingContext?.heldByteCount ?? 0))
    }

    func close() {
        (followingReader, followingContext) = (nil, nil)
        closeReader()
    }
}
