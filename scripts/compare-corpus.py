#!/usr/bin/env python3
"""Maintainer tool: runs files of SQL test records on a server and on PostgreSQL side by side and compares the rows.

usage: compare-corpus.py --server DSN --reference DSN [--json FILE] [--include GLOB]... DIRECTORY...

What the records expect is not looked at: PostgreSQL says what is right, here and now. It is given only those statements that
the server took. So both hold the same tables whatever the server refused, a refusal has no echo in the queries behind it, and
every difference of rows is a wrong answer of one of the two. A statement that PostgreSQL then refuses is noted.

Files are of the sqllogictest family (*.slt, *.slt.part, *.test, *.pgslt): `statement` and `query` with SQL up to an empty line or
`----`; skipif, onlyif, connection, halt, mode, loop, foreach. In *.pgslt a line `\\b` within SQL is an empty line. Each file gets
an empty schema `corpus` and fresh sessions on both sides; what files create elsewhere (schemas, roles) is dropped behind them.
Take databases for it that nobody needs.

Differences are printed as they come, with the file's line, and summed up a directory; --json writes all of them.
"""
import argparse
import collections
import fnmatch
import json
import os
import pathlib
import re
import select
import sys
import time

from psycopg import pq

sys.path.insert(0, str(pathlib.Path(__file__).parent / "fuzz"))
from compare import difference  # noqa: E402
from servers import Answer  # noqa: E402

SUFFIXES = (".slt", ".slt.part", ".test", ".pgslt")
#: For skipif and onlyif.
ENGINES = {"postgresql", "postgres"}
#: Statements that only read may run on both sides at once: nothing has to be undone where the server refuses them.
READS = re.compile(r"\s*(select|values|table|with|\()", re.IGNORECASE)
CHANGES = re.compile(
    r"\b(into|insert|update|delete|merge|nextval|setval|set_config|pg_\w*lock\w*|share|lo_\w+|dblink\w*|pg_sleep|setseed)\b",
    re.IGNORECASE)
#: What these give differs between any two servers, or from call to call.
ENVIRONMENT = re.compile(
    r"\b(random|gen_random_uuid|version|pg_backend_pid|now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday|"
    r"current_timestamp|localtimestamp|current_time|localtime|current_date|current_user|session_user|user|current_role|"
    r"current_database|current_catalog|inet_server_port|inet_server_addr|inet_client_port|pg_postmaster_start_time|"
    r"txid_current|pg_current_xact_id|ctid|xmin|xmax|explain|show|oid|pg_size_pretty|pg_relation_size|pg_table_size|"
    r"pg_total_relation_size|pg_database_size|pg_column_size)\b", re.IGNORECASE)


class Record:
    def __init__(self, line, is_query, sql, connection):
        self.line = line
        self.is_query = is_query
        self.sql = sql
        self.connection = connection


class Halt(Exception):
    pass


class Reader:
    """The records of a file, loops unrolled."""

    LOOP_ROUNDS_MAX = 200

    def __init__(self, path):
        self.lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
        self.keeps_blanks = path.name.endswith(".pgslt")
        self.drops_hashes = path.name.endswith(".test")
        self.is_skipping = False

    def records(self):
        try:
            yield from self.block(0, len(self.lines), {})
        except Halt:
            return

    def block(self, position, end, variables):
        conditions, connection = [], None
        while position < end:
            words = self.lines[position].split()
            if not words or words[0].startswith(("#", "//")):
                position += 1
                continue
            word, start = words[0], position
            position += 1
            if word in ("skipif", "onlyif"):
                conditions.append((word, words[1:2], words[1:]))
            elif word == "connection":
                connection = words[1] if len(words) > 1 and words[1] != "default" else None
            elif word in ("statement", "query"):
                sql, position = self.text(position, end)
                position = self.behind_expectation(position, end)
                if not self.is_skipping and self.applies(conditions, variables):
                    named = self.connection_in_head(words)
                    yield Record(start + 1, word == "query", self.filled(sql, variables), connection or named)
                conditions, connection = [], None
            elif word in ("loop", "foreach", "concurrentloop", "concurrentforeach"):
                close = self.end_of_loop(position, end)
                if not word.startswith("concurrent"):
                    for values in self.rounds(words)[:self.LOOP_ROUNDS_MAX]:
                        yield from self.block(position, close, {**variables, **values})
                position = close + 1
                conditions = []
            elif word == "halt":
                if self.applies(conditions, variables):
                    raise Halt
                conditions = []
            elif word == "mode":
                if words[1:2] in (["skip"], ["unskip"]):
                    self.is_skipping = words[1] == "skip"
            elif word not in ("hash-threshold", "control", "subtest", "require", "sleep", "endloop"):
                # Whatever this asks for, its lines are no SQL.
                while position < end and self.lines[position].strip():
                    position += 1
                conditions = []

    def text(self, position, end):
        lines = []
        while position < end and self.lines[position].strip() not in ("", "----"):
            line = self.lines[position].rstrip("\r")
            if not (self.drops_hashes and line.startswith("#")):
                lines.append("" if self.keeps_blanks and line == "\\b" else line)
            position += 1
        return "\n".join(lines), position

    def behind_expectation(self, position, end):
        if position < end and self.lines[position].strip() == "----":
            while position < end and self.lines[position].strip():
                position += 1
        return position

    @staticmethod
    def connection_in_head(words):
        """`statement ok NAME` and `query TYPES NAME`; a sort mode or a number is no name."""
        if len(words) < 3 or words[1] == "error" or words[2] in ("nosort", "rowsort", "valuesort", "sort"):
            return None
        return words[2] if words[0] == "statement" and words[1] == "ok" and words[2].isidentifier() else None

    @staticmethod
    def applies(conditions, variables):
        for word, engine, text in conditions:
            comparison = re.fullmatch(r"(\w+)(=|<>|!=)(\S+)", "".join(text))
            if comparison:
                is_same = str(variables.get(comparison[1])) == comparison[3]
                holds = is_same == (comparison[2] == "=")
            else:
                holds = bool(engine) and engine[0].lower() in ENGINES
            if holds == (word == "skipif"):
                return False
        return True

    @staticmethod
    def filled(sql, variables):
        for name, value in variables.items():
            sql = sql.replace("${" + name + "}", value)
        return sql

    def end_of_loop(self, position, end):
        depth = 1
        while position < end:
            word = self.lines[position].split()[:1]
            if word and word[0] in ("loop", "foreach", "concurrentloop", "concurrentforeach"):
                depth += 1
            elif word == ["endloop"]:
                depth -= 1
                if depth == 0:
                    return position
            position += 1
        return end

    @staticmethod
    def rounds(words):
        if words[0] == "loop":
            return [{words[1]: str(number)} for number in range(int(words[2]), int(words[3]))]
        names = words[1].split(",")
        return [dict(zip(names, value.split(",") if len(names) > 1 else [value])) for value in words[2:]]


class Side:
    """One of the two servers: sessions by name, and what to clean up."""

    #: Seconds; the servers' own limit is shorter.
    WAIT_MAX = 60

    def __init__(self, dsn, seconds):
        self.dsn = dsn
        self.seconds = seconds
        self.sessions = {}

    def session(self, name):
        if name not in self.sessions:
            connection = pq.PGconn.connect(self.dsn.encode())
            if connection.status != pq.ConnStatus.OK:
                sys.exit(f"{self.dsn}: {connection.error_message.decode(errors='replace').strip()}")
            self.sessions[name] = connection
            for statement in ("SET client_min_messages = error", "SET TimeZone = 'UTC'", "SET search_path = corpus",
                              f"SET statement_timeout = '{self.seconds}s'"):
                connection.exec_(statement.encode())
        return self.sessions[name]

    def send(self, name, sql):
        self.session(name).send_query(sql.encode("utf-8", "surrogateescape"))

    def answer(self, name):
        """The last result, or the error."""
        connection = self.session(name)
        deadline = time.monotonic() + self.WAIT_MAX
        last = failure = None
        while True:
            while connection.is_busy():
                left = deadline - time.monotonic()
                if left <= 0:
                    self.forget(name)
                    return Answer(state="57014", message="no answer in time")
                select.select([connection.socket], [], [], left)
                connection.consume_input()
            result = connection.get_result()
            if result is None:
                break
            if result.status in (pq.ExecStatus.COPY_IN, pq.ExecStatus.COPY_BOTH):
                connection.put_copy_end(b"there is no data")
            elif result.status == pq.ExecStatus.COPY_OUT:
                while connection.get_copy_data(0)[0] > 0:
                    pass
            elif result.status in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK, pq.ExecStatus.EMPTY_QUERY):
                last = result
            else:
                failure = failure or result
        if connection.status != pq.ConnStatus.OK:
            self.forget(name)
            return Answer(state="08006", message="the connection broke")
        if failure is not None:
            field = failure.error_field
            return Answer(
                state=(field(pq.DiagnosticField.SQLSTATE) or b"?????").decode(),
                message=(field(pq.DiagnosticField.MESSAGE_PRIMARY) or failure.error_message).decode(errors="replace"))
        if last is None or last.status != pq.ExecStatus.TUPLES_OK:
            return Answer()
        columns = range(last.nfields)
        rows = [tuple(None if (value := last.get_value(row, column)) is None else value.decode(errors="replace")
                      for column in columns) for row in range(last.ntuples)]
        return Answer(rows, [last.ftype(column) for column in columns],
                      [(last.fname(column) or b"").decode(errors="replace") for column in columns])

    def ask(self, name, sql):
        self.send(name, sql)
        return self.answer(name)

    def transaction(self, name):
        return self.session(name).transaction_status

    def forget(self, name):
        self.sessions.pop(name).finish()

    def clean(self, left):
        """An empty schema, and nothing of what the file before left behind. No session keeps its settings."""
        for name in list(self.sessions):
            self.forget(name)
        self.ask(None, "DROP SCHEMA IF EXISTS corpus CASCADE")
        for kind, name in reversed(left):
            if kind == "ROLE":
                self.ask(None, f"DROP OWNED BY {name} CASCADE")
            self.ask(None, f"DROP {kind} IF EXISTS {name}" + (" CASCADE" if kind == "SCHEMA" else ""))
        self.ask(None, "CREATE SCHEMA corpus")
        self.forget(None)


class Comparison:
    def __init__(self, server, reference, verbose):
        self.server = server
        self.reference = reference
        self.verbose = verbose
        self.counts = collections.Counter()
        self.findings = []
        self.left = []

    def run(self, path, shown):
        for side in (self.server, self.reference):
            side.clean(self.left)
        self.left = []
        self.shown = shown
        for record in Reader(path).records():
            self.counts["records"] += 1
            self.take(record)

    def take(self, record):
        name, sql = record.connection, record.sql
        if READS.match(sql) and not CHANGES.search(sql):
            self.server.send(name, sql)
            self.reference.send(name, sql)
            answer, expected = self.server.answer(name), self.reference.answer(name)
            if answer.failed:
                # What PostgreSQL says to this is of no interest.
                expected = answer
        else:
            answer = expected = self.server.ask(name, sql)
            if not answer.failed:
                expected = self.reference.ask(name, sql)
        if answer.failed:
            self.counts["refused"] += 1
            self.counts[f"refused {answer.state}"] += 1
            if answer.state in ("08006", "57014") or answer.state.startswith("XX"):
                self.report(record, "failure", f"{answer.state} {answer.message}", None, None)
        elif expected.failed:
            self.report(record, "refused by the reference", f"{expected.state} {expected.message}", None, None)
        else:
            self.note_left(sql)
            self.compare(record, expected, answer)
        self.align(name)

    def compare(self, record, expected, answer):
        if expected.rows is None and answer.rows is None:
            self.counts["statements"] += 1
            return
        self.counts["queries"] += 1
        if expected.rows is None or answer.rows is None or len(expected.types) != len(answer.types):
            return self.report(record, "differ", "another number of columns", expected, answer)
        if expected.types != answer.types:
            self.counts["other types"] += 1
            answer.types = expected.types
        answer.names = expected.names
        try:
            found = difference(expected, answer, is_ordered=False, strict_numeric=True)
        except ValueError:
            found = "values" if expected.rows != answer.rows else None
        if found is None and expected.rows != answer.rows and not same_order(record.sql, expected, answer):
            found = "order"
        if found is None:
            self.counts["equal"] += 1
        elif ENVIRONMENT.search(record.sql):
            self.report(record, "of the environment", found, expected, answer)
        else:
            self.report(record, "differ", found, expected, answer)

    def align(self, name):
        """A block that failed on one side fails on the other as well, so that its end does the same to both."""
        failed, open_block = pq.TransactionStatus.INERROR, pq.TransactionStatus.INTRANS
        states = [(side, side.transaction(name)) for side in (self.server, self.reference)]
        for (_, state), (side, other) in (states, states[::-1]):
            if state == failed and other == open_block:
                side.ask(name, "SELECT 1 / 0")

    def note_left(self, sql):
        found = re.match(r"\s*create\s+(user|role|group|schema)\s+(?:if\s+not\s+exists\s+)?(\"[^\"]+\"|\w+)", sql, re.IGNORECASE)
        if found and found[2].lower() != "authorization":
            self.left.append(("SCHEMA" if found[1].lower() == "schema" else "ROLE", found[2]))

    def report(self, record, kind, what, expected, answer):
        self.counts[kind] += 1
        place = f"{self.shown}:{record.line}"
        only = (None, None)
        if expected is not None and expected.rows is not None and answer.rows is not None:
            mine, theirs = collections.Counter(expected.rows), collections.Counter(answer.rows)
            only = (list((mine - theirs).elements())[:3], list((theirs - mine).elements())[:3])
        self.findings.append({"record": place, "kind": kind, "what": what, "sql": record.sql[:2000],
                              "reference": only[0], "server": only[1]})
        if kind in ("differ", "failure") or self.verbose:
            print(f"{place}: {kind}: {what}\n    {' '.join(record.sql.split())[:400]}", flush=True)
            if only[0] is not None:
                print(f"    reference {str(only[0])[:300]}\n    server    {str(only[1])[:300]}", flush=True)


def same_order(sql, expected, answer):
    """Rows that tie may come in any order: compared are the leading sort keys that are columns of the result."""
    keys = sort_keys(sql, expected.names)
    if keys is None:
        return True
    return all([row[key] for row in expected.rows] == [row[key] for row in answer.rows] for key in keys[:1]) and \
        groups(expected.rows, keys) == groups(answer.rows, keys)


def groups(rows, keys):
    return [tuple(row[key] for key in keys) for row in rows]


def sort_keys(sql, names):
    """Indexes of the columns that the ORDER BY outside of all parentheses names first; None without one."""
    plain = re.sub(r"--[^\n]*|/\*.*?\*/", " ", sql, flags=re.DOTALL)
    plain = re.sub(r"'(?:[^']|'')*'", "''", plain)
    while (inner := re.sub(r"\([^()]*\)|\[[^\[\]]*\]", " \0 ", plain)) != plain:
        plain = inner
    found = re.split(r"\border\s+by\b", plain, flags=re.IGNORECASE)
    if len(found) == 1:
        return None
    tail = re.split(r"\b(?:limit|offset|fetch|for)\b|;", found[-1], maxsplit=1, flags=re.IGNORECASE)[0]
    keys = []
    for item in tail.split(","):
        item = re.sub(r"\b(asc|desc|nulls\s+(first|last))\b", "", item, flags=re.IGNORECASE).strip()
        item = item.split(".")[-1].strip()
        name = item[1:-1] if item.startswith('"') else item.lower()
        if item.isdigit() and 1 <= int(item) <= len(names):
            keys.append(int(item) - 1)
        elif names.count(name) == 1:
            keys.append(names.index(name))
        else:
            break
    return keys


def files(directory, patterns):
    for path in sorted(pathlib.Path(directory).rglob("*")):
        relative = str(path.relative_to(directory))
        if path.is_file() and path.name.endswith(SUFFIXES) and (
                not patterns or any(fnmatch.fnmatch(relative, pattern) for pattern in patterns)):
            yield path, relative


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--server", required=True, help="connection string of the server under test")
    arguments.add_argument("--reference", required=True, help="connection string of a PostgreSQL")
    arguments.add_argument("--include", action="append", default=[], help="only files whose path matches, e.g. 'random/*'")
    arguments.add_argument("--seconds", type=int, default=20, help="time limit of a statement")
    arguments.add_argument("--json", help="file for everything that was found")
    arguments.add_argument("--verbose", action="store_true", help="print also what is not counted as a difference")
    arguments.add_argument("directories", nargs="+")
    options = arguments.parse_args()

    server, reference = Side(options.server, options.seconds), Side(options.reference, options.seconds)
    everything, differences = {}, 0
    for directory in options.directories:
        started = time.monotonic()
        comparison = Comparison(server, reference, options.verbose)
        count = 0
        for path, relative in files(directory, options.include):
            comparison.run(path, relative)
            count += 1
        counts = comparison.counts
        differences += counts["differ"]
        name = os.path.basename(os.path.normpath(directory))
        print(f"{name}: {count} files, {counts['records']} records, {counts['queries']} queries compared: {counts['equal']} equal, "
              f"{counts['differ']} differ, {counts['of the environment']} differ by their nature; refused by the server "
              f"{counts['refused']}, by the reference alone {counts['refused by the reference']} "
              f"({time.monotonic() - started:.0f} s)", flush=True)
        everything[name] = {"counts": dict(counts), "findings": comparison.findings}
    for side in (server, reference):
        side.ask(None, "DROP SCHEMA IF EXISTS corpus CASCADE")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(everything, indent=1))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
