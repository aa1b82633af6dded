"""The statements that clients send of themselves, as they were captured: each must come to what it comes to on PostgreSQL 15.

`statements/CLIENT.sql` has them in their order. Before each stands how it was sent and what comes of it: the names and types of
its columns (`?`: a type that is another one here), its command tag, or the SQLSTATE of an error. Statements with parameters are
prepared and described, the others run. With RECORD=1 and a PostgreSQL server the outcomes are written anew.
"""

import os
import pathlib
import re

from probe import Probe, skip

try:
    from psycopg import pq
except ImportError as error:
    skip("captured statements", error)

FILES = pathlib.Path(__file__).resolve().parent / "statements"
HEADER = re.compile(r"^-- (simple|extended): (.*)$", re.MULTILINE)
TABLES = ["pgbench_accounts", "pgbench_branches", "pgbench_history", "pgbench_tellers", "lineitem", "orders", "partsupp", "part", "customer", "supplier", "nation", "region"]
TYPES = {
    16: "bool", 17: "bytea", 18: "char", 19: "name", 20: "int8", 21: "int2", 22: "int2vector", 23: "int4", 24: "regproc", 25: "text",
    26: "oid", 30: "oidvector", 114: "json", 700: "float4", 701: "float8", 1000: "bool[]", 1002: "char[]", 1003: "name[]",
    1005: "int2[]", 1007: "int4[]", 1009: "text[]", 1028: "oid[]", 1042: "bpchar", 1043: "varchar", 1082: "date", 1083: "time",
    1114: "timestamp", 1184: "timestamptz", 1186: "interval", 1700: "numeric", 2205: "regclass", 2206: "regtype", 2211: "regtype[]",
    2950: "uuid", 3802: "jsonb",
}
probe = Probe("captured statements")
records = os.environ.get("RECORD") == "1"


def connect():
    parts = {"host": probe.host, "port": probe.port, "user": probe.user, "dbname": probe.database, "options": "-cstatement_timeout=20s"}
    return pq.PGconn.connect(" ".join(f"{key}={value}" for key, value in parts.items()).encode())


def columns(result):
    return " ".join(
        f"{(result.fname(index) or b'').decode().replace(' ', '_')}:{TYPES.get(result.ftype(index), '?')}"
        for index in range(result.nfields))


def outcome(connection, kind, sql):
    parameters = set(re.findall(r"\$(\d+)", sql))
    result = connection.prepare(b"", sql.encode()) if parameters and kind == "extended" else connection.exec_(sql.encode())
    if result.status == pq.ExecStatus.FATAL_ERROR:
        return "error " + (result.error_field(pq.DiagnosticField.SQLSTATE) or b"?").decode()
    if parameters and kind == "extended":
        result = connection.describe_prepared(b"")
        return f"rows {columns(result)}" if result.nfields else "nothing"
    if result.status == pq.ExecStatus.TUPLES_OK:
        return f"rows {columns(result)}"
    return re.sub(r" \d+", "", (result.command_status or b"").decode()) or "nothing"


def agree(got, wanted):
    """Types that are `?` in the file may be any."""
    got, wanted = got.split(" "), wanted.split(" ")
    if len(got) != len(wanted):
        return False
    return all(a == b or b.endswith(":?") and a.rsplit(":", 1)[0] == b[:-2] for a, b in zip(got, wanted))


def drop(connection):
    connection.exec_(b"ROLLBACK")
    for sql in ["DROP VIEW IF EXISTS revenue", "DROP SCHEMA IF EXISTS dbt_t CASCADE"] + [f"DROP TABLE IF EXISTS {table} CASCADE" for table in TABLES]:
        connection.exec_(sql.encode())


for path in sorted(FILES.glob("*.sql")):
    if path.stem == "tables":
        continue
    connection = connect()
    drop(connection)
    # What the clients were captured beside.
    result = connection.exec_((FILES / "tables.sql").read_bytes())
    probe.equal("tables", (result.error_message or b"").decode(), "")
    pieces = HEADER.split(path.read_text())
    written = [pieces[0]]
    with probe.part(path.stem):
        for kind, wanted, text in zip(pieces[1::3], pieces[2::3], pieces[3::3]):
            if connection.status != pq.ConnStatus.OK:
                connection = connect()
            sql = text.strip().replace('"tpch".', f'"{probe.database}".').replace("'tpch'", f"'{probe.database}'")
            got = outcome(connection, kind, sql)
            if records:
                written += [f"-- {kind}: {got}", text]
            elif agree(got, wanted):
                probe.passed += 1
            else:
                probe.fail(f"{path.stem}: {' '.join(sql.split())[:160]}", f"got {got}, wanted {wanted}")
            if connection.transaction_status == pq.TransactionStatus.INERROR:
                connection.exec_(b"ROLLBACK")
    if records:
        path.write_text("".join(written))
    drop(connection)
    connection.finish()
probe.end()
