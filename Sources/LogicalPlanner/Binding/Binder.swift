// The binder: from a parsed statement to a bound one. Names are resolved against scopes and the catalogue, types are
// inferred and conversions made explicit, and queries become logical plans.
//
//   Binder            entry point: resolves relations (asynchronous), then binds (synchronous)
//   Scope             what names mean at a place
//   Relations         tables, views and files by name
//   NameMeanings      whether they still are what they were
//   Query, Select     queries, set operations; the clauses of SELECT
//   From, CommonTables, TableFunctions
//   Expressions, Operators, Calls, Windows, Subqueries, Literals, TypeNames, Coercion
//   Statements, Insert  everything that is not a query

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser
import Storage

/// Binds statements of one session against a catalogue and a function registry.
package struct Binder: Sendable {
    package let catalog: Catalog
    package let registry: FunctionRegistry
    package let session: BindingSession

    package init(catalog: Catalog, registry: FunctionRegistry, session: BindingSession) {
        self.catalog = catalog
        self.registry = registry
        self.session = session
    }

    /// The bound statement. Throws `QueryError`s that carry the position of the offending token.
    package func bind(_ statement: Statement) async throws -> BindingResult {
        let (relations, rowNames) = try await resolveRelations(of: statement)
        return try await bind(statement, relations, rowNames)
    }

    /// As `bind`, with what the names in the statement mean; `nil` when that cannot be told.
    package func bindToKeep(_ statement: Statement) async throws -> (result: BindingResult, names: NameMeanings?) {
        let (relations, rowNames) = try await resolveRelations(of: statement)
        let result = try await bind(statement, relations, rowNames)
        return (result, try await NameMeanings(relations, RelationResolver(catalog: catalog, session: session)))
    }

    private func resolveRelations(of statement: Statement) async throws -> (ResolvedRelations, rowNames: Set<String>) {
        var collector = RelationCollector()
        collector.visit(statement)
        let resolver = RelationResolver(catalog: catalog, session: session)
        return (try await resolver.resolve(collector), collector.rowNames)
    }

    private func bind(
        _ statement: Statement, _ relations: ResolvedRelations, _ rowNames: Set<String>
    ) async throws -> BindingResult {
        var session = session
        let namesTypes =
            !relations.functionNames.isDisjoint(with: ["pg_typeof", "format_type", "to_regtype"])
            && !catalog.objects.types.isEmpty
        if namesTypes || relations.readsCatalog(registry) {
            session.catalogFacts = try await session.loadCatalogFacts?()
        }
        let binder = StatementBinder(
            catalog: catalog, registry: registry, session: session, relations: relations,
            rowNames: rowNames)
        let bound = try binder.bindStatement(statement)
        return try binder.finish(bound)
    }
}

/// Binds one statement. Confined to the call that made it.
final class StatementBinder {
    let catalog: Catalog
    let registry: FunctionRegistry
    let session: BindingSession
    let relations: ResolvedRelations
    let ids = ColumnIDGenerator()

    /// What columns of times and intervals were declared with.
    var columnModifiers: [ColumnID: TemporalModifier] = [:]
    /// Types of parameters as far as they are known.
    var parameterTypes: [DataType?]
    /// Tables in the order of their first use.
    var tables: [TableName] = []
    var workingTableCount = 0
    /// Changes of rows in the statement's WITH clause, in the order in which they run; and whether the WITH clause that is
    /// declared next may have any.
    var steps: [BoundStep] = []
    var mayDeclareChanges = false
    /// Common tables that any number of references may share, each after those that it reads itself.
    var sharedDefinitions: [SharedDefinition] = []
    /// How many columns were found in the left neighbours of a LATERAL item so far.
    var lateralUses = 0
    /// Aggregate calls whose arguments are being bound, outermost first: where they stand, and the innermost scope at or
    /// around that place of which they use a column.
    var aggregateLevels: [(callDepth: Int, deepest: Scope?)] = []
    /// Names that may stand for the whole row of a relation somewhere in the statement.
    var rowNames: Set<String>
    private var guardian = RecursionGuard()
    /// Views being expanded; positions within their texts mean nothing to the client.
    var viewDepth = 0
    private var relationCount = 0
    /// Looks for references, where somebody wants to know of them.
    var trace: ReferenceTrace?
    /// What names without qualifiers mean, as their full spellings by their offsets; `nil`: nobody asks.
    var fullNames: [Int: TextEdit]?
    /// Types of the catalogue that the statement names.
    var usedTypes: Set<Int64> = []
    /// Whether expressions are to be bound even where an equal one was bound before.
    var observesNames: Bool { viewDepth == 0 && (trace != nil || fullNames != nil) }
    /// The columns that NATURAL joins are by, by the joins' offsets in the statement.
    var naturalColumns: [Int: [String]] = [:]
    /// Columns that JOIN … USING computed, and where the text of their USING ends.
    var mergedColumns: [ColumnID: Int] = [:]

    init(
        catalog: Catalog, registry: FunctionRegistry, session: BindingSession, relations: ResolvedRelations,
        rowNames: Set<String> = []
    ) {
        self.rowNames = rowNames
        self.catalog = catalog
        self.registry = registry
        self.session = session
        self.relations = relations
        parameterTypes = session.parameterTypes
    }

    /// Runs `body` one level deeper; 54001 when that is too deep.
    func nested<Result>(at position: SourcePosition?, _ body: () throws -> Result) throws -> Result {
        try Interruption.check()
        try guardian.enter(at: position)
        defer { guardian.leave() }
        return try body()
    }

    /// Counts relations that were bound: expanded views and common tables could otherwise grow without bound.
    func countRelation(at position: SourcePosition?) throws {
        relationCount += 1
        if relationCount > 10_000 {
            throw QueryError(
                .statementTooComplex, "the query refers to more than 10000 relations after views are expanded",
                at: position)
        }
    }

    func noteTable(_ name: TableName) {
        if !tables.contains(name) { tables.append(name) }
    }

    // MARK: - Parameters

    /// `$1` is index 0.
    func bindParameter(_ number: Int, at position: SourcePosition) throws -> Expression {
        guard number >= 1, number <= 65_535 else {
            throw QueryError(.undefinedParameter, "there is no parameter $\(number)", at: position)
        }
        while parameterTypes.count < number { parameterTypes.append(nil) }
        return .parameter(number - 1, parameterTypes[number - 1] ?? .unknown)
    }

    /// Gives a parameter whose type is still open the type that its context asks for.
    func fixParameter(_ index: Int, _ type: DataType) -> Expression {
        if let known = parameterTypes[index], known != .unknown {
            return known == type ? .parameter(index, type) : .cast(.parameter(index, known), to: type, kind: .strict)
        }
        let plain = type.withoutModifiers
        parameterTypes[index] = plain
        return plain == type ? .parameter(index, type) : .cast(.parameter(index, plain), to: type, kind: .strict)
    }

    /// Parameters that no context gave a type are text.
    func finish(_ statement: BoundStatement) throws -> BindingResult {
        let hasOpen = parameterTypes.contains { $0 == nil || $0 == .unknown }
        let types = parameterTypes.map { $0 == nil || $0 == .unknown ? DataType.text : $0! }
        let separated = try separatingSharedQueries(statement)
        let complete = sharedDefinitions.isEmpty ? separated : try separated.mapPlan(withSharedDefinitions)
        let settled = hasOpen ? complete.mapPlan { Self.settleParameters($0, types) } : complete
        return BindingResult(
            statement: settled, parameterTypes: types, columnIDs: ids,
            columnModifiers: columnModifiers, tables: tables,
            catalogFacts: session.catalogFacts)
    }

    private static func settleParameters(_ plan: LogicalPlan, _ types: [DataType]) -> LogicalPlan {
        plan.mapInputs { settleParameters($0, types) }.mapExpressions { settleParameters($0, types) }
    }

    private static func settleParameters(_ expression: Expression, _ types: [DataType]) -> Expression {
        expression.rewritten { node in
            switch node {
            case .parameter(let index, .unknown): return .parameter(index, types[index])
            case .subquery(var subquery):
                subquery.plan = settleParameters(subquery.plan, types)
                return .subquery(subquery)
            default: return node
            }
        }
    }
}

extension BoundStatement {
    /// The same statement with its plan, if it has one, transformed.
    package func mapPlan(_ transform: (LogicalPlan) throws -> LogicalPlan) rethrows -> BoundStatement {
        switch self {
        case .query(let plan, let names, let types):
            .query(try transform(plan), outputNames: names, outputTypes: types)
        case .explain(let inner, let options): .explain(try inner.mapPlan(transform), options)
        case .createTableAs(let name, let plan, let columns, let ifNotExists, let withData):
            .createTableAs(
                name: name, plan: try transform(plan), columns: columns, ifNotExists: ifNotExists, withData: withData)
        case .createMaterializedView(let name, let view, let plan, let columns, let ifNotExists):
            .createMaterializedView(
                name: name, view, plan: try transform(plan), columns: columns, ifNotExists: ifNotExists)
        case .insert(let plan): .insert(try transform(plan))
        case .alterTable(var alteration):
            try {
                alteration.plan = try alteration.plan.map(transform)
                return .alterTable(alteration)
            }()
        case .modify(let modification): .modify(try modification.mapPlan(transform))
        case .withChanges(let steps, let main):
            .withChanges(try steps.map { try $0.mapPlan(transform) }, try main.mapPlan(transform))
        case .copyTo(let plan, let names, let types, let target, let options):
            .copyTo(try transform(plan), outputNames: names, outputTypes: types, target, options)
        case .declareCursor(let name, let plan, let names, let types, let syntax):
            .declareCursor(name: name, plan: try transform(plan), outputNames: names, outputTypes: types, syntax)
        default: self
        }
    }
}
