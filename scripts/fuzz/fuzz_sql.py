#!/usr/bin/env python3
"""Differential fuzzer: random typed queries, answered by Martlet and by PostgreSQL. README.md says how to read it.

usage: fuzz_sql.py [--count N] [--seed S] [--martlet BINARY] [--shapes standalone,cluster] [--postgres DSN]
"""
import argparse
import collections
import os
import pathlib
import random
import re
import shutil
import signal
import sys
import time

import differences
from compare import difference
from duck import Duck
from queries import QueryGenerator
from servers import Answer, Server, ServerHung, ServerLost, start_martlet, start_postgres
from scalars import TYPES
from tables import random_tables
from tree import Reducer

#: Share of statements that change rows, each in a transaction that is rolled back.
MODIFYING_SHARE = 0.06
QUERIES_PER_DATABASE = 1000
#: Longer answers are not compared: the time is better spent on other queries.
ROWS_MAX = 20_000
#: Share of queries that may raise errors.
FAILING_SHARE = 0.15

#: Ways of running a query that must not change its rows; `--vary` takes one for each query.
VARIATIONS = [
    ("debug.batch_size", "1"), ("debug.batch_size", "3"), ("debug.vector_encoding", "dictionary"),
    ("debug.vector_encoding", "constant"), ("debug.join_distribution", "broadcast"),
    ("debug.join_distribution", "partitioned"), ("debug.disabled_rules", "SimplifyExpressions"),
    ("debug.disabled_rules", "MergeProjects"), ("debug.disabled_rules", "SimplifyOuterJoins"),
    ("debug.disabled_rules", "PushDownPredicates"), ("debug.disabled_rules", "PruneColumns"),
    ("debug.disabled_rules", "PushDownLimits"), ("debug.disabled_rules", "ReorderJoins"),
]

#: Zones of the databases' sessions, in turn.
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]

#: Types that Parquet files hold as text, and those that they give back as text.
AS_TEXT, AS_OTHER = ["interval", "int4s", "texts", "big", "timetz", "jsonb"], ["varchar", "char"]


def loose(types):
    """Character types taken as one."""
    return [25 if type in (25, 1042, 1043) else 1009 if type in (1009, 1014, 1015) else type for type in types]


class Finding:
    def __init__(self, shape, identity, text, original, kind, reference, answer):
        self.shape = shape
        self.identity = identity
        self.text = text
        self.original = original
        self.kind = kind
        self.reference = reference
        self.answer = answer
        self.count = 1


class Fuzzer:
    def __init__(self, options):
        self.options = options
        self.counts = collections.Counter()
        self.unsupported = collections.Counter()
        self.findings = {}
        self.seen = collections.Counter()
        self.postgres = (Server("postgres", options.postgres) if options.postgres
                         else start_postgres(options.postgres_binaries))
        self.martlets = [start_martlet(options.martlet, shape) for shape in options.shapes.split(",")]
        self.duck = Duck() if options.duckdb else None
        self.settings = [f"SET {setting}" for setting in options.set]
        self.variation = None
        self.schema = None
        self.is_reducing = False

    def stop(self):
        for server in self.martlets:
            server.stop()
        if self.schema:
            self.postgres.ask(f"DROP SCHEMA {self.schema} CASCADE")
        self.postgres.stop()

    # Databases

    def load(self, number):
        self.tables = random_tables(random.Random(f"{self.options.seed}:{number}"))
        # Other runs may use the same server.
        if self.schema:
            self.postgres.must(f"DROP SCHEMA {self.schema} CASCADE")
        self.zone = ZONES[number % len(ZONES)]
        self.schema = schema = f"fuzz_{os.getpid()}_{number}"
        self.postgres.prepare("SET client_min_messages=error", "SET statement_timeout='1s'", f"SET timezone='{self.zone}'",
                              f"CREATE SCHEMA IF NOT EXISTS {schema}", f"SET search_path={schema}")
        for statement in self.statements():
            self.postgres.must(statement)
        self.postgres.must("SET statement_timeout=0")
        self.postgres.must(f"ANALYZE {', '.join(table.name for table in self.tables)}")
        self.postgres.must("SET statement_timeout='1s'")
        if self.duck is not None:
            self.duck.load(self.tables, self.zone)
        for index in range(len(self.martlets)):
            self.load_martlet(index)

    def statements(self):
        for table in self.tables:
            yield from table.statements()

    def load_martlet(self, index):
        server = self.martlets[index]
        self.variation = None
        server.prepare("SET statement_timeout='20s'", f"SET timezone='{self.zone}'", *self.settings)
        for table in self.tables:
            for kind in ("VIEW", "TABLE"):
                if not server.ask(f"DROP {kind} IF EXISTS {table.name}").failed:
                    break
        for statement in self.statements():
            server.must(statement)
        if self.options.storage == "parquet":
            for table in self.tables:
                self.move_to_files(server, table)

    @staticmethod
    def move_to_files(server, table):
        """The table becomes a view over Parquet files, a few for a large one: then scans have splits and statistics."""
        directory = f"{server.directory}/{table.name}"
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        stored = [f"{column.name}::text AS {column.name}" if column.type in AS_TEXT else column.name
                  for column in table.columns]
        for part in range(3 if table.size > 5 else 1):
            rows = f" WHERE id % 3 = {part}" if table.size > 5 else ""
            server.must(f"COPY (SELECT {', '.join(stored)} FROM {table.name}{rows}) "
                        f"TO '{directory}/{part}.parquet' (FORMAT parquet)")
        server.must(f"DROP TABLE {table.name}")
        read = [f"{column.name}::{TYPES[column.type].sql} AS {column.name}" if column.type in AS_TEXT + AS_OTHER
                else column.name for column in table.columns]
        server.must(f"CREATE VIEW {table.name} AS SELECT {', '.join(read)} FROM '{directory}/*.parquet'")

    def revive(self, index):
        """A server that fell is started again."""
        old = self.martlets[index]
        alive = all(process.poll() is None for process in old.processes)
        if alive and old.processes:
            try:
                old.connect()
                return
            except ServerLost:
                pass
        old.stop()
        self.martlets[index] = old.restart()
        self.load_martlet(index)

    # Queries

    def ask_martlet(self, index, sql):
        try:
            return self.martlets[index].ask(sql)
        except ServerHung:
            for process in self.martlets[index].processes:
                process.kill()
            self.revive(index)
            return Answer(state="HANG", message="no answer")
        except ServerLost:
            directory = self.martlets[index].directory
            logs = "".join(path.read_text(errors="replace")[-600:] for path in pathlib.Path(directory).glob("*.err"))
            self.revive(index)
            match = re.search(r"Fatal error[^\n]*|[^\n]*rror:[^\n]*", logs)
            return Answer(state="CRASH", message=match.group(0) if match else "connection lost")

    def compare(self, index, sql, is_ordered, may_fail):
        """The difference, if it is one to report, with both answers."""
        reference = self.postgres.ask(sql)
        if reference.state == "57014":
            self.counts["too slow for the reference"] += 1
            return None
        if reference.failed and reference.state[:2] == "42":
            self.counts["not a valid query"] += 1
            return None
        if not reference.failed and len(reference.rows) > ROWS_MAX:
            self.counts["too many rows"] += 1
            return None
        answer = self.ask_martlet(index, sql)
        kind = difference(reference, answer, is_ordered, self.options.strict_numeric)
        if kind is None:
            return None
        if kind.startswith("types") and loose(reference.types) == loose(answer.types):
            self.counts["character types"] += 1
            return None
        if answer.state == "0A000":
            self.unsupported[answer.message] += 1
            return None
        if may_fail and (kind.startswith("error 2") or kind.startswith("no-error 2") or (
                kind.startswith("error-class 2") and answer.state[0] == "2")):
            self.counts["evaluation order"] += 1
            if self.options.show_order and not self.is_reducing:
                print(f"\n== evaluation order: {kind}\n{sql};")
            if not self.options.report_order:
                return None
        if any(re.search(pattern, kind) for pattern in self.options.ignore):
            self.counts["ignored"] += 1
            return None
        entry = differences.known(sql, kind, reference, answer)
        if entry is not None:
            self.counts[f"known: {entry.name}"] += 1
            return None
        return kind, reference, answer

    def vary(self, variation):
        """Lets the sessions run the next queries in another way."""
        for server in self.martlets:
            if self.variation is not None:
                server.must(f"RESET {self.variation[0]}")
            server.preparation = server.preparation[:2 + len(self.settings)]
            if variation is not None:
                statement = f"SET {variation[0]} = '{variation[1]}'"
                server.must(statement)
                server.preparation.append(statement)
        self.variation = variation

    def run_one(self, number, position):
        identity = f"{self.options.seed}:{number}:{position}"
        source = random.Random(identity)
        may_fail = source.random() < FAILING_SHARE
        generator = QueryGenerator(source, self.tables, may_fail)
        try:
            if self.options.storage == "memory" and source.random() < MODIFYING_SHARE:
                tree, is_ordered = generator.modification(), False
            else:
                tree, _, is_ordered = generator.statement()
        except RecursionError:
            return
        sql = str(tree)
        if len(sql) > 12000:
            return
        if self.options.vary:
            self.vary(source.choice([None] * 4 + VARIATIONS))
        self.counts["queries"] += 1
        if self.options.verbose:
            print(f"-- {identity}\n{sql};", flush=True)
        for index, server in enumerate(list(self.martlets)):
            found = self.compare(index, sql, is_ordered, may_fail)
            if found is None and index == 0 and self.duck is not None and generator.is_common and not may_fail:
                self.count_duck(sql)
            if found is not None:
                self.found(index, identity, tree, sql, is_ordered, may_fail, found)
                break

    def count_duck(self, sql):
        """How often DuckDB agrees where Martlet and PostgreSQL do: how much its word is worth."""
        rows = self.duck.rows(sql)
        if rows is not None:
            agrees = self.duck.agrees(rows, self.postgres.ask(sql))
            self.counts["DuckDB agrees" if agrees else "DuckDB alone differs"] += 1

    def found(self, index, identity, tree, sql, is_ordered, may_fail, found):
        kind, reference, answer = found
        self.counts["differences"] += 1
        # Errors with one message are mostly one defect: a few of them are reduced, the rest counted.
        self.seen[kind] += 1
        limit = 2 if kind.startswith(("error", "no-error")) else self.options.reduce_max
        if self.seen[kind] > limit:
            return
        family = kind.split(" ")[0]

        def persists(text):
            again = self.compare(index, text, False if family != "order" else is_ordered, may_fail)
            if again is None:
                return False
            return again[0] == kind if family in ("error", "no-error") else again[0].split(" ")[0] == family

        if answer.state == "HANG":
            # Each attempt would take as long again.
            finding = Finding(self.martlets[index].name, identity, sql, sql, *found)
            self.findings[identity] = finding
            self.report(finding)
            return
        before = self.counts.copy()
        self.is_reducing = True
        Reducer(persists, self.options.reduce_attempts).reduce(tree)
        self.is_reducing = False
        self.counts = before
        small = str(tree)
        final = self.compare(index, small, is_ordered, may_fail) or found
        signature = self.signature(final[0], small)
        finding = self.findings.get(signature)
        if finding is not None:
            finding.count += 1
            return
        shape = self.martlets[index].name
        if self.variation is not None:
            shape += " with " + " = ".join(self.variation)
        finding = Finding(shape, identity, small, sql, *final)
        self.findings[signature] = finding
        self.report(finding)

    @staticmethod
    def signature(kind, sql):
        """Findings with the same words are the same finding."""
        words = re.findall(r"[A-Za-z_]{2,}|[<>=~|&#@+*/%-]+", re.sub(r"'(?:[^']|'')*'", "", sql))
        skip = {"AS", "SELECT", "FROM"}
        return (kind.split(" ")[0], tuple(sorted({w for w in words if w not in skip and not re.match(r"[rtcw]\d", w)})))

    def report(self, finding):
        print(f"\n== {finding.kind}\n-- {finding.shape}, query {finding.identity}\n{finding.text};")
        for name, answer in (("PostgreSQL", finding.reference), ("Martlet", finding.answer)):
            if answer.failed:
                print(f"-- {name}: {answer.state} {answer.message}")
            else:
                print(f"-- {name}: {len(answer.rows)} rows: {sorted(answer.rows, key=str)[:4]}"[:600])
        rows = self.duck.rows(finding.text) if self.duck is not None else None
        if rows is not None:
            sides = [name for name, answer in (("PostgreSQL", finding.reference), ("Martlet", finding.answer))
                     if self.duck.agrees(rows, answer)]
            print(f"-- DuckDB: {len(rows)} rows, as {' and '.join(sides) or 'nobody else'}")
        sys.stdout.flush()
        if self.options.output:
            with open(self.options.output, "a") as file:
                file.write(f"== {finding.kind}\n-- {finding.shape} {finding.identity}\n{finding.text};\n"
                           f"-- original:\n{finding.original};\n\n")

    def run(self):
        options = self.options
        if options.only:
            number, position = map(int, options.only.split(":"))
            self.load(number)
            self.run_one(number, position)
            return
        started = time.time()
        for total in range(options.count):
            number, position = divmod(total, QUERIES_PER_DATABASE)
            if position == 0:
                self.load(number)
            if options.seconds and time.time() - started > options.seconds:
                break
            self.run_one(number, position)
            if total % 500 == 499:
                print(f"# {total + 1} queries, {self.counts['differences']} differences, "
                      f"{time.time() - started:.0f} s", flush=True)

    def summary(self):
        print("\n# " + ", ".join(f"{name}: {count}" for name, count in sorted(self.counts.items())))
        for message, count in self.unsupported.most_common(30):
            print(f"#   not supported, {count} times: {message}")
        for finding in sorted(self.findings.values(), key=lambda f: -f.count):
            print(f"#   {finding.count} x {finding.kind}: {finding.text[:200]}")
        for kind, count in self.seen.most_common(40):
            print(f"#   seen {count} x {kind}")
        print(f"# seed {self.options.seed}: {len(self.findings)} unexplained differences")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=0, help="stop after this time")
    parser.add_argument("--seed", default=None)
    parser.add_argument("--martlet", default=".build/debug/martlet")
    parser.add_argument("--shapes", default="standalone,cluster")
    parser.add_argument("--storage", choices=["memory", "parquet"], default="memory", help="where Martlet's tables are")
    parser.add_argument("--postgres", default=None, help="dsn of a PostgreSQL 15; without it, one is started")
    parser.add_argument("--postgres-binaries", default="/usr/lib/postgresql/15/bin")
    parser.add_argument("--only", default=None, help="DATABASE:QUERY of a finding, with its seed")
    parser.add_argument("--set", action="append", default=[], help="a setting of Martlet's sessions: name=value")
    parser.add_argument("--ignore", action="append", default=[], help="pattern of kinds that are not reported")
    parser.add_argument("--duckdb", action="store_true", help="DuckDB as a second witness (pip install duckdb)")
    parser.add_argument("--show-order", action="store_true", help="print what is counted as evaluation order")
    parser.add_argument("--report-order", action="store_true", help="report it, reduced, as other findings")
    parser.add_argument("--vary", action="store_true", help="run queries with other batches, encodings, joins, rules")
    parser.add_argument("--strict-numeric", action="store_true", help="numeric values as text, with their zeros")
    parser.add_argument("--reduce-attempts", type=int, default=500)
    parser.add_argument("--reduce-max", type=int, default=40, help="findings of one kind that are reduced")
    parser.add_argument("--output", default=None, help="file that findings are added to")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = str(int.from_bytes(os.urandom(4), "big"))
    print(f"# seed {options.seed}")
    sys.setrecursionlimit(5000)
    # In the background of a shell SIGINT is ignored; either way the servers are stopped.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    fuzzer = Fuzzer(options)
    try:
        fuzzer.run()
    except KeyboardInterrupt:
        pass
    finally:
        fuzzer.stop()
    fuzzer.summary()
    return 1 if fuzzer.findings else 0


if __name__ == "__main__":
    sys.exit(main())
