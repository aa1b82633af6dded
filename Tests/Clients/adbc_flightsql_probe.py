"""ADBC's driver for Flight SQL: introspection, queries, parameters, types both ways, transactions, ingestion, errors."""

import datetime
import decimal
import os
import threading
import time
import uuid

from probe import Probe, skip

try:
    import adbc_driver_flightsql.dbapi as dbapi
    import pyarrow
except ImportError as error:
    skip("ADBC Flight SQL", error)
if "FLIGHT_ADDRESS" not in os.environ:
    skip("ADBC Flight SQL", "FLIGHT_ADDRESS does not name a server")

probe = Probe("ADBC Flight SQL")


def connect(autocommit=True, **options):
    return dbapi.connect(
        f"grpc://{os.environ['FLIGHT_ADDRESS']}", db_kwargs={"username": probe.user, "password": "secret", **options},
        autocommit=autocommit)


def state(error):
    """The SQLSTATE, which the driver has in the text only."""
    text = str(error)
    return text.split("(SQLSTATE ", 1)[1][:5] if "(SQLSTATE " in text else text


with connect() as connection, connection.cursor() as cursor:
    cursor.execute("DROP TABLE IF EXISTS probe_flight")
    cursor.execute("DROP TABLE IF EXISTS probe_ingest")
    cursor.execute("CREATE TABLE probe_flight (id int PRIMARY KEY, name text NOT NULL, price numeric(10, 2))")

    with probe.part("server"):
        info = connection.adbc_get_info()
        probe.equal("vendor", info["vendor_name"], "Martlet")
        probe.equal("catalog", connection.adbc_current_catalog, "martlet")
        probe.equal("schema", connection.adbc_current_db_schema, "public")
        probe.true("table types", {"TABLE", "VIEW"} <= set(connection.adbc_get_table_types()))

    with probe.part("introspection"):
        probe.equal("table schema", connection.adbc_get_table_schema("probe_flight").names, ["id", "name", "price"])
        probe.equal("table schema nulls", [field.nullable for field in connection.adbc_get_table_schema("probe_flight")],
                    [False, False, True])
        objects = connection.adbc_get_objects(
            depth="columns", db_schema_filter="public", table_name_filter="probe_fl%").read_all().to_pylist()
        tables = [table for schema in objects[0]["catalog_db_schemas"] for table in schema["db_schema_tables"]]
        probe.equal("tables", [table["table_name"] for table in tables], ["probe_flight"])
        probe.equal("columns", [column["column_name"] for column in tables[0]["table_columns"]], ["id", "name", "price"])
        probe.equal("types", [column["xdbc_type_name"] for column in tables[0]["table_columns"]],
                    ["integer", "text", "numeric(10,2)"])
        schemas = connection.adbc_get_objects(depth="db_schemas").read_all().to_pylist()
        probe.true("schemas", "public" in [one["db_schema_name"] for one in schemas[0]["catalog_db_schemas"]])
        missing = connection.adbc_get_objects(depth="tables", table_name_filter="no such table").read_all().to_pylist()
        probe.equal("no tables", [table for schema in missing[0]["catalog_db_schemas"]
                                  for table in schema["db_schema_tables"]], [])

    with probe.part("changes"):
        cursor.execute("INSERT INTO probe_flight VALUES (1, 'one', 1.50)")
        probe.equal("inserted", cursor.rowcount, 1)
        cursor.executemany("INSERT INTO probe_flight VALUES (?, ?, ?)",
                           [(2, "two", decimal.Decimal("2.25")), (3, "three", None)])
        probe.equal("inserted by sets", cursor.rowcount, 2)
        cursor.execute("SELECT * FROM probe_flight ORDER BY id")
        probe.equal("rows", cursor.fetchall(),
                    [(1, "one", decimal.Decimal("1.50")), (2, "two", decimal.Decimal("2.25")), (3, "three", None)])
        cursor.execute("UPDATE probe_flight SET price = 0 WHERE id > 1 RETURNING id")
        probe.equal("returned", sorted(cursor.fetchall()), [(2,), (3,)])
        cursor.execute("INSERT INTO probe_flight SELECT count(*) + 1, 'once', 0 FROM probe_flight")
        cursor.execute("SELECT count(*) FROM probe_flight WHERE name = 'once'")
        probe.equal("ran once", cursor.fetchall(), [(1,)])
        probe.raises("all or nothing", "23505", lambda: cursor.executemany(
            "INSERT INTO probe_flight VALUES (?, ?, ?)", [(10, "ten", None), (1, "again", None)]), state)
        cursor.execute("SELECT count(*) FROM probe_flight WHERE id = 10")
        probe.equal("nothing", cursor.fetchall(), [(0,)])
        cursor.adbc_prepare("INSERT INTO probe_flight VALUES (77, 'prepared', 0)")
        cursor.execute("SELECT count(*) FROM probe_flight WHERE id = 77")
        probe.equal("preparing does not run", cursor.fetchall(), [(0,)])

    with probe.part("parameters"):
        moment = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456)
        values = [
            (True, "boolean"), (-7, "smallint"), (70000, "integer"), (1 << 40, "bigint"), (1.5, "real"),
            (2.25, "double precision"), (decimal.Decimal("12.340"), "numeric(10,3)"), ("Zoë 東京", "text"),
            (b"\x00\xff", "bytea"), (datetime.date(1999, 12, 31), "date"), (datetime.time(23, 59, 58), "time"),
            (moment, "timestamp"), (moment.replace(tzinfo=datetime.timezone.utc), "timestamptz"), ("", "text"),
        ]
        for value, name in values:
            cursor.execute(f"SELECT ?::{name}", (value,))
            probe.equal(f"parameter {name}", cursor.fetchone(), (value,))
            cursor.execute(f"SELECT ?::{name}", (None,))
            probe.equal(f"null {name}", cursor.fetchone(), (None,))
        cursor.execute("SELECT $2::int - $1::int", (1, 5))
        probe.equal("numbers", cursor.fetchone(), (4,))
        cursor.execute("SELECT '?', jsonb '{\"a\": 1}' ?? 'a', ?::int", (3,))
        probe.equal("question marks", cursor.fetchone(), ("?", True, 3))
        probe.raises("out of range", "22003", lambda: cursor.execute("SELECT ?::smallint + 0::smallint", (1 << 20,)), state)

    with probe.part("types"):
        cursor.execute("""
            SELECT NULL::int a, 1::smallint b, 12.5::numeric(20, 4) c, ('1.00000000000000000000000' || g)::numeric d,
                   'ab'::char(4) e, interval '1 month 2 days 3 seconds' f,
                   '00000000-0000-0000-0000-000000000005'::uuid g, ARRAY[1, NULL, 3] h, ARRAY['a', 'b'] i,
                   '{"a":1}'::jsonb j, int4range(1, 3) k, '12:00+02'::timetz l
            FROM generate_series(1, 1) AS g""")
        table = cursor.fetch_arrow_table()
        probe.equal("values", list(table.to_pylist()[0].values()), [
            None, 1, decimal.Decimal("12.5000"), "1.000000000000000000000001", "ab  ",
            pyarrow.MonthDayNano([1, 2, 3_000_000_000]), uuid.UUID(int=5), [1, None, 3], ["a", "b"], '{"a": 1}', "[1,3)",
            "12:00:00+02"])
        cursor.execute("SELECT * FROM probe_flight WHERE false")
        probe.equal("no rows", cursor.fetchall(), [])
        cursor.execute("SELECT g, CASE WHEN g % 3 = 0 THEN NULL ELSE 'row ' || g END FROM generate_series(1, 200000) AS g")
        table = cursor.fetch_arrow_table()
        probe.equal("many rows", (table.num_rows, table.column(1).null_count), (200000, 66666))
        probe.equal("each once", sum(table.column(0).to_pylist()), 200000 * 200001 // 2)
        probe.raises("several dimensions", "0A000", lambda: cursor.execute("SELECT ARRAY[[1], [2]]").fetchall(), state)

    with probe.part("errors"):
        for sql, code in [("SELEC 1", "42601"), ("SELECT * FROM missing_table", "42P01"), ("SELECT missing", "42703"),
                          ("CREATE TABLE probe_flight (a int)", "42P07"), ("SELECT 'x'::int", "22P02")]:
            probe.raises(sql, code, lambda: cursor.execute(sql).fetchall(), state)
        probe.raises("while rows come", "22012", lambda: cursor.execute(
            "SELECT 1 / (g - 150000) FROM generate_series(1, 200000) AS g").fetchall(), state)
        try:
            cursor.execute("SELEC 1")
        except dbapi.ProgrammingError as error:
            probe.true("kind of error", "INVALID_ARGUMENT" in str(error))

    with probe.part("ingest"):
        rows = pyarrow.table({
            "id": pyarrow.array([1, 2, None], pyarrow.int64()), "text": ["a\tb", "c\\n\n", None],
            "number": [1.5, float("inf"), None], "day": pyarrow.array([0, 1, None], pyarrow.date32()),
            "kind": pyarrow.array(["x", None, "x"]).dictionary_encode()})
        probe.equal("create", cursor.adbc_ingest("probe_ingest", rows, mode="create"), 3)
        cursor.execute("SELECT * FROM probe_ingest")
        probe.equal("ingested", cursor.fetch_arrow_table().to_pylist(),
                    rows.to_pylist())
        probe.equal("append", cursor.adbc_ingest("probe_ingest", rows, mode="append"), 3)
        probe.raises("create again", "42P07", lambda: cursor.adbc_ingest("probe_ingest", rows, mode="create"), state)
        probe.equal("replace", cursor.adbc_ingest("probe_ingest", rows.slice(0, 2), mode="replace"), 2)
        cursor.execute("SELECT count(*) FROM probe_ingest")
        probe.equal("replaced", cursor.fetchall(), [(2,)])

    with probe.part("statements of several kinds"), connection.cursor() as cursor:
        cursor.executescript("CREATE TEMP TABLE probe_script (a int); INSERT INTO probe_script VALUES (1), (2)")
        cursor.execute("SELECT sum(a)::int FROM probe_script")
        probe.equal("script", cursor.fetchall(), [(3,)])
        cursor.execute("SET timezone = 'Asia/Tokyo'")
        cursor.execute("SHOW timezone")
        probe.equal("settings stay", cursor.fetchall(), [("Asia/Tokyo",)])
        cursor.execute("EXPLAIN SELECT 1")
        probe.true("explain", len(cursor.fetchall()) > 0)
        with connection.cursor() as other:
            cursor.execute("SELECT g FROM generate_series(1, 300000) AS g")
            other.execute("SELECT 1")
            probe.equal("between", other.fetchall(), [(1,)])
            probe.equal("the rest", cursor.fetch_arrow_table().num_rows, 300000)

with probe.part("transactions"), connect(autocommit=False) as connection, connection.cursor() as cursor:
    cursor.execute("DELETE FROM probe_flight")
    connection.rollback()
    cursor.execute("SELECT count(*) FROM probe_flight")
    before = cursor.fetchall()[0][0]
    probe.true("rolled back", before > 0)
    cursor.execute("INSERT INTO probe_flight VALUES (100, 'hundred', 1)")
    with connect() as other, other.cursor() as outside:
        outside.execute("SELECT count(*) FROM probe_flight WHERE id = 100")
        probe.equal("not seen before", outside.fetchall(), [(0,)])
        connection.commit()
        outside.execute("SELECT count(*) FROM probe_flight WHERE id = 100")
        probe.equal("seen after", outside.fetchall(), [(1,)])
    cursor.adbc_ingest("probe_ingest", pyarrow.table({"id": [9]}), mode="append")
    connection.rollback()
    cursor.execute("SELECT count(*) FROM probe_ingest WHERE id = 9")
    probe.equal("ingestion rolled back", cursor.fetchall(), [(0,)])
    probe.raises("fails", "22012", lambda: cursor.execute("SELECT 1 / 0").fetchall(), state)
    probe.raises("is aborted", "25P02", lambda: cursor.execute("SELECT 1").fetchall(), state)
    probe.raises("cannot be committed", "25P02", connection.commit, state)

with probe.part("cancel"), connect() as connection, connection.cursor() as cursor:
    timer = threading.Timer(0.5, cursor.adbc_cancel)
    start = time.monotonic()
    timer.start()
    try:
        cursor.execute("SELECT count(*) FROM generate_series(1, 100000000000)")
        cursor.fetchall()
        probe.fail("cancel", "the query ended")
    except Exception:
        probe.true("cancelled soon", time.monotonic() - start < 20)
    timer.join()
    deadline = time.monotonic() + 20
    running = None
    while time.monotonic() < deadline and running != 0:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%100000000000%' AND state = 'active' "
                       "AND query NOT LIKE '%pg_stat_activity%'")
        running = cursor.fetchall()[0][0]
    probe.equal("runs no more", running, 0)

with probe.part("deadline"), connect(**{"adbc.flight.sql.rpc.timeout_seconds.fetch": "1.0"}) as connection:
    with connection.cursor() as cursor:
        start = time.monotonic()
        try:
            cursor.execute("SELECT count(*) FROM generate_series(1, 100000000000)").fetchall()
            probe.fail("deadline", "the query ended")
        except Exception:
            probe.true("in time", time.monotonic() - start < 20)

probe.end()
