-- Sent by ibis.

-- simple: BEGIN
BEGIN;

-- simple: SET
SET TIMEZONE = UTC;

-- simple: COMMIT
COMMIT;

-- simple: rows current_database:name
SELECT CURRENT_DATABASE();

-- extended: rows current_schema:name
SELECT CURRENT_SCHEMA;

-- simple: rows table_name:name
SELECT DISTINCT table_name FROM information_schema.tables WHERE TRUE AND table_schema = 'public' AND table_catalog = 'tpch' UNION ALL SELECT DISTINCT table_name FROM information_schema.tables WHERE table_type = 'LOCAL TEMPORARY';

-- simple: rows schema_name:name
SELECT schema_name FROM information_schema.schemata;

-- simple: rows datname:name
SELECT datname FROM pg_catalog.pg_database WHERE NOT datistemplate;

-- simple: rows nspname:name
SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema();

-- extended: rows column_name:name data_type:text nullable:bool
SELECT
  a.attname AS column_name,
  CASE
    WHEN EXISTS(
      SELECT 1
      FROM pg_catalog.pg_type t
      INNER JOIN pg_catalog.pg_enum e
              ON e.enumtypid = t.oid
             AND t.typname = pg_catalog.format_type(a.atttypid, a.atttypmod)
    ) THEN 'enum'
    ELSE pg_catalog.format_type(a.atttypid, a.atttypmod)
  END AS data_type,
  NOT a.attnotnull AS nullable
FROM pg_catalog.pg_attribute a
INNER JOIN pg_catalog.pg_class c
   ON a.attrelid = c.oid
INNER JOIN pg_catalog.pg_namespace n
   ON c.relnamespace = n.oid
WHERE a.attnum > 0
  AND NOT a.attisdropped
  AND n.nspname = ANY($1)
  AND c.relname = $2
ORDER BY a.attnum ASC;

-- simple: rows r_name:bpchar n:int8
SELECT * FROM (SELECT "t4"."r_name", COUNT("t4"."n_nationkey") AS "n" FROM (SELECT "t2"."n_nationkey", "t2"."n_name", "t2"."n_regionkey", "t2"."n_comment", "t3"."r_regionkey", "t3"."r_name", "t3"."r_comment" FROM "nation" AS "t2" INNER JOIN "region" AS "t3" ON "t2"."n_regionkey" = "t3"."r_regionkey") AS "t4" GROUP BY 1) AS "t5" ORDER BY "t5"."r_name" ASC;

-- extended: error 25P01
DECLARE "ibis_postgres_cursor_e47moo4gbnbh3ombdbhpqhxfpi" CURSOR FOR SELECT "t0"."l_returnflag", SUM("t0"."l_quantity") AS "q", MAX("t0"."l_shipdate") AS "d" FROM "lineitem" AS "t0" GROUP BY 1;

-- simple: error 34000
FETCH FORWARD 1000000 FROM "ibis_postgres_cursor_e47moo4gbnbh3ombdbhpqhxfpi";

-- simple: CREATE VIEW
CREATE TEMPORARY VIEW ibis_postgres_metadata_24xteqcatbeutk7mxnuuohp3fi AS SELECT n_name, n_regionkey FROM nation;

-- simple: DROP VIEW
DROP VIEW IF EXISTS ibis_postgres_metadata_24xteqcatbeutk7mxnuuohp3fi;

-- simple: DEALLOCATE ALL
DEALLOCATE ALL;

-- simple: rows n_name:bpchar n_regionkey:int4
SELECT n_name, n_regionkey FROM nation LIMIT 2;

-- simple: CREATE TABLE
CREATE TEMPORARY TABLE "ibis_pandas_memtable_6zmpoeg4vbbvtoooky6bov7lya" ("a" BIGINT, "b" VARCHAR);

-- extended: nothing
INSERT INTO "ibis_pandas_memtable_6zmpoeg4vbbvtoooky6bov7lya" ("a", "b") VALUES ($1, $2);

-- simple: CREATE TABLE
CREATE TABLE "ibis_postgres_table_5gowycrbqvcnngqg5aehuy7rbq" ("a" BIGINT, "b" VARCHAR);

-- simple: INSERT
INSERT INTO "ibis_postgres_table_5gowycrbqvcnngqg5aehuy7rbq" SELECT * FROM "ibis_pandas_memtable_6zmpoeg4vbbvtoooky6bov7lya";

-- simple: DROP TABLE
DROP TABLE IF EXISTS "ib_t";

-- simple: ALTER TABLE
ALTER TABLE IF EXISTS "ibis_postgres_table_5gowycrbqvcnngqg5aehuy7rbq" RENAME TO "ib_t";

-- simple: CREATE TABLE
CREATE TEMPORARY TABLE "ibis_pandas_memtable_ynjgg6teobbutnu27zpwzdpkta" ("a" BIGINT, "b" VARCHAR);

-- extended: nothing
INSERT INTO "ibis_pandas_memtable_ynjgg6teobbutnu27zpwzdpkta" ("a", "b") VALUES ($1, $2);

-- simple: INSERT
INSERT INTO "ib_t" ("a", "b") SELECT * FROM "ibis_pandas_memtable_ynjgg6teobbutnu27zpwzdpkta";

-- simple: rows CountStar(ib_t):int8
SELECT COUNT(*) AS "CountStar(ib_t)" FROM "ib_t" AS "t0";

-- simple: CREATE VIEW
CREATE OR REPLACE VIEW "ib_v" AS SELECT * FROM "ib_t";

-- simple: DROP VIEW
DROP VIEW "ib_v";

-- simple: DROP TABLE
DROP TABLE IF EXISTS "ib_u";

-- simple: CREATE TABLE
CREATE TEMPORARY TABLE "ibis_pandas_memtable_2bk426aambcu7dtmtlsubdmsv4" ("k" BIGINT);

-- extended: nothing
INSERT INTO "ibis_pandas_memtable_2bk426aambcu7dtmtlsubdmsv4" ("k") VALUES ($1);

-- simple: rows CountStar():int8
SELECT COUNT(*) AS "CountStar()" FROM (SELECT "t2"."n_nationkey", "t2"."n_name", "t2"."n_regionkey", "t2"."n_comment", "t3"."k" FROM "nation" AS "t2" INNER JOIN "ibis_pandas_memtable_2bk426aambcu7dtmtlsubdmsv4" AS "t3" ON "t2"."n_nationkey" = "t3"."k") AS "t4";

-- extended: error 25P01
DECLARE "ibis_postgres_cursor_iutwqfftsrgg3mq4uvynhbtgpm" CURSOR FOR SELECT * FROM "nation";

-- simple: error 34000
FETCH FORWARD 10 FROM "ibis_postgres_cursor_iutwqfftsrgg3mq4uvynhbtgpm";

-- simple: rows u:text
SELECT UPPER("t0"."n_name") AS "u" FROM "nation" AS "t0" LIMIT 2;
