"""A PostgreSQL of our own: made in a temporary directory on a free port, filled from a Parquet file, and removed."""

import glob
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from suite_support import engines, wire

ACCOUNT = "postgres"

# What a server on this machine would be given for one table that fits into memory; nothing here needs to last.
SETTINGS = ["shared_buffers=2GB", "fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off",
            "max_wal_size=8GB", "wal_level=minimal", "max_wal_senders=0", "listen_addresses=127.0.0.1",
            "unix_socket_directories="]


class Missing(Exception):
    """There is no PostgreSQL, or it does not start."""


def add_arguments(parser):
    parser.add_argument("--postgres", help="directory of PostgreSQL's programs (the newest of /usr/lib/postgresql/*/bin)")


def programs(wanted):
    found = [wanted] if wanted else sorted(
        glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: float(path.split("/")[4]))
    if not found or not (pathlib.Path(found[-1]) / "initdb").exists():
        raise Missing("there is no initdb; name the directory of PostgreSQL's programs with --postgres")
    return pathlib.Path(found[-1])


class PostgreSQL:
    """Use as a context. PostgreSQL refuses to run as root, so then its own account runs it."""

    def __init__(self, directory=None):
        self.programs = programs(directory)
        self.user = {"user": ACCOUNT, "group": ACCOUNT} if os.geteuid() == 0 else {}

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="bench-postgres-")
        self.process = None
        try:
            if self.user:
                shutil.chown(self.directory, ACCOUNT, ACCOUNT)
            self.data = os.path.join(self.directory, "data")
            subprocess.run(
                [self.programs / "initdb", "-D", self.data, "-U", ACCOUNT, "-A", "trust", "-E", "UTF8", "--locale=C"],
                check=True, capture_output=True, cwd=self.directory, **self.user)
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        options = [part for setting in SETTINGS for part in ("-c", setting)]
        with open(os.path.join(self.directory, "log"), "wb") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.data, "-p", str(self.port), *options],
                stdout=log, stderr=log, cwd=self.directory, **self.user)
        deadline = time.monotonic() + 60
        while True:
            try:
                self.version = self.connect().query("SHOW server_version").rows()[0][0]
                return
            except (OSError, wire.ServerError) as error:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    log = pathlib.Path(self.directory, "log").read_text()[-500:]
                    raise Missing(f"PostgreSQL does not start: {error}; {log}") from None
                time.sleep(0.1)

    def connect(self, timeout=600):
        return wire.Connection("127.0.0.1", self.port, ACCOUNT, ACCOUNT, timeout)

    @property
    def dsn(self):
        """For libpq."""
        return f"host=127.0.0.1 port={self.port} user={ACCOUNT} dbname={ACCOUNT}"

    def clock(self, connection):
        """The time on processors, as a function, of the process that serves a connection."""
        process_id = int(connection.query("SELECT pg_backend_pid()").rows()[0][0])
        return lambda: engines.processor_seconds(process_id)

    def load(self, table, parquet, key=None):
        """Makes a table of a Parquet file's rows, by a CSV file that is removed again."""
        import duckdb
        source = duckdb.connect()
        path = str(parquet).replace("'", "''")
        columns = source.execute(f"DESCRIBE SELECT * FROM read_parquet('{path}')").fetchall()
        # What the names of types differ in; the rest is called the same.
        names = {"VARCHAR": "text", "DOUBLE": "double precision"}
        connection = self.connect(timeout=None)
        listed = ", ".join(f"{column[0]} {names.get(column[1], column[1])} NOT NULL" for column in columns)
        connection.query(f"CREATE TABLE {table} ({listed})")
        file = os.path.join(self.directory, f"{table}.csv")
        source.execute(f"COPY (SELECT * FROM read_parquet('{path}')) TO '{file}' (FORMAT csv, HEADER false)")
        os.chmod(file, 0o644)
        connection.query(f"COPY {table} FROM '{file}' (FORMAT csv)")
        os.remove(file)
        if key:
            connection.query(f"ALTER TABLE {table} ADD PRIMARY KEY ({key})")
        connection.query(f"VACUUM (FREEZE, ANALYZE) {table}")
        connection.close()

    def __exit__(self, *_):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
