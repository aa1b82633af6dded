"""Time to plan statements that are far wider than usual, by EXPLAIN, which plans and does not run. The bound is a second.

The tables are empty, so nothing but parsing, binding, optimising and printing takes time. Each statement is planned
--runs times, of which the first counts most: users meet it once. DuckDB plans the same statements.
"""

import statistics
import tempfile
import time

from suite_support import engines, report
from suite_support.wire import ServerError

COLUMNS, LISTED, BRANCHES, JOINED = 1000, 10_000, 200, 30


def add_arguments(parser):
    parser.add_argument("--runs", type=int, default=3, help="times that each statement is planned (3)")
    parser.add_argument("--second-max", type=float, default=1, help="bound of the first planning (1)")


def definitions():
    columns = ", ".join(f"c{index} int" for index in range(COLUMNS))
    yield f"CREATE TABLE wide ({columns})"
    yield "CREATE TABLE narrow (a int, b int, t text)"
    for index in range(JOINED):
        yield f"CREATE TABLE j{index} (id int, next_id int, hub_id int, v int)"


def statements():
    names = [f"c{index}" for index in range(COLUMNS)]
    tables = [f"j{index}" for index in range(JOINED)]
    chain = " AND ".join(f"j{index}.next_id = j{index + 1}.id" for index in range(JOINED - 1))
    star = " AND ".join(f"j0.v + {index} = j{index}.hub_id" for index in range(1, JOINED))
    listed = ", ".join(str(index * 7) for index in range(LISTED))
    yield f"{COLUMNS} columns, all", "SELECT * FROM wide"
    yield f"{COLUMNS} columns, a sum of each", f"SELECT {', '.join(f'sum({name})' for name in names)} FROM wide"
    yield f"{COLUMNS} columns, grouped by all", f"SELECT count(*) FROM wide GROUP BY {', '.join(names)}"
    yield f"{COLUMNS} conditions", f"SELECT * FROM wide WHERE {' AND '.join(f'{name} > 0' for name in names)}"
    yield f"{COLUMNS} columns, joined with itself", "SELECT a.* FROM wide AS a JOIN wide AS b USING (c0)"
    yield f"IN with {LISTED} numbers", f"SELECT * FROM narrow WHERE a IN ({listed})"
    yield f"IN with {LISTED} texts", (
        "SELECT * FROM narrow WHERE t IN (" + ", ".join(f"'key {index}'" for index in range(LISTED)) + ")")
    yield f"VALUES with {LISTED} rows", (
        "SELECT * FROM (VALUES " + ", ".join(f"({index}, 'v')" for index in range(LISTED)) + ") AS v (a, b)")
    yield f"UNION ALL of {BRANCHES}", " UNION ALL ".join(
        f"SELECT a, b FROM narrow WHERE a = {index}" for index in range(BRANCHES))
    yield f"UNION of {BRANCHES}", " UNION ".join(f"SELECT a, {index} FROM narrow" for index in range(BRANCHES))
    yield f"join of {JOINED}, a chain", f"SELECT count(*) FROM {', '.join(tables)} WHERE {chain}"
    yield f"join of {JOINED}, a star", f"SELECT count(*) FROM {', '.join(tables)} WHERE {star}"
    yield f"LEFT JOIN of {JOINED}", "SELECT count(*) FROM j0 " + " ".join(
        f"LEFT JOIN j{index} ON j{index}.id = j0.id" for index in range(1, JOINED))


def run(arguments):
    with tempfile.TemporaryDirectory() as empty:
        martlet = engines.Server(arguments.martlet, empty, arguments.threads, arguments.timeout)
        try:
            result = measured(martlet.session().query, duckdb_runner(arguments.threads), arguments.runs)
        except ServerError as error:
            raise engines.Failure(str(error)) from None
        finally:
            martlet.close()
    report.print_table(
        ["EXPLAIN of", "first ms", "median ms", "DuckDB ms"],
        [[name, entry["martlet"][0] if entry["martlet"] else entry["error"], median(entry["martlet"]),
          median(entry["duckdb"])] for name, entry in result.items()])
    is_good = all(entry["martlet"] and entry["martlet"][0] <= arguments.second_max * 1000 for entry in result.values())
    return {"runs": arguments.runs, "milliseconds": result}, is_good


def median(times):
    return statistics.median(times) if times else None


def duckdb_runner(threads):
    import duckdb
    connection = duckdb.connect()
    connection.execute(f"SET threads = {threads}")
    return lambda sql: connection.execute(sql).fetchall()


def measured(martlet, duckdb, runs):
    for definition in definitions():
        martlet(definition)
        duckdb(definition)
    result = {}
    for name, sql in statements():
        entry = result[name] = {"martlet": [], "duckdb": [timed(duckdb, "EXPLAIN " + sql) for _ in range(runs)]}
        try:
            entry["martlet"] = [martlet("EXPLAIN " + sql).milliseconds for _ in range(runs)]
        except ServerError as error:
            if error.state is None:
                raise
            entry["error"] = str(error)[:100]
    return result


def timed(function, sql):
    start = time.perf_counter()
    function(sql)
    return (time.perf_counter() - start) * 1000
