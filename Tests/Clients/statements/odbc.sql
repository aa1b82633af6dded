-- Sent by psqlODBC.

-- simple: rows transaction_isolation:text
SET DateStyle = 'ISO';SET extra_float_digits = 2;show transaction_isolation;

-- simple: rows oid:oid typbasetype:oid
select oid, typbasetype from pg_type where typname = 'lo';

-- simple: rows relname:name nspname:name relkind:char
select relname, nspname, relkind from pg_catalog.pg_class c, pg_catalog.pg_namespace n where relkind in ('r', 'v', 'm', 'f', 'p') and nspname like 'public' and nspname not in ('pg_catalog', 'information_schema', 'pg_toast', 'pg_temp_1') and n.oid = relnamespace order by nspname, relname;

-- simple: rows current_schema:name
select current_schema();

-- simple: rows nspname:name relname:name attname:name atttypid:oid typname:name attnum:int2 attlen:int2 atttypmod:int4 attnotnull:bool relhasrules:bool relkind:char oid:oid pg_get_expr:text case:oid typtypmod:int4 ?column?:int4 attidentity:char relhassubclass:bool
select n.nspname, c.relname, a.attname, a.atttypid, t.typname, a.attnum, a.attlen, a.atttypmod, a.attnotnull, c.relhasrules, c.relkind, c.oid, pg_get_expr(d.adbin, d.adrelid), case t.typtype when 'd' then t.typbasetype else 0 end, t.typtypmod, 0, attidentity, c.relhassubclass from (((pg_catalog.pg_class c inner join pg_catalog.pg_namespace n on n.oid = c.relnamespace and c.relname like 'nation' and n.nspname like 'public') inner join pg_catalog.pg_attribute a on (not a.attisdropped) and a.attnum > 0 and a.attrelid = c.oid) inner join pg_catalog.pg_type t on t.oid = a.atttypid) left outer join pg_attrdef d on a.atthasdef and d.adrelid = a.attrelid and d.adnum = a.attnum order by n.nspname, c.relname, attnum;

-- simple: rows attname:name attnum:int2 relname:name nspname:name relname:name
select ta.attname, ia.attnum, ic.relname, n.nspname, tc.relname from pg_catalog.pg_attribute ta, pg_catalog.pg_attribute ia, pg_catalog.pg_class tc, pg_catalog.pg_index i, pg_catalog.pg_namespace n, pg_catalog.pg_class ic where tc.relname = 'lineitem' AND n.nspname = 'public' AND tc.oid = i.indrelid AND n.oid = tc.relnamespace AND i.indisprimary = 't' AND ia.attrelid = i.indexrelid AND ta.attrelid = i.indrelid AND ta.attnum = i.indkey[ia.attnum-1] AND (NOT ta.attisdropped) AND (NOT ia.attisdropped) AND ic.oid = i.indexrelid order by ia.attnum;

-- simple: rows PKTABLE_CAT:name PKTABLE_SCHEM:name PKTABLE_NAME:name PKCOLUMN_NAME:name FKTABLE_CAT:name FKTABLE_SCHEM:name FKTABLE_NAME:name FKCOLUMN_NAME:name KEY_SEQ:int2 UPDATE_RULE:int2 DELETE_RULE:int2 FK_NAME:name PK_NAME:name DEFERRABILITY:int2
select	'tpch'::name as "PKTABLE_CAT",
	n2.nspname as "PKTABLE_SCHEM",
	c2.relname as "PKTABLE_NAME",
	a2.attname as "PKCOLUMN_NAME",
	'tpch'::name as "FKTABLE_CAT",
	n1.nspname as "FKTABLE_SCHEM",
	c1.relname as "FKTABLE_NAME",
	a1.attname as "FKCOLUMN_NAME",
	i::int2 as "KEY_SEQ",
	case ref.confupdtype
		when 'c' then 0::int2
		when 'n' then 2::int2
		when 'd' then 4::int2
		when 'r' then 1::int2
		else 3::int2
	end as "UPDATE_RULE",
	case ref.confdeltype
		when 'c' then 0::int2
		when 'n' then 2::int2
		when 'd' then 4::int2
		when 'r' then 1::int2
		else 3::int2
	end as "DELETE_RULE",
	ref.conname as "FK_NAME",
	cn.conname as "PK_NAME",
	case
		when ref.condeferrable then
			case
			when ref.condeferred then 5::int2
			else 6::int2
			end
		else 7::int2
	end as "DEFERRABILITY"
 from
 ((((((( (select cn.oid, conrelid, conkey, confrelid, confkey,
	 generate_series(array_lower(conkey, 1), array_upper(conkey, 1)) as i,
	 confupdtype, confdeltype, conname,
	 condeferrable, condeferred
  from pg_catalog.pg_constraint cn,
	pg_catalog.pg_class c,
	pg_catalog.pg_namespace n
  where contype = 'f'
   and  conrelid = c.oid
   and  relname = 'lineitem'
   and  n.oid = c.relnamespace
   and  n.nspname = 'public'
 ) ref
 inner join pg_catalog.pg_class c1
  on c1.oid = ref.conrelid)
 inner join pg_catalog.pg_namespace n1
  on  n1.oid = c1.relnamespace)
 inner join pg_catalog.pg_attribute a1
  on  a1.attrelid = c1.oid
  and  a1.attnum = conkey[i])
 inner join pg_catalog.pg_class c2
  on  c2.oid = ref.confrelid)
 inner join pg_catalog.pg_namespace n2
  on  n2.oid = c2.relnamespace)
 inner join pg_catalog.pg_attribute a2
  on  a2.attrelid = c2.oid
  and  a2.attnum = confkey[i])
 left outer join pg_catalog.pg_constraint cn
  on cn.conrelid = ref.confrelid
  and cn.contype = 'p')
  order by ref.oid, ref.i;

-- simple: rows max_identifier_length:text
show max_identifier_length;

-- simple: rows nspname:name relname:name attname:name atttypid:oid typname:name attnum:int2 attlen:int2 atttypmod:int4 attnotnull:bool relhasrules:bool relkind:char oid:oid pg_get_expr:text case:oid typtypmod:int4 ?column?:int4 attidentity:char relhassubclass:bool
select n.nspname, c.relname, a.attname, a.atttypid, t.typname, a.attnum, a.attlen, a.atttypmod, a.attnotnull, c.relhasrules, c.relkind, c.oid, pg_get_expr(d.adbin, d.adrelid), case t.typtype when 'd' then t.typbasetype else 0 end, t.typtypmod, 0, attidentity, c.relhassubclass from (((pg_catalog.pg_class c inner join pg_catalog.pg_namespace n on n.oid = c.relnamespace and c.oid = 2615) inner join pg_catalog.pg_attribute a on (not a.attisdropped) and a.attnum > 0 and a.attrelid = c.oid) inner join pg_catalog.pg_type t on t.oid = a.atttypid) left outer join pg_attrdef d on a.atthasdef and d.adrelid = a.attrelid and d.adnum = a.attnum order by n.nspname, c.relname, attnum;

-- simple: rows nspname:name relname:name attname:name atttypid:oid typname:name attnum:int2 attlen:int2 atttypmod:int4 attnotnull:bool relhasrules:bool relkind:char oid:oid pg_get_expr:text case:oid typtypmod:int4 ?column?:int4 attidentity:char relhassubclass:bool
select n.nspname, c.relname, a.attname, a.atttypid, t.typname, a.attnum, a.attlen, a.atttypmod, a.attnotnull, c.relhasrules, c.relkind, c.oid, pg_get_expr(d.adbin, d.adrelid), case t.typtype when 'd' then t.typbasetype else 0 end, t.typtypmod, 0, attidentity, c.relhassubclass from (((pg_catalog.pg_class c inner join pg_catalog.pg_namespace n on n.oid = c.relnamespace and c.relname = 'orders' and n.nspname = 'public') inner join pg_catalog.pg_attribute a on (not a.attisdropped) and a.attnum > 0 and a.attrelid = c.oid) inner join pg_catalog.pg_type t on t.oid = a.atttypid) left outer join pg_attrdef d on a.atthasdef and d.adrelid = a.attrelid and d.adnum = a.attnum order by n.nspname, c.relname, attnum;

-- simple: rows relname:name indkey:int2vector indisunique:bool indisclustered:bool amname:name relhasrules:bool nspname:name oid:oid ?column?:int4 indoption:int2vector
select c.relname, i.indkey, i.indisunique, i.indisclustered, a.amname, c.relhasrules, n.nspname, c.oid, 0, i.indoption from pg_catalog.pg_index i, pg_catalog.pg_class c, pg_catalog.pg_class d, pg_catalog.pg_am a, pg_catalog.pg_namespace n where d.relname = 'orders' and n.nspname = 'public' and n.oid = d.relnamespace and d.oid = i.indrelid and i.indexrelid = c.oid and c.relam = a.oid order by i.indisprimary desc, i.indisunique, n.nspname, c.relname;

-- simple: rows procedure_cat:varchar procedure_schem:name procedure_name:name num_input_params:varchar num_output_params:varchar num_result_sets:varchar remarks:varchar procedure_type:int2
select ''::varchar as PROCEDURE_CAT, nspname as PROCEDURE_SCHEM, proname as PROCEDURE_NAME, ''::varchar as NUM_INPUT_PARAMS, ''::varchar as NUM_OUTPUT_PARAMS, ''::varchar as NUM_RESULT_SETS, ''::varchar as REMARKS, case when prorettype = 0 then 1::int2 else 2::int2 end as PROCEDURE_TYPE from pg_catalog.pg_namespace, pg_catalog.pg_proc where pg_proc.pronamespace = pg_namespace.oid;

-- simple: rows relhasrules:bool relkind:char relhasoids:int4
select c.relhasrules, c.relkind, 0 as relhasoids from pg_catalog.pg_namespace u, pg_catalog.pg_class c where u.oid = c.relnamespace and c.relname = 'nation' and u.nspname = 'public';

-- simple: BEGIN
BEGIN;

-- simple: SAVEPOINT
SAVEPOINT _EXEC_SVP_0x5577ad8879b0;

-- extended: rows n_nationkey:int4 n_name:bpchar n_regionkey:int4 n_comment:varchar
select * from nation where n_regionkey=$1 and n_name like $2;

-- simple: error 26000
SAVEPOINT _per_query_svp_;DEALLOCATE "_PLAN0x5577ad8b6600";RELEASE _per_query_svp_;

-- simple: error 25P01
RELEASE _EXEC_SVP_0x5577ad8879b0;SAVEPOINT _EXEC_SVP_0x5577ad8879b0;

-- extended: rows l_orderkey:int4 l_partkey:int4 l_suppkey:int4 l_linenumber:int4 l_quantity:numeric l_extendedprice:numeric l_discount:numeric l_tax:numeric l_returnflag:bpchar l_linestatus:bpchar l_shipdate:date l_commitdate:date l_receiptdate:date l_shipinstruct:bpchar l_shipmode:bpchar l_comment:varchar
select * from lineitem where l_orderkey<$1;

-- simple: error 25P01
RELEASE _EXEC_SVP_0x5577ad8879b0;SAVEPOINT _EXEC_SVP_0x5577ad8879b0;create temp table ot(a int,b varchar(20),n numeric(10,2));

-- extended: error 42P01
insert into ot values($1,$2,$3);

-- simple: COMMIT
COMMIT;

-- simple: error 26000
DEALLOCATE "_PLAN0x5577ad8b6600";

-- simple: error 42P01
BEGIN;select count(*) from ot;

-- simple: error 25P01
SAVEPOINT _EXEC_SVP_0x5577ad8879b0;select 1/0;

-- simple: error 25P01
ROLLBACK TO _EXEC_SVP_0x5577ad8879b0;

-- simple: ROLLBACK
ROLLBACK;

-- simple: rows o_orderkey:int4 o_custkey:int4 o_orderstatus:bpchar o_totalprice:numeric o_orderdate:date o_orderpriority:bpchar o_clerk:bpchar o_shippriority:int4 o_comment:varchar
BEGIN;declare "SQL_CUR0x5577ad8be9f0" cursor with hold for select * from orders where o_orderkey>5;fetch 50 in "SQL_CUR0x5577ad8be9f0";

-- simple: rows o_orderkey:int4 o_custkey:int4 o_orderstatus:bpchar o_totalprice:numeric o_orderdate:date o_orderpriority:bpchar o_clerk:bpchar o_shippriority:int4 o_comment:varchar
SAVEPOINT _EXEC_SVP_0x5577ad8879b0;fetch 50 in "SQL_CUR0x5577ad8be9f0";

-- simple: rows o_orderkey:int4 o_custkey:int4 o_orderstatus:bpchar o_totalprice:numeric o_orderdate:date o_orderpriority:bpchar o_clerk:bpchar o_shippriority:int4 o_comment:varchar
fetch 50 in "SQL_CUR0x5577ad8be9f0";

-- simple: rows o_orderkey:int4 o_custkey:int4 o_orderstatus:bpchar o_totalprice:numeric o_orderdate:date o_orderpriority:bpchar o_clerk:bpchar o_shippriority:int4 o_comment:varchar
BEGIN;select * from orders where o_orderkey>5;
