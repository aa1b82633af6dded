"""Writes the Parquet fixtures of this directory (see README.md). Needs pyarrow; run it here: python3 make.py"""
import datetime
import decimal
import itertools
import json
import os
import uuid

import pyarrow as pa
import pyarrow.parquet as pq

HERE = os.path.dirname(os.path.abspath(__file__))


def path(*names):
    full = os.path.join(HERE, *names)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    return full


def standard():
    """The table of the storage conformance tests."""
    n = 10_000
    first = datetime.date(2020, 1, 1)
    table = pa.table({
        "id": pa.array(range(n), pa.int64()),
        "category": pa.array([f"category {i % 7}" for i in range(n)], pa.string()),
        "amount": pa.array([i * 0.25 for i in range(n)], pa.float64()),
        "day": pa.array([None if i % 11 == 0 else first + datetime.timedelta(i % 1000) for i in range(n)], pa.date32()),
        "note": pa.array([None if i % 13 == 0 else f"note number {i} in some words" for i in range(n)], pa.string()),
    })
    pq.write_table(table, path("standard.parquet"), row_group_size=3000, data_page_size=4096, compression="snappy",
                   write_page_index=True)


def value(kind, i, nullable):
    """Value i of a column, the same whatever the encoding."""
    if nullable and i % 5 == 2:
        return None
    match kind:
        case "int32": return (i * 7919) % 20011 - 10000
        case "int64": return (i * 1_000_003_019) % 10**15 - 5 * 10**14
        case "float": return i * 0.5 - 100
        case "double": return i * 0.125 - 7
        case "boolean": return i % 3 == 0
        case "text": return ["", "a", "twelve bytes", "a text that is longer than a view"][i % 4] + str(i // 9)
        case "decimal": return decimal.Decimal((i * 7919) % 100003 - 50000).scaleb(-2)
        case "wide": return decimal.Decimal((i * 7919 - 50000) * 10**20).scaleb(-4)
        case "fixed": return bytes([(i * k) % 251 for k in range(1, 6)])


TYPES = {
    "int32": pa.int32(), "int64": pa.int64(), "float": pa.float32(), "double": pa.float64(), "boolean": pa.bool_(),
    "text": pa.string(), "decimal": pa.decimal128(9, 2), "wide": pa.decimal128(38, 4), "fixed": pa.binary(5),
}

ENCODINGS = {
    "int32": ["PLAIN", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT", "DICTIONARY"],
    "int64": ["PLAIN", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT", "DICTIONARY"],
    "float": ["PLAIN", "BYTE_STREAM_SPLIT", "DICTIONARY"],
    "double": ["PLAIN", "BYTE_STREAM_SPLIT", "DICTIONARY"],
    "boolean": ["PLAIN", "RLE"],
    "text": ["PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY", "DICTIONARY"],
    "decimal": ["PLAIN", "DICTIONARY", "BYTE_STREAM_SPLIT"],
    "wide": ["PLAIN", "DICTIONARY", "BYTE_STREAM_SPLIT"],
    "fixed": ["PLAIN", "DICTIONARY", "DELTA_BYTE_ARRAY", "BYTE_STREAM_SPLIT"],
}
CODECS = ["NONE", "SNAPPY", "GZIP", "ZSTD", "LZ4", "BROTLI"]


def text_of(kind, v):
    """A value as the expected files hold it: JSON, decimals as unscaled integers, bytes as hexadecimal."""
    if v is None:
        return None
    if kind == "decimal":
        return int(v.scaleb(2))
    if kind == "wide":
        return str(int(v.scaleb(4)))
    if kind == "fixed":
        return v.hex()
    return v


def matrix():
    """One file per codec and page version: all encodings, required and nullable, in several pages and row groups."""
    n = 700
    decimal.getcontext().prec = 60
    columns, names, expected = [], [], {}
    encoding, dictionaries = {}, []
    for kind, encodings in ENCODINGS.items():
        for enc, nullable in itertools.product(encodings, [False, True]):
            name = f"{kind}_{enc.lower()}" + ("_null" if nullable else "")
            values = [value(kind, i if enc != "DICTIONARY" else i % 37, nullable) for i in range(n)]
            columns.append(pa.array(values, TYPES[kind]))
            names.append(pa.field(name, TYPES[kind], nullable))
            expected[name] = [text_of(kind, v) for v in values]
            if enc == "DICTIONARY":
                dictionaries.append(name)
            else:
                encoding[name] = enc
    table = pa.table(columns, schema=pa.schema(names))
    for codec, version in itertools.product(CODECS, ["1.0", "2.0"]):
        pq.write_table(table, path("matrix", f"{codec.lower()}_v{version[0]}.parquet"), row_group_size=400,
                       compression=codec, data_page_version=version, use_dictionary=dictionaries,
                       column_encoding=encoding, data_page_size=300, write_batch_size=64,
                       write_page_checksum=True)
    with open(path("matrix", "expected.json"), "w") as file:
        json.dump(expected, file, indent=None, separators=(",", ":"))
        file.write("\n")


def types():
    """Every logical type that is read, with nulls; and nested columns, which are not."""
    utc = datetime.timezone.utc
    moments = [datetime.datetime(1969, 12, 31, 23, 59, 59, 999000), datetime.datetime(2024, 2, 29, 12, 30), None]
    table = pa.table({
        "i8": pa.array([-128, 127, None], pa.int8()), "i16": pa.array([-32768, 32767, None], pa.int16()),
        "u8": pa.array([0, 255, None], pa.uint8()), "u16": pa.array([0, 65535, None], pa.uint16()),
        "u32": pa.array([0, 4294967295, None], pa.uint32()),
        "u64": pa.array([0, 18446744073709551615, None], pa.uint64()),
        "f16": pa.array([1.5, -0.00006103515625, None], pa.float16()),
        "day": pa.array([datetime.date(1900, 1, 1), datetime.date(2024, 2, 29), None], pa.date32()),
        "ms": pa.array(moments, pa.timestamp("ms")), "us": pa.array(moments, pa.timestamp("us", "UTC")),
        "ns": pa.array([-1, 1_700_000_000_123_456_789, None], pa.timestamp("ns")),
        "t_ms": pa.array([0, 86_399_999, None], pa.time32("ms")), "t_us": pa.array([0, 1, None], pa.time64("us")),
        "t_ns": pa.array([0, 86_399_999_999_999, None], pa.time64("ns")),
        "bin": pa.array([b"", b"\x00\xff", None], pa.binary()), "none": pa.array([None, None, None], pa.string()),
        "d38": pa.array([decimal.Decimal("-0.0001"), decimal.Decimal(10) ** 33, None], pa.decimal128(38, 4)),
        "u": pa.array([uuid.UUID(int=1).bytes, uuid.UUID(int=2**128 - 1).bytes, None], pa.uuid()),
        "list": pa.array([[1, 2], [], None], pa.list_(pa.int64())),
        "record": pa.array([{"a": 1}, {"a": None}, None], pa.struct([("a", pa.int64())])),
        "last": pa.array([1, 2, 3], pa.int64()),
    })
    pq.write_table(table, path("types.parquet"), version="2.6", compression="NONE")
    pq.write_table(pa.table({"at": pa.array(moments, pa.timestamp("us"))}), path("int96.parquet"),
                   use_deprecated_int96_timestamps=True, compression="NONE")
    small = pa.table({"a": pa.array([decimal.Decimal("1.5"), None], pa.decimal128(4, 1)),
                      "b": pa.array([decimal.Decimal("-123456789.12"), None], pa.decimal128(15, 2))})
    pq.write_table(small, path("decimal_int.parquet"), store_decimal_as_integer=True, compression="NONE")


def fallback():
    """A dictionary that is given up in the middle of a column, so that batches straddle both kinds of page."""
    n = 6000
    table = pa.table({"id": pa.array(range(n), pa.int64()),
                      "name": pa.array([None if i % 17 == 0 else f"name of row {i * i}" for i in range(n)], pa.string()),
                      "few": pa.array([i // 100 for i in range(n)], pa.int32())})
    pq.write_table(table, path("fallback.parquet"), dictionary_pagesize_limit=8000, data_page_size=2000,
                   write_batch_size=100, compression="ZSTD")


def pages():
    """Sorted and clustered columns in small pages with a page index."""
    n = 8000
    table = pa.table({"id": pa.array(range(n), pa.int64()),
                      "bucket": pa.array([None if i // 1000 == 3 else i // 1000 for i in range(n)], pa.int32()),
                      "name": pa.array([f"{i:05d}" for i in range(n)], pa.string())})
    pq.write_table(table, path("pages.parquet"), row_group_size=4000, data_page_size=1000, write_batch_size=100,
                   use_dictionary=False, write_page_index=True, compression="SNAPPY")


def robustness():
    """Small files whose every byte is flipped by the tests."""
    n = 40
    table = pa.table({"id": pa.array(range(n), pa.int64()),
                      "name": pa.array([None if i % 5 == 0 else f"a longer name {i % 6}" for i in range(n)], pa.string()),
                      "x": pa.array([i * 0.5 for i in range(n)], pa.float64())})
    for codec in CODECS:
        for checksum in [False, True]:
            name = f"{codec.lower()}{'_sum' if checksum else ''}.parquet"
            pq.write_table(table, path("flip", name), compression=codec, write_page_checksum=checksum,
                           use_dictionary=["name"], store_schema=False)
    pq.write_table(table, path("flip", "delta.parquet"), compression="NONE", use_dictionary=False,
                   data_page_version="2.0", store_schema=False,
                   column_encoding={"id": "DELTA_BINARY_PACKED", "name": "DELTA_BYTE_ARRAY", "x": "BYTE_STREAM_SPLIT"})
    pq.write_table(table, path("flip", "length.parquet"), compression="NONE", use_dictionary=False, store_schema=False,
                   column_encoding={"id": "PLAIN", "name": "DELTA_LENGTH_BYTE_ARRAY", "x": "PLAIN"})


def text():
    """Text that is not ASCII, and bytes that are no text although the schema says so."""
    words = ["", "ascii", "ünïcödé und mehr als zwölf", "日本語のテキスト", "🚀"]
    for use, name in [(True, "text_dictionary"), (False, "text_plain")]:
        pq.write_table(pa.table({"t": pa.array([words[i % 5] for i in range(100)])}), path(name + ".parquet"),
                       use_dictionary=use, compression="NONE", store_schema=False)
        with open(path(name + ".parquet"), "rb") as file:
            data = file.read()
        with open(path(name + "_broken.parquet"), "wb") as file:
            file.write(data.replace("ünïcödé".encode(), "ünïcödé".encode()[:-1] + b"\xff"))


standard()
matrix()
types()
fallback()
pages()
robustness()
text()
