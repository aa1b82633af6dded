"""The texts of the suites' queries. None but TPC-H's is kept here: the others come from packages, or from a directory.

| suite | where the texts come from |
|---|---|
| tpch | `Fixtures/tpch/queries` |
| tpcds | `tpcds_queries()` of DuckDB's extension: pip install duckdb-extension-tpcds, of the same version as duckdb |
| job, clickbench | pip install --no-deps benchbox |

A directory holds `NAME.sql` for each query, or one file `queries.sql` with a query a line. Run as a program, this module
writes a suite's texts to such a directory, for an environment that does not have the package:

    PYTHONPATH=bench python3 -m suite_support.queries tpcds DIRECTORY
"""

import ast
import importlib.util
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class MissingQueries(Exception):
    """The texts cannot be had."""


def texts(suite, scale, directory=None):
    """Names and texts, in order."""
    found = from_directory(directory) if directory else {
        "tpch": lambda: tpch(scale), "tpcds": tpcds, "job": job, "clickbench": clickbench}[suite]()
    if not found:
        raise MissingQueries(f"there are no queries in {directory}")
    return dict(sorted(found.items(), key=lambda item: natural(item[0])))


def natural(name):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def selected(found, wanted):
    """Those of the queries that are named, such as 1,3,7-9 or 1a,17b; all of them if none is."""
    if not wanted:
        return found
    names = set()
    for part in wanted.split(","):
        first, _, last = part.partition("-")
        names |= {str(number) for number in range(int(first), int(last) + 1)} if last else {first}
    if names - set(found):
        raise MissingQueries(f"there is no query {', '.join(sorted(names - set(found)))}")
    return {name: sql for name, sql in found.items() if name in names}


def from_directory(directory):
    lines = directory / "queries.sql"
    if lines.exists():
        statements = [line for line in lines.read_text().splitlines() if line.strip()]
        return {str(index + 1): statement for index, statement in enumerate(statements)}
    return {file.stem.lstrip("q0"): file.read_text() for file in directory.glob("*.sql")}


def tpch(scale):
    queries = {}
    for number in range(1, 23):
        sql = (ROOT / "Fixtures" / "tpch" / "queries" / f"q{number:02}.sql").read_text()
        if number == 11:
            fraction = f"{0.0001 / float(scale):.12f}".rstrip("0")
            sql = sql.replace("* 0.0001\n", f"* {fraction}\n")
        queries[str(number)] = sql
    return queries


def package_directory(name, package):
    specification = importlib.util.find_spec(name)
    if specification is None:
        raise MissingQueries(f"the package {package} is missing: pip install {package}, or name a directory")
    return pathlib.Path(specification.submodule_search_locations[0])


def tpcds():
    import duckdb
    extensions = list(package_directory("duckdb_extension_tpcds", "duckdb-extension-tpcds").rglob("*.duckdb_extension"))
    connection = duckdb.connect()
    try:
        path = str(extensions[0]).replace("'", "''")
        connection.execute(f"LOAD '{path}'")
        return {str(number): sql for number, sql in connection.execute("FROM tpcds_queries()").fetchall()}
    except (IndexError, duckdb.Error) as error:
        raise MissingQueries(f"the extension tpcds does not load into duckdb {duckdb.__version__}: {error}") from None


def dictionary_in(path, is_wanted):
    """The first dictionary of texts in a Python file that is_wanted; the file is read, not run."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Dict) and len(node.keys) > 20:
            try:
                value = ast.literal_eval(node)
            except ValueError:
                continue
            if is_wanted(value):
                return value
    raise MissingQueries(f"there are no queries in {path}")


def job():
    path = package_directory("benchbox", "benchbox") / "core" / "joinorder" / "queries.py"
    return dictionary_in(path, lambda value: len(value) == 113)


def clickbench():
    path = package_directory("benchbox", "benchbox") / "core" / "clickbench" / "queries.py"
    found = dictionary_in(path, lambda value: len(value) == 43)
    # The package doubles the backslash of the reference to a group.
    return {name.lstrip("Q"): sql.replace("\\\\1", "\\1") for name, sql in found.items()}


def write(suite, directory):
    directory.mkdir(parents=True, exist_ok=True)
    for name, sql in texts(suite, "1").items():
        (directory / f"{name}.sql").write_text(sql)


if __name__ == "__main__":
    write(sys.argv[1], pathlib.Path(sys.argv[2]))
