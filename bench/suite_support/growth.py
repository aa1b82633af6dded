"""TPC-H at two scales, query by query in turns: the sum of the times at the larger divided by that at the smaller.

An engine whose time grows as its data do takes ten times as long for ten times as many rows. The bound is 11. It holds for
Martlet with nothing kept from query to query (`cache-limit` of one byte): what is kept makes warm queries over little data
cheaper than their share. "martlet as set" is measured beside it with the default.
"""

import pathlib
import statistics

from suite_support import data, engines, isolated, queries, report


def add_arguments(parser):
    parser.add_argument("--scales", default="1,10", help="the two scale factors (1,10)")
    parser.add_argument("--data", type=pathlib.Path, nargs=2, help="directories of both scales (.build/suites/tpch-SCALE)")
    parser.add_argument("--queries", help="names such as 1,3,7-9 (all)")
    parser.add_argument("--peers", default="duckdb", help="others that are measured (duckdb)")
    parser.add_argument("--runs", type=int, default=3, help="measured runs of each query (3)")
    parser.add_argument("--by", choices=["median", "processor"], default="median", help="as for bench/compare (median)")
    parser.add_argument("--ratio-max", type=float, default=11, help="bound of the ratio of sums (11)")


def run(arguments):
    scales = arguments.scales.split(",")
    places = [data.directory("tpch", scale, wanted)
              for scale, wanted in zip(scales, arguments.data or [None, None])]
    texts = [queries.selected(queries.texts("tpch", scale), arguments.queries) for scale in scales]
    started = {}
    try:
        for name, environment in (("martlet", {"MARTLET_CACHE_LIMIT": "1"}), ("martlet as set", {})):
            started[name] = [
                engines.Server(arguments.martlet, place, arguments.threads, arguments.timeout, environment=environment)
                for place in places]
        for name in filter(None, arguments.peers.split(",")):
            started[name] = [isolated.Isolated(name, place, arguments.threads, arguments.timeout) for place in places]
        times = measured(started, texts, arguments)
    finally:
        for pair in started.values():
            for engine in pair:
                engine.close()
    report.print_table(["query", *(f"{name} {scale}" for name in started for scale in (*scales, "ratio"))], [
        [query, *(cell for name in started for cell in (*pair[name], pair[name][1] / pair[name][0]))]
        for query, pair in times.items()])
    total = {name: [sum(pair[name][side] for pair in times.values()) for side in (0, 1)] for name in started}
    ratios = {name: large / small for name, (small, large) in total.items()}
    print("\n".join(f"{name}: {total[name][1]:,.0f} ms / {total[name][0]:,.0f} ms = {ratios[name]:.2f}" for name in total))
    result = {"scales": scales, "runs": arguments.runs, "by": arguments.by, "milliseconds": times, "ratios": ratios}
    return result, ratios["martlet"] <= arguments.ratio_max


def measured(started, texts, arguments):
    """For each query and engine the times at both scales."""
    def counted(engine, sql):
        answer = engine.run(sql, arguments.runs)
        return answer.processor_milliseconds if arguments.by == "processor" else statistics.median(answer.milliseconds)

    return {
        query: {
            name: [counted(engine, texts[side][query]) for side, engine in enumerate(pair)]
            for name, pair in started.items()}
        for query in texts[0]}
