"""psycopg2: the simple protocol only, with literals put into the text by the client."""

import datetime
import decimal
import io
import threading

from probe import Probe, skip

try:
    import psycopg2
    import psycopg2.extras
except ImportError as error:
    skip("psycopg2", error)

probe = Probe("psycopg2")
connection = psycopg2.connect(host=probe.host, port=probe.port, user=probe.user, dbname=probe.database)
code = lambda error: getattr(error, "pgcode", None)

with probe.part("types"):
    cursor = connection.cursor()
    values = [
        True, 42, 1 << 40, 2.5, decimal.Decimal("1.50"), "it's \\ ü", datetime.date(2000, 2, 29),
        datetime.datetime(2020, 1, 2, 3, 4, 5), datetime.timedelta(hours=3), [1, 2], None,
    ]
    cursor.execute("SELECT " + ", ".join(["%s"] * len(values)), values)
    probe.equal("values", list(cursor.fetchone()), values)
    cursor.execute("SELECT %s::bytea", [psycopg2.Binary(b"\x00\x01\xfe")])
    probe.equal("bytea", bytes(cursor.fetchone()[0]), b"\x00\x01\xfe")
    cursor.execute("SELECT '{\"k\": 1}'::jsonb, now() IS NOT NULL, '12:00+02'::timetz IS NOT NULL")
    probe.equal("jsonb", cursor.fetchone(), ({"k": 1}, True, True))
    connection.commit()

with probe.part("transactions"):
    cursor = connection.cursor()
    cursor.execute("DROP TABLE IF EXISTS probe_psycopg2")
    cursor.execute("CREATE TABLE probe_psycopg2 (id serial PRIMARY KEY, name varchar(10))")
    psycopg2.extras.execute_values(cursor, "INSERT INTO probe_psycopg2 (name) VALUES %s", [("a",), ("b",), ("c",)])
    connection.commit()
    cursor.execute("DELETE FROM probe_psycopg2")
    probe.equal("rowcount", cursor.rowcount, 3)
    connection.rollback()
    cursor.execute("SELECT count(*), max(id) FROM probe_psycopg2")
    probe.equal("rollback", cursor.fetchone(), (3, 3))
    probe.raises("error", "22001", lambda: cursor.execute("INSERT INTO probe_psycopg2 (name) VALUES ('far too long a name')"), code)
    probe.raises("failed transaction", "25P02", lambda: cursor.execute("SELECT 1"), code)
    connection.rollback()
    connection.commit()

with probe.part("cursors"):
    with connection.cursor(name="big") as server:
        server.itersize = 100
        server.execute("SELECT g FROM generate_series(1, 1000) AS s(g)")
        probe.equal("named", sum(row[0] for row in server), 500500)
    with connection.cursor(name="scrolling", scrollable=True) as server:
        server.execute("SELECT g FROM generate_series(1, 10) AS s(g)")
        server.scroll(5)
        here = server.fetchone()
        server.scroll(-3)
        probe.equal("scroll", (here, server.fetchone()), ((6,), (4,)))
    connection.commit()

with probe.part("COPY"):
    cursor = connection.cursor()
    cursor.copy_expert("COPY probe_psycopg2 (name) FROM STDIN WITH (FORMAT csv)", io.StringIO('d\n"e,f"\n'))
    out = io.StringIO()
    cursor.copy_expert("COPY (SELECT name FROM probe_psycopg2 ORDER BY id) TO STDOUT WITH (FORMAT csv, HEADER)", out)
    probe.equal("both ways", out.getvalue(), 'name\na\nb\nc\nd\n"e,f"\n')
    connection.commit()

with probe.part("cancel"):
    timer = threading.Timer(0.3, connection.cancel)
    timer.start()
    probe.raises("cancel", "57014", lambda: connection.cursor().execute("SELECT pg_sleep(20)"), code)
    timer.join()
    connection.rollback()

with probe.part("encodings"):
    connection.set_client_encoding("UTF8")
    probe.equal("encoding", connection.encoding, "UTF8")
    probe.true("version", connection.server_version >= 150000)

cursor = connection.cursor()
cursor.execute("DROP TABLE IF EXISTS probe_psycopg2")
connection.commit()
probe.end()
