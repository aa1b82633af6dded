// Transactions of a session: blocks, savepoints, the scope that each statement runs in, and locks.

import Columnar
import Diagnostics
import LogicalPlanner
import QueryPlan
import SQLFunctions
import SQLParser
import Storage

/// An open transaction block.
struct TransactionBlock: Sendable {
    var transaction: StorageTransaction
    /// For statements sent together: the block ends with them, and the client is told nothing of it.
    var isImplicit: Bool
    var isReadOnly: Bool
    /// Set for REPEATABLE READ and SERIALIZABLE: one state for all statements, from the first one on.
    var keepsSnapshot: Bool
    var snapshot: StorageSnapshot?
    var savepoints: [(name: String, checkpoint: StorageTransaction.Checkpoint)] = []
    /// Brought back when the block is rolled back.
    var settings: SessionSettings
    /// Values before SET LOCAL.
    var localSettings: [String: String] = [:]
    var startedAt: Int64
}

/// What the session got from sequences.
struct SequenceValues: Sendable {
    /// By the sequences' identities.
    var values: [UInt64: Int64] = [:]
    var last: Int64?
}

extension Session {
    // MARK: Statements

    /// Runs `body` in the open block, or in a transaction of its own that it ends.
    func inTransaction<Result: Sendable>(_ body: @Sendable () async throws -> Result) async throws -> Result {
        let open = state.withLock { state -> (StorageTransaction, StorageSnapshot)? in
            guard var block = state.block else { return nil }
            let snapshot = block.keepsSnapshot ? block.snapshot ?? StorageSnapshot() : StorageSnapshot()
            if block.keepsSnapshot {
                block.snapshot = snapshot
                state.block = block
            }
            return (block.transaction, snapshot)
        }
        if let (transaction, snapshot) = open {
            return try await run(in: StorageScope(transaction: transaction, snapshot: snapshot), body)
        }
        let isReadOnly = settings["default_transaction_read_only"] == "on"
        let transaction = StorageTransaction(isReadOnly: isReadOnly)
        defer { engine.catalog.locks.releaseAll(of: transaction) }
        do {
            let result = try await run(in: StorageScope(transaction: transaction), body)
            // BEGIN within the statement took nothing of this transaction: it had changed nothing.
            if !transaction.isEmpty { try await engine.commit(transaction) }
            return result
        } catch {
            transaction.rollback()
            throw error
        }
    }

    private func run<Result: Sendable>(in scope: StorageScope, _ body: @Sendable () async throws -> Result) async throws
        -> Result
    {
        try await StorageScope.$current.withValue(scope) {
            try await SequenceScope.$current.withValue(SessionSequences(session: self)) { try await body() }
        }
    }

    /// Binds a statement that is about to run. One that changes tables first takes their locks; if something was committed
    /// meanwhile, it is bound again to what is there now.
    func bindForExecution(_ statement: Statement, parameterTypes: [DataType?]) async throws -> BindingResult {
        for _ in 0..<8 {
            let commitCount = StorageTransaction.commitCount
            let bound = try await bindInScope(statement, parameterTypes: parameterTypes)
            guard let change = bound.statement.change, let scope = StorageScope.current else { return bound }
            try refuseWrites(change, scope)
            let mode = try await lockMode(of: change)
            for name in change.lockNames {
                _ = try await waitForLock { [locks = engine.catalog.locks] in
                    try await locks.acquire(name, mode, for: scope.transaction)
                }
            }
            if StorageTransaction.commitCount == commitCount { return bound }
            let keepsSnapshot = state.withLock { $0.block?.keepsSnapshot ?? false }
            if keepsSnapshot {
                if mode == .shared { return bound }
                try await refuseOutdated(change, scope)
                return bound
            }
            scope.snapshot.renew()
        }
        return try await bindInScope(statement, parameterTypes: parameterTypes)
    }

    /// Statements that only change rows share their tables, unless keys of these must be unique.
    private func lockMode(of change: StatementChange) async throws -> TransactionLocks.Mode {
        guard change.changesOnlyRows else { return .exclusive }
        for name in change.tables {
            if try await !engine.catalog.table(name).definition.keys.isEmpty { return .exclusive }
        }
        return .shared
    }

    /// Runs something that may wait for other transactions, so that the client and the time limits can end the wait.
    func waitForLock<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result) async throws -> Result {
        let waiting = Task { try await body() }
        let isCancelled = state.withLock { state in
            state.endLockWait = { waiting.cancel() }
            return state.isCancelled
        }
        if isCancelled { waiting.cancel() }
        let settings = self.settings
        let statementLimit = SessionSettings.milliseconds(settings["statement_timeout"]) ?? 0
        let lockLimit = SessionSettings.milliseconds(settings["lock_timeout"]) ?? 0
        let limit = [statementLimit, lockLimit].filter { $0 > 0 }.min()
        let timer = limit.map { limit in
            Task {
                try await Task.sleep(for: .milliseconds(limit))
                waiting.cancel()
            }
        }
        defer {
            timer?.cancel()
            state.withLock { $0.endLockWait = nil }
        }
        let started = ContinuousClock.now
        do {
            return try await withTaskCancellationHandler {
                try await waiting.value
            } onCancel: {
                waiting.cancel()
            }
        } catch let error as QueryError where error.state == .queryCanceled {
            guard let limit, ContinuousClock.now - started >= .milliseconds(limit),
                !state.withLock({ $0.isCancelled })
            else { throw error }
            throw limit == lockLimit
                ? QueryError(SQLState("55P03"), "canceling statement due to lock timeout")
                : QueryError(.queryCanceled, "canceling statement due to statement timeout")
        }
    }

    private func refuseWrites(_ change: StatementChange, _ scope: StorageScope) throws {
        let (isInBlock, isReadOnly) = state.withLock {
            ($0.block != nil, $0.block?.isReadOnly ?? scope.transaction.isReadOnly)
        }
        if isReadOnly, !change.isTemporary {
            throw QueryError(
                .readOnlySQLTransaction, "cannot execute \(change.command) in a read-only transaction")
        }
        guard isInBlock else { return }
        for table in change.tables {
            if let backend = engine.catalog.backend(table.catalog), !(backend is any TransactionalBackend) {
                throw QueryError.notSupported(
                    "\(change.command) in catalog \"\(table.catalog)\" within a transaction block",
                    hint: "Changes there cannot be rolled back; run the statement on its own.")
            }
        }
    }

    /// Under REPEATABLE READ a table that others have changed since the snapshot cannot be changed any more.
    private func refuseOutdated(_ change: StatementChange, _ scope: StorageScope) async throws {
        for name in change.tables {
            let mine = try? await engine.catalog.table(name)
            let fresh = StorageScope(transaction: scope.transaction)
            let newest = try? await StorageScope.$current.withValue(fresh) { try await engine.catalog.table(name) }
            if mine !== newest {
                throw QueryError(
                    .serializationFailure, "could not serialize access due to concurrent update", object: name.table)
            }
        }
    }

    // MARK: Blocks

    var hasImplicitBlock: Bool { state.withLock { $0.block?.isImplicit ?? false } }

    func beginImplicitBlock() {
        let now = QueryEngine.now
        state.withLock { state in
            guard state.block == nil else { return }
            let isReadOnly = state.settings["default_transaction_read_only"] == "on"
            state.block = TransactionBlock(
                transaction: StorageTransaction(isReadOnly: isReadOnly), isImplicit: true, isReadOnly: isReadOnly,
                keepsSnapshot: false, settings: state.settings, startedAt: now)
        }
    }

    func endImplicitBlock(commits: Bool) async throws {
        guard hasImplicitBlock else { return }
        if commits { try await commitBlock() } else { rollBackBlock() }
    }

    /// A block that cannot be committed is rolled back.
    private func commitBlock() async throws {
        guard let block = takeBlock(commits: true) else { return }
        do { try await engine.commit(block.transaction) } catch {
            block.transaction.rollback()
            leave(block, commits: false)
            throw error
        }
        leave(block, commits: true)
    }

    private func rollBackBlock() {
        guard let block = takeBlock(commits: false) else { return }
        block.transaction.rollback()
        leave(block, commits: false)
    }

    private func takeBlock(commits: Bool) -> TransactionBlock? {
        let block = state.withLock { state -> TransactionBlock? in
            defer {
                state.block = nil
                state.transaction = .idle
            }
            return state.block
        }
        closeCursorsOfEndedTransaction(commits: commits)
        return block
    }

    /// What follows from the end of a block. Values of SET LOCAL go back; after a rollback those of SET do, too.
    private func leave(_ block: TransactionBlock, commits: Bool) {
        engine.catalog.locks.releaseAll(of: block.transaction)
        let before = settings
        for definition in SessionSettings.allDefinitions where !definition.isReadOnly {
            let wanted =
                commits
                ? block.localSettings[definition.name] ?? before[definition.name] : block.settings[definition.name]
            if wanted != before[definition.name] { try? changeSetting(definition.name, to: wanted) }
        }
    }

    /// Remembers the value that a setting had before SET LOCAL.
    /// False outside of a block.
    func noteLocalSetting(_ name: String) -> Bool {
        let canonical = SessionSettings.canonicalName(name)
        return state.withLock { state in
            let value = state.settings[canonical]
            if state.block?.localSettings[canonical] == nil { state.block?.localSettings[canonical] = value }
            return state.block != nil
        }
    }

    /// The client has gone: its transaction is rolled back, its temporary tables go. No statement runs any more.
    package func close() {
        engine.sessions.remove(number)
        cancelCurrent()
        rollBackBlock()
        closeCursors()
        Task {
            try? await inTransaction { [self] in
                let runner = StatementRunner(
                    session: self, sql: "", context: EvaluationContext(), ids: ColumnIDGenerator())
                try await runner.dropTemporaryObjects()
            }
        }
    }

    func runTransaction(_ statement: TransactionStatement) async throws -> StatementResult {
        switch statement {
        case .begin(let modes, let isStart): return try begin(modes, isStart: isStart)
        case .commit(let andChain): return try await finish(commits: true, chains: andChain)
        case .rollback(let andChain): return try await finish(commits: false, chains: andChain)
        case .savepoint(let name):
            try inExplicitBlock("SAVEPOINT") { block in
                block.savepoints.append((name, block.transaction.checkpoint()))
            }
            return StatementResult(tag: "SAVEPOINT")
        case .release(let name):
            try inExplicitBlock("RELEASE SAVEPOINT") { block in
                block.savepoints.removeSubrange(try block.savepoint(name)...)
            }
            return StatementResult(tag: "RELEASE")
        case .rollbackTo(let name):
            try inExplicitBlock("ROLLBACK TO SAVEPOINT") { block in
                let index = try block.savepoint(name)
                block.transaction.restore(block.savepoints[index].checkpoint)
                block.savepoints.removeSubrange((index + 1)...)
            }
            state.withLock { if $0.transaction == .failed { $0.transaction = .inTransaction } }
            return StatementResult(tag: "ROLLBACK")
        case .setModes(let modes, let forSession):
            try setModes(modes, forSession: forSession)
            return StatementResult(tag: "SET")
        }
    }

    private func begin(_ modes: [TransactionMode], isStart: Bool) throws -> StatementResult {
        let now = QueryEngine.now
        let wasOpen = state.withLock { state -> Bool in
            if var block = state.block {
                let wasExplicit = !block.isImplicit
                block.isImplicit = false
                state.block = block
                state.transaction = .inTransaction
                return wasExplicit
            }
            let isReadOnly = state.settings["default_transaction_read_only"] == "on"
            let isolation = state.settings["default_transaction_isolation"]
            state.transaction = .inTransaction
            state.block = TransactionBlock(
                transaction: StorageTransaction(isReadOnly: isReadOnly), isImplicit: false, isReadOnly: isReadOnly,
                keepsSnapshot: isolation == "repeatable read" || isolation == "serializable", settings: state.settings,
                startedAt: now)
            return false
        }
        try setModes(modes, forSession: false)
        let notices =
            wasOpen ? [QueryError(.activeSQLTransaction, "there is already a transaction in progress")] : []
        return StatementResult(tag: isStart ? "START TRANSACTION" : "BEGIN", notices: notices)
    }

    private func finish(commits: Bool, chains: Bool) async throws -> StatementResult {
        let (block, status) = state.withLock { ($0.block, $0.transaction) }
        let isCommit = commits && status != .failed
        if isCommit { try await commitBlock() } else { rollBackBlock() }
        var notices: [QueryError] = []
        if block == nil || block?.isImplicit == true {
            notices = [QueryError(.noActiveSQLTransaction, "there is no transaction in progress")]
        } else if chains, let block {
            state.withLock { state in
                state.transaction = .inTransaction
                state.block = TransactionBlock(
                    transaction: StorageTransaction(isReadOnly: block.isReadOnly), isImplicit: false,
                    isReadOnly: block.isReadOnly, keepsSnapshot: block.keepsSnapshot, settings: state.settings,
                    startedAt: QueryEngine.now)
            }
        }
        return StatementResult(tag: isCommit ? "COMMIT" : "ROLLBACK", notices: notices)
    }

    private func inExplicitBlock(_ command: String, _ body: (inout TransactionBlock) throws -> Void) throws {
        try state.withLock { state in
            guard var block = state.block, !block.isImplicit else {
                throw QueryError(
                    .noActiveSQLTransaction, "\(command) can only be used in transaction blocks")
            }
            try body(&block)
            state.block = block
        }
    }

    private func setModes(_ modes: [TransactionMode], forSession: Bool) throws {
        for mode in modes {
            switch mode {
            case .isolationLevel(let level):
                if forSession {
                    try changeSetting("default_transaction_isolation", to: level)
                } else {
                    state.withLock {
                        $0.block?.keepsSnapshot = level == "repeatable read" || level == "serializable"
                    }
                }
            case .readOnly(let isReadOnly):
                if forSession {
                    try changeSetting("default_transaction_read_only", to: isReadOnly ? "on" : "off")
                } else {
                    state.withLock { $0.block?.isReadOnly = isReadOnly }
                }
            case .deferrable: break
            }
        }
    }
}

extension TransactionBlock {
    fileprivate func savepoint(_ name: String) throws -> Int {
        guard let index = savepoints.lastIndex(where: { $0.name == name }) else {
            throw QueryError(SQLState("3B001"), "savepoint \"\(name)\" does not exist", object: name)
        }
        return index
    }
}

/// What a statement changes, for locks and for what transactions allow.
struct StatementChange {
    var command: String
    var tables: [TableName]
    var isTemporary = false
    /// Rows are inserted, updated or deleted, and nothing else is changed.
    var changesOnlyRows = false
    /// In one order for all transactions, so that fewer of them wait for each other in circles.
    var lockNames: [String] { Set(tables.map(\.description)).sorted() }
}

extension BoundStatement {
    var change: StatementChange? {
        switch self {
        case .insert(let plan):
            if case .write(let write) = plan, case .insert(let table) = write.target {
                return StatementChange(
                    command: "INSERT", tables: [table], isTemporary: table.isTemporary, changesOnlyRows: true)
            }
            return nil
        case .modify(let modification):
            let names = modification.kind.rawValue.uppercased()
            return StatementChange(
                command: names, tables: [modification.table], isTemporary: modification.table.isTemporary,
                changesOnlyRows: true)
        case .withChanges(let steps, let main):
            let modifications = steps.compactMap { step in
                if case .modification(let modification) = step.content { modification } else { nil }
            }
            var changes = modifications.compactMap { BoundStatement.modify($0).change }
            if let change = main.change { changes.append(change) }
            return StatementChange(
                command: changes.first?.command ?? "SELECT", tables: changes.flatMap(\.tables),
                isTemporary: changes.allSatisfy(\.isTemporary), changesOnlyRows: true)
        case .truncate(let tables, _, _): return StatementChange(command: "TRUNCATE TABLE", tables: tables)
        case .createTable(let table):
            return StatementChange(
                command: "CREATE TABLE", tables: [table.name], isTemporary: table.name.isTemporary)
        case .alterTable(let alteration), .alterView(let alteration):
            return StatementChange(
                command: "ALTER TABLE", tables: [alteration.table] + (alteration.newName.map { [$0] } ?? []))
        case .createIndex(let index): return StatementChange(command: "CREATE INDEX", tables: [index.index.table])
        case .sequence(.create(let name, _, _, _)):
            return StatementChange(command: "CREATE SEQUENCE", tables: [name], isTemporary: name.isTemporary)
        case .sequence(.alter(let name, _)), .sequence(.rename(let name, _)):
            return StatementChange(command: "ALTER SEQUENCE", tables: [name])
        case .defineType(let change, let tag):
            switch change {
            case .create(let name, _), .replace(let name, _, _), .rename(let name, _):
                return StatementChange(command: tag, tables: [name])
            case .drop(let names, _): return StatementChange(command: tag, tables: names)
            case .nothing: return StatementChange(command: tag, tables: [])
            }
        case .comment: return StatementChange(command: "COMMENT", tables: [])
        case .createTableAs(let name, _, _, _, _):
            return StatementChange(command: "CREATE TABLE AS", tables: [name], isTemporary: name.isTemporary)
        case .createView(let name, _, _, _, _): return StatementChange(command: "CREATE VIEW", tables: [name])
        case .createMaterializedView(let name, _, _, _, _):
            return StatementChange(command: "CREATE MATERIALIZED VIEW", tables: [name])
        case .refresh(let name, _): return StatementChange(command: "REFRESH MATERIALIZED VIEW", tables: [name])
        case .createSchema: return StatementChange(command: "CREATE SCHEMA", tables: [])
        case .drop(let kind, let names, _, _, _):
            return StatementChange(command: "DROP \(kind.rawValue.uppercased())", tables: names)
        case .copyFrom(let table, _, _, _, _):
            return StatementChange(command: "COPY FROM", tables: [table], changesOnlyRows: true)
        default: return nil
        }
    }
}

extension TableName {
    /// Temporary tables of sessions are in schemas of their own.
    var isTemporary: Bool { schema.hasPrefix("pg_temp") }
}
