"""Where the suites' Parquet files are, and how they are made if they are not there yet."""

import contextlib
import pathlib
import shutil
import subprocess
import sys

from suite_support import hits, imdb
from suite_support.engines import Failure

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
GENERATORS = {"tpch": ["tpchgen-cli", "parquet"], "tpcds": ["tpcgen-cli", "tpcds", "parquet"]}
SUITES = ["tpch", "tpcds", "job", "clickbench"]


def directory(suite, scale, wanted=None):
    """The directory of a suite's data at a scale, after making them if need be; `wanted` is one that the user names."""
    place = wanted or ROOT / ".build" / "suites" / f"{suite}-{scale}"
    if not (place.exists() and any(place.glob("*.parquet"))):
        print(f"making the data of {suite} at scale {scale} in {place} …", file=sys.stderr)
        with appearing(place) as partial:
            write(suite, scale, partial)
    return place


@contextlib.contextmanager
def appearing(place):
    """A directory that gets its name only when all is in it, so that data that were not finished are not taken for whole."""
    partial = place.with_name(place.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    if place.exists():
        place.rmdir()  # an empty one
    partial.rename(place)


def write(suite, scale, place):
    if suite in GENERATORS:
        name, *options = GENERATORS[suite]
        beside = pathlib.Path(sys.executable).parent / name
        found = shutil.which(name) or (str(beside) if beside.exists() else None)
        if found is None:
            raise Failure(f"{place} has no data and {name} is missing: pip install {name}")
        subprocess.run([found, *options, "-q", "-s", scale, "-o", str(place)], check=True)
        return
    import duckdb
    {"job": imdb, "clickbench": hits}[suite].write(duckdb.connect(), place, float(scale))
