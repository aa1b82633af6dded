// Printing queries.

extension SyntaxPrinter {
    mutating func printInParentheses(_ query: Query) {
        text += "("
        print(query)
        text += ")"
    }

    mutating func print(_ query: Query) {
        if let with = query.with { print(with) }
        print(query.body)
        if !query.orderBy.isEmpty {
            text += " "
            printOrderBy(query.orderBy)
        }
        if let limit = query.limit {
            if limit.withTies {
                text += " FETCH FIRST "
                print(limit.count, minimum: Precedence.sign)
                text += " ROWS WITH TIES"
            } else {
                text += " LIMIT "
                print(limit.count)
            }
        }
        if let offset = query.offset {
            text += " OFFSET "
            print(offset)
        }
        for locking in query.locking {
            text += " FOR " + locking.strength.uppercasedASCII
            if !locking.tables.isEmpty {
                text += " OF "
                list(locking.tables) { printer, table in printer.print(table) }
            }
            if let wait = locking.wait { text += " " + wait.uppercasedASCII }
        }
    }

    /// With a space at its end.
    mutating func print(_ with: WithClause) {
        text += with.isRecursive ? "WITH RECURSIVE " : "WITH "
        list(with.tables) { printer, table in
            printer.print(table.name)
            printer.printColumns(table.columns)
            printer.text += " AS "
            switch table.materialization {
            case .materialized: printer.text += "MATERIALIZED "
            case .notMaterialized: printer.text += "NOT MATERIALIZED "
            case nil: break
            }
            switch table.body {
            case .query(let query): printer.printInParentheses(query)
            case .change(let statement):
                printer.text += "("
                printer.print(statement)
                printer.text += ")"
            }
            if let search = table.search { printer.print(search) }
            if let cycle = table.cycle { printer.print(cycle) }
        }
        text += " "
    }

    private mutating func print(_ search: SearchClause) {
        text += search.isBreadthFirst ? " SEARCH BREADTH FIRST BY " : " SEARCH DEPTH FIRST BY "
        list(search.columns) { printer, name in printer.print(name) }
        text += " SET "
        print(search.sequence)
    }

    private mutating func print(_ cycle: CycleClause) {
        text += " CYCLE "
        list(cycle.columns) { printer, name in printer.print(name) }
        text += " SET "
        print(cycle.mark)
        if let value = cycle.value, let other = cycle.defaultValue {
            text += " TO "
            print(value)
            text += " DEFAULT "
            print(other)
        }
        text += " USING "
        print(cycle.path)
    }

    private mutating func print(_ body: QueryBody) {
        switch body {
        case .select(let core): print(core)
        case .setOperation(let operation):
            let level = operation.kind == .intersect ? 2 : 1
            printOperand(operation.left, minimum: level)
            text += " " + operation.kind.rawValue.uppercasedASCII
            if operation.isAll { text += " ALL" }
            if operation.byName { text += " BY NAME" }
            text += " "
            printOperand(operation.right, minimum: level + 1)
        case .values(let rows):
            text += "VALUES "
            list(rows) { printer, row in
                printer.text += "("
                printer.print(row)
                printer.text += ")"
            }
        case .table(let name):
            text += "TABLE "
            print(name)
        case .nested(let query): printInParentheses(query)
        }
    }

    private mutating func printOperand(_ body: QueryBody, minimum: Int) {
        if case .setOperation(let operation) = body, (operation.kind == .intersect ? 2 : 1) < minimum {
            text += "("
            print(body)
            text += ")"
        } else {
            print(body)
        }
    }

    // MARK: - SELECT

    private mutating func print(_ core: SelectCore) {
        text += "SELECT"
        switch core.distinct {
        case .all: break
        case .distinct: text += " DISTINCT"
        case .on(let expressions):
            text += " DISTINCT ON ("
            print(expressions)
            text += ")"
        }
        if !core.items.isEmpty {
            text += " "
            print(core.items)
        }
        if !core.from.isEmpty {
            text += " FROM "
            list(core.from) { printer, table in printer.print(table) }
        }
        if let condition = core.whereClause {
            text += " WHERE "
            print(condition)
        }
        if let groupBy = core.groupBy { print(groupBy) }
        if let condition = core.having {
            text += " HAVING "
            print(condition)
        }
        if !core.windows.isEmpty {
            text += " WINDOW "
            list(core.windows) { printer, window in
                printer.print(window.name)
                printer.text += " AS "
                printer.print(window.specification)
            }
        }
        if let condition = core.qualify {
            text += " QUALIFY "
            print(condition)
        }
    }

    mutating func print(_ items: [SelectItem]) {
        list(items) { printer, item in
            switch item.kind {
            case .expression(let expression, let alias):
                printer.print(expression)
                if let alias {
                    printer.text += " AS "
                    printer.print(alias)
                }
            case .star(let star): printer.print(star)
            case .fieldStar(let value):
                printer.text += "("
                printer.print(value)
                printer.text += ").*"
            }
        }
    }

    private mutating func print(_ star: StarItem) {
        text += (star.qualifier.map(SyntaxPrinter.identifier) + ["*"]).joined(separator: ".")
        if !star.exclude.isEmpty {
            text += " EXCLUDE ("
            print(star.exclude)
            text += ")"
        }
        if !star.replace.isEmpty {
            text += " REPLACE ("
            list(star.replace) { printer, replacement in
                printer.print(replacement.expression)
                printer.text += " AS "
                printer.print(replacement.column)
            }
            text += ")"
        }
        if !star.rename.isEmpty {
            text += " RENAME ("
            list(star.rename) { printer, renaming in
                printer.print(renaming.column)
                printer.text += " AS "
                printer.print(renaming.name)
            }
            text += ")"
        }
    }

    private mutating func print(_ groupBy: GroupByClause) {
        text += " GROUP BY "
        if groupBy.isAll { text += "ALL" }
        if groupBy.isDistinct { text += "DISTINCT " }
        list(groupBy.elements) { printer, element in printer.print(element) }
    }

    private mutating func print(_ element: GroupingElement) {
        switch element {
        case .expression(let expression): print(expression)
        case .rollup(let members): printMembers("ROLLUP", members)
        case .cube(let members): printMembers("CUBE", members)
        case .groupingSets(let sets):
            text += "GROUPING SETS ("
            list(sets) { printer, set in printer.print(set) }
            text += ")"
        case .set(let expressions):
            text += "("
            print(expressions)
            text += ")"
        case .empty: text += "()"
        }
    }

    private mutating func printMembers(_ word: String, _ members: [[Expression]]) {
        text += word + " ("
        list(members) { printer, member in
            if member.count == 1 { return printer.print(member) }
            printer.text += "("
            printer.print(member)
            printer.text += ")"
        }
        text += ")"
    }

    // MARK: - FROM

    mutating func print(_ tables: [TableReference]) {
        list(tables) { printer, table in printer.print(table) }
    }

    private mutating func print(_ table: TableReference) {
        switch table.kind {
        case .table(let name, let only):
            if only { text += "ONLY " }
            print(name)
        case .file(let path): text += SyntaxPrinter.stringLiteral(path)
        case .query(let query, let lateral):
            if lateral { text += "LATERAL " }
            printInParentheses(query)
        case .function(let function): print(function)
        case .join(let join):
            if table.alias != nil { text += "(" }
            print(join)
            if table.alias != nil { text += ")" }
        }
        printAlias(of: table)
        if let sample = table.sample { print(sample) }
    }

    private mutating func printAlias(of table: TableReference) {
        guard let alias = table.alias else { return }
        text += " AS"
        if let name = alias.name {
            text += " "
            print(name)
        }
        printColumns(alias.columns)
        if case .function(let function) = table.kind, !function.columnDefinitions.isEmpty {
            text += " "
            print(function.columnDefinitions)
        }
    }

    private mutating func print(_ columns: [TableFunction.ColumnDefinition]) {
        text += "("
        list(columns) { printer, column in
            printer.print(column.name)
            printer.text += " "
            printer.print(column.type)
        }
        text += ")"
    }

    private mutating func print(_ function: TableFunction) {
        if function.lateral { text += "LATERAL " }
        if function.isRowsFrom {
            text += "ROWS FROM ("
            list(function.members) { printer, member in
                printer.printTableFunction(member.expression)
                if !member.columnDefinitions.isEmpty {
                    printer.text += " AS "
                    printer.print(member.columnDefinitions)
                }
            }
            text += ")"
        } else {
            for member in function.members { printTableFunction(member.expression) }
        }
        if function.withOrdinality { text += " WITH ORDINALITY" }
    }

    private mutating func print(_ sample: TableSample) {
        text += " TABLESAMPLE "
        print(sample.method)
        text += " ("
        print(sample.arguments)
        text += ")"
        if let repeatable = sample.repeatable {
            text += " REPEATABLE ("
            print(repeatable)
            text += ")"
        }
    }

    private mutating func print(_ join: Join) {
        print(join.left)
        let natural = join.condition == .natural ? naturalColumns[join.position.offset] : nil
        text += join.condition == .natural && natural == nil ? " NATURAL " : " "
        switch join.kind {
        case .inner: text += "JOIN "
        default: text += join.kind.rawValue.uppercasedASCII + " JOIN "
        }
        if case .join = join.right.kind, join.right.alias == nil {
            text += "("
            print(join.right)
            text += ")"
        } else {
            print(join.right)
        }
        if let natural {
            let names = natural.map { Self.identifier($0) }.joined(separator: ", ")
            text += natural.isEmpty ? " ON TRUE" : " USING (\(names))"
        }
        switch join.condition {
        case .none, .natural: break
        case .on(let condition):
            text += " ON "
            print(condition)
        case .using(let columns, let alias):
            text += " USING ("
            print(columns)
            text += ")"
            if let alias {
                text += " AS "
                print(alias)
            }
        }
    }
}
