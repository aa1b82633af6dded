"""psycopg 3: parameters in text and binary, server-side cursors, pipeline, COPY, transactions, cancel."""

import datetime
import decimal
import threading
import time
import uuid

from probe import Probe, skip

try:
    import psycopg
    from psycopg.rows import dict_row
except ImportError as error:
    skip("psycopg 3", error)

probe = Probe("psycopg 3")


def connect(**options):
    return psycopg.connect(
        host=probe.host, port=probe.port, user=probe.user, dbname=probe.database, autocommit=True, **options
    )


with connect() as connection:
    cursor = connection.cursor()
    cursor.execute("DROP TABLE IF EXISTS probe_psycopg3")
    cursor.execute("CREATE TABLE probe_psycopg3 (id int PRIMARY KEY, name text NOT NULL, price numeric(10, 2))")

    with probe.part("types"):
        moment = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456)
        values = [
            (True, "boolean"), (-7, "smallint"), (70000, "integer"), (1 << 40, "bigint"), (1.5, "real"),
            (2.25, "double precision"), (decimal.Decimal("12.340"), "numeric"), ("Zoë 東京", "text"), (b"\x00\xff", "bytea"),
            (datetime.date(1999, 12, 31), "date"), (datetime.time(23, 59, 58), "time"), (moment, "timestamp"),
            (moment.replace(tzinfo=datetime.timezone.utc), "timestamptz"), (datetime.timedelta(days=2, seconds=5), "interval"),
            (uuid.UUID(int=5), "uuid"), ([1, 2, None], "integer[]"), (["a", 'b"c', None], "text[]"), (None, "text"),
        ]
        for value, name in values:
            for binary in (False, True):
                row = connection.execute(f"SELECT %b::{name}" if binary else f"SELECT %t::{name}", [value], binary=binary)
                got = row.fetchone()[0]
                probe.equal(f"{name}, {'binary' if binary else 'text'}", got, value)
        got = connection.execute("SELECT '{\"a\": [1, null]}'::jsonb, '[1]'::json").fetchone()
        probe.equal("json", got, ({"a": [1, None]}, [1]))

    with probe.part("rows"):
        with connection.cursor() as many:
            many.executemany(
                "INSERT INTO probe_psycopg3 VALUES (%s, %s, %s)", [(i, f"name {i}", decimal.Decimal(i)) for i in range(1, 51)]
            )
        probe.equal("executemany", connection.execute("SELECT count(*) FROM probe_psycopg3").fetchone(), (50,))
        got = connection.execute(
            "INSERT INTO probe_psycopg3 VALUES (100, 'x', 1) RETURNING id, price").fetchone()
        probe.equal("RETURNING", got, (100, decimal.Decimal("1.00")))
        changed = connection.execute("UPDATE probe_psycopg3 SET name = name || '!' WHERE id <= %s", [10])
        probe.equal("rowcount", changed.rowcount, 10)
        named = connection.cursor(row_factory=dict_row).execute("SELECT id, name FROM probe_psycopg3 WHERE id = %(id)s", {"id": 3})
        probe.equal("names", named.fetchone(), {"id": 3, "name": "name 3!"})
        for _ in range(8):
            got = connection.execute("SELECT name FROM probe_psycopg3 WHERE id = %s", [20]).fetchone()
        probe.equal("prepared by itself", got, ("name 20",))
        kinds = [(column.name, column.type_code) for column in cursor.execute("SELECT id, price, name FROM probe_psycopg3").description]
        probe.equal("description", kinds, [("id", 23), ("price", 1700), ("name", 25)])

    with probe.part("cursors"):
        with connection.transaction():
            with connection.cursor(name="held") as server:
                server.itersize = 7
                server.execute("SELECT id FROM probe_psycopg3 ORDER BY id")
                probe.equal("server-side", [row[0] for row in server.fetchmany(3)], [1, 2, 3])
                probe.equal("iteration", len(list(server)), 48)
            with connection.cursor(name="there_and_back", scrollable=True, binary=True) as server:
                server.execute("SELECT id FROM probe_psycopg3 ORDER BY id")
                server.scroll(10)
                there = server.fetchone()
                server.scroll(-6)
                back = server.fetchone()
                server.scroll(2, mode="absolute")
                probe.equal("scroll", (there, back, server.fetchone()), ((11,), (6,), (3,)))
            with connection.cursor(name="onward", scrollable=False) as server:
                server.execute("SELECT id FROM probe_psycopg3 ORDER BY id")
                server.fetchmany(5)

                def back():
                    with connection.transaction():
                        server.scroll(-2)
                probe.raises("NO SCROLL", "55000", back)
        with connection.cursor(name="over", withhold=True) as server:
            server.execute("SELECT id FROM probe_psycopg3 ORDER BY id")
            probe.equal("WITH HOLD", [row[0] for row in server.fetchmany(2)] + [server.fetchone()[0]], [1, 2, 3])
        with connect() as other:
            streamed = [row[0] for row in other.cursor().stream("SELECT g FROM generate_series(1, 1000) AS s(g)")]
        probe.equal("stream", (len(streamed), streamed[-1]), (1000, 1000))

    with probe.part("pipeline"):
        with connection.pipeline():
            first = connection.execute("SELECT 1")
            second = connection.execute("SELECT %s::int + 1", [41])
        probe.equal("pipeline", (first.fetchone(), second.fetchone()), ((1,), (42,)))

    with probe.part("COPY"):
        with cursor.copy("COPY probe_psycopg3 (id, name) FROM STDIN") as copy:
            for i in range(200, 210):
                copy.write_row((i, f"copied\t{i}"))
        with cursor.copy("COPY (SELECT id, name FROM probe_psycopg3 WHERE id >= 200 ORDER BY id) TO STDOUT") as copy:
            rows = [row for row in copy.rows()]
        probe.equal("COPY", (len(rows), rows[0]), (10, ("200", "copied\t200")))
        with cursor.copy("COPY (SELECT 1, NULL, 'a,b') TO STDOUT WITH (FORMAT csv)") as copy:
            text = b"".join(bytes(piece) for piece in copy)
        probe.equal("COPY as CSV", text, b'1,,"a,b"\n')

    with probe.part("transactions"):
        with connection.transaction():
            connection.execute("INSERT INTO probe_psycopg3 VALUES (300, 'a', 0)")
            try:
                with connection.transaction():
                    connection.execute("INSERT INTO probe_psycopg3 VALUES (301, 'b', 0)")
                    raise psycopg.Rollback()
            except psycopg.Rollback:
                pass
        got = connection.execute("SELECT array_agg(id ORDER BY id) FROM probe_psycopg3 WHERE id >= 300").fetchone()
        probe.equal("savepoints", got, ([300],))

    with probe.part("errors"):
        for code, sql in [
            ("22012", "SELECT 1 / 0"), ("42P01", "SELECT * FROM no_such_table"), ("42703", "SELECT nothing FROM probe_psycopg3"),
            ("42601", "SELEC 1"), ("22P02", "SELECT 'x'::int"), ("23505", "INSERT INTO probe_psycopg3 VALUES (1, 'x', 1)"),
            ("23502", "INSERT INTO probe_psycopg3 (id) VALUES (999)"), ("42883", "SELECT no_such_function(1)"),
        ]:
            probe.raises(sql, code, lambda: connection.execute(sql))
        try:
            connection.execute("SELECT 1,\n  nothing FROM probe_psycopg3")
        except psycopg.Error as error:
            probe.equal("position", error.diag.statement_position, "13")

    with probe.part("notices"):
        heard = []
        connection.add_notice_handler(lambda notice: heard.append(notice.severity))
        connection.execute("DROP TABLE IF EXISTS probe_missing")
        probe.equal("notice", heard, ["NOTICE"])

    with probe.part("cancel"):
        timer = threading.Timer(0.3, connection.cancel_safe)
        timer.start()
        begin = time.monotonic()
        probe.raises("cancel", "57014", lambda: connection.execute("SELECT pg_sleep(20)"))
        timer.join()
        probe.true("at once", time.monotonic() - begin < 10)
        connection.execute("SET statement_timeout = 200")
        probe.raises("time limit", "57014", lambda: connection.execute("SELECT pg_sleep(20)"))
        connection.execute("RESET statement_timeout")
        probe.equal("afterwards", connection.execute("SELECT 1").fetchone(), (1,))

    with probe.part("command tags"):
        tags = []
        for sql in ["START TRANSACTION", "COMMIT", "BEGIN", "ROLLBACK"]:
            tags.append(connection.execute(sql).statusmessage)
        probe.equal("command tags", tags, ["START TRANSACTION", "COMMIT", "BEGIN", "ROLLBACK"])
        probe.raises("DISCARD ALL beside others", "25001", lambda: connection.execute("DISCARD ALL; SELECT 1"))
        connection.execute("BEGIN")
        probe.raises("DISCARD ALL within a transaction", "25001", lambda: connection.execute("DISCARD ALL"))
        connection.execute("ROLLBACK")
        probe.equal("DISCARD ALL", connection.execute("DISCARD ALL").statusmessage, "DISCARD ALL")
        connection.prepared_max = None

    with probe.part("encodings"):
        with connect(client_encoding="latin1") as other:
            probe.equal("its name", other.info.encoding, "iso8859-1")
            text = "na\u00efve \u00a3 caf\u00e9"
            probe.equal("text both ways", other.execute("SELECT %s::text, %s", [text, "\u00e9"]).fetchone(), (text, "\u00e9"))
            probe.equal("within statements", other.execute("SELECT '\u00e9' AS \"na\u00efve\"").fetchone(), ("\u00e9",))
            probe.equal("length", other.execute("SELECT length('\u00e9'), octet_length(%s::text)", ["\u00e9"]).fetchone(), (1, 2))
            described = other.execute("SELECT 1 AS \"na\u00efve\"")
            probe.equal("names of columns", described.description[0].name, "na\u00efve")
            with other.cursor(binary=True) as binary:
                binary.execute("SELECT %b::text, ARRAY['\u00e9', 'a']", [text])
                probe.equal("in binary", binary.fetchone(), (text, ["\u00e9", "a"]))
            result = other.pgconn.exec_params(b"SELECT '{\"a\": \"\xe9\"}'::jsonb", None, result_format=1)
            probe.equal("JSON in binary", result.get_value(0, 0), b'\x01{"a": "\xe9"}')
            probe.raises("a character that it does not have", "22P05", lambda: other.execute("SELECT chr(8364)"))
            probe.equal("afterwards", other.execute("SELECT '\u00e9'").fetchone(), ("\u00e9",))
            other.execute("CREATE TEMP TABLE probe_encoded (name text)")
            with other.cursor().copy("COPY probe_encoded FROM STDIN") as copy:
                copy.write("caf\u00e9\n".encode("latin1"))
            probe.equal("COPY in", other.execute("SELECT octet_length(name) FROM probe_encoded").fetchone(), (5,))
            with other.cursor().copy("COPY probe_encoded TO STDOUT") as copy:
                probe.equal("COPY out", b"".join(bytes(piece) for piece in copy), "caf\u00e9\n".encode("latin1"))
            with other.cursor().copy("COPY probe_encoded TO STDOUT WITH (ENCODING 'utf8')") as copy:
                probe.equal("COPY with its own", b"".join(bytes(piece) for piece in copy), "caf\u00e9\n".encode())
            try:
                other.execute("SELECT \"\u00e9\"")
            except psycopg.Error as error:
                probe.true("messages", "\u00e9" in error.diag.message_primary)
            other.execute("SET client_encoding TO UTF8")
            probe.equal("changed", other.execute("SELECT chr(8364)").fetchone(), ("\u20ac",))
            other.execute("RESET client_encoding")
            probe.equal("as at the start", other.info.parameter_status("client_encoding"), "LATIN1")
            probe.raises("unknown", "22023", lambda: other.execute("SET client_encoding TO 'nothing'"))
        with connect(client_encoding="win1251") as other:
            probe.equal("Cyrillic", other.execute("SELECT %s::text", ["\u0414\u0430"]).fetchone(), ("\u0414\u0430",))
            raw = psycopg.RawCursor(other).execute("SELECT octet_length($1::text)", ["\u0414"])
            probe.equal("as the server counts", raw.fetchone(), (2,))
        with connect() as other:
            result = other.pgconn.exec_(b"SELECT '\xff'")
            probe.equal("no UTF-8", result.error_field(psycopg.pq.DiagnosticField.SQLSTATE), b"22021")
            probe.equal("and on", other.execute("SELECT 1").fetchone(), (1,))

    with probe.part("ended by another"):
        other = connect()
        number = other.info.backend_pid
        probe.equal("its number", other.execute("SELECT pg_backend_pid()").fetchone(), (number,))
        state = "SELECT state, query FROM pg_stat_activity WHERE pid = %s"
        probe.equal("idle", connection.execute(state, [number]).fetchone(), ("idle", "SELECT pg_backend_pid()"))
        other.execute("BEGIN")
        probe.equal("in a transaction", connection.execute(state, [number]).fetchone()[0], "idle in transaction")
        seen = []

        def wait():
            try:
                other.execute("SELECT pg_sleep(60)")
            except psycopg.Error as error:
                seen.append(error.sqlstate)

        def until(wanted):
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                got = connection.execute(state, [number]).fetchone()
                if (got and got[0]) == wanted:
                    return True
                time.sleep(0.02)
            return False

        for name, code in [("pg_cancel_backend", "57014"), ("pg_terminate_backend", "57P01")]:
            waiting = threading.Thread(target=wait)
            waiting.start()
            probe.true(f"active before {name}", until("active"))
            probe.equal(name, connection.execute(f"SELECT {name}(%s)", [number]).fetchone(), (True,))
            waiting.join()
            probe.equal(f"{name}: how it ends", seen.pop(), code)
            if name == "pg_cancel_backend":
                other.execute("ROLLBACK")
        probe.true("closed", other.closed)
        probe.true("gone", until(None))
        probe.equal("nobody there", connection.execute("SELECT pg_terminate_backend(%s)", [number]).fetchone(), (False,))
        other = connect()
        connection.execute("SELECT pg_terminate_backend(%s)", [other.info.backend_pid])
        probe.raises("while it waits", "57P01", lambda: other.execute("SELECT 1"))
        other = connect()
        probe.raises("itself", "57P01", lambda: other.execute("SELECT pg_terminate_backend(pg_backend_pid())"))

    cursor.execute("DROP TABLE probe_psycopg3")
probe.end()
