// COPY: from and to files and the client.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

extension StatementBinder {
    func bindCopy(_ copy: Copy) throws -> BoundStatement {
        let options = copyOptions(copy)
        let target: CopyTarget
        switch copy.endpoint {
        case .file(let path): target = .file(path)
        case .client: target = .client
        case .program: throw QueryError.notSupported("COPY with a program", at: copy.position)
        }
        if copy.direction == .from {
            guard case .table(let name, let columns) = copy.subject else {
                throw QueryError(.syntaxError, "COPY query cannot be used with FROM", at: copy.position)
            }
            return try bindCopyFrom(copy, name, columns, target, options)
        }
        let bound: BoundQuery
        switch copy.subject {
        case .query(let query): bound = try bindSettledQuery(query, parent: nil, commonTables: nil)
        case .table(let name, let columns):
            let scope = Scope(parent: nil, commonTables: nil, select: nil, clause: .fromClause)
            let item = try bindNamedTable(name, alias: nil, scope)
            bound = try chosen(columns, of: BoundQuery(plan: item.plan, columns: item.namespace.columns), name)
        }
        var plan = bound.plan
        if case .file(let path) = target {
            let write = LogicalWrite(
                target: .file(path: path, format: options.format, options: options.options, columns: fields(bound)),
                countColumn: ids.column("count", .int64, isNullable: false), input: plan)
            plan = .write(write)
        }
        return .copyTo(
            plan, outputNames: bound.columns.map(\.name), outputTypes: bound.columns.map(\.type), target, options)
    }

    private func chosen(_ names: [Identifier], of query: BoundQuery, _ table: ObjectName) throws -> BoundQuery {
        if names.isEmpty { return query }
        let planColumns = query.plan.columns
        var columns: [PlanColumn] = []
        for name in names {
            guard let index = query.columns.firstIndex(where: { $0.name == name.text }) else {
                throw QueryError(
                    .undefinedColumn, "column \"\(name)\" of relation \"\(table.last)\" does not exist",
                    at: name.position, object: name.text)
            }
            columns.append(planColumns[index])
        }
        try refuseDuplicateColumns(names)
        return BoundQuery(
            plan: projected(query.plan, columns, columns.map(\.reference)),
            columns: zip(columns, names).map { ScopeColumn(name: $1.text, id: $0.id, type: $0.type) })
    }

    private func bindCopyFrom(
        _ copy: Copy, _ name: ObjectName, _ columns: [Identifier], _ copyTarget: CopyTarget, _ options: CopyOptions
    ) throws -> BoundStatement {
        let target = try modificationTarget(name, alias: nil, action: "copy to")
        var ordinals = try columnOrdinals(columns, target.definition.schema, of: target.table)
        if columns.isEmpty {
            ordinals.removeAll { target.definition.columns[$0].isGenerated }
        } else if let generated = ordinals.first(where: { target.definition.columns[$0].isGenerated }) {
            let column = target.definition.columns[generated].field.name
            throw QueryError(
                .invalidColumnReference, "column \"\(column)\" is a generated column",
                detail: "Generated columns cannot be used in COPY.", at: name.position, object: column)
        }
        if let condition = copy.whereClause {
            // It must be right now; it is bound anew over the rows that were read.
            let scope = Scope(parent: nil, commonTables: nil, select: nil, clause: .whereClause)
            let own = relation(target, target.fields.map { ids.column($0.name, $0.type) })
            scope.namespace = Namespace(relations: [own], columns: own.columns)
            _ = try bindCondition(condition, scope, construct: "WHERE")
        }
        let fields = ordinals.map { ordinal -> Field in
            var field = target.fields[ordinal]
            if let userType = target.definition.columns[ordinal].userType {
                field.modifier = temporalModifier(ofUserType: userType)
            }
            return field
        }
        return .copyFrom(
            table: target.table, columns: fields, copyTarget, options,
            condition: copy.whereClause.map { SyntaxPrinter.text(of: $0) })
    }

    /// The format is taken from the file's name where no option gives it.
    private func copyOptions(_ copy: Copy) -> CopyOptions {
        var options = CopyOptions()
        if case .file(let path) = copy.endpoint {
            let name = path.lowercased()
            let plain = name.hasSuffix(".gz") ? name.dropLast(3) : name[...]
            let ending = plain.lastIndex(of: ".").map { String(plain[plain.index(after: $0)...]) }
            let formats = [
                "parquet": "parquet", "csv": "csv", "json": "json", "jsonl": "json", "ndjson": "json", "arrow": "arrow",
            ]
            if let format = ending.flatMap({ formats[$0] }) { options.format = format }
        }
        for option in copy.options {
            let text: String
            switch option.value {
            case nil: text = "true"
            case .text(let value), .number(let value): text = value
            case .list(let values): text = values.joined(separator: ",")
            case .star: text = "*"
            }
            if option.name == "format" {
                options.format = text.lowercased()
            } else {
                options.options[option.name] = text
            }
        }
        return options
    }
}
