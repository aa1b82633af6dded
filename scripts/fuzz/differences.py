"""Differences that are known and meant. Each is narrow and says why.

An entry is a reason and a test `matches(sql, difference, reference, answer)`.
"""
import re


class Known:
    def __init__(self, name, reason, matches):
        self.name = name
        self.reason = reason
        self.matches = matches


def of_kind(kind, pattern):
    compiled = re.compile(pattern)
    return lambda sql, difference, reference, answer: difference.startswith(kind) and compiled.search(difference)


KNOWN = [
    Known("timeout", "A time limit is no difference; the reference's is short because of the fuzzer's own queries.",
          lambda sql, difference, reference, answer: reference.state == "57014"),
    Known("window-mark", "PostgreSQL 15 fails in some frames with EXCLUDE that begin behind the current row.",
          lambda sql, difference, reference, answer:
          reference.state == "XX000" and "before WindowObject's mark position" in reference.message),
    Known("rounded-mantissa", "PostgreSQL's EEEE of a numeric that rounds up to the next power of ten has two digits before "
          "the point, its EEEE of a float one; Martlet writes one for both.",
          lambda sql, difference, reference, answer:
          "EEEE" in sql and difference == "values" and any("10.00e" in str(value) for row in reference.rows for value in row)
          and [[str(v).replace(" 10.00e+01", "  1.00e+02") for v in row] for row in sorted(reference.rows, key=str)]
          == [[str(v) for v in row] for row in sorted(answer.rows, key=str)]),
    Known("full-join", "PostgreSQL cannot run a FULL JOIN without a hashable or mergeable condition; Martlet can.",
          lambda sql, difference, reference, answer: reference.state == "0A000" and "FULL JOIN" in reference.message),
]


def known(sql, difference, reference, answer):
    for entry in KNOWN:
        if entry.matches(sql, difference, reference, answer):
            return entry
    return None
