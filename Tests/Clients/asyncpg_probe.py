"""asyncpg: everything prepared and in binary, with Flush instead of Sync while it describes."""

import asyncio
import datetime
import decimal
import uuid

from probe import Probe, skip

try:
    import asyncpg
except ImportError as error:
    skip("asyncpg", error)

probe = Probe("asyncpg")


async def main():
    connection = await asyncpg.connect(host=probe.host, port=probe.port, user=probe.user, database=probe.database)
    with probe.part("types"):
        values = [
            ("boolean", True), ("smallint", -3), ("integer", 7), ("bigint", 1 << 50), ("real", 0.5), ("float8", 1e100),
            ("numeric", decimal.Decimal("-1234.5600")), ("text", "ünïcode"), ("varchar", ""), ("bytea", b"\x00a"),
            ("date", datetime.date(1970, 1, 1)), ("time", datetime.time(1, 2, 3, 4)),
            ("timestamp", datetime.datetime(2024, 5, 6, 7, 8, 9)),
            ("timestamptz", datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.timezone.utc)),
            ("interval", datetime.timedelta(days=40, microseconds=1)), ("uuid", uuid.UUID(int=1 << 100)),
            ("integer[]", [1, None, 3]), ("text[]", ["a", None]), ("jsonb", '{"a": 1}'), ("numeric[]", [decimal.Decimal("1.5")]),
        ]
        for name, value in values:
            probe.equal(name, await connection.fetchval(f"SELECT $1::{name}", value), value)
            probe.equal(name + ", null", await connection.fetchval(f"SELECT $1::{name}", None), None)

    with probe.part("inferred parameters"):
        probe.equal("sum", await connection.fetchval("SELECT $1 + 1", 41), 42)
        probe.equal("array", await connection.fetch("SELECT g FROM generate_series(1, 5) AS s(g) WHERE g = ANY($1)", [2, 4]), [(2,), (4,)])
        probe.equal("limit", len(await connection.fetch("SELECT g FROM generate_series(1, 9) AS s(g) LIMIT $1", 3)), 3)
        probe.equal("text", await connection.fetchval("SELECT $1 || 'b'", "a"), "ab")

    with probe.part("cursors"):
        async with connection.transaction():
            rows = [row["g"] async for row in connection.cursor("SELECT g FROM generate_series(1, 300) AS s(g)", prefetch=50)]
            probe.equal("portal by portal", (len(rows), rows[-1]), (300, 300))
            cursor = await connection.cursor("SELECT g FROM generate_series(1, 20) AS s(g)")
            await cursor.forward(5)
            probe.equal("forward", (await cursor.fetchrow())["g"], 6)

    with probe.part("statements"):
        await connection.execute("DROP TABLE IF EXISTS probe_asyncpg; CREATE TABLE probe_asyncpg (id int, v text)")
        await connection.executemany("INSERT INTO probe_asyncpg VALUES ($1, $2)", [(i, str(i)) for i in range(20)])
        probe.equal("executemany", await connection.fetchval("SELECT count(*) FROM probe_asyncpg"), 20)
        probe.equal("tag", await connection.execute("DELETE FROM probe_asyncpg WHERE id < 5"), "DELETE 5")
        statement = await connection.prepare("SELECT v, id FROM probe_asyncpg WHERE id = $1")
        probe.equal("attributes", [(a.name, a.type.name) for a in statement.get_attributes()], [("v", "text"), ("id", "int4")])

    with probe.part("errors"):
        for code, sql in [("22012", "SELECT 1 / $1::int"), ("42P01", "SELECT * FROM no_such_table WHERE $1::int = 1")]:
            try:
                await connection.fetch(sql, 0)
                probe.fail(sql, "did not fail")
            except asyncpg.PostgresError as error:
                probe.equal(sql, error.sqlstate, code)
        probe.equal("afterwards", await connection.fetchval("SELECT 1"), 1)

    with probe.part("transactions"):
        transaction = connection.transaction(isolation="repeatable_read", readonly=True)
        await transaction.start()
        await connection.fetchval("SELECT count(*) FROM probe_asyncpg")
        await transaction.rollback()

    with probe.part("cancel"):
        try:
            await connection.fetch("SELECT pg_sleep(20)", timeout=0.3)
            probe.fail("time limit", "did not end")
        except asyncio.TimeoutError:
            probe.passed += 1
        probe.equal("afterwards", await connection.fetchval("SELECT 2"), 2)

    with probe.part("enumerations"):
        await connection.execute("DROP TYPE IF EXISTS probe_mood; CREATE TYPE probe_mood AS ENUM ('sad', 'happy')")
        probe.equal("value", await connection.fetchval("SELECT $1::probe_mood", "happy"), "happy")
        await connection.execute("DROP TYPE probe_mood")

    with probe.part("pool"):
        await connection.reset()
        await connection.execute("DROP TABLE probe_asyncpg")
    await connection.close()


asyncio.run(main())
probe.end()
