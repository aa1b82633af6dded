"""Pseudo-random numbers within a DuckDB query, as functions of the row's number `n` and a salt."""

import re


def expanded(query, base=0):
    """The query with each `u(SALT)` replaced by a number from 0 to 1 that depends on n and SALT + base."""
    def number(match):
        salt = base + sum(int(part) for part in match.group(1).split("+"))
        return f"((hash(n * 1000003 + {salt}) >> 11)::double / 9007199254740992.0)"
    return re.sub(r"\bu\(([0-9 +]+)\)", number, query)
