// Printing CREATE INDEX and the statements of sequences.

extension SyntaxPrinter {
    mutating func print(_ create: CreateIndex) {
        text += create.isUnique ? "CREATE UNIQUE INDEX " : "CREATE INDEX "
        if create.ifNotExists { text += "IF NOT EXISTS " }
        if let name = create.name {
            print(name)
            text += " "
        }
        text += "ON "
        print(create.table)
        if let method = create.method {
            text += " USING "
            print(method)
        }
        text += " ("
        list(create.elements) { printer, element in
            if case .column = element.kind { return printer.print(element) }
            printer.text += "("
            printer.print(element)
            printer.text += ")"
        }
        text += ")"
        if !create.included.isEmpty {
            text += " INCLUDE ("
            list(create.included) { printer, column in printer.print(column) }
            text += ")"
        }
        if create.nullsAreEqual { text += " NULLS NOT DISTINCT" }
        if let condition = create.whereClause {
            text += " WHERE "
            print(condition)
        }
    }

    mutating func print(_ create: CreateSequence) {
        text += create.isTemporary ? "CREATE TEMPORARY SEQUENCE " : "CREATE SEQUENCE "
        if create.ifNotExists { text += "IF NOT EXISTS " }
        print(create.name)
        print(create.settings)
    }

    mutating func print(_ alter: AlterSequence) {
        text += alter.ifExists ? "ALTER SEQUENCE IF EXISTS " : "ALTER SEQUENCE "
        print(alter.name)
        switch alter.action {
        case .settings(let settings): print(settings)
        case .renameTo(let name):
            text += " RENAME TO "
            print(name)
        case .ownerTo(let name):
            text += " OWNER TO "
            print(name)
        case .setSchema(let name):
            text += " SET SCHEMA "
            print(name)
        }
    }

    /// Each option with a blank in front.
    mutating func print(_ settings: SequenceSettings) {
        if let type = settings.type {
            text += " AS "
            print(type)
        }
        if let increment = settings.increment { text += " INCREMENT BY \(increment)" }
        print(settings.minimum, "MINVALUE")
        print(settings.maximum, "MAXVALUE")
        if let start = settings.start { text += " START WITH \(start)" }
        switch settings.restart {
        case nil: break
        case .value(let value)?: text += " RESTART WITH \(value)"
        case SequenceSettings.Bound.none?: text += " RESTART"
        }
        if let cache = settings.cache { text += " CACHE \(cache)" }
        if let cycles = settings.cycles { text += cycles ? " CYCLE" : " NO CYCLE" }
        if let owner = settings.owner {
            text += " OWNED BY " + (owner.isEmpty ? "NONE" : owner.map { Self.identifier($0) }.joined(separator: "."))
        }
    }

    private mutating func print(_ bound: SequenceSettings.Bound?, _ word: String) {
        switch bound {
        case nil: break
        case .value(let value)?: text += " \(word) \(value)"
        case SequenceSettings.Bound.none?: text += " NO \(word)"
        }
    }
}
