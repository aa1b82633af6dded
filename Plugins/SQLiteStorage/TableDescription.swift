// What the file's schema says of a table.

import CSQLite
import Columnar
import Diagnostics
import QueryPlan
import Storage

/// A table or view with its columns.
struct TableDescription: Sendable {
    enum Kind: Hashable, Sendable { case table, view, virtual }

    struct Column: Sendable {
        var name: String
        var declared: String
        var type: SQLiteType
        var isNullable: Bool
        var defaultText: String?
        var isGenerated: Bool
        /// Whether values are compared by their bytes unless an expression says otherwise.
        var isByteOrdered: Bool
        /// Whether SQLite itself keeps values of other classes out.
        var isGuaranteed: Bool
    }

    var name: String
    var kind: Kind
    var columns: [Column]
    var keys: [UniqueKey]
    /// A name of the rows' numbers that no column hides; `nil` for tables without such numbers.
    var rowName: String?
    /// The column that is another name of the rows' numbers.
    var rowColumn: Int?
    /// Whether triggers may store something else than what is written.
    var hasTriggers: Bool
    /// Whether text is kept in UTF-8, whose order of bytes the engine has.
    var isUTF8: Bool

    var fields: [Field] {
        columns.map { Field(name: $0.name, type: $0.type.type, isNullable: $0.isNullable) }
    }

    /// Differs where scans must.
    var fingerprint: UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ text: String) {
            for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            hash = (hash ^ 0xFF) &* 0x100_0000_01B3
        }
        add(name)
        for column in columns {
            add(column.name)
            add(column.declared)
        }
        return hash
    }

    // MARK: Loading

    static func names(_ connection: SQLiteConnection) throws -> [String] {
        try connection.rows(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'view', 'virtual') "
                + "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
        ).compactMap { $0[0].string }
    }

    static func exists(_ connection: SQLiteConnection, name: String) throws -> Bool {
        try connection.value("SELECT count(*) FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE", [.text(name)])
            .integer != 0
    }

    /// Names are looked up as SQLite does: without regard to case.
    static func load(_ connection: SQLiteConnection, name: String) throws -> TableDescription? {
        let lists = try connection.rows(
            "SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = 'main' AND name = ?1 COLLATE NOCASE "
                + "AND type IN ('table', 'view', 'virtual') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'", [.text(name)])
        guard let row = lists.first, let found = row[0].string else { return nil }
        let kind: Kind =
            switch row[1].string {
            case "view": .view
            case "virtual": .virtual
            default: .table
            }
        let isStrict = row[3].integer == 1
        let infos = try connection.rows(
            "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1) WHERE hidden <> 1 "
                + "ORDER BY cid", [.text(found)])
        var columns: [Column] = []
        var primary: [(place: Int64, column: Int)] = []
        for info in infos {
            guard let columnName = info[0].string else { continue }
            let declared = info[1].string ?? ""
            if let place = info[4].integer, place > 0 { primary.append((place, columns.count)) }
            columns.append(
                Column(
                    name: columnName, declared: declared, type: SQLiteType(declared: declared),
                    isNullable: info[2].integer != 1, defaultText: info[3].string,
                    isGenerated: info[5].integer == 2 || info[5].integer == 3,
                    isByteOrdered: kind == .table && collation(connection, found, columnName) == "BINARY",
                    isGuaranteed: isStrict
                        && ["INT", "INTEGER", "REAL", "TEXT", "BLOB"].contains(declared.uppercased())
                ))
        }
        var table = TableDescription(
            name: found, kind: kind, columns: columns, keys: [], rowName: nil, rowColumn: nil, hasTriggers: false,
            isUTF8: try connection.value("PRAGMA encoding").string == "UTF-8")
        guard kind == .table else { return table }
        if row[2].integer == 0 {
            let taken = Set(columns.map { $0.name.lowercased() })
            table.rowName = ["rowid", "_rowid_", "oid"].first { !taken.contains($0) }
        }
        let triggers = "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE"
        table.hasTriggers = try connection.value(triggers, [.text(found)]).integer != 0
        let indexes = try connection.rows(
            "SELECT name, origin FROM pragma_index_list(?1) WHERE \"unique\" = 1 AND partial = 0", [.text(found)])
        if row[2].integer == 0, primary.count == 1, columns[primary[0].column].declared.uppercased() == "INTEGER",
            !indexes.contains(where: { $0[1].string == "pk" })
        {
            table.rowColumn = primary[0].column
            table.columns[primary[0].column].isGuaranteed = true
            table.keys.append(UniqueKey(name: "\(found)_pkey", kind: .primary, columns: [primary[0].column]))
        }
        for index in indexes {
            guard let indexName = index[0].string else { continue }
            if let key = try key(connection, indexName, isPrimary: index[1].string == "pk", table) {
                table.keys.append(key)
            }
        }
        return table
    }

    private static func collation(_ connection: SQLiteConnection, _ table: String, _ column: String) -> String? {
        var name: UnsafePointer<CChar>?
        let code = sqlite3_table_column_metadata(
            connection.handle, "main", table, column, nil, &name, nil, nil, nil)
        guard code == SQLITE_OK, let name else { return nil }
        return String(cString: name).uppercased()
    }

    /// A unique index, if different values of the engine are different to it.
    private static func key(
        _ connection: SQLiteConnection, _ index: String, isPrimary: Bool, _ table: TableDescription
    ) throws -> UniqueKey? {
        var ordinals: [Int] = []
        for row in try connection.rows(
            "SELECT name FROM pragma_index_xinfo(?1) WHERE key = 1 ORDER BY seqno", [.text(index)])
        {
            guard let name = row[0].string, let ordinal = table.columns.firstIndex(where: { $0.name == name }) else {
                return nil
            }
            switch table.columns[ordinal].type.codec {
            case .integer, .text, .limitedText(_, isPadded: false), .bytes, .date, .boolean: ordinals.append(ordinal)
            default: return nil
            }
        }
        let names = ordinals.map { table.columns[$0].name }.joined(separator: "_")
        return UniqueKey(
            name: isPrimary ? "\(table.name)_pkey" : "\(table.name)_\(names)_key", kind: isPrimary ? .primary : .unique,
            columns: ordinals)
    }
}
