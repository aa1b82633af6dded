// What a task's operators get from the worker: tables, splits, readers, writers, memory.

import Columnar
import Diagnostics
import PhysicalOps
import QueryPlan
import SQLFunctions
import Storage
import Transport
import WireCodec

/// The environment of one task. Everything that may suspend was done before it is made.
final class WorkerTaskEnvironment: TaskEnvironment, Sendable {
    let registry: FunctionRegistry
    let evaluationContext: EvaluationContext
    let memory: MemoryPool
    /// Pays for what is on its way to the task's readers.
    let fund: ExchangeFund
    let threads: Int
    let spillStore: (any SpillStore)?
    private let descriptor: TaskDescriptor
    private let tables: [TableName: any TableProvider]
    private let writers: PreparedWriters
    private let output: OutputBuffer
    private let openReader: @Sendable (TaskLocation, Int) throws -> any ExchangeReader
    private let lateSplits: [Int: LateSplits]

    init(
        descriptor: TaskDescriptor, lateSplits: [Int: LateSplits], output: OutputBuffer,
        tables: [TableName: any TableProvider],
        writers: PreparedWriters,
        catalogFacts: (any CatalogFacts)?, registry: FunctionRegistry, memory: MemoryPool, fund: ExchangeFund,
        threads: Int,
        spillStore: (any SpillStore)?,
        openReader: @escaping @Sendable (TaskLocation, Int) throws -> any ExchangeReader
    ) {
        self.descriptor = descriptor
        self.lateSplits = lateSplits
        self.tables = tables
        self.writers = writers
        self.registry = registry
        self.memory = memory
        self.fund = fund
        self.threads = threads
        self.spillStore = spillStore
        self.output = output
        self.openReader = openReader
        evaluationContext = EvaluationContext(
            statementTimestamp: descriptor.statementTimestamp, timeZone: descriptor.timeZone,
            textStyle: descriptor.textStyle, variation: descriptor.variation, sequences: SequenceScope.current,
            catalogFacts: catalogFacts)
    }

    func table(for name: TableName) throws -> any TableProvider {
        guard let table = tables[name] else {
            throw QueryError(.undefinedTable, "relation \"\(name.schema).\(name.table)\" does not exist")
        }
        return table
    }

    func splits(node: Int) throws -> any SplitSource { lateSplits[node] ?? SplitList(descriptor.splits[node] ?? []) }

    func exchangeReaders(stage: StageID, copy: Int?) throws -> [any ExchangeReader] {
        guard let locations = descriptor.sources[stage] else {
            throw QueryError.internalError("the task was not told where stage \(stage) runs")
        }
        return try locations.map { try openReader($0, copy ?? descriptor.attempt.partition) }
    }

    var stageFilters: [(filter: StageFilter, isPublished: Bool)] {
        descriptor.stage.filters.filter { descriptor.filterRoutes[$0.number] != nil }.map {
            ($0, $0.publisher == descriptor.stage.id)
        }
    }

    func readers(of filter: StageFilter) throws -> [any ExchangeReader] {
        guard let route = descriptor.filterRoutes[filter.number] else { return [] }
        return try route.publishers.map {
            try openReader($0, route.firstPartition + descriptor.attempt.partition)
        }
    }

    func readerCount(of filter: StageFilter) -> Int { descriptor.filterRoutes[filter.number]?.readerCount ?? 0 }

    func publish(_ batches: [Batch], to filter: StageFilter) {
        guard let route = descriptor.filterRoutes[filter.number] else { return }
        for reader in 0..<route.readerCount {
            for batch in batches { output.enqueueHint(batch, partition: route.firstPartition + reader) }
        }
    }

    func writer(for target: WriteTarget) throws -> any TableWriter { try writers.take(target) }
}

/// Writers opened before the task starts, because opening may suspend.
final class PreparedWriters: @unchecked Sendable {
    // Taken once, by the thread that builds the task's pipelines.
    private var writers: [WriteTarget: any TableWriter]

    init(_ writers: [WriteTarget: any TableWriter]) { self.writers = writers }

    func take(_ target: WriteTarget) throws -> any TableWriter {
        guard let writer = writers.removeValue(forKey: target) else {
            throw QueryError.internalError("the write target was not opened")
        }
        return writer
    }
}
