"""harlequin: the statements of its PostgreSQL adapter for queries, the catalogue's tree, search and completion, and cancelling."""

import threading

from probe import Probe, skip

try:
    from harlequin.exception import HarlequinQueryError
    from harlequin_postgres.adapter import HarlequinPostgresAdapter
except ImportError as error:
    skip("harlequin", error)

probe = Probe("harlequin")
connection = HarlequinPostgresAdapter(
    conn_str=[f"host={probe.host} port={probe.port} user={probe.user} dbname={probe.database}"]).connect()


def rows(sql):
    cursor = connection.execute(sql)
    return None if cursor is None else [tuple(row) for row in cursor.fetchall()]


with probe.part("statements"):
    for sql in [
        "DROP TABLE IF EXISTS probe_harlequin", "DROP MATERIALIZED VIEW IF EXISTS probe_harlequin_kept",
        "CREATE TABLE probe_harlequin (id int PRIMARY KEY, name varchar(20), price numeric(8, 2))",
        "INSERT INTO probe_harlequin VALUES (1, 'a', 1.5), (2, 'b', NULL)",
        "CREATE MATERIALIZED VIEW probe_harlequin_kept AS SELECT id, name FROM probe_harlequin",
    ]:
        probe.equal(sql, rows(sql), None)
    cursor = connection.execute("SELECT id, name, price, now() AS t FROM probe_harlequin ORDER BY id")
    probe.equal("column types", cursor.columns(), [("id", "#"), ("name", "s"), ("price", "#.#"), ("t", "ts")])
    probe.equal("limit", [tuple(row)[:2] for row in cursor.set_limit(1).fetchall()], [(1, "a")])

with probe.part("catalogue"):
    databases = {item.label: item for item in connection.get_catalog().items}
    probe.true("database", probe.database in databases)
    schemas = {item.label: item for item in databases[probe.database].fetch_children()}
    probe.true("schema", "public" in schemas)
    relations = {item.label: item for item in schemas["public"].fetch_children()}
    probe.true("relations", {"probe_harlequin", "probe_harlequin_kept"} <= set(relations))
    for relation, wanted in [
        ("probe_harlequin", [("id", "#"), ("name", "s"), ("price", "#.#")]), ("probe_harlequin_kept", [("id", "#"), ("name", "s")]),
    ]:
        columns = [(item.label, item.type_label) for item in relations[relation].fetch_children()]
        probe.equal(f"columns of {relation}", columns, wanted)

with probe.part("search"):
    found = [(result.item.label, result.parents) for result in connection.search_catalog("probe_harlequin", "relations")]
    place = (probe.database, "public")
    probe.equal("relations", found, [("probe_harlequin", place), ("probe_harlequin_kept", place)])
    found = {(result.item.label, result.parents[-1]) for result in connection.search_catalog("price", "columns")}
    probe.true("columns", ("price", "probe_harlequin") in found)
    probe.true("all", any(result.item.label == "probe_harlequin" for result in connection.search_catalog("probe", "all")))

with probe.part("completion"):
    labels = {completion.label for completion in connection.get_completions()}
    probe.true("functions", "lower" in labels)
    probe.true("settings", "statement_timeout" in labels)

with probe.part("errors"):
    for sql in ["SELECT * FROM no_such_table", "SELECT 1 / 0"]:
        try:
            rows(sql)
            probe.fail(sql, "did not fail")
        except HarlequinQueryError:
            probe.passed += 1
    probe.equal("afterwards", rows("SELECT 1"), [(1,)])

with probe.part("transactions"):
    connection.toggle_transaction_mode()
    rows("DELETE FROM probe_harlequin")
    connection.rollback()
    probe.equal("rollback", rows("SELECT count(*) FROM probe_harlequin"), [(2,)])
    rows("UPDATE probe_harlequin SET name = 'c' WHERE id = 2")
    connection.commit()
    connection.toggle_transaction_mode()
    probe.equal("commit", rows("SELECT name FROM probe_harlequin ORDER BY id"), [("a",), ("c",)])

with probe.part("cancel"):
    timer = threading.Timer(0.3, connection.cancel)
    timer.start()
    # A cancelled statement gives no cursor, and no error either.
    probe.equal("cancel", rows("SELECT pg_sleep(20)"), None)
    timer.join()
    probe.equal("afterwards", rows("SELECT 1"), [(1,)])

with probe.part("read only"):
    reader = HarlequinPostgresAdapter(
        conn_str=[f"host={probe.host} port={probe.port} user={probe.user} dbname={probe.database}"], read_only=True).connect()
    try:
        reader.execute("DELETE FROM probe_harlequin")
        probe.fail("DELETE", "did not fail")
    except HarlequinQueryError as error:
        probe.true("DELETE", "read-only" in error.msg)
    reader.close()

for sql in ["DROP MATERIALIZED VIEW IF EXISTS probe_harlequin_kept", "DROP TABLE IF EXISTS probe_harlequin"]:
    rows(sql)
connection.close()
probe.end()
