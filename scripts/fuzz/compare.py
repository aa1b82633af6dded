"""Whether two answers are the same: kinds of difference, tolerant of the last digits of floats."""
import collections
import decimal
import math
import re

FLOATS = {700: 2e-5, 701: 1e-9}
NUMERIC = 1700


def difference(reference, answer, is_ordered, strict_numeric=False, may_fail=False):
    """None, or a short text that says what differs: first a word for the kind."""
    if reference.failed and answer.failed:
        if reference.state[:2] == answer.state[:2]:
            return None
        return f"error-class {reference.state} {reference.message} / {answer.state} {template(answer.message)}"
    if answer.failed:
        return f"error {answer.state} {template(answer.message)}"
    if reference.failed:
        return f"no-error {reference.state} {template(reference.message)}"
    if reference.types != answer.types:
        return f"types {reference.types} / {answer.types}"
    if reference.names != answer.names:
        return f"names {reference.names} / {answer.names}"
    kinds = reference.types
    exact = [canonical(row, kinds, strict_numeric) for row in reference.rows]
    other = [canonical(row, kinds, strict_numeric) for row in answer.rows]
    if exact == other:
        return None
    if len(exact) != len(other):
        return f"rows {len(exact)} / {len(other)}"
    tolerant = any(kind in FLOATS or kind == NUMERIC for kind in kinds)
    if collections.Counter(exact) == collections.Counter(other):
        return "order" if is_ordered and not tolerant and not peers(exact, other) else None
    if tolerant and all(close(a, b, kinds) for a, b in zip(sorted(exact, key=key), sorted(other, key=key))):
        return None
    return "values"


def peers(rows, others):
    """Whether rows at the same place are the same but for zeros at the end of numbers: jsonb's 0 and 0.0 are equal."""
    def plain(row):
        return [re.sub(r"(\.[0-9]*?)0+(?![0-9])", r"\1", str(value)).replace(".", "") for value in row]
    return all(plain(row) == plain(other) for row, other in zip(rows, others))


def key(row):
    """Sorts what is nearly equal together: exact columns first."""
    return ([(value is None, str(value)) for value in row if not isinstance(value, (float, decimal.Decimal))],
            [(math.isnan(value), 0.0 if math.isnan(value) else float(value)) for value in row
             if isinstance(value, (float, decimal.Decimal))])


def canonical(row, kinds, strict_numeric):
    return tuple(value if value is None else cell(value, kind, strict_numeric) for value, kind in zip(row, kinds))


class NotANumber(float):
    """Equal to itself, so that rows can be counted."""

    def __eq__(self, other):
        return isinstance(other, NotANumber)

    def __hash__(self):
        return 7


def cell(text, kind, strict_numeric):
    if kind in FLOATS:
        value = float(text)
        return NotANumber("nan") if math.isnan(value) else value + 0.0
    if kind == NUMERIC and not strict_numeric and text not in ("NaN", "Infinity", "-Infinity"):
        return decimal.Decimal(text)
    return text


def close(left, right, kinds):
    for a, b, kind in zip(left, right, kinds):
        if a is None or b is None:
            if a is not b:
                return False
        elif kind in FLOATS:
            if a != b and not math.isclose(a, b, rel_tol=FLOATS[kind], abs_tol=1e-12 if kind == 701 else 1e-6):
                return False
        elif kind == NUMERIC and isinstance(a, decimal.Decimal) and isinstance(b, decimal.Decimal):
            if a != b and abs(a - b) > abs(a) * decimal.Decimal("1e-15"):
                return False
        elif a != b:
            return False
    return True


def template(message):
    """A message without what differs from query to query."""
    text = re.sub(r"\"[^\"]*\"", '"…"', message)
    text = re.sub(r"\br\d+\b|\bw\d+\b|\bc\d+\b", "x", text)
    return re.sub(r"\d+", "N", text)[:160]
