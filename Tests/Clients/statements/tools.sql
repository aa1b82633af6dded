-- Statements of the shapes that Grafana, Metabase, Superset, DBeaver and Npgsql use.

-- simple: rows v:int4
SELECT current_setting('server_version_num')::int / 100 AS v;

-- simple: rows extversion:text
SELECT extversion FROM pg_extension WHERE extname = 'timescaledb';

-- simple: rows name:name
SELECT schema_name AS name FROM information_schema.schemata WHERE schema_name NOT IN ('information_schema', 'pg_catalog') ORDER BY schema_name;

-- simple: rows t:text
SELECT CASE WHEN quote_ident(table_schema) IN (SELECT CASE WHEN trim(p[i]) = '"$user"' THEN user ELSE trim(p[i]) END FROM generate_series(array_lower(string_to_array(current_setting('search_path'), ','), 1), array_upper(string_to_array(current_setting('search_path'), ','), 1)) AS i, string_to_array(current_setting('search_path'), ',') AS p) THEN quote_ident(table_name) ELSE quote_ident(table_schema) || '.' || quote_ident(table_name) END AS t FROM information_schema.tables WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog') ORDER BY 1;

-- simple: rows c:text t:varchar
SELECT quote_ident(column_name) AS c, data_type AS t FROM information_schema.columns WHERE CASE WHEN array_length(parse_ident('public.nation'), 1) = 2 THEN quote_ident(table_schema) = (parse_ident('public.nation'))[1] AND quote_ident(table_name) = (parse_ident('public.nation'))[2] ELSE quote_ident(table_name) = 'nation' END;

-- simple: rows time:numeric v:numeric
SELECT floor(extract(epoch FROM o_orderdate::timestamp) / 86400) * 86400 AS time, avg(o_totalprice) AS v FROM orders WHERE o_orderdate BETWEEN '1995-01-01T00:00:00Z' AND '1995-02-01T00:00:00Z' GROUP BY 1 ORDER BY 1;

-- simple: rows TimeZone:text
SHOW timezone;

-- simple: rows nspname:name typname:name
SELECT n.nspname, t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid IN (SELECT DISTINCT enumtypid FROM pg_enum);

-- simple: rows s:name t:name k:text description:text n_live_tup:int8
SELECT n.nspname AS s, c.relname AS t, CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'PARTITIONED TABLE' WHEN 'v' THEN 'VIEW' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'm' THEN 'MATERIALIZED VIEW' END AS k, d.description, st.n_live_tup FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON c.relnamespace = n.oid LEFT JOIN pg_catalog.pg_description d ON c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass LEFT JOIN pg_stat_user_tables st ON n.nspname = st.schemaname AND c.relname = st.relname WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'f', 'm') ORDER BY k, s, t;

-- simple: rows column_name:name ty:text pos:int4 table_schema:name table_name:name is_pk:bool note:text required:bool
SELECT c.column_name, CASE WHEN c.udt_schema IN ('public', 'pg_catalog') THEN format('%s', c.udt_name) ELSE format('"%s"."%s"', c.udt_schema, c.udt_name) END AS ty, c.ordinal_position - 1 AS pos, c.table_schema, c.table_name, pk.column_name IS NOT NULL AS is_pk, col_description(CAST(CAST(format('%I.%I', CAST(c.table_schema AS text), CAST(c.table_name AS text)) AS regclass) AS oid), c.ordinal_position) AS note, (c.column_default IS NULL OR lower(c.column_default) = 'null') AND c.is_nullable = 'NO' AND NOT ((c.column_default IS NOT NULL AND c.column_default LIKE '%nextval(%') OR c.is_identity <> 'NO') AS required FROM information_schema.columns c LEFT JOIN (SELECT tc.table_schema, tc.table_name, kc.column_name FROM information_schema.table_constraints tc JOIN information_schema.key_column_usage kc ON tc.constraint_name = kc.constraint_name AND tc.table_schema = kc.table_schema AND tc.table_name = kc.table_name WHERE tc.constraint_type = 'PRIMARY KEY') pk ON c.table_schema = pk.table_schema AND c.table_name = pk.table_name AND c.column_name = pk.column_name WHERE c.table_schema !~ '^information_schema|pg_' AND c.table_schema IN ('public') UNION ALL SELECT a.attname, format('%s', ty.typname), a.attnum - 1, pn.nspname, pc.relname, false, NULL, false FROM pg_catalog.pg_class pc JOIN pg_catalog.pg_namespace pn ON pn.oid = pc.relnamespace JOIN pg_catalog.pg_attribute a ON a.attrelid = pc.oid JOIN pg_catalog.pg_type ty ON ty.oid = a.atttypid WHERE pc.relkind = 'm' AND a.attnum >= 1 ORDER BY table_schema, table_name, pos;

-- simple: rows nspname:name relname:name attname:name nspname:name relname:name attname:name
SELECT fn.nspname, ft.relname, fc.attname, pn.nspname, pt.relname, pc.attname FROM pg_constraint c JOIN pg_class ft ON c.conrelid = ft.oid JOIN pg_namespace fn ON c.connamespace = fn.oid JOIN pg_attribute fc ON c.conrelid = fc.attrelid JOIN pg_class pt ON c.confrelid = pt.oid JOIN pg_namespace pn ON pt.relnamespace = pn.oid JOIN pg_attribute pc ON c.confrelid = pc.attrelid WHERE fn.nspname !~ '^information_schema|pg_' AND c.contype = 'f'::char AND fc.attnum = ANY (c.conkey) AND pc.attnum = ANY (c.confkey) ORDER BY 1, 2;

-- simple: rows s:name t:name btrim:text
SELECT x.s, x.t, trim(BOTH '"' FROM pg_catalog.pg_get_indexdef(x.ci, x.pos, false)) FROM (SELECT n.nspname AS s, ct.relname AS t, ci.oid AS ci, (information_schema._pg_expandarray(i.indkey)).n AS pos FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_namespace n ON ct.relnamespace = n.oid JOIN pg_catalog.pg_index i ON ct.oid = i.indrelid JOIN pg_catalog.pg_class ci ON ci.oid = i.indexrelid WHERE pg_catalog.pg_get_expr(i.indpred, i.indrelid) IS NULL) x WHERE x.pos = 1;

-- simple: rows table_schema:name table_name:name ok:bool
SELECT table_schema, table_name, has_table_privilege(quote_ident(table_schema) || '.' || quote_ident(table_name), 'SELECT') OR has_any_column_privilege(quote_ident(table_schema) || '.' || quote_ident(table_name), 'SELECT') AS ok FROM information_schema.tables WHERE table_schema = 'public';

-- simple: rows m:timestamp d:int4 p:float8
SELECT date_trunc('month', CAST(o_orderdate AS timestamp)) AS m, extract(dow FROM CAST(o_orderdate AS timestamp))::integer + 1 AS d, percentile_cont(0.5) WITHIN GROUP (ORDER BY o_totalprice) AS p FROM orders WHERE o_orderdate >= CAST((CAST(now() AS timestamp) + INTERVAL '-500 month') AS date) GROUP BY 1, 2 ORDER BY 1 LIMIT 5;

-- simple: rows datname:name
SELECT datname FROM pg_database WHERE datistemplate = false;

-- simple: SET
SET search_path = "public";

-- simple: rows pg_backend_pid:int4
SELECT pg_backend_pid();

-- simple: rows QUERY_PLAN:text
EXPLAIN SELECT count(*) FROM nation;

-- simple: rows q:timestamptz e:timestamp d:date t:timestamptz
SELECT DATE_TRUNC('quarter', o_orderdate) AS q, (timestamp 'epoch' + o_orderkey * interval '1 second') AS e, to_date('1995-01-02', 'YYYY-MM-DD') AS d, to_timestamp('1995-01-02 03:04:05.000006', 'YYYY-MM-DD HH24:MI:SS.US') AS t FROM orders LIMIT 3;

-- simple: rows current_database:name
SELECT current_database();

-- simple: rows oid:oid oid:oid datname:name datdba:oid encoding:int4 datlocprovider:char datistemplate:bool datallowconn:bool datconnlimit:int4 datfrozenxid:? datminmxid:? dattablespace:oid datcollate:text datctype:text daticulocale:text datcollversion:text datacl:?
SELECT db.oid, db.* FROM pg_catalog.pg_database db WHERE datallowconn AND NOT datistemplate ORDER BY db.datname;

-- simple: rows version:text
SELECT version();

-- simple: rows oid:oid enumtypid:oid enumsortorder:float4 enumlabel:name
SELECT * FROM pg_catalog.pg_enum WHERE 1 <> 1 LIMIT 1;

-- simple: rows reltype:oid
SELECT reltype FROM pg_catalog.pg_class WHERE 1 <> 1 LIMIT 1;

-- simple: rows typcategory:char
SELECT typcategory FROM pg_catalog.pg_type WHERE 1 <> 1 LIMIT 1;

-- simple: rows current_schema:name session_user:name
SELECT current_schema(), session_user;

-- simple: rows search_path:text
SHOW search_path;

-- simple: rows oid:oid oid:oid nspname:name nspowner:oid nspacl:? description:text
SELECT n.oid, n.*, d.description FROM pg_catalog.pg_namespace n LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = n.oid AND d.objsubid = 0 AND d.classoid = 'pg_namespace'::regclass ORDER BY nspname;

-- simple: rows oid:oid oid:oid typname:name typnamespace:oid typowner:oid typlen:int2 typbyval:bool typtype:char typcategory:char typispreferred:bool typisdefined:bool typdelim:char typrelid:oid typsubscript:regproc typelem:oid typarray:oid typinput:regproc typoutput:regproc typreceive:regproc typsend:regproc typmodin:regproc typmodout:regproc typanalyze:regproc typalign:char typstorage:char typnotnull:bool typbasetype:oid typtypmod:int4 typndims:int4 typcollation:oid typdefaultbin:? typdefault:text typacl:? relkind:char base_type_name:text description:text
SELECT t.oid, t.*, c.relkind, format_type(nullif(t.typbasetype, 0), t.typtypmod) AS base_type_name, d.description FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_type et ON et.oid = t.typelem LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid = t.typrelid LEFT OUTER JOIN pg_catalog.pg_description d ON t.oid = d.objoid WHERE t.typname IS NOT NULL AND (c.relkind IS NULL OR c.relkind = 'c') AND (et.typcategory IS NULL OR et.typcategory <> 'C');

-- simple: rows oid:oid rolname:name rolsuper:bool rolinherit:bool rolcreaterole:bool rolcreatedb:bool rolcanlogin:bool rolreplication:bool rolconnlimit:int4 rolpassword:text rolvaliduntil:timestamptz rolbypassrls:bool rolconfig:text[] oid:oid description:text
SELECT a.oid, a.*, pd.description FROM pg_catalog.pg_roles a LEFT JOIN pg_catalog.pg_shdescription pd ON a.oid = pd.objoid ORDER BY a.rolname;

-- simple: rows name:text setting:text unit:text category:text short_desc:text extra_desc:text context:text vartype:text source:text min_val:text max_val:text enumvals:text[] boot_val:text reset_val:text sourcefile:text sourceline:int4 pending_restart:bool
SELECT * FROM pg_catalog.pg_settings;

-- simple: rows oid:oid oid:oid amname:name amhandler:regproc amtype:char
SELECT am.oid, am.* FROM pg_catalog.pg_am am ORDER BY am.oid;

-- simple: rows oid:oid oid:oid lanname:name lanowner:oid lanispl:bool lanpltrusted:bool lanplcallfoid:oid laninline:oid lanvalidator:oid lanacl:?
SELECT l.oid, l.* FROM pg_catalog.pg_language l ORDER BY l.oid;

-- simple: rows oid:oid oid:oid spcname:name spcowner:oid spcacl:? spcoptions:text[] loc:text
SELECT t.oid, t.*, pg_tablespace_location(t.oid) AS loc FROM pg_catalog.pg_tablespace t ORDER BY t.oid;

-- simple: rows oid:oid oid:oid relname:name relnamespace:oid reltype:oid reloftype:oid relowner:oid relam:oid relfilenode:oid reltablespace:oid relpages:int4 reltuples:float4 relallvisible:int4 reltoastrelid:oid relhasindex:bool relisshared:bool relpersistence:char relkind:char relnatts:int2 relchecks:int2 relhasrules:bool relhastriggers:bool relhassubclass:bool relrowsecurity:bool relforcerowsecurity:bool relispopulated:bool relreplident:char relispartition:bool relrewrite:oid relfrozenxid:? relminmxid:? relacl:? reloptions:text[] relpartbound:? description:text part:text pkey:text
SELECT c.oid, c.*, d.description, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS part, pg_catalog.pg_get_partkeydef(c.oid) AS pkey FROM pg_catalog.pg_class c LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass WHERE c.relnamespace = 2200 AND c.relkind NOT IN ('i', 'I', 'c');

-- simple: rows relname:name attrelid:oid attname:name atttypid:oid attstattarget:int4 attlen:int2 attnum:int2 attndims:int4 attcacheoff:int4 atttypmod:int4 attbyval:bool attalign:char attstorage:char attcompression:char attnotnull:bool atthasdef:bool atthasmissing:bool attidentity:char attgenerated:char attisdropped:bool attislocal:bool attinhcount:int4 attcollation:oid attacl:? attoptions:text[] attfdwoptions:text[] attmissingval:? dflt:text description:text objid:oid
SELECT c.relname, a.*, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) AS dflt, ds.description, dep.objid FROM pg_catalog.pg_attribute a INNER JOIN pg_catalog.pg_class c ON a.attrelid = c.oid LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum LEFT OUTER JOIN pg_catalog.pg_description ds ON c.oid = ds.objoid AND a.attnum = ds.objsubid LEFT OUTER JOIN pg_depend dep ON dep.refobjid = a.attrelid AND dep.deptype = 'i' AND dep.refobjsubid = a.attnum AND dep.classid = dep.refclassid WHERE NOT a.attisdropped AND c.relkind NOT IN ('i', 'I', 'c') AND c.oid = 'nation'::regclass ORDER BY a.attnum;

-- simple: rows oid:oid oid:oid conname:name connamespace:oid contype:char condeferrable:bool condeferred:bool convalidated:bool conrelid:oid contypid:oid conindid:oid conparentid:oid confrelid:oid confupdtype:char confdeltype:char confmatchtype:char conislocal:bool coninhcount:int4 connoinherit:bool conkey:int2[] confkey:int2[] conpfeqop:oid[] conppeqop:oid[] conffeqop:oid[] confdelsetcols:int2[] conexclop:oid[] conbin:? relname:name relnamespace:oid description:text src:text
SELECT c.oid, c.*, t.relname, rt.relnamespace, d.description, CASE WHEN c.contype = 'c' THEN "substring"(pg_get_constraintdef(c.oid), 7) ELSE NULL END AS src FROM pg_catalog.pg_constraint c INNER JOIN pg_catalog.pg_class t ON t.oid = c.conrelid LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid = c.confrelid LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_constraint'::regclass WHERE t.relnamespace = 2200 ORDER BY c.oid;

-- simple: rows indexrelid:oid indrelid:oid indnatts:int2 indnkeyatts:int2 indisunique:bool indnullsnotdistinct:bool indisprimary:bool indisexclusion:bool indimmediate:bool indisclustered:bool indisvalid:bool indcheckxmin:bool indisready:bool indislive:bool indisreplident:bool indkey:int2vector indcollation:oidvector indclass:oidvector indoption:int2vector indexprs:? indpred:? keys:int2vector relname:name relnamespace:oid relam:oid reltablespace:oid relname:name description:text p:text e:text sz:int8 sc:int8
SELECT i.*, i.indkey AS keys, c.relname, c.relnamespace, c.relam, c.reltablespace, tc.relname, ds.description, pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS p, pg_catalog.pg_get_expr(i.indexprs, i.indrelid, true) AS e, pg_catalog.pg_relation_size(i.indexrelid) AS sz, pg_catalog.pg_stat_get_numscans(i.indexrelid) AS sc FROM pg_catalog.pg_index i INNER JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid INNER JOIN pg_catalog.pg_class tc ON tc.oid = i.indrelid LEFT OUTER JOIN pg_catalog.pg_description ds ON i.indexrelid = ds.objoid WHERE tc.relnamespace = 2200 ORDER BY c.relname;

-- simple: rows inhrelid:oid relnamespace:oid oid:oid inhseqno:int4
SELECT i.inhrelid, pc.relnamespace, pc.oid, i.inhseqno FROM pg_catalog.pg_inherits i, pg_class rc, pg_class pc WHERE rc.oid = i.inhrelid AND rc.relnamespace = 2200 AND pc.oid = i.inhparent;

-- simple: rows oid:oid pg_total_relation_size:int8 pg_relation_size:int8
SELECT c.oid, pg_catalog.pg_total_relation_size(c.oid), pg_catalog.pg_relation_size(c.oid) FROM pg_class c WHERE c.relnamespace = 2200;

-- simple: rows oid:oid oid:oid proname:name pronamespace:oid proowner:oid prolang:oid procost:float4 prorows:float4 provariadic:oid prosupport:regproc prokind:char prosecdef:bool proleakproof:bool proisstrict:bool proretset:bool provolatile:char proparallel:char pronargs:int2 pronargdefaults:int2 prorettype:oid proargtypes:oidvector proallargtypes:oid[] proargmodes:char[] proargnames:text[] proargdefaults:? protrftypes:oid[] prosrc:text probin:text prosqlbody:? proconfig:text[] proacl:? pg_get_expr:text description:text
SELECT p.oid, p.*, pg_catalog.pg_get_expr(p.proargdefaults, 0), d.description FROM pg_catalog.pg_proc p LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = p.oid AND d.objsubid = 0 WHERE p.pronamespace = 2200 ORDER BY p.proname;

-- simple: rows datname:name pg_database_size:int8
SELECT db.datname, pg_database_size(db.oid) FROM pg_catalog.pg_database db;

-- simple: rows enumlabel:name
SELECT e.enumlabel FROM pg_catalog.pg_enum e WHERE e.enumtypid = 0 ORDER BY e.enumsortorder;

-- simple: rows version:text
SELECT version();

-- simple: rows nspname:name oid:oid typname:name ty:char typnotnull:bool el:oid typname:name typtype:char rngsubtype:oid rngmultitypid:oid
SELECT ns.nspname, t.oid, t.typname, CASE WHEN pr.proname = 'array_recv' THEN 'a' ELSE t.typtype END AS ty, t.typnotnull, el.oid AS el, el.typname, el.typtype, r.rngsubtype, r.rngmultitypid FROM pg_type t LEFT JOIN pg_class cls ON cls.oid = t.typrelid LEFT JOIN pg_proc pr ON pr.oid = t.typreceive LEFT JOIN pg_range r ON r.rngtypid = t.oid OR r.rngmultitypid = t.oid LEFT JOIN pg_type el ON el.oid = coalesce(nullif(t.typelem, 0), nullif(t.typbasetype, 0), r.rngsubtype) JOIN pg_namespace ns ON ns.oid = t.typnamespace WHERE t.typtype IN ('b', 'r', 'm', 'e', 'd') OR (t.typtype = 'c' AND cls.relkind = 'c') OR (t.typtype = 'p' AND t.typname IN ('record', 'void', 'unknown')) ORDER BY CASE WHEN t.typtype IN ('b', 'e', 'p') THEN 0 WHEN t.typtype = 'c' THEN 1 ELSE 2 END;

-- simple: rows oid:oid attname:name atttypid:oid
SELECT t.oid, a.attname, a.atttypid FROM pg_type t JOIN pg_namespace ns ON ns.oid = t.typnamespace JOIN pg_class c ON c.oid = t.typrelid JOIN pg_attribute a ON a.attrelid = t.typrelid WHERE t.typtype = 'c' AND c.relkind = 'c' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY t.oid, a.attnum;

-- simple: rows oid:oid enumlabel:name
SELECT t.oid, e.enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid ORDER BY t.oid, e.enumsortorder;
