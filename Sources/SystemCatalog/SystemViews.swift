// The catalogue's views: SQL over the base tables. A view gives expressions for the columns that have a meaning here; the
// others of its specification are NULL.

/// One view.
struct SystemView: Sendable {
    var schema: String
    var name: String
    var identifier: Int64?
    var query: String
}

enum SystemViews {
    static let byName = Dictionary(
        all.map { ("\($0.schema).\($0.name)", $0) }, uniquingKeysWith: { first, _ in first })

    static let all: [SystemView] = ViewSpecifications.text.split(separator: "\n").compactMap { line in
        let words = line.split(separator: " ").map(String.init)
        guard words.count > 2, let source = sources[words[0]] else { return nil }
        let name = words[0].split(separator: ".").map(String.init)
        let columns = words.dropFirst(2).map { word -> String in
            let parts = word.split(separator: ":").map(String.init)
            let expression = source.columns[parts[0]] ?? "NULL"
            return "CAST(\(expression) AS \(parts[1])) AS \(parts[0])"
        }
        return SystemView(
            schema: name[0], name: name[1], identifier: Int64(words[1]),
            query: "SELECT \(columns.joined(separator: ", ")) \(source.from)")
    }

    /// What stands behind SELECT, and what its columns are.
    private struct Source {
        var from: String
        var columns: [String: String]
    }

    // MARK: - Pieces

    private static let relationNames = [
        "schemaname": "n.nspname", "relname": "c.relname", "relid": "c.oid",
        "n_live_tup": "greatest(c.reltuples, 0)::bigint",
        "n_dead_tup": "0", "seq_scan": "0", "idx_scan": "0", "n_tup_ins": "0", "n_tup_upd": "0", "n_tup_del": "0",
        "n_tup_hot_upd": "0", "n_mod_since_analyze": "0", "vacuum_count": "0", "autovacuum_count": "0",
        "analyze_count": "0", "autoanalyze_count": "0", "seq_tup_read": "0", "idx_tup_fetch": "0",
        "n_ins_since_vacuum": "0",
    ]
    private static let classes =
        "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    private static let systemNames = "('pg_catalog', 'information_schema', 'system')"
    private static let database = "current_database()"

    /// Users, with whoever looks among them: number 10, to which everything belongs.
    private static let users = """
        FROM (SELECT s.user_name AS name, s.is_administrator, s.can_log_in, \
        CASE WHEN s.user_name = current_user THEN 10 ELSE s.user_id END AS id FROM system.users s \
        UNION ALL SELECT current_user, NOT EXISTS (SELECT 1 FROM system.users), true, 10 \
        WHERE NOT EXISTS (SELECT 1 FROM system.users s WHERE s.user_name = current_user)) u
        """
    private static let userColumns = [
        "usename": "u.name", "usesysid": "u.id", "usecreatedb": "true", "usesuper": "u.is_administrator",
        "userepl": "false", "usebypassrls": "u.is_administrator", "passwd": "'********'",
    ]
    private static let roleColumns = [
        "rolname": "u.name", "rolsuper": "u.is_administrator", "rolinherit": "true",
        "rolcreaterole": "u.is_administrator", "rolcreatedb": "true", "rolcanlogin": "true", "rolreplication": "false",
        "rolconnlimit": "-1", "rolpassword": "'********'", "rolbypassrls": "u.is_administrator", "oid": "u.id",
    ]

    /// Lengths and precisions of a type, as information_schema tells them; `t` is the type's number and `m` its modifier.
    private static func typeColumns(_ type: String, _ modifier: String) -> [String: String] {
        [
            "data_type":
                "CASE WHEN t.typtype = 'd' AND t.typbasetype < 16384 THEN pg_catalog.format_type(t.typbasetype, NULL) WHEN t.typelem <> 0 AND t.typlen = -1 THEN 'ARRAY' WHEN t.typnamespace = 11 THEN pg_catalog.format_type(\(type), NULL) ELSE 'USER-DEFINED' END",
            "udt_catalog": database, "udt_schema": "'pg_catalog'", "udt_name": "t.typname",
            "character_maximum_length":
                "CASE WHEN \(type) IN (1042, 1043) AND \(modifier) > 4 THEN \(modifier) - 4 WHEN \(type) IN (1560, 1562) AND \(modifier) > 0 THEN \(modifier) END",
            "character_octet_length":
                "CASE WHEN \(type) IN (1042, 1043) AND \(modifier) > 4 THEN (\(modifier) - 4) * 4 WHEN \(type) IN (25, 1042, 1043) THEN 1073741824 END",
            "numeric_precision":
                "CASE \(type) WHEN 21 THEN 16 WHEN 23 THEN 32 WHEN 20 THEN 64 WHEN 700 THEN 24 WHEN 701 THEN 53 WHEN 1700 THEN CASE WHEN \(modifier) >= 4 THEN (\(modifier) - 4) / 65536 END END",
            "numeric_precision_radix":
                "CASE WHEN \(type) IN (20, 21, 23, 700, 701) THEN 2 WHEN \(type) = 1700 THEN 10 END",
            "numeric_scale":
                "CASE WHEN \(type) IN (20, 21, 23) THEN 0 WHEN \(type) = 1700 AND \(modifier) >= 4 THEN (\(modifier) - 4) % 65536 END",
            "datetime_precision":
                "CASE WHEN \(type) = 1082 THEN 0 WHEN \(type) IN (1083, 1114, 1184, 1266) THEN CASE WHEN \(modifier) < 0 THEN 6 ELSE \(modifier) END WHEN \(type) = 1186 THEN CASE WHEN \(modifier) < 0 OR \(modifier) % 65536 = 65535 THEN 6 ELSE \(modifier) % 65536 END END",
            "interval_type":
                "CASE WHEN \(type) = 1186 THEN upper(pg_catalog.substring(pg_catalog.format_type(\(type), \(modifier)), '^interval ([a-z].*)')) END",
        ]
    }

    private static let relationColumns = [
        "table_catalog": database, "table_schema": "n.nspname", "table_name": "c.relname",
    ]

    private static let grants: [String: String] = relationColumns.merging([
        "grantor": "current_user", "grantee": "current_user", "privilege_type": "p.kind", "is_grantable": "'YES'",
        "with_hierarchy": "CASE p.kind WHEN 'SELECT' THEN 'YES' ELSE 'NO' END",
    ]) { first, _ in first }
    private static let tablePrivileges =
        "CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE'), ('REFERENCES'), ('TRIGGER')) p(kind)"
    private static let columnPrivileges =
        "JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('REFERENCES')) p(kind)"

    private static let constraints =
        "FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    private static let constraintNames = relationColumns.merging([
        "constraint_catalog": database, "constraint_schema": "n.nspname", "constraint_name": "k.conname",
    ]) { first, _ in first }

    private static func joined(_ parts: [String: String]...) -> [String: String] {
        parts.reduce(into: [:]) { $0.merge($1) { _, new in new } }
    }

    // MARK: - Views

    private static let sources: [String: Source] = catalogViews.merging(informationSchemaViews) { first, _ in first }

    private static let catalogViews: [String: Source] = [
        "pg_catalog.pg_tables": Source(
            from: "\(classes) WHERE c.relkind IN ('r', 'p')",
            columns: [
                "schemaname": "n.nspname", "tablename": "c.relname",
                "tableowner": "pg_catalog.pg_get_userbyid(c.relowner)",
                "hasindexes": "c.relhasindex", "hasrules": "c.relhasrules", "hastriggers": "c.relhastriggers",
                "rowsecurity": "c.relrowsecurity",
            ]),
        "pg_catalog.pg_views": Source(
            from: "\(classes) WHERE c.relkind = 'v'",
            columns: [
                "schemaname": "n.nspname", "viewname": "c.relname",
                "viewowner": "pg_catalog.pg_get_userbyid(c.relowner)",
                "definition": "pg_catalog.pg_get_viewdef(c.oid)",
            ]),
        "pg_catalog.pg_matviews": Source(
            from: "\(classes) WHERE c.relkind = 'm'",
            columns: [
                "schemaname": "n.nspname", "matviewname": "c.relname",
                "matviewowner": "pg_catalog.pg_get_userbyid(c.relowner)", "hasindexes": "c.relhasindex",
                "ispopulated": "c.relispopulated", "definition": "pg_catalog.pg_get_viewdef(c.oid)",
            ]),
        "pg_catalog.pg_indexes": Source(
            from: """
                FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indrelid \
                JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid \
                JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                """,
            columns: [
                "schemaname": "n.nspname", "tablename": "c.relname", "indexname": "i.relname",
                "indexdef": "pg_catalog.pg_get_indexdef(i.oid)",
            ]),
        "pg_catalog.pg_authid": Source(from: users, columns: roleColumns),
        "pg_catalog.pg_roles": Source(from: users, columns: roleColumns),
        "pg_catalog.pg_user": Source(from: users, columns: userColumns),
        "pg_catalog.pg_shadow": Source(from: users, columns: userColumns),
        "pg_catalog.pg_group": Source(from: "WHERE false", columns: [:]),
        "pg_catalog.pg_settings": Source(
            from: "FROM system.settings s",
            columns: [
                "name": "s.name", "setting": "pg_catalog.current_setting(s.name, true)", "category": "s.category",
                "short_desc": "s.description", "context": "s.context", "vartype": "s.type", "source": "s.source",
                "boot_val": "s.default_value", "reset_val": "s.default_value", "pending_restart": "false",
                "unit": "s.unit",
            ]),
        "pg_catalog.pg_stat_all_tables": Source(from: "\(classes) WHERE c.relkind = 'r'", columns: relationNames),
        "pg_catalog.pg_stat_user_tables": Source(
            from: "\(classes) WHERE c.relkind = 'r' AND n.nspname NOT IN \(systemNames)", columns: relationNames),
        "pg_catalog.pg_stat_sys_tables": Source(
            from: "\(classes) WHERE c.relkind = 'r' AND n.nspname IN \(systemNames)", columns: relationNames),
        "pg_catalog.pg_stat_activity": Source(
            from: "FROM system.sessions s LEFT JOIN pg_catalog.pg_database d ON d.datname = s.database_name",
            columns: [
                "datid": "d.oid", "datname": "s.database_name", "usename": "s.user_name", "state": "s.state",
                "query": "s.query", "query_start": "s.query_started_at", "backend_type": "'client backend'",
                "pid": "s.session_id", "usesysid": "10", "application_name": "s.application_name",
                "backend_start": "s.started_at", "xact_start": "s.transaction_started_at",
                "state_change": "s.state_changed_at",
                "wait_event_type": "CASE WHEN s.state <> 'active' THEN 'Client' END",
                "wait_event": "CASE WHEN s.state <> 'active' THEN 'ClientRead' END",
            ]),
        // None of the caches that have a name in PostgreSQL exists here; `other` stands for all that have none, and those
        // have counted nothing since the server started.
        "pg_catalog.pg_stat_slru": Source(
            from: "",
            columns: [
                "name": "'other'", "blks_zeroed": "0", "blks_hit": "0", "blks_read": "0", "blks_written": "0",
                "blks_exists": "0", "flushes": "0", "truncates": "0",
                "stats_reset": "pg_catalog.pg_postmaster_start_time()",
            ]),
        "pg_catalog.pg_sequences": Source(from: "WHERE false", columns: [:]),
        "pg_catalog.pg_stat_database": Source(
            from: "FROM pg_catalog.pg_database d",
            columns: ["datid": "d.oid", "datname": "d.datname", "numbackends": "0"]),
        "pg_catalog.pg_stats": Source(from: "WHERE false", columns: [:]),
        "pg_catalog.pg_timezone_names": Source(from: "WHERE false", columns: [:]),
    ]

    private static let informationSchemaViews: [String: Source] = [
        "information_schema.information_schema_catalog_name": Source(from: "", columns: ["catalog_name": database]),
        "information_schema.schemata": Source(
            from: "FROM pg_catalog.pg_namespace n",
            columns: [
                "catalog_name": database, "schema_name": "n.nspname",
                "schema_owner": "pg_catalog.pg_get_userbyid(n.nspowner)",
            ]),
        "information_schema.tables": Source(
            from: "\(classes) WHERE c.relkind IN ('r', 'v', 'p', 'f')",
            columns: joined(
                relationColumns,
                [
                    "table_type":
                        "CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'f' THEN 'FOREIGN' ELSE 'BASE TABLE' END",
                    "is_insertable_into":
                        "CASE WHEN c.relkind = 'r' OR pg_catalog.pg_relation_is_updatable(c.oid, false) & 8 = 8 THEN 'YES' ELSE 'NO' END",
                    "is_typed": "'NO'",
                ])),
        "information_schema.columns": Source(
            from: """
                \(classes) JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid \
                JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
                LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype AND t.typtype = 'd' \
                LEFT JOIN pg_catalog.pg_namespace w ON w.oid = coalesce(b.typnamespace, t.typnamespace) \
                LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
                LEFT JOIN (pg_catalog.pg_depend e JOIN pg_catalog.pg_sequence s ON s.seqrelid = e.objid AND e.deptype = 'i') \
                ON e.refobjid = a.attrelid AND e.refobjsubid = a.attnum \
                WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v', 'p', 'f')
                """,
            columns: joined(
                relationColumns,
                typeColumns(
                    "CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE a.atttypid END",
                    "CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE a.atttypmod END"),
                [
                    "column_name": "a.attname", "ordinal_position": "a.attnum",
                    "column_default": "CASE WHEN a.attgenerated = '' THEN d.adbin END",
                    "is_nullable": "CASE WHEN a.attnotnull THEN 'NO' ELSE 'YES' END",
                    "dtd_identifier": "a.attnum::text",
                    "is_self_referencing": "'NO'",
                    "is_identity": "CASE WHEN a.attidentity <> '' THEN 'YES' ELSE 'NO' END",
                    "identity_generation": "CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END",
                    "identity_start": "s.seqstart::text", "identity_increment": "s.seqincrement::text",
                    "identity_maximum": "s.seqmax::text", "identity_minimum": "s.seqmin::text",
                    "identity_cycle": "CASE WHEN s.seqcycle THEN 'YES' ELSE 'NO' END",
                    "domain_name": "CASE WHEN t.typtype = 'd' THEN t.typname END",
                    "udt_schema": "w.nspname", "udt_name": "coalesce(b.typname, t.typname)",
                    "is_generated": "CASE WHEN a.attgenerated <> '' THEN 'ALWAYS' ELSE 'NEVER' END",
                    "generation_expression": "CASE WHEN a.attgenerated <> '' THEN d.adbin END",
                    "is_updatable":
                        "CASE WHEN c.relkind = 'r' OR pg_catalog.pg_column_is_updatable(c.oid, a.attnum, false) THEN 'YES' ELSE 'NO' END",
                ])),
        "information_schema.views": Source(
            from: "\(classes) WHERE c.relkind = 'v'",
            columns: joined(
                relationColumns,
                [
                    "view_definition": "pg_catalog.pg_get_viewdef(c.oid)",
                    "check_option":
                        "CASE WHEN 'check_option=cascaded' = ANY (c.reloptions) THEN 'CASCADED' WHEN 'check_option=local' = ANY (c.reloptions) THEN 'LOCAL' ELSE 'NONE' END",
                    "is_updatable":
                        "CASE WHEN pg_catalog.pg_relation_is_updatable(c.oid, false) & 20 = 20 THEN 'YES' ELSE 'NO' END",
                    "is_insertable_into":
                        "CASE WHEN pg_catalog.pg_relation_is_updatable(c.oid, false) & 8 = 8 THEN 'YES' ELSE 'NO' END",
                    "is_trigger_updatable": "'NO'",
                    "is_trigger_deletable": "'NO'", "is_trigger_insertable_into": "'NO'",
                ])),
        "information_schema.sequences": Source(
            from: """
                FROM pg_catalog.pg_sequence s JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid \
                JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                LEFT JOIN pg_catalog.pg_depend e ON e.objid = s.seqrelid AND e.deptype = 'i' WHERE e.objid IS NULL
                """,
            columns: [
                "sequence_catalog": database, "sequence_schema": "n.nspname", "sequence_name": "c.relname",
                "data_type": "pg_catalog.format_type(s.seqtypid, NULL)",
                "numeric_precision": "CASE s.seqtypid WHEN 21 THEN 16 WHEN 23 THEN 32 ELSE 64 END",
                "numeric_precision_radix": "2", "numeric_scale": "0", "start_value": "s.seqstart::text",
                "minimum_value": "s.seqmin::text", "maximum_value": "s.seqmax::text",
                "increment": "s.seqincrement::text",
                "cycle_option": "CASE WHEN s.seqcycle THEN 'YES' ELSE 'NO' END",
            ]),
        "information_schema.element_types": Source(from: "WHERE false", columns: [:]),
        "information_schema.character_sets": Source(
            from: "",
            columns: [
                "character_set_name": "'UTF8'", "character_repertoire": "'UCS'", "form_of_use": "'UTF8'",
                "default_collate_catalog": database, "default_collate_schema": "'pg_catalog'",
                "default_collate_name": "'C'",
            ]),
        "information_schema.enabled_roles": Source(from: "", columns: ["role_name": "current_user"]),
        "information_schema.applicable_roles": Source(from: "WHERE false", columns: [:]),
        "information_schema.table_privileges": Source(
            from: "\(classes) \(tablePrivileges) WHERE c.relkind IN ('r', 'v', 'p', 'f')", columns: grants),
        "information_schema.role_table_grants": Source(
            from: "\(classes) \(tablePrivileges) WHERE c.relkind IN ('r', 'v', 'p', 'f')", columns: grants),
        "information_schema.column_privileges": Source(
            from: "\(classes) \(columnPrivileges) WHERE c.relkind IN ('r', 'v', 'p', 'f') AND a.attnum > 0",
            columns: joined(grants, ["column_name": "a.attname"])),
        "information_schema.role_column_grants": Source(
            from: "\(classes) \(columnPrivileges) WHERE c.relkind IN ('r', 'v', 'p', 'f') AND a.attnum > 0",
            columns: joined(grants, ["column_name": "a.attname"])),
        "information_schema.table_constraints": Source(
            from: "\(constraints) WHERE k.contype IN ('c', 'f', 'p', 'u')",
            columns: joined(
                constraintNames,
                [
                    "constraint_type":
                        "CASE k.contype WHEN 'c' THEN 'CHECK' WHEN 'f' THEN 'FOREIGN KEY' WHEN 'p' THEN 'PRIMARY KEY' ELSE 'UNIQUE' END",
                    "is_deferrable": "CASE WHEN k.condeferrable THEN 'YES' ELSE 'NO' END",
                    "initially_deferred": "CASE WHEN k.condeferred THEN 'YES' ELSE 'NO' END", "enforced": "'YES'",
                    "nulls_distinct": "CASE WHEN k.contype = 'u' THEN 'YES' END",
                ])),
        "information_schema.key_column_usage": Source(
            from: """
                \(constraints) CROSS JOIN LATERAL unnest(k.conkey) WITH ORDINALITY AS u(attnum, position) \
                JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.attnum \
                WHERE k.contype IN ('f', 'p', 'u')
                """,
            columns: joined(constraintNames, ["column_name": "a.attname", "ordinal_position": "u.position"])),
        "information_schema.constraint_column_usage": Source(
            from: """
                FROM pg_catalog.pg_constraint k \
                JOIN pg_catalog.pg_class c ON c.oid = CASE k.contype WHEN 'f' THEN k.confrelid ELSE k.conrelid END \
                JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid \
                AND a.attnum = ANY (CASE k.contype WHEN 'f' THEN k.confkey ELSE k.conkey END) \
                WHERE k.contype IN ('c', 'f', 'p', 'u')
                """,
            columns: joined(constraintNames, ["column_name": "a.attname"])),
        "information_schema.referential_constraints": Source(
            from:
                "\(constraints) LEFT JOIN pg_catalog.pg_constraint r ON r.conindid = k.conindid AND r.contype IN ('p', 'u') WHERE k.contype = 'f'",
            columns: [
                "constraint_catalog": database, "constraint_schema": "n.nspname", "constraint_name": "k.conname",
                "unique_constraint_catalog": database, "unique_constraint_schema": "n.nspname",
                "unique_constraint_name": "r.conname", "match_option": "'NONE'",
                "update_rule": referentialRule("k.confupdtype"), "delete_rule": referentialRule("k.confdeltype"),
            ]),
        "information_schema.check_constraints": Source(
            from: "\(constraints) WHERE k.contype = 'c'",
            columns: [
                "constraint_catalog": database, "constraint_schema": "n.nspname", "constraint_name": "k.conname",
                "check_clause": "pg_catalog.pg_get_expr(k.conbin, k.conrelid)",
            ]),
        "information_schema.routines": Source(
            from: """
                FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
                JOIN pg_catalog.pg_type t ON t.oid = p.prorettype WHERE p.prokind IN ('f', 'p')
                """,
            columns: [
                "specific_catalog": database, "specific_schema": "n.nspname",
                "specific_name": "p.proname || '_' || p.oid", "routine_catalog": database,
                "routine_schema": "n.nspname", "routine_name": "p.proname", "routine_type": "'FUNCTION'",
                "data_type":
                    "CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN 'ARRAY' ELSE pg_catalog.format_type(t.oid, NULL) END",
                "type_udt_catalog": database, "type_udt_schema": "'pg_catalog'", "type_udt_name": "t.typname",
                "routine_body": "'EXTERNAL'", "external_language": "'INTERNAL'", "parameter_style": "'GENERAL'",
                "is_deterministic": "CASE WHEN p.provolatile = 'i' THEN 'YES' ELSE 'NO' END",
                "sql_data_access": "'MODIFIES'", "is_null_call": "CASE WHEN p.proisstrict THEN 'YES' ELSE 'NO' END",
                "schema_level_routine": "'YES'", "max_dynamic_result_sets": "0", "security_type": "'INVOKER'",
            ]),
        "information_schema.parameters": Source(
            from: """
                FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
                CROSS JOIN LATERAL unnest(p.proargtypes) WITH ORDINALITY AS u(type, position) \
                JOIN pg_catalog.pg_type t ON t.oid = u.type
                """,
            columns: [
                "specific_catalog": database, "specific_schema": "n.nspname",
                "specific_name": "p.proname || '_' || p.oid", "ordinal_position": "u.position",
                "parameter_mode": "'IN'", "is_result": "'NO'", "as_locator": "'NO'",
                "data_type":
                    "CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN 'ARRAY' ELSE pg_catalog.format_type(t.oid, NULL) END",
                "udt_catalog": database, "udt_schema": "'pg_catalog'", "udt_name": "t.typname",
            ]),
    ]

    private static func referentialRule(_ column: String) -> String {
        "CASE \(column) WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' WHEN 'r' THEN 'RESTRICT' ELSE 'NO ACTION' END"
    }
}
