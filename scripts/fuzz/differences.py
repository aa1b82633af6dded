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
    Known("empty-any", "PostgreSQL 15 takes x = ANY ('{}') for NULL where x is, and makes outer joins inner ones by it; it is false.",
          lambda sql, difference, reference, answer:
          difference.startswith("rows") and "= ANY ('{}'" in sql and ("LEFT JOIN" in sql or "FULL JOIN" in sql)),
    Known("rounded-mantissa", "PostgreSQL's EEEE of a numeric that rounds up to the next power of ten has two digits before "
          "the point, its EEEE of a float one; Martlet writes one for both.",
          lambda sql, difference, reference, answer:
          "EEEE" in sql and difference == "values"
          and any(re.search(r"\b10\.0*e[+-]", str(value)) for row in reference.rows for value in row)),
    Known("full-join", "PostgreSQL cannot run a FULL JOIN without a hashable or mergeable condition; Martlet can.",
          lambda sql, difference, reference, answer: reference.state == "0A000" and "FULL JOIN" in reference.message),
]


def known(sql, difference, reference, answer):
    for entry in KNOWN:
        if entry.matches(sql, difference, reference, answer):
            return entry
    return None
