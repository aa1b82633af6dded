"""pgcli: the statements with which it learns what can be completed, and a query."""

import threading

from probe import Probe, skip

try:
    from pgcli.pgexecute import PGExecute
except ImportError as error:
    skip("pgcli", error)

probe = Probe("pgcli")
executor = PGExecute(database=probe.database, user=probe.user, password="", host=probe.host, port=str(probe.port))

with probe.part("queries"):
    for sql in ["DROP TABLE IF EXISTS probe_pgcli", "CREATE TABLE probe_pgcli (id int PRIMARY KEY, name text)", "INSERT INTO probe_pgcli VALUES (1, 'a')"]:
        list(executor.run(sql))
    title, rows, headers, status, *_ = next(iter(executor.run("SELECT * FROM probe_pgcli")))
    probe.equal("rows", ([tuple(row) for row in rows], list(headers), status), ([(1, "a")], ["id", "name"], "SELECT 1"))

with probe.part("completion"):
    probe.true("schemas", "public" in list(executor.schemata()))
    probe.true("tables", ("public", "probe_pgcli") in [tuple(row) for row in executor.tables()])
    columns = [tuple(row)[:3] for row in executor.table_columns() if row[1] == "probe_pgcli"]
    probe.equal("columns", columns, [("public", "probe_pgcli", "id"), ("public", "probe_pgcli", "name")])
    for name in ["views", "view_columns", "databases", "foreignkeys", "functions", "datatypes", "casing", "search_path"]:
        method = getattr(executor, name, None)
        if method is None:
            continue
        with probe.part(name):
            list(method())
            probe.passed += 1

with probe.part("special commands"):
    for sql in ["\\dt", "\\d probe_pgcli", "\\l", "\\dn", "\\df"]:
        with probe.part(sql):
            from pgspecial.main import PGSpecial
            list(executor.run(sql, PGSpecial()))
            probe.passed += 1

with probe.part("errors"):
    for code, sql in [("42P01", "SELECT * FROM no_such_table"), ("22012", "SELECT 1 / 0")]:
        probe.raises(sql, code, lambda: list(executor.run(sql)))
    title, rows, *_ = next(iter(executor.run("SELECT 1")))
    probe.equal("afterwards", [tuple(row) for row in rows], [(1,)])

with probe.part("cancel"):
    timer = threading.Timer(0.5, executor.conn.cancel)
    timer.start()
    probe.raises("cancel", "57014", lambda: list(executor.run("SELECT pg_sleep(20)")))
    timer.join()

list(executor.run("DROP TABLE probe_pgcli"))
probe.end()
