// A client's session: its settings, prepared statements, transaction state, and the statements it runs.

import Columnar
import Diagnostics
import LogicalPlanner
import QueryPlan
import SQLFunctions
import SQLParser
import Storage
import Synchronization
import SystemCatalog

package enum TransactionStatus: Sendable, Hashable { case idle, inTransaction, failed }

/// A statement that was parsed and bound, with parameters to be given.
package struct PreparedStatement: Sendable {
    package var sql: String
    /// `nil` for an empty statement.
    package var statement: Statement?
    package var parameterTypes: [DataType]
    /// Columns of its rows; `nil` if it gives none.
    package var fields: [Field]?
    /// The trace that a comment of it names.
    var trace: TraceContext?
    let kept = KeptPlan()
    /// Whether its next execution may go without planning.
    package var keepsPlan: Bool { kept.isKept }

    /// Whether it is a query that changes no table: it may as well run when its rows are asked for.
    package var onlyReads: Bool {
        guard case .query(let query)? = statement else { return false }
        return query.with?.tables.allSatisfy { $0.query != nil } ?? true
    }

    /// Whether a text is statements, whatever they mean.
    package static func canParse(_ sql: String) -> Bool { (try? StatementParser.parse(sql)) != nil }
}

/// One client's state. Statements of a session run one after the other; `cancelCurrent` may come from anywhere.
package final class Session: Sendable {
    struct State {
        var settings = SessionSettings()
        var transaction = TransactionStatus.idle
        /// The open transaction block.
        var block: TransactionBlock?
        var sequences = SequenceValues()
        var copyChannel: (any CopyChannel)?
        var prepared: [String: PreparedStatement] = [:]
        var cursors: [String: Cursor] = [:]
        var isCancelled = false
        /// Of the statement that runs, or ran last.
        var interruption = Interruption()
        /// Ends the wait for a lock, while there is one.
        var endLockWait: (@Sendable () -> Void)?
        var isTerminated = false
        var terminationHandler: (@Sendable () -> Void)?
        /// The statement that runs or ran last, and how many run: statements run others.
        var statement = ""
        var runningCount = 0
        var statementStartedAt: Int64?
        var statementEndedAt: Int64?
    }

    let engine: QueryEngine
    /// Tells sessions of this process apart.
    package let number: UInt64
    let startedAt = QueryEngine.now
    private static let lastNumber = Atomic<UInt64>(0)
    package let user: String
    package let database: String
    let state: Mutex<State>
    /// Called with the name and value of a setting that clients are told about.
    private let settingListener = Mutex<(@Sendable (String, String) -> Void)?>(nil)

    init(engine: QueryEngine, number: UInt64, user: String, database: String, applicationName: String) {
        self.engine = engine
        self.number = number
        self.user = user
        self.database = database
        state = Mutex(State())
        let initialValues = engine.settingDefaults.values(of: user)
        state.withLock { state in
            if !initialValues.isEmpty { state.settings = SessionSettings(initialValues: initialValues) }
            state.settings.note(isAdministrator: engine.users.isAdministrator(user))
            _ = try? state.settings.set("application_name", to: applicationName)
        }
    }

    deinit { engine.sessions.remove(number) }

    /// A number for a session to come.
    package static func nextNumber() -> UInt64 { lastNumber.wrappingAdd(1, ordering: .relaxed).newValue }

    package var transactionStatus: TransactionStatus { state.withLock { $0.transaction } }
    package var settings: SessionSettings { state.withLock { $0.settings } }

    package func onSettingChange(_ listener: @escaping @Sendable (String, String) -> Void) {
        settingListener.withLock { $0 = listener }
    }

    /// Stops the statement that runs, if one does: it ends with 57014.
    package func cancelCurrent() {
        let (interruption, endWait) = state.withLock { state in
            state.isCancelled = true
            return (state.interruption, state.endLockWait)
        }
        interruption.request(Self.cancelledError)
        endWait?()
    }

    /// How the client sends the data of COPY FROM STDIN; without it, COPY with the client is refused.
    package var copyChannel: (any CopyChannel)? {
        get { state.withLock { $0.copyChannel } }
        set { state.withLock { $0.copyChannel = newValue } }
    }

    // MARK: - Text

    /// Runs every statement of a text in order. After an error the rest is not run.
    package func run(_ sql: String, onResult: (StatementResult) async throws -> Void) async throws {
        guard let trace = trace(of: sql) else { return try await runStatements(sql, onResult) }
        try await TraceContext.$current.withValue(trace) { try await runStatements(sql, onResult) }
    }

    /// The trace that a comment of a text names, or the session's; `nil` leaves it at what is known already.
    private func trace(of sql: String) -> TraceContext? {
        if let trace = TraceContext(commentOf: sql) { return trace }
        let setting = settings["traceparent"]
        return setting.isEmpty ? nil : TraceContext(traceparent: setting)
    }

    private func runStatements(_ sql: String, _ onResult: (StatementResult) async throws -> Void) async throws {
        let statements = try failingTransaction { try StatementParser.parse(sql) }
        let bytes = Array(sql.utf8)
        do {
            for (index, parsed) in statements.enumerated() {
                let text = String(decoding: bytes[parsed.byteRange], as: UTF8.self)
                // Several statements sent together are one transaction.
                if statements.count > 1, index < statements.count - 1 || hasImplicitBlock { beginImplicitBlock() }
                let result = try await execute(parsed.statement, sql: text, parameters: [])
                try await onResult(result)
            }
            try await endImplicitBlock(commits: true)
        } catch {
            noteFailure()
            try await endImplicitBlock(commits: false)
            throw QueryError.wrapping(error)
        }
    }

    // MARK: - Prepared statements

    /// Parses and binds one statement. Types that are not given are inferred.
    package func prepare(_ sql: String, parameterTypes: [DataType?] = []) async throws -> PreparedStatement {
        do {
            let statements = try StatementParser.parse(sql)
            guard statements.count <= 1 else {
                throw QueryError(.syntaxError, "cannot insert multiple commands into a prepared statement")
            }
            guard let statement = statements.first?.statement else {
                return PreparedStatement(sql: sql, statement: nil, parameterTypes: [], fields: nil)
            }
            try checkTransaction(statement)
            let bound = try await bind(statement, parameterTypes: parameterTypes)
            return PreparedStatement(
                sql: sql, statement: statement, parameterTypes: bound.parameterTypes,
                fields: try resultFields(bound), trace: TraceContext(commentOf: sql))
        } catch {
            noteFailure()
            throw QueryError.wrapping(error)
        }
    }

    /// Prepared statements with names: of PREPARE and of the protocol.
    package func preparedStatement(_ name: String) -> PreparedStatement? { state.withLock { $0.prepared[name] } }
    package func keep(_ statement: PreparedStatement, as name: String) {
        state.withLock { $0.prepared[name] = statement }
    }
    package func forget(_ name: String) { state.withLock { $0.prepared[name] = nil } }

    /// What names of objects in texts mean to this session.
    package func objectNames() async throws -> any ObjectNames { try await inTransaction { try await catalogFacts() } }

    /// Runs a prepared statement. Parameters have the statement's parameter types.
    package func execute(_ prepared: PreparedStatement, parameters: [ScalarValue]) async throws -> StatementResult {
        let setting = settings["traceparent"]
        guard let trace = prepared.trace ?? (setting.isEmpty ? nil : TraceContext(traceparent: setting)) else {
            return try await executeTraced(prepared, parameters)
        }
        return try await TraceContext.$current.withValue(trace) { try await executeTraced(prepared, parameters) }
    }

    private func executeTraced(_ prepared: PreparedStatement, _ parameters: [ScalarValue]) async throws
        -> StatementResult
    {
        do {
            guard let statement = prepared.statement else { return StatementResult(tag: "") }
            guard parameters.count == prepared.parameterTypes.count else {
                throw QueryError(
                    .protocolViolation,
                    "bind message supplies \(parameters.count) parameters, but the statement requires \(prepared.parameterTypes.count)"
                )
            }
            let literals = zip(parameters, prepared.parameterTypes).map { QueryPlan.Expression.literal($0, $1) }
            return try await execute(prepared, statement, parameters: literals)
        } catch {
            noteFailure()
            throw QueryError.wrapping(error)
        }
    }

    /// Called by front ends when reading a result failed.
    package func noteFailure() {
        let ended = state.withLock { state -> StorageTransaction? in
            guard state.transaction == .inTransaction else { return nil }
            state.transaction = .failed
            // With savepoints some of it may be brought back.
            return state.block?.savepoints.isEmpty == true ? state.block?.transaction : nil
        }
        guard let ended else { return }
        // Nothing of the block will stay, so others need not wait for its end.
        ended.rollback()
        engine.catalog.locks.releaseAll(of: ended)
    }

    private func failingTransaction<T>(_ body: () throws -> T) throws -> T {
        do { return try body() } catch {
            noteFailure()
            throw error
        }
    }

    // MARK: - One statement

    func checkTransaction(_ statement: Statement) throws {
        let (isTerminated, status) = state.withLock { ($0.isTerminated, $0.transaction) }
        if isTerminated { throw Self.terminatedError }
        guard status == .failed else { return }
        switch statement {
        case .rollback, .commit, .rollbackToSavepoint: return
        default:
            throw QueryError(
                .inFailedSQLTransaction,
                "current transaction is aborted, commands ignored until end of transaction block")
        }
    }

    func execute(_ statement: Statement, sql: String, parameters: [QueryPlan.Expression]) async throws
        -> StatementResult
    {
        try checkTransaction(statement)
        let interruption = beginStatement(Self.shownText(statement, sql))
        defer { endStatement() }
        return try await Interruption.$current.withValue(interruption) {
            try await inTransaction { try await self.runBound(statement, sql: sql, parameters: parameters) }
        }
    }

    /// What ends the statement that begins now, when the client or the time limit asks for it.
    private func beginStatement(_ sql: String) -> Interruption {
        let interruption = Interruption()
        let now = QueryEngine.now
        let isTerminated = state.withLock { state in
            state.isCancelled = state.isTerminated
            state.interruption = interruption
            state.statement = sql
            state.statementStartedAt = now
            state.runningCount += 1
            return state.isTerminated
        }
        if isTerminated { interruption.request(Self.terminatedError) }
        if let limit = SessionSettings.milliseconds(settings["statement_timeout"]), limit > 0 {
            Task.detached { [weak interruption] in
                try await Task.sleep(for: .milliseconds(limit))
                interruption?.request(QueryError(.queryCanceled, "canceling statement due to statement timeout"))
            }
        }
        return interruption
    }

    /// A statement as others may see it: without passwords.
    private static func shownText(_ statement: Statement, _ sql: String) -> String {
        if case .user = statement { return SyntaxPrinter.text(of: statement) }
        return sql
    }

    private func endStatement() {
        let now = QueryEngine.now
        state.withLock { state in
            state.runningCount -= 1
            state.statementEndedAt = now
        }
    }

    /// `statement` is the prepared one's.
    func execute(
        _ prepared: PreparedStatement, _ statement: Statement, parameters: [QueryPlan.Expression]
    ) async throws -> StatementResult {
        try checkTransaction(statement)
        let interruption = beginStatement(Self.shownText(statement, prepared.sql))
        defer { endStatement() }
        return try await Interruption.$current.withValue(interruption) {
            try await inTransaction {
                if let result = try await self.runKept(prepared, parameters) { return result }
                return try await self.runBound(statement, sql: prepared.sql, parameters: parameters)
            }
        }
    }

    func runBound(_ statement: Statement, sql: String, parameters: [QueryPlan.Expression]) async throws
        -> StatementResult
    {
        while true {
            let bound = try await bindForExecution(statement, parameterTypes: parameters.map(\.type))
            let runner = StatementRunner(
                session: self, sql: sql, context: context(bound.catalogFacts), ids: bound.columnIDs,
                columnModifiers: bound.columnModifiers)
            do {
                return try await runner.run(bound.statement.substituting(parameters))
            } catch let outdated as StatementOutdated {
                let (keepsSnapshot, isCancelled) = state.withLock {
                    ($0.block?.keepsSnapshot ?? false, $0.isCancelled)
                }
                if keepsSnapshot, let reason = outdated.reason { throw reason }
                if isCancelled { throw Self.cancelledError }
                if !keepsSnapshot { StorageScope.current?.snapshot.renew() }
            }
        }
    }

    static let cancelledError = QueryError(.queryCanceled, "canceling statement due to user request")

    func bind(_ statement: Statement, parameterTypes: [DataType?]) async throws -> BindingResult {
        if StorageScope.current != nil { return try await bindInScope(statement, parameterTypes: parameterTypes) }
        return try await inTransaction { try await self.bindInScope(statement, parameterTypes: parameterTypes) }
    }

    func bindInScope(_ statement: Statement, parameterTypes: [DataType?]) async throws -> BindingResult {
        let binder = Binder(catalog: engine.catalog, registry: engine.registry, session: bindingSession(parameterTypes))
        return try await binder.bind(statement)
    }

    func bindingSession(_ parameterTypes: [DataType?]) -> BindingSession {
        let settings = self.settings
        var path = settings.searchPath.flatMap { schema in
            engine.catalog.catalogNames.map { BindingSession.PathEntry(catalog: $0, schema: schema) }
        }
        // Temporary tables hide others of the same name.
        path.insert(.init(catalog: engine.catalog.defaultCatalog, schema: temporarySchema), at: 0)
        var session = BindingSession(
            searchPath: path, parameterTypes: parameterTypes, timeZone: settings["timezone"],
            textStyle: settings.textStyle, statementTimestamp: QueryEngine.now, user: user, database: database,
            settings: settings.all,
            version: EngineVersion.banner)
        session.temporarySchema = temporarySchema
        session.processNumber = Int(truncatingIfNeeded: number)
        session.loadCatalogFacts = { [weak self] in
            guard let self else { throw QueryError.internalError("the session is gone") }
            return try await self.catalogFacts()
        }
        return session
    }

    func context(_ facts: (any CatalogFacts)?) -> EvaluationContext {
        let settings = self.settings
        return EvaluationContext(
            statementTimestamp: QueryEngine.now, timeZone: settings["timezone"], textStyle: settings.textStyle,
            variation: settings.variation, catalogFacts: facts)
    }

    /// The catalogue as this session sees it now.
    private func catalogFacts() async throws -> any CatalogFacts {
        let snapshot = try await engine.systemCatalog.refresh()
        let settings = self.settings
        var path = [temporarySchema] + settings.searchPath
        if !path.contains(engine.catalog.defaultSchema) { path.append(engine.catalog.defaultSchema) }
        return StatementCatalog(
            snapshot: snapshot, searchPath: path, user: user, database: database,
            roles: engine.users.facts.map { ($0.name, $0.number) },
            settings: { [weak self] name in try? self?.settings.value(name) },
            change: { [weak self] name, value in
                guard let self else { return value }
                try self.changeSetting(name, to: value)
                return try self.settings.value(name)
            },
            stopping: StatementCatalog.Stopping(
                cancelSession: { [engine, user] number in
                    guard let session = try engine.sessions.session(number, for: user, deed: "query is being canceled")
                    else { return false }
                    session.cancelCurrent()
                    _ = engine.queries.cancel(session: Int(truncatingIfNeeded: number))
                    return true
                },
                cancelQuery: { [engine, user] identifier in
                    let query = QueryID(identifier)
                    guard let owner = engine.queries.owner(query) else { return false }
                    try engine.sessions.check(user, owner: owner, deed: "query is being canceled")
                    return engine.queries.cancel(query)
                },
                terminateSession: { [engine, user] number in
                    guard let session = try engine.sessions.session(number, for: user, deed: "session is being ended")
                    else { return false }
                    session.terminate()
                    return true
                }))
    }

    var interruption: Interruption { state.withLock { $0.interruption } }

    /// The statement's query: it ends with the statement.
    func setCurrent(_ execution: QueryExecution) {
        interruption.onRequest { [weak execution] error in execution?.cancel(error) }
    }

    package func changeSetting(_ name: String, to value: String?) throws {
        let (reported, text) = try state.withLock { state in
            let reported = try state.settings.set(name, to: value)
            return (reported, reported.map { state.settings[$0] } ?? "")
        }
        guard let reported else { return }
        settingListener.withLock { $0 }?(SessionSettings.reportedName(reported), text)
    }

    /// What was set up to now is what the session began with: RESET goes back to it.
    package func beginWithSettings() { state.withLock { $0.settings.makeInitial() } }

    func resetSettings() throws {
        for definition in SessionSettings.allDefinitions where !definition.isReadOnly {
            try changeSetting(definition.name, to: nil)
        }
    }
}

extension BoundStatement {
    /// The statement with its parameters replaced by literals.
    func substituting(_ parameters: [QueryPlan.Expression]) -> BoundStatement {
        guard !parameters.isEmpty else { return self }
        return mapPlan { $0.substituting(parameters) }
    }
}

extension LogicalPlan {
    fileprivate func substituting(_ parameters: [QueryPlan.Expression]) -> LogicalPlan {
        mapInputs { $0.substituting(parameters) }.mapExpressions { expression in
            expression.rewritten { node in
                switch node {
                case .parameter(let index, let type):
                    guard index < parameters.count else { return node }
                    return parameters[index].type == type
                        ? parameters[index] : .cast(parameters[index], to: type, kind: .strict)
                case .subquery(var subquery):
                    subquery.plan = subquery.plan.substituting(parameters)
                    return .subquery(subquery)
                default: return node
                }
            }
        }
    }
}
