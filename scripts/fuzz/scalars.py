"""The scalar types that tables and expressions have, and their random values."""
import datetime


class Type:
    def __init__(self, name, sql, plain, values, small=None):
        self.name = name
        self.sql = sql
        #: A literal to reduce to.
        self.plain = plain
        #: `values(random)` is the text of a literal of this type.
        self.values = values
        #: The same with a magnitude of at most 100; numbers only.
        self.small = small


WORDS = ["", "a", "b", "A", "ab", "abc", "Abc", "zz", " x ", "foo", "bar", "foobar", "x%y", "a_b", "é", "日本", "0", "12",
         "-7", "3.5", "007", "true", "NULL", "it''s", "a\\b", "averylongstringthatdoesnotfitinline", "aaaaaaaaaaaa",
         "aaaaaaaaaaaab", "ß", "Z", "~", "tab\tx"]


def integer(bits, cast):
    extremes = [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1]

    def values(random):
        number = random.choice(extremes) if random.random() < 0.03 else small_number(random)
        if number == -(2 ** 31) and not cast:
            return "(-2147483648)"
        return signed(number) + cast if number != -(2 ** (bits - 1)) or not cast else f"('{number}'{cast})"

    return values


def signed(number):
    return f"({number})" if number < 0 else str(number)


def small_number(random):
    return random.choice([0, 1, 2, 3, -1, 5, 7, 10, 42, 100, -100, random.randint(-100, 100)])


def small_integer(cast):
    return lambda random: signed(small_number(random)) + cast


def numeric(random):
    return random.choice(["0.00", "1.00", "1.50", "(-2.25)", "99.99", "(-0.01)", "12345678.90",
                          f"{random.randint(0, 99)}.{random.randint(0, 99):02}"])


def small_numeric(random):
    return random.choice(["0.00", "1.00", "1.50", "(-2.25)", "99.99", "(-0.01)", "0.5", "3"
                          f".{random.randint(0, 99):02}"])


def exact(random):
    return random.choice(["0", "1.10", "(-7.50)", "12345678901234567890.123456789", "(-0.000000000000000000001)", "1e25",
                          "'NaN'", "'Infinity'", "100", "2.000", f"{random.randint(0, 9999)}.{random.randint(0, 9999):04}",
                          ]) + "::numeric"


def small_exact(random):
    return random.choice(["0", "1.0", "1.5", "(-2.25)", "99.999", "(-0.001)", "3.000", "7",
                          f"{random.randint(0, 99)}.{random.randint(0, 999):03}"]) + "::numeric"


def double(cast):
    def values(random):
        if random.random() < 0.06:
            return random.choice([f"'NaN'{cast}", f"'Infinity'{cast}", f"'-Infinity'{cast}"])
        return small_double(cast)(random)

    return values


def small_double(cast):
    return lambda random: f"({random.randint(-400, 400) / 4}){cast}"


def text(cast):
    return lambda random: f"'{random.choice(WORDS)}'{cast}"


def short_text(length, cast):
    return lambda random: "'" + random.choice([w for w in WORDS if len(w.replace("''", "'")) <= length]) + f"'{cast}"


def date_of(random):
    special = ["1970-01-01", "2000-02-29", "1999-12-31", "2024-02-29", "0001-01-01", "9999-12-31", "1582-10-15"]
    if random.random() < 0.3:
        return random.choice(special)
    return str(datetime.date(2020, 1, 1) + datetime.timedelta(days=random.randint(-40, 40)))


def time_of(random):
    return random.choice(["00:00:00", "23:59:59.999999", "12:34:56.789", "06:00:00", f"{random.randint(0, 23):02}:30:15"])


def interval(random):
    return random.choice(["INTERVAL '1 day'", "INTERVAL '2 hours 30 minutes'", "INTERVAL '1 month'", "INTERVAL '-3 days'",
                          "INTERVAL '1 year 2 months 3 days 04:05:06.789'", "INTERVAL '0'", "INTERVAL '15 seconds'",
                          f"INTERVAL '{random.randint(-20, 20)} days'"])


DOCUMENTS = ["null", "true", "1", "1.50", "-0.0", "1e3", '"a"', '"日"', '""', "[]", "{}", '[1, 2, "a", null]', '[[1], [2, 3]]',
             '{"a": 1, "b": [1, {"c": null}], "c": "x"}', '{"a": {"b": {"c": [10, 20]}}}', '{"b": 2, "a": 1}',
             '[{"a": 1}, {"a": 2.0, "b": false}]', '{"a": "12", "b": null}', '{"long key": "averylongstringthatdoesnotfit"}']


def document(random):
    return f"'{random.choice(DOCUMENTS)}'::jsonb"


def time_with_zone(random):
    return f"TIMETZ '{time_of(random)}{random.choice(['+00', '+02', '-05:30', '+14'])}'"


def bytes_of(random):
    return "'" + random.choice(["\\x", "\\x00", "\\x6162", "\\xff00ff", "\\x0102030405060708090a0b0c0d0e0f"]) + "'::bytea"


def uuid(random):
    return f"'00000000-0000-0000-0000-0000000000{random.choice(['00', '01', 'ab', 'ff'])}'::uuid"


def array(of, cast):
    def values(random):
        if random.random() < 0.15:
            return f"'{{}}'{cast}"
        parts = [("NULL" if random.random() < 0.15 else of(random)) for _ in range(random.randint(1, 4))]
        return f"(ARRAY[{', '.join(parts)}]{cast})"

    return values


ALL = [
    Type("bool", "bool", "true", lambda random: random.choice(["true", "false"])),
    Type("int2", "int2", "1::int2", integer(16, "::int2"), small_integer("::int2")),
    Type("int4", "int4", "1", integer(32, ""), small_integer("")),
    Type("int8", "int8", "1::int8", integer(64, "::int8"), small_integer("::int8")),
    Type("num", "numeric(12,2)", "1.00", numeric, small_numeric),
    Type("float4", "float4", "1::float4", double("::float4"), small_double("::float4")),
    Type("float8", "float8", "1::float8", double("::float8"), small_double("::float8")),
    Type("text", "text", "'a'::text", text("::text")),
    Type("varchar", "varchar(40)", "'a'::varchar(40)", text("::varchar(40)")),
    Type("char", "char(5)", "'a'::char(5)", short_text(5, "::char(5)")),
    Type("bytea", "bytea", "'\\x00'::bytea", bytes_of),
    Type("date", "date", "DATE '2020-01-01'", lambda random: f"DATE '{date_of(random)}'"),
    Type("time", "time", "TIME '00:00:00'", lambda random: f"TIME '{time_of(random)}'"),
    Type("timestamp", "timestamp", "TIMESTAMP '2020-01-01 00:00:00'",
         lambda random: f"TIMESTAMP '{date_of(random)} {time_of(random)}'"),
    Type("timestamptz", "timestamptz", "TIMESTAMPTZ '2020-01-01 00:00:00+00'",
         lambda random: f"TIMESTAMPTZ '{date_of(random)} {time_of(random)}+00'"),
    Type("interval", "interval", "INTERVAL '1 day'", interval),
    Type("big", "numeric", "1.5::numeric", exact, small_exact),
    Type("timetz", "timetz", "TIMETZ '00:00:00+00'", time_with_zone),
    Type("jsonb", "jsonb", "'1'::jsonb", document),
    Type("uuid", "uuid", "'00000000-0000-0000-0000-000000000001'::uuid", uuid),
    Type("int4s", "int4[]", "ARRAY[1]", array(small_integer(""), "::int4[]")),
    Type("texts", "text[]", "ARRAY['a'::text]", array(text(""), "::text[]")),
]

TYPES = {type.name: type for type in ALL}
NUMBERS = ["int2", "int4", "int8", "num", "big", "float4", "float8"]
INTEGERS = ["int2", "int4", "int8"]
TEXTS = ["text", "varchar", "char"]
TIMES = ["date", "time", "timestamp", "timestamptz"]
#: Types that = and < work for.
COMPARABLE = [type.name for type in ALL]
