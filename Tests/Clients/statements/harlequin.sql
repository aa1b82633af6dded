-- Sent by harlequin.

-- simple: BEGIN
BEGIN;

-- simple: rows datname:name
select datname
                from pg_database
                where
                    datistemplate is false
                    and datallowconn is true
                order by datname asc
                ;

-- simple: COMMIT
COMMIT;

-- simple: rows current_database:name current_schemas:name[]
select current_database(), current_schemas(false);

-- extended: rows schema_name:name
select schema_name
                from information_schema.schemata
                where
                    catalog_name = $1
                    and schema_name != 'information_schema'
                    and schema_name not like 'pg\_%' escape '\'
                order by schema_name asc
                ;

-- extended: rows table_name:name table_type:varchar
select table_name, table_type
                from information_schema.tables
                where
                    table_catalog = $1
                    and table_schema = $2
                order by table_name asc
                ;

-- extended: rows matviewname:name
select matviewname
                from pg_matviews
                where
                    schemaname = $1
                order by matviewname asc
                ;

-- simple: rows label:name type_label:text context:name
select distinct
                routine_name as label,
                case when routine_type is null then 'agg' else 'fn' end as type_label,
                case
                    when routine_schema = 'pg_catalog'  --
                    then null
                    else routine_schema
                end as context
            from information_schema.routines
            where
                length(routine_name) < 37
                and routine_name not ilike '\_%'
                and routine_name not ilike 'pg\_%'
                and routine_name not ilike 'binary\_upgrade\_%'

            ;

-- simple: rows label:text
select distinct name as label from pg_settings;

-- extended: rows column_name:name data_type:varchar
select column_name, data_type
                from information_schema.columns
                where
                    table_catalog = $1
                    and table_schema = $2
                    and table_name = $3
                order by ordinal_position asc
                ;

-- simple: rows n_name:bpchar
select n_name from nation where n_nationkey=3;
