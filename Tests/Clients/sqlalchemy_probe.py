"""SQLAlchemy 2 with both psycopgs, its reflection, and pandas on top of it."""

from probe import Probe, skip

try:
    import pandas
    import sqlalchemy
    from sqlalchemy import Column, ForeignKey, Integer, MetaData, Numeric, String, Table, func, inspect, select
except ImportError as error:
    skip("SQLAlchemy", error)

probe = Probe("SQLAlchemy")

for driver in ["psycopg", "psycopg2"]:
    try:
        __import__(driver)
    except ImportError:
        continue
    engine = sqlalchemy.create_engine(f"postgresql+{driver}://{probe.user}@{probe.host}:{probe.port}/{probe.database}")
    metadata = MetaData()
    parents = Table("probe_parents", metadata, Column("id", Integer, primary_key=True), Column("name", String(30), nullable=False, unique=True))
    children = Table(
        "probe_children", metadata, Column("id", Integer, primary_key=True),
        Column("parent_id", ForeignKey("probe_parents.id"), index=True), Column("price", Numeric(10, 2), server_default="0"))

    with probe.part(f"{driver}: tables"):
        metadata.drop_all(engine)
        metadata.create_all(engine)
        with engine.begin() as connection:
            connection.execute(parents.insert(), [{"name": "one"}, {"name": "two"}])
            ids = connection.execute(select(parents.c.id).order_by(parents.c.id)).scalars().all()
            connection.execute(children.insert(), [{"parent_id": ids[0], "price": 5}, {"parent_id": ids[1], "price": 7}])
        with engine.connect() as connection:
            total = connection.execute(
                select(parents.c.name, func.sum(children.c.price)).join(children).group_by(parents.c.name).order_by(parents.c.name))
            probe.equal("join", [(name, float(price)) for name, price in total], [("one", 5.0), ("two", 7.0)])
            found = connection.execute(select(parents).where(parents.c.name.in_(["two", "three"]))).all()
            probe.equal("IN", [row.name for row in found], ["two"])

    with probe.part(f"{driver}: reflection"):
        inspector = inspect(engine)
        probe.true("table names", {"probe_parents", "probe_children"} <= set(inspector.get_table_names()))
        probe.true("has_table", inspector.has_table("probe_parents"))
        columns = {column["name"]: column for column in inspector.get_columns("probe_children")}
        probe.equal("columns", (str(columns["price"]["type"]), columns["id"]["nullable"]), ("NUMERIC(10, 2)", False))
        probe.equal("primary key", inspector.get_pk_constraint("probe_parents")["constrained_columns"], ["id"])
        keys = inspector.get_foreign_keys("probe_children")
        probe.equal("foreign key", [(key["constrained_columns"], key["referred_table"]) for key in keys], [(["parent_id"], "probe_parents")])
        probe.equal("unique", [c["column_names"] for c in inspector.get_unique_constraints("probe_parents")], [["name"]])
        probe.equal("indexes", [i["column_names"] for i in inspector.get_indexes("probe_children")], [["parent_id"]])
        again = Table("probe_children", MetaData(), autoload_with=engine)
        probe.equal("autoload", sorted(again.columns.keys()), ["id", "parent_id", "price"])

    with probe.part(f"{driver}: transactions"):
        with engine.connect() as connection:
            outer = connection.begin()
            inner = connection.begin_nested()
            connection.execute(parents.insert(), {"name": "three"})
            inner.rollback()
            connection.execute(parents.insert(), {"name": "four"})
            outer.commit()
            names = connection.execute(select(parents.c.name).order_by(parents.c.name)).scalars().all()
        probe.equal("savepoint", names, ["four", "one", "two"])

    with probe.part(f"{driver}: pandas"):
        frame = pandas.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"], "c": [0.5, 1.5, 2.5]})
        frame.to_sql("probe_frame", engine, if_exists="replace", index=False)
        got = pandas.read_sql("SELECT a, b, c FROM probe_frame ORDER BY a", engine)
        probe.equal("numbers", got["a"].tolist() + got["c"].tolist(), [1, 2, 3, 0.5, 1.5, 2.5])
        probe.equal("texts", [got["b"][0], pandas.isna(got["b"][1])], ["x", True])
        probe.equal("read_sql_table", len(pandas.read_sql_table("probe_frame", engine)), 3)
        pieces = [len(piece) for piece in pandas.read_sql("SELECT * FROM generate_series(1, 25)", engine, chunksize=10)]
        probe.equal("chunks", pieces, [10, 10, 5])
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("DROP TABLE probe_frame"))
    with probe.part(f"{driver}: end"):
        metadata.drop_all(engine)
    engine.dispose()
probe.end()
