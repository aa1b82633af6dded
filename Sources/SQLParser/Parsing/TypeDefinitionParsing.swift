// CREATE TYPE, CREATE DOMAIN, ALTER TYPE, ALTER DOMAIN, DROP TYPE, DROP DOMAIN.

import Diagnostics

extension Parser {
    // MARK: - CREATE

    mutating func parseCreateType(at position: SourcePosition) throws(ParseFailure) -> TypeStatement {
        try expect(.type)
        let name = try parseObjectName()
        guard try accept(.as) else { throw notSupported("CREATE TYPE of a base type") }
        if try accept(.enum) {
            try expectKind(.leftParenthesis)
            var labels: [String] = []
            if !atKind(.rightParenthesis) {
                repeat { labels.append(try parseString()) } while try acceptKind(.comma)
            }
            try expectKind(.rightParenthesis)
            return TypeStatement(name: name, action: .createEnumeration(labels), position: position)
        }
        if at(.range) { throw notSupported("CREATE TYPE AS RANGE") }
        try expectKind(.leftParenthesis)
        var attributes: [TypeAttribute] = []
        if !atKind(.rightParenthesis) {
            repeat {
                let attribute = try parseIdentifier()
                attributes.append(TypeAttribute(name: attribute, type: try parseTypeName()))
                if try accept(.collate) { _ = try parseAnyName() }
            } while try acceptKind(.comma)
        }
        try expectKind(.rightParenthesis)
        return TypeStatement(name: name, action: .createComposite(attributes), position: position)
    }

    mutating func parseCreateDomain(at position: SourcePosition) throws(ParseFailure) -> TypeStatement {
        try expect(.domain)
        let name = try parseObjectName()
        _ = try accept(.as)
        let type = try parseTypeName()
        var constraints: [ColumnConstraint] = []
        while true {
            if try accept(.collate) {
                _ = try parseAnyName()
            } else if let constraint = try parseColumnConstraint() {
                constraints.append(constraint)
            } else {
                break
            }
        }
        return TypeStatement(
            name: name, action: .createDomain(DomainDescription(type: type, constraints: constraints)),
            position: position)
    }

    // MARK: - ALTER

    mutating func parseAlterType(at position: SourcePosition) throws(ParseFailure) -> TypeStatement {
        try expect(.type)
        let name = try parseObjectName()
        func made(_ action: TypeStatement.Action) -> TypeStatement {
            TypeStatement(name: name, action: action, position: position)
        }
        if at(.add), try peek().keyword == .value {
            try advance()
            try advance()
            let ifNotExists = try parseIfNotExists()
            let text = try parseString()
            let isBefore = try accept(.before)
            let hasNeighbour = isBefore ? true : try accept(.after)
            return made(
                .addLabel(
                    EnumerationLabel(
                        text: text, ifNotExists: ifNotExists, isBefore: isBefore,
                        neighbour: hasNeighbour ? try parseString() : nil)))
        }
        if try accept(.rename) {
            if try accept(.value) {
                let old = try parseString()
                try expect(.to)
                return made(.renameLabel(old, to: try parseString()))
            }
            if try accept(.attribute) {
                let old = try parseIdentifier()
                try expect(.to)
                let new = try parseIdentifier()
                _ = try parseDropBehavior()
                return made(.renameAttribute(old, to: new))
            }
            try expect(.to)
            return made(.renameTo(try parseIdentifier(), isDomain: false))
        }
        if let action = try parseOwnerOrSchema(isDomain: false) { return made(action) }
        if at(.add) || at(.drop) || at(.alter) { throw notSupported("ALTER TYPE of attributes") }
        throw syntaxError()
    }

    private mutating func parseOwnerOrSchema(isDomain: Bool) throws(ParseFailure) -> TypeStatement.Action? {
        if try accept(.owner) {
            try expect(.to)
            return .ownerTo(try parseRole())
        }
        if at(.set), try peek().keyword == .schema {
            try advance()
            try advance()
            return .setSchema(try parseIdentifier(), isDomain: isDomain)
        }
        return nil
    }

    mutating func parseAlterDomain(at position: SourcePosition) throws(ParseFailure) -> TypeStatement {
        try expect(.domain)
        let name = try parseObjectName()
        return TypeStatement(name: name, action: try parseDomainAction(), position: position)
    }

    private mutating func parseDomainAction() throws(ParseFailure) -> TypeStatement.Action {
        if let action = try parseOwnerOrSchema(isDomain: true) { return action }
        if try accept(.set) {
            if try accept(.not) {
                try expect(.null)
                return .alterDomain(.setNotNull)
            }
            try expect(.default)
            return .alterDomain(.setDefault(try parseExpression()))
        }
        if try accept(.drop) {
            if try accept(.default) { return .alterDomain(.dropDefault) }
            if try accept(.not) {
                try expect(.null)
                return .alterDomain(.dropNotNull)
            }
            try expect(.constraint)
            let ifExists = try parseIfExists()
            let constraint = try parseIdentifier()
            _ = try parseDropBehavior()
            return .alterDomain(.dropConstraint(constraint, ifExists: ifExists))
        }
        if try accept(.add) {
            guard let constraint = try parseColumnConstraint(allowsNotValid: true) else { throw syntaxError() }
            var isValidated = true
            if try accept(.not) {
                try expect(.valid)
                isValidated = false
            }
            return .alterDomain(.addConstraint(constraint, isValidated: isValidated))
        }
        if try accept(.validate) {
            try expect(.constraint)
            return .alterDomain(.validateConstraint(try parseIdentifier()))
        }
        try expect(.rename)
        if try accept(.constraint) {
            let old = try parseIdentifier()
            try expect(.to)
            return .alterDomain(.renameConstraint(old, to: try parseIdentifier()))
        }
        try expect(.to)
        return .renameTo(try parseIdentifier(), isDomain: true)
    }

    // MARK: - DROP

    mutating func parseDropType(at position: SourcePosition) throws(ParseFailure) -> TypeStatement {
        let isDomain = at(.domain)
        try advance()
        let ifExists = try parseIfExists()
        let names = try parseObjectNameList()
        let drop = TypeDrop(names: names, isDomain: isDomain, ifExists: ifExists, cascade: try parseDropBehavior())
        return TypeStatement(name: ObjectName([], at: position), action: .drop(drop), position: position)
    }
}
