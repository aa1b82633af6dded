// What the server's catalogue says of a table, read in one statement.

import Columnar
import Diagnostics
import QueryPlan
import Storage

/// A table, view or foreign table with its columns.
struct TableDescription: Sendable {
    enum Kind: String, Sendable {
        case table = "r"
        case partitioned = "p"
        case view = "v"
        case materializedView = "m"
        case foreign = "f"

        /// Whether rows have places on pages that a condition on ctid can choose.
        var hasPages: Bool { self == .table || self == .materializedView }
        var dropName: String {
            switch self {
            case .table, .partitioned: "TABLE"
            case .view: "VIEW"
            case .materializedView: "MATERIALIZED VIEW"
            case .foreign: "FOREIGN TABLE"
            }
        }
    }

    struct Column: Sendable {
        var name: String
        /// The name of its table where a statement has several.
        var qualifier: String?
        var isNullable: Bool
        /// The type's number and modifier in results, below all domains.
        var typeIdentifier: UInt32
        var typeModifier: Int32
        var typeName: String
        /// `nil` for types that the engine has not: the column cannot be read.
        var type: PostgresType?
        var defaultText: String?
        var isGenerated: Bool
        /// "a" or "d" for identity columns.
        var identity: String
        /// Whether equal means equal bytes, and whether the order is that of the bytes.
        var isDeterministic: Bool
        var isByteOrdered: Bool
        /// The number of the collation, 0 without one.
        var collation: UInt32

        /// The column in a statement.
        var text: String { (qualifier.map { $0 + "." } ?? "") + SQLText.name(name) }
    }

    var schema: String
    var name: String
    var identifier: UInt32
    var kind: Kind
    var columns: [Column]
    /// Primary key and unique constraints.
    var keys: [UniqueKey]
    /// Columns of the indexes that are looked up by equality.
    var indexes: [[Int]]
    var rowEstimate: Double
    var pageEstimate: Double
    /// Whether other tables inherit from it: then their rows are its rows too.
    var hasChildren: Bool
    /// Whether triggers or rules may store other rows than those that are written.
    var changesRows: Bool
    /// Whether text has the engine's bytes.
    var isUTF8: Bool
    var hasUncheckedText: Bool
    var serverVersion: Int32

    static func load(_ connection: PostgresConnection, schema: String, name: String) throws -> TableDescription? {
        let rows = try connection.rows(
            """
            WITH RECURSIVE relation AS (
                SELECT c.oid, c.relkind, c.reltuples, c.relpages, c.relhassubclass FROM pg_catalog.pg_class c
                JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
            ), resolved AS (
                SELECT a.attnum, a.atttypid AS type, a.atttypmod AS modifier
                FROM relation r JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid
                WHERE a.attnum > 0 AND NOT a.attisdropped
                UNION ALL
                SELECT s.attnum, t.typbasetype, t.typtypmod
                FROM resolved s JOIN pg_catalog.pg_type t ON t.oid = s.type WHERE t.typtype = 'd'
            )
            SELECT r.oid, r.relkind, r.reltuples, r.relpages, r.relhassubclass, a.attname, a.attnotnull, s.type,
                s.modifier, pg_catalog.format_type(a.atttypid, a.atttypmod),
                CASE WHEN t.typcategory = 'A' AND t.typlen = -1 THEN t.typelem ELSE 0 END,
                pg_catalog.pg_get_expr(d.adbin, d.adrelid), a.attgenerated, a.attidentity,
                o.oid IS NULL OR o.collisdeterministic,
                o.oid IS NULL OR o.collname IN ('C', 'POSIX') AND o.collprovider = 'c',
                a.attnum,
                EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = r.oid AND NOT g.tgisinternal)
                    OR EXISTS (SELECT FROM pg_catalog.pg_rewrite w WHERE w.ev_class = r.oid),
                coalesce(a.attcollation, 0)
            FROM relation r
            LEFT JOIN (pg_catalog.pg_attribute a
                JOIN resolved s ON s.attnum = a.attnum
                JOIN pg_catalog.pg_type t ON t.oid = s.type AND t.typtype <> 'd'
                LEFT JOIN pg_catalog.pg_collation o ON o.oid = a.attcollation
                LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum)
                ON a.attrelid = r.oid
            ORDER BY a.attnum
            """, [schema, name])
        guard let first = rows.first, let identifier = first[0].flatMap({ UInt32($0) }),
            let kind = first[1].flatMap(Kind.init)
        else { return nil }
        var columns: [Column] = []
        var ordinals: [String: Int] = [:]
        for row in rows {
            // A table without columns has one row here, and nothing in it.
            guard let columnName = row[5], let type = row[7].flatMap({ UInt32($0) }),
                let modifier = row[8].flatMap({ Int32($0) })
            else { continue }
            let element = row[10].flatMap { UInt32($0) } ?? 0
            ordinals[row[16] ?? ""] = columns.count
            columns.append(
                Column(
                    name: columnName, isNullable: row[6] != "t", typeIdentifier: type, typeModifier: modifier,
                    typeName: row[9] ?? "",
                    type: PostgresType(identifier: type, modifier: modifier, element: element), defaultText: row[11],
                    isGenerated: row[12] == "s", identity: row[13] ?? "", isDeterministic: row[14] == "t",
                    isByteOrdered: row[15] == "t", collation: row[18].flatMap { UInt32($0) } ?? 0))
        }
        var keys: [UniqueKey] = []
        var indexes: [[Int]] = []
        for row in try connection.rows(
            """
            SELECT conname::text, contype::text, array_to_string(conkey, ' ') FROM pg_catalog.pg_constraint
            WHERE conrelid = $1::oid AND contype IN ('p', 'u') AND NOT condeferred
            UNION ALL
            SELECT c.relname::text, '', i.indkey::text FROM pg_catalog.pg_index i
            JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_am m ON m.oid = c.relam
            WHERE i.indrelid = $1::oid AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
                AND m.amname IN ('btree', 'hash')
            ORDER BY 2, 1
            """, ["\(identifier)"])
        {
            let places = (row[2] ?? "").split(separator: " ").map { ordinals[String($0)] }
            guard let name = row[0], !places.contains(nil), !places.isEmpty else { continue }
            let columns = places.compactMap { $0 }
            switch row[1] {
            case "p": keys.append(UniqueKey(name: name, kind: .primary, columns: columns))
            case "u": keys.append(UniqueKey(name: name, kind: .unique, columns: columns))
            default: indexes.append(columns)
            }
        }
        return TableDescription(
            schema: schema, name: name, identifier: identifier, kind: kind, columns: columns, keys: keys,
            indexes: indexes, rowEstimate: first[2].flatMap(Double.init) ?? -1,
            pageEstimate: first[3].flatMap(Double.init) ?? 0,
            hasChildren: first[4] == "t",
            changesRows: first[17] == "t" || columns.contains { $0.isGenerated }, isUTF8: connection.isUTF8,
            hasUncheckedText: connection.hasUncheckedText,
            serverVersion: connection.serverVersion)
    }

    var fields: [Field] {
        columns.map {
            Field(name: $0.name, type: $0.type?.type ?? .text, isNullable: $0.isNullable, modifier: $0.type?.modifier)
        }
    }

    /// 0A000 for a column whose type the engine has not.
    func readable(_ ordinal: Int) throws -> PostgresType {
        if let type = columns[ordinal].type { return type }
        throw QueryError(
            .featureNotSupported,
            "column \"\(columns[ordinal].name)\" of table \"\(schema).\(name)\" has type \(columns[ordinal].typeName), "
                + "which is not supported", object: columns[ordinal].name)
    }
}
