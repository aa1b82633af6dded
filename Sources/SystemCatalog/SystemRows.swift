// What the base tables of pg_catalog hold, table by table. A table without a case here has no rows: the engine has no such
// objects, and clients find the table empty.

import Columnar
import QueryPlan
import SQLFunctions
import Storage

/// Fills rows from a snapshot.
enum SystemRows {
    /// The role that owns everything.
    static let owner: Int64 = 10
    private static let databaseEncoding: Int64 = 6

    static func fill(_ table: String, _ snapshot: CatalogSnapshot, _ sink: RowSink) {
        switch table {
        case "pg_catalog.pg_namespace": namespaces(snapshot, sink)
        case "pg_catalog.pg_class": relations(snapshot, sink)
        case "pg_catalog.pg_enum": labels(snapshot, sink)
        case "pg_catalog.pg_attribute": attributes(snapshot, sink)
        case "pg_catalog.pg_type": types(snapshot, sink)
        case "pg_catalog.pg_proc": functions(snapshot, sink)
        case "pg_catalog.pg_aggregate": aggregates(snapshot, sink)
        case "pg_catalog.pg_operator": operators(snapshot, sink)
        case "pg_catalog.pg_cast": casts(sink)
        case "pg_catalog.pg_database": databases(snapshot, sink)
        case "pg_catalog.pg_description": descriptions(snapshot, sink)
        case "pg_catalog.pg_shdescription": databaseDescriptions(snapshot, sink)
        case "pg_catalog.pg_am": accessMethods(sink)
        case "pg_catalog.pg_collation": collations(sink)
        case "pg_catalog.pg_language": languages(sink)
        case "pg_catalog.pg_tablespace": tablespaces(sink)
        case "pg_catalog.pg_rewrite": rewrites(snapshot, sink)
        default: _ = fillConstraints(table, snapshot, sink)
        }
    }

    static func text(_ text: String) -> ScalarValue { .string(text) }
    static func number(_ value: some BinaryInteger) -> ScalarValue { .integer(Int64(value)) }
    static func identifiers(_ values: [Int64]) -> ScalarValue {
        .bytes(ArrayBlob.encode(values.map { .integer($0) }, elementType: .oid))
    }

    // MARK: - Schemas and relations

    private static func namespaces(_ snapshot: CatalogSnapshot, _ sink: RowSink) {
        for schema in snapshot.schemas {
            sink.append(["oid": number(schema.identifier), "nspname": text(schema.name), "nspowner": number(owner)])
        }
    }

    private static let pageByteCount = 8192.0

    private static func relations(_ snapshot: CatalogSnapshot, _ sink: RowSink) {
        let indexed = Set(snapshot.relations.compactMap { $0.index?.table })
        for entry in snapshot.relations {
            let isTable = entry.kind == "r" || entry.kind == "m"
            let rows = isTable ? entry.rowCount ?? -1 : 0
            var row: [String: ScalarValue] = [
                "oid": number(entry.identifier), "relname": text(entry.name.table),
                "relnamespace": number(snapshot.schemaIdentifiers[entry.name.schema] ?? 0), "relowner": number(owner),
                "relam": number(isTable ? 2 : entry.kind == "i" ? 403 : 0), "reltuples": .float(rows),
                "relpersistence": text("p"),
                "relkind": text(entry.kind), "relnatts": number(entry.columns.count),
                "relhasindex": .boolean(indexed.contains(entry.name)),
                "relhasrules": .boolean(entry.kind == "v" || entry.kind == "m"),
                "relispopulated": .boolean(entry.isPopulated),
                "relreplident": text(isTable ? "d" : "n"),
                // Clients that split tables by pages must not try it here: rows have no place to go by.
                "relpages": number(0),
            ]
            if let option = entry.view?.checkOption {
                row["reloptions"] = .bytes(
                    ArrayBlob.encode([text("check_option=\(option.rawValue)")], elementType: .text))
            }
            sink.append(row)
        }
    }

    private static func attributes(_ snapshot: CatalogSnapshot, _ sink: RowSink) {
        for entry in snapshot.relations {
            for (index, column) in entry.columns.enumerated() {
                let defined = entry.definition.flatMap { index < $0.columns.count ? $0.columns[index] : nil }
                let ofView = entry.view.flatMap { index < $0.columnUserTypes.count ? $0.columnUserTypes[index] : nil }
                let declared = defined?.userType ?? ofView
                var identity = ""
                var isGenerated = false
                switch defined?.source {
                case .identity(let always, _)?: identity = always ? "a" : "d"
                case .generated?: isGenerated = true
                default: break
                }
                let identifier = declared ?? column.type.catalogIdentifier
                let type = BuiltInTypes.type(identifier)
                sink.append([
                    "attrelid": number(entry.identifier), "attname": text(column.name), "atttypid": number(identifier),
                    "attstattarget": number(-1), "attlen": number(type?.byteCount ?? -1), "attnum": number(index + 1),
                    "attndims": number(type?.isArray == true ? 1 : 0), "attcacheoff": number(-1),
                    "atttypmod": number(declared == nil ? column.catalogModifier : -1),
                    "attbyval": .boolean(type?.isPassedByValue ?? false), "attalign": text(type?.alignment ?? "i"),
                    "attstorage": text(type?.storage ?? "x"),
                    "attnotnull": .boolean(entry.kind == "r" && !column.isNullable),
                    "attislocal": .boolean(true), "attcollation": number(type?.collation ?? 0),
                    "atthasdef": .boolean(defined.flatMap { defaultText($0) } != nil), "attidentity": text(identity),
                    "attgenerated": text(isGenerated ? "s" : ""),
                ])
            }
        }
    }

    private static func rewrites(_ snapshot: CatalogSnapshot, _ sink: RowSink) {
        for entry in snapshot.relations where entry.kind == "v" || entry.kind == "m" {
            sink.append([
                "oid": number(entry.identifier), "rulename": text("_RETURN"), "ev_class": number(entry.identifier),
                "ev_type": text("1"), "ev_enabled": text("O"), "is_instead": .boolean(true),
            ])
        }
    }

    // MARK: - Types

    private static func types(_ snapshot: CatalogSnapshot, _ sink: RowSink) {
        func function(_ name: String?) -> ScalarValue {
            number(name.flatMap { snapshot.functions.byName[$0]?.first } ?? 0)
        }
        for type in BuiltInTypes.all {
            let prefix = type.functionPrefix
            sink.append([
                "oid": number(type.identifier), "typname": text(type.name), "typnamespace": number(11),
                "typowner": number(owner), "typlen": number(type.byteCount), "typbyval": .boolean(type.isPassedByValue),
                "typtype": text(type.kind), "typcategory": text(type.category),
                "typispreferred": .boolean(type.isPreferred), "typisdefined": .boolean(true), "typdelim": text(","),
                "typelem": number(type.elementIdentifier), "typarray": number(type.arrayIdentifier),
                "typinput": function(prefix + "in"), "typoutput": function(prefix + "out"),
                "typreceive": type.hasBinaryFunctions ? function(prefix + "recv") : number(0),
                "typsend": type.hasBinaryFunctions ? function(prefix + "send") : number(0),
                "typmodin": function(type.modifierFunction),
                "typmodout": function(type.modifierFunction?.replacingSuffix("in", with: "out")),
                "typalign": text(type.alignment), "typstorage": text(type.storage), "typtypmod": number(-1),
                "typcollation": number(type.collation),
            ])
        }
        for (name, type) in snapshot.types.sorted(by: { $0.value.identifier < $1.value.identifier }) {
            userType(name, type, snapshot, sink)
        }
    }

    /// A type that a statement made, and its array type.
    private static func userType(_ name: TableName, _ type: UserType, _ snapshot: CatalogSnapshot, _ sink: RowSink) {
        let namespace = number(snapshot.schemaIdentifiers[name.schema] ?? 0)
        var row: [String: ScalarValue] = [
            "oid": number(type.identifier), "typname": text(name.table), "typnamespace": namespace,
            "typowner": number(owner), "typispreferred": .boolean(false), "typisdefined": .boolean(true),
            "typdelim": text(","), "typarray": number(type.identifier + 1), "typtypmod": number(-1),
            "typlen": number(-1), "typbyval": .boolean(false), "typalign": text("d"), "typstorage": text("x"),
        ]
        switch type.kind {
        case .enumeration:
            row["typtype"] = text("e")
            row["typcategory"] = text("E")
            row["typlen"] = number(4)
            row["typbyval"] = .boolean(true)
            row["typalign"] = text("i")
            row["typstorage"] = text("p")
        case .composite:
            row["typtype"] = text("c")
            row["typcategory"] = text("C")
        case .domain(let domain):
            let base = domain.parent ?? domain.base.catalogIdentifier
            let builtIn = BuiltInTypes.type(domain.base.catalogIdentifier)
            row["typtype"] = text("d")
            row["typcategory"] = text(builtIn?.category ?? "U")
            row["typlen"] = number(builtIn?.byteCount ?? -1)
            row["typbyval"] = .boolean(builtIn?.isPassedByValue ?? false)
            row["typalign"] = text(builtIn?.alignment ?? "i")
            row["typstorage"] = text(builtIn?.storage ?? "x")
            row["typcollation"] = number(builtIn?.collation ?? 0)
            row["typbasetype"] = number(base)
            row["typtypmod"] = number(domain.modifier?.catalogNumber(for: domain.base) ?? domain.base.catalogModifier)
            row["typnotnull"] = .boolean(domain.isNotNull)
            if let expression = domain.defaultExpression { row["typdefault"] = text(expression) }
        }
        sink.append(row)
        sink.append([
            "oid": number(type.identifier + 1), "typname": text("_" + name.table), "typnamespace": namespace,
            "typowner": number(owner), "typlen": number(-1), "typbyval": .boolean(false), "typtype": text("b"),
            "typcategory": text("A"), "typispreferred": .boolean(false), "typisdefined": .boolean(true),
            "typdelim": text(","), "typelem": number(type.identifier), "typarray": number(0), "typtypmod": number(-1),
            "typalign": text("d"), "typstorage": text("x"),
        ])
    }

    private static func labels(_ snapshot: CatalogSnapshot, _ sink: RowSink) {
        for type in snapshot.types.values.sorted(by: { $0.identifier < $1.identifier }) {
            guard case .enumeration(_, let labels) = type.kind else { continue }
            for (index, label) in labels.enumerated() {
                sink.append([
                    "oid": number(type.identifier + 1_000_000_000 + Int64(index)), "enumtypid": number(type.identifier),
                    "enumsortorder": .float(order(label)), "enumlabel": text(label.text),
                ])
            }
        }
    }

    /// Whole numbers for the labels of CREATE TYPE, what lies between them for others.
    private static func order(_ label: EnumeratedType.Label) -> Double {
        Double(label.key) / Double(UserType.keyStride) + 1
    }

    /// What casts there are, by the engine's own rules.
    private static func casts(_ sink: RowSink) {
        let types: [DataType] = [
            .boolean, .int16, .int32, .int64, .float32, .float64, .decimal(precision: 38, scale: 0), .text,
            .varchar(length: nil), .char(length: 1), .date, .time, .timestamp, .timestampTZ, .interval, .json, .jsonb,
            .oid, .name, .internalChar,
        ]
        var identifier: Int64 = 12_500
        for source in types {
            for target in types where source != target {
                // Casts by way of text are none of the list.
                let throughText = (source.isString != target.isString) && source != .internalChar
                guard let context = TypeConversion.neededContext(from: source, to: target), !throughText else {
                    continue
                }
                sink.append([
                    "oid": number(identifier), "castsource": number(source.catalogIdentifier),
                    "casttarget": number(target.catalogIdentifier),
                    "castcontext": text(context == .implicit ? "i" : context == .assignment ? "a" : "e"),
                    "castmethod": text("b"),
                ])
                identifier += 1
            }
        }
    }

    // MARK: - Functions

    private static func functions(_ snapshot: CatalogSnapshot, _ sink: RowSink) {
        for function in snapshot.functions.functions {
            var values: [String: ScalarValue] = [
                "oid": number(function.identifier), "proname": text(function.name), "pronamespace": number(11),
                "proowner": number(owner), "prolang": number(12), "procost": .float(1),
                "prorows": .float(function.returnsSet ? 1000 : 0),
                "prokind": text(["f", "a", "w"].contains(function.kind) ? function.kind : "f"),
                "proisstrict": .boolean(function.isStrict), "proretset": .boolean(function.returnsSet),
                "provolatile": text(function.volatility), "proparallel": text("s"),
                "pronargs": number(function.argumentTypes.count), "prorettype": number(function.resultType),
                "proargtypes": identifiers(function.argumentTypes), "prosrc": text(function.name),
                "provariadic": number(function.isVariadic ? function.argumentTypes.last ?? 0 : 0),
            ]
            if function.outputColumns.count > 1 {
                let outputs = function.outputColumns
                values["proallargtypes"] = identifiers(function.argumentTypes + outputs.map(\.type.catalogIdentifier))
                let modes = function.argumentTypes.map { _ in "i" } + outputs.map { _ in "o" }
                values["proargmodes"] = .bytes(
                    ArrayBlob.encode(modes.map { .string($0) }, elementType: .internalChar))
                let names = function.argumentTypes.map { _ in "" } + outputs.map(\.name)
                values["proargnames"] = .bytes(ArrayBlob.encode(names.map { .string($0) }, elementType: .text))
            }
            sink.append(values)
        }
    }

    private static func aggregates(_ snapshot: CatalogSnapshot, _ sink: RowSink) {
        for function in snapshot.functions.functions where function.kind == "a" {
            sink.append([
                "aggfnoid": number(function.identifier), "aggkind": text("n"), "aggtranstype": number(2281),
                "aggfinalmodify": text("r"), "aggmfinalmodify": text("r"),
            ])
        }
    }

    private static func operators(_ snapshot: CatalogSnapshot, _ sink: RowSink) {
        for function in snapshot.functions.operators {
            let arguments = function.argumentTypes
            sink.append([
                "oid": number(function.identifier), "oprname": text(function.name), "oprnamespace": number(11),
                "oprowner": number(owner), "oprkind": text(arguments.count == 1 ? "l" : "b"),
                "oprleft": number(arguments.count == 1 ? 0 : arguments.first ?? 0),
                "oprright": number(arguments.last ?? 0), "oprresult": number(function.resultType),
            ])
        }
    }

    // MARK: - The server

    private static func databases(_ snapshot: CatalogSnapshot, _ sink: RowSink) {
        for database in snapshot.databases {
            sink.append([
                "oid": number(database.identifier), "datname": text(database.name), "datdba": number(owner),
                "encoding": number(databaseEncoding), "datlocprovider": text("c"), "datallowconn": .boolean(true),
                "datconnlimit": number(-1), "dattablespace": number(1663), "datcollate": text("C"),
                "datctype": text("C.UTF-8"),
            ])
        }
    }

    private static func accessMethods(_ sink: RowSink) {
        sink.append(["oid": number(2), "amname": text("heap"), "amtype": text("t")])
        sink.append(["oid": number(403), "amname": text("btree"), "amtype": text("i")])
    }

    private static func collations(_ sink: RowSink) {
        for (identifier, name, provider) in [(100, "default", "d"), (950, "C", "c"), (951, "POSIX", "c")] {
            sink.append([
                "oid": number(identifier), "collname": text(name), "collnamespace": number(11),
                "collowner": number(owner), "collprovider": text(provider), "collisdeterministic": .boolean(true),
                "collencoding": number(-1), "collcollate": provider == "d" ? .null : text(name),
                "collctype": provider == "d" ? .null : text(name),
            ])
        }
    }

    private static func languages(_ sink: RowSink) {
        for (identifier, name, isTrusted) in [(12, "internal", false), (14, "sql", true)] {
            sink.append([
                "oid": number(identifier), "lanname": text(name), "lanowner": number(owner),
                "lanpltrusted": .boolean(isTrusted),
            ])
        }
    }

    private static func tablespaces(_ sink: RowSink) {
        for (identifier, name) in [(1663, "pg_default"), (1664, "pg_global")] {
            sink.append(["oid": number(identifier), "spcname": text(name), "spcowner": number(owner)])
        }
    }

    // MARK: - Comments

    private static func descriptions(_ snapshot: CatalogSnapshot, _ sink: RowSink) {
        func add(_ object: Int64, _ relation: Int64, _ column: Int, _ comment: String) {
            sink.append([
                "objoid": number(object), "classoid": number(relation), "objsubid": number(column),
                "description": text(comment),
            ])
        }
        for entry in snapshot.relations {
            if let comment = snapshot.comments[.relation(entry.name)] { add(entry.identifier, 1259, 0, comment) }
            if snapshot.comments.isEmpty { continue }
            for (index, column) in entry.columns.enumerated() {
                if let comment = snapshot.comments[.column(entry.name, column.name)] {
                    add(entry.identifier, 1259, index + 1, comment)
                }
            }
        }
        for schema in snapshot.schemas {
            if let comment = StatementCatalog.comment(onSchema: schema.name, snapshot) {
                add(schema.identifier, 2615, 0, comment)
            }
        }
        for function in snapshot.functions.functions where !function.text.isEmpty {
            add(function.identifier, 1255, 0, function.text)
        }
        for function in snapshot.functions.operators where !function.text.isEmpty {
            add(function.identifier, 2617, 0, function.text)
        }
    }

    private static func databaseDescriptions(_ snapshot: CatalogSnapshot, _ sink: RowSink) {
        for database in snapshot.databases {
            guard let comment = snapshot.comments[.database(database.name)] else { continue }
            sink.append([
                "objoid": number(database.identifier), "classoid": number(1262), "description": text(comment),
            ])
        }
    }
}
