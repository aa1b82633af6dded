// Printing CREATE TYPE, CREATE DOMAIN and the statements that change and drop types.

extension SyntaxPrinter {
    mutating func print(_ statement: TypeStatement) {
        let name = statement.name.parts.map(Self.identifier).joined(separator: ".")
        switch statement.action {
        case .createEnumeration(let labels):
            text += "CREATE TYPE \(name) AS ENUM (\(labels.map(Self.stringLiteral).joined(separator: ", ")))"
        case .createComposite(let attributes):
            text += "CREATE TYPE \(name) AS ("
            for (index, attribute) in attributes.enumerated() {
                if index > 0 { text += ", " }
                text += Self.identifier(attribute.name.text) + " "
                print(attribute.type)
            }
            text += ")"
        case .createDomain(let description):
            text += "CREATE DOMAIN \(name) AS "
            print(description.type)
            for constraint in description.constraints {
                text += " "
                print(constraint)
            }
        case .addLabel(let label):
            text += "ALTER TYPE \(name) ADD VALUE " + (label.ifNotExists ? "IF NOT EXISTS " : "")
            text += Self.stringLiteral(label.text)
            if let neighbour = label.neighbour {
                text += (label.isBefore ? " BEFORE " : " AFTER ") + Self.stringLiteral(neighbour)
            }
        case .renameLabel(let old, let new):
            text += "ALTER TYPE \(name) RENAME VALUE \(Self.stringLiteral(old)) TO \(Self.stringLiteral(new))"
        case .alterDomain(let change):
            text += "ALTER DOMAIN \(name) "
            print(change)
        case .renameAttribute(let old, let new):
            text += "ALTER TYPE \(name) RENAME ATTRIBUTE "
            text += "\(Self.identifier(old.text)) TO \(Self.identifier(new.text))"
        case .renameTo(let new, let isDomain):
            text += "ALTER \(isDomain ? "DOMAIN" : "TYPE") \(name) RENAME TO \(Self.identifier(new.text))"
        case .setSchema(let schema, let isDomain):
            text += "ALTER \(isDomain ? "DOMAIN" : "TYPE") \(name) SET SCHEMA \(Self.identifier(schema.text))"
        case .ownerTo(let role): text += "ALTER TYPE \(name) OWNER TO \(Self.identifier(role.text))"
        case .drop(let drop):
            text += "DROP \(drop.isDomain ? "DOMAIN" : "TYPE") " + (drop.ifExists ? "IF EXISTS " : "")
            text += drop.names.map { $0.parts.map(Self.identifier).joined(separator: ".") }.joined(separator: ", ")
            if drop.cascade { text += " CASCADE" }
        }
    }

    private mutating func print(_ change: DomainChange) {
        switch change {
        case .setDefault(let value):
            text += "SET DEFAULT "
            print(value)
        case .dropDefault: text += "DROP DEFAULT"
        case .setNotNull: text += "SET NOT NULL"
        case .dropNotNull: text += "DROP NOT NULL"
        case .addConstraint(let constraint, let isValidated):
            text += "ADD "
            print(constraint)
            if !isValidated { text += " NOT VALID" }
        case .dropConstraint(let name, let ifExists):
            text += "DROP CONSTRAINT " + (ifExists ? "IF EXISTS " : "") + Self.identifier(name.text)
        case .renameConstraint(let old, let new):
            text += "RENAME CONSTRAINT \(Self.identifier(old.text)) TO \(Self.identifier(new.text))"
        case .validateConstraint(let name): text += "VALIDATE CONSTRAINT \(Self.identifier(name.text))"
        }
    }
}
