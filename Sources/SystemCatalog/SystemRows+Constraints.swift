// Rows of pg_constraint, pg_index, pg_attrdef, pg_sequence and pg_depend.

import Columnar
import QueryPlan
import Storage

extension SystemRows {
    /// Fills one of the tables; false if it is none of them.
    static func fillConstraints(_ table: String, _ snapshot: CatalogSnapshot, _ sink: RowSink) -> Bool {
        switch table {
        case "pg_catalog.pg_constraint": constraints(snapshot, sink)
        case "pg_catalog.pg_index": indexes(snapshot, sink)
        case "pg_catalog.pg_attrdef": defaults(snapshot, sink)
        case "pg_catalog.pg_sequence": sequences(snapshot, sink)
        case "pg_catalog.pg_depend": dependencies(snapshot, sink)
        default: return false
        }
        return true
    }

    private static func smallNumbers(_ values: [Int]) -> ScalarValue {
        .bytes(ArrayBlob.encode(values.map { .integer(Int64($0)) }, elementType: .int16))
    }

    private static func constraints(_ snapshot: CatalogSnapshot, _ sink: RowSink) {
        for entry in snapshot.constraints {
            var row: [String: ScalarValue] = [
                "oid": number(entry.identifier), "conname": text(entry.name),
                "connamespace": number(entry.namespace), "contype": text(entry.kind),
                "convalidated": .boolean(true), "conrelid": number(entry.table), "confrelid": number(entry.target),
                "conislocal": .boolean(true), "connoinherit": .boolean(entry.kind != "c"),
                "confupdtype": text(" "), "confdeltype": text(" "), "confmatchtype": text(" "),
            ]
            if !entry.columns.isEmpty { row["conkey"] = smallNumbers(entry.columns) }
            if entry.kind == "p" || entry.kind == "u", let table = snapshot.relation(entry.table) {
                row["conindid"] = number(
                    snapshot.relation(schema: table.name.schema, name: entry.name)?.identifier ?? 0)
            }
            if let key = entry.foreignKey {
                row["confkey"] = smallNumbers(entry.targetColumns)
                row["confupdtype"] = text(code(key.onUpdate))
                row["confdeltype"] = text(code(key.onDelete))
                row["confmatchtype"] = text("s")
            }
            sink.append(row)
        }
    }

    private static func code(_ action: ForeignKey.Action) -> String {
        switch action {
        case .noAction: "a"
        case .restrict: "r"
        case .cascade: "c"
        case .setNull: "n"
        case .setDefault: "d"
        }
    }

    private static func indexes(_ snapshot: CatalogSnapshot, _ sink: RowSink) {
        for entry in snapshot.relations {
            guard let index = entry.index,
                let table = snapshot.relation(schema: index.table.schema, name: index.table.table)
            else { continue }
            func vector(_ element: DataType, _ values: [Int]) -> ScalarValue {
                .bytes(ArrayBlob.encode(values.map { .integer(Int64($0)) }, elementType: element))
            }
            let zeros = index.columns.map { _ in 0 }
            sink.append([
                "indexrelid": number(entry.identifier), "indrelid": number(table.identifier),
                "indnatts": number(index.columns.count), "indnkeyatts": number(index.columns.count),
                "indisunique": .boolean(index.isUnique), "indnullsnotdistinct": .boolean(index.nullsAreEqual),
                "indisprimary": .boolean(index.isPrimary), "indimmediate": .boolean(true),
                "indisvalid": .boolean(true), "indisready": .boolean(true), "indislive": .boolean(true),
                "indkey": vector(.int16, index.columns), "indcollation": vector(.oid, zeros),
                "indclass": vector(.oid, zeros), "indoption": vector(.int16, zeros),
            ])
        }
    }

    /// The text behind DEFAULT or GENERATED.
    static func defaultText(_ column: TableColumn) -> String? {
        switch column.source {
        case .defaultExpression(let text), .generated(let text), .store(let text, _): text
        case .given, .identity: nil
        }
    }

    private static func defaults(_ snapshot: CatalogSnapshot, _ sink: RowSink) {
        for entry in snapshot.relations {
            for (index, column) in (entry.definition?.columns ?? []).enumerated() {
                guard let expression = defaultText(column) else { continue }
                sink.append([
                    "oid": number(entry.identifier * 2_000 + Int64(index) & DataType.oidMax),
                    "adrelid": number(entry.identifier), "adnum": number(index + 1), "adbin": text(expression),
                ])
            }
        }
    }

    private static func sequences(_ snapshot: CatalogSnapshot, _ sink: RowSink) {
        for entry in snapshot.relations {
            guard let options = entry.sequence else { continue }
            // The type is the one whose largest number ends the sequence.
            let type: DataType =
                switch (options.minimum, options.maximum) {
                case (Int64(Int16.min), _), (_, Int64(Int16.max)): .int16
                case (Int64(Int32.min), _), (_, Int64(Int32.max)): .int32
                default: .int64
                }
            sink.append([
                "seqrelid": number(entry.identifier), "seqtypid": number(type.catalogIdentifier),
                "seqstart": number(options.start), "seqincrement": number(options.increment),
                "seqmax": number(options.maximum), "seqmin": number(options.minimum), "seqcache": number(1),
                "seqcycle": .boolean(options.cycles),
            ])
        }
    }

    /// Sequences that belong to columns.
    private static func dependencies(_ snapshot: CatalogSnapshot, _ sink: RowSink) {
        for entry in snapshot.relations where entry.sequenceOwner.count == 4 {
            let owner = entry.sequenceOwner
            guard let table = snapshot.relation(schema: owner[1], name: owner[2]),
                let ordinal = table.definition?.ordinal(of: owner[3])
            else { continue }
            var kind = "a"
            if case .identity? = table.definition?.columns[ordinal].source { kind = "i" }
            sink.append([
                "classid": number(1259), "objid": number(entry.identifier), "objsubid": number(0),
                "refclassid": number(1259), "refobjid": number(table.identifier), "refobjsubid": number(ordinal + 1),
                "deptype": text(kind),
            ])
        }
        for entry in snapshot.relations {
            guard let view = entry.view else { continue }
            // The rule of a view, which has the view's number, belongs to the view and needs what the view reads.
            rule(of: entry, needs: entry.identifier, kind: "i", sink)
            for reference in Set(view.references.map { [$0.schema, $0.table] }) {
                guard let needed = snapshot.relation(schema: reference[0], name: reference[1]) else { continue }
                rule(of: entry, needs: needed.identifier, kind: "n", sink)
            }
        }
    }

    private static func rule(of view: RelationEntry, needs identifier: Int64, kind: String, _ sink: RowSink) {
        sink.append([
            "classid": number(2618), "objid": number(view.identifier), "objsubid": number(0),
            "refclassid": number(1259), "refobjid": number(identifier), "refobjsubid": number(0), "deptype": text(kind),
        ])
    }
}
