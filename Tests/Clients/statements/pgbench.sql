-- Sent by pgbench.

-- simple: rows n_name:bpchar r_name:bpchar
SELECT n_name, r_name FROM nation, region WHERE n_regionkey = r_regionkey AND n_nationkey = 16;

-- simple: rows n_name:bpchar r_name:bpchar
SELECT n_name, r_name FROM nation, region WHERE n_regionkey = r_regionkey AND n_nationkey = 24;

-- simple: rows n_name:bpchar r_name:bpchar
SELECT n_name, r_name FROM nation, region WHERE n_regionkey = r_regionkey AND n_nationkey = 2;

-- simple: rows n_name:bpchar r_name:bpchar
SELECT n_name, r_name FROM nation, region WHERE n_regionkey = r_regionkey AND n_nationkey = 15;

-- simple: rows n_name:bpchar r_name:bpchar
SELECT n_name, r_name FROM nation, region WHERE n_regionkey = r_regionkey AND n_nationkey = 1;

-- simple: rows n_name:bpchar r_name:bpchar
SELECT n_name, r_name FROM nation, region WHERE n_regionkey = r_regionkey AND n_nationkey = 3;

-- simple: rows n_name:bpchar r_name:bpchar
SELECT n_name, r_name FROM nation, region WHERE n_regionkey = r_regionkey AND n_nationkey = 12;

-- extended: rows n_name:bpchar r_name:bpchar
SELECT n_name, r_name FROM nation, region WHERE n_regionkey = r_regionkey AND n_nationkey = $1;

-- simple: error 42P01
vacuum pgbench_branches;

-- simple: error 42P01
vacuum pgbench_tellers;

-- simple: error 42P01
truncate pgbench_history;

-- simple: DROP TABLE
drop table if exists pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers;

-- simple: CREATE TABLE
create table pgbench_history(tid int,bid int,aid    int,delta int,mtime timestamp,filler char(22));

-- simple: CREATE TABLE
create table pgbench_tellers(tid int not null,bid int,tbalance int,filler char(84)) with (fillfactor=100);

-- simple: CREATE TABLE
create table pgbench_accounts(aid    int not null,bid int,abalance int,filler char(84)) with (fillfactor=100);

-- simple: CREATE TABLE
create table pgbench_branches(bid int not null,bbalance int,filler char(88)) with (fillfactor=100);

-- simple: BEGIN
begin;

-- simple: TRUNCATE TABLE
truncate table pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers;

-- simple: INSERT
insert into pgbench_branches(bid,bbalance) values(1,0);

-- simple: INSERT
insert into pgbench_tellers(tid,bid,tbalance) values (1,1,0);

-- simple: INSERT
insert into pgbench_tellers(tid,bid,tbalance) values (2,1,0);

-- simple: INSERT
insert into pgbench_tellers(tid,bid,tbalance) values (3,1,0);

-- simple: INSERT
insert into pgbench_tellers(tid,bid,tbalance) values (4,1,0);

-- simple: INSERT
insert into pgbench_tellers(tid,bid,tbalance) values (5,1,0);

-- simple: INSERT
insert into pgbench_tellers(tid,bid,tbalance) values (6,1,0);

-- simple: INSERT
insert into pgbench_tellers(tid,bid,tbalance) values (7,1,0);

-- simple: INSERT
insert into pgbench_tellers(tid,bid,tbalance) values (8,1,0);

-- simple: INSERT
insert into pgbench_tellers(tid,bid,tbalance) values (9,1,0);

-- simple: INSERT
insert into pgbench_tellers(tid,bid,tbalance) values (10,1,0);

-- simple: COMMIT
commit;

-- simple: VACUUM
vacuum analyze pgbench_branches;

-- simple: VACUUM
vacuum analyze pgbench_tellers;

-- simple: VACUUM
vacuum analyze pgbench_accounts;

-- simple: VACUUM
vacuum analyze pgbench_history;

-- simple: ALTER TABLE
alter table pgbench_branches add primary key (bid);

-- simple: ALTER TABLE
alter table pgbench_tellers add primary key (tid);

-- simple: ALTER TABLE
alter table pgbench_accounts add primary key (aid);

-- simple: rows count:int8
select count(*) from pgbench_branches;

-- simple: rows n:int4 partstrat:char count:int8
select o.n, p.partstrat, pg_catalog.count(i.inhparent) from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on (n.oid = c.relnamespace) cross join lateral (select pg_catalog.array_position(pg_catalog.current_schemas(true), n.nspname)) as o(n) left join pg_catalog.pg_partitioned_table as p on (p.partrelid = c.oid) left join pg_catalog.pg_inherits as i on (c.oid = i.inhparent) where c.relname = 'pgbench_accounts' and o.n is not null group by 1, 2 order by 1 asc limit 1;

-- extended: BEGIN
BEGIN;

-- simple: UPDATE
UPDATE pgbench_accounts SET abalance = abalance + -3774 WHERE aid = 83176;

-- simple: rows abalance:int4
SELECT abalance FROM pgbench_accounts WHERE aid = 83176;

-- simple: UPDATE
UPDATE pgbench_tellers SET tbalance = tbalance + -3774 WHERE tid = 1;

-- simple: UPDATE
UPDATE pgbench_branches SET bbalance = bbalance + -3774 WHERE bid = 1;

-- simple: INSERT
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 1, 83176, -3774, CURRENT_TIMESTAMP);

-- extended: COMMIT
END;

-- simple: UPDATE
UPDATE pgbench_accounts SET abalance = abalance + 4691 WHERE aid = 23045;

-- simple: rows abalance:int4
SELECT abalance FROM pgbench_accounts WHERE aid = 23045;

-- simple: UPDATE
UPDATE pgbench_tellers SET tbalance = tbalance + 4691 WHERE tid = 6;

-- simple: UPDATE
UPDATE pgbench_branches SET bbalance = bbalance + 4691 WHERE bid = 1;

-- simple: INSERT
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (6, 1, 23045, 4691, CURRENT_TIMESTAMP);

-- simple: UPDATE
UPDATE pgbench_accounts SET abalance = abalance + -3566 WHERE aid = 12750;

-- simple: rows abalance:int4
SELECT abalance FROM pgbench_accounts WHERE aid = 12750;

-- simple: UPDATE
UPDATE pgbench_tellers SET tbalance = tbalance + -3566 WHERE tid = 4;

-- simple: UPDATE
UPDATE pgbench_branches SET bbalance = bbalance + -3566 WHERE bid = 1;

-- simple: INSERT
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (4, 1, 12750, -3566, CURRENT_TIMESTAMP);

-- extended: rows c:int8
SELECT count(*) AS c FROM orders WHERE o_custkey = $1;

-- extended: rows ?column?:int4
SELECT 1;

-- extended: rows ?column?:int4
SELECT 2;
