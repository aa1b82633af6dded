"""A whole table to the client: TPC-H's `lineitem` from Martlet and from PostgreSQL, by one reader that throws bytes away.

Rows come as the result of SELECT in text and in binary format and by COPY. Both servers send over the loopback; the
reader does nothing with what it gets, so that the figures are the servers'. PostgreSQL has its table in memory.

--clients measures programs' ways instead: Arrow's batches by ADBC's driver for Flight SQL and by pyarrow.flight from Martlet,
and rows by psycopg (a server-side cursor of 50,000 rows at a time) from both. Needs adbc-driver-flightsql, pyarrow and psycopg.
"""

import math
import pathlib
import statistics
import time

from suite_support import data, engines, postgres, report, wire


def add_arguments(parser):
    postgres.add_arguments(parser)
    parser.add_argument("--data", type=pathlib.Path, help="directory of TPC-H's tables (.build/suites/tpch-1)")
    parser.add_argument("--table", default="lineitem", help="the table (lineitem)")
    parser.add_argument("--runs", type=int, default=3, help="measured runs of each way (3)")
    parser.add_argument("--clients", action="store_true", help="by ADBC, pyarrow.flight and psycopg")
    parser.add_argument("--speed-up-min", type=float, help="with --clients: fail if Flight SQL is not so many times as fast")
    parser.add_argument("--rate-min", type=float, help="with --clients: fail if Flight SQL gives fewer MB of Arrow data a second")
    parser.add_argument("--ratio-max", type=float, help="fail if Martlet takes more than so many times PostgreSQL's time")


def run(arguments):
    place = data.directory("tpch", "1", arguments.data)
    server = engines.Server(arguments.martlet, place, arguments.threads, arguments.timeout)
    try:
        with postgres.PostgreSQL(arguments.postgres) as other:
            print(f"loading {arguments.table} into PostgreSQL {other.version} …", flush=True)
            other.load(arguments.table, place / f"{arguments.table}.parquet")
            rows = int(other.connect().query(f"SELECT count(*) FROM {arguments.table}").rows()[0][0])
            if arguments.clients:
                return by_clients(server, other, arguments, rows)
            result = {way: {"martlet": [], "postgresql": []} for way in messages(arguments.table)}
            for way, sent in messages(arguments.table).items():
                for _ in range(arguments.runs + 1):
                    result[way]["martlet"].append(drained(server.connect(), lambda _: server.processor_seconds, sent))
                    result[way]["postgresql"].append(drained(other.connect(), other.clock, sent))
    finally:
        peak = server.note_memory()
        server.close()
    lines, worst = [], 0
    for way, runs in result.items():
        (mine, used), (theirs, their_used) = (
            [statistics.median(run[field] for run in runs[name][1:] or runs[name]) for field in ("seconds", "processor")]
            for name in ("martlet", "postgresql"))
        size, their_size = (runs[name][-1]["bytes"] / 1e6 for name in ("martlet", "postgresql"))
        worst = max(worst, mine / theirs)
        lines.append([way, mine, theirs, mine / theirs, used, their_used, used / their_used,
                      rows / mine / 1e6, size, their_size])
    print(f"{rows:,} rows; Martlet's peak memory {report.megabytes(peak)} MB")
    report.print_table(["way", "Martlet s", "PostgreSQL s", "ratio", "on processors", "PostgreSQL", "ratio", "M rows/s",
                        "MB", "PostgreSQL"], lines)
    result = {"rows": rows, "peak_memory": peak, "ways": result}
    return result, arguments.ratio_max is None or worst <= arguments.ratio_max


def drained(connection, clock, sent):
    """One run: its seconds, its seconds on the server's processors, and the bytes that came."""
    used = clock(connection)
    before = used()
    seconds, size = connection.drain(sent)
    after = used()
    connection.close()
    return {"seconds": seconds, "processor": after - before if before is not None else math.nan, "bytes": size}


def messages(table):
    """What the client sends for each way of fetching the table."""
    select = f"SELECT * FROM {table}"
    parse = wire.message(b"P", b"\0" + select.encode() + b"\0\0\0")
    return {
        "SELECT, simple, text": wire.message(b"Q", select.encode() + b"\0"),
        "SELECT, extended, text": parse + wire.Connection.execution("", [], wire.TEXT_FORMAT),
        "SELECT, extended, binary": parse + wire.Connection.execution("", [], wire.BINARY_FORMAT),
        "COPY TO STDOUT, text": wire.message(b"Q", f"COPY {table} TO STDOUT".encode() + b"\0"),
        "COPY TO STDOUT, CSV": wire.message(b"Q", f"COPY {table} TO STDOUT (FORMAT csv)".encode() + b"\0")}


def by_clients(server, other, arguments, rows):
    """Every way in turn, `runs` times after one to warm up; the middle one counts."""
    sql = f"SELECT * FROM {arguments.table}"
    host, _, port = server.address.rpartition(":")
    martlet = f"host={host} port={port} user=bench dbname=martlet"
    ways = {
        "ADBC Flight SQL, Martlet": lambda: by_adbc(server.grpc_address, sql),
        "pyarrow.flight, Martlet": lambda: by_flight(server.grpc_address, sql),
        "psycopg, Martlet": lambda: by_psycopg(martlet, sql),
        "psycopg, PostgreSQL": lambda: by_psycopg(other.dsn, sql),
    }
    result = {name: [] for name in ways}
    for _ in range(arguments.runs + 1):
        for name, fetch in ways.items():
            start = time.perf_counter()
            count, size = fetch()
            result[name].append({"seconds": time.perf_counter() - start, "bytes": size})
            if count != rows:
                raise engines.Failure(f"{name}: {count} rows instead of {rows}")
    seconds = {name: statistics.median(run["seconds"] for run in runs[1:] or runs) for name, runs in result.items()}
    slowest = seconds["psycopg, PostgreSQL"]
    sizes = {name: runs[-1]["bytes"] for name, runs in result.items()}
    print(f"{rows:,} rows; Martlet's peak memory {report.megabytes(server.note_memory())} MB")
    report.print_table(["client and server", "s", "times as fast as psycopg and PostgreSQL", "MB/s of Arrow data", "M rows/s"], [
        [name, time_, slowest / time_, sizes[name] / time_ / 1e6 if sizes[name] else math.nan, rows / time_ / 1e6]
        for name, time_ in seconds.items()])
    flight = seconds["ADBC Flight SQL, Martlet"]
    rate = sizes["ADBC Flight SQL, Martlet"] / flight / 1e6
    is_good = (arguments.speed_up_min is None or slowest / flight >= arguments.speed_up_min) and (
        arguments.rate_min is None or rate >= arguments.rate_min)
    return {"rows": rows, "clients": result}, is_good


def by_adbc(address, sql):
    """Rows and bytes of Arrow data."""
    import adbc_driver_flightsql.dbapi
    count = size = 0
    with adbc_driver_flightsql.dbapi.connect(f"grpc://{address}", autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            for batch in cursor.fetch_record_batch():
                count += batch.num_rows
                size += batch.nbytes
    return count, size


def by_flight(address, sql):
    import pyarrow.flight
    count = size = 0
    with pyarrow.flight.connect(f"grpc://{address}") as client:
        descriptor = pyarrow.flight.FlightDescriptor.for_command(statement_command(sql))
        for endpoint in client.get_flight_info(descriptor).endpoints:
            for chunk in client.do_get(endpoint.ticket):
                count += chunk.data.num_rows
                size += chunk.data.nbytes
    return count, size


def statement_command(sql):
    """CommandStatementQuery within google.protobuf.Any, as protocol buffers write them."""
    def field(number, content):
        length, prefix = len(content), b""
        while length > 127:
            prefix += bytes([length & 127 | 128])
            length >>= 7
        return bytes([number << 3 | 2]) + prefix + bytes([length]) + content

    name = b"type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery"
    return field(1, name) + field(2, field(1, sql.encode()))


def by_psycopg(dsn, sql):
    import psycopg
    count = 0
    with psycopg.connect(dsn) as connection:
        with connection.cursor(name="fetched", binary=False) as cursor:
            cursor.itersize = 50_000
            cursor.execute(sql)
            for _ in cursor:
                count += 1
    return count, 0
