// CREATE TYPE, CREATE DOMAIN, ALTER and DROP of both.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser
import Storage

/// What a statement does to the types of the catalogue.
package enum BoundTypeChange: Sendable {
    case create(TableName, UserType)
    /// Another definition under the same name.
    case replace(TableName, UserType, DomainTest?)
    case rename(TableName, to: TableName)
    case drop([TableName], cascade: Bool)
    case nothing(notice: QueryError?)

    /// What the values that are stored must meet before a domain may change.
    package struct DomainTest: Sendable {
        package var isNotNull = false
        /// Over VALUE.
        package var condition: String?
    }
}

extension StatementBinder {
    func bindTypeStatement(_ statement: TypeStatement) throws -> BoundStatement {
        func bound(_ change: BoundTypeChange, _ tag: String) -> BoundStatement { .defineType(change, tag: tag) }
        switch statement.action {
        case .createEnumeration(let labels):
            return bound(try createEnumeration(statement, labels), "CREATE TYPE")
        case .createComposite(let attributes):
            return bound(try createComposite(statement, attributes), "CREATE TYPE")
        case .createDomain(let description): return bound(try createDomain(statement, description), "CREATE DOMAIN")
        case .addLabel(let label): return bound(try addLabel(statement, label), "ALTER TYPE")
        case .renameLabel(let old, let new): return bound(try renameLabel(statement, old, new), "ALTER TYPE")
        case .alterDomain(let change): return bound(try alterDomain(statement, change), "ALTER DOMAIN")
        case .renameAttribute(let old, let new):
            return bound(try renameAttribute(statement, old, new), "ALTER TYPE")
        case .renameTo(let new, let isDomain):
            let (name, _) = try definedType(statement.name, isDomain: isDomain)
            var other = name
            other.table = new.text
            try refuseExistingType(other, at: new.position)
            return bound(.rename(name, to: other), isDomain ? "ALTER DOMAIN" : "ALTER TYPE")
        case .setSchema(let schema, let isDomain):
            let (name, _) = try definedType(statement.name, isDomain: isDomain)
            var other = name
            other.schema = schema.text
            try refuseExistingType(other, at: schema.position)
            return bound(.rename(name, to: other), isDomain ? "ALTER DOMAIN" : "ALTER TYPE")
        case .ownerTo:
            _ = try definedType(statement.name, isDomain: false)
            return bound(.nothing(notice: nil), "ALTER TYPE")
        case .drop(let drop): return try bindDropType(drop)
        }
    }

    // MARK: - Names

    private func missingType(_ name: ObjectName) -> QueryError {
        let text = name.parts.joined(separator: ".")
        return QueryError(.undefinedObject, "type \"\(text)\" does not exist", at: name.position, object: text)
    }

    private func definedType(_ name: ObjectName, isDomain: Bool) throws -> (name: TableName, type: UserType) {
        guard let found = userType(name) else { throw missingType(name) }
        if isDomain {
            guard case .domain = found.type.kind else {
                throw QueryError(.wrongObjectType, "\"\(name.last)\" is not a domain", at: name.position)
            }
        }
        return found
    }

    private func newTypeName(_ name: ObjectName) throws -> TableName {
        let created = try creationName(name)
        try refuseExistingType(created, at: name.position)
        return created
    }

    private func refuseExistingType(_ name: TableName, at position: SourcePosition) throws {
        guard catalog.objects.types[name] != nil else { return }
        throw QueryError(
            .duplicateObject, "type \"\(name.table)\" already exists", at: position, object: name.table)
    }

    // MARK: - Enumerations

    private func checkLabel(_ label: String, at position: SourcePosition) throws {
        guard label.utf8.count <= DataType.nameByteCountMax else {
            throw QueryError(
                SQLState("42602"), "invalid enum label \"\(label)\"",
                detail: "Labels must be \(DataType.nameByteCountMax) bytes or less.", at: position)
        }
    }

    private func createEnumeration(_ statement: TypeStatement, _ labels: [String]) throws -> BoundTypeChange {
        let name = try newTypeName(statement.name)
        var seen: Set<String> = []
        for label in labels {
            try checkLabel(label, at: statement.position)
            guard seen.insert(label).inserted else {
                throw QueryError(
                    .uniqueViolation, "enum label \"\(label)\" used more than once", at: statement.position)
            }
        }
        let keyed = labels.enumerated().map {
            EnumeratedType.Label(key: Int64($0.offset) * UserType.keyStride, text: $0.element)
        }
        let identifier = UserType.nextIdentifier()
        let type = EnumeratedType(identifier: identifier, name: SyntaxPrinter.identifier(name.table), labels: keyed)
        return .create(name, UserType(identifier: identifier, kind: .enumeration(type, labels: keyed)))
    }

    private func enumeration(_ statement: TypeStatement) throws -> (
        name: TableName, type: UserType, object: EnumeratedType, labels: [EnumeratedType.Label]
    ) {
        let (name, type) = try definedType(statement.name, isDomain: false)
        guard case .enumeration(let object, let labels) = type.kind else {
            throw QueryError(
                .wrongObjectType, "\"\(statement.name.last)\" is not an enum", at: statement.name.position)
        }
        return (name, type, object, labels)
    }

    private func addLabel(_ statement: TypeStatement, _ label: EnumerationLabel) throws -> BoundTypeChange {
        var (name, type, object, labels) = try enumeration(statement)
        try checkLabel(label.text, at: statement.position)
        if labels.contains(where: { $0.text == label.text }) {
            let message = "enum label \"\(label.text)\" already exists"
            guard label.ifNotExists else { throw QueryError(.duplicateObject, message, at: statement.position) }
            return .nothing(notice: QueryError(.duplicateObject, message + ", skipping"))
        }
        var place = labels.count
        if let neighbour = label.neighbour {
            guard let found = labels.firstIndex(where: { $0.text == neighbour }) else {
                throw QueryError(
                    .invalidParameterValue, "\"\(neighbour)\" is not an existing enum label", at: statement.position)
            }
            place = label.isBefore ? found : found + 1
        }
        let before = place > 0 ? labels[place - 1].key : nil
        let after = place < labels.count ? labels[place].key : nil
        let key: Int64
        switch (before, after) {
        case (let low?, let high?):
            key = low + (high - low) / 2
            if key == low { throw QueryError.notSupported("one more label between these two", at: statement.position) }
        case (let low?, nil): key = low + UserType.keyStride
        case (nil, let high?): key = high - UserType.keyStride
        case (nil, nil): key = 0
        }
        labels.insert(EnumeratedType.Label(key: key, text: label.text), at: place)
        type.kind = .enumeration(object, labels: labels)
        return .replace(name, type, nil)
    }

    private func renameLabel(_ statement: TypeStatement, _ old: String, _ new: String) throws -> BoundTypeChange {
        var (name, type, object, labels) = try enumeration(statement)
        guard let place = labels.firstIndex(where: { $0.text == old }) else {
            throw QueryError(
                .invalidParameterValue, "\"\(old)\" is not an existing enum label", at: statement.position)
        }
        try checkLabel(new, at: statement.position)
        if labels.contains(where: { $0.text == new }) {
            throw QueryError(.duplicateObject, "enum label \"\(new)\" already exists", at: statement.position)
        }
        labels[place].text = new
        type.kind = .enumeration(object, labels: labels)
        return .replace(name, type, nil)
    }

    // MARK: - Composite types

    private func createComposite(_ statement: TypeStatement, _ attributes: [TypeAttribute]) throws -> BoundTypeChange {
        let name = try newTypeName(statement.name)
        if let relation = relations.byName[statement.name.parts], case .table(let table, _) = relation, table == name {
            throw QueryError(
                .duplicateTable, "relation \"\(name.table)\" already exists", at: statement.name.position)
        }
        try refuseDuplicateColumns(attributes.map(\.name))
        let fields = try attributes.map { attribute -> UserType.Attribute in
            if attribute.type.name.last == "unknown" {
                throw QueryError(
                    SQLState("42P16"), "column \"\(attribute.name)\" has pseudo-type unknown",
                    at: attribute.name.position, object: attribute.name.text)
            }
            let named = try resolveType(attribute.type)
            return UserType.Attribute(
                field: Field(name: attribute.name.text, type: named.type, modifier: named.columnModifier),
                userType: named.userType)
        }
        return .create(name, UserType(identifier: UserType.nextIdentifier(), kind: .composite(fields)))
    }

    private func renameAttribute(
        _ statement: TypeStatement, _ old: Identifier, _ new: Identifier
    ) throws -> BoundTypeChange {
        let (_, type) = try definedType(statement.name, isDomain: false)
        guard case .composite = type.kind else {
            throw QueryError(
                .wrongObjectType, "\"\(statement.name.last)\" is not a composite type", at: statement.name.position)
        }
        throw QueryError.notSupported("renaming an attribute of a type", at: old.position)
    }

    // MARK: - Domains

    private func createDomain(_ statement: TypeStatement, _ description: DomainDescription) throws -> BoundTypeChange {
        let name = try newTypeName(statement.name)
        let named = try resolveType(description.type)
        if named.type == .unknown { throw QueryError.notSupported("a domain over this type", at: statement.position) }
        var domain = UserType.Domain(
            base: named.type, parent: named.userType, isNotNull: false, checks: [], defaultExpression: nil)
        domain.modifier = named.columnModifier
        if let parent = named.userType, case .composite? = userType(parent)?.type.kind {
            throw QueryError.notSupported("a domain over a composite type", at: description.type.position)
        }
        var isNull: Bool?
        var hasDefault = false
        for constraint in description.constraints {
            switch constraint.kind {
            case .notNull, .null:
                let value = constraint.kind == .null
                if let isNull, isNull != value {
                    throw QueryError(
                        .syntaxError, "conflicting NULL/NOT NULL constraints", at: constraint.position)
                }
                isNull = value
                domain.isNotNull = !value
            case .defaultValue(let value):
                if hasDefault {
                    throw QueryError(.syntaxError, "multiple default expressions", at: constraint.position)
                }
                hasDefault = true
                domain.defaultExpression = try checkedDefault(value, domain)
            case .check(let expression):
                try addCheck(expression, constraint, isValidated: true, name, &domain)
            case .unique, .primaryKey, .references:
                let what =
                    switch constraint.kind {
                    case .unique: "unique"
                    case .primaryKey: "primary key"
                    default: "foreign key"
                    }
                throw QueryError(
                    .syntaxError, "\(what) constraints not possible for domains", at: constraint.position)
            case .generated, .identity:
                throw QueryError(.syntaxError, "syntax error in a domain's constraint", at: constraint.position)
            }
        }
        return .create(name, UserType(identifier: UserType.nextIdentifier(), kind: .domain(domain)))
    }

    private func checkedDefault(_ value: SyntaxExpression, _ domain: UserType.Domain) throws -> String? {
        if case .literal(.null) = value.kind { return nil }
        let scope = Scope(parent: nil, commonTables: nil, select: nil, clause: .defaultExpression)
        _ = try assigned(operand(value, scope), to: Field(name: "value", type: domain.base, modifier: domain.modifier))
        return SyntaxPrinter.text(of: value)
    }

    private func addCheck(
        _ expression: SyntaxExpression, _ constraint: ColumnConstraint, isValidated: Bool, _ domainName: TableName,
        _ domain: inout UserType.Domain
    ) throws {
        let text = SyntaxPrinter.text(of: expression)
        _ = try domainCheck(text, .null(domain.base))
        let taken = Set(domain.checks.map(\.name))
        let made: String
        if let name = constraint.name {
            if taken.contains(name.text) {
                throw QueryError(
                    .duplicateObject,
                    "constraint \"\(name)\" for domain \"\(domainName.table)\" already exists", at: name.position)
            }
            made = name.text
        } else {
            let base = domainName.table + "_check"
            var number = 0
            while taken.contains(number == 0 ? base : base + String(number)) { number += 1 }
            made = number == 0 ? base : base + String(number)
        }
        domain.checks.append(.init(name: made, expression: text, isValidated: isValidated))
    }

    private func alterDomain(_ statement: TypeStatement, _ change: DomainChange) throws -> BoundTypeChange {
        var (name, type) = try definedType(statement.name, isDomain: true)
        guard case .domain(var domain) = type.kind else { throw missingType(statement.name) }
        var test: BoundTypeChange.DomainTest?
        func missing(_ constraint: Identifier) -> QueryError {
            QueryError(
                .undefinedObject,
                "constraint \"\(constraint)\" of domain \"\(name.table)\" does not exist", at: constraint.position,
                object: constraint.text)
        }
        switch change {
        case .setDefault(let value): domain.defaultExpression = try checkedDefault(value, domain)
        case .dropDefault: domain.defaultExpression = nil
        case .setNotNull:
            if !domain.isNotNull { test = .init(isNotNull: true) }
            domain.isNotNull = true
        case .dropNotNull: domain.isNotNull = false
        case .addConstraint(let constraint, let isValidated):
            guard case .check(let expression) = constraint.kind else {
                throw QueryError.notSupported("this kind of constraint for a domain", at: constraint.position)
            }
            try addCheck(expression, constraint, isValidated: isValidated, name, &domain)
            if isValidated { test = .init(condition: SyntaxPrinter.text(of: expression)) }
        case .dropConstraint(let constraint, let ifExists):
            guard let place = domain.checks.firstIndex(where: { $0.name == constraint.text }) else {
                guard ifExists else { throw missing(constraint) }
                return .nothing(
                    notice: QueryError(
                        .undefinedObject,
                        "constraint \"\(constraint)\" of domain \"\(name.table)\" does not exist, skipping"))
            }
            domain.checks.remove(at: place)
        case .renameConstraint(let old, let new):
            guard let place = domain.checks.firstIndex(where: { $0.name == old.text }) else { throw missing(old) }
            domain.checks[place].name = new.text
        case .validateConstraint(let constraint):
            guard let place = domain.checks.firstIndex(where: { $0.name == constraint.text }) else {
                throw missing(constraint)
            }
            if !domain.checks[place].isValidated { test = .init(condition: domain.checks[place].expression) }
            domain.checks[place].isValidated = true
        }
        type.kind = .domain(domain)
        return .replace(name, type, test)
    }

    // MARK: - DROP

    private func bindDropType(_ drop: TypeDrop) throws -> BoundStatement {
        let tag = drop.isDomain ? "DROP DOMAIN" : "DROP TYPE"
        var names: [TableName] = []
        for name in drop.names {
            guard let (found, type) = userType(name) else {
                if name.schema == nil || name.schema == "pg_catalog", Self.isBuiltIn(name.last) {
                    throw QueryError(
                        SQLState("2BP01"),
                        "cannot drop type \(name.last) because it is required by the database system",
                        at: name.position)
                }
                guard drop.ifExists else { throw missingType(name) }
                let notice = QueryError(.undefinedObject, "type \"\(name.last)\" does not exist, skipping")
                if drop.names.count == 1 { return .defineType(.nothing(notice: notice), tag: tag) }
                continue
            }
            if drop.isDomain {
                guard case .domain = type.kind else {
                    throw QueryError(.wrongObjectType, "\"\(name.last)\" is not a domain", at: name.position)
                }
            }
            if !names.contains(found) { names.append(found) }
        }
        return .defineType(.drop(names, cascade: drop.cascade), tag: tag)
    }
}
