// The columns of the catalogue's views, which clients ask for by name.

/// One view a line: full name, number, and its columns as `name:type`.
enum ViewSpecifications {
    static let text = """
        pg_catalog.pg_authid 1260 oid:oid rolname:name rolsuper:bool rolinherit:bool rolcreaterole:bool \
            rolcreatedb:bool rolcanlogin:bool rolreplication:bool rolbypassrls:bool rolconnlimit:int4 \
            rolpassword:text rolvaliduntil:timestamptz
        pg_catalog.pg_group 12010 groname:name grosysid:oid grolist:oid[]
        pg_catalog.pg_indexes 12043 schemaname:name tablename:name indexname:name tablespace:name indexdef:text
        pg_catalog.pg_roles 12000 rolname:name rolsuper:bool rolinherit:bool rolcreaterole:bool rolcreatedb:bool \
            rolcanlogin:bool rolreplication:bool rolconnlimit:int4 rolpassword:text rolvaliduntil:timestamptz \
            rolbypassrls:bool rolconfig:text[] oid:oid
        pg_catalog.pg_sequences 12048 schemaname:name sequencename:name sequenceowner:name data_type:regtype \
            start_value:int8 min_value:int8 max_value:int8 increment_by:int8 cycle:bool cache_size:int8 \
            last_value:int8
        pg_catalog.pg_settings 12104 name:text setting:text unit:text category:text short_desc:text extra_desc:text \
            context:text vartype:text source:text min_val:text max_val:text enumvals:text[] boot_val:text \
            reset_val:text sourcefile:text sourceline:int4 pending_restart:bool
        pg_catalog.pg_shadow 12005 usename:name usesysid:oid usecreatedb:bool usesuper:bool userepl:bool \
            usebypassrls:bool passwd:text valuntil:timestamptz useconfig:text[]
        pg_catalog.pg_stat_activity 12222 datid:oid datname:name pid:int4 leader_pid:int4 usesysid:oid usename:name \
            application_name:text client_addr:text client_hostname:text client_port:int4 backend_start:timestamptz \
            xact_start:timestamptz query_start:timestamptz state_change:timestamptz wait_event_type:text \
            wait_event:text state:text backend_xid:oid backend_xmin:oid query_id:int8 query:text backend_type:text
        pg_catalog.pg_stat_all_tables 12142 relid:oid schemaname:name relname:name seq_scan:int8 seq_tup_read:int8 \
            idx_scan:int8 idx_tup_fetch:int8 n_tup_ins:int8 n_tup_upd:int8 n_tup_del:int8 n_tup_hot_upd:int8 \
            n_live_tup:int8 n_dead_tup:int8 n_mod_since_analyze:int8 n_ins_since_vacuum:int8 last_vacuum:timestamptz \
            last_autovacuum:timestamptz last_analyze:timestamptz last_autoanalyze:timestamptz vacuum_count:int8 \
            autovacuum_count:int8 analyze_count:int8 autoanalyze_count:int8
        pg_catalog.pg_stat_database 12266 datid:oid datname:name numbackends:int4 xact_commit:int8 \
            xact_rollback:int8 blks_read:int8 blks_hit:int8 tup_returned:int8 tup_fetched:int8 tup_inserted:int8 \
            tup_updated:int8 tup_deleted:int8 conflicts:int8 temp_files:int8 temp_bytes:int8 deadlocks:int8 \
            checksum_failures:int8 checksum_last_failure:timestamptz blk_read_time:float8 blk_write_time:float8 \
            session_time:float8 active_time:float8 idle_in_transaction_time:float8 sessions:int8 \
            sessions_abandoned:int8 sessions_fatal:int8 sessions_killed:int8 stats_reset:timestamptz
        pg_catalog.pg_stat_slru 12232 name:text blks_zeroed:int8 blks_hit:int8 blks_read:int8 blks_written:int8 \
            blks_exists:int8 flushes:int8 truncates:int8 stats_reset:timestamptz
        pg_catalog.pg_stat_sys_tables 12152 relid:oid schemaname:name relname:name seq_scan:int8 seq_tup_read:int8 \
            idx_scan:int8 idx_tup_fetch:int8 n_tup_ins:int8 n_tup_upd:int8 n_tup_del:int8 n_tup_hot_upd:int8 \
            n_live_tup:int8 n_dead_tup:int8 n_mod_since_analyze:int8 n_ins_since_vacuum:int8 last_vacuum:timestamptz \
            last_autovacuum:timestamptz last_analyze:timestamptz last_autoanalyze:timestamptz vacuum_count:int8 \
            autovacuum_count:int8 analyze_count:int8 autoanalyze_count:int8
        pg_catalog.pg_stat_user_tables 12161 relid:oid schemaname:name relname:name seq_scan:int8 seq_tup_read:int8 \
            idx_scan:int8 idx_tup_fetch:int8 n_tup_ins:int8 n_tup_upd:int8 n_tup_del:int8 n_tup_hot_upd:int8 \
            n_live_tup:int8 n_dead_tup:int8 n_mod_since_analyze:int8 n_ins_since_vacuum:int8 last_vacuum:timestamptz \
            last_autovacuum:timestamptz last_analyze:timestamptz last_autoanalyze:timestamptz vacuum_count:int8 \
            autovacuum_count:int8 analyze_count:int8 autoanalyze_count:int8
        pg_catalog.pg_stats 12053 schemaname:name tablename:name attname:name inherited:bool null_frac:float4 \
            avg_width:int4 n_distinct:float4 most_common_vals:text most_common_freqs:float4[] histogram_bounds:text \
            correlation:float4 most_common_elems:text most_common_elem_freqs:float4[] elem_count_histogram:float4[]
        pg_catalog.pg_matviews 12038 schemaname:name matviewname:name matviewowner:name tablespace:name \
            hasindexes:bool ispopulated:bool definition:text
        pg_catalog.pg_tables 12033 schemaname:name tablename:name tableowner:name tablespace:name hasindexes:bool \
            hasrules:bool hastriggers:bool rowsecurity:bool
        pg_catalog.pg_timezone_names 12126 name:text abbrev:text utc_offset:interval is_dst:bool
        pg_catalog.pg_user 12014 usename:name usesysid:oid usecreatedb:bool usesuper:bool userepl:bool \
            usebypassrls:bool passwd:text valuntil:timestamptz useconfig:text[]
        pg_catalog.pg_views 12028 schemaname:name viewname:name viewowner:name definition:text
        information_schema.applicable_roles 12500 grantee:name role_name:name is_grantable:varchar
        information_schema.character_sets 12501 character_set_catalog:name character_set_schema:name \
            character_set_name:name character_repertoire:name form_of_use:name default_collate_catalog:name \
            default_collate_schema:name default_collate_name:name
        information_schema.check_constraints 12502 constraint_catalog:name constraint_schema:name \
            constraint_name:name check_clause:varchar
        information_schema.column_privileges 12503 grantor:name grantee:name table_catalog:name table_schema:name \
            table_name:name column_name:name privilege_type:varchar is_grantable:varchar
        information_schema.columns 12504 table_catalog:name table_schema:name table_name:name column_name:name \
            ordinal_position:int4 column_default:varchar is_nullable:varchar data_type:varchar \
            character_maximum_length:int4 character_octet_length:int4 numeric_precision:int4 \
            numeric_precision_radix:int4 numeric_scale:int4 datetime_precision:int4 interval_type:varchar \
            interval_precision:int4 character_set_catalog:name character_set_schema:name character_set_name:name \
            collation_catalog:name collation_schema:name collation_name:name domain_catalog:name domain_schema:name \
            domain_name:name udt_catalog:name udt_schema:name udt_name:name scope_catalog:name scope_schema:name \
            scope_name:name maximum_cardinality:int4 dtd_identifier:name is_self_referencing:varchar \
            is_identity:varchar identity_generation:varchar identity_start:varchar identity_increment:varchar \
            identity_maximum:varchar identity_minimum:varchar identity_cycle:varchar is_generated:varchar \
            generation_expression:varchar is_updatable:varchar
        information_schema.constraint_column_usage 12505 table_catalog:name table_schema:name table_name:name \
            column_name:name constraint_catalog:name constraint_schema:name constraint_name:name
        information_schema.element_types 12506 object_catalog:name object_schema:name object_name:name \
            object_type:varchar collection_type_identifier:name data_type:varchar character_maximum_length:int4 \
            character_octet_length:int4 character_set_catalog:name character_set_schema:name character_set_name:name \
            collation_catalog:name collation_schema:name collation_name:name numeric_precision:int4 \
            numeric_precision_radix:int4 numeric_scale:int4 datetime_precision:int4 interval_type:varchar \
            interval_precision:int4 domain_default:varchar udt_catalog:name udt_schema:name udt_name:name \
            scope_catalog:name scope_schema:name scope_name:name maximum_cardinality:int4 dtd_identifier:name
        information_schema.enabled_roles 12507 role_name:name
        information_schema.information_schema_catalog_name 12508 catalog_name:name
        information_schema.key_column_usage 12509 constraint_catalog:name constraint_schema:name \
            constraint_name:name table_catalog:name table_schema:name table_name:name column_name:name \
            ordinal_position:int4 position_in_unique_constraint:int4
        information_schema.parameters 12510 specific_catalog:name specific_schema:name specific_name:name \
            ordinal_position:int4 parameter_mode:varchar is_result:varchar as_locator:varchar parameter_name:name \
            data_type:varchar character_maximum_length:int4 character_octet_length:int4 character_set_catalog:name \
            character_set_schema:name character_set_name:name collation_catalog:name collation_schema:name \
            collation_name:name numeric_precision:int4 numeric_precision_radix:int4 numeric_scale:int4 \
            datetime_precision:int4 interval_type:varchar interval_precision:int4 udt_catalog:name udt_schema:name \
            udt_name:name scope_catalog:name scope_schema:name scope_name:name maximum_cardinality:int4 \
            dtd_identifier:name parameter_default:varchar
        information_schema.referential_constraints 12511 constraint_catalog:name constraint_schema:name \
            constraint_name:name unique_constraint_catalog:name unique_constraint_schema:name \
            unique_constraint_name:name match_option:varchar update_rule:varchar delete_rule:varchar
        information_schema.role_column_grants 12512 grantor:name grantee:name table_catalog:name table_schema:name \
            table_name:name column_name:name privilege_type:varchar is_grantable:varchar
        information_schema.role_table_grants 12513 grantor:name grantee:name table_catalog:name table_schema:name \
            table_name:name privilege_type:varchar is_grantable:varchar with_hierarchy:varchar
        information_schema.routines 12514 specific_catalog:name specific_schema:name specific_name:name \
            routine_catalog:name routine_schema:name routine_name:name routine_type:varchar module_catalog:name \
            module_schema:name module_name:name udt_catalog:name udt_schema:name udt_name:name data_type:varchar \
            character_maximum_length:int4 character_octet_length:int4 character_set_catalog:name \
            character_set_schema:name character_set_name:name collation_catalog:name collation_schema:name \
            collation_name:name numeric_precision:int4 numeric_precision_radix:int4 numeric_scale:int4 \
            datetime_precision:int4 interval_type:varchar interval_precision:int4 type_udt_catalog:name \
            type_udt_schema:name type_udt_name:name scope_catalog:name scope_schema:name scope_name:name \
            maximum_cardinality:int4 dtd_identifier:name routine_body:varchar routine_definition:varchar \
            external_name:varchar external_language:varchar parameter_style:varchar is_deterministic:varchar \
            sql_data_access:varchar is_null_call:varchar sql_path:varchar schema_level_routine:varchar \
            max_dynamic_result_sets:int4 is_user_defined_cast:varchar is_implicitly_invocable:varchar \
            security_type:varchar to_sql_specific_catalog:name to_sql_specific_schema:name to_sql_specific_name:name \
            as_locator:varchar created:timestamptz last_altered:timestamptz new_savepoint_level:varchar \
            is_udt_dependent:varchar result_cast_from_data_type:varchar result_cast_as_locator:varchar \
            result_cast_char_max_length:int4 result_cast_char_octet_length:int4 result_cast_char_set_catalog:name \
            result_cast_char_set_schema:name result_cast_char_set_name:name result_cast_collation_catalog:name \
            result_cast_collation_schema:name result_cast_collation_name:name result_cast_numeric_precision:int4 \
            result_cast_numeric_precision_radix:int4 result_cast_numeric_scale:int4 \
            result_cast_datetime_precision:int4 result_cast_interval_type:varchar \
            result_cast_interval_precision:int4 result_cast_type_udt_catalog:name result_cast_type_udt_schema:name \
            result_cast_type_udt_name:name result_cast_scope_catalog:name result_cast_scope_schema:name \
            result_cast_scope_name:name result_cast_maximum_cardinality:int4 result_cast_dtd_identifier:name
        information_schema.schemata 12515 catalog_name:name schema_name:name schema_owner:name \
            default_character_set_catalog:name default_character_set_schema:name default_character_set_name:name \
            sql_path:varchar
        information_schema.sequences 12516 sequence_catalog:name sequence_schema:name sequence_name:name \
            data_type:varchar numeric_precision:int4 numeric_precision_radix:int4 numeric_scale:int4 \
            start_value:varchar minimum_value:varchar maximum_value:varchar increment:varchar cycle_option:varchar
        information_schema.table_constraints 12517 constraint_catalog:name constraint_schema:name \
            constraint_name:name table_catalog:name table_schema:name table_name:name constraint_type:varchar \
            is_deferrable:varchar initially_deferred:varchar enforced:varchar nulls_distinct:varchar
        information_schema.table_privileges 12518 grantor:name grantee:name table_catalog:name table_schema:name \
            table_name:name privilege_type:varchar is_grantable:varchar with_hierarchy:varchar
        information_schema.tables 12519 table_catalog:name table_schema:name table_name:name table_type:varchar \
            self_referencing_column_name:name reference_generation:varchar user_defined_type_catalog:name \
            user_defined_type_schema:name user_defined_type_name:name is_insertable_into:varchar is_typed:varchar \
            commit_action:varchar
        information_schema.views 12520 table_catalog:name table_schema:name table_name:name view_definition:varchar \
            check_option:varchar is_updatable:varchar is_insertable_into:varchar is_trigger_updatable:varchar \
            is_trigger_deletable:varchar is_trigger_insertable_into:varchar
        """
}
