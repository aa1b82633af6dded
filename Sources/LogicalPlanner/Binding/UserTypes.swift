// Types that statements made, where expressions use them: names, values of domains, and what pg_typeof says.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser
import Storage

extension StatementBinder {
    private var resolver: RelationResolver { RelationResolver(catalog: catalog, session: session) }

    /// The type of a name that no built-in type has.
    func userType(_ name: ObjectName) -> (name: TableName, type: UserType)? {
        let types = catalog.objects.types
        if types.isEmpty { return nil }
        for candidate in resolver.candidates(name.parts) {
            if let found = types[candidate] { return (candidate, found) }
        }
        return nil
    }

    func userType(_ identifier: Int64) -> (name: TableName, type: UserType)? {
        catalog.objects.types.first { $0.value.identifier == identifier }.map { ($0.key, $0.value) }
    }

    /// The type of the rows of a table or view, as composite types have it.
    func rowType(_ name: ObjectName) throws -> DataType? {
        switch relations.byName[name.parts] {
        case .table(_, let schema)?: return .record(schema.fields.map { Field(name: $0.name, type: $0.type) })
        case .view(let view, let query, let names)?:
            let bound = try bindView(view, query, names, at: name.position)
            return .record(bound.columns.map { Field(name: $0.name, type: $0.type) })
        case nil: return nil
        }
    }

    /// What the columns of a table were declared with.
    func rowModifiers(_ name: ObjectName) -> [TemporalModifier?] {
        guard case .table(_, let schema)? = relations.byName[name.parts] else { return [] }
        return schema.fields.map(\.modifier)
    }

    // MARK: - Domains

    /// A value of the domain's base type as one of the domain: whatever its checks and those of the domains that it is over
    /// refuse is an error when the value is computed.
    func domainValue(_ value: Expression, _ identifier: Int64, at position: SourcePosition?) throws -> Expression {
        guard let (name, type) = userType(identifier), case .domain(let domain) = type.kind else { return value }
        var value = value
        if let parent = domain.parent { value = try domainValue(value, parent, at: position) }
        if let modifier = domain.modifier { value = try limited(value, domain.base, modifier, at: position) }
        guard domain.isNotNull || !domain.checks.isEmpty else { return value }
        if value.isVolatile {
            throw QueryError.notSupported("a volatile expression as a value of a domain with constraints", at: position)
        }
        var arguments = [
            value, .literal(.string(name.table), .text), .literal(.boolean(domain.isNotNull), .boolean),
        ]
        for check in domain.checks.sorted(by: { $0.name < $1.name }) {
            arguments.append(.literal(.string(check.name), .text))
            arguments.append(try domainCheck(check.expression, value))
        }
        return fold(
            .call(
                ScalarCall(
                    name: "domain value", arguments: arguments, type: value.type, isStrict: false, canFail: true)))
    }

    /// The DEFAULT of a domain, or of the one that it is over.
    func domainDefault(_ identifier: Int64) -> String? {
        guard let (_, type) = userType(identifier), case .domain(let domain) = type.kind else { return nil }
        return domain.defaultExpression ?? domain.parent.flatMap { domainDefault($0) }
    }

    /// A check of a domain over a value.
    func domainCheck(_ text: String, _ value: Expression) throws -> Expression {
        do {
            let syntax = try StatementParser.parseExpression(text)
            let scope = Scope(parent: nil, commonTables: nil, select: nil, clause: .check)
            let column = ids.column("value", value.type)
            let own = ScopeRelation(name: "", table: nil, columns: [ScopeColumn(column)])
            scope.namespace = Namespace(relations: [own], columns: own.columns)
            let condition = try coerceToBoolean(operand(syntax, scope), construct: "CHECK")
            return condition.rewritten { $0 == column.reference ? value : $0 }
        } catch var error as QueryError {
            error.position = nil
            throw error
        }
    }

    /// The expression as a value of a column, of its domain as well.
    func assigned(_ value: Operand, to column: TableColumn) throws -> Expression {
        guard let identifier = column.userType else { return try assigned(value, to: column.field) }
        var field = column.field
        field.modifier = temporalModifier(ofUserType: identifier)
        let assigned = try assigned(value, to: field)
        return try typed(assigned, userType: identifier, at: value.position)
    }

    /// Applies the checks of a domain, or of the domains of a composite type's fields.
    func typed(_ value: Expression, userType identifier: Int64, at position: SourcePosition?) throws -> Expression {
        guard let (_, type) = userType(identifier) else { return value }
        switch type.kind {
        case .enumeration: return value
        case .domain: return try domainValue(value, identifier, at: position)
        case .composite(let attributes):
            let value = try limitedFields(of: value, attributes.map(\.field.modifier), at: position)
            guard attributes.contains(where: { $0.userType != nil }), let fields = value.type.recordFields else {
                return value
            }
            if value.literal == .null { return value }
            if value.isVolatile {
                throw QueryError.notSupported(
                    "a volatile expression as a value of a type with fields of domains", at: position)
            }
            let checked = try attributes.enumerated().map { index, attribute -> Expression in
                let part = field(index, of: value, fields)
                guard let inner = attribute.userType else { return part }
                return try typed(part, userType: inner, at: position)
            }
            let record = recordOf(checked, type: value.type)
            if case .call(let call) = value, call.name == "row" { return record }
            return .conditional(
                [ConditionalBranch(condition: .isNull(value), result: .null(value.type))], otherwise: record,
                type: value.type)
        }
    }

    /// Labels that the running transaction added are known when it commits. Errors: 55P04.
    func refuseUnsafeLabels(_ name: String, _ arguments: [Operand], at position: SourcePosition) throws {
        guard name.hasPrefix("enum_"), let enumerated = arguments.lazy.compactMap(\.type.enumeratedType).first,
            let (_, type) = userType(enumerated.identifier), case .enumeration(let shared, let labels) = type.kind
        else { return }
        let known = Set(shared.labels.map(\.text))
        let returned =
            switch name {
            case "enum_first": labels.prefix(1)
            case "enum_last": labels.suffix(1)
            default: labels[...]
            }
        for label in returned where !known.contains(label.text) {
            throw QueryError(
                SQLState("55P04"),
                "unsafe use of new value \"\(label.text)\" of enum type \(shared.name)",
                hint: "New enum values must be committed before they can be used.", at: position)
        }
    }

    // MARK: - pg_typeof

    /// The type that an expression was written or declared to have, where its values do not tell: a domain or a composite
    /// type. `nil`: the type of the values is all there is.
    func declaredTypeName(_ syntax: SyntaxExpression, _ scope: Scope) throws -> String? {
        if catalog.objects.types.isEmpty { return nil }
        switch syntax.kind {
        case .cast(_, let name, _), .typedLiteral(let name, _):
            guard let (found, type) = userType(name.name) else { return nil }
            if case .enumeration = type.kind { return nil }
            return shownName(found) + (name.arrayDimensions.isEmpty ? "" : "[]")
        case .column(let parts):
            guard let column = try? declaredColumn(parts, scope), let identifier = column.userType,
                let (found, type) = userType(identifier)
            else { return nil }
            if case .enumeration = type.kind { return nil }
            return shownName(found)
        default: return nil
        }
    }

    /// The domain or composite type that an expression was written or declared to have.
    func declaredUserType(_ syntax: SyntaxExpression, _ scope: Scope) throws -> Int64? {
        switch syntax.kind {
        case .cast(_, let name, _), .typedLiteral(let name, _):
            return name.arrayDimensions.isEmpty ? userType(name.name)?.type.identifier : nil
        case .column(let parts): return try? declaredColumn(parts, scope)?.userType
        default: return nil
        }
    }

    private func declaredColumn(_ parts: [String], _ scope: Scope) throws -> ScopeColumn? {
        guard let name = parts.last else { return nil }
        if parts.count == 1 {
            let found = scope.namespace.columns.filter { $0.name == name }
            return found.count == 1 ? found[0] : nil
        }
        let qualifier = parts.dropLast()
        return scope.namespace.relations.first { $0.matches(qualifier) }?.columns.first { $0.name == name }
    }

    /// A name as regtype shows it: with its schema where the search path does not lead to it.
    func shownName(_ name: TableName) -> String {
        let plain = SyntaxPrinter.identifier(name.table)
        let isVisible = resolver.candidates([name.table]).first { catalog.objects.types[$0] != nil } == name
        return isVisible ? plain : SyntaxPrinter.identifier(name.schema) + "." + plain
    }
}
