"""Servers under test and the reference: start, load, ask, stop."""
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from psycopg import OperationalError, pq


class Answer:
    """What a server said: rows as texts with the columns' types and names, or an error."""

    def __init__(self, rows=None, types=None, names=None, state=None, message=None):
        self.rows = rows
        self.types = types
        self.names = names
        self.state = state
        self.message = message

    @property
    def failed(self):
        return self.state is not None


#: Longest time for an answer.
SECONDS_MAX = 40
#: Swift's backtrace of a crash takes minutes for an optimised program on a busy machine and keeps the dead server's
#: sockets open: clients then wait for a server that no longer exists.
ENVIRONMENT = {**os.environ, "SWIFT_BACKTRACE": "enable=no"}


class ServerLost(Exception):
    pass


class ServerHung(ServerLost):
    pass


class Server:
    """A PostgreSQL protocol server by its dsn, with a session that is opened again after a loss."""

    def __init__(self, name, dsn, processes=(), directory=None, restart=None):
        self.name = name
        self.dsn = dsn
        self.processes = list(processes)
        self.directory = directory
        self.restart = restart
        self.preparation = []
        self.connection = None
        self.connect()

    def connect(self):
        self.connection = pq.PGconn.connect(self.dsn.encode())
        if self.connection.status != pq.ConnStatus.OK:
            raise ServerLost(f"{self.name}: {self.connection.error_message.decode(errors='replace').strip()}")
        for statement in self.preparation:
            self.connection.exec_(statement.encode())

    def prepare(self, *statements):
        """Statements that every session begins with."""
        self.preparation = list(statements)
        for statement in statements:
            self.must(statement)

    def ask(self, sql):
        try:
            result = self.result_of(sql)
            if self.connection.transaction_status in (pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR):
                self.connection.exec_(b"ROLLBACK")
        except OperationalError:
            raise ServerLost(self.name) from None
        if self.connection.status != pq.ConnStatus.OK:
            raise ServerLost(self.name)
        if result.status in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
            columns = range(result.nfields)
            rows = [tuple(None if (value := result.get_value(row, column)) is None else value.decode(errors="replace")
                          for column in columns) for row in range(result.ntuples)]
            return Answer(rows, [result.ftype(column) for column in columns],
                          [result.fname(column).decode() for column in columns])
        field = result.error_field
        return Answer(state=(field(pq.DiagnosticField.SQLSTATE) or b"?????").decode(),
                      message=(field(pq.DiagnosticField.MESSAGE_PRIMARY) or result.error_message).decode())

    def result_of(self, sql):
        """The last result, or ServerHung after some time: planning obeys no statement_timeout."""
        connection = self.connection
        deadline = time.monotonic() + SECONDS_MAX
        connection.send_query(sql.encode())
        while connection.is_busy():
            left = deadline - time.monotonic()
            if left <= 0:
                raise ServerHung(self.name)
            select.select([connection.socket], [], [], left)
            connection.consume_input()
        last = None
        while (result := connection.get_result()) is not None:
            last = result
        return last

    def must(self, sql):
        answer = self.ask(sql)
        if answer.failed:
            raise RuntimeError(f"{self.name}: {answer.state} {answer.message}: {sql[:200]}")
        return answer

    def stop(self):
        for process in self.processes:
            process.send_signal(signal.SIGINT if self.name == "postgres" else signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start_postgres(binaries):
    """A PostgreSQL of our own: its directory is temporary, and nothing is written to disk in time."""
    directory = tempfile.mkdtemp(prefix="fuzz-postgres-")
    user = {}
    if os.getuid() == 0:
        # PostgreSQL refuses to run as root.
        user = {"user": "postgres", "group": "postgres"}
        shutil.chown(directory, "postgres", "postgres")
    data = f"{directory}/data"
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "HOME": directory}
    subprocess.run([f"{binaries}/initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
                    "--no-sync"], check=True, stdout=subprocess.DEVNULL, env=environment, cwd=directory, **user)
    port = free_port()
    process = subprocess.Popen(
        [f"{binaries}/postgres", "-D", data, "-p", str(port), "-k", directory, "-c", "listen_addresses=127.0.0.1",
         "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "jit=off"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, cwd=directory, **user)
    dsn = f"host=127.0.0.1 port={port} user=postgres dbname=postgres"
    for _ in range(200):
        if pq.PGconn.connect(dsn.encode()).status == pq.ConnStatus.OK:
            return Server("postgres", dsn, [process], directory)
        time.sleep(0.1)
    raise RuntimeError("PostgreSQL did not start")


def start_martlet(binary, shape):
    """`standalone`, or `cluster`: a coordinator and two workers."""
    directory = tempfile.mkdtemp(prefix="fuzz-martlet-")
    processes = []

    def launch(name, *arguments):
        output = pathlib.Path(f"{directory}/{name}.out")
        with open(output, "wb") as out, open(f"{directory}/{name}.err", "ab") as err:
            process = subprocess.Popen([binary, *arguments], stdout=out, stderr=err, cwd=directory, env=ENVIRONMENT)
        processes.append(process)
        for _ in range(600):
            text = output.read_text()
            if "ready" in text:
                return dict(word.split("=", 1) for word in text.split() if "=" in word)
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended: {pathlib.Path(directory, name + '.err').read_text()[-2000:]}")
            time.sleep(0.05)
        raise RuntimeError(f"{name} is not ready")

    ports = ["--grpc-port", "0", "--http-port", "0", "--pg-port", "0"]
    if shape == "standalone":
        ready = launch("standalone", "standalone", *ports)
    else:
        ready = launch("coordinator", "coordinator", *ports)
        for number in (1, 2):
            launch(f"worker{number}", "worker", "--grpc-port", "0", "--join", ready["grpc"])
    host, port = ready["postgres"].rsplit(":", 1)
    dsn = f"host={host} port={port} user=martlet dbname=martlet connect_timeout=10"
    return Server(shape, dsn, processes, directory, restart=lambda: start_martlet(binary, shape))
