// Printing statements.

extension SyntaxPrinter {
    mutating func print(_ statement: Statement) {
        switch statement {
        case .query(let query): print(query)
        case .explain(let explain):
            text += "EXPLAIN "
            if !explain.options.isEmpty {
                print(explain.options)
                text += " "
            }
            print(explain.statement)
        case .insert(let insert): print(insert)
        case .update(let update): print(update)
        case .delete(let delete): print(delete)
        case .merge(let merge): print(merge)
        case .truncate(let truncate):
            text += "TRUNCATE "
            printNames(truncate.tables)
            if truncate.restartIdentity { text += " RESTART IDENTITY" }
            if truncate.cascade { text += " CASCADE" }
        case .copy(let copy): print(copy)
        case .createTable(let create): print(create)
        case .createView(let create): print(create)
        case .createSchema(let create): print(create)
        case .createIndex(let create): print(create)
        case .createSequence(let create): print(create)
        case .defineType(let statement): print(statement)
        case .alterSequence(let alter): print(alter)
        case .refresh(let refresh): print(refresh)
        case .drop(let drop):
            text += "DROP " + drop.object.rawValue.uppercasedASCII + " "
            if drop.ifExists { text += "IF EXISTS " }
            printNames(drop.names)
            if drop.cascade { text += " CASCADE" }
        case .alterTable(let alter): print(alter)
        case .comment(let comment):
            text += "COMMENT ON " + comment.object.rawValue.uppercasedASCII + " "
            if comment.object == .constraint {
                text += Self.identifier(comment.name.last) + " ON "
                print(ObjectName(Array(comment.name.parts.dropLast()), at: comment.name.position))
            } else {
                print(comment.name)
            }
            text += " IS " + (comment.text.map(SyntaxPrinter.stringLiteral) ?? "NULL")
        default: printSession(statement)
        }
    }

    mutating func printNames(_ names: [ObjectName]) {
        list(names) { printer, name in printer.print(name) }
    }

    /// `(name value, …)`.
    mutating func print(_ options: [StatementOption]) {
        text += "("
        list(options) { printer, option in
            printer.printSettingName(option.name)
            switch option.value {
            case .text(let value): printer.text += " " + SyntaxPrinter.stringLiteral(value)
            case .number(let value): printer.text += " " + value
            case .star: printer.text += " *"
            case .list(let values):
                printer.text += " (" + values.map(SyntaxPrinter.stringLiteral).joined(separator: ", ") + ")"
            case nil: break
            }
        }
        text += ")"
    }

    private mutating func printAssignment(_ name: String, _ values: [SetSetting.Value]) {
        printSettingName(name)
        text += " TO "
        if values.isEmpty { text += "DEFAULT" }
        list(values) { printer, value in
            switch value {
            case .text(let value): printer.text += SyntaxPrinter.stringLiteral(value)
            case .number(let value): printer.text += value
            }
        }
    }

    private mutating func printSettingName(_ name: String) {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        text += parts.map { SyntaxPrinter.identifier(String($0)) }.joined(separator: ".")
    }

    // MARK: - Data changes

    private mutating func print(_ insert: Insert) {
        if let with = insert.with { print(with) }
        text += "INSERT INTO "
        print(insert.table)
        if let alias = insert.alias {
            text += " AS "
            print(alias)
        }
        printTargets(insert.columns)
        if let overriding = insert.overriding { text += " OVERRIDING " + overriding.uppercasedASCII + " VALUE" }
        switch insert.source {
        case .defaultValues: text += " DEFAULT VALUES"
        case .query(let query):
            text += " "
            print(query)
        }
        if let onConflict = insert.onConflict { print(onConflict) }
        printReturning(insert.returning)
    }

    private mutating func print(_ onConflict: OnConflict) {
        text += " ON CONFLICT"
        switch onConflict.target {
        case .columns(let columns, let condition):
            text += " ("
            print(columns)
            text += ")"
            printWhere(condition)
        case .constraint(let name):
            text += " ON CONSTRAINT "
            print(name)
        case nil: break
        }
        switch onConflict.action {
        case .doNothing: text += " DO NOTHING"
        case .update(let assignments, let condition):
            text += " DO UPDATE SET "
            print(assignments)
            printWhere(condition)
        }
    }

    private mutating func print(_ assignments: [Assignment]) {
        list(assignments) { printer, assignment in
            if assignment.isRow { printer.text += "(" }
            printer.list(assignment.targets) { printer, target in printer.print(target) }
            if assignment.isRow { printer.text += ")" }
            printer.text += " = "
            printer.print(assignment.value)
        }
    }

    private mutating func print(_ target: AssignmentTarget) {
        print(target.column)
        for step in target.steps {
            switch step {
            case .subscripts(let subscripts): print(subscripts)
            case .field(let name): text += "." + SyntaxPrinter.identifier(name.text)
            }
        }
    }

    /// ` (a, b[1])` unless the list is empty.
    private mutating func printTargets(_ targets: [AssignmentTarget]) {
        if targets.isEmpty { return }
        text += " ("
        list(targets) { printer, target in printer.print(target) }
        text += ")"
    }

    private mutating func printWhere(_ condition: Expression?) {
        guard let condition else { return }
        text += " WHERE "
        print(condition)
    }

    private mutating func printReturning(_ items: [SelectItem]) {
        if items.isEmpty { return }
        text += " RETURNING "
        print(items)
    }

    private mutating func printTarget(_ table: ObjectName, _ only: Bool, _ alias: Identifier?) {
        if only { text += "ONLY " }
        print(table)
        if let alias {
            text += " AS "
            print(alias)
        }
    }

    private mutating func print(_ update: Update) {
        if let with = update.with { print(with) }
        text += "UPDATE "
        printTarget(update.table, update.only, update.alias)
        text += " SET "
        print(update.assignments)
        if !update.from.isEmpty {
            text += " FROM "
            print(update.from)
        }
        printWhere(update.whereClause)
        printReturning(update.returning)
    }

    private mutating func print(_ delete: Delete) {
        if let with = delete.with { print(with) }
        text += "DELETE FROM "
        printTarget(delete.table, delete.only, delete.alias)
        if !delete.using.isEmpty {
            text += " USING "
            print(delete.using)
        }
        printWhere(delete.whereClause)
        printReturning(delete.returning)
    }

    private mutating func print(_ merge: Merge) {
        if let with = merge.with { print(with) }
        text += "MERGE INTO "
        printTarget(merge.table, merge.only, merge.alias)
        text += " USING "
        print([merge.source])
        text += " ON "
        print(merge.condition)
        for clause in merge.clauses {
            text += clause.isMatched ? " WHEN MATCHED" : " WHEN NOT MATCHED"
            if let condition = clause.condition {
                text += " AND "
                print(condition)
            }
            text += " THEN "
            print(clause.action)
        }
    }

    private mutating func print(_ action: Merge.Action) {
        switch action {
        case .nothing: text += "DO NOTHING"
        case .delete: text += "DELETE"
        case .update(let assignments):
            text += "UPDATE SET "
            print(assignments)
        case .insert(let columns, let overriding, let values):
            text += "INSERT"
            printTargets(columns)
            if let overriding { text += " OVERRIDING " + overriding.uppercasedASCII + " VALUE" }
            guard let values else {
                text += " DEFAULT VALUES"
                return
            }
            text += " VALUES ("
            print(values)
            text += ")"
        }
    }

    private mutating func print(_ copy: Copy) {
        text += "COPY "
        switch copy.subject {
        case .table(let name, let columns):
            print(name)
            printColumns(columns)
        case .query(let query): printInParentheses(query)
        }
        text += copy.direction == .from ? " FROM " : " TO "
        switch copy.endpoint {
        case .file(let path): text += SyntaxPrinter.stringLiteral(path)
        case .client: text += copy.direction == .from ? "STDIN" : "STDOUT"
        case .program(let command): text += "PROGRAM " + SyntaxPrinter.stringLiteral(command)
        }
        if !copy.options.isEmpty {
            text += " WITH "
            print(copy.options)
        }
        printWhere(copy.whereClause)
    }

    // MARK: - Sessions

    private mutating func printSession(_ statement: Statement) {
        switch statement {
        case .show(let show): print(show)
        case .set(let set):
            text += set.isLocal ? "SET LOCAL " : "SET "
            printAssignment(set.name, set.values)
        case .alterDefaults(let change):
            if let user = change.user { printNamed("ALTER ROLE ", user) } else { text += "ALTER SYSTEM" }
            if let name = change.name {
                text += " SET "
                printAssignment(name, change.values)
            } else {
                text += " RESET ALL"
            }
        case .user(let statement): print(statement)
        case .reset(let name):
            text += "RESET "
            if let name { printSettingName(name) } else { text += "ALL" }
        case .setTransaction(let set):
            text += set.forSession ? "SET SESSION CHARACTERISTICS AS TRANSACTION " : "SET TRANSACTION "
            print(set.modes)
        case .discard(let discard): text += "DISCARD " + discard.rawValue.uppercasedASCII
        case .begin(let modes, let isStart):
            text += (isStart ? "START TRANSACTION" : "BEGIN") + (modes.isEmpty ? "" : " ")
            print(modes)
        case .commit(let chain): text += chain ? "COMMIT AND CHAIN" : "COMMIT"
        case .rollback(let chain): text += chain ? "ROLLBACK AND CHAIN" : "ROLLBACK"
        case .savepoint(let name): printNamed("SAVEPOINT ", name)
        case .releaseSavepoint(let name): printNamed("RELEASE SAVEPOINT ", name)
        case .rollbackToSavepoint(let name): printNamed("ROLLBACK TO SAVEPOINT ", name)
        case .listen(let name): printNamed("LISTEN ", name)
        case .drainWorker(let name):
            printNamed("ALTER WORKER ", name)
            text += " DRAIN"
        case .unlisten(let name):
            if let name { printNamed("UNLISTEN ", name) } else { text += "UNLISTEN *" }
        case .notify(let channel, let payload):
            printNamed("NOTIFY ", channel)
            if let payload { text += ", " + SyntaxPrinter.stringLiteral(payload) }
        default: printPrepared(statement)
        }
    }

    private mutating func printNamed(_ words: String, _ name: Identifier) {
        text += words
        print(name)
    }

    private mutating func print(_ show: Show) {
        text += "SHOW "
        switch show.target {
        case .setting(let name): printSettingName(name)
        case .all: text += "ALL"
        case .tables(let schema, let all):
            text += all ? "ALL TABLES" : "TABLES"
            if let schema {
                text += " FROM "
                print(schema)
            }
        case .schemas: text += "SCHEMAS"
        case .databases: text += "DATABASES"
        case .functions: text += "FUNCTIONS"
        case .columns(let table):
            text += "COLUMNS FROM "
            print(table)
        }
    }

    private mutating func print(_ modes: [TransactionMode]) {
        list(modes) { printer, mode in
            switch mode {
            case .isolationLevel(let level): printer.text += "ISOLATION LEVEL " + level.uppercasedASCII
            case .readOnly(let isReadOnly): printer.text += isReadOnly ? "READ ONLY" : "READ WRITE"
            case .deferrable(let isDeferrable): printer.text += isDeferrable ? "DEFERRABLE" : "NOT DEFERRABLE"
            }
        }
    }

    // MARK: - Prepared statements, cursors, maintenance

    private mutating func printPrepared(_ statement: Statement) {
        switch statement {
        case .prepare(let prepare):
            printNamed("PREPARE ", prepare.name)
            if !prepare.parameterTypes.isEmpty {
                text += " ("
                list(prepare.parameterTypes) { printer, type in printer.print(type) }
                text += ")"
            }
            text += " AS "
            print(prepare.statement)
        case .execute(let execute):
            printNamed("EXECUTE ", execute.name)
            if !execute.arguments.isEmpty {
                text += " ("
                print(execute.arguments)
                text += ")"
            }
        case .deallocate(let name):
            if let name { printNamed("DEALLOCATE ", name) } else { text += "DEALLOCATE ALL" }
        case .declareCursor(let declare):
            printNamed("DECLARE ", declare.name)
            if declare.isBinary { text += " BINARY" }
            if let scroll = declare.scroll { text += scroll ? " SCROLL" : " NO SCROLL" }
            text += declare.withHold ? " CURSOR WITH HOLD FOR " : " CURSOR FOR "
            print(declare.query)
        case .fetch(let fetch): print(fetch)
        case .closeCursor(let name):
            if let name { printNamed("CLOSE ", name) } else { text += "CLOSE ALL" }
        case .analyze(let analyze):
            if let vacuum = analyze.vacuum {
                text += "VACUUM"
                if vacuum.isFull { text += " FULL" }
                if vacuum.isFreezing { text += " FREEZE" }
                if analyze.isVerbose { text += " VERBOSE" }
                if vacuum.analyzes { text += " ANALYZE" }
            } else {
                text += analyze.isVerbose ? "ANALYZE VERBOSE" : "ANALYZE"
            }
            if !analyze.tables.isEmpty { text += " " }
            list(analyze.tables) { printer, table in
                printer.print(table.name)
                printer.printColumns(table.columns)
            }
        case .describe(let describe): print("DESCRIBE ", describe)
        case .summarize(let describe): print("SUMMARIZE ", describe)
        case .lock(let lock):
            text += "LOCK TABLE "
            printNames(lock.tables)
            if let mode = lock.mode { text += " IN " + mode.uppercasedASCII + " MODE" }
            if lock.nowait { text += " NOWAIT" }
        default: break
        }
    }

    private mutating func print(_ word: String, _ describe: Describe) {
        text += word
        if let table = describe.table { print(table) } else { print(describe.query) }
    }

    private mutating func print(_ fetch: Fetch) {
        text += fetch.isMove ? "MOVE " : "FETCH "
        switch fetch.direction {
        case .forward(let count): text += "FORWARD " + (count.map { "\($0)" } ?? "ALL")
        case .backward(let count): text += "BACKWARD " + (count.map { "\($0)" } ?? "ALL")
        case .absolute(let count): text += "ABSOLUTE \(count)"
        case .relative(let count): text += "RELATIVE \(count)"
        }
        text += " FROM "
        print(fetch.cursor)
    }
}
