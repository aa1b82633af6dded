"""Martlet as the suites run it: a process for each query, a server, or a cluster of processes."""

import decimal
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request

from suite_support import wire


class Failure(Exception):
    """An engine could not run a query, or could not be started. `state` is the SQLSTATE if it gave one."""

    def __init__(self, message, state=None, is_dead=False):
        super().__init__(message)
        self.state = state
        self.is_dead = is_dead


class Answer:
    """Rows of one run, the times of those that were measured, and the processors' time of one on average (or None)."""

    def __init__(self, rows, milliseconds, processor_milliseconds=None):
        self.rows = rows
        self.milliseconds = milliseconds
        self.processor_milliseconds = processor_milliseconds


def peak_memory(process_id):
    """Bytes of the largest resident set that a process had so far; None where the system does not say."""
    try:
        status = pathlib.Path(f"/proc/{process_id}/status").read_text()
    except OSError:
        return None
    match = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(match.group(1)) * 1024 if match else None


class MemoryAccount:
    """The largest resident sets of an engine's processes together: of one query, and of all so far."""

    memory_at_start, peak, last_peak = None, None, None

    def process_ids(self):
        raise NotImplementedError

    def forget_peak(self):
        """Makes the system measure the peak from now on, where it can (Linux)."""
        for process_id in self.process_ids():
            try:
                pathlib.Path(f"/proc/{process_id}/clear_refs").write_text("5")
            except OSError:
                return

    def note_memory(self):
        sizes = [peak_memory(process_id) for process_id in self.process_ids()]
        self.last_peak = sum(sizes) if sizes and None not in sizes else None
        if self.last_peak is not None:
            self.peak = max(self.peak or 0, self.last_peak)
        return self.last_peak


def processor_seconds(process_id):
    """Time that all threads of a process have had on processors; None where the system does not say."""
    try:
        # Linux makes the clock of another process from its number.
        return time.clock_gettime((~process_id << 3) | 2)
    except OSError:
        return None


def program(path):
    """The absolute path of a program, or a Failure."""
    found = shutil.which(path)
    if found is None:
        raise Failure(f"there is no program {path}: build it, or name it with --martlet")
    return str(pathlib.Path(found).resolve())


def program_version(path):
    return subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20).stdout.strip()


class Martlet(MemoryAccount):
    """What the ways of running Martlet have in common."""

    may_round = False

    def __init__(self, binary, data, threads, timeout, memory_limit=None):
        self.binary, self.timeout, self.memory_limit = program(binary), timeout, memory_limit
        self.options = ["--data", str(pathlib.Path(data).resolve()), "--threads", str(threads)]
        if memory_limit:
            self.options += ["--memory-limit", memory_limit]
        self.version = program_version(self.binary)


class Embedded(Martlet):
    """`martlet sql`: a process for each query, which says how long each statement took."""

    time_line = re.compile(r"^Time: ([0-9.]+) ms", re.MULTILINE)
    state_text = re.compile(r"^ERROR:", re.MULTILINE)

    def process_ids(self):
        return []

    def run(self, sql, runs):
        statement = sql.strip().rstrip(";").rstrip() + "\n;\n"
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as once, tempfile.NamedTemporaryFile("w+") as output:
            once.write(statement * (runs + 1))
            once.flush()
            errors = self.execute(once.name, output)
            output.seek(0)
            lines = output.read().splitlines()
        times = [float(match) for match in self.time_line.findall(errors)]
        lines = lines[len(lines) // (runs + 1) * runs:]
        rows = [[value for _, value in json.loads(
            line, object_pairs_hook=list, parse_float=decimal.Decimal)] for line in lines]
        return Answer(rows, times[1:] or times)

    def execute(self, file, output):
        command = [self.binary, "sql", "--timing", "--format", "jsonl", *self.options, "-f", file]
        with tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen(command, stdout=output, stderr=errors)
            deadline = time.monotonic() + self.timeout
            # Waits by hand: only wait4 tells how much memory the process had.
            while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
                if time.monotonic() > deadline:
                    process.kill()
                    os.wait4(process.pid, 0)
                    process.returncode = -9
                    raise Failure(f"no answer within {self.timeout:g} s")
                time.sleep(0.01)
            process.returncode = os.waitstatus_to_exitcode(ended[1])
            self.last_peak = ended[2].ru_maxrss * 1024
            self.peak = max(self.peak or 0, self.last_peak)
            errors.seek(0)
            text = errors.read()
        if process.returncode != 0:
            is_dead = not self.state_text.search(text)
            raise Failure(text.strip()[-2000:] or f"exit status {process.returncode}", is_dead=is_dead)
        return text

    def close(self):
        pass


class Server(Martlet):
    """`standalone`, or `coordinator` and workers, reached by PostgreSQL's protocol. Started anew after a process died."""

    ready_line = re.compile(r"^ready (.*)$", re.MULTILINE)

    def __init__(self, binary, data, threads, timeout, memory_limit=None, workers=0, environment=None):
        super().__init__(binary, data, threads, timeout, memory_limit)
        self.worker_count = workers
        self.environment = environment or {}
        self.start()

    def start(self):
        self.processes, self.logs, self.connection = [], [], None
        try:
            role = "coordinator" if self.worker_count else "standalone"
            ports = self.spawn([role, "--pg-port", "0", "--grpc-port", "0", "--http-port", "0"])
            for index in range(self.worker_count):
                self.spawn([
                    "worker", "--id", f"worker-{index + 1}", "--join", ports["grpc"], "--grpc-port", "0",
                    "--exchange-port", "0"])
            self.address, self.http_address, self.grpc_address = ports["postgres"], ports["http"], ports["grpc"]
            if self.worker_count:
                self.wait_for_workers(ports["http"])
        except Exception:
            self.close()
            raise
        self.memory_at_start = self.note_memory()

    def spawn(self, arguments):
        log = tempfile.NamedTemporaryFile("w+", suffix=".log")
        command = [self.binary, *arguments, *self.options, "--log-level", "error"]
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, env=os.environ | self.environment)
        self.processes.append(process)
        self.logs.append(log)
        deadline = time.monotonic() + 60
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
        """A new session."""
        host, _, port = self.address.rpartition(":")
        return wire.Connection(host, port, "bench", "martlet", self.timeout)

    def session(self):
        """The session of the queries: opened when it is needed, and again after a failure of the line."""
        if self.dead():
            self.close()
            self.start()
        if self.connection is None:
            self.connection = self.connect()
        return self.connection

    def run(self, sql, runs):
        statement = sql.strip().rstrip(";")
        try:
            session = self.session()
            self.forget_peak()
            warm_up = session.query(statement)
            before = self.processor_seconds()
            replies = [session.query(statement) for _ in range(runs)]
            after = self.processor_seconds()
        except wire.ServerError as error:
            raise self.failure(error) from None
        self.note_memory()
        used = (after - before) * 1000 / runs if runs and None not in (before, after) else None
        replies = replies or [warm_up]
        return Answer(replies[-1].rows(), [reply.milliseconds for reply in replies], used)

    def processor_seconds(self):
        seconds = [processor_seconds(process.pid) for process in self.processes]
        return None if None in seconds else sum(seconds)

    def failure(self, error):
        self.note_memory()
        if error.state is None and self.connection is not None:
            self.connection.close()
            self.connection = None
            time.sleep(0.5)  # a process that dies closes its connections first
        dead = self.dead()
        note = f" ({len(dead)} processes ended: {[process.returncode for process in dead]})" if dead else ""
        return Failure(str(error) + note, error.state, is_dead=bool(dead))

    def dead(self):
        return [process for process in self.processes if process.poll() is not None]

    def process_ids(self):
        return [process.pid for process in self.processes]

    def close(self):
        self.note_memory()
        if self.connection is not None:
            self.connection.close()
            self.connection = None
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
