"""The engines that run the suites: DuckDB in this process, Martlet embedded, as a server, or as a cluster."""

import decimal
import json
import pathlib
import re
import subprocess
import tempfile
import time
import urllib.request


class Failure(Exception):
    """An engine could not run a query, or could not be started."""


class DuckDB:
    """DuckDB with a view for each Parquet file, and PostgreSQL's meaning of division and of the place of NULLs."""

    def __init__(self, data, threads):
        import duckdb
        self.version = duckdb.__version__
        self.error = duckdb.Error
        self.connection = duckdb.connect()
        self.connection.execute(f"SET threads = {threads}")
        self.connection.execute("SET integer_division = true")
        self.connection.execute("SET default_null_order = 'nulls_last_on_asc_first_on_desc'")
        for path in sorted(data.glob("*.parquet")):
            name = str(path).replace("'", "''")
            self.connection.execute(f"CREATE VIEW \"{path.stem}\" AS SELECT * FROM read_parquet('{name}')")

    def milliseconds(self, sql, runs):
        """Times of the runs after one to warm up."""
        times = []
        for _ in range(runs + 1):
            start = time.perf_counter()
            self.connection.execute(sql).fetchall()
            times.append((time.perf_counter() - start) * 1000)
        return times[1:] or times


class Answer:
    """Rows of one run, and the times of those that were measured."""

    def __init__(self, rows, milliseconds):
        self.rows = rows
        self.milliseconds = milliseconds


class Embedded:
    """`martlet sql`: a process for each query, which says how long each statement took."""

    time_line = re.compile(r"^Time: ([0-9.]+) ms", re.MULTILINE)

    def __init__(self, binary, data, threads, timeout):
        self.command = [binary, "sql", "--data", str(data), "--threads", str(threads), "--timing", "--format", "jsonl"]
        self.timeout = timeout

    def run(self, sql, runs):
        statement = sql.strip().rstrip(";").rstrip() + "\n;\n"
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as once, tempfile.NamedTemporaryFile("w+") as output:
            once.write(statement * (runs + 1))
            once.flush()
            try:
                process = subprocess.run(
                    self.command + ["-f", once.name], stdout=output, stderr=subprocess.PIPE, text=True,
                    timeout=self.timeout)
            except subprocess.TimeoutExpired:
                raise Failure(f"no answer within {self.timeout:.0f} s") from None
            if process.returncode != 0:
                raise Failure(process.stderr.strip() or f"exit status {process.returncode}")
            output.seek(0)
            lines = output.read().splitlines()
        times = [float(match) for match in self.time_line.findall(process.stderr)]
        lines = lines[len(lines) // (runs + 1) * runs:]
        rows = [[value for _, value in json.loads(
            line, object_pairs_hook=list, parse_float=decimal.Decimal)] for line in lines]
        return Answer(rows, times[1:] or times)

    def close(self):
        pass


class Server:
    """Processes of Martlet that are reached by PostgreSQL's protocol: `standalone`, or `coordinator` and workers."""

    ready_line = re.compile(r"^ready (.*)$", re.MULTILINE)

    def __init__(self, binary, data, threads, timeout, workers=0):
        self.binary, self.timeout = binary, timeout
        self.options = ["--data", str(data), "--threads", str(threads), "--log-level", "error"]
        self.processes, self.logs = [], []
        self.worker_count = workers
        self.connection = None
        try:
            self.start()
        except Exception:
            self.close()
            raise

    def start(self):
        role = "coordinator" if self.worker_count else "standalone"
        ports = self.spawn([role, "--pg-port", "0", "--grpc-port", "0", "--http-port", "0"])
        for index in range(self.worker_count):
            self.spawn([
                "worker", "--id", f"worker-{index + 1}", "--join", ports["grpc"], "--grpc-port", "0",
                "--exchange-port", "0"])
        self.address = ports["postgres"]
        if self.worker_count:
            self.wait_for_workers(ports["http"])

    def spawn(self, arguments):
        log = tempfile.NamedTemporaryFile("w+", suffix=".log")
        process = subprocess.Popen([self.binary] + arguments + self.options, stdout=log, stderr=subprocess.STDOUT)
        self.processes.append(process)
        self.logs.append(log)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            match = self.ready_line.search(pathlib.Path(log.name).read_text())
            if match:
                return dict(pair.split("=", 1) for pair in match.group(1).split())
            time.sleep(0.05)
        raise Failure(f"{arguments[0]} did not become ready: {pathlib.Path(log.name).read_text()[-500:]}")

    def wait_for_workers(self, address):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with urllib.request.urlopen(f"http://{address}/v1/workers", timeout=10) as answer:
                if len(json.load(answer)) >= self.worker_count:
                    return
            time.sleep(0.1)
        raise Failure("the workers did not join")

    def connect(self):
        if self.connection is None or self.connection.closed:
            try:
                import psycopg
            except ImportError:
                raise Failure("the Python module psycopg is missing: pip install 'psycopg[binary]'") from None
            host, _, port = self.address.rpartition(":")
            self.connection = psycopg.connect(
                host=host, port=port, user="suites", dbname="martlet", autocommit=True, connect_timeout=10)
        return self.connection

    def run(self, sql, runs):
        import psycopg
        connection = self.connect()
        times, rows = [], []
        for _ in range(runs + 1):
            start = time.perf_counter()
            try:
                # As bytes: a per cent sign is no place for a parameter.
                cursor = connection.execute(sql.strip().rstrip(";").encode())
                rows = cursor.fetchall()
            except psycopg.Error as error:
                dead = [process for process in self.processes if process.poll() is not None]
                note = f" ({len(dead)} processes ended)" if dead else ""
                raise Failure(str(error).strip() + note) from None
            times.append((time.perf_counter() - start) * 1000)
        return Answer(rows, times[1:] or times)

    def close(self):
        if self.connection is not None:
            self.connection.close()
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
