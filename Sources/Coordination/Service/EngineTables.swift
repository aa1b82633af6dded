// What the engine tells of itself as tables of the schema `system`: queries, stages, tasks, workers, settings, functions.

import Columnar
import Diagnostics
import LogicalPlanner
import QueryPlan
import SQLFunctions
import SQLParser
import Storage
import SystemCatalog
import Transport

/// The rows of `system`. Reads what it is given, and holds nothing itself.
final class EngineTables: SystemTableSource {
    private let catalog: Catalog
    private let registry: FunctionRegistry
    private let queries: QueryRegistry
    private let sessions: OpenSessions
    private let directory: WorkerDirectory
    private let admission: QueryAdmission
    private let users: UserAccounts
    private let keeper: @Sendable () -> StateKeeper?

    init(
        catalog: Catalog, registry: FunctionRegistry, queries: QueryRegistry, sessions: OpenSessions,
        directory: WorkerDirectory, admission: QueryAdmission, users: UserAccounts,
        keeper: @escaping @Sendable () -> StateKeeper?
    ) {
        self.users = users
        self.keeper = keeper
        self.admission = admission
        self.catalog = catalog
        self.registry = registry
        self.queries = queries
        self.sessions = sessions
        self.directory = directory
    }

    private static let tables: [String: [Field]] = [
        "queries": [
            Field(name: "query_id", type: .text, isNullable: false),
            Field(name: "state", type: .text, isNullable: false),
            Field(name: "user_name", type: .name, isNullable: false),
            Field(name: "query", type: .text, isNullable: false),
            Field(name: "started_at", type: .timestampTZ, isNullable: false), Field(name: "duration", type: .interval),
            Field(name: "row_count", type: .int64), Field(name: "error_code", type: .text),
            Field(name: "error_message", type: .text), Field(name: "attempt_count", type: .int32, isNullable: false),
            Field(name: "queued_reason", type: .text), Field(name: "queue_position", type: .int32),
            Field(name: "session_id", type: .int32, isNullable: false), Field(name: "processor_time", type: .interval),
            Field(name: "bytes_read", type: .int64), Field(name: "memory_bytes", type: .int64),
            Field(name: "spilled_bytes", type: .int64),
        ],
        "sessions": [
            Field(name: "session_id", type: .int32, isNullable: false),
            Field(name: "user_name", type: .name, isNullable: false),
            Field(name: "database_name", type: .name, isNullable: false),
            Field(name: "application_name", type: .text, isNullable: false),
            Field(name: "state", type: .text, isNullable: false), Field(name: "query", type: .text, isNullable: false),
            Field(name: "started_at", type: .timestampTZ, isNullable: false),
            Field(name: "transaction_started_at", type: .timestampTZ),
            Field(name: "query_started_at", type: .timestampTZ),
            Field(name: "state_changed_at", type: .timestampTZ, isNullable: false),
        ],
        "query_plans": [
            Field(name: "query_id", type: .text, isNullable: false),
            Field(name: "plan", type: .text, isNullable: false),
            Field(name: "profile", type: .json, isNullable: false),
        ],
        "state_store": [
            Field(name: "place", type: .text, isNullable: false),
            Field(name: "is_away", type: .boolean, isNullable: false),
            Field(name: "queued_count", type: .int64, isNullable: false),
            Field(name: "written_count", type: .int64, isNullable: false),
            Field(name: "dropped_count", type: .int64, isNullable: false), Field(name: "error_code", type: .text),
            Field(name: "error_message", type: .text),
        ],
        "admission": [
            Field(name: "running_count", type: .int32, isNullable: false), Field(name: "running_max", type: .int32),
            Field(name: "queued_count", type: .int32, isNullable: false), Field(name: "queued_max", type: .int32),
            Field(name: "reserved_bytes", type: .int64, isNullable: false), Field(name: "reserved_max", type: .int64),
            Field(name: "queue_timeout", type: .interval, isNullable: false),
            Field(name: "running_peak", type: .int32, isNullable: false),
            Field(name: "queued_peak", type: .int32, isNullable: false),
            Field(name: "reserved_peak", type: .int64, isNullable: false),
        ],
        "stages": [
            Field(name: "query_id", type: .text, isNullable: false),
            Field(name: "stage", type: .int32, isNullable: false),
            Field(name: "task_count", type: .int32, isNullable: false),
            Field(name: "running_task_count", type: .int32, isNullable: false),
        ],
        "operators": [
            Field(name: "query_id", type: .text, isNullable: false),
            Field(name: "stage", type: .int32, isNullable: false),
            Field(name: "node", type: .int32, isNullable: false), Field(name: "name", type: .text, isNullable: false),
            Field(name: "estimated_row_count", type: .float64),
            Field(name: "row_count", type: .int64, isNullable: false),
            Field(name: "processor_time", type: .interval, isNullable: false),
            Field(name: "bytes_read", type: .int64, isNullable: false),
            Field(name: "memory_bytes", type: .int64, isNullable: false),
            Field(name: "spilled_bytes", type: .int64, isNullable: false),
        ],
        "tasks": [
            Field(name: "query_id", type: .text, isNullable: false),
            Field(name: "stage", type: .int32, isNullable: false),
            Field(name: "partition", type: .int32, isNullable: false),
            Field(name: "worker_id", type: .text, isNullable: false),
            Field(name: "state", type: .text, isNullable: false),
        ],
        "workers": [
            Field(name: "worker_id", type: .text, isNullable: false),
            Field(name: "incarnation", type: .text, isNullable: false),
            Field(name: "state", type: .text, isNullable: false), Field(name: "control_address", type: .text),
            Field(name: "exchange_address", type: .text), Field(name: "running_task_count", type: .int32),
            Field(name: "slots", type: .int32), Field(name: "memory_bytes", type: .int64),
        ],
        "settings": [
            Field(name: "name", type: .text, isNullable: false),
            Field(name: "default_value", type: .text, isNullable: false),
            Field(name: "description", type: .text, isNullable: false),
            Field(name: "category", type: .text, isNullable: false),
            Field(name: "context", type: .text, isNullable: false), Field(name: "type", type: .text, isNullable: false),
            Field(name: "unit", type: .text), Field(name: "source", type: .text, isNullable: false),
        ],
        "users": [
            Field(name: "user_name", type: .name, isNullable: false),
            Field(name: "user_id", type: .int64, isNullable: false),
            Field(name: "is_administrator", type: .boolean, isNullable: false),
            Field(name: "can_log_in", type: .boolean, isNullable: false),
            Field(name: "source", type: .text, isNullable: false),
        ],
        "functions": [
            Field(name: "name", type: .text, isNullable: false), Field(name: "kind", type: .text, isNullable: false),
            Field(name: "arguments", type: .text, isNullable: false),
            Field(name: "result", type: .text, isNullable: false),
            Field(name: "category", type: .text, isNullable: false),
            Field(name: "description", type: .text, isNullable: false), Field(name: "example", type: .text),
            Field(name: "example_result", type: .text),
        ],
    ]

    var tableNames: [String] { Self.tables.keys.sorted() }
    func columns(of table: String) -> [Field]? { Self.tables[table] }

    func rows(of table: String) -> [[ScalarValue]] {
        switch table {
        case "queries": queries.records().map(row)
        case "sessions": sessions.summaries(runningSessions: queries.runningSessions).map(Self.row)
        case "query_plans":
            queries.texts().map { [Self.text($0.id.text), Self.text($0.texts.plan), Self.text($0.texts.profile)] }
        case "state_store": keeper().map { [Self.row($0.summary)] } ?? []
        case "admission": [admissionRow()]
        case "stages": stages()
        case "operators": queries.records().flatMap { operators(of: $0.id) }
        case "tasks":
            tasks().map { [$0.query, .integer(Int64($0.stage)), .integer(Int64($0.partition)), $0.worker, $0.state] }
        case "workers": directory.summaries().map(Self.row)
        case "settings": SessionSettings.allDefinitions.map(Self.row)
        case "users": users.facts.map(Self.row)
        case "functions": FunctionReference.entries(registry).map(Self.row)
        default: []
        }
    }

    // MARK: - Rows

    private static func text(_ text: String?) -> ScalarValue { text.map { .string($0) } ?? .null }

    private func admissionRow() -> [ScalarValue] {
        let counts = admission.counts
        let peaks = admission.peaks
        let options = admission.options
        func limit(_ value: Int) -> ScalarValue { value == 0 ? .null : .integer(Int64(value)) }
        return [
            .integer(Int64(counts.slots)), limit(options.runningMax), .integer(Int64(counts.queued)),
            limit(options.queuedMax), .integer(Int64(counts.memoryByteCount)), limit(options.memoryByteMax),
            .interval(IntervalValue(microseconds: options.queueLimit.components.seconds * 1_000_000)),
            .integer(Int64(peaks.slots)), .integer(Int64(peaks.queued)), .integer(Int64(peaks.memoryByteCount)),
        ]
    }

    private func row(_ record: QueryRecord) -> [ScalarValue] {
        let queued = record.state == .queued ? admission.reason(record.id) : nil
        return Self.row(record) + [
            .integer(Int64(record.attemptCount)), Self.text(queued?.reason.rawValue),
            queued.map { .integer(Int64($0.position)) } ?? .null, .integer(Int64(record.session)),
        ] + Self.usage(record)
    }

    private static func row(_ record: QueryRecord) -> [ScalarValue] {
        [
            text(record.id.text), text(record.state.rawValue), text(record.user), text(record.sql),
            .integer(record.startedAt),
            record.durationMicroseconds.map { .interval(IntervalValue(microseconds: $0)) } ?? .null,
            record.durationMicroseconds == nil ? .null : .integer(Int64(record.rowCount)),
            text(record.error?.state.description), text(record.error?.message),
        ]
    }

    private static func row(_ session: SessionSummary) -> [ScalarValue] {
        [
            .integer(Int64(session.number)), text(session.user), text(session.database),
            text(session.applicationName), text(session.state.rawValue), text(session.statement),
            .integer(session.startedAt), session.transactionStartedAt.map { .integer($0) } ?? .null,
            session.statementStartedAt.map { .integer($0) } ?? .null, .integer(session.stateChangedAt),
        ]
    }

    /// What a query used, once it has ended.
    private static func usage(_ record: QueryRecord) -> [ScalarValue] {
        guard record.durationMicroseconds != nil else { return [.null, .null, .null, .null] }
        return [
            time(nanoseconds: record.usage.processorNanoseconds), .integer(Int64(record.usage.bytesRead)),
            .integer(Int64(record.usage.memoryBytesPeak)), .integer(Int64(record.usage.spilledBytes)),
        ]
    }

    private static func row(_ store: StateKeeper.Summary) -> [ScalarValue] {
        [
            text(store.place), .boolean(store.isAway), .integer(Int64(store.queuedCount)),
            .integer(Int64(store.writtenCount)), .integer(Int64(store.droppedCount)),
            text(store.lastError?.state.code), text(store.lastError?.message),
        ]
    }

    private static func time(nanoseconds: Int) -> ScalarValue {
        .interval(IntervalValue(microseconds: Int64(nanoseconds / 1000)))
    }

    /// Of a query that runs or has ended lately.
    private func operators(of query: QueryID) -> [[ScalarValue]] {
        guard let profile = queries.profile(query) else { return [] }
        return profile.operators.map { entry in
            [
                Self.text(query.text), .integer(Int64(entry.stage)), .integer(Int64(entry.node)), Self.text(entry.name),
                entry.estimatedRowCount.map { .float($0) } ?? .null, .integer(Int64(entry.rowsOut)),
                Self.time(nanoseconds: entry.nanoseconds), .integer(Int64(entry.bytesRead)),
                .integer(Int64(entry.memoryBytesPeak)), .integer(Int64(entry.spilledBytes)),
            ]
        }
    }

    private struct TaskRow {
        var query: ScalarValue
        var stage: Int
        var partition: Int
        var worker: ScalarValue
        var state: ScalarValue
        var isRunning: Bool
    }

    private func tasks() -> [TaskRow] {
        queries.executions().flatMap { execution in
            execution.taskStates.map { task in
                let attempt = task.assignment.attempt
                return TaskRow(
                    query: Self.text(attempt.query.text), stage: attempt.stage.number, partition: attempt.partition,
                    worker: Self.text(task.assignment.worker.text), state: Self.text(Self.name(task.state)),
                    isRunning: Self.name(task.state) == "running")
            }
        }
    }

    private static func name(_ state: AttemptState) -> String {
        String(describing: state).prefix { $0 != "(" }.lowercased()
    }

    private func stages() -> [[ScalarValue]] {
        var order: [String] = []
        var groups: [String: [TaskRow]] = [:]
        for task in tasks() {
            let key = "\(task.query.text ?? "") \(task.stage)"
            if groups[key] == nil { order.append(key) }
            groups[key, default: []].append(task)
        }
        return order.compactMap { key in
            guard let group = groups[key], let first = group.first else { return nil }
            return [
                first.query, .integer(Int64(first.stage)), .integer(Int64(group.count)),
                .integer(Int64(group.count(where: \.isRunning))),
            ]
        }
    }

    private static func row(_ worker: WorkerSummary) -> [ScalarValue] {
        [
            text(worker.id.text), text("\(worker.incarnation)"), text(worker.state), text(worker.controlAddress),
            text(worker.exchangeAddress), .integer(Int64(worker.runningTasks)), .integer(Int64(worker.slots)),
            .integer(worker.memoryBytes),
        ]
    }

    private static func row(_ setting: SessionSettings.Definition) -> [ScalarValue] {
        let isNumber = setting.defaultValue.allSatisfy(\.isNumber) && !setting.defaultValue.isEmpty
        let isFlag = setting.defaultValue == "on" || setting.defaultValue == "off"
        return [
            text(setting.name), text(setting.defaultValue), text(setting.text), text("Session"),
            text(setting.isReadOnly ? "internal" : "user"), text(isFlag ? "bool" : isNumber ? "integer" : "string"),
            text(setting.name.hasSuffix("_timeout") ? "ms" : nil), text("default"),
        ]
    }

    private static func row(_ user: UserFacts) -> [ScalarValue] {
        [
            text(user.name), .integer(user.number), .boolean(user.isAdministrator), .boolean(user.canLogIn),
            text(user.isConfigured ? "configuration" : "statement"),
        ]
    }

    private static func row(_ function: FunctionReference.Entry) -> [ScalarValue] {
        [
            text(function.name), text(function.kind), text(function.arguments), text(function.result),
            text(function.category), text(function.text), text(function.example), text(function.exampleResult),
        ]
    }

    // MARK: - Views

    func columns(ofView name: TableName) async -> [Field]? {
        let parts = [name.catalog, name.schema, name.table].map { "\"\($0)\"" }.joined(separator: ".")
        let session = BindingSession(searchPath: [.init(catalog: name.catalog, schema: name.schema)])
        let binder = Binder(catalog: catalog, registry: registry, session: session)
        guard let statement = try? StatementParser.parse("TABLE \(parts)").first?.statement,
            let bound = try? await binder.bind(statement), case .query(let plan, let names, let types) = bound.statement
        else { return nil }
        return StatementRunner.fields(names, types, plan, bound.columnModifiers)
    }

    func shownText(ofView name: TableName) async -> ViewText? {
        guard let view = catalog.view(name) else { return nil }
        let session = BindingSession(searchPath: [.init(catalog: name.catalog, schema: name.schema)])
        let binder = Binder(catalog: catalog, registry: registry, session: session)
        guard let shown = await binder.shownView(view) else { return nil }
        return ViewText(view: view) { isPretty, wrapColumn, relationName in
            shown.text(ViewTextStyle(isPretty: isPretty, wrapColumn: wrapColumn, relationName: relationName))
        }
    }

    func updatableColumns(ofView name: TableName) async -> [Bool]? {
        let session = BindingSession(searchPath: [.init(catalog: name.catalog, schema: name.schema)])
        return await Binder(catalog: catalog, registry: registry, session: session).updatableColumns(ofView: name)
    }
}
