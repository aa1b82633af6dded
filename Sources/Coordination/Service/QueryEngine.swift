// The engine as front ends and sessions see it: plans and starts queries.

import Columnar
import Diagnostics
import Logging
import LogicalPlanner
import PhysicalPlanner
import PlanStatistics
import QueryPlan
import SQLFunctions
import StateStore
import Storage
import Synchronization
import SystemCatalog
import Transport
import WireCodec

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Limits of the engine.
package struct QueryEngineOptions: Sendable {
    /// Bytes that one query may use on one worker.
    package var queryMemoryByteLimit: Int
    package var threadsPerWorker: Int
    /// How long a query waits for a first worker.
    package var workerWait: Duration
    /// Queries over tables of no more rows together run on the coordinator, without exchanges; 0 is none.
    package var localRowLimit: Int
    /// Bytes of a result that are kept from the client while the query may still have to be repeated; 0: none.
    package var holdBackByteLimit: Int
    package var scheduler = SchedulerOptions()
    package var admission = AdmissionOptions()
    package init(
        queryMemoryByteLimit: Int, threadsPerWorker: Int, workerWait: Duration = .seconds(10), localRowLimit: Int = 0,
        holdBackByteLimit: Int = 32 << 20
    ) {
        self.holdBackByteLimit = holdBackByteLimit
        self.queryMemoryByteLimit = queryMemoryByteLimit
        self.threadsPerWorker = threadsPerWorker
        self.workerWait = workerWait
        self.localRowLimit = localRowLimit
    }
}

/// The keeper of an engine's state, if it has one.
private final class KeeperPlace: Sendable {
    private let state = Mutex<StateKeeper?>(nil)
    var value: StateKeeper? { state.withLock { $0 } }
    func set(_ keeper: StateKeeper) { state.withLock { $0 = keeper } }
}

/// Plans queries and starts them on the workers that are there.
package final class QueryEngine: Sendable {
    package let catalog: Catalog
    package let registry: FunctionRegistry
    package let directory: WorkerDirectory
    package let queries = QueryRegistry()
    package let sessions: OpenSessions
    package let options: QueryEngineOptions
    private let openReader: @Sendable (TaskLocation) throws -> any ExchangeReader
    private let makeRowBlocks: @Sendable () throws -> any RowBlockStore
    private let holdBackRoom: HoldBackRoom
    private let clock = DeadlineClock()
    package let admission: QueryAdmission
    package let monitor: ClusterMonitor
    let systemCatalog: SystemCatalog
    private let keeper: KeeperPlace
    let settingDefaults = SettingDefaults()
    package let users = UserAccounts()
    private let changeQueue = ChangeQueue()
    /// Which views others have changed, and the transaction that had begun last by then: it, and those before it, may have looked
    /// for them too early.
    private let changedByOthers = Mutex<[StateEntry.Key: UInt64]>([:])
    private let sampling = Mutex(0.0)
    let logger: Logger

    /// `openReader` gives the reading end of a task's output for partition 0, on whatever node it is; `makeRowBlocks` a place
    /// for rows of a cursor that do not fit into memory.
    package init(
        catalog: Catalog, registry: FunctionRegistry, directory: WorkerDirectory, options: QueryEngineOptions,
        logger: Logger, makeRowBlocks: @escaping @Sendable () throws -> any RowBlockStore,
        openReader: @escaping @Sendable (TaskLocation) throws -> any ExchangeReader
    ) {
        self.catalog = catalog
        self.registry = registry
        self.directory = directory
        self.options = options
        self.logger = logger
        self.openReader = openReader
        self.makeRowBlocks = makeRowBlocks
        // All queries together hold back an eighth of what one may use on a worker at most.
        holdBackRoom = HoldBackRoom(
            byteLimit: max(options.holdBackByteLimit, options.queryMemoryByteLimit / 8),
            queryByteLimit: options.holdBackByteLimit)
        admission = QueryAdmission(options: options.admission)
        monitor = ClusterMonitor(directory: directory, queries: queries)
        let keeper = KeeperPlace()
        self.keeper = keeper
        sessions = OpenSessions(users: users)
        let source = EngineTables(
            catalog: catalog, registry: registry, queries: queries, sessions: sessions, directory: directory,
            admission: admission, users: users, keeper: { keeper.value })
        systemCatalog = SystemCatalog(catalog: catalog, registry: registry, source: source)
        catalog.add(
            systemCatalog, name: Catalog.systemCatalog, origin: CatalogOrigin(type: Catalog.systemCatalog))
    }

    /// What keeps the engine's state over its end, from now on; with the queries of before, newest first.
    package func keepState(_ made: StateKeeper, history: [QueryHistoryEntry]) {
        keeper.set(made)
        queries.restore(
            history.reversed().map { entry in
                var texts: QueryTexts?
                if let plan = entry.plan, let profile = entry.profile {
                    texts = QueryTexts(plan: plan, profile: profile)
                }
                return (entry.record, texts)
            })
        queries.observe { record, course in made.note(record, course) }
    }

    /// How the store of state does; `nil` without one.
    package var stateSummary: StateKeeper.Summary? { keeper.value?.summary }

    /// Whether what statements change outlives the process.
    var keepsState: Bool { keeper.value != nil }

    /// Has the store keep a change, if there is a store, then lets it take effect; one after the other, so that both know them in
    /// one order. `make` sees what other engines over the same store have changed before, and is called again if they are
    /// faster; a change that is fixed cannot follow what they do, and fails with 40001 if they have changed the same. 58030 if
    /// the store is away. Whenever it fails nothing has changed.
    @discardableResult
    func carryOut(
        isFixed: Bool = false, _ make: @escaping @Sendable () throws -> KeptChange
    ) async throws -> KeptChange {
        try await changeQueue.run { [keeper] in
            guard let keeper = keeper.value else {
                let change = try make()
                change.takeEffect()
                return change
            }
            if !isFixed { try await keeper.follow() }
            for _ in 0..<Self.changeAttemptsMax {
                let change = try make()
                guard let others = try await keeper.write(change.changes) else {
                    change.takeEffect()
                    return change
                }
                if isFixed, !others.keys.isDisjoint(with: change.changes.compactMap(\.key)) { break }
            }
            throw Self.changedByOthers
        }
    }

    private static var changedByOthers: QueryError {
        QueryError(
            .serializationFailure, "another coordinator has changed the same in the state store",
            hint: "Run the statement or transaction again.")
    }

    /// Others that are faster each time are not to be expected.
    private static let changeAttemptsMax = 10

    /// Takes over what other engines change in the store, until the task is cancelled. While the store is away it is asked
    /// as often.
    package func followState() async {
        guard let keeper = keeper.value else { return }
        while !Task.isCancelled, !keeper.isStopped {
            do { try await Task.sleep(for: keeper.followInterval) } catch { return }
            try? await changeQueue.run { if !keeper.isStopped { try await keeper.follow() } }
        }
    }

    /// Commits a transaction. Views that it has made, changed or dropped are in the store before anybody sees them.
    func commit(_ transaction: StorageTransaction) async throws {
        guard let keeper = keeper.value, let pending = catalog.pendingChanges(of: transaction) else {
            return transaction.commit()
        }
        let changes = KeptViews.changes(pending, isTemporary: \.isTemporary)
        if changes.isEmpty { return transaction.commit() }
        guard keeper.isRestored else {
            // The statement knew nothing of the views that the store has.
            try await keeper.prepare()
            throw QueryError(
                .ioError, "the state store has only now been read", hint: "Run the statement or transaction again.")
        }
        try await carryOut(isFixed: true) { [self] in
            let isLate = changedByOthers.withLock { changed in
                changes.compactMap(\.key).contains { key in changed[key].map { $0 >= transaction.id } ?? false }
            }
            if isLate { throw Self.changedByOthers }
            return KeptChange(changes: changes, takeEffect: { transaction.commit() })
        }
    }

    /// Takes over what a store has kept from another process, or has from another engine.
    package func takeOver(_ difference: StateDifference) async {
        users.take(difference)
        settingDefaults.take(difference)
        for key in difference.removed where key.kind == .view {
            guard let name = KeptViews.name(key.name), let view = catalog.view(name), KeptViews.value(of: view) != nil
            else { continue }
            catalog.setView(nil, for: name)
        }
        let changed = Set(difference.changed.map(\.key))
        for entry in difference.put where entry.kind == .view {
            guard let name = KeptViews.name(entry.name), let view = KeptViews.view(entry) else { continue }
            // What is not of the store stays, as materialized views.
            if let own = catalog.view(name), !changed.contains(entry.key) || KeptViews.value(of: own) == nil {
                continue
            }
            // Schemas of tables in memory are made anew, those of other stores are there or are not.
            if name.catalog == catalog.defaultCatalog, let backend = catalog.backend(name.catalog),
                let schemas = try? await backend.schemaNames(), !schemas.contains(name.schema)
            {
                try? await backend.createSchema(name.schema)
            }
            catalog.setView(view, for: name)
        }
        let latest = StorageTransaction.latestID
        changedByOthers.withLock { changed in
            for key in difference.keys where key.kind == .view { changed[key] = latest }
        }
    }

    /// Of the queries that come without a trace this share begins one; none unless it is set.
    package var traceShare: Double {
        get { sampling.withLock { $0 } }
        set { sampling.withLock { $0 = newValue } }
    }

    /// The trace of a query that starts now.
    private func trace() -> TraceContext? {
        if let current = TraceContext.current { return current }
        let share = traceShare
        return share > 0 && (share >= 1 || Double.random(in: 0..<1) < share) ? .begun() : nil
    }

    /// `number`: one that was taken for it before.
    package func makeSession(
        user: String = "martlet", database: String = "martlet", applicationName: String = "", number: UInt64? = nil
    ) -> Session {
        let session = Session(
            engine: self, number: number ?? Session.nextNumber(), user: user, database: database,
            applicationName: applicationName)
        sessions.add(session)
        return session
    }

    /// For a cursor that gives its rows more than once.
    func makeScrolledRows(types: [DataType]) -> ScrolledRows {
        ScrolledRows(types: types, room: holdBackRoom, makeStore: makeRowBlocks)
    }

    /// Everything about one query, running or ended; `nil` if none of that id is known.
    package func profile(_ query: QueryID) -> QueryProfile? {
        guard var profile = queries.profile(query) else { return nil }
        if profile.record.state == .queued, let queued = admission.reason(query) {
            profile.queuedReason = queued.reason.rawValue
            profile.queuePosition = queued.position
        }
        return profile
    }

    /// Microseconds since 1970 UTC.
    package static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }

    /// A query made ready to run: optimised, with operators and stages.
    func plan(
        _ logical: LogicalPlan, ids: ColumnIDGenerator, context: EvaluationContext, keepsParameters: Bool = false
    ) async throws -> PreparedPlan {
        let started = ContinuousClock.now
        // Only the coordinator has the catalogue, whether there are workers or not: somebody may look why there are none.
        let catalogReader = context.catalogFacts == nil ? nil : directory.coordinatorWorker
        var workers = [catalogReader].compactMap { $0 }
        if workers.isEmpty { workers = try await directory.waitForWorkers(upTo: options.workerWait) }
        let optimizer = LogicalOptimizer(catalog: catalog, registry: registry, ids: ids, context: context)
        let snapshot = try await StatisticsSnapshot.load(
            for: logical, from: catalog, predicates: SampleEvaluation(registry: registry, context: context))
        let optimized = try optimizer.optimize(logical, snapshot: snapshot)
        // A few rows are read faster than workers are told to.
        let isSmall = snapshot.isSmall(optimized, rowLimit: Double(options.localRowLimit))
        if isSmall, let coordinatorWorker = directory.coordinatorWorker { workers = [coordinatorWorker] }
        // Whoever looks why queries wait must not wait behind them.
        let asksCatalogOnly = context.catalogFacts != nil && optimized.readsOnlyTheCatalog
        let planner = PhysicalPlanner(
            registry: registry,
            options: PlannerOptions(
                workerCount: workers.count, threadsPerWorker: options.threadsPerWorker,
                coordinatorIsWorker: directory.areLocal(workers),
                joinDistribution: context.variation.joinDistribution, keepsParameters: keepsParameters),
            catalog: catalog)
        let physical = try await planner.plan(optimized, snapshot: snapshot)
        queries.notePlan(ContinuousClock.now - started)
        return PreparedPlan(
            logical: optimized, physical: physical, workers: workers, isSmall: isSmall || asksCatalogOnly,
            isSimple: isSmall && physical.isSimple && snapshot.stores.isEmpty)
    }

    /// As `plan`, with parameters left open; `nil` if the query does not run on the coordinator alone, or its tables have more rows together.
    func planForCoordinator(
        _ logical: LogicalPlan, ids: ColumnIDGenerator, context: EvaluationContext, rowLimit: Int
    ) async throws -> PreparedPlan? {
        var plan = try await plan(logical, ids: ids, context: context, keepsParameters: true)
        guard plan.workers.count == 1, plan.workers[0].id == directory.coordinatorWorker?.id else { return nil }
        let snapshot = try await StatisticsSnapshot.load(for: plan.logical, from: catalog)
        // Readers of stores behind a network wait, which the thread that begins a query must not.
        plan.isSimple = plan.physical.isSimple && snapshot.stores.isEmpty
        return snapshot.isSmall(plan.logical, rowLimit: Double(rowLimit)) ? plan : nil
    }

    /// Starts a planned query.
    func start(
        _ plan: PreparedPlan, sql: String, user: String, session: Int, context: EvaluationContext,
        collectMetrics: (@Sendable ([OperatorMetrics]) -> Void)? = nil
    ) async throws -> QueryExecution {
        let query = QueryIDWish.current?.take() ?? QueryID.make()
        catalog.lend(context.catalogFacts, to: query)
        var record = QueryRecord(
            id: query, sql: sql, user: user, state: .queued, startedAt: Self.now, durationMicroseconds: nil,
            rowCount: 0, error: nil)
        record.session = session
        record.trace = trace()
        queries.begin(record)
        do {
            try await admission.enter(
                AdmissionRequest(
                    query: query, session: session, isSmall: plan.isSmall,
                    memoryByteCount: plan.physical.reservedByteCount))
            guard let coordinatorWorker = directory.coordinatorWorker ?? plan.workers.first else {
                throw QueryError(.noWorkers, "no worker is available")
            }
            let builder = TaskLayoutBuilder(
                query: query, plan: plan.physical, splits: try await QuerySplits.find(plan.physical, in: catalog),
                coordinatorWorker: coordinatorWorker, catalog: catalog,
                statementTimestamp: context.statementTimestamp, timeZone: context.timeZone,
                textStyle: context.textStyle, memoryByteLimit: options.queryMemoryByteLimit,
                variation: context.variation)
            let execution = try QueryExecution(
                query: query, schema: plan.physical.result,
                setting: QueryExecutionSetting(
                    builder: builder, workers: plan.workers, directory: directory, room: holdBackRoom,
                    clock: clock, options: options.scheduler, logger: logger, openReader: openReader)
            ) { [catalog, queries, admission, logger] error, metrics, rowCount in
                catalog.lend(nil, to: query)
                admission.leave(query)
                queries.end(query, at: Self.now, rowCount: rowCount, error: error)
                if let error, error.kind != .user {
                    logger.warning("query failed", metadata: ["query": "\(query)", "error": "\(error)"])
                }
                collectMetrics?(metrics)
            }
            queries.attach(execution)
            await execution.start(isSimple: plan.isSimple)
            return execution
        } catch {
            let wrapped = QueryError.wrapping(error)
            catalog.lend(nil, to: query)
            admission.leave(query)
            queries.end(query, at: Self.now, rowCount: 0, error: wrapped)
            throw wrapped
        }
    }
}

/// The id that the next query of a statement is to have, for front ends that name queries before they run.
package final class QueryIDWish: Sendable {
    @TaskLocal package static var current: QueryIDWish?
    private let id: Mutex<QueryID?>

    package init(_ id: QueryID) { self.id = Mutex(id) }

    /// A statement may run several queries; the first one gets the id.
    func take() -> QueryID? {
        id.withLock { id in
            defer { id = nil }
            return id
        }
    }
}

/// A query with its operators and the workers that it was planned for.
struct PreparedPlan: Sendable {
    var logical: LogicalPlan
    var physical: PhysicalPlan
    var workers: [WorkerHandle]
    /// Whether its tables have so few rows that it runs on the coordinator, or are those of the catalogue: admission has places
    /// for such queries alone.
    var isSmall: Bool
    /// Whether the session's thread may run it for a moment.
    var isSimple: Bool
}

extension LogicalPlan {
    /// Whether every table that it scans is one of pg_catalog, information_schema or system.
    fileprivate var readsOnlyTheCatalog: Bool {
        if case .scan(let scan) = self, scan.table.catalog != Catalog.systemCatalog { return false }
        return inputs.allSatisfy(\.readsOnlyTheCatalog)
    }
}

extension QueryID {
    private static let idSeed = UInt64.random(in: .min ... .max)
    private static let idCount = Atomic<UInt64>(0)

    /// A fresh id: time in front, so that ids sort by age (UUID version 7, RFC 9562); the rest is a number mixed by
    /// splitmix64. `now`: microseconds since 1970.
    package static func make(at now: Int64 = QueryEngine.now) -> QueryID {
        let milliseconds = UInt64(truncatingIfNeeded: now / 1000)
        // Different in each process, and within it by the number: asking the system for each costs more than all the rest.
        let number = idCount.wrappingAdd(1, ordering: .relaxed).newValue
        var random = idSeed &+ number &* 0x9E37_79B9_7F4A_7C15
        random = (random ^ (random >> 30)) &* 0xBF58_476D_1CE4_E5B9
        random = (random ^ (random >> 27)) &* 0x94D0_49BB_1331_11EB
        random ^= random >> 31
        let high = (milliseconds << 16) | 0x7000 | (number ^ idSeed) & 0xFFF
        let words = [high, random & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000]
        return QueryID(
            String(unsafeUninitializedCapacity: 36) { text in
                var position = 0
                for digit in 0..<32 {
                    if digit == 8 || digit == 12 || digit == 16 || digit == 20 {
                        text[position] = UInt8(ascii: "-")
                        position += 1
                    }
                    let value = UInt8(truncatingIfNeeded: words[digit / 16] >> UInt64((15 - digit % 16) * 4)) & 0xF
                    text[position] = value + (value < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10)
                    position += 1
                }
                return position
            })
    }
}
