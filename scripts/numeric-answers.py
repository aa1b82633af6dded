#!/usr/bin/env python3
"""Maintainer tool: writes Fixtures/functions/numeric.tsv, PostgreSQL's answers to random arithmetic of numerics.

usage: numeric-answers.py [ROWS] [SEED]     (PostgreSQL at $PGHOST, $PGPORT, $PGDATABASE)

Each line: operation, operands, and the answer or the SQLSTATE of the error behind "!".
"""
import os
import random
import sys
from psycopg import pq

rows = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
random.seed(int(sys.argv[2]) if len(sys.argv) > 2 else 15)


def number(digits=None, positive=False):
    if not positive and random.random() < 0.03:
        return random.choice(["NaN", "Infinity", "-Infinity", "0", "0.000", "1", "-1"])
    count = digits or random.choice([1, 2, 3, 5, 8, 12, 17, 19, 20, 25, 38, 39, 60, 120])
    text = "".join(random.choice("0123456789") if random.random() < 0.8 else random.choice("09") for _ in range(count))
    text = text.lstrip("0") or "7"
    scale = random.choice([0, 0, 1, 2, 4, 9, 16, count, count + 3, 30])
    if scale:
        text = text.rjust(scale + 1, "0")
        text = text[:-scale] + "." + text[-scale:]
    return text if positive or random.random() < 0.6 else "-" + text


def small(positive=False):
    text = f"{random.uniform(0.0001, 50):.{random.choice([0, 1, 3, 8, 15])}f}"
    return text if positive or random.random() < 0.6 else "-" + text


binary = {"+": 4, "-": 4, "*": 4, "/": 8, "%": 3, "div": 2, "compare": 3, "gcd": 1}
unary = {"sqrt": 3, "ln": 3, "log": 2, "exp": 2, "trim_scale": 1, "ceil": 1, "floor": 1, "float8": 2, "int8": 1}
other = {"power": 5, "logarithm": 2, "round": 3, "trunc": 2}
names = [name for table in (binary, unary, other) for name, weight in table.items() for _ in range(weight)]
forms = {"compare": "CASE WHEN {0} < {1} THEN -1 WHEN {0} = {1} THEN 0 ELSE 1 END", "float8": "{0}::float8", "int8": "{0}::int8",
         "logarithm": "log({0}, {1})"}

info = f"host={os.environ.get('PGHOST', '/tmp')} port={os.environ.get('PGPORT', '5432')} user=postgres dbname={os.environ.get('PGDATABASE', 'postgres')}"
connection = pq.PGconn.connect(info.encode())
connection.exec_(b"SET statement_timeout='5s'")
lines = []
while len(lines) < rows:
    name = random.choice(names)
    if name in binary:
        arguments = [number(), number()]
        if name == "compare" and random.random() < 0.3:
            arguments[1] = arguments[0] + ("00" if "." in arguments[0] else "") if arguments[0][-1].isdigit() else arguments[0]
    elif name in ("round", "trunc"):
        arguments = [number(), str(random.randint(-25, 40))]
    elif name == "power":
        kind = random.random()
        arguments = [number(random.choice([1, 3, 8]), True), str(random.randint(-12, 30))] if kind < 0.5 else [small(True), small()]
    elif name == "logarithm":
        arguments = [small(True), number(None, True)]
    elif name == "exp":
        arguments = [small() if random.random() < 0.9 else number(2)]
    elif name in ("sqrt", "ln", "log"):
        arguments = [number(None, random.random() < 0.97)]
    else:
        arguments = [number()]
    typed = [f"'{argument}'::numeric" for argument in arguments]
    if name in ("round", "trunc"):
        typed[1] = arguments[1]
    form = forms.get(name) or (f"{{0}} {name} {{1}}" if name in "+-*/%" else f"{name}({', '.join('{%d}' % i for i in range(len(arguments)))})")
    result = connection.exec_(("SELECT " + form.format(*typed)).encode())
    if result.status == pq.ExecStatus.TUPLES_OK:
        answer = result.get_value(0, 0).decode()
    else:
        answer = "!" + result.error_field(pq.DiagnosticField.SQLSTATE).decode()
    if len(answer) < 1500:
        lines.append("\t".join([name, *arguments, answer]))
root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
with open(os.path.join(root, "Fixtures/functions/numeric.tsv"), "w") as file:
    file.write("\n".join(lines) + "\n")
