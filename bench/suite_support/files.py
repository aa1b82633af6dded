"""A table of very many small Parquet files against the same rows in a few: what opening files costs.

The rows are those of TPC-H's `lineitem`, cut in order. Each query runs on both tables; "first" is the first run on a server
that has just been started, the other times are medians of warm runs. DuckDB reads the same files.
"""

import pathlib
import statistics
import time

from suite_support import data, engines, peers, report

QUERIES = {
    "count": "SELECT count(*) FROM {table}",
    "one column": "SELECT sum(l_quantity) FROM {table}",
    "filter that prunes": "SELECT count(*), sum(l_extendedprice) FROM {table} WHERE l_orderkey BETWEEN 1000 AND 1100",
    "aggregate": "SELECT l_returnflag, l_shipmode, count(*), sum(l_extendedprice * (1 - l_discount)) FROM {table} "
                 "GROUP BY l_returnflag, l_shipmode",
    "first rows": "SELECT * FROM {table} LIMIT 10",
}


def add_arguments(parser):
    parser.add_argument("--many", type=int, default=10_000, help="small files (10000)")
    parser.add_argument("--few", type=int, default=10, help="large files (10)")
    parser.add_argument("--lineitem", type=pathlib.Path, help="a Parquet file of TPC-H (.build/suites/tpch-1's)")
    parser.add_argument("--data", type=pathlib.Path, help="directory of both tables (.build/suites/files-MANY)")
    parser.add_argument("--runs", type=int, default=5, help="measured runs of each query (5)")
    parser.add_argument("--ratio-max", type=float, help="fail if a warm time over many files is so many times DuckDB's")


def run(arguments):
    place = directory(arguments)
    result = {"martlet": martlet_times(arguments, place), "duckdb": duckdb_times(arguments, place)}
    rows = []
    for name in QUERIES:
        for engine, times in result.items():
            many, few = times["many"][name], times["few"][name]
            rows.append([f"{name}, {engine}", many["first"], many["median"], few["first"], few["median"],
                         many["median"] / few["median"]])
    report.print_table(
        ["milliseconds", f"{arguments.many} files, first", "warm", f"{arguments.few} files, first", "warm", "many / few"],
        rows)
    worst = max(result["martlet"]["many"][name]["median"] / result["duckdb"]["many"][name]["median"] for name in QUERIES)
    print(f"over {arguments.many} files at most {worst:.2f} times DuckDB's warm time; "
          f"ready after {result['martlet']['start_seconds']:.2f} s")
    return result | {"runs": arguments.runs}, arguments.ratio_max is None or worst <= arguments.ratio_max


def directory(arguments):
    place = arguments.data or data.ROOT / ".build" / "suites" / f"files-{arguments.many}"
    if not place.exists():
        source = arguments.lineitem or data.directory("tpch", "1") / "lineitem.parquet"
        print(f"writing {arguments.many} and {arguments.few} files to {place} …", flush=True)
        with data.appearing(place) as partial:
            for name, count in (("many", arguments.many), ("few", arguments.few)):
                write(source, partial / name, count)
    return place


def write(source, folder, count):
    """The rows of a file in `count` files of equal length."""
    import pyarrow.parquet
    folder.mkdir()
    table = pyarrow.parquet.read_table(source)
    for index in range(count):
        start, end = (table.num_rows * bound // count for bound in (index, index + 1))
        pyarrow.parquet.write_table(
            table.slice(start, end - start), folder / f"part-{index:05}.parquet", compression="zstd")


def martlet_times(arguments, place):
    start = time.monotonic()
    server = engines.Server(arguments.martlet, place, arguments.threads, arguments.timeout)
    seconds = time.monotonic() - start
    try:
        return times(lambda sql: server.run(sql, 0).milliseconds[0], arguments.runs) | {"start_seconds": seconds}
    finally:
        server.close()


def duckdb_times(arguments, place):
    duckdb = peers.DuckDB(place, arguments.threads)

    def milliseconds(sql):
        start = time.perf_counter()
        duckdb.execute(sql)
        return (time.perf_counter() - start) * 1000
    return times(milliseconds, arguments.runs)


def times(milliseconds, runs):
    result = {}
    for table in ("many", "few"):
        result[table] = {}
        for name, text in QUERIES.items():
            taken = [milliseconds(text.format(table=table)) for _ in range(runs + 1)]
            result[table][name] = {"first": taken[0], "median": statistics.median(taken[1:] or taken), "all": taken}
    return result
