"""psqlODBC through pyodbc: catalogue calls, parameters, cursors, errors."""

import datetime
import decimal
import threading

from probe import Probe, skip

try:
    import pyodbc
except ImportError as error:
    skip("psqlODBC", error)
drivers = [name for name in pyodbc.drivers() if "PostgreSQL" in name and "Unicode" in name]
if not drivers:
    skip("psqlODBC", "the driver is not installed")

probe = Probe("psqlODBC")
connection = pyodbc.connect(
    f"DRIVER={{{drivers[0]}}};SERVER={probe.host};PORT={probe.port};UID={probe.user};DATABASE={probe.database}", autocommit=True)
cursor = connection.cursor()

with probe.part("values"):
    cursor.execute("SELECT 1, 1::bigint, 'text', 1.50::numeric(5, 2), DATE '2024-02-29', TIMESTAMP '2024-02-29 12:00:00', NULL::int")
    probe.equal("row", tuple(cursor.fetchone()), (
        1, 1, "text", decimal.Decimal("1.50"), datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 12, 0), None))
    cursor.execute("SELECT ? + 1, ? || 'b'", 41, "a")
    probe.equal("parameters", tuple(cursor.fetchone()), (42, "ab"))

with probe.part("types both ways"):
    values = [
        (True, "boolean", "1"), (-7, "smallint", -7), (70000, "integer", 70000), (1 << 40, "bigint", 1 << 40), (2.25, "double precision", 2.25),
        (decimal.Decimal("-12.340"), "numeric(8, 3)", decimal.Decimal("-12.340")), ("Zoë 東京", "text", "Zoë 東京"),
        (b"\x00\xff", "bytea", b"\x00\xff"), (datetime.date(1999, 12, 31), "date", datetime.date(1999, 12, 31)),
        (datetime.time(23, 59, 58), "time", datetime.time(23, 59, 58)),
        (datetime.datetime(2024, 2, 29, 12, 30, 15, 123000), "timestamp", datetime.datetime(2024, 2, 29, 12, 30, 15, 123000)),
        (None, "text", None),
    ]
    for value, name, wanted in values:
        cursor.execute(f"SELECT CAST(? AS {name})", value)
        probe.equal(name, cursor.fetchone()[0], wanted)

with probe.part("cursors"):
    fetching = pyodbc.connect(
        f"DRIVER={{{drivers[0]}}};SERVER={probe.host};PORT={probe.port};UID={probe.user};DATABASE={probe.database};"
        "UseDeclareFetch=1;Fetch=100")
    walker = fetching.cursor()
    walker.execute("SELECT g FROM generate_series(1, 1000) AS s(g)")
    probe.equal("by pieces", sum(row[0] for row in walker.fetchmany(250)), 31375)
    probe.equal("the rest", sum(row[0] for row in walker), 500500 - 31375)
    fetching.commit()
    fetching.close()

with probe.part("cancel"):
    timer = threading.Timer(0.5, cursor.cancel)
    timer.start()
    probe.raises("cancel", "57014", lambda: cursor.execute("SELECT pg_sleep(20)").fetchall(), lambda error: error.args[0])
    timer.join()
    cursor = connection.cursor()

with probe.part("statements"):
    cursor.execute("DROP TABLE IF EXISTS probe_odbc")
    cursor.execute("CREATE TABLE probe_odbc (id int PRIMARY KEY, name varchar(20), price numeric(8, 2))")
    cursor.executemany("INSERT INTO probe_odbc VALUES (?, ?, ?)", [(i, f"n{i}", decimal.Decimal("1.25")) for i in range(20)])
    cursor.execute("SELECT count(*), sum(price) FROM probe_odbc")
    probe.equal("executemany", tuple(cursor.fetchone()), (20, decimal.Decimal("25.00")))
    cursor.execute("UPDATE probe_odbc SET name = 'x' WHERE id < 5")
    probe.equal("rowcount", cursor.rowcount, 5)

with probe.part("catalogue"):
    tables = [row.table_name for row in cursor.tables(table="probe_odbc")]
    probe.equal("tables", tables, ["probe_odbc"])
    columns = [(row.column_name, row.type_name) for row in cursor.columns(table="probe_odbc")]
    probe.equal("columns", columns, [("id", "int4"), ("name", "varchar"), ("price", "numeric")])
    probe.equal("primary keys", [row.column_name for row in cursor.primaryKeys(table="probe_odbc")], ["id"])
    probe.true("statistics", any(row.index_name == "probe_odbc_pkey" for row in cursor.statistics(table="probe_odbc")))
    probe.true("types", any(row.type_name == "int4" for row in cursor.getTypeInfo()))

with probe.part("errors"):
    for state, sql in [("42P01", "SELECT * FROM no_such_table"), ("22012", "SELECT 1 / 0")]:
        probe.raises(sql, state, lambda: cursor.execute(sql).fetchall(), lambda error: error.args[0])

with probe.part("transactions"):
    connection.autocommit = False
    cursor.execute("DELETE FROM probe_odbc")
    connection.rollback()
    connection.autocommit = True
    cursor.execute("SELECT count(*) FROM probe_odbc")
    probe.equal("rollback", cursor.fetchone()[0], 20)

cursor.execute("DROP TABLE IF EXISTS probe_odbc")
probe.end()
