"""psql: its backslash commands, variables, cursors by FETCH_COUNT, \\copy, and how it shows errors."""

import os
import shutil
import subprocess
import tempfile

from probe import Probe, skip

if not shutil.which("psql"):
    skip("psql", "it is not installed")
probe = Probe("psql")


def psql(*arguments, text=None):
    command = ["psql", "-X", "-h", probe.host, "-p", str(probe.port), "-U", probe.user, "-d", probe.database, *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)


def output(*arguments, text=None):
    result = psql("-v", "ON_ERROR_STOP=1", *arguments, text=text)
    if result.returncode:
        raise RuntimeError(result.stderr.strip())
    return result.stdout


with probe.part("tables"):
    output("-c", "DROP VIEW IF EXISTS probe_view", "-c", "DROP TABLE IF EXISTS probe_psql")
    output(
        "-c", "CREATE TABLE probe_psql (id int PRIMARY KEY, name text DEFAULT 'x' NOT NULL, price numeric(8, 2) CHECK (price > 0))",
        "-c", "CREATE VIEW probe_view AS SELECT id, name FROM probe_psql WHERE id > 1")
    shown = output("-c", "\\d probe_psql")
    for piece in ['Table "public.probe_psql"', "id     | integer      |           | not null |", "numeric(8,2)", "'x'", '"probe_psql_pkey" PRIMARY KEY']:
        probe.true(f"\\d shows {piece}", piece in shown)
    probe.true("\\d of a view", "probe_view" in output("-c", "\\d+ probe_view"))
    probe.true("\\dt", "probe_psql" in output("-c", "\\dt"))
    probe.true("\\dv", "probe_view" in output("-c", "\\dv"))
    probe.true("\\di", "probe_psql_pkey" in output("-c", "\\di"))

with probe.part("other commands"):
    for command in ["\\d", "\\dn", "\\l", "\\df sub*", "\\dT", "\\du", "\\dp", "\\ds", "\\dm", "\\dx", "\\db", "\\dD", "\\dC", "\\do", "\\encoding", "\\conninfo", "\\sv probe_view", "\\drds", "\\dO", "\\dAc", "\\dL", "\\dy", "\\dRp", "\\det"]:
        result = psql("-v", "ON_ERROR_STOP=1", "-c", command)
        probe.equal(command, (result.returncode, result.stderr.strip()), (0, result.stderr.strip() if result.returncode == 0 else ""))

with probe.part("scripts"):
    script = """
    \\set n 41
    SELECT :n + 1 AS answer \\gset
    \\echo answer :answer
    SELECT 'SELECT ' || g FROM generate_series(1, 2) AS s(g) \\gexec
    \\if :{?answer}
    \\echo yes
    \\endif
    SELECT 1 AS a, 'b' AS b \\gdesc
    \\x
    SELECT 1 AS one;
    """
    got = output("-A", "-t", text=script)
    probe.true("gset", "answer 42" in got)
    probe.true("gdesc", "a|integer" in got and "b|text" in got)
    probe.true("expanded", "one|1" in got)
    counted = output("-A", "-t", "-v", "FETCH_COUNT=7", "-c", "SELECT g FROM generate_series(1, 30) AS s(g)")
    probe.equal("FETCH_COUNT", len(counted.split()), 30)
    tags = output("-A", "-t", "-c", "BEGIN; DECLARE c SCROLL CURSOR FOR SELECT g FROM generate_series(1, 9) AS s(g); MOVE 4 FROM c; "
                  "FETCH PRIOR FROM c; MOVE BACKWARD ALL FROM c; FETCH LAST FROM c; CLOSE c; COMMIT")
    probe.equal("cursors", tags.split("\n"), ["BEGIN", "DECLARE CURSOR", "MOVE 4", "3", "MOVE 2", "9", "CLOSE CURSOR", "COMMIT", ""])

with probe.part("\\copy"):
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "rows.csv")
        with open(path, "w") as file:
            file.write("1,one,1.5\n2,two,2.5\n")
        output("-c", f"\\copy probe_psql FROM '{path}' CSV")
        back = os.path.join(directory, "back.csv")
        output("-c", f"\\copy (SELECT * FROM probe_psql ORDER BY id) TO '{back}' CSV HEADER")
        probe.equal("both ways", open(back).read(), "id,name,price\n1,one,1.50\n2,two,2.50\n")

with probe.part("errors"):
    result = psql("-c", "SELECT nothing FROM probe_psql")
    probe.true("mark", "LINE 1: SELECT nothing FROM probe_psql\n               ^" in result.stderr)
    result = psql("-v", "VERBOSITY=sqlstate", "-c", "SELECT 1 / 0")
    probe.equal("state", result.stderr.strip(), "ERROR:  22012")
    got = output("-c", "\\set VERBOSITY verbose", "-c", "BEGIN", "-c", "SELECT 1", "-c", "ROLLBACK")
    probe.true("transaction", "ROLLBACK" in got)

with probe.part("end"):
    output("-c", "DROP VIEW probe_view", "-c", "DROP TABLE probe_psql")
probe.end()
