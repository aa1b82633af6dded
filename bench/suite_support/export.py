"""A whole table to the client: TPC-H's `lineitem` from Martlet and from PostgreSQL, by one reader that throws bytes away.

Rows come as the result of SELECT in text and in binary format and by COPY. Both servers send over the loopback; the
reader does nothing with what it gets, so that the figures are the servers'. PostgreSQL has its table in memory.
"""

import math
import pathlib
import statistics

from suite_support import data, engines, postgres, report, wire


def add_arguments(parser):
    postgres.add_arguments(parser)
    parser.add_argument("--data", type=pathlib.Path, help="directory of TPC-H's tables (.build/suites/tpch-1)")
    parser.add_argument("--table", default="lineitem", help="the table (lineitem)")
    parser.add_argument("--runs", type=int, default=3, help="measured runs of each way (3)")
    parser.add_argument("--ratio-max", type=float, help="fail if Martlet takes more than so many times PostgreSQL's time")


def run(arguments):
    place = data.directory("tpch", "1", arguments.data)
    server = engines.Server(arguments.martlet, place, arguments.threads, arguments.timeout)
    try:
        with postgres.PostgreSQL(arguments.postgres) as other:
            print(f"loading {arguments.table} into PostgreSQL {other.version} …", flush=True)
            other.load(arguments.table, place / f"{arguments.table}.parquet")
            rows = int(other.connect().query(f"SELECT count(*) FROM {arguments.table}").rows()[0][0])
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
