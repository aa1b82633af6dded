"""pgbench: its tables, and its transactions in all three ways of sending statements."""

import shutil
import subprocess
import tempfile

from probe import Probe, skip

if not shutil.which("pgbench"):
    skip("pgbench", "it is not installed")
probe = Probe("pgbench")
address = ["-h", probe.host, "-p", str(probe.port), "-U", probe.user]


def pgbench(*arguments):
    return subprocess.run(["pgbench", *address, *arguments, probe.database], capture_output=True, text=True, timeout=120)


with probe.part("initialisation"):
    result = pgbench("-i", "-s", "1", "-q")
    probe.equal("status", (result.returncode, result.stderr[-400:] if result.returncode else ""), (0, ""))

for mode in ["simple", "extended", "prepared"]:
    with probe.part(mode):
        result = pgbench("-M", mode, "-n", "-c", "2", "-t", "10", "-S")
        probe.equal(f"{mode}, reads", (result.returncode, result.stderr[-400:] if result.returncode else ""), (0, ""))
        result = pgbench("-M", mode, "-n", "-c", "1", "-t", "5", "-N")
        probe.equal(f"{mode}, writes", (result.returncode, result.stderr[-400:] if result.returncode else ""), (0, ""))

with probe.part("pipeline"):
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write("\\startpipeline\nSELECT 1;\nSELECT abalance FROM pgbench_accounts WHERE aid = 1;\n\\endpipeline\n")
        script.flush()
        result = pgbench("-M", "extended", "-n", "-t", "5", "-f", script.name)
        probe.equal("pipeline", (result.returncode, result.stderr[-400:] if result.returncode else ""), (0, ""))

with probe.part("end"):
    result = pgbench("-i", "-I", "d")
    probe.equal("tables go", result.returncode, 0)
probe.end()
