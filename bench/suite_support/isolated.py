"""A peer in a process of its own: with its limit of threads, its memory on an account of its own, and able to die."""

import multiprocessing
import os
import pathlib
import time

from suite_support.engines import Answer, Failure, MemoryAccount
from suite_support.peers import PEERS

START_SECONDS = 60


class Isolated(MemoryAccount):
    """The parent's side. A process that died or was too slow is replaced before the next query."""

    may_round = True

    def __init__(self, name, data, threads, timeout):
        self.name, self.data, self.threads, self.timeout = name, pathlib.Path(data), threads, timeout
        self.start()

    def start(self):
        context = multiprocessing.get_context("spawn")
        self.pipe, end = context.Pipe()
        self.process = context.Process(target=serve, args=(end, self.name, self.data, self.threads), daemon=True)
        self.process.start()
        end.close()
        self.version = self.receive(START_SECONDS)
        self.memory_at_start = self.note_memory()

    def run(self, sql, runs):
        if not self.process.is_alive():
            self.start()
        self.forget_peak()
        self.pipe.send((sql, runs))
        return Answer(*self.receive(self.timeout))

    def receive(self, seconds):
        try:
            if not self.pipe.poll(seconds):
                self.process.kill()
                self.process.join()
                raise Failure(f"no answer within {seconds:g} s")
            kind, content = self.pipe.recv()
        except (EOFError, ConnectionError):
            self.process.join(5)
            raise Failure(f"the process died (exit status {self.process.exitcode})", is_dead=True) from None
        self.note_memory()
        if kind == "error":
            raise Failure(content)
        return content

    def process_ids(self):
        return [self.process.pid]

    def close(self):
        self.note_memory()
        self.pipe.close()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()


def serve(pipe, name, data, threads):
    """The child's side: queries come through the pipe, ("done", an Answer's parts) or ("error", text) goes back."""
    kind = PEERS[name]
    os.environ.update(kind.variables(threads))
    try:
        peer = kind(data, threads)
    except ImportError:
        pipe.send(("error", f"the Python package is missing: pip install {kind.package}"))
        return
    pipe.send(("done", peer.version))
    while True:
        try:
            sql, runs = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(("done", measured(peer, sql, runs)))
        except BaseException as error:  # a panic of a Rust library is no Exception
            pipe.send(("error", f"{type(error).__name__}: {error}"[:2000]))


def measured(peer, sql, runs):
    statement = peer.adapted(sql.strip().rstrip(";").rstrip())
    times, result, before = [], None, 0
    for index in range(runs + 1):
        result = None
        if index == 1:
            before = time.process_time()
        start = time.perf_counter()
        result = peer.execute(statement)
        times.append((time.perf_counter() - start) * 1000)
    used = (time.process_time() - before) * 1000 / runs if runs else None
    return [list(row) for row in peer.rows(result)], times[1:] or times, used
