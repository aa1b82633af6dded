#!/usr/bin/env python3
"""Kills the program at each step of statements that write files, and looks at what readers see afterwards.

    scripts/check-crash-safety.py PROGRAM

A library that is loaded before the C library counts the calls that change directories or make files durable, and kills
the process (SIGKILL) before the n-th of them, for every n until the statement comes through. After each death CREATE TABLE
AS must have left no table or all of it, INSERT the rows of before or all of after, COPY no file or the whole one, and a
second attempt must succeed. Needs a C compiler; without one it says so and succeeds.
"""
import os, shutil, signal, subprocess, sys, tempfile

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
static int left = -1;
static void step(void) {
    if (left < 0) { const char *text = getenv("KILL_AT"); left = text ? atoi(text) : 0; }
    if (left > 0 && __sync_sub_and_fetch(&left, 1) == 0) kill(getpid(), SIGKILL);
}
#define STEP(result, name, parameters, arguments) \
    result name parameters { \
        static result (*real) parameters; \
        if (!real) real = (result (*) parameters)dlsym(RTLD_NEXT, #name); \
        step(); \
        return real arguments; \
    }
STEP(int, rename, (const char *a, const char *b), (a, b))
STEP(int, link, (const char *a, const char *b), (a, b))
STEP(int, unlink, (const char *a), (a))
STEP(int, mkdir, (const char *a, mode_t b), (a, b))
STEP(int, rmdir, (const char *a), (a))
STEP(int, fsync, (int a), (a))
"""

ROWS = 3000


def main():
    program = os.path.abspath(sys.argv[1])
    compiler = shutil.which("cc") or shutil.which("clang") or shutil.which("gcc")
    if not compiler:
        print("skipped: there is no C compiler")
        return 0
    failures = deaths = 0
    with tempfile.TemporaryDirectory() as directory:
        source, shim = os.path.join(directory, "shim.c"), os.path.join(directory, "shim.so")
        with open(source, "w") as file:
            file.write(SHIM)
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", source, "-o", shim, "-ldl"], check=True)
        data = os.path.join(directory, "data")

        def run(sql, kill_at=0):
            environment = dict(os.environ)
            if kill_at:
                environment.update(LD_PRELOAD=shim, KILL_AT=str(kill_at))
            return subprocess.run([program, "sql", "--data", data, "--format", "csv", "-c", sql], env=environment,
                                  capture_output=True, text=True)

        def count(what):
            result = run(f"SELECT count(*) FROM {what}")
            return int(result.stdout.split()[-1]) if result.returncode == 0 else None

        query = f"SELECT i, 'text ' || i AS s FROM generate_series(1, {ROWS}) AS g(i)"
        table, file = "data.public.t", f"'{directory}/out.parquet'"
        parts = f"'{directory}/parts'"
        cases = [
            ("CREATE TABLE AS", f"CREATE TABLE {table} AS {query}", "DROP TABLE " + table, table, {None, ROWS}, ROWS),
            ("INSERT", f"INSERT INTO {table} {query}", None, table, {ROWS, 2 * ROWS}, 2 * ROWS),
            ("DROP TABLE", f"DROP TABLE {table}", None, table, {None, 2 * ROWS}, None),
            ("COPY", f"COPY ({query}) TO {file}", None, file, {None, ROWS}, ROWS),
            ("COPY to a directory", f"COPY ({query}) TO {parts} (FORMAT parquet, PER_THREAD_OUTPUT)", None, parts,
             {None, ROWS}, ROWS),
        ]
        os.mkdir(data)
        for name, statement, _, what, allowed, after in cases:
            before = count(what)
            step = 0
            while True:
                step += 1
                result = run(statement, step)
                seen = count(what)
                if result.returncode == -signal.SIGKILL:
                    deaths += 1
                    if seen not in allowed:
                        failures += 1
                        print(f"{name}, killed at step {step}: {seen} rows")
                    if seen != before:
                        # It was done already: back to the beginning, as far as there is a next step.
                        break
                    continue
                if result.returncode != 0 or seen != after:
                    failures += 1
                    print(f"{name}: {seen} rows, {result.stderr.strip()}")
                break
            if count(what) != after:
                failures += 1
                print(f"{name}: ends with {count(what)} rows")
    print(f"{deaths} deaths, {failures} failures")
    return 1 if failures else 0


sys.exit(main())
