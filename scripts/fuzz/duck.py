"""DuckDB as a second witness, where the dialect is common: it tells which side of a difference stands alone."""
import re

from compare import canonical, close, key
from scalars import TYPES

#: Types whose values or literals DuckDB writes in another way.
OTHER = {"char", "bytea", "int4s", "texts", "interval", "big", "timetz", "jsonb"}
OTHER_SQL = re.compile(r"(char|bytea|int4s|texts|interval|big|timetz|jsonb)_[ax]|::(numeric|timetz)\b|jsonb|TIMETZ|"
                       r"::(char|bytea)|INTERVAL|ARRAY|'NaN'|/|SIMILAR|EXCLUDE")


class Duck:
    """The tables in a DuckDB of this process."""

    def __init__(self):
        import duckdb

        self.module = duckdb
        self.connection = None
        self.zone = None

    def load(self, tables, zone):
        self.zone = zone
        self.connection = self.module.connect()
        self.connection.execute("SET default_null_order='nulls_last_on_asc_first_on_desc'; SET timezone='UTC'; "
                                "SET integer_division=true; SET threads=1")
        for table in tables:
            chosen = [index for index, column in enumerate(table.columns) if column.type not in OTHER]
            names = ", ".join(f"{table.columns[i].name} {TYPES[table.columns[i].type].sql}" for i in chosen)
            self.connection.execute(f"CREATE TABLE {table.name} ({names})")
            for start in range(0, len(table.rows), 500):
                rows = ", ".join("(" + ", ".join(row[i] for i in chosen) + ")" for row in table.rows[start:start + 500])
                self.connection.execute(f"INSERT INTO {table.name} VALUES {rows}")

    def rows(self, sql):
        """The rows as PostgreSQL would print them, or None where DuckDB cannot say."""
        if self.zone != "UTC" or OTHER_SQL.search(sql):
            return None
        try:
            rows = self.connection.execute(sql).fetchall()
        except self.module.Error:
            return None
        return [tuple(map(text, row)) for row in rows]

    def agrees(self, rows, answer):
        """Whether an answer has these rows, whatever their order."""
        if answer.failed or len(rows) != len(answer.rows):
            return False
        mine = sorted((canonical(row, answer.types, False) for row in rows), key=key)
        others = sorted((canonical(row, answer.types, False) for row in answer.rows), key=key)
        return all(close(a, b, answer.types) for a, b in zip(mine, others))


def text(value):
    if value is None:
        return None
    if isinstance(value, bool):
        return "t" if value else "f"
    return re.sub(r"(\.\d*?)0+$", r"\1", str(value)).rstrip(".") if hasattr(value, "hour") else str(value)
