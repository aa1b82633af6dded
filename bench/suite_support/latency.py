"""How long small requests take on a warm server and on a warm cluster of two workers: one client, one request at a time.

Over the HTTP API (a connection that stays open): the list of queries, the list of workers, and a query. Over PostgreSQL's
protocol: the same query as text and as a prepared statement. The query counts and adds up a table of 25 rows joined with
one of 5. Bounds hold for a standalone server and for a cluster; --strict makes an exceeded one fail the command.
"""

import http.client
import json
import pathlib
import statistics
import time

from suite_support import data, engines, report, wire

QUERY = (
    "SELECT r_name, count(*) FROM nation JOIN region ON n_regionkey = r_regionkey WHERE n_nationkey < 20 GROUP BY r_name "
    "ORDER BY r_name")
# Milliseconds that half of the requests, and 99 of 100, may take.
BOUNDS = {
    "status call": (5, None), "worker health": (2, None), "query, HTTP": (10, 20), "query, PostgreSQL": (5, 20),
    "query, PostgreSQL, prepared": (5, 20),
}


def add_arguments(parser):
    parser.add_argument("--data", type=pathlib.Path, help="directory of TPC-H's tables (.build/suites/tpch-1)")
    parser.add_argument("--count", type=int, default=1000, help="measured requests of each kind (1000)")
    parser.add_argument("--workers", type=int, default=2, help="workers of the cluster (2)")
    parser.add_argument("--strict", action="store_true", help="fail if a bound is exceeded")


def run(arguments):
    place = data.directory("tpch", "1", arguments.data)
    result, lines, is_good = {}, [], True
    for name, workers in [("standalone", 0), (f"cluster of {arguments.workers}", arguments.workers)]:
        server = engines.Server(arguments.martlet, place, arguments.threads, arguments.timeout, workers=workers)
        try:
            result[name] = measured(server, arguments.count)
        finally:
            server.close()
        for kind, times in result[name].items():
            half, ninety_nine = statistics.median(times), sorted(times)[int(0.99 * (len(times) - 1))]
            bounds = BOUNDS[kind]
            holds = all(bound is None or value <= bound for value, bound in zip((half, ninety_nine), bounds))
            is_good = is_good and holds
            lines.append([f"{name}: {kind}", half, ninety_nine, max(times),
                          " / ".join("–" if bound is None else str(bound) for bound in bounds), "yes" if holds else "NO"])
    report.print_table(["one client, ms", "median", "99 %", "longest", "bounds", "within"], lines)
    return result, is_good or not arguments.strict


def measured(server, count):
    """Milliseconds of each request, by kind; a fifth as many before them warm everything up."""
    host, _, port = server.http_address.rpartition(":")
    calls = http.client.HTTPConnection(host, int(port), timeout=server.timeout)

    def call(method, path, body=None):
        calls.request(method, path, body, {"content-type": "text/plain"} if body else {})
        answer = calls.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise engines.Failure(f"{method} {path}: {answer.status} {content[:200]}")
        return content

    session = server.connect()
    session.prepare("small", QUERY)
    expected = session.query(QUERY).rows()
    if json.loads(call("POST", "/v1/query", QUERY))["rows"] != [list(row) for row in expected]:
        raise engines.Failure("the HTTP API and PostgreSQL's protocol give different rows")
    execution = wire.Connection.execution("small", [], wire.TEXT_FORMAT)
    result = {}
    for kind, request in {
        "status call": lambda: call("GET", "/v1/queries?limit=20"),
        "worker health": lambda: call("GET", "/v1/workers"),
        "query, HTTP": lambda: call("POST", "/v1/query", QUERY),
        "query, PostgreSQL": lambda: session.query(QUERY),
        "query, PostgreSQL, prepared": lambda: session.exchange(execution),
    }.items():
        for _ in range(max(1, count // 5)):
            request()
        times = []
        for _ in range(count):
            start = time.perf_counter()
            request()
            times.append((time.perf_counter() - start) * 1000)
        result[kind] = times
    session.close()
    calls.close()
    return result
