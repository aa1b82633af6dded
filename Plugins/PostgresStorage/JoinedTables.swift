// Several tables of the server in one statement.

import Columnar
import QueryPlan

/// The tables of a query with joins as one table whose columns are those that take part, table after table.
struct JoinedTables {
    let description: TableDescription
    /// The tables whose rows are combined, as a list.
    let from: String
    /// All tables.
    let all: String
    /// What the restrictions say.
    let conditions: [String]

    /// `nil` for what the server might see otherwise.
    init?(_ table: TableDescription, _ projection: [Int], _ joins: StoreQuery.Joins) {
        guard let first = table.joinDescription(projection) else { return nil }
        var tables = [first]
        for other in joins.allTables {
            guard let known = TableDescription(joinDescription: other.description),
                known.columns.count == other.columnCount
            else { return nil }
            tables.append(known)
        }
        var description = table
        description.columns = []
        var names: [String] = []
        let extensionStart = joins.tables.count + 1
        let extended = extensionStart..<extensionStart + joins.extensions.reduce(0) { $0 + $1.tables.count }
        for (index, table) in tables.enumerated() {
            let qualifier = "t\(index)"
            names.append("\(ScanText.from(table)) \(qualifier)")
            description.columns += table.columns.map { column in
                var column = column
                column.qualifier = qualifier
                if extended.contains(index) { column.isNullable = true }
                return column
            }
        }
        guard joins.output.allSatisfy(description.columns.indices.contains) else { return nil }
        let writer = PredicateText(table: description, projection: Array(description.columns.indices))
        /// All of it; `nil` if there is none, or the server might see it otherwise.
        func condition(_ predicates: [Expression]) -> String? {
            var texts: [String] = []
            for predicate in predicates.flatMap(\.conjuncts) {
                guard let text = writer.condition(predicate) else { return nil }
                texts.append(text)
            }
            return texts.isEmpty ? nil : texts.joined(separator: " AND ")
        }
        var conditions: [String] = []
        var next = extensionStart
        // A comma binds less than JOIN does.
        var from = names[..<next].joined(separator: joins.extensions.isEmpty ? ", " : " CROSS JOIN ")
        for part in joins.extensions {
            let own = names[next..<next + part.tables.count].joined(separator: " CROSS JOIN ")
            next += part.tables.count
            guard !part.tables.isEmpty, let text = condition(part.predicates) else { return nil }
            from += " LEFT JOIN \(part.tables.count > 1 ? "(\(own))" : own) ON \(text)"
        }
        self.from = from
        all = names.joined(separator: ", ")
        for restriction in joins.restrictions {
            let own = names[next..<next + restriction.tables.count].joined(separator: ", ")
            next += restriction.tables.count
            guard !own.isEmpty, let text = condition(restriction.predicates) else { return nil }
            conditions.append("\(restriction.isNegated ? "NOT EXISTS" : "EXISTS") (SELECT FROM \(own) WHERE \(text))")
        }
        self.description = description
        self.conditions = conditions
    }

    /// What a look at all columns gives.
    var expectedColumns: [PostgresConnection.ResultColumn] {
        description.columns.map { .init(type: $0.typeIdentifier, modifier: $0.typeModifier) }
    }
}

extension TableDescription {
    /// The table with some of its columns only; `nil` if one of them is none.
    fileprivate func joinDescription(_ projection: [Int]) -> TableDescription? {
        guard projection.allSatisfy(columns.indices.contains) else { return nil }
        var copy = self
        copy.columns = projection.map { columns[$0] }
        return copy
    }

    /// What statements over several tables must know of columns, as text. Names on the server have no zero bytes.
    func joinText(_ projection: [Int]) -> String? {
        guard let own = joinDescription(projection) else { return nil }
        var parts = ["1", own.schema, own.name]
        for column in own.columns {
            // Arrays and the like are not compared, and not sent.
            guard let type = column.type,
                PostgresType(identifier: column.typeIdentifier, modifier: column.typeModifier, element: 0) == type
            else { return nil }
            parts += [
                column.name, "\(column.typeIdentifier)", "\(column.typeModifier)", column.typeName,
                column.isNullable ? "n" : "", column.isDeterministic ? "d" : "", column.isByteOrdered ? "b" : "",
                "\(column.collation)",
            ]
        }
        return parts.joined(separator: "\0")
    }

    /// The table that `joinText` told of, with these columns.
    init?(joinDescription text: String) {
        let parts = text.split(separator: "\0", omittingEmptySubsequences: false).map(String.init)
        guard parts.count >= 3, parts[0] == "1", (parts.count - 3) % 8 == 0 else { return nil }
        var columns: [Column] = []
        for at in stride(from: 3, to: parts.count, by: 8) {
            guard let identifier = UInt32(parts[at + 1]), let modifier = Int32(parts[at + 2]),
                let collation = UInt32(parts[at + 7]),
                let type = PostgresType(identifier: identifier, modifier: modifier, element: 0)
            else { return nil }
            columns.append(
                Column(
                    name: parts[at], isNullable: parts[at + 4] == "n", typeIdentifier: identifier,
                    typeModifier: modifier, typeName: parts[at + 3], type: type, isGenerated: false, identity: "",
                    isDeterministic: parts[at + 5] == "d", isByteOrdered: parts[at + 6] == "b", collation: collation))
        }
        self.init(
            schema: parts[1], name: parts[2], identifier: 0, kind: .view, columns: columns, keys: [], indexes: [],
            rowEstimate: -1, pageEstimate: 0, hasChildren: false, changesRows: true, isUTF8: true,
            hasUncheckedText: true, serverVersion: 0)
    }
}
