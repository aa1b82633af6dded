"""ibis: tables as expressions, its own temporary views, rows as data frames."""

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

with probe.part("views"):
    connection.create_view("probe_ibis_view", connection.table("probe_ibis").filter(ibis._.v > 1), overwrite=True)
    probe.equal("view", len(connection.table("probe_ibis_view").execute()), 2)
    connection.drop_view("probe_ibis_view")
    connection.drop_table("probe_ibis")
connection.disconnect()
probe.end()
