"""The engines that Martlet is measured against, as Python packages of the newest version.

A class opens a directory of Parquet files with a limit of threads. `execute` gives the whole result in the engine's own
columns, which is what is timed; `rows` makes Python values of it. `variables` are those of the environment that a
library reads when it is loaded, so a peer lives in a process of its own (isolated.py).
"""

import datetime
import re

COMMENT_OR_STRING = re.compile(r"(--[^\n]*|'(?:[^']|'')*')")


def lower_case_names(sql):
    """The text with everything outside of string literals in lower case, for engines that take names as written."""
    return "".join(part if part.startswith(("'", "--")) else part.lower() for part in COMMENT_OR_STRING.split(sql))


def tables(data):
    """Names and paths of the tables: a file, or a folder of files, each."""
    for path in sorted(data.iterdir()):
        if path.suffix == ".parquet":
            yield path.stem, str(path)
        elif path.is_dir() and any(path.glob("*.parquet")):
            yield path.name, str(path / "*.parquet")


def quoted(path):
    return "'" + path.replace("'", "''") + "'"


class DuckDB:
    """DuckDB with PostgreSQL's meaning of division and of the place of NULLs."""

    package = "duckdb"

    @staticmethod
    def variables(threads):
        return {}

    def __init__(self, data, threads):
        import duckdb
        self.version = duckdb.__version__
        self.connection = duckdb.connect()
        self.connection.execute(f"SET threads = {threads}")
        self.connection.execute("SET integer_division = true")
        self.connection.execute("SET default_null_order = 'nulls_last_on_asc_first_on_desc'")
        for name, path in tables(data):
            self.connection.execute(f'CREATE VIEW "{name}" AS SELECT * FROM read_parquet({quoted(path)})')

    @staticmethod
    def adapted(sql):
        """AT is a reserved word of DuckDB, and a benchmark uses it as the name of a table."""
        return re.sub(r"\bat\.", '"at".', re.sub(r"\bAS at\b", 'AS "at"', sql))

    def execute(self, sql):
        return self.connection.sql(sql).to_arrow_table()

    def rows(self, result):
        return arrow_rows(result)


class Polars:
    """Polars' SQL over lazy scans, on the streaming engine."""

    package = "polars"

    @staticmethod
    def variables(threads):
        return {"POLARS_MAX_THREADS": str(threads)}

    def __init__(self, data, threads):
        import polars
        self.version = polars.__version__
        self.context = polars.SQLContext({name: polars.scan_parquet(path) for name, path in tables(data)})

    adapted = staticmethod(lower_case_names)

    def execute(self, sql):
        return self.context.execute(sql).collect(engine="streaming")

    def rows(self, result):
        return result.rows()


class DataFusion:
    """DataFusion with as many partitions as threads."""

    package = "datafusion"

    @staticmethod
    def variables(threads):
        return {"TOKIO_WORKER_THREADS": str(threads)}

    def __init__(self, data, threads):
        import datafusion
        self.version = datafusion.__version__
        self.context = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(threads))
        for name, path in tables(data):
            self.context.register_parquet(name, path.removesuffix("*.parquet"))

    @staticmethod
    def adapted(sql):
        return sql

    def execute(self, sql):
        return self.context.sql(sql).to_arrow_table()

    def rows(self, result):
        return arrow_rows(result)


class ClickHouse:
    """ClickHouse within the process (chdb); a table over each Parquet file, NULL only where the file says so."""

    package = "chdb"

    @staticmethod
    def variables(threads):
        return {}

    def __init__(self, data, threads):
        import chdb
        from chdb import session
        self.version = chdb.__version__
        self.session = session.Session()
        for setting in (f"max_threads = {threads}", "schema_inference_make_columns_nullable = 'auto'",
                        "join_use_nulls = 1", "group_by_use_nulls = 1", "union_default_mode = 'DISTINCT'",
                        "session_timezone = 'UTC'", "output_format_arrow_string_as_string = 1"):
            self.session.query(f"SET {setting}")
        for name, path in tables(data):
            self.session.query(f"CREATE TABLE `{name}` ENGINE = File(Parquet, {quoted(path)})")

    adapted = staticmethod(lower_case_names)

    def execute(self, sql):
        return self.session.query(sql, "Arrow")

    def rows(self, result):
        import pyarrow
        table = pyarrow.ipc.open_file(pyarrow.py_buffer(bytes(result.bytes()))).read_all()
        # Its timestamps all have a zone, which is none of the file's.
        return [[value.replace(tzinfo=None) if isinstance(value, datetime.datetime) else value for value in row]
                for row in arrow_rows(table)]


class Spark:
    """Spark as a cluster on this machine: two workers with that many threads each, and a driver."""

    package = "pyspark"

    @staticmethod
    def variables(threads):
        return {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "localhost"}

    def __init__(self, data, threads):
        import atexit
        import pyspark
        from pyspark.sql import SparkSession
        self.version = pyspark.__version__
        self.session = (
            SparkSession.builder.master(f"local-cluster[2,{threads},4096]").appName("bench")
            .config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
            .config("spark.executor.memory", "4g").config("spark.driver.memory", "4g")
            .config("spark.ui.enabled", "false").config("spark.log.level", "ERROR")
            .config("spark.sql.shuffle.partitions", str(4 * threads))
            .config("spark.sql.execution.arrow.pyspark.enabled", "true").getOrCreate())
        # Otherwise its processes complain of each other's end.
        atexit.register(self.session.stop)
        for name, path in tables(data):
            self.session.read.parquet(path.removesuffix("*.parquet")).createOrReplaceTempView(name)

    @staticmethod
    def adapted(sql):
        return sql.strip().removesuffix(";")

    def execute(self, sql):
        return self.session.sql(sql).toArrow()

    def rows(self, result):
        return arrow_rows(result)


def arrow_rows(table):
    return list(zip(*(column.to_pylist() for column in table.columns))) if table.num_columns else []


PEERS = {"duckdb": DuckDB, "polars": Polars, "datafusion": DataFusion, "chdb": ClickHouse, "spark": Spark}
# Spark is a cluster and takes its time: it is measured when asked for.
USUAL = [name for name in PEERS if name != "spark"]
