"""Prepared point queries a second: one client, one query at a time, on a warm server.

The client is a plain socket that binds a key, runs the prepared statement and waits for the server to be ready; "client's"
and "server's" are the processors' time that they take for that. With --psycopg the same through psycopg. The row of a
customer is looked up in TPC-H's Parquet file, in a table in memory without and with a primary key, and in PostgreSQL's table
with one. `SELECT $1` is what the way there and back costs.
"""

import pathlib
import random
import statistics
import time

from suite_support import data, engines, postgres, report, wire

LOOK_UP = "SELECT c_custkey, c_name, c_nationkey, c_acctbal FROM {table} WHERE c_custkey = $1"


def add_arguments(parser):
    postgres.add_arguments(parser)
    parser.add_argument("--data", type=pathlib.Path, help="directory of TPC-H's tables (.build/suites/tpch-1)")
    parser.add_argument("--seconds", type=float, default=3, help="time for each line (3)")
    parser.add_argument("--seed", type=int, default=1, help="of the keys (1)")
    parser.add_argument("--psycopg", action="store_true", help="measure through psycopg as well")
    parser.add_argument("--no-postgres", action="store_true", help="Martlet alone")
    parser.add_argument("--rate-min", type=float, help="fail if Martlet's table with a key gives fewer a second")


def run(arguments):
    place = data.directory("tpch", "1", arguments.data)
    server = engines.Server(arguments.martlet, place, arguments.threads, arguments.timeout)
    try:
        session = server.session()
        session.query("CREATE TABLE plain AS SELECT * FROM customer")
        session.query(
            "CREATE TABLE keyed (c_custkey bigint PRIMARY KEY, c_name text, c_nationkey bigint, c_acctbal numeric)")
        session.query("INSERT INTO keyed SELECT c_custkey, c_name, c_nationkey, c_acctbal FROM customer")
        keys = int(session.query("SELECT max(c_custkey) FROM customer").rows()[0][0])
        result = {"martlet": measured(server.connect, lambda _: server.processor_seconds, keys, arguments, {
            "SELECT $1": "SELECT $1::bigint", "Parquet file": LOOK_UP.format(table="customer"),
            "table in memory": LOOK_UP.format(table="plain"), "table with a key": LOOK_UP.format(table="keyed")})}
        if arguments.psycopg:
            host, _, port = server.address.rpartition(":")
            result["martlet"]["table with a key, psycopg"] = by_psycopg(
                f"host={host} port={port} user=bench dbname=martlet", server.processor_seconds, keys, arguments)
    finally:
        server.close()
    if not arguments.no_postgres:
        with postgres.PostgreSQL(arguments.postgres) as other:
            other.load("keyed", place / "customer.parquet", key="c_custkey")
            result["postgresql"] = measured(other.connect, other.clock, keys, arguments, {
                "SELECT $1": "SELECT $1::bigint", "table with a key": LOOK_UP.format(table="keyed")})
    report.print_table(["prepared, one client", "a second", "median µs", "99 % µs", "client's µs", "server's µs"], [
        [f"{engine}, {name}", round(figures["a_second"]), figures["median_us"], figures["ninety_nine_us"],
         figures["client_us"], figures["server_us"]]
        for engine, entries in result.items() for name, figures in entries.items()])
    rate = result["martlet"]["table with a key"]["a_second"]
    return result, arguments.rate_min is None or rate >= arguments.rate_min


def measured(connect, clock, keys, arguments, statements):
    """Figures of each statement; `clock` gives a function of the server's time on processors for a connection."""
    result = {}
    for name, sql in statements.items():
        connection = connect()
        connection.prepare("look_up", sql)

        def look_up(key):
            connection.drain(connection.execution("look_up", [key], wire.TEXT_FORMAT))
        check(connection.exchange(connection.execution("look_up", [7], wire.TEXT_FORMAT)), name)
        result[name] = rate(look_up, clock(connection), keys, arguments)
        connection.close()
    return result


def check(reply, name):
    found = [wire.fields(body)[0] for kind, body in reply.messages() if kind == b"D"]
    if found != [b"7"]:
        raise engines.Failure(f"{name}: {found} instead of the row of key 7")


def by_psycopg(dsn, server_seconds, keys, arguments):
    import psycopg
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=0) as connection:
        sql = LOOK_UP.format(table="keyed").replace("$1", "%s")
        return rate(lambda key: connection.execute(sql, (key,)).fetchall(), server_seconds, keys, arguments)


def rate(look_up, server_seconds, keys, arguments):
    """Runs look-ups of random keys: a third of the time to warm up, then the whole time measured."""
    chosen = random.Random(arguments.seed)
    for seconds in (arguments.seconds / 3, arguments.seconds):
        times = []
        end = time.perf_counter() + seconds
        start = now = time.perf_counter()
        used, server_used = time.process_time(), server_seconds()
        while now < end:
            key = chosen.randint(1, keys)
            before = time.perf_counter()
            look_up(key)
            now = time.perf_counter()
            times.append((now - before) * 1e6)
        used = time.process_time() - used
        server_used = None if server_used is None else server_seconds() - server_used
    ordered = sorted(times)
    return {"a_second": len(times) / (now - start), "median_us": statistics.median(ordered),
            "ninety_nine_us": ordered[int(0.99 * (len(ordered) - 1))], "queries": len(times),
            "client_us": used / len(times) * 1e6,
            "server_us": None if server_used is None else server_used / len(times) * 1e6}
