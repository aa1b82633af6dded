"""Random typed expressions over the columns of a scope."""
from productions import AGGREGATE_CALLS, GUARDS, PRODUCTIONS, WINDOW_CALLS
from scalars import ALL, COMPARABLE, INTEGERS, NUMBERS, TEXTS, TYPES
from tree import Node, expression, items, optional

ORDERED_AGGREGATE = ["int2", "int4", "int8", "num", "big", "float8", "text", "date", "timestamp", "timestamptz",
                     "interval", "time", "timetz"]


class Scope:
    """What an expression may name."""

    def __init__(self, columns, outer=(), size=1, depth=0):
        self.columns = list(columns)
        #: Columns of the queries around.
        self.outer = list(outer)
        #: About how many rows there are: correlated sub-queries over many rows take too long.
        self.size = size
        #: Nesting of queries.
        self.depth = depth
        #: Leaves beside columns: functions that make a node of a type or None (aggregates, window calls).
        self.calls = []
        self.allows_subqueries = True
        self.window_count = 0
        #: Whether an output may give several rows.
        self.returns_sets = False

    def all_columns(self):
        return self.columns + self.outer


class ExpressionGenerator:
    """Needs `self.random`, `self.may_fail`, and `scalar_subquery`/`predicate_subquery` of the query generator."""

    def value(self, type, scope, depth, limit=None):
        """An expression of a type, with an absolute value of at most `limit` if one is given."""
        random = self.random
        if depth <= 0 or random.random() < 0.25:
            return self.leaf(type, scope, limit)
        if scope.calls and random.random() < 0.5:
            call = random.choice(scope.calls)(type, limit)
            if call is not None:
                return call
        if scope.allows_subqueries and limit is None and random.random() < 0.06:
            subquery = self.scalar_subquery(type, scope)
            if subquery is not None:
                return subquery
        if type == "bool" and scope.allows_subqueries and random.random() < 0.10:
            subquery = self.predicate_subquery(scope)
            if subquery is not None:
                return subquery
        choices = PRODUCTIONS.get(type, []) + PRODUCTIONS["T"]
        if random.random() < 0.08:
            choices = GUARDS.get(type, []) + GUARDS["T"]
        if limit is not None:
            choices = [p for p in choices if p.type != "T" and p.magnitude is not None and p.magnitude <= limit]
        if not self.may_fail:
            choices = [p for p in choices if not p.fails]
        if not choices:
            return self.leaf(type, scope, limit)
        return self.expand(random.choice(choices), type, scope, depth, limit)

    def expand(self, production, type, scope, depth, limit=None):
        random = self.random
        names = {
            "T": type if production.type == "T" else random.choice(COMPARABLE),
            "N": random.choice(NUMBERS), "I": random.choice(INTEGERS), "S": random.choice(TEXTS),
            "M": type,
        }
        repeated, parts = {}, []
        if production.uncommon:
            self.is_common = False
        for piece in production.pieces:
            if isinstance(piece, str):
                parts.append(piece)
            elif piece[0] == "choice":
                parts.append(random.choice(piece[1]))
            elif piece[0] == "again":
                parts.append(str(repeated[piece[1]]))
            else:
                label, name, bound = piece
                child = self.value(names.get(name, name), scope, depth - 1, bound)
                if label:
                    # A repeated part must stay equal wherever it is: reduction leaves it alone.
                    child = str(child)
                    repeated[label] = child
                parts.append(child)
        if production.type == "T":
            return expression(type, "(", *parts, ")")
        return expression(type, *parts)

    def leaf(self, type, scope, limit=None):
        random = self.random
        own = [c for c in scope.columns if self.fits(c, type, limit)]
        outer = [c for c in scope.outer if self.fits(c, type, limit)]
        if outer and random.random() < (0.3 if own else 0.7):
            return expression(type, random.choice(outer).name)
        if scope.calls and random.random() < 0.5:
            call = random.choice(scope.calls)(type, limit)
            if call is not None:
                return call
        if own and random.random() < 0.85:
            return expression(type, random.choice(own).name)
        if random.random() < 0.12:
            return expression(type, f"NULL::{TYPES[type].sql}")
        description = TYPES[type]
        if limit is not None and limit < 100:
            return expression(type, description.plain)
        if limit is not None or (description.small and random.random() < 0.8):
            return expression(type, description.small(random))
        return expression(type, description.values(random))

    @staticmethod
    def fits(column, type, limit):
        return column.type == type and (limit is None or (column.magnitude is not None and column.magnitude <= limit))

    def some_type(self):
        return self.random.choice(ALL).name

    # Calls

    def aggregate(self, type, rows, limit=None, depth=1):
        """An aggregate call of a type over the rows of a scope, or None."""
        choices = AGGREGATE_CALLS.get(type, [])
        if type in ORDERED_AGGREGATE:
            choices = choices + AGGREGATE_CALLS["M"]
        if limit is not None:
            choices = [p for p in choices if p.magnitude is not None and p.magnitude <= limit]
        if not choices:
            return None
        inner = Scope(rows.columns, size=rows.size, depth=rows.depth)
        inner.allows_subqueries = False
        node = self.expand(self.random.choice(choices), type, inner, depth)
        if self.random.random() < 0.2 and not str(node).startswith("round("):
            node.parts.append(optional(" FILTER (WHERE ", self.value("bool", inner, 2), ")"))
        return node

    def window_call(self, type, rows, limit=None):
        """A call over a window of the rows of a scope, or None."""
        choices = WINDOW_CALLS.get(type, []) + WINDOW_CALLS["T"]
        if type in ORDERED_AGGREGATE:
            choices = choices + WINDOW_CALLS["M"]
        if limit is not None or not choices:
            return None
        inner = Scope(rows.columns, rows.outer, size=rows.size, depth=rows.depth)
        inner.allows_subqueries = False
        if self.has_equal_rows(rows):
            # Rows that are equal may come in any order, and in another one in a second window.
            if rows.window_count > 0:
                return None
            rows.window_count += 1
        node = self.expand(self.random.choice(choices), type, inner, 1)
        kind = None
        for index, part in enumerate(node.parts):
            if isinstance(part, str):
                for word in ("total", "ordered", "framed", "any"):
                    if f"OVER {word}" in part:
                        node.parts[index] = part.replace(f"OVER {word}", "OVER ")
                        kind, place = word, index
        # Rows that tie may come in any order: what depends on it needs a total one.
        depends = any(word in str(node) for word in ("_value", "string_agg", "array_agg", "jsonb_agg"))
        node.parts.insert(place + 1, self.window(kind, inner, depends))
        return node

    def window(self, kind, scope, needs_total_order=False):
        random = self.random
        parts = []
        if random.random() < 0.5:
            keys = items([self.value(self.some_type(), scope, 1) for _ in range(random.choice([1, 1, 2]))])
            parts.append(optional("PARTITION BY ", keys, " "))
        total = self.total_order(scope)
        if kind == "total":
            if total is None:
                return "(ORDER BY 1)"
            parts += ["ORDER BY ", total]
        elif kind == "ordered" or (kind == "any" and random.random() < 0.5):
            parts += [optional("ORDER BY ", self.sort_keys(scope), " ")]
        elif kind == "framed":
            if needs_total_order or random.random() < 0.7:
                if total is None:
                    return "()"
                parts += ["ORDER BY ", total, " ", self.frame(random.choice(["ROWS", "GROUPS"]))]
            else:
                key_type, offset = random.choice([
                    ("int4", ["1", "5", "100"]), ("num", ["0.5", "10"]), ("float8", ["1.5", "100"]),
                    ("date", ["INTERVAL '3 days'"]), ("timestamp", ["INTERVAL '1 day'"])])
                limit = 1000 if key_type in ("int4", "num", "float8") else None
                key = self.leaf(key_type, scope, limit)
                direction = random.choice(["", " DESC", " NULLS FIRST", " DESC NULLS LAST"])
                parts += ["ORDER BY ", key, direction, " ", self.frame("RANGE", offset)]
        return Node(["(", *parts, ")"])

    def frame(self, mode, offsets=("0", "1", "2", "5")):
        random = self.random
        order = ["UNBOUNDED PRECEDING", "n PRECEDING", "CURRENT ROW", "n FOLLOWING", "UNBOUNDED FOLLOWING"]
        start = random.randint(0, 3)
        end = random.randint(max(start, 1), 4)
        bounds = [order[i].replace("n", random.choice(offsets), 1) if order[i][0] == "n" else order[i]
                  for i in (start, end)]
        exclusion = random.choice(["", "", "", "", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES"])
        return optional(f"{mode} BETWEEN {bounds[0]} AND {bounds[1]}{exclusion}")

    @staticmethod
    def has_equal_rows(scope):
        """Whether some relation of the scope has no key."""
        keyed = {c.name.split(".")[0] for c in scope.columns if c.is_key}
        return any(c.name.split(".")[0] not in keyed for c in scope.columns)

    def total_order(self, scope):
        """Sort keys under which only equal rows are equal."""
        keys = [c.name for c in scope.columns if c.is_key]
        missing = {c.name.split(".")[0] for c in scope.columns} - {k.split(".")[0] for k in keys}
        names = keys + [c.name for c in scope.columns if c.name.split(".")[0] in missing]
        if not names:
            return None
        first = [self.value(self.some_type(), scope, 1)] if self.random.random() < 0.5 else []
        first = [key for key in first if self.names_column(key, scope)]
        sorted_first = [Node([key, self.direction()]) for key in first]
        return Node([optional(items(sorted_first, least=1), ", ") if sorted_first else "",
                     ", ".join(name + self.direction() for name in names)])

    def sort_keys(self, scope):
        count = self.random.choice([1, 1, 2])
        keys = []
        for _ in range(count):
            key = self.value(self.some_type(), scope, 1)
            if self.names_column(key, scope):
                keys.append(Node(["(", key, ")", self.direction()]))
        return items(keys or ["true::bool"])

    @staticmethod
    def names_column(node, scope):
        """Constants are no sort keys: PostgreSQL takes an integer for a position and refuses others."""
        text = str(node)
        return any(column.name in text for column in scope.columns)

    def direction(self):
        return self.random.choice(["", "", " ASC", " DESC", " NULLS FIRST", " DESC NULLS LAST", " ASC NULLS LAST"])
