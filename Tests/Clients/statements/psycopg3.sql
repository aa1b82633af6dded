-- Sent by psycopg 3.

-- simple: BEGIN
BEGIN;

-- extended: rows n_nationkey:int4 n_name:bpchar n_regionkey:int4 n_comment:varchar
select * from nation where n_regionkey=$1;

-- extended: rows ?column?:text ?column?:text ?column?:text ?column?:text ?column?:text ?column?:text ?column?:text ?column?:text ?column?:text ?column?:text ?column?:text ?column?:text ?column?:text ?column?:text ?column?:text ?column?:text ?column?:text
select $1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17;

-- extended: rows l_orderkey:int4 l_partkey:int4 l_suppkey:int4 l_linenumber:int4 l_quantity:numeric l_extendedprice:numeric l_discount:numeric l_tax:numeric l_returnflag:bpchar l_linestatus:bpchar l_shipdate:date l_commitdate:date l_receiptdate:date l_shipinstruct:bpchar l_shipmode:bpchar l_comment:varchar
select * from lineitem limit 2;

-- extended: rows n_name:text n_nationkey:int4
select n_name::text, n_nationkey from nation where n_nationkey=any($1);

-- simple: COMMIT
COMMIT;

-- extended: nothing
DECLARE "srv" CURSOR FOR select * from orders where o_orderkey<$1;

-- simple: error 34000
FETCH FORWARD 10 FROM "srv";

-- simple: error 34000
MOVE  -5 FROM "srv";

-- simple: error 34000
FETCH FORWARD 1 FROM "srv";

-- simple: error 34000
CLOSE "srv";

-- extended: error 25P01
DECLARE "srvb" SCROLL CURSOR FOR select * from nation;

-- extended: error 34000
FETCH FORWARD 3 FROM "srvb";

-- simple: error 34000
CLOSE "srvb";

-- simple: CREATE TABLE
create temp table t(a int,b text,d date, n numeric(15,2));

-- extended: rows a:int4
insert into t values ($1,$2,$3,$4) returning a;

-- simple: rows ?column?:int4
select 1; select 2;

-- extended: rows ?column?:text
select $1;

-- extended: rows ?column?:text
select 'p';

-- extended: error 22012
select 1/0;

-- simple: ROLLBACK
ROLLBACK;

-- simple: DEALLOCATE ALL
DEALLOCATE ALL;

-- simple: rows ?column?:int4
select 1;

-- simple: error 25P01
SAVEPOINT "inner";

-- simple: error 25P01
ROLLBACK TO "inner";

-- simple: error 25P01
RELEASE "inner";

-- simple: BEGIN
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;

-- extended: rows name:name oid:oid array_oid:oid regtype:text delimiter:char
SELECT
    typname AS name, oid, typarray AS array_oid,
    oid::regtype::text AS regtype, typdelim AS delimiter
FROM pg_type t
WHERE t.oid = to_regtype($1)
ORDER BY t.oid;

-- extended: rows name:name oid:oid array_oid:oid regtype:text labels:name[]
SELECT name, oid, array_oid, regtype, array_agg(label) AS labels
FROM (
    SELECT
        t.typname AS name, t.oid AS oid, t.typarray AS array_oid,
        t.oid::regtype::text AS regtype, e.enumlabel AS label
    FROM pg_type t
    LEFT JOIN  pg_enum e
    ON e.enumtypid = t.oid
    WHERE t.oid = to_regtype($1)
    ORDER BY e.enumsortorder
) x
GROUP BY name, oid, array_oid, regtype;

-- extended: rows name:name oid:oid array_oid:oid regtype:text subtype_oid:oid
SELECT t.typname AS name, t.oid AS oid, t.typarray AS array_oid,
    t.oid::regtype::text AS regtype,
    r.rngsubtype AS subtype_oid
FROM pg_type t
JOIN pg_range r ON t.oid = r.rngtypid
WHERE t.oid = to_regtype($1);

-- extended: rows name:name oid:oid array_oid:oid regtype:text field_names:name[] field_types:oid[]
SELECT
    t.typname AS name, t.oid AS oid, t.typarray AS array_oid,
    t.oid::regtype::text AS regtype,
    coalesce(a.fnames, '{}') AS field_names,
    coalesce(a.ftypes, '{}') AS field_types
FROM pg_type t
LEFT JOIN (
    SELECT
        attrelid,
        array_agg(attname) AS fnames,
        array_agg(atttypid) AS ftypes
    FROM (
        SELECT a.attrelid, a.attname, a.atttypid
        FROM pg_attribute a
        JOIN pg_type t ON t.typrelid = a.attrelid
        WHERE t.oid = to_regtype($1)
        AND a.attnum > 0
        AND NOT a.attisdropped
        ORDER BY a.attnum
    ) x
    GROUP BY attrelid
) a ON a.attrelid = t.typrelid
WHERE t.oid = to_regtype($1);

-- simple: rows int4:int4
select 5::int;

-- extended: rows ?column?:int4
select $1::int + $2;

-- simple: rows r_regionkey:int4 r_name:bpchar r_comment:varchar
select * from region limit 1;

-- extended: rows n_nationkey:int4
select n_nationkey from nation;

-- simple: rows n_name:bpchar
select n_name from nation;

-- simple: rows count:int8
select count(*) from nation;

-- simple: nothing
;

-- simple: rows ?column?:int4
select 3;
