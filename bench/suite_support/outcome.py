"""The reference answer of a query from DuckDB, and the test whether another engine's rows are a right answer.

A query with ORDER BY and LIMIT may have many right answers: rows that tie on the sort keys come in any order, and any
of those that tie at the end may be cut off. So DuckDB computes the answer without LIMIT together with the sort keys.
Rows of equal keys form a group. An answer is right if it takes the groups in order, each group wholly but those that
OFFSET and LIMIT cut, and of these the right number of rows that are in the group. Without ORDER BY there is one group.

Values are equal exactly, but for columns that DuckDB computes in floating point: these may differ by `TOLERANCE`,
relative to the value. Where DuckDB rounded such a value to a few decimals, its neighbour is right as well and counted
(`halves`): the half 1.025 is 1.03 in PostgreSQL's exact arithmetic and 1.02 if it was a binary fraction first. Groups
whose floating-point keys lie as close as that count as one.
"""

import datetime
import decimal
import math
import re

TOLERANCE = 1e-9
# What an engine may have rounded away in an answer that is not exact: relative, and absolute.
ROUNDED_RELATIVE, ROUNDED_ABSOLUTE = 1e-4, 1e-4
FLOATING = {"DOUBLE", "FLOAT"}
# Groups of more rows than that are not fetched, if a column of these types finds the rows of an answer.
LARGE = 100_000
SELECTIVE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "VARCHAR"}
WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9$]*")


def tokens(sql):
    """Words and signs of the outermost level as (text, start, end), without comments; a parenthesis is one token."""
    position, result = 0, []
    while position < len(sql):
        character = sql[position]
        start = position
        if sql.startswith("--", position):
            position = (sql.find("\n", position) + 1) or len(sql)
            continue
        if sql.startswith("/*", position):
            position = (sql.find("*/", position) + 2) if "*/" in sql[position:] else len(sql)
            continue
        if character.isspace():
            position += 1
            continue
        if character in "'\"":
            position = end_of_quoted(sql, position)
        elif character == "(":
            position = end_of_parenthesis(sql, position)
        elif match := WORD.match(sql, position):
            position = match.end()
        else:
            position += 1
        result.append((sql[start:position], start, position))
    return result


def end_of_quoted(sql, position):
    end = sql.find(sql[position], position + 1)
    return end + 1 if end >= 0 else len(sql)


def end_of_parenthesis(sql, position):
    depth = 0
    while position < len(sql):
        character = sql[position]
        if character in "'\"":
            position = end_of_quoted(sql, position)
            continue
        depth += {"(": 1, ")": -1}.get(character, 0)
        position += 1
        if depth == 0:
            return position
    return len(sql)


class Parts:
    """A query cut into its body, the items of the outermost ORDER BY, and its limits."""

    def __init__(self, sql):
        sql = sql.strip().rstrip(";").rstrip()
        found = tokens(sql)
        words = [text.lower() for text, _, _ in found]
        self.limit, self.offset, self.items = None, 0, []
        end, count = len(sql), len(words)
        for index in range(count - 2, -1, -1):
            if words[index] == "limit" and words[index + 1].isdigit():
                self.limit = int(sql[found[index + 1][1]:].split()[0])
                end = min(end, found[index][1])
            elif words[index] == "offset" and words[index + 1].isdigit():
                self.offset = int(sql[found[index + 1][1]:].split()[0])
                end = min(end, found[index][1])
            elif words[index] == "order" and words[index + 1] == "by":
                start = found[index + 1][2]
                self.items = self.sort_items(sql, [token for token in found if start <= token[1] < end], end)
                end = found[index][1]
                break
        self.body = sql[:end].rstrip()

    @staticmethod
    def sort_items(sql, found, end):
        """Pairs of an expression and its direction."""
        cuts = [start for text, start, _ in found if text == ","]
        starts = [found[0][1]] + [cut + 1 for cut in cuts]
        items = []
        for start, stop in zip(starts, cuts + [end]):
            text = " ".join(line.split("--")[0] for line in sql[start:stop].splitlines()).strip()
            match = re.search(r"(\s+(asc|desc))?(\s+nulls\s+(first|last))?$", text, re.IGNORECASE)
            items.append((text[:match.start()].strip(), match.group(0).strip()))
        return items

    def with_extra_columns(self, expressions):
        """The body with further columns in its select list, or None if it is no plain SELECT."""
        found = tokens(self.body)
        words = [text.lower() for text, _, _ in found]
        if {"union", "except", "intersect"} & set(words) or "select" not in words:
            return None
        select = max(index for index, word in enumerate(words) if word == "select")
        if words[select + 1] == "distinct":
            return None
        start = next((found[i][1] for i in range(select, len(words)) if words[i] == "from"), len(self.body))
        extra = "".join(f", {expression} AS sort_key_{index}" for index, expression in enumerate(expressions))
        return f"{self.body[:start].rstrip()}{extra} {self.body[start:]}"


class LargeGroup:
    """Rows of equal keys that are left in DuckDB; those that an answer may have taken are fetched for it."""

    def __init__(self, connection, width, column, rank, length):
        self.connection, self.width, self.column, self.rank, self.length = connection, width, column, rank, length

    def __len__(self):
        return self.length

    def __getitem__(self, span):
        """Some rows, to see whether there are values."""
        return self.fetched("true LIMIT 1000", [])

    def candidates(self, rows):
        values = [row[self.column] for row in rows if len(row) > self.column]
        return self.fetched(
            f"coalesce(c{self.column}::text, '') IN (SELECT unnest(?))",
            [["" if value is None else str(value) for value in values]])

    def fetched(self, condition, parameters):
        return [row[:self.width] for row in self.connection.execute(
            f"SELECT * FROM reference_answer WHERE r = ? AND {condition}",
            [self.rank, *parameters]).fetchall()]


class Reference:
    """The right answers of one query. `connection` is DuckDB's with PostgreSQL's order of NULLs."""

    def __init__(self, connection, sql):
        self.parts = Parts(sql)
        description = connection.execute(f"DESCRIBE {self.parts.body}").fetchall()
        names = [row[0].lower() for row in description]
        self.width = len(names)
        self.is_floating = [row[1] in FLOATING for row in description]
        self.is_fractional = [row[1] in FLOATING or row[1].startswith("DECIMAL") for row in description]
        query, keys = self.keyed_query(connection, names)
        columns = max([self.width] + [column + 1 for column, _ in keys])
        aliases = ", ".join(f"c{index}" for index in range(columns))
        order = ", ".join(f"c{column} {direction}" for column, direction in keys)
        rank = f"rank() OVER (ORDER BY {order})" if keys else "1"
        last = "" if self.parts.limit is None else f" WHERE r <= {self.parts.limit + self.parts.offset}"
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE reference_answer AS "
            f"SELECT * FROM (SELECT *, {rank} AS r FROM ({query}) AS q ({aliases})) {last}")
        self.key_columns = [column for column, _ in keys]
        types = [column[1] for column in connection.execute("SELECT * FROM reference_answer LIMIT 0").description]
        self.key_is_floating = [types[column] in FLOATING for column in self.key_columns]
        self.groups = self.fetched_groups(connection, types)
        total = sum(len(group) for group in self.groups)
        self.row_count = max(0, total - self.parts.offset)
        if self.parts.limit is not None:
            self.row_count = min(self.row_count, self.parts.limit)
        self.is_empty = self.row_count == 0 or all(
            value is None for group in self.groups for row in group[:] for value in row)
        self.halves = 0
        self.floating_equal = floating_equal

    def keyed_query(self, connection, names):
        """A query whose first columns are those of the body, and the columns and directions of the sort keys."""
        keys, extra = [], []
        for expression, direction in self.parts.items:
            name = expression.strip('"').lower()
            if expression.isdigit():
                keys.append((int(expression) - 1, direction))
            elif names.count(name) >= 1:
                keys.append((names.index(name), direction))
            else:
                keys.append((self.width + len(extra), direction))
                extra.append(expression)
        if not extra:
            return self.parts.body, keys
        outputs = "SELECT *, " + ", ".join(extra) + f" FROM ({self.parts.body}) AS q"
        for query in (self.parts.with_extra_columns(extra), outputs):
            try:
                connection.execute(f"EXPLAIN {query}")
                return query, keys
            except Exception as error:
                failure = error
        raise failure

    def fetched_groups(self, connection, types):
        """All groups in order. A last one of very many rows, of which LIMIT takes a few, stays in the database."""
        last = connection.execute(
            "SELECT r, count(*) FROM reference_answer GROUP BY r ORDER BY r DESC LIMIT 1").fetchone()
        selective = next((index for index in range(self.width) if types[index] in SELECTIVE), None)
        is_large = last and last[1] > LARGE and selective is not None and not any(self.key_is_floating)
        if not is_large:
            return self.make_groups(connection.execute("SELECT * FROM reference_answer ORDER BY r").fetchall())
        rows = connection.execute("SELECT * FROM reference_answer WHERE r < ? ORDER BY r", [last[0]]).fetchall()
        return [*self.make_groups(rows), LargeGroup(connection, self.width, selective, *last)]

    def make_groups(self, rows):
        groups, previous = [], None
        for row in rows:
            key = [row[column] for column in self.key_columns]
            if previous is None or not self.keys_equal(previous, key):
                groups.append([])
            groups[-1].append(row[:self.width])
            previous = key
        return groups

    def keys_equal(self, a, b):
        return all(
            x == y or (isinstance(x, float) and isinstance(y, float) and close(x, y)) for x, y in zip(a, b))

    def is_rounded(self, rows):
        """Whether the rows would be a right answer but for the last digits of fractions."""
        strict = self.is_floating, self.floating_equal
        self.is_floating, self.floating_equal = self.is_fractional, nearly_equal
        try:
            return self.problem(rows) is None
        finally:
            self.is_floating, self.floating_equal = strict

    def problem(self, rows):
        """None if the rows are a right answer, else what is wrong."""
        self.halves = 0
        if len(rows) != self.row_count:
            return f"{len(rows)} rows instead of {self.row_count}"
        position, first, last = 0, self.parts.offset, self.parts.offset + self.row_count
        for group in self.groups:
            taken = max(0, min(position + len(group), last) - max(position, first))
            if taken:
                start = max(position, first) - first
                message = self.difference(group, rows[start:start + taken], start)
                if message:
                    return message
            position += len(group)
        return None

    def difference(self, group, rows, start):
        """Takes the rows out of the group, or says which cannot be taken."""
        rest = {}
        for row in group.candidates(rows) if isinstance(group, LargeGroup) else group:
            rest.setdefault(self.bucket(row), []).append(row)
        for index, row in enumerate(rows):
            if len(row) != self.width:
                return f"{len(row)} columns instead of {self.width}"
            candidates = rest.get(self.bucket(row), [])
            match = next((i for i, other in enumerate(candidates) if self.rows_equal(other, row)), None)
            if match is None:
                expected = next((other for rows in rest.values() for other in rows), None)
                return f"row {start + index + 1}: {shown(row)} instead of {shown(expected)}"
            candidates.pop(match)
        return None

    def bucket(self, row):
        return tuple(exact(value) for value, is_floating in zip(row, self.is_floating) if not is_floating)

    def rows_equal(self, expected, actual):
        halves = 0
        for a, b, is_floating in zip(expected, actual, self.is_floating):
            if is_floating and not self.floating_equal(a, b):
                if not rounded_neighbours(a, b):
                    return False
                halves += 1
        self.halves += halves
        return True


def close(a, b):
    return a == b or abs(a - b) <= TOLERANCE * max(abs(a), abs(b), 1e-3)


def floating_equal(a, b):
    if a is None or b is None:
        return a is b
    try:
        a, b = float(a), float(b)
    except ValueError:
        return False
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return close(a, b)


def nearly_equal(a, b):
    if a is None or b is None:
        return a is b
    a, b = float(a), float(b)
    return floating_equal(a, b) or abs(a - b) <= max(ROUNDED_RELATIVE * max(abs(a), abs(b)), ROUNDED_ABSOLUTE)


def rounded_neighbours(a, b):
    """Whether the values have at most four decimals and differ by one unit of the last of these."""
    if a is None or b is None:
        return False
    a, b = (decimal.Decimal(repr(value) if isinstance(value, float) else value).normalize() for value in (a, b))
    digits = -min(a.as_tuple().exponent, b.as_tuple().exponent)
    return 1 <= digits <= 4 and abs(a - b) == decimal.Decimal(1).scaleb(-digits)


def exact(value):
    """A value in a form that is equal for equal values of both engines."""
    if value is None:
        return ("null",)
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, int):
        return ("number", value)
    if isinstance(value, decimal.Decimal):
        return ("number", value.normalize() + 0)
    if isinstance(value, float):
        return ("number", decimal.Decimal(repr(value)).normalize() + 0)
    if isinstance(value, (datetime.date, datetime.time)):
        return ("text", str(value))
    return ("text", str(value))


def shown(row):
    return "nothing" if row is None else "(" + ", ".join(str(value) for value in row)[:160] + ")"
