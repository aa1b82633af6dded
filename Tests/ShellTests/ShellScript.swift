// One script with all that a shell shows: types and their texts, settings, errors, notices, transactions, COPY, commands.

enum ShellScript {
    static let everything = #"""
        CREATE TABLE t (id int PRIMARY KEY, a smallint, b bigint, c real, d double precision, e numeric(12,3), f numeric, g text, h varchar(5), i char(6), j bytea, k date, l time, m timestamp, n timestamptz, o interval, p uuid, q json, r jsonb, s int[], u text[], v boolean, w timetz, x bit(3), y int4range);
        INSERT INTO t VALUES (1, 2, 3, 1.5, 2.25, 12.345, 1e30, 'täxt|"quoted", comma', 'abc', 'pad', '\x00ff', '2024-02-29', '12:34:56.789', '2024-02-29 12:34:56', '2024-02-29 12:34:56+00', '1 year 2 mons 3 days 04:05:06.7', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": [1, null]}', '{"b": {"c": true}}', '{1,2,NULL}', '{"a b",NULL,"NULL"}', true, '10:00+02', '101', '[1,5)');
        INSERT INTO t (id) VALUES (2);
        INSERT INTO t VALUES (3, -1, NULL, 'NaN', 'Infinity', -0.001, 'NaN', '', '', '', '', 'infinity', '24:00', '-infinity', 'infinity', '-1 mons +2 days', NULL, 'null', '[]', '{}', '{}', false, NULL, NULL, 'empty');
        SELECT * FROM t ORDER BY id;
        SET timezone = 'America/New_York';
        SET datestyle = 'German, DMY';
        SET intervalstyle = 'iso_8601';
        SET bytea_output = 'escape';
        SET extra_float_digits = -10;
        SELECT * FROM t ORDER BY id;
        SELECT d, c, j, k, m, n, o, ARRAY[n, NULL], ARRAY[j], ARRAY[o] FROM t ORDER BY id;
        RESET ALL;
        SELECT 't'::regclass, 'int4'::regtype, 'pg_catalog'::regnamespace, 12::oid, 'n'::name, 'c'::"char", ROW(1, 'a b', NULL), ARRAY[[1,2],[3,4]], NULL, '{"x":1}'::json;
        SELECT FROM t;
        SELECT 1 AS a, 2 AS a;
        SELECT count(*), sum(e), avg(a), max(g) FROM t WHERE false;
        VALUES (1), (2) ORDER BY 1 DESC;
        EXPLAIN (COSTS OFF) SELECT 1;
        SHOW search_path;
        INSERT INTO t (id) VALUES (4), (5) RETURNING id, g;
        UPDATE t SET g = 'x' WHERE id > 3;
        DELETE FROM t WHERE id > 3;
        DROP TABLE IF EXISTS nothing, nothing_else;
        BEGIN;
        SAVEPOINT s;
        SELECT 1/0;
        SELECT 1;
        ROLLBACK TO s;
        COMMIT;
        BEGIN;
        SELECT nothing;
        COMMIT;
        PREPARE p(int) AS SELECT $1 + 1 AS answer;
        EXECUTE p(41);
        DEALLOCATE p;
        BEGIN;
        DECLARE c CURSOR FOR SELECT g FROM generate_series(1, 5) s(g);
        FETCH 2 FROM c;
        MOVE 1 FROM c;
        FETCH ALL FROM c;
        CLOSE c;
        COMMIT;
        CREATE TABLE tt (x int, y text);
        COPY tt FROM STDIN CSV;
        1,one
        2,"two, and more"
        \.
        COPY tt FROM STDIN CSV;
        x,bad
        \.
        COPY tt TO STDOUT;
        COPY (SELECT * FROM tt) TO STDOUT CSV HEADER;
        COPY (SELECT * FROM generate_series(1, 3)) TO STDOUT (FORMAT csv, FORCE_QUOTE *);
        CREATE VIEW vv AS SELECT * FROM t;
        CREATE SEQUENCE seq;
        SELECT nextval('seq');
        CREATE UNIQUE INDEX idx ON t (b);
        \d
        \d t
        \d vv
        \dt
        \dt tiny.*
        \dv
        \dm
        \ds
        \di
        \df upper
        \df generate*
        \dT int*
        \l
        SELECT error_with_a_very_long_name_that_goes_on_and_on_and_äöü FROM t;
        INSERT INTO t (id) VALUES (1);
        SELECT 1 +;
        SELECT nosuchfunction(1);
        SELECT upper(1, 2);
        SET nosuch = 1;
        ALTER TABLE t ADD CHECK (id > 0);
        SELECT * FROM generate_series(1, 100000) g(x) WHERE x % 20000 = 0;
        \d nosuch
        \x
        SELECT 1 AS a, 'text' AS longer_name;
        \x
        \x auto
        SELECT 1 AS a;
        \x off
        \timing off
        \set name 'it''s'
        SELECT :'name' AS v, :'nothing';
        \set limit 3
        SELECT g FROM generate_series(1, :limit) s(g);
        \unset limit
        \echo hello :limit
        \pset null NIL
        SELECT NULL AS a;
        \pset
        \p
        \gx
        \g
        \plan SELEC
        \queries
        \cancel
        \cancel ffffffff
        \copy tt TO stdout CSV
        \copy nosuch FROM '/nonexistent'
        \i /nonexistent.sql
        \h select
        \nothing
        SELECT 'unfinished

        """#
}
