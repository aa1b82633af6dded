-- Sent by dbt-postgres.

-- simple: BEGIN
BEGIN;

-- simple: rows id:int4
select 1 as id;

-- simple: rows nspname:name
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "connection_name": "list_tpch"} */

    select distinct nspname from pg_namespace;

-- simple: CREATE SCHEMA
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "connection_name": "create_tpch_dbt_t"} */
create schema if not exists "dbt_t";

-- simple: COMMIT
COMMIT;

-- simple: rows database:text name:name schema:name type:text
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "connection_name": "list_tpch_dbt_t"} */
select
      'tpch' as database,
      tablename as name,
      schemaname as schema,
      'table' as type
    from pg_tables
    where schemaname ilike 'dbt_t'
    union all
    select
      'tpch' as database,
      viewname as name,
      schemaname as schema,
      'view' as type
    from pg_views
    where schemaname ilike 'dbt_t'
    union all
    select
      'tpch' as database,
      matviewname as name,
      schemaname as schema,
      'materialized_view' as type
    from pg_matviews
    where schemaname ilike 'dbt_t'
    union all
    select distinct
     'tpch' as database,
     proname as name,
     ns.nspname as schema,
     'function' as type
    from pg_proc
     join pg_namespace as ns on pronamespace = ns.oid
    where ns.nspname ilike 'dbt_t';

-- simple: ROLLBACK
ROLLBACK;

-- simple: rows dependent_schema:name dependent_name:name referenced_schema:name referenced_name:name
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "connection_name": "master"} */
select distinct
        dependent_namespace.nspname as dependent_schema,
        dependent_class.relname as dependent_name,
        referenced_namespace.nspname as referenced_schema,
        referenced_class.relname as referenced_name

    -- Query for views: views are entries in pg_class with an entry in pg_rewrite, but we avoid
    -- a seq scan on pg_rewrite by leveraging the fact there is an "internal" row in pg_depend for
    -- the view...
    from pg_class as dependent_class
    join pg_namespace as dependent_namespace on dependent_namespace.oid = dependent_class.relnamespace
    join pg_depend as dependent_depend on dependent_depend.refobjid = dependent_class.oid
        and dependent_depend.classid = 'pg_rewrite'::regclass
        and dependent_depend.refclassid = 'pg_class'::regclass
        and dependent_depend.deptype = 'i'

    -- ... and via pg_depend (that has a row per column, hence the need for "distinct" above, and
    -- making sure to exclude the internal row to avoid a view appearing to depend on itself)...
    join pg_depend as joining_depend on joining_depend.objid = dependent_depend.objid
        and joining_depend.classid = 'pg_rewrite'::regclass
        and joining_depend.refclassid = 'pg_class'::regclass
        and joining_depend.refobjid != dependent_depend.refobjid

    -- ... we can find the tables they query from in pg_class, but excluding system tables. Note we
    -- don't need need to exclude _dependent_ system tables, because they only query from other
    -- system tables, and so are automatically excluded by excluding _referenced_ system tables
    join pg_class as referenced_class on referenced_class.oid = joining_depend.refobjid
    join pg_namespace as referenced_namespace on referenced_namespace.oid = referenced_class.relnamespace
        and referenced_namespace.nspname != 'information_schema'
        and referenced_namespace.nspname not like 'pg\_%'

    order by
        dependent_schema, dependent_name, referenced_schema, referenced_name;

-- simple: CREATE TABLE
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "seed.tinyp.labels"} */

    create table "tpch"."dbt_t"."labels" ("id" integer,"label" text,"amt" float8,"d" date);

-- simple: INSERT
insert into "tpch"."dbt_t"."labels" ("id", "label", "amt", "d") values
          (1,'a',1.5,'2020-01-01'::date),(2,'b',2.5,'2020-02-01'::date);

-- simple: CREATE VIEW
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "model.tinyp.nation_v"} */

  create view "tpch"."dbt_t"."nation_v__dbt_tmp"


  as (
     select n.n_nationkey, n.n_name, r.r_name from public.nation n join public.region r on r.r_regionkey=n.n_regionkey
  );

-- simple: ALTER TABLE
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "model.tinyp.nation_v"} */
alter table "tpch"."dbt_t"."nation_v__dbt_tmp" rename to "nation_v";

-- simple: DROP VIEW
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "model.tinyp.nation_v"} */
drop view if exists "tpch"."dbt_t"."nation_v__dbt_backup" cascade;

-- simple: SELECT
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "model.tinyp.orders_inc"} */





  create  table "tpch"."dbt_t"."orders_inc"


    as

  (
     select o_orderkey, o_orderdate from public.orders where o_orderkey<100
  );

-- simple: SELECT
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "model.tinyp.region_n"} */




  create  table "tpch"."dbt_t"."region_n__dbt_tmp"


    as

  (
     select r_name, count(*) as n from "tpch"."dbt_t"."nation_v" group by 1
  );

-- simple: ALTER TABLE
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "model.tinyp.region_n"} */
alter table "tpch"."dbt_t"."region_n__dbt_tmp" rename to "region_n";

-- simple: DROP TABLE
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "model.tinyp.region_n"} */
drop table if exists "tpch"."dbt_t"."region_n__dbt_backup" cascade;

-- simple: rows failures:int8 should_warn:bool should_error:bool
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "test.tinyp.not_null_nation_v_n_nationkey.a515d9a232"} */


    select
      count(*) as failures,
      count(*) != 0 as should_warn,
      count(*) != 0 as should_error
    from (








select n_nationkey
from "tpch"."dbt_t"."nation_v"
where n_nationkey is null






    ) dbt_internal_test;

-- simple: rows failures:int8 should_warn:bool should_error:bool
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "test.tinyp.not_null_region_n_r_name.c7858455e2"} */


    select
      count(*) as failures,
      count(*) != 0 as should_warn,
      count(*) != 0 as should_error
    from (








select r_name
from "tpch"."dbt_t"."region_n"
where r_name is null






    ) dbt_internal_test;

-- simple: rows failures:int8 should_warn:bool should_error:bool
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "test.tinyp.unique_nation_v_n_nationkey.32f3af4476"} */


    select
      count(*) as failures,
      count(*) != 0 as should_warn,
      count(*) != 0 as should_error
    from (






select
    n_nationkey as unique_field,
    count(*) as n_records

from "tpch"."dbt_t"."nation_v"
where n_nationkey is not null
group by n_nationkey
having count(*) > 1






    ) dbt_internal_test;

-- simple: rows failures:int8 should_warn:bool should_error:bool
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "test.tinyp.unique_region_n_r_name.d53000fbf4"} */


    select
      count(*) as failures,
      count(*) != 0 as should_warn,
      count(*) != 0 as should_error
    from (






select
    r_name as unique_field,
    count(*) as n_records

from "tpch"."dbt_t"."region_n"
where r_name is not null
group by r_name
having count(*) > 1






    ) dbt_internal_test;

-- simple: ALTER TABLE
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "model.tinyp.nation_v"} */
alter table "tpch"."dbt_t"."nation_v" rename to "nation_v__dbt_backup";

-- simple: SELECT
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "model.tinyp.orders_inc"} */





  create temporary table "orders_inc__dbt_tmp022940778086"


    as

  (
     select o_orderkey, o_orderdate from public.orders where o_orderkey<100  and o_orderkey > 50
  );

-- simple: rows column_name:name data_type:varchar character_maximum_length:int4 numeric_precision:int4 numeric_scale:int4
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "model.tinyp.orders_inc"} */

      select
          column_name,
          data_type,
          character_maximum_length,
          numeric_precision,
          numeric_scale

      from INFORMATION_SCHEMA.columns
      where table_name = 'orders_inc__dbt_tmp022940778086'

      order by ordinal_position;

-- simple: rows column_name:name data_type:varchar character_maximum_length:int4 numeric_precision:int4 numeric_scale:int4
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "model.tinyp.orders_inc"} */

      select
          column_name,
          data_type,
          character_maximum_length,
          numeric_precision,
          numeric_scale

      from "tpch".INFORMATION_SCHEMA.columns
      where table_name = 'orders_inc'

        and table_schema = 'dbt_t'

      order by ordinal_position;

-- simple: INSERT
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "model.tinyp.orders_inc"} */




        delete from "tpch"."dbt_t"."orders_inc" as DBT_INTERNAL_DEST
        where (o_orderkey) in (
            select distinct o_orderkey
            from "orders_inc__dbt_tmp022940778086" as DBT_INTERNAL_SOURCE
        );



    insert into "tpch"."dbt_t"."orders_inc" ("o_orderkey", "o_orderdate")
    (
        select "o_orderkey", "o_orderdate"
        from "orders_inc__dbt_tmp022940778086"
    );

-- simple: ALTER TABLE
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "model.tinyp.region_n"} */
alter table "tpch"."dbt_t"."region_n" rename to "region_n__dbt_backup";

-- simple: rows id:int4 label:text amt:float8 d:date dbt_scd_id:text dbt_updated_at:timestamp dbt_valid_from:timestamp dbt_valid_to:timestamp
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "snapshot.tinyp.lab_snap"} */
select * from (



    select *,
        md5(coalesce(cast(id as varchar ), '')
         || '|' || coalesce(cast(now()::timestamp without time zone as varchar ), '')
        ) as dbt_scd_id,
        now()::timestamp without time zone as dbt_updated_at,
        now()::timestamp without time zone as dbt_valid_from,


  coalesce(nullif(now()::timestamp without time zone, now()::timestamp without time zone), null)
  as dbt_valid_to
from (
         select * from "tpch"."dbt_t"."labels"
    ) sbq



    ) as __dbt_sbq
    where false
    limit 0;

-- simple: rows dbt_snapshot_time:timestamp
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "snapshot.tinyp.lab_snap"} */
select * from (
        select now()::timestamp without time zone as dbt_snapshot_time
    ) as __dbt_sbq
    where false
    limit 0;

-- simple: SELECT
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "snapshot.tinyp.lab_snap"} */





  create  table "tpch"."dbt_t"."lab_snap"


    as

  (



    select *,
        md5(coalesce(cast(id as varchar ), '')
         || '|' || coalesce(cast(now()::timestamp without time zone as varchar ), '')
        ) as dbt_scd_id,
        now()::timestamp without time zone as dbt_updated_at,
        now()::timestamp without time zone as dbt_valid_from,


  coalesce(nullif(now()::timestamp without time zone, now()::timestamp without time zone), null)
  as dbt_valid_to
from (
         select * from "tpch"."dbt_t"."labels"
    ) sbq



  );

-- simple: rows label:text
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "snapshot.tinyp.lab_snap"} */
select * from (
        select label from (
                 select * from "tpch"."dbt_t"."labels"
            ) subq
    ) as __dbt_sbq
    where false
    limit 0;

-- simple: rows column_name:name data_type:varchar character_maximum_length:int4 numeric_precision:int4 numeric_scale:int4
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "snapshot.tinyp.lab_snap"} */

      select
          column_name,
          data_type,
          character_maximum_length,
          numeric_precision,
          numeric_scale

      from "tpch".INFORMATION_SCHEMA.columns
      where table_name = 'lab_snap'

        and table_schema = 'dbt_t'

      order by ordinal_position;

-- simple: SELECT
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "snapshot.tinyp.lab_snap"} */





  create temporary table "lab_snap__dbt_tmp023024746547"


    as

  (


    with snapshot_query as (

         select * from "tpch"."dbt_t"."labels"

    ),

    snapshotted_data as (

        select *,

        id as dbt_unique_key


        from "tpch"."dbt_t"."lab_snap"
        where

                dbt_valid_to is null


    ),

    insertions_source_data as (

        select *,

        id as dbt_unique_key

,
            now()::timestamp without time zone as dbt_updated_at,
            now()::timestamp without time zone as dbt_valid_from,


  coalesce(nullif(now()::timestamp without time zone, now()::timestamp without time zone), null)
  as dbt_valid_to
,
            md5(coalesce(cast(id as varchar ), '')
         || '|' || coalesce(cast(now()::timestamp without time zone as varchar ), '')
        ) as dbt_scd_id

        from snapshot_query
    ),

    updates_source_data as (

        select *,

        id as dbt_unique_key

,
            now()::timestamp without time zone as dbt_updated_at,
            now()::timestamp without time zone as dbt_valid_from,
            now()::timestamp without time zone as dbt_valid_to

        from snapshot_query
    ),

    insertions as (

        select
            'insert' as dbt_change_type,
            source_data.*

        from insertions_source_data as source_data
        left outer join snapshotted_data
            on

        snapshotted_data.dbt_unique_key = source_data.dbt_unique_key


            where

        snapshotted_data.dbt_unique_key is null


            or (

        snapshotted_data.dbt_unique_key is not null

 and (
               (snapshotted_data."label" != source_data."label"
        or
        (
            ((snapshotted_data."label" is null) and not (source_data."label" is null))
            or
            ((not snapshotted_data."label" is null) and (source_data."label" is null))
        ))
            )

        )

    ),

    updates as (

        select
            'update' as dbt_change_type,
            source_data.*,
            snapshotted_data.dbt_scd_id

        from updates_source_data as source_data
        join snapshotted_data
            on

        snapshotted_data.dbt_unique_key = source_data.dbt_unique_key


        where (
            (snapshotted_data."label" != source_data."label"
        or
        (
            ((snapshotted_data."label" is null) and not (source_data."label" is null))
            or
            ((not snapshotted_data."label" is null) and (source_data."label" is null))
        ))
        )
    )

    select * from insertions
    union all
    select * from updates

  );

-- simple: rows column_name:name data_type:varchar character_maximum_length:int4 numeric_precision:int4 numeric_scale:int4
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "snapshot.tinyp.lab_snap"} */

      select
          column_name,
          data_type,
          character_maximum_length,
          numeric_precision,
          numeric_scale

      from INFORMATION_SCHEMA.columns
      where table_name = 'lab_snap__dbt_tmp023024746547'

      order by ordinal_position;

-- simple: rows dbt_change_type:text id:int4 label:text amt:float8 d:date dbt_unique_key:int4 dbt_updated_at:timestamp dbt_valid_from:timestamp dbt_valid_to:timestamp dbt_scd_id:text
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "snapshot.tinyp.lab_snap"} */
select * from (


    with snapshot_query as (

         select * from "tpch"."dbt_t"."labels"

    ),

    snapshotted_data as (

        select *,

        id as dbt_unique_key


        from "tpch"."dbt_t"."lab_snap"
        where

                dbt_valid_to is null


    ),

    insertions_source_data as (

        select *,

        id as dbt_unique_key

,
            now()::timestamp without time zone as dbt_updated_at,
            now()::timestamp without time zone as dbt_valid_from,


  coalesce(nullif(now()::timestamp without time zone, now()::timestamp without time zone), null)
  as dbt_valid_to
,
            md5(coalesce(cast(id as varchar ), '')
         || '|' || coalesce(cast(now()::timestamp without time zone as varchar ), '')
        ) as dbt_scd_id

        from snapshot_query
    ),

    updates_source_data as (

        select *,

        id as dbt_unique_key

,
            now()::timestamp without time zone as dbt_updated_at,
            now()::timestamp without time zone as dbt_valid_from,
            now()::timestamp without time zone as dbt_valid_to

        from snapshot_query
    ),

    insertions as (

        select
            'insert' as dbt_change_type,
            source_data.*

        from insertions_source_data as source_data
        left outer join snapshotted_data
            on

        snapshotted_data.dbt_unique_key = source_data.dbt_unique_key


            where

        snapshotted_data.dbt_unique_key is null


            or (

        snapshotted_data.dbt_unique_key is not null

 and (
               (snapshotted_data."label" != source_data."label"
        or
        (
            ((snapshotted_data."label" is null) and not (source_data."label" is null))
            or
            ((not snapshotted_data."label" is null) and (source_data."label" is null))
        ))
            )

        )

    ),

    updates as (

        select
            'update' as dbt_change_type,
            source_data.*,
            snapshotted_data.dbt_scd_id

        from updates_source_data as source_data
        join snapshotted_data
            on

        snapshotted_data.dbt_unique_key = source_data.dbt_unique_key


        where (
            (snapshotted_data."label" != source_data."label"
        or
        (
            ((snapshotted_data."label" is null) and not (source_data."label" is null))
            or
            ((not snapshotted_data."label" is null) and (source_data."label" is null))
        ))
        )
    )

    select * from insertions
    union all
    select * from updates

    ) as __dbt_sbq
    where false
    limit 0;

-- simple: INSERT
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "snapshot.tinyp.lab_snap"} */

      update "tpch"."dbt_t"."lab_snap"
    set dbt_valid_to = DBT_INTERNAL_SOURCE.dbt_valid_to
    from "lab_snap__dbt_tmp023024746547" as DBT_INTERNAL_SOURCE
    where DBT_INTERNAL_SOURCE.dbt_scd_id::text = "tpch"."dbt_t"."lab_snap".dbt_scd_id::text
      and DBT_INTERNAL_SOURCE.dbt_change_type::text in ('update'::text, 'delete'::text)

        and "tpch"."dbt_t"."lab_snap".dbt_valid_to is null;



    insert into "tpch"."dbt_t"."lab_snap" ("id", "label", "amt", "d", "dbt_updated_at", "dbt_valid_from", "dbt_valid_to", "dbt_scd_id")
    select DBT_INTERNAL_SOURCE."id",DBT_INTERNAL_SOURCE."label",DBT_INTERNAL_SOURCE."amt",DBT_INTERNAL_SOURCE."d",DBT_INTERNAL_SOURCE."dbt_updated_at",DBT_INTERNAL_SOURCE."dbt_valid_from",DBT_INTERNAL_SOURCE."dbt_valid_to",DBT_INTERNAL_SOURCE."dbt_scd_id"
    from "lab_snap__dbt_tmp023024746547" as DBT_INTERNAL_SOURCE
    where DBT_INTERNAL_SOURCE.dbt_change_type::text = 'insert'::text;

-- simple: rows table_database:text table_schema:name table_name:name table_type:text table_comment:text column_name:name column_index:int2 column_type:text column_comment:text table_owner:name
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "connection_name": "tpch.information_schema"} */




    select
        'tpch' as table_database,
        sch.nspname as table_schema,
        tbl.relname as table_name,
        case tbl.relkind
            when 'v' then 'VIEW'
            when 'm' then 'MATERIALIZED VIEW'
            else 'BASE TABLE'
        end as table_type,
        tbl_desc.description as table_comment,
        col.attname as column_name,
        col.attnum as column_index,
        pg_catalog.format_type(col.atttypid, col.atttypmod) as column_type,
        col_desc.description as column_comment,
        pg_get_userbyid(tbl.relowner) as table_owner

    from pg_catalog.pg_namespace sch
    join pg_catalog.pg_class tbl on tbl.relnamespace = sch.oid
    join pg_catalog.pg_attribute col on col.attrelid = tbl.oid
    left outer join pg_catalog.pg_description tbl_desc on (tbl_desc.objoid = tbl.oid and tbl_desc.objsubid = 0)
    left outer join pg_catalog.pg_description col_desc on (col_desc.objoid = tbl.oid and col_desc.objsubid = col.attnum)
    where ((upper(sch.nspname) = upper('dbt_t') and
           upper(tbl.relname) = upper('labels')) or (upper(sch.nspname) = upper('dbt_t') and
           upper(tbl.relname) = upper('orders_inc')) or (upper(sch.nspname) = upper('dbt_t') and
           upper(tbl.relname) = upper('nation_v')) or (upper(sch.nspname) = upper('dbt_t') and
           upper(tbl.relname) = upper('region_n')) or (upper(sch.nspname) = upper('dbt_t') and
           upper(tbl.relname) = upper('lab_snap')) or (upper(sch.nspname) = upper('public') and
           upper(tbl.relname) = upper('nation')))
      and not pg_is_other_temp_schema(sch.oid) -- not a temporary schema belonging to another session
      and tbl.relpersistence in ('p', 'u') -- [p]ermanent table or [u]nlogged table. Exclude [t]emporary tables
      and tbl.relkind in ('r', 'v', 'f', 'p', 'm') -- o[r]dinary table, [v]iew, [f]oreign table, [p]artitioned table, [m]aterialized view. Other values are [i]ndex, [S]equence, [c]omposite type, [t]OAST table
      and col.attnum > 0 -- negative numbers are used for system columns such as oid
      and not col.attisdropped -- column as not been dropped

    order by
        sch.nspname,
        tbl.relname,
        col.attnum;

-- simple: DROP TABLE
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "seed.tinyp.labels"} */
drop table if exists "tpch"."dbt_t"."labels" cascade;

-- simple: SELECT
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "model.tinyp.orders_inc"} */





  create  table "tpch"."dbt_t"."orders_inc__dbt_tmp"


    as

  (
     select o_orderkey, o_orderdate from public.orders where o_orderkey<100
  );

-- simple: ALTER TABLE
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "model.tinyp.orders_inc"} */
alter table "tpch"."dbt_t"."orders_inc" rename to "orders_inc__dbt_backup";

-- simple: ALTER TABLE
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "model.tinyp.orders_inc"} */
alter table "tpch"."dbt_t"."orders_inc__dbt_tmp" rename to "orders_inc";

-- simple: DROP TABLE
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "model.tinyp.orders_inc"} */
drop table if exists "tpch"."dbt_t"."orders_inc__dbt_backup" cascade;

-- simple: SELECT
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "model.tinyp.orders_inc"} */





  create temporary table "orders_inc__dbt_tmp023230960141"


    as

  (
     select o_orderkey, o_orderdate from public.orders where o_orderkey<100  and o_orderkey > 50
  );

-- simple: INSERT
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "model.tinyp.orders_inc"} */




        delete from "tpch"."dbt_t"."orders_inc" as DBT_INTERNAL_DEST
        where (o_orderkey) in (
            select distinct o_orderkey
            from "orders_inc__dbt_tmp023230960141" as DBT_INTERNAL_SOURCE
        );



    insert into "tpch"."dbt_t"."orders_inc" ("o_orderkey", "o_orderdate")
    (
        select "o_orderkey", "o_orderdate"
        from "orders_inc__dbt_tmp023230960141"
    );

-- simple: error 42P01
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "seed.tinyp.labels"} */
truncate table "tpch"."dbt_t"."labels";

-- simple: error 42P01
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "snapshot.tinyp.lab_snap"} */





  create temporary table "lab_snap__dbt_tmp023232180811"


    as

  (


    with snapshot_query as (

         select * from "tpch"."dbt_t"."labels"

    ),

    snapshotted_data as (

        select *,

        id as dbt_unique_key


        from "tpch"."dbt_t"."lab_snap"
        where

                dbt_valid_to is null


    ),

    insertions_source_data as (

        select *,

        id as dbt_unique_key

,
            now()::timestamp without time zone as dbt_updated_at,
            now()::timestamp without time zone as dbt_valid_from,


  coalesce(nullif(now()::timestamp without time zone, now()::timestamp without time zone), null)
  as dbt_valid_to
,
            md5(coalesce(cast(id as varchar ), '')
         || '|' || coalesce(cast(now()::timestamp without time zone as varchar ), '')
        ) as dbt_scd_id

        from snapshot_query
    ),

    updates_source_data as (

        select *,

        id as dbt_unique_key

,
            now()::timestamp without time zone as dbt_updated_at,
            now()::timestamp without time zone as dbt_valid_from,
            now()::timestamp without time zone as dbt_valid_to

        from snapshot_query
    ),

    insertions as (

        select
            'insert' as dbt_change_type,
            source_data.*

        from insertions_source_data as source_data
        left outer join snapshotted_data
            on

        snapshotted_data.dbt_unique_key = source_data.dbt_unique_key


            where

        snapshotted_data.dbt_unique_key is null


            or (

        snapshotted_data.dbt_unique_key is not null

 and (
               (snapshotted_data."label" != source_data."label"
        or
        (
            ((snapshotted_data."label" is null) and not (source_data."label" is null))
            or
            ((not snapshotted_data."label" is null) and (source_data."label" is null))
        ))
            )

        )

    ),

    updates as (

        select
            'update' as dbt_change_type,
            source_data.*,
            snapshotted_data.dbt_scd_id

        from updates_source_data as source_data
        join snapshotted_data
            on

        snapshotted_data.dbt_unique_key = source_data.dbt_unique_key


        where (
            (snapshotted_data."label" != source_data."label"
        or
        (
            ((snapshotted_data."label" is null) and not (source_data."label" is null))
            or
            ((not snapshotted_data."label" is null) and (source_data."label" is null))
        ))
        )
    )

    select * from insertions
    union all
    select * from updates

  );

-- simple: error 42P01
/* {"app": "dbt", "dbt_version": "1.11.16", "profile_name": "tinyp", "target_name": "dev", "node_id": "snapshot.tinyp.lab_snap"} */

      update "tpch"."dbt_t"."lab_snap"
    set dbt_valid_to = DBT_INTERNAL_SOURCE.dbt_valid_to
    from "lab_snap__dbt_tmp023232180811" as DBT_INTERNAL_SOURCE
    where DBT_INTERNAL_SOURCE.dbt_scd_id::text = "tpch"."dbt_t"."lab_snap".dbt_scd_id::text
      and DBT_INTERNAL_SOURCE.dbt_change_type::text in ('update'::text, 'delete'::text)

        and "tpch"."dbt_t"."lab_snap".dbt_valid_to is null;



    insert into "tpch"."dbt_t"."lab_snap" ("id", "label", "amt", "d", "dbt_updated_at", "dbt_valid_from", "dbt_valid_to", "dbt_scd_id")
    select DBT_INTERNAL_SOURCE."id",DBT_INTERNAL_SOURCE."label",DBT_INTERNAL_SOURCE."amt",DBT_INTERNAL_SOURCE."d",DBT_INTERNAL_SOURCE."dbt_updated_at",DBT_INTERNAL_SOURCE."dbt_valid_from",DBT_INTERNAL_SOURCE."dbt_valid_to",DBT_INTERNAL_SOURCE."dbt_scd_id"
    from "lab_snap__dbt_tmp023232180811" as DBT_INTERNAL_SOURCE
    where DBT_INTERNAL_SOURCE.dbt_change_type::text = 'insert'::text;
