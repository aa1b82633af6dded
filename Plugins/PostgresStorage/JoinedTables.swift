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
        for (index, table) in tables.enumerated() {
            let qualifier = "t\(index)"
            names.append("\(ScanText.from(table)) \(qualifier)")
            description.columns += table.columns.map { column in
                var column = column
                column.qualifier = qualifier
                return column
            }
        }
        guard joins.output.allSatisfy(description.columns.indices.contains) else { return nil }
        let writer = PredicateText(table: description, projection: Array(description.columns.indices))
        var conditions: [String] = []
        var next = joins.tables.count + 1
        from = names[..<next].joined(separator: ", ")
        all = names.joined(separator: ", ")
        for restriction in joins.restrictions {
            let own = names[next..<next + restriction.tables.count]
            next += restriction.tables.count
            var texts: [String] = []
            for predicate in restriction.predicates.flatMap(\.conjuncts) {
                guard let text = writer.condition(predicate) else { return nil }
                texts.append(text)
            }
            guard !own.isEmpty, !texts.isEmpty else { return nil }
            conditions.append(
                "\(restriction.isNegated ? "NOT EXISTS" : "EXISTS") (SELECT FROM \(own.joined(separator: ", ")) WHERE "
                    + texts.joined(separator: " AND ") + ")")
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
