-- Sent by asyncpg.

-- extended: rows n_nationkey:int4 n_name:bpchar n_regionkey:int4 n_comment:varchar
select * from nation where n_regionkey=$1;

-- extended: rows l_orderkey:int4 l_partkey:int4 l_suppkey:int4 l_linenumber:int4 l_quantity:numeric l_extendedprice:numeric l_discount:numeric l_tax:numeric l_returnflag:bpchar l_linestatus:bpchar l_shipdate:date l_commitdate:date l_receiptdate:date l_shipinstruct:bpchar l_shipmode:bpchar l_comment:varchar
select * from lineitem limit 1;

-- extended: rows int2:int2 int4:int4 int8:int8 float4:float4 float8:float8 numeric:numeric text:text varchar:varchar bool:bool date:date timestamp:timestamp timestamptz:timestamptz time:time interval:interval uuid:uuid bytea:bytea int4:int4[] text:text[] json:json jsonb:jsonb bpchar:bpchar
select $1::int2,$2::int4,$3::int8,$4::float4,$5::float8,$6::numeric,$7::text,$8::varchar,$9::bool,$10::date,$11::timestamp,$12::timestamptz,$13::time,$14::interval,$15::uuid,$16::bytea,$17::int[],$18::text[],$19::json,$20::jsonb,$21::char(3);

-- extended: rows cur:text new:text
SELECT
                        current_setting('jit') AS cur,
                        set_config('jit', 'off', false) AS new;

-- extended: rows oid:oid ns:name name:name kind:char basetype:oid elemtype:oid elemdelim:char range_subtype:oid attrtypoids:oid[] attrnames:text[] depth:int4 basetype_name:text elemtype_name:text range_subtype_name:text
WITH RECURSIVE typeinfo_tree(
    oid, ns, name, kind, basetype, elemtype, elemdelim,
    range_subtype, attrtypoids, attrnames, depth)
AS (
    SELECT
        ti.oid, ti.ns, ti.name, ti.kind, ti.basetype,
        ti.elemtype, ti.elemdelim, ti.range_subtype,
        ti.attrtypoids, ti.attrnames, 0
    FROM
            (
        SELECT
            t.oid                           AS oid,
            ns.nspname                      AS ns,
            t.typname                       AS name,
            t.typtype                       AS kind,
            (CASE WHEN t.typtype = 'd' THEN
                (WITH RECURSIVE typebases(oid, depth) AS (
                    SELECT
                        t2.typbasetype      AS oid,
                        0                   AS depth
                    FROM
                        pg_type t2
                    WHERE
                        t2.oid = t.oid

                    UNION ALL

                    SELECT
                        t2.typbasetype      AS oid,
                        tb.depth + 1        AS depth
                    FROM
                        pg_type t2,
                        typebases tb
                    WHERE
                       tb.oid = t2.oid
                       AND t2.typbasetype != 0
               ) SELECT oid FROM typebases ORDER BY depth DESC LIMIT 1)

               ELSE NULL
            END)                            AS basetype,
            t.typelem                       AS elemtype,
            elem_t.typdelim                 AS elemdelim,
            COALESCE(
                range_t.rngsubtype,
                multirange_t.rngsubtype)    AS range_subtype,
            (CASE WHEN t.typtype = 'c' THEN
                (SELECT
                    array_agg(ia.atttypid ORDER BY ia.attnum)
                FROM
                    pg_attribute ia
                    INNER JOIN pg_class c
                        ON (ia.attrelid = c.oid)
                WHERE
                    ia.attnum > 0 AND NOT ia.attisdropped
                    AND c.reltype = t.oid)

                ELSE NULL
            END)                            AS attrtypoids,
            (CASE WHEN t.typtype = 'c' THEN
                (SELECT
                    array_agg(ia.attname::text ORDER BY ia.attnum)
                FROM
                    pg_attribute ia
                    INNER JOIN pg_class c
                        ON (ia.attrelid = c.oid)
                WHERE
                    ia.attnum > 0 AND NOT ia.attisdropped
                    AND c.reltype = t.oid)

                ELSE NULL
            END)                            AS attrnames
        FROM
            pg_catalog.pg_type AS t
            INNER JOIN pg_catalog.pg_namespace ns ON (
                ns.oid = t.typnamespace)
            LEFT JOIN pg_type elem_t ON (
                t.typlen = -1 AND
                t.typelem != 0 AND
                t.typelem = elem_t.oid
            )
            LEFT JOIN pg_range range_t ON (
                t.oid = range_t.rngtypid
            )
            LEFT JOIN pg_range multirange_t ON (
                t.oid = multirange_t.rngmultitypid
            )
    )
 AS ti
    WHERE
        ti.oid = any($1::oid[])

    UNION ALL

    SELECT
        ti.oid, ti.ns, ti.name, ti.kind, ti.basetype,
        ti.elemtype, ti.elemdelim, ti.range_subtype,
        ti.attrtypoids, ti.attrnames, tt.depth + 1
    FROM
            (
        SELECT
            t.oid                           AS oid,
            ns.nspname                      AS ns,
            t.typname                       AS name,
            t.typtype                       AS kind,
            (CASE WHEN t.typtype = 'd' THEN
                (WITH RECURSIVE typebases(oid, depth) AS (
                    SELECT
                        t2.typbasetype      AS oid,
                        0                   AS depth
                    FROM
                        pg_type t2
                    WHERE
                        t2.oid = t.oid

                    UNION ALL

                    SELECT
                        t2.typbasetype      AS oid,
                        tb.depth + 1        AS depth
                    FROM
                        pg_type t2,
                        typebases tb
                    WHERE
                       tb.oid = t2.oid
                       AND t2.typbasetype != 0
               ) SELECT oid FROM typebases ORDER BY depth DESC LIMIT 1)

               ELSE NULL
            END)                            AS basetype,
            t.typelem                       AS elemtype,
            elem_t.typdelim                 AS elemdelim,
            COALESCE(
                range_t.rngsubtype,
                multirange_t.rngsubtype)    AS range_subtype,
            (CASE WHEN t.typtype = 'c' THEN
                (SELECT
                    array_agg(ia.atttypid ORDER BY ia.attnum)
                FROM
                    pg_attribute ia
                    INNER JOIN pg_class c
                        ON (ia.attrelid = c.oid)
                WHERE
                    ia.attnum > 0 AND NOT ia.attisdropped
                    AND c.reltype = t.oid)

                ELSE NULL
            END)                            AS attrtypoids,
            (CASE WHEN t.typtype = 'c' THEN
                (SELECT
                    array_agg(ia.attname::text ORDER BY ia.attnum)
                FROM
                    pg_attribute ia
                    INNER JOIN pg_class c
                        ON (ia.attrelid = c.oid)
                WHERE
                    ia.attnum > 0 AND NOT ia.attisdropped
                    AND c.reltype = t.oid)

                ELSE NULL
            END)                            AS attrnames
        FROM
            pg_catalog.pg_type AS t
            INNER JOIN pg_catalog.pg_namespace ns ON (
                ns.oid = t.typnamespace)
            LEFT JOIN pg_type elem_t ON (
                t.typlen = -1 AND
                t.typelem != 0 AND
                t.typelem = elem_t.oid
            )
            LEFT JOIN pg_range range_t ON (
                t.oid = range_t.rngtypid
            )
            LEFT JOIN pg_range multirange_t ON (
                t.oid = multirange_t.rngmultitypid
            )
    )
 ti,
        typeinfo_tree tt
    WHERE
        (tt.elemtype IS NOT NULL AND ti.oid = tt.elemtype)
        OR (tt.attrtypoids IS NOT NULL AND ti.oid = any(tt.attrtypoids))
        OR (tt.range_subtype IS NOT NULL AND ti.oid = tt.range_subtype)
        OR (tt.basetype IS NOT NULL AND ti.oid = tt.basetype)
)

SELECT DISTINCT
    *,
    basetype::regtype::text AS basetype_name,
    elemtype::regtype::text AS elemtype_name,
    range_subtype::regtype::text AS range_subtype_name
FROM
    typeinfo_tree
ORDER BY
    depth DESC;

-- extended: rows n_name:bpchar
select n_name from nation where n_nationkey=$1;

-- simple: CREATE TABLE
create temp table t(a int,b text, n numeric(10,2), d date);

-- extended: nothing
insert into t values($1,$2,$3,$4);

-- extended: nothing
insert into t(a,b) values($1,$2);

-- extended: rows a:int4 b:text n:numeric d:date
SELECT * FROM "t" LIMIT 1;

-- extended: rows a:int4 b:text n:numeric d:date
select * from t where a=$1;

-- extended: rows quote_literal:text
SELECT quote_literal($1::"pg_catalog"."int4"::text);

-- simple: BEGIN
BEGIN;

-- extended: rows o_orderkey:int4 o_custkey:int4 o_orderstatus:bpchar o_totalprice:numeric o_orderdate:date o_orderpriority:bpchar o_clerk:bpchar o_shippriority:int4 o_comment:varchar
select * from orders;

-- simple: error 34000
MOVE FORWARD 3 __asyncpg_portal_e__;

-- simple: error 25P01
SAVEPOINT __asyncpg_savepoint_f__;

-- simple: error 22012
select 1/0;

-- simple: error 25P01
ROLLBACK TO __asyncpg_savepoint_f__;

-- simple: COMMIT
COMMIT;

-- simple: BEGIN
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE;

-- extended: rows ?column?:int4
select 1;

-- extended: rows array:int4[]
select array[1,2]::int[];

-- extended: rows row:?
select row(1,'a');

-- extended: rows n:?
select n from nation n limit 1;

-- extended: rows indkey:int2vector
select indkey from pg_index limit 1;

-- extended: rows name:name
select 'a'::name;

-- extended: rows char:char
select 'r'::"char";

-- extended: rows oid:oid
select 5::oid;

-- extended: rows regclass:regclass
select 'nation'::regclass;

-- extended: rows int4range:?
select '[1,2)'::int4range;

-- extended: rows conkey:int2[]
select conkey from pg_constraint limit 1;

-- extended: rows relacl:?
select relacl from pg_class limit 1;

-- simple: error 25006
create type mood as enum('a','b');

-- extended: error 42704
select 'a'::mood;

-- simple: error 42704
drop type mood;

-- extended: rows oid:oid elemtype:oid kind:char
SELECT
    t.oid,
    t.typelem     AS elemtype,
    t.typtype     AS kind
FROM
    pg_catalog.pg_type AS t
    INNER JOIN pg_catalog.pg_namespace ns ON (ns.oid = t.typnamespace)
WHERE
    t.typname = $1 AND ns.nspname = $2;

-- extended: LISTEN
LISTEN "ch";

-- simple: NOTIFY
notify ch,'hi';

-- extended: rows ?column?:int4
select 9;

-- simple: RESET
SELECT pg_advisory_unlock_all();
CLOSE ALL;
UNLISTEN *;
RESET ALL;

-- simple: rows ?column?:int4
select 1; select 2;
