"""How far the planner's estimates of rows are from what the operators gave, by EXPLAIN ANALYZE.

The q-error of an operator is the larger of estimate / rows and rows / estimate, both at least one row: 1 is exact. Scans
are left out, since filters that joins find out at run time take rows from them that no estimate knows about.
"""

import math
import re
import statistics

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
