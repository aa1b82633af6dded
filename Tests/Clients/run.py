#!/usr/bin/env python3
"""Runs the probes of clients against a server of its own and against a cluster of two workers.

    Tests/Clients/run.py --martlet .build/debug/martlet [PROBE …]
    Tests/Clients/run.py --server HOST:PORT --user NAME --database NAME      against a server that runs, PostgreSQL too

Clients that are not installed are skipped, and it says so. --python names the interpreter that has them; several may be
named, for clients that cannot be installed beside each other: a probe runs with the first one that has its client.
"""

import argparse
import os
import pathlib
import select
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
SECONDS_EACH = 300


class Server:
    """A process that serves and says so in its first line."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        deadline = time.monotonic() + 30
        line = ""
        while time.monotonic() < deadline and not line:
            if select.select([self.process.stdout], [], [], 0.2)[0]:
                line = self.process.stdout.readline()
        if not line.startswith("ready "):
            self.end()
            sys.exit(f"{' '.join(command)}: did not get ready")
        self.addresses = dict(pair.split("=", 1) for pair in line.split()[1:] if "=" in pair)
        self.addresses["process"] = str(self.process.pid)

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def standalone(martlet):
    server = Server(martlet, "standalone", "--pg-port", "0", "--grpc-port", "0", "--http-port", "0")
    return server.addresses, [server]


def cluster(martlet):
    coordinator = Server(martlet, "coordinator", "--pg-port", "0", "--grpc-port", "0", "--http-port", "0")
    servers = [coordinator]
    for _ in range(2):
        servers.append(Server(martlet, "worker", "--join", coordinator.addresses["grpc"], "--grpc-port", "0"))
    return coordinator.addresses, servers


def run(probes, pythons, addresses, user, database):
    """Probes of Flight SQL find its address in a variable, and skip without one; the server's process is in another."""
    host, port = addresses["postgres"].rsplit(":", 1)
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    if "grpc" in addresses:
        environment["FLIGHT_ADDRESS"] = addresses["grpc"]
    if "process" in addresses:
        environment["SERVER_PROCESS"] = addresses["process"]
    results = {}
    for probe in probes:
        start = time.monotonic()
        for python in pythons:
            try:
                done = subprocess.run(
                    [python, str(probe), host, port, user, database], capture_output=True, text=True,
                    timeout=SECONDS_EACH, cwd=HERE, env=environment)
                status, lines = done.returncode, done.stdout.splitlines()
                if status not in (0, 1, 77):
                    lines.append("ended with an error: " + (done.stderr.strip().splitlines() or ["?"])[-1])
            except subprocess.TimeoutExpired:
                status, lines = 1, [f"did not end within {SECONDS_EACH} s"]
            if status != 77:
                break
        for line in lines:
            print("   ", line)
        results[probe.stem] = {0: "ok", 77: "skipped"}.get(status, "FAILED")
        print(f"  {probe.stem}: {results[probe.stem]}, {time.monotonic() - start:.1f} s", flush=True)
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--martlet", default=".build/debug/martlet")
    parser.add_argument("--python", action="append")
    parser.add_argument("--server")
    parser.add_argument("--user", default="martlet")
    parser.add_argument("--database", default="martlet")
    parser.add_argument("--only", choices=["standalone", "cluster"])
    parser.add_argument("probes", nargs="*")
    options = parser.parse_args()
    pythons = options.python or os.environ.get("CLIENTS_PYTHON", sys.executable).split()
    probes = sorted(HERE.glob("*_probe.py"))
    if options.probes:
        probes = [probe for probe in probes if any(name in probe.stem for name in options.probes)]
    failed = False
    if options.server:
        results = run(probes, pythons, {"postgres": options.server}, options.user, options.database)
        failed = "FAILED" in results.values()
    else:
        for name, start in [("standalone", standalone), ("cluster", cluster)]:
            if options.only not in (None, name):
                continue
            print(f"{name}:", flush=True)
            addresses, servers = start(options.martlet)
            try:
                results = run(probes, pythons, addresses, options.user, options.database)
                failed = failed or "FAILED" in results.values()
            finally:
                for server in reversed(servers):
                    server.end()
    sys.exit(1 if failed else 0)


main()
