// From a physical plan to tasks: how many each stage has, on which workers, with which splits.

import Columnar
import Diagnostics
import QueryPlan
import Storage
import Transport
import WireCodec

/// The tasks of one attempt of a query with everything their workers must be told.
package struct TaskLayout: Sendable {
    /// In the order of launch: producers before their readers.
    package var descriptors: [TaskDescriptor]
    package var workers: [TaskAttemptID: WorkerHandle]
    /// Where the result is read.
    package var result: TaskLocation
    /// Splits that tasks ask for while they run, by stage and scan.
    package var pools: [StageID: [Int: SplitPool]] = [:]
}

/// What a query reads, found out once: every attempt reads the same splits, or attempts could differ in their rows.
package struct QuerySplits: Sendable {
    /// By stage and the scan's node.
    fileprivate var splits: [StageID: [Int: [Split]]] = [:]
    /// What back ends keep for the statement: splits may be ranges of a snapshot that lasts no longer.
    private let snapshot = StorageScope.current?.snapshot

    package static func find(_ plan: PhysicalPlan, in catalog: Catalog) async throws -> QuerySplits {
        var result = QuerySplits()
        for stage in plan.stages {
            for (node, scan) in stage.scans {
                let provider = try await catalog.table(scan.table)
                let request = ScanRequest(
                    projection: scan.projection, predicates: scan.predicates, limit: scan.limit,
                    storeQuery: scan.storeQuery, keptTogether: scan.keptTogether)
                result.splits[stage.id, default: [:]][node] = try await provider.splits(for: request)
            }
        }
        return result
    }
}

/// Builds task layouts. Control plane: runs once an attempt.
package struct TaskLayoutBuilder: Sendable {
    package var query: QueryID
    package var plan: PhysicalPlan
    package var splits: QuerySplits
    package var coordinatorWorker: WorkerHandle
    package var catalog: Catalog
    package var statementTimestamp: Int64
    package var timeZone: String
    package var textStyle: TextStyle
    package var memoryByteLimit: Int
    package var variation = ExecutionVariation()

    /// `workers`: not empty.
    package func build(queryAttempt: Int, workers: [WorkerHandle]) throws -> TaskLayout {
        let placements = plan.stages.map { stageWorkers($0, workers) }
        var locations: [StageID: [TaskLocation]] = [:]
        for (stage, handles) in zip(plan.stages, placements) {
            locations[stage.id] = handles.enumerated().map { partition, handle in
                TaskLocation(
                    attempt: TaskAttemptID(
                        query: query, queryAttempt: queryAttempt, stage: stage.id, partition: partition),
                    worker: handle.id, endpoint: handle.exchange, transport: handle.exchangeTransport)
            }
        }
        // Readers of a shared stage are its partitions; each task reads from the task of its own number.
        let shared = Set(plan.stages.filter { $0.output == .copies }.map(\.id))
        var readerCounts: [StageID: Int] = [plan.stages[0].id: 1]
        for (stage, handles) in zip(plan.stages, placements) {
            for source in stage.sources {
                readerCounts[source] = shared.contains(source) ? 1 + (readerCounts[source] ?? 0) : handles.count
            }
        }

        let filterRoutes = filterRoutes(readerCounts: readerCounts, locations: locations)
        var layout = TaskLayout(descriptors: [], workers: [:], result: try resultLocation(locations))
        for (stage, handles) in zip(plan.stages, placements).reversed() {
            let splits = assignSplits(of: stage, taskCount: handles.count)
            let isRemote = handles.count > 1 && handles.allSatisfy { $0.local == nil }
            let late = isRemote ? lateSplits(of: stage, taskCount: handles.count) : [:]
            if !late.isEmpty {
                layout.pools[stage.id] = late.mapValues { late in
                    SplitPool(
                        late.pool, taskCount: handles.count,
                        grantRowCountMin: variation.bindsSplitsLate ? 0 : SplitPool.grantRowCountMin)
                }
            }
            let catalogs = try catalogDescriptors(of: stage)
            for (partition, handle) in handles.enumerated() {
                var sources: [StageID: [TaskLocation]] = [:]
                for source in stage.sources {
                    let producers = locations[source] ?? []
                    if shared.contains(source), producers.count > 1 {
                        guard producers.count == handles.count else {
                            throw QueryError.internalError("a shared stage has other tasks than its reader")
                        }
                        sources[source] = [producers[partition]]
                    } else {
                        sources[source] = producers
                    }
                }
                let attempt = TaskAttemptID(
                    query: query, queryAttempt: queryAttempt, stage: stage.id, partition: partition)
                layout.workers[attempt] = handle
                var routes: [Int: StageFilterRoute] = [:]
                for filter in stage.filters {
                    routes[filter.number] = filterRoutes[filter.number]
                    if filter.publisher == stage.id { routes[filter.number]?.publishers = [] }
                }
                layout.descriptors.append(
                    TaskDescriptor(
                        attempt: attempt, stage: stage, outputPartitionCount: readerCounts[stage.id] ?? 1,
                        filterRoutes: routes, sources: sources,
                        splits: Dictionary(
                            uniqueKeysWithValues: splits.map { ($0, (late[$0]?.bound ?? $1)[partition]) }),
                        lateScans: Set(late.keys), catalogs: catalogs,
                        statementTimestamp: statementTimestamp, timeZone: timeZone, textStyle: textStyle,
                        memoryByteLimit: memoryByteLimit, variation: variation))
            }
        }
        return layout
    }

    /// Runtime filters travel as further partitions of the publishing tasks' output.
    private func filterRoutes(
        readerCounts: [StageID: Int], locations: [StageID: [TaskLocation]]
    ) -> [Int: StageFilterRoute] {
        var routes: [Int: StageFilterRoute] = [:]
        for stage in plan.stages {
            var partition = readerCounts[stage.id] ?? 1
            for filter in stage.publishedFilters {
                let count = locations[filter.reader]?.count ?? 0
                routes[filter.number] = StageFilterRoute(
                    firstPartition: partition, readerCount: count, publishers: locations[stage.id] ?? [])
                partition += count
            }
        }
        return routes
    }

    private func stageWorkers(_ stage: PlanStage, _ workers: [WorkerHandle]) -> [WorkerHandle] {
        switch stage.placement {
        case .workers: workers
        // Spreads the single tasks of a query over the workers.
        case .anyWorker: [workers[stage.id.number % workers.count]]
        case .coordinator: [coordinatorWorker]
        }
    }

    private func resultLocation(_ locations: [StageID: [TaskLocation]]) throws -> TaskLocation {
        guard let first = plan.stages.first, let tasks = locations[first.id], tasks.count == 1 else {
            throw QueryError.internalError("the result stage must have exactly one task")
        }
        return tasks[0]
    }

    /// For each scan of the stage: the splits of each task, each to the least loaded one; all of them to every task if the
    /// scan is replicated.
    private func assignSplits(of stage: PlanStage, taskCount: Int) -> [Int: [[Split]]] {
        var result: [Int: [[Split]]] = [:]
        let replicated = Set(stage.scans.filter(\.scan.isReplicated).map(\.id))
        for (node, splits) in splits.splits[stage.id] ?? [:] {
            result[node] =
                replicated.contains(node)
                ? [[Split]](repeating: splits, count: taskCount) : Self.balanced(splits[...], taskCount)
        }
        return result
    }

    private static func balanced(_ splits: ArraySlice<Split>, _ taskCount: Int) -> [[Split]] {
        var assigned = [[Split]](repeating: [], count: taskCount)
        var load = [Int](repeating: 0, count: taskCount)
        for split in splits {
            let target = load.indices.min { load[$0] < load[$1] } ?? 0
            assigned[target].append(split)
            load[target] += max(1, split.estimatedRowCount)
        }
        return assigned
    }

    /// For scans of many splits and rows: those that each task starts with, and those that tasks ask for.
    private func lateSplits(of stage: PlanStage, taskCount: Int) -> [Int: (bound: [[Split]], pool: [Split])] {
        var result: [Int: (bound: [[Split]], pool: [Split])] = [:]
        for (node, scan) in stage.scans where !scan.isReplicated && scan.limit == nil {
            let splits = splits.splits[stage.id]?[node] ?? []
            let rowCount = splits.reduce(0) { $0 + $1.estimatedRowCount }
            let isLate =
                variation.bindsSplitsLate
                || (splits.count >= SplitPool.splitsPerTaskMin * taskCount
                    && rowCount >= SplitPool.rowsPerTaskMin * taskCount)
            guard isLate, splits.count > 1 else { continue }
            let boundCount = Int(Double(splits.count) * SplitPool.boundShare)
            result[node] = (Self.balanced(splits[..<boundCount], taskCount), Array(splits[boundCount...]))
        }
        return result
    }

    private func catalogDescriptors(of stage: PlanStage) throws -> [CatalogDescriptor] {
        var names = Set(stage.scans.map(\.scan.table.catalog))
        func collect(_ node: PhysicalNode) {
            if case .write(let write) = node.kind, case .insert(let table) = write.target {
                names.insert(table.catalog)
            }
            for input in node.inputs { collect(input) }
        }
        collect(stage.root)
        return try names.sorted().map { name in
            guard let origin = catalog.origin(name) else {
                throw QueryError(.invalidCatalogName, "catalog \"\(name)\" does not exist")
            }
            return CatalogDescriptor(name: name, type: origin.type, values: origin.values)
        }
    }
}

extension PhysicalPlan {
    /// Bytes that a query of this plan is given at least on each worker: its buffers, and room for each operator that
    /// keeps rows before it spills.
    var reservedByteCount: Int {
        func keepers(_ node: PhysicalNode) -> Int {
            let own =
                switch node.kind {
                case .aggregate, .hashJoin, .sort, .window: 1
                default: 0
                }
            return node.inputs.reduce(own) { $0 + keepers($1) }
        }
        return (1 + stages.reduce(0) { $0 + keepers($1.root) }) * (4 << 20)
    }

    /// Whether a statement of this plan changes something: such are not repeated on their own.
    var writes: Bool {
        func writes(_ node: PhysicalNode) -> Bool {
            if case .write = node.kind { return true }
            return node.inputs.contains(where: writes)
        }
        return stages.contains { writes($0.root) }
    }
}
