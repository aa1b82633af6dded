// CREATE TYPE, CREATE DOMAIN, ALTER and DROP of both, and what depends on types.

import Columnar
import Diagnostics
import LogicalPlanner
import QueryPlan
import SQLParser
import Storage

extension StatementRunner {
    func changeType(_ change: BoundTypeChange, tag: String) async throws -> StatementResult {
        switch change {
        case .create(let name, let type):
            if try await exists(name), case .composite = type.kind {
                throw QueryError(.duplicateTable, "relation \"\(name.table)\" already exists", object: name.table)
            }
            catalog.change { $0.types[name] = .some(type) }
        case .replace(let name, let type, let test):
            if case .enumeration = type.kind, session.transactionStatus == .inTransaction {
                // Others, and what this transaction computed before, know the labels from the commit on.
                guard renamesNoLabel(name, type) else {
                    throw QueryError.notSupported("ALTER TYPE … RENAME VALUE within a transaction block")
                }
            }
            if let test { try await checkStored(name, type, test) }
            catalog.change { $0.types[name] = .some(type) }
            // Nobody else knows a type that this transaction made.
            if catalog.committedType(name)?.identifier != type.identifier { type.publish(name: name) }
        case .rename(let name, let new):
            guard let type = catalog.objects.types[name] else { break }
            if let view = viewsUsing(type).first {
                throw QueryError.notSupported(
                    "renaming type \"\(name.table)\", which view \"\(view.table)\" has by its name,")
            }
            catalog.change { changes in
                changes.types[name] = .some(nil)
                changes.types[new] = .some(type)
            }
        case .drop(let names, let cascade):
            for name in names { try await dropType(name, cascade: cascade, with: names) }
        case .nothing(let notice):
            return StatementResult(tag: tag, notices: notice.map { [$0] } ?? [])
        }
        return StatementResult(tag: tag)
    }

    private func renamesNoLabel(_ name: TableName, _ type: UserType) -> Bool {
        guard case .enumeration(_, let new) = type.kind,
            case .enumeration(_, let old)? = catalog.objects.types[name]?.kind
        else { return true }
        let texts = Set(new.map(\.text))
        return old.allSatisfy { texts.contains($0.text) }
    }

    // MARK: - Dependents

    /// A column of a table whose values belong to a type.
    private struct Use {
        var table: TableName
        var column: TableColumn
    }

    /// The columns of a type or of one that is made of it.
    private func uses(of type: UserType) async throws -> [Use] {
        var identifiers: Set<Int64> = [type.identifier]
        while true {
            let more = catalog.objects.types.values.filter { other in
                if identifiers.contains(other.identifier) { return false }
                switch other.kind {
                case .domain(let domain): return domain.parent.map { identifiers.contains($0) } ?? false
                case .composite(let attributes):
                    return attributes.contains { $0.userType.map { identifiers.contains($0) } ?? false }
                case .enumeration: return false
                }
            }
            if more.isEmpty { break }
            identifiers.formUnion(more.map(\.identifier))
        }
        let records = catalog.objects.types.values.filter { identifiers.contains($0.identifier) }.map(\.type).filter {
            $0.recordFields != nil
        }
        var result: [Use] = []
        for catalogName in catalog.catalogNames {
            guard let backend = catalog.backend(catalogName), backend.isCoordinatorOnly else { continue }
            for schema in try await backend.schemaNames() {
                for tableName in try await backend.tableNames(schema: schema) {
                    guard let table = try await backend.table(schema: schema, name: tableName) else { continue }
                    let name = TableName(catalog: catalogName, schema: schema, table: tableName)
                    for column in table.definition.columns {
                        let isUse =
                            column.userType.map { identifiers.contains($0) } ?? false
                            || column.field.type.mentions(type)
                            || records.contains { column.field.type == .array($0) }
                        if isUse { result.append(Use(table: name, column: column)) }
                    }
                }
            }
        }
        return result
    }

    /// Views whose queries name a type or whose columns have it.
    private func viewsUsing(_ type: UserType) -> [TableName] {
        catalog.objects.views.filter { $0.value.types.contains(type.identifier) }.map(\.key).sorted {
            $0.description < $1.description
        }
    }

    func dropType(_ name: TableName, cascade: Bool, with others: [TableName]) async throws {
        guard let type = catalog.objects.types[name] else { return }
        let uses = try await uses(of: type)
        let types = catalog.objects.types.filter { $0.value.dependsOn(type) && !others.contains($0.key) }.map(\.key)
        if let use = uses.first {
            if cascade { throw QueryError.notSupported("DROP TYPE … CASCADE of a type that columns have") }
            throw QueryError(
                SQLState("2BP01"), "cannot drop type \(name.table) because other objects depend on it",
                detail: "column \(use.column.field.name) of table \(use.table.table) depends on type \(name.table)",
                hint: "Use DROP ... CASCADE to drop the dependent objects too.")
        }
        if let other = types.first, !cascade {
            throw QueryError(
                SQLState("2BP01"), "cannot drop type \(name.table) because other objects depend on it",
                detail: "type \(other.table) depends on type \(name.table)",
                hint: "Use DROP ... CASCADE to drop the dependent objects too.")
        }
        for view in viewsUsing(type) {
            guard cascade else {
                throw QueryError(
                    SQLState("2BP01"), "cannot drop type \(name.table) because other objects depend on it",
                    detail: "view \(view.table) depends on type \(name.table)",
                    hint: "Use DROP ... CASCADE to drop the dependent objects too.")
            }
            if catalog.view(view) != nil { try await dropView(view, cascade: true) }
        }
        for other in types { try await dropType(other, cascade: true, with: others) }
        catalog.change { $0.types[name] = .some(nil) }
    }

    /// Values that are stored must meet what a domain asks for from now on. Errors: 23502, 23514.
    private func checkStored(_ name: TableName, _ type: UserType, _ test: BoundTypeChange.DomainTest) async throws {
        for use in try await uses(of: type) {
            if use.column.field.type.holdsRecords {
                throw QueryError.notSupported("changing a domain that a column of a composite type has")
            }
            let column = SyntaxPrinter.identifier(use.column.field.name)
            let table = [use.table.catalog, use.table.schema, use.table.table].map { SyntaxPrinter.identifier($0) }
                .joined(separator: ".")
            let breaks = test.isNotNull ? "value IS NULL" : "NOT (\(test.condition ?? "true"))"
            let result = try await session.executeWithin(
                "SELECT 1 FROM (SELECT \(column) AS value FROM \(table)) AS stored WHERE \(breaks) LIMIT 1")
            if try await result.collect().isEmpty { continue }
            if test.isNotNull {
                throw QueryError(
                    .notNullViolation,
                    "column \"\(use.column.field.name)\" of table \"\(use.table.table)\" contains null values",
                    object: use.column.field.name)
            }
            throw QueryError(
                .checkViolation,
                "column \"\(use.column.field.name)\" of table \"\(use.table.table)\" contains values that violate "
                    + "the new constraint", object: use.column.field.name)
        }
    }
}

extension DataType {
    /// Whether values are, or are made of, values of an enumerated type.
    fileprivate func mentions(_ type: UserType) -> Bool {
        switch self {
        case .enumeration(let own): own.identifier == type.identifier
        case .array(let element): element.mentions(type)
        case .record(let fields): fields.contains { $0.type.mentions(type) }
        default: false
        }
    }
}

extension UserType {
    fileprivate func dependsOn(_ other: UserType) -> Bool {
        switch kind {
        case .enumeration: false
        case .domain(let domain): domain.parent == other.identifier || domain.base.mentions(other)
        case .composite(let attributes):
            attributes.contains { $0.userType == other.identifier || $0.field.type.mentions(other) }
        }
    }
}
