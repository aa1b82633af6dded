"""Random queries: FROM, grouping, windows, set operations, common tables and sub-queries around the expressions."""
from expressions import ExpressionGenerator, Scope
from scalars import ALL, NUMBERS, TYPES
from tables import Column
from tree import Node, expression, items, optional, query

#: Rows that all pairs of a join without equality may amount to.
PAIRS_MAX = 120_000


class Relation:
    def __init__(self, node, alias, columns, size):
        self.node = node
        self.alias = alias
        self.columns = columns
        self.size = size


class Equality(Node):
    """The condition of a join by two columns, and whether one of them is unique."""

    __slots__ = ("is_key",)

    def __init__(self, text, is_key):
        super().__init__([text])
        self.is_key = is_key


class QueryGenerator(ExpressionGenerator):
    def __init__(self, random, tables, may_fail=False):
        self.random = random
        self.tables = tables
        self.may_fail = may_fail
        #: Whether DuckDB should give the same.
        self.is_common = True
        self.alias_count = 0
        self.common_tables = []

    def alias(self):
        self.alias_count += 1
        return f"r{self.alias_count}"

    def chance(self, probability):
        return self.random.random() < probability

    # Whole queries

    def statement(self):
        """The tree of a query, its types, and whether its order is fixed."""
        types = [self.some_type() for _ in range(self.random.choice([1, 1, 2, 3, 4]))]
        heads = []
        if self.chance(0.15):
            for _ in range(self.random.choice([1, 1, 2])):
                heads.append(self.common_table())
        body, _ = self.query_of(types, Scope([], depth=0))
        parts = []
        if heads:
            parts.append(optional("WITH RECURSIVE ", items(heads), " "))
        ordered = self.chance(0.5)
        inner = str(body)
        if ordered and ("DISTINCT ON" in inner[:20] or inner.startswith("VALUES")):
            body = query("SELECT * FROM (", body, ") AS q")
        parts.append(body)
        if ordered:
            parts.append(optional(self.final_order(types)))
        return Node(parts), types, ordered

    def modification(self):
        """A statement that changes a table, and what it returns or leaves; the transaction is for the caller to end."""
        random = self.random
        table = random.choice(self.tables)
        alias = self.alias()
        columns = [Column(f"{alias}.{c.name}", c.type, c.magnitude, c.is_key) for c in table.columns]
        scope = Scope(columns, size=table.size, depth=1)
        kind = random.choice(["UPDATE", "UPDATE", "DELETE", "INSERT"])
        where = optional(" WHERE ", self.value("bool", scope, 3)) if self.chance(0.8) else ""
        chosen = random.sample(table.columns[1:], min(len(table.columns) - 1, random.choice([1, 1, 2, 3])))
        if kind == "UPDATE":
            changes = [Node([f"{column.name} = ", self.value(column.type, scope, 3)]) for column in chosen]
            parts = [f"UPDATE {table.name} AS {alias} SET ", items(changes), where]
        elif kind == "DELETE":
            parts = [f"DELETE FROM {table.name} AS {alias}", where]
        else:
            body, _ = self.query_of(["int4"] + [column.type for column in chosen], Scope([], depth=1))
            names = ", ".join(["id"] + [column.name for column in chosen])
            parts = [f"INSERT INTO {table.name} AS {alias} ({names}) ", body]
        if self.chance(0.5):
            scope.allows_subqueries = False
            parts += [" RETURNING ", items([self.value(self.some_type(), scope, 2) for _ in range(2)])]
        else:
            parts.append(f"; SELECT * FROM {table.name}")
        return Node(["BEGIN; ", *parts])

    def final_order(self, types):
        keys = [f"{position + 1}{self.direction()}" for position in range(len(types))]
        if len(keys) > 1 and self.chance(0.3):
            self.random.shuffle(keys)
        parts = [" ORDER BY ", ", ".join(keys)]
        if self.chance(0.5):
            if self.chance(0.4):
                parts.append(optional(f" OFFSET {self.random.choice([0, 1, 3, 50])}"))
            count = self.random.choice([0, 1, 2, 5, 10, 100])
            parts.append(optional(f" FETCH FIRST {count} ROWS WITH TIES" if self.chance(0.2) else f" LIMIT {count}"))
        return Node(parts)

    def common_table(self):
        name = f"w{len(self.common_tables)}"
        if self.chance(0.2):
            return self.recursive_table(name)
        types = [self.some_type() for _ in range(self.random.choice([1, 2, 3]))]
        body, size = self.query_of(types, Scope([], depth=1))
        columns = [(f"c{i}", type) for i, type in enumerate(types)]
        self.common_tables.append((name, columns, size))
        kind = self.random.choice(["", "", "MATERIALIZED ", "NOT MATERIALIZED "])
        return Node([f"{name}({', '.join(c for c, _ in columns)}) AS {kind}(", body, ")"])

    def recursive_table(self, name):
        """Counts up to a limit, with a second column that each round computes from the last."""
        type = self.some_type()
        start = self.value(type, Scope([], depth=3), 1)
        step = self.value(type, Scope([Column("q.c1", type), Column("q.c0", "int4", magnitude=10)], depth=3), 1)
        union = self.random.choice(["UNION ALL", "UNION"])
        rounds = self.random.choice([0, 1, 4, 10])
        self.common_tables.append((name, [("c0", "int4"), ("c1", type)], rounds + 1))
        cast = TYPES[type].sql
        return Node([f"{name}(c0, c1) AS (SELECT 0, (", start, f")::{cast} {union} SELECT q.c0 + 1, (", step,
                     f")::{cast} FROM {name} AS q WHERE q.c0 < {rounds})"])

    def query_of(self, types, scope):
        """A query that gives columns of these types; `scope` is what is around it. Also about how many rows."""
        if scope.depth < 3 and self.chance(0.12):
            operation = self.random.choice(["UNION ALL", "UNION", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"])
            left, left_size = self.query_of(types, scope)
            right, right_size = self.query_of(types, scope)
            return query("(", query("(", left, ")"), f" {operation} ", query("(", right, ")"), ")"), left_size + right_size
        return self.select(types, scope)

    def select(self, types, around):
        if self.chance(0.04) and types:
            return self.values(types, around)
        relation, columns, size = self.from_clause(around)
        scope = Scope(columns, around.all_columns(), size, around.depth + 1)
        where = optional(" WHERE ", self.value("bool", scope, 3)) if self.chance(0.55) else ""
        kind = self.random.random()
        if kind < 0.22:
            return self.grouped(types, scope, relation, where)
        if kind < 0.34 and size <= 5000:
            scope.calls.append(lambda type, limit: self.window_call(type, scope, limit))
        scope.returns_sets = scope.depth <= 2 and not scope.calls
        outputs = [self.output(type, scope) for type in types]
        scope.returns_sets = False
        head = "SELECT "
        tail = ""
        if kind > 0.9:
            head = "SELECT DISTINCT "
        elif kind > 0.86 and not scope.calls:
            return self.distinct_on(types, scope, relation, where)
        elif scope.depth > 1 and self.chance(0.1):
            order = self.total_order(scope)
            if order is not None:
                tail = optional(" ORDER BY ", order, f" LIMIT {self.random.choice([1, 2, 5])}")
        return query(head, items(outputs, least=len(outputs)), " FROM ", relation, where, tail), size

    def output(self, type, scope):
        if type in ("int4", "text") and scope.returns_sets and self.chance(0.06):
            self.is_common = False
            return Node(["unnest(", self.value("int4s" if type == "int4" else "texts", scope, 1), ")"])
        node = self.value(type, scope, self.random.choice([0, 1, 2, 3, 4]))
        return Node([node]) if self.chance(0.7) else Node(["(", node, ")"])

    def distinct_on(self, types, scope, relation, where):
        key = self.value(self.some_type(), scope, 1)
        order = self.total_order(scope)
        outputs = [self.output(type, scope) for type in types]
        if order is None or not self.names_column(key, scope):
            return query("SELECT ", items(outputs, least=len(outputs)), " FROM ", relation, where), scope.size
        text = f"({key})"
        return query(f"SELECT DISTINCT ON ({text}) ", items(outputs, least=len(outputs)), " FROM ", relation, where,
                     f" ORDER BY {text}{self.direction()}, ", order), scope.size

    def values(self, types, around):
        scope = Scope([], around.all_columns(), 1, around.depth + 1)
        rows = []
        for _ in range(self.random.choice([1, 2, 5])):
            cells = [Node([self.value(type, scope, 1), f"::{TYPES[type].sql}"]) for type in types]
            rows.append(Node(["(", items(cells, least=len(cells)), ")"]))
        return query("VALUES ", items(rows)), len(rows)

    # Grouping

    def grouped(self, types, scope, relation, where):
        random = self.random
        plain = Scope(scope.columns, size=scope.size, depth=scope.depth)
        plain.allows_subqueries = False
        keys = []
        for _ in range(random.choice([0, 1, 1, 2, 2, 3])):
            type = random.choice([c.type for c in scope.columns]) if self.chance(0.7) else self.some_type()
            node = self.value(type, plain, random.choice([0, 0, 1, 2]))
            text = str(node)
            if any(c.name in text for c in scope.columns):
                keys.append(Column(text, type))
        groups = Scope(keys, scope.outer, scope.size, scope.depth)
        groups.allows_subqueries = self.chance(0.3)
        groups.calls.append(lambda type, limit: self.aggregate(type, scope, limit, random.choice([0, 1, 2])))
        shape = random.random()
        if keys and shape >= 0.7:
            chosen = ", ".join(key.name for key in random.sample(keys, random.randint(1, len(keys))))
            groups.calls.append(lambda type, limit: expression(type, f"GROUPING({chosen})")
                                if type == "int4" and self.chance(0.5) else self.aggregate(type, scope, limit, 1))
        # Grouping sets give rows with equal keys, which a window may see in any order.
        if keys and shape < 0.7 and self.chance(0.3):
            groups.calls.append(lambda type, limit: self.window_over_groups(type, limit, groups, scope))
        outputs = [self.output(type, groups) for type in types]
        parts = ["SELECT ", items(outputs, least=len(outputs)), " FROM ", relation, where]
        if keys:
            names = [key.name for key in keys]
            if shape < 0.7:
                parts.append(f" GROUP BY {', '.join(names)}")
            elif shape < 0.8:
                first = f"{names[0]}, " if len(names) > 1 and self.chance(0.3) else ""
                distinct = "DISTINCT " if self.chance(0.15) else ""
                parts.append(f" GROUP BY {distinct}{first}ROLLUP ({', '.join(names[1:] if first else names)})")
            elif shape < 0.9:
                parts.append(f" GROUP BY CUBE ({', '.join(names)})")
            else:
                sets = ["()"] + [f"({name})" for name in names] + [f"({', '.join(names)})"]
                if len(names) > 1 and self.chance(0.5):
                    sets += [f"ROLLUP ({', '.join(names)})", f"CUBE ({names[0]})"]
                random.shuffle(sets)
                parts.append(f" GROUP BY GROUPING SETS ({', '.join(sets[:3])})")
        if self.chance(0.3):
            groups.calls = groups.calls[:1]
            parts.append(optional(" HAVING ", self.value("bool", groups, 2)))
        return query(*parts), scope.size

    def window_over_groups(self, type, limit, groups, rows):
        """A window call over the groups, whose arguments are keys and aggregates."""
        if groups.window_count > 0:
            return None
        scope = Scope(groups.columns, groups.outer, groups.size, groups.depth)
        call = self.window_call(type, scope, limit)
        groups.window_count += 1 if call is not None else 0
        return call

    # FROM

    def from_clause(self, around):
        """A relation, its columns and about how many rows it has."""
        random = self.random
        first = self.relation(around, [])
        node, relations, size = first.node, [first], first.size
        for _ in range(random.choice([0, 0, 0, 1, 1, 2, 3])):
            node, size = self.join(node, relations, size, around)
        return node, [column for relation in relations for column in relation.columns], size

    def join(self, left, relations, size, around):
        random = self.random
        lateral = self.chance(0.1) and around.depth < 2 and size <= 200
        known = [column for relation in relations for column in relation.columns]
        right = self.lateral(around, known) if lateral else self.relation(around, relations)
        kinds = ["JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN"]
        if not lateral:
            kinds += ["RIGHT JOIN", "FULL JOIN", "CROSS JOIN", "USING"]
        kind = random.choice(kinds)
        pairs = size * right.size
        scope = Scope(known + right.columns, [] if lateral else around.all_columns(), pairs, around.depth + 1)
        scope.allows_subqueries = self.chance(0.15) and pairs <= 5000
        relations.append(right)
        if kind == "CROSS JOIN" and pairs <= PAIRS_MAX:
            return Node([left, " CROSS JOIN ", right.node]), pairs
        equality = self.equality(known, right.columns)
        if kind == "USING":
            names = {c.name.split(".")[1]: c for c in known if "." in c.name}
            common = [c.name.split(".")[1] for c in right.columns
                      if c.name.split(".")[1] in names and names[c.name.split(".")[1]].type == c.type]
            if common and len(relations) == 2:
                count = min(len(common), random.choice([1, 1, 2]))
                chosen = random.sample(common, count)
                if pairs > 3 * PAIRS_MAX and "id" in common:
                    chosen = ["id"]
                how = random.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
                return Node([left, f" {how} ", right.node, f" USING ({', '.join(chosen)})"]), max(size, right.size)
            kind = "LEFT JOIN"
        needs_equality = kind == "FULL JOIN" or pairs > PAIRS_MAX
        if equality is not None and not equality.is_key:
            rows, needs_key = pairs // 3, pairs // 3 > PAIRS_MAX
            if needs_key:
                equality = None
        else:
            rows = max(size, right.size) * 2
        if kind == "CROSS JOIN":
            kind = "JOIN"
        if (needs_equality or self.chance(0.75)) and equality is not None:
            condition = [equality]
            if self.chance(0.35) and kind != "FULL JOIN":
                condition.append(optional(" AND ", self.value("bool", scope, 2)))
        elif needs_equality:
            condition = ["true"] if pairs <= PAIRS_MAX else [
                f"{known[0].name} IS NULL AND {right.columns[0].name} IS NULL"]
        else:
            condition = [self.value("bool", scope, 2)]
        return Node([left, f" {kind} ", right.node, " ON ", *condition]), rows if equality is not None else pairs

    def equality(self, left, right):
        matches = [(a, b) for a in left for b in right if a.type == b.type]
        if not matches:
            return None
        keys = [(a, b) for a, b in matches if a.is_key or b.is_key or a.magnitude == 100]
        a, b = self.random.choice(keys if keys and self.chance(0.7) else matches)
        text = f"{a.name} + 0 = {b.name}" if a.type in NUMBERS and self.chance(0.15) else f"{a.name} = {b.name}"
        return Equality(text, a.is_key or b.is_key)

    def relation(self, around, siblings):
        random = self.random
        alias = self.alias()
        size_max = PAIRS_MAX if around.depth == 0 and not siblings else 3000 if not around.outer else 100
        choice = random.random()
        if self.common_tables and choice < 0.3:
            name, columns, size = random.choice(self.common_tables)
            if size <= size_max:
                return Relation(Node([f"{name} AS {alias}"]), alias,
                                [Column(f"{alias}.{c}", type) for c, type in columns], size)
        if choice < 0.42 and around.depth < 2:
            types = [self.some_type() for _ in range(random.choice([1, 2, 3]))]
            body, size = self.query_of(types, Scope([], depth=around.depth + 1))
            names = [f"c{i}" for i in range(len(types))]
            return Relation(Node(["(", body, f") AS {alias}({', '.join(names)})"]), alias,
                            [Column(f"{alias}.{n}", t) for n, t in zip(names, types)], size)
        if choice < 0.44:
            values = self.value("int4s" if self.chance(0.5) else "texts", Scope([], around.outer, depth=9), 1)
            type = "int4" if values.type == "int4s" else "text"
            return Relation(Node(["unnest(", values, f") WITH ORDINALITY AS {alias}(u, n)"]), alias,
                            [Column(f"{alias}.u", type), Column(f"{alias}.n", "int8", is_key=True)], 4)
        if choice < 0.45:
            values = self.value("jsonb", Scope([], around.outer, depth=9), 1)
            case = Node(["CASE jsonb_typeof(", str(values), ") WHEN 'array' THEN ", str(values), " ELSE '[1, null]' END"])
            return Relation(Node(["jsonb_array_elements(", case, f") WITH ORDINALITY AS {alias}(u, n)"]), alias,
                            [Column(f"{alias}.u", "jsonb"), Column(f"{alias}.n", "int8", is_key=True)], 4)
        if choice < 0.455:
            lists = [self.value(type, Scope([], around.outer, depth=9), 1) for type in ("int4s", "texts")]
            return Relation(Node(["unnest(", lists[0], ", ", lists[1], f") WITH ORDINALITY AS {alias}(u, v, n)"]), alias,
                            [Column(f"{alias}.u", "int4"), Column(f"{alias}.v", "text"),
                             Column(f"{alias}.n", "int8", is_key=True)], 4)
        if choice < 0.46:
            step, zone = random.choice([("6 hours", ""), ("1 day", ""), ("1 month", "tz"), ("1 day", "tz")])
            kind = f"timestamp{zone}"
            return Relation(Node([f"generate_series('2020-03-20'::{kind}, '2020-04-02'::{kind}, INTERVAL '{step}') "
                                  f"AS {alias}(g)"]), alias, [Column(f"{alias}.g", kind, is_key=True)], 60)
        if choice < 0.48:
            stop = random.choice([0, 1, 5, 20])
            return Relation(Node([f"generate_series(1, {stop}) AS {alias}(g)"]), alias,
                            [Column(f"{alias}.g", "int4", magnitude=20, is_key=True)], stop)
        table = random.choice([t for t in self.tables if t.size <= size_max] or self.tables[:3])
        columns = [Column(f"{alias}.{c.name}", c.type, c.magnitude, c.is_key) for c in table.columns]
        return Relation(Node([f"{table.name} AS {alias}"]), alias, columns, table.size)

    def lateral(self, around, known):
        alias = self.alias()
        scope = Scope([], known, depth=around.depth + 1)
        types = [self.some_type() for _ in range(self.random.choice([1, 2]))]
        body, size = self.query_of(types, scope)
        names = [f"c{i}" for i in range(len(types))]
        return Relation(Node(["LATERAL (", body, f") AS {alias}({', '.join(names)})"]), alias,
                        [Column(f"{alias}.{n}", t) for n, t in zip(names, types)], max(size, 1))

    # Sub-queries in expressions

    def inner(self, scope):
        """The scope of a sub-query, or None if there are too many rows or levels."""
        if scope.depth >= 3:
            return None
        return Scope([], scope.all_columns() if scope.size <= 200 and self.chance(0.7) else [], depth=scope.depth)

    def scalar_subquery(self, type, scope):
        inner = self.inner(scope)
        if inner is None:
            return None
        relation, columns, size = self.from_clause(inner)
        rows = Scope(columns, inner.outer, size, inner.depth + 1)
        where = optional(" WHERE ", self.value("bool", rows, 2)) if self.chance(0.7) else ""
        call = self.aggregate(type, rows) if self.chance(0.6) else None
        if call is not None:
            return expression(type, "(", query("SELECT ", call, " FROM ", relation, where), ")")
        order = self.total_order(rows)
        if order is None:
            return None
        if type in ("int4s", "texts") and self.chance(0.6):
            self.is_common = False
            output = self.value("int4" if type == "int4s" else "text", rows, 2)
            return expression(type, "ARRAY(", query("SELECT ", output, " FROM ", relation, where, " ORDER BY ", order,
                                                    " LIMIT 3"), ")")
        output = self.value(type, rows, 2)
        return expression(type, "(", query("SELECT ", output, " FROM ", relation, where, " ORDER BY ", order,
                                           " LIMIT 1"), ")")

    def predicate_subquery(self, scope):
        inner = self.inner(scope)
        if inner is None:
            return None
        form = self.random.random()
        negation = self.random.choice(["", "NOT "])
        if form < 0.4:
            body, _ = self.query_of([self.some_type()], inner)
            return expression("bool", f"({negation}EXISTS (", body, "))")
        type = self.random.choice([c.type for c in scope.columns] or ["int4"])
        left = self.value(type, scope, 1)
        if form < 0.5:
            second = self.some_type()
            self.is_common = False
            body, _ = self.query_of([type, second], inner)
            return expression("bool", "((", left, ", ", self.value(second, scope, 1), f") {negation}IN (", body, "))")
        body, _ = self.query_of([type], inner)
        if form < 0.8:
            return expression("bool", "(", left, f" {negation}IN (", body, "))")
        operator = self.random.choice(["=", "<>", "<", "<=", ">", ">="])
        quantifier = self.random.choice(["ANY", "ALL", "SOME"])
        return expression("bool", "(", left, f" {operator} {quantifier} (", body, "))")
