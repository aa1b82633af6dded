"""ibis: tables as expressions, its own temporary views, rows as data frames."""

import datetime
import decimal
import threading

from probe import Probe, skip

try:
    import ibis
    import pandas
except ImportError as error:
    skip("ibis", error)

probe = Probe("ibis")
connection = ibis.postgres.connect(host=probe.host, port=probe.port, user=probe.user, password="", database=probe.database)

with probe.part("tables"):
    frame = pandas.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 3]})
    connection.create_table("probe_ibis", frame, overwrite=True)
    probe.true("list", "probe_ibis" in connection.list_tables())
    table = connection.table("probe_ibis")
    probe.equal("schema", [(name, str(kind)) for name, kind in table.schema().items()], [("k", "string"), ("v", "int64")])
    got = table.group_by("k").aggregate(total=table.v.sum()).order_by("k").execute()
    probe.equal("aggregate", got.values.tolist(), [["a", 4], ["b", 2]])
    joined = table.join(table.view(), "k").count().execute()
    probe.equal("join", int(joined), 5)

with probe.part("sql"):
    expression = connection.sql("SELECT g AS n, g * 1.5 AS x FROM generate_series(1, 10) AS s(g)")
    probe.equal("filter", int(expression.filter(expression.n > 7).count().execute()), 3)

with probe.part("types both ways"):
    moment = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456)
    frame = pandas.DataFrame({
        "b": [True, None], "i": [1 << 40, 2], "f": [2.5, float("nan")], "d": [decimal.Decimal("1.50"), decimal.Decimal("2.00")], "t": ["Zoë", None],
        "m": [moment, None], "y": [datetime.date(1999, 12, 31), None],
    })
    schema = {"b": "boolean", "i": "int64", "f": "float64", "d": "decimal(8, 2)", "t": "string", "m": "timestamp(6)", "y": "date"}
    connection.create_table("probe_ibis_types", frame, schema=ibis.schema(schema), overwrite=True)
    table = connection.table("probe_ibis_types")
    probe.equal("schema", [str(kind) for kind in table.schema().types], list(schema.values()))
    row = table.filter(table.i > 2).execute().iloc[0].tolist()
    probe.equal("values", [row[0], row[1], row[2], str(row[3]), row[4], row[5].to_pydatetime(), row[6]], [
        True, 1 << 40, 2.5, "1.50", "Zoë", moment, datetime.datetime(1999, 12, 31)])
    probe.equal("nulls", int(table.filter(table.t.isnull() & table.m.isnull()).count().execute()), 1)
    connection.drop_table("probe_ibis_types")

with probe.part("parameters"):
    wanted = ibis.param("int64")
    series = connection.sql("SELECT g AS n FROM generate_series(1, 10) AS s(g)")
    got = series.filter(series.n > wanted).count().execute(params={wanted: 6})
    probe.equal("param", int(got), 4)

with probe.part("batches"):
    reader = connection.sql("SELECT g AS n FROM generate_series(1, 2500) AS s(g)").to_pyarrow_batches(chunk_size=1000)
    probe.equal("sizes", [batch.num_rows for batch in reader], [1000, 1000, 500])

with probe.part("errors"):
    for code, sql in [("42P01", "SELECT * FROM no_such_table"), ("22012", "SELECT 1 / 0 AS q")]:
        probe.raises(sql, code, lambda: connection.sql(sql).execute())
    probe.equal("afterwards", int(connection.sql("SELECT 1 AS one").execute().iloc[0, 0]), 1)

with probe.part("cancel"):
    timer = threading.Timer(0.5, connection.con.cancel)
    timer.start()
    probe.raises("cancel", "57014", lambda: connection.raw_sql("SELECT pg_sleep(20)"))
    timer.join()
    connection.con.rollback()

with probe.part("views"):
    connection.create_view("probe_ibis_view", connection.table("probe_ibis").filter(ibis._.v > 1), overwrite=True)
    probe.equal("view", len(connection.table("probe_ibis_view").execute()), 2)
    connection.drop_view("probe_ibis_view")
    connection.drop_table("probe_ibis")
connection.disconnect()
probe.end()
