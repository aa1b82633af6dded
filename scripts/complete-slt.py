#!/usr/bin/env python3
"""Maintainer tool: fills the expectations of SQL scripts with what PostgreSQL answers.

usage: complete-slt.py FILE.slt...(PostgreSQL on the unix socket of $PGHOST and $PGPORT; collation C, character types C.UTF-8, time zone UTC)

Every `query` gets its rows and every `statement error ?` its SQLSTATE. A record behind a comment line that begins with
"# own" is left alone: PostgreSQL does not have the construct. Each file runs in a schema of its own.
"""
import os
import re
import sys
from psycopg import pq


def text(value):
    if value is None:
        return "NULL"
    value = value.decode()
    return value.replace("\n", "\\n").replace("\t", "\\t") if value else "(empty)"


def complete(path):
    info = f"host={os.environ.get('PGHOST', '/tmp')} port={os.environ.get('PGPORT', '5432')} user=postgres dbname={os.environ.get('PGDATABASE', 'postgres')}"
    connection = pq.PGconn.connect(info.encode())
    connection.exec_(b"SET client_min_messages=error; DROP SCHEMA IF EXISTS script CASCADE; CREATE SCHEMA script; "
                     b"SET search_path=script; SET statement_timeout='5s'")
    lines = open(path).read().split("\n")
    if any(line.startswith("store ") for line in lines):
        print(f"{path}: left alone, it is about a store beside the engine")
        return 0
    output, position, own = [], 0, False
    problems = 0
    while position < len(lines):
        line = lines[position]
        if not line or line.startswith("#"):
            own = line.startswith("# own") or (own and line != "")
            output.append(line)
            position += 1
            continue
        header, sql = line, []
        position += 1
        start = position
        while position < len(lines) and lines[position] not in ("", "----"):
            sql.append(lines[position])
            position += 1
        rows = []
        if position < len(lines) and lines[position] == "----":
            position += 1
            while position < len(lines) and lines[position]:
                rows.append(lines[position])
                position += 1
        if not own:
            result = connection.exec_("\n".join(sql).encode())
            failed = result.status not in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)
            state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode() if failed else None
            if header.startswith("statement error"):
                if not failed:
                    print(f"{path}:{start}: PostgreSQL succeeds: {' '.join(sql)}")
                    problems += 1
                else:
                    if header.split()[2] not in ("?", state):
                        print(f"{path}:{start}: was {header}, PostgreSQL gives {state}")
                    header = f"statement error {state}"
            elif failed:
                print(f"{path}:{start}: PostgreSQL fails {state}: {result.error_message.decode().strip()}: {' '.join(sql)}")
                problems += 1
            elif header.startswith("query"):
                rows = ["\t".join(text(result.get_value(r, c)) for c in range(result.nfields)) for r in range(result.ntuples)]
                if "rowsort" in header.split():
                    rows.sort()
        output.append(header)
        output += sql
        if header.startswith("query"):
            output.append("----")
            output += rows
        own = False
    open(path, "w").write("\n".join(output))
    return problems


sys.exit(1 if sum(complete(path) for path in sys.argv[1:]) else 0)
