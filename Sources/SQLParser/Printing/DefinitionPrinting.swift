// Printing statements that define objects.

extension SyntaxPrinter {
    mutating func print(_ create: CreateTable) {
        text += create.orReplace ? "CREATE OR REPLACE " : "CREATE "
        switch create.persistence {
        case .permanent: break
        case .temporary: text += "TEMPORARY "
        case .unlogged: text += "UNLOGGED "
        }
        text += create.ifNotExists ? "TABLE IF NOT EXISTS " : "TABLE "
        print(create.name)
        if create.query == nil {
            text += " ("
            list(create.elements) { printer, element in printer.print(element) }
            text += ")"
        }
        printColumns(create.columnNames)
        if !create.options.isEmpty {
            text += " WITH "
            print(create.options)
        }
        if let onCommit = create.onCommit { text += " ON COMMIT " + onCommit.rawValue.uppercasedASCII }
        if let query = create.query {
            text += " AS "
            print(query)
            if !create.withData { text += " WITH NO DATA" }
        }
    }

    private mutating func print(_ element: CreateTable.Element) {
        switch element {
        case .column(let column): print(column)
        case .constraint(let constraint): print(constraint)
        case .like(let table, let options):
            text += "LIKE "
            print(table)
            for option in options { text += " " + option.uppercasedASCII }
        }
    }

    private mutating func print(_ column: ColumnDefinition) {
        print(column.name)
        text += " "
        print(column.type)
        if let collation = column.collation {
            text += " COLLATE "
            print(collation)
        }
        for constraint in column.constraints {
            text += " "
            print(constraint)
        }
    }

    mutating func print(_ constraint: ColumnConstraint) {
        printConstraintName(constraint.name)
        print(constraint.kind)
    }

    private mutating func printConstraintName(_ name: Identifier?) {
        guard let name else { return }
        text += "CONSTRAINT "
        print(name)
        text += " "
    }

    private mutating func print(_ kind: ColumnConstraint.Kind) {
        switch kind {
        case .notNull: text += "NOT NULL"
        case .null: text += "NULL"
        case .defaultValue(let value):
            text += "DEFAULT "
            print(value, minimum: Precedence.sign)
        case .check(let condition): printCheck(condition)
        case .primaryKey: text += "PRIMARY KEY"
        case .unique(let nullsAreEqual): text += nullsAreEqual ? "UNIQUE NULLS NOT DISTINCT" : "UNIQUE"
        case .references(let target): print(target)
        case .generated(let expression):
            text += "GENERATED ALWAYS AS ("
            print(expression)
            text += ") STORED"
        case .identity(let always, let settings):
            text += "GENERATED \(always ? "ALWAYS" : "BY DEFAULT") AS IDENTITY"
            if settings != SequenceSettings() {
                text += " ("
                print(settings)
                text += ")"
            }
        }
    }

    private mutating func printCheck(_ condition: Expression) {
        text += "CHECK ("
        print(condition)
        text += ")"
    }

    private mutating func print(_ target: ForeignKeyTarget) {
        text += "REFERENCES "
        print(target.table)
        printColumns(target.columns)
        if let action = target.onDelete { text += " ON DELETE " + action.uppercasedASCII }
        if let action = target.onUpdate { text += " ON UPDATE " + action.uppercasedASCII }
    }

    private mutating func print(_ constraint: TableConstraint) {
        printConstraintName(constraint.name)
        switch constraint.kind {
        case .check(let condition): printCheck(condition)
        case .primaryKey(let columns):
            text += "PRIMARY KEY"
            printColumns(columns)
        case .unique(let columns, let nullsAreEqual):
            text += nullsAreEqual ? "UNIQUE NULLS NOT DISTINCT" : "UNIQUE"
            printColumns(columns)
        case .foreignKey(let columns, let target):
            text += "FOREIGN KEY"
            printColumns(columns)
            text += " "
            print(target)
        }
    }

    mutating func print(_ create: CreateView) {
        text += create.orReplace ? "CREATE OR REPLACE " : "CREATE "
        if create.isTemporary { text += "TEMPORARY " }
        if create.isMaterialized { text += "MATERIALIZED " }
        text += create.ifNotExists ? "VIEW IF NOT EXISTS " : "VIEW "
        print(create.name)
        printColumns(create.columns)
        if !create.options.isEmpty {
            text += " WITH "
            print(create.options)
        }
        text += " AS "
        print(create.query)
        if let option = create.checkOption { text += " WITH " + option.uppercasedASCII + " CHECK OPTION" }
        if create.isMaterialized, !create.withData { text += " WITH NO DATA" }
    }

    mutating func print(_ refresh: Refresh) {
        text += "REFRESH MATERIALIZED VIEW "
        if refresh.isConcurrent { text += "CONCURRENTLY " }
        print(refresh.name)
        if !refresh.withData { text += " WITH NO DATA" }
    }

    mutating func print(_ create: CreateSchema) {
        text += create.ifNotExists ? "CREATE SCHEMA IF NOT EXISTS" : "CREATE SCHEMA"
        if let name = create.name {
            text += " "
            print(name)
        }
        if let owner = create.authorization {
            text += " AUTHORIZATION "
            print(owner)
        }
    }

    // MARK: - ALTER TABLE

    mutating func print(_ alter: AlterTable) {
        text += "ALTER " + alter.object.rawValue.uppercasedASCII + " "
        if alter.ifExists { text += "IF EXISTS " }
        print(alter.name)
        text += " "
        list(alter.actions) { printer, action in printer.print(action) }
    }

    private mutating func print(_ action: AlterTable.Action) {
        switch action {
        case .addColumn(let column, let ifNotExists):
            text += ifNotExists ? "ADD COLUMN IF NOT EXISTS " : "ADD COLUMN "
            print(column)
        case .dropColumn(let name, let ifExists, let cascade): printDrop("COLUMN", name, ifExists, cascade)
        case .dropConstraint(let name, let ifExists, let cascade): printDrop("CONSTRAINT", name, ifExists, cascade)
        case .setType(let column, let type, let using):
            printAlterColumn(column, " TYPE ")
            print(type)
            if let using {
                text += " USING "
                print(using)
            }
        case .setDefault(let column, let value):
            printAlterColumn(column, " SET DEFAULT ")
            print(value)
        case .dropDefault(let column): printAlterColumn(column, " DROP DEFAULT")
        case .setNotNull(let column): printAlterColumn(column, " SET NOT NULL")
        case .dropNotNull(let column): printAlterColumn(column, " DROP NOT NULL")
        case .addConstraint(let constraint):
            text += "ADD "
            print(constraint)
        case .renameColumn(let column, let name):
            text += "RENAME COLUMN "
            print(column)
            text += " TO "
            print(name)
        case .renameTo(let name):
            text += "RENAME TO "
            print(name)
        case .renameConstraint(let name, let new):
            text += "RENAME CONSTRAINT "
            print(name)
            text += " TO "
            print(new)
        case .setOptions(let options):
            text += "SET "
            print(options)
        case .resetOptions(let names):
            text += "RESET (" + names.map { Self.identifier($0.text) }.joined(separator: ", ") + ")"
        case .setSchema(let name):
            text += "SET SCHEMA "
            print(name)
        case .ownerTo(let name):
            text += "OWNER TO "
            print(name)
        }
    }

    private mutating func printDrop(_ word: String, _ name: Identifier, _ ifExists: Bool, _ cascade: Bool) {
        text += "DROP " + word + (ifExists ? " IF EXISTS " : " ")
        print(name)
        if cascade { text += " CASCADE" }
    }

    private mutating func printAlterColumn(_ column: Identifier, _ words: String) {
        text += "ALTER COLUMN "
        print(column)
        text += words
    }
}
