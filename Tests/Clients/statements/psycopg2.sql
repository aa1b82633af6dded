-- Sent by psycopg2.

-- simple: BEGIN
BEGIN;

-- simple: rows n_nationkey:int4 n_name:bpchar n_regionkey:int4 n_comment:varchar
select * from nation where n_regionkey=1 and n_name like '%A%';

-- simple: rows ?column?:int4 ?column?:numeric ?column?:numeric ?column?:text ?column?:bool date:date ?column?:text
select 1,1.5,2.50,'x',true,'2020-01-01'::date,NULL;

-- simple: rows timestamp:timestamp timestamptz:timestamptz ?column?:bool interval:interval bytea:bytea
select '2020-01-01T00:00:00'::timestamp::timestamp, '2020-01-01T00:00:00+00:00'::timestamptz::timestamptz, 1 = any(ARRAY[1,2]), '1 days 0.000000 seconds'::interval::interval, '\x616200'::bytea::bytea;

-- simple: COMMIT
COMMIT;

-- simple: error 25P01
DECLARE "srv" CURSOR WITHOUT HOLD FOR select * from orders;

-- simple: error 34000
FETCH FORWARD 10 FROM "srv";

-- simple: error 34000
CLOSE "srv";

-- simple: DECLARE CURSOR
DECLARE "scr" SCROLL CURSOR WITH HOLD FOR select n_nationkey from nation order by 1;

-- simple: MOVE
MOVE 5 FROM "scr";

-- simple: rows n_nationkey:int4
FETCH FORWARD 1 FROM "scr";

-- simple: CLOSE CURSOR
CLOSE "scr";

-- simple: CREATE TABLE
create temp table t(a int,b text);

-- simple: INSERT
insert into t values (0,'0'),(1,'1'),(2,'2'),(3,'3'),(4,'4'),(5,'5'),(6,'6'),(7,'7'),(8,'8'),(9,'9');

-- simple: INSERT
insert into t values (0,'0');insert into t values (1,'1');insert into t values (2,'2');insert into t values (3,'3');insert into t values (4,'4');insert into t values (5,'5');insert into t values (6,'6');insert into t values (7,'7');insert into t values (8,'8');insert into t values (9,'9');

-- simple: INSERT
insert into t values (1,'a');

-- simple: INSERT
insert into t values (2,'b');

-- simple: error 25P01
savepoint sp;

-- simple: error 22012
select 1/0;

-- simple: error 25P01
rollback to savepoint sp;

-- simple: ROLLBACK
ROLLBACK;

-- simple: BEGIN
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE;

-- simple: rows ?column?:int4
select 1;

-- simple: rows uuid:uuid
select '00000000-0000-0000-0000-000000000001'::uuid;

-- simple: rows oid:oid typarray:oid
SELECT t.oid, typarray
FROM pg_type t JOIN pg_namespace ns
    ON typnamespace = ns.oid
WHERE typname = 'hstore';

-- simple: rows oid:oid typarray:oid attname:name atttypid:oid
SELECT t.oid, typarray, attname, atttypid
FROM pg_type t
JOIN pg_namespace ns ON typnamespace = ns.oid
JOIN pg_attribute a ON attrelid = typrelid
WHERE typname = 'nation' AND nspname = 'public'
    AND attnum > 0 AND NOT attisdropped
ORDER BY attnum;

-- simple: rows r_regionkey:int4 r_name:bpchar r_comment:varchar
select * from region limit 1;

-- simple: rows lower:text
SELECT * FROM lower('ABC');

-- simple: SET
SET client_encoding TO 'UTF8';

-- simple: rows transaction_isolation:text
SHOW transaction_isolation;

-- simple: error 25001
DISCARD ALL;
