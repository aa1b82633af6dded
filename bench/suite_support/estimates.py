"""How far the planner's estimates of rows are from what the operators gave, by EXPLAIN ANALYZE.

The q-error of an operator is the larger of estimate / rows and rows / estimate, both at least one row: 1 is exact. Scans
are left out, since filters that joins find out at run time take rows from them that no estimate knows about.
"""

import math
import pathlib
import re
import statistics

from suite_support import data, engines, queries

LINE = re.compile(r"^\s*(\w+).* rows=(\d+) \(actual rows=(\d+)")
LEFT_OUT = {"Scan", "Exchange", "Project", "Values", "Sort", "Limit"}


def errors(lines):
    """The q-errors of the joins, aggregates and filters of a plan."""
    result = []
    for line in lines:
        match = LINE.match(line)
        if match and match.group(1) not in LEFT_OUT:
            estimate, actual = max(1, int(match.group(2))), max(1, int(match.group(3)))
            result.append(max(estimate / actual, actual / estimate))
    return result


def summary(found):
    """Geometric mean, median, the value that nine of ten do not exceed, and the largest."""
    ordered = sorted(found)
    return {
        "operators": len(ordered), "mean": math.exp(statistics.fmean(math.log(value) for value in ordered)),
        "median": statistics.median(ordered), "ninety": ordered[int(0.9 * (len(ordered) - 1))], "largest": ordered[-1]}


def shown(found):
    if not found:
        return "no operators"
    values = summary(found)
    return (f"{values['operators']:>4} operators, q-error: mean {values['mean']:.2f}, median {values['median']:.2f}, "
            f"90 % {values['ninety']:.1f}, largest {values['largest']:.0f}")


def add_arguments(parser):
    parser.add_argument("suite", choices=data.SUITES)
    parser.add_argument("--scale", default="1", help="scale factor of the data (1)")
    parser.add_argument("--data", type=pathlib.Path, help="directory with TABLE.parquet (.build/suites/SUITE-SCALE)")
    parser.add_argument("--texts", type=pathlib.Path, help="directory with the queries, instead of the packages'")
    parser.add_argument("--queries", help="names such as 1,3,7-9 or 1a,17b (all)")
    parser.add_argument("--mean-max", type=float, help="fail if the mean q-error is larger")


def run(arguments):
    texts = queries.selected(queries.texts(arguments.suite, arguments.scale, arguments.texts), arguments.queries)
    place = data.directory(arguments.suite, arguments.scale, arguments.data)
    martlet = engines.Embedded(arguments.martlet, place, arguments.threads, arguments.timeout)
    everything, result = [], {}
    for name, sql in texts.items():
        try:
            lines = [row[0] for row in martlet.run("EXPLAIN ANALYZE " + sql.lstrip(), 0).rows]
        except engines.Failure as failure:
            result[name] = {"error": str(failure)}
            print(f"{name:>5} error  {' '.join(str(failure).split())[:150]}")
            continue
        found = errors(lines)
        everything += found
        result[name] = summary(found) if found else {}
        print(f"{name:>5} {shown(found)}", flush=True)
    print(f"  all {shown(everything)}")
    total = summary(everything) if everything else {"mean": math.inf}
    is_good = arguments.mean_max is None or total["mean"] <= arguments.mean_max
    return {"suite": arguments.suite, "scale": arguments.scale, "total": total, "queries": result}, is_good
