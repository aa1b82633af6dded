#!/usr/bin/env python3
"""Compares files that Martlet writes with what pyarrow and DuckDB read from them, value by value.

    scripts/check-written-files.py PROGRAM [--rows N] [--formats parquet,arrow]

The same query goes to CSV, which is taken as the truth, and to each format with every compression; the readers' values
are turned into the text forms of CSV's columns. Needs pyarrow and duckdb; without them it says so and succeeds.
"""
import argparse, csv, datetime, decimal, os, subprocess, sys, tempfile, uuid

try:
    import duckdb
    import pyarrow
    import pyarrow.parquet
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(0)

UTC = datetime.timezone.utc


def number(text):
    return decimal.Decimal(text)


def real(text):
    return float(text)


def stamp(text):
    return datetime.datetime.fromisoformat(text)


def zoned(text):
    return datetime.datetime.fromisoformat(text + ":00" if text[-3] in "+-" else text).astimezone(UTC)


# Name, SQL over i (a number) and n (i or NULL), and how the text of CSV is read.
COLUMNS = [
    ("i8", "n", int), ("i4", "(n % 100003)::int", int), ("i2", "(n % 300)::smallint", int),
    ("few", "'value ' || n % 7", str), ("many", "'text number ' || n * 7919 % 1000003", str),
    ("long", "repeat('é-long-', (n % 60)::int) || n", str), ("empty", "''::text", str), ("nothing", "NULL::text", str),
    ("flag", "n % 3 = 0", lambda text: text == "t"), ("f8", "n::float8 / 7", real), ("f4", "(n % 999)::real / 3", real),
    ("special", "CASE n % 4 WHEN 0 THEN 'NaN'::float8 WHEN 1 THEN 'Infinity' WHEN 2 THEN '-0' ELSE 1.5 END", real),
    ("d5", "(n % 99999 / 100.0)::decimal(5, 2)", number), ("d9", "(n % 100000000)::decimal(9, 0)", number),
    ("d18", "(n * 1234567.891)::decimal(18, 3)", number), ("d19", "(-n * 1234567.8)::decimal(19, 1)", number),
    ("d38", "(n * 12345678901234567890.123456)::decimal(38, 7)", number),
    ("day", "date '1969-01-01' + (n % 40000)::int", datetime.date.fromisoformat),
    ("clock", "time '00:00' + n % 86400 * interval '1 second 7 microseconds'", datetime.time.fromisoformat),
    ("at", "timestamp '1965-03-04 05:06:07' + n * interval '1 minute 1 microsecond'", stamp),
    ("zoned", "timestamptz '2000-01-01 00:00:00+00' + n * interval '1 second'", zoned),
    ("u", "lpad(to_hex(n * 2654435761), 32, 'a')::uuid", uuid.UUID),
    ("raw", "decode(lpad(to_hex(n), 16, '0'), 'hex')", lambda text: bytes.fromhex(text[2:])),
    ("doc", "jsonb_build_object('a', n)", str), ("bits", "(n % 16)::int::bit(4)", str),
]


def same(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (a != a and b != b)
    return a == b


def normal(value, truth):
    """What a reader gives in the form of the truth."""
    if isinstance(value, datetime.datetime) and value.tzinfo:
        return value.astimezone(UTC)
    if isinstance(truth, uuid.UUID) and isinstance(value, bytes):
        return uuid.UUID(bytes=value)
    if isinstance(truth, str) and not isinstance(value, str):
        return str(value)
    return value


def compare(what, rows, truth):
    if len(rows) != len(truth):
        print(f"{what}: {len(rows)} rows instead of {len(truth)}")
        return 1
    wrong = 0
    for row, (got, wanted) in enumerate(zip(rows, truth)):
        for (name, _, _), a, b in zip(COLUMNS, got, wanted):
            if (a is None) != (b is None) or (a is not None and not same(normal(a, b), b)):
                wrong += 1
                if wrong <= 5:
                    print(f"{what}: row {row}, column {name}: {a!r} instead of {b!r}")
    return wrong


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("program")
    arguments.add_argument("--rows", type=int, default=30000)
    arguments.add_argument("--formats", default="parquet,arrow")
    options = arguments.parse_args()
    columns = ", ".join(f"{expression} AS {name}" for name, expression, _ in COLUMNS)
    query = (f"SELECT {columns} FROM (SELECT i, CASE WHEN i % 11 = 0 THEN NULL ELSE i END AS n "
             f"FROM generate_series(0, {options.rows - 1}) AS g(i)) AS s ORDER BY i")
    wrong = files = 0
    with tempfile.TemporaryDirectory() as directory:
        def copy(name, settings):
            path = os.path.join(directory, name)
            subprocess.run([options.program, "sql", "-c", f"COPY ({query}) TO '{path}' ({settings})"], check=True,
                           stdout=subprocess.DEVNULL)
            return path

        with open(copy("truth.csv", "FORMAT csv, NULL '<null>'"), newline="") as file:
            truth = [[None if text == "<null>" else read(text) for text, (_, _, read) in zip(row, COLUMNS)]
                     for row in csv.reader(file)]
        formats = options.formats.split(",")
        for codec in ["snappy", "zstd", "gzip", "lz4_raw", "none"] if "parquet" in formats else []:
            for size in [122880, 1000]:
                path = copy(f"{codec}-{size}.parquet", f"FORMAT parquet, COMPRESSION {codec}, ROW_GROUP_SIZE {size}")
                table = pyarrow.parquet.read_table(path, page_checksum_verification=True)
                wrong += compare(f"pyarrow, {codec}, {size}", list(zip(*[c.to_pylist() for c in table.columns])), truth)
                connection = duckdb.connect()
                wrong += compare(f"duckdb, {codec}, {size}", connection.execute("SELECT * FROM read_parquet(?)", [path])
                                 .fetchall(), truth)
                # Bounds of chunks and pages must not hide rows.
                for name, _, _ in COLUMNS:
                    got = connection.execute(
                        f"SELECT count(*) FROM read_parquet($1) WHERE \"{name}\" = (SELECT max(\"{name}\") FROM read_parquet($1))",
                        [path]).fetchone()[0]
                    if got == 0 and name not in ("nothing",):
                        wrong += 1
                        print(f"duckdb, {codec}, {size}: no row has the maximum of {name}")
                files += 1
        for codec in ["none", "lz4", "zstd"] if "arrow" in formats else []:
            path = copy(f"{codec}.arrow", f"FORMAT arrow, COMPRESSION {codec}")
            with pyarrow.OSFile(path) as source:
                table = pyarrow.ipc.open_file(source).read_all()
            table.validate(full=True)
            wrong += compare(f"pyarrow, arrow, {codec}", list(zip(*[c.to_pylist() for c in table.columns])), truth)
            files += 1
    print(f"{files} files, {len(truth)} rows of {len(COLUMNS)} columns each: {wrong} values differ")
    return 1 if wrong else 0


sys.exit(main())
