// Writes a view's query: clauses a line each, indented by the depth of queries, columns a line each beyond a width.

import SQLFunctions

/// How a view's text is wanted.
package struct ViewTextStyle: Sendable {
    /// Without the parentheses that are not needed.
    package var isPretty: Bool
    /// Columns and items of FROM go to a new line where the line would be longer; 0: each has its own; `nil`: never.
    package var wrapColumn: Int?
    /// The name of a table or view as the search path needs it.
    package var relationName: @Sendable (_ schema: String, _ name: String) -> String

    package init(
        isPretty: Bool, wrapColumn: Int? = 0,
        relationName: @escaping @Sendable (_ schema: String, _ name: String) -> String
    ) {
        self.isPretty = isPretty
        self.wrapColumn = wrapColumn
        self.relationName = relationName
    }
}

struct ViewWriter {
    private static let indentation = 8
    private static let joinIndentation = 4
    private static let itemIndentation = 4
    private static let indentationMax = 40

    let style: ViewTextStyle
    var text = ""
    /// Of the query that is being written.
    var level = 0

    init(style: ViewTextStyle) { self.style = style }

    func quoted(_ name: String) -> String { QuotedNames.quoted(name) }

    // MARK: - Lines

    private mutating func removeTrailingSpaces() { while text.hasSuffix(" ") { text.removeLast() } }

    /// A word on a new line.
    mutating func line(_ word: String, before: Int = 0, after: Int = 0, plus: Int = 0) {
        level += before
        removeTrailingSpaces()
        var amount = max(level, 0)
        if level >= Self.indentationMax {
            amount = Self.indentationMax + (level - Self.indentationMax) / (Self.indentation / 2)
            amount %= Self.indentationMax
        }
        text += "\n" + String(repeating: " ", count: amount + plus) + word
        level = max(0, level + after)
    }

    private mutating func clause(_ word: String, plus: Int = 0) {
        line(word, before: -Self.indentation, after: Self.indentation, plus: plus)
    }

    /// What `body` writes, apart from the text so far.
    private mutating func separately(_ body: (inout ViewWriter) -> Void) -> String {
        let before = text
        text = ""
        body(&self)
        defer { text = before }
        return text
    }

    private var currentLineLength: Int { text.utf8.reversed().prefix { $0 != UInt8(ascii: "\n") }.count }

    mutating func separated<Element>(_ elements: [Element], _ write: (inout ViewWriter, Element) -> Void) {
        for (index, element) in elements.enumerated() {
            if index > 0 { text += ", " }
            write(&self, element)
        }
    }

    // MARK: - Queries

    /// A query at the current depth; what it does to the depth stays within.
    mutating func write(_ query: ShownQuery, names: [String]?, showsNames: Bool) {
        let outer = level
        defer { level = outer }
        writeCommonTables(query)
        switch query.body {
        case .setOperation:
            writeOperand(query.body, names: names, showsNames: showsNames)
        case .nested(let inner): write(inner, names: names, showsNames: showsNames)
        case .select(let select):
            level += Self.indentation
            text += " "
            write(select, names: names, showsNames: showsNames)
        case .values(let rows):
            level += Self.indentation
            text += " "
            write(rows)
        }
        if !query.orderBy.isEmpty {
            clause(" ORDER BY ", plus: 1)
            write(query.orderBy)
        }
        if let offset = query.offset {
            clause(" OFFSET ")
            write(offset, showsImplicit: false)
        }
        if let limit = query.limit {
            clause(query.hasTies ? " FETCH FIRST " : " LIMIT ")
            if query.hasTies {
                text += "("
                write(limit, showsImplicit: false)
                text += ") ROWS WITH TIES"
            } else if case .constant(let constant) = limit, constant.isNull {
                text += "ALL"
            } else {
                write(limit, showsImplicit: false)
            }
        }
    }

    private mutating func writeCommonTables(_ query: ShownQuery) {
        guard !query.commonTables.isEmpty else { return }
        level += Self.indentation
        text += query.isRecursive ? " WITH RECURSIVE " : " WITH "
        separated(query.commonTables) { writer, table in
            writer.text += writer.quoted(table.name)
            writer.writeColumns(table.columns)
            writer.text += " AS \(table.materialization)("
            writer.line("")
            writer.write(table.query, names: nil, showsNames: true)
            writer.line("")
            writer.text += ")"
        }
        level -= Self.indentation
        line("")
    }

    private mutating func writeOperand(_ body: ShownBody, names: [String]?, showsNames: Bool) {
        switch body {
        case .setOperation(let word, let isAll, let left, let right):
            var needsParentheses = false
            if case .setOperation(let other, let otherIsAll, _, _) = left {
                needsParentheses = other != word || otherIsAll != isAll
            }
            if needsParentheses {
                text += "("
                line("", before: Self.indentation)
            }
            writeOperand(left, names: names, showsNames: showsNames)
            line(needsParentheses ? ") " : "", before: needsParentheses ? -Self.indentation : 0)
            text += word + (isAll ? " ALL " : " ")
            var isNested = false
            if case .setOperation = right { isNested = true }
            if isNested { text += "(" }
            line("", before: isNested ? Self.indentation : 0)
            writeOperand(right, names: names, showsNames: false)
            if isNested {
                level -= Self.indentation
                line(")")
            }
        case .nested(let query):
            if query.hasClauses { text += "(" }
            write(query, names: names, showsNames: showsNames)
            if query.hasClauses { text += ")" }
        case .select, .values: write(ShownQuery(body: body), names: names, showsNames: showsNames)
        }
    }

    private mutating func write(_ rows: [[ShownExpression]]) {
        text += "VALUES "
        separated(rows) { writer, row in
            writer.text += "("
            for (index, value) in row.enumerated() {
                if index > 0 { writer.text += "," }
                writer.write(value, showsImplicit: false)
            }
            writer.text += ")"
        }
    }

    private mutating func write(_ select: ShownSelect, names: [String]?, showsNames: Bool) {
        text += "SELECT"
        switch select.distinct {
        case .none: break
        case .all: text += " DISTINCT"
        case .on(let keys):
            text += " DISTINCT ON ("
            separated(keys) { $0.writeKey($1) }
            text += ")"
        }
        writeItems(select.items, names: names, showsNames: showsNames)
        for (index, item) in select.from.enumerated() {
            if index == 0 {
                clause(" FROM ", plus: 2)
                write(item)
                continue
            }
            text += ", "
            let piece = separately { $0.write(item) }
            if let width = style.wrapColumn {
                if piece.hasPrefix("\n") {
                    removeTrailingSpaces()
                } else if currentLineLength + piece.utf8.count > width {
                    clause("", plus: Self.itemIndentation)
                }
            }
            text += piece
        }
        if let condition = select.condition {
            clause(" WHERE ", plus: 1)
            write(condition, showsImplicit: false)
        }
        if !select.groupBy.isEmpty {
            clause(" GROUP BY ", plus: 1)
            if select.groupsDistinct { text += "DISTINCT " }
            separated(select.groupBy) { $0.write($1, omitsParentheses: true) }
        }
        if let having = select.having {
            clause(" HAVING ")
            write(having, showsImplicit: false)
        }
        for (index, named) in select.windows.enumerated() {
            if index == 0 { clause(" WINDOW ", plus: 1) } else { text += ", " }
            text += quoted(named.name) + " AS "
            write(named.window)
        }
    }

    private mutating func writeItems(_ items: [ShownSelect.Item], names: [String]?, showsNames: Bool) {
        var wasLong = false
        for (index, item) in items.enumerated() {
            text += index == 0 ? " " : ", "
            let name = names.flatMap { index < $0.count ? $0[index] : nil } ?? item.name
            let piece = separately { writer in
                writer.write(item.expression, showsImplicit: true)
                let shown = item.ownName ?? (showsNames ? nil : "?column?")
                if shown != name { writer.text += " AS " + writer.quoted(name) }
            }
            if let width = style.wrapColumn {
                if piece.hasPrefix("\n") {
                    removeTrailingSpaces()
                } else if index > 0, wasLong || currentLineLength + piece.utf8.count > width {
                    clause("", plus: Self.itemIndentation)
                }
                wasLong = piece.dropFirst(piece.hasPrefix("\n") ? 1 : 0).contains("\n")
            }
            text += piece
        }
    }

    private mutating func write(_ grouping: ShownGrouping, omitsParentheses: Bool) {
        switch grouping {
        case .expression(let key): writeSet([key], omitsParentheses: omitsParentheses)
        case .set(let keys): writeSet(keys, omitsParentheses: omitsParentheses)
        case .sets(let word, let elements, let omits):
            text += word
            separated(elements) { $0.write($1, omitsParentheses: omits) }
            text += ")"
        }
    }

    private mutating func writeSet(_ keys: [ShownExpression], omitsParentheses: Bool) {
        let isBare = omitsParentheses && keys.count == 1
        if !isBare { text += "(" }
        separated(keys) { $0.writeKey($1) }
        if !isBare { text += ")" }
    }

    // MARK: - FROM

    private mutating func writeColumns(_ columns: [String]) {
        if columns.isEmpty { return }
        text += "("
        separated(columns) { $0.text += $0.quoted($1) }
        text += ")"
    }

    private mutating func write(_ item: ShownFrom) {
        switch item {
        case .table(let schema, let name, let isQualified, let alias, let columns, let sample):
            text += isQualified ? quoted(schema) + "." + quoted(name) : style.relationName(schema, name)
            if let alias { text += " " + quoted(alias) }
            writeColumns(columns)
            guard let sample else { return }
            text += " TABLESAMPLE \(quoted(sample.method)) ("
            separated(sample.arguments) { $0.write($1, showsImplicit: false) }
            text += ")"
            guard let seed = sample.repeatable else { return }
            text += " REPEATABLE ("
            write(seed, showsImplicit: false)
            text += ")"
        case .commonTable(let name, let alias, let columns):
            text += quoted(name)
            if let alias { text += " " + quoted(alias) }
            writeColumns(columns)
        case .query(let query, let isLateral, let alias, let columns):
            text += isLateral ? "LATERAL (" : "("
            write(query, names: nil, showsNames: true)
            text += ") " + quoted(alias)
            writeColumns(columns)
        case .functions(let calls, let isRowsFrom, let hasOrdinality, let isLateral, let alias, let columns):
            if isLateral { text += "LATERAL " }
            if isRowsFrom { text += "ROWS FROM(" }
            separated(calls) { $0.write($1, showsImplicit: true) }
            if isRowsFrom { text += ")" }
            if hasOrdinality { text += " WITH ORDINALITY" }
            text += " " + quoted(alias)
            writeColumns(columns)
        case .join(let join): write(join)
        }
    }

    private mutating func write(_ join: ShownJoin) {
        let isEnclosed = !style.isPretty || join.alias != nil
        if isEnclosed { text += "(" }
        write(join.left)
        line(
            " \(join.keyword) ", before: -Self.indentation, after: Self.indentation, plus: Self.joinIndentation)
        let enclosesRight = style.isPretty && join.right.isJoin && !join.right.isAliasedJoin
        if enclosesRight { text += "(" }
        write(join.right)
        if enclosesRight { text += ")" }
        if !join.using.isEmpty {
            text += " USING "
            writeColumns(join.using)
            if let alias = join.usingAlias { text += " AS " + quoted(alias) }
        } else if let condition = join.condition {
            text += style.isPretty ? " ON " : " ON ("
            write(condition, showsImplicit: false)
            if !style.isPretty { text += ")" }
        } else if join.keyword != "CROSS JOIN" {
            text += " ON TRUE"
        }
        if isEnclosed { text += ")" }
        if let alias = join.alias {
            text += " " + quoted(alias)
            writeColumns(join.columns)
        }
    }
}
