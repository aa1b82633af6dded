#!/usr/bin/env python3
"""Writes short random queries as records of an SQL script, for PostgreSQL to fill in (scripts/complete-slt.py).

usage: make_records.py SEED COUNT TOPIC > FILE.slt        TOPIC: joins, subqueries, grouping, windows, sets, expressions

The sample stays in the repository, so that every build answers it in every shape. Results have no floats and no numeric
values, whose last digits and zeros are compared elsewhere.
"""
import random
import re
import sys

from queries import QueryGenerator
from scalars import ALL
from tables import Column, Table, row

TOPICS = {
    "joins": r" JOIN .* JOIN | FULL JOIN | LATERAL | USING ",
    "subqueries": r"EXISTS|IN \(SELECT|ANY \(SELECT|ALL \(SELECT|SOME \(SELECT|\(SELECT [a-z]+\(",
    "grouping": r"GROUP BY|HAVING",
    "windows": r" OVER \(",
    "sets": r"UNION|INTERSECT|EXCEPT|DISTINCT ON",
    "expressions": r"^SELECT (?!.*(JOIN|OVER|GROUP|UNION|EXISTS)).* FROM t",
}
LENGTH_MAX = 330
ROWS_MAX = 40


def small_tables(source):
    """Tables of few rows, with a column or two of every type."""
    tables = []
    for index, size in enumerate([0, 1, 6, 12]):
        columns, makers = [Column("id", "int4", magnitude=5000, is_key=True)], [None]
        for type in ALL:
            values = type.small or type.values
            few = [values(source) for _ in range(4)]
            columns.append(Column(f"{type.name}_a", type.name, magnitude=100 if type.small else None))
            makers.append((values, 0.25, few))
        tables.append(Table(f"t{index}", columns, [row(source, number, makers) for number in range(size)]))
    return tables


def main():
    seed, count, topic = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    tables = small_tables(random.Random(seed))
    print(f"# A sample of random queries: {topic}. Made by scripts/fuzz/make_records.py {seed} {count} {topic}.\n")
    for table in tables:
        for statement in table.statements():
            print(f"statement ok\n{statement}\n")
    pattern, number, made, seen = re.compile(TOPICS[topic]), 0, 0, set()
    while made < count:
        number += 1
        generator = QueryGenerator(random.Random(f"{seed}:{topic}:{number}"), tables)
        tree, types, is_ordered = generator.statement()
        sql = str(tree)
        if len(sql) > LENGTH_MAX or not pattern.search(sql) or {"float4", "float8", "num"} & set(types) or sql in seen:
            continue
        if "generate_series(1, 20)" in sql or "\t" in sql:
            continue
        seen.add(sql)
        made += 1
        print(f"query{'' if is_ordered else ' rowsort'}\n{sql}\n----\n")


if __name__ == "__main__":
    main()
