"""Random tables: NULL-heavy, with duplicates and extreme values, of 0, 1, few and more rows than a batch holds."""
from scalars import ALL, TYPES


class Column:
    """A column that an expression may name."""

    def __init__(self, name, type, magnitude=None, is_key=False):
        self.name = name
        self.type = type
        #: Largest absolute value, if it is a number with a bound.
        self.magnitude = magnitude
        #: Unique and never NULL: orders the rows of its table.
        self.is_key = is_key


class Table:
    def __init__(self, name, columns, rows):
        self.name = name
        self.columns = columns
        self.rows = rows

    @property
    def size(self):
        return len(self.rows)

    def statements(self):
        definition = ", ".join(f"{column.name} {TYPES[column.type].sql}" for column in self.columns)
        yield f"CREATE TABLE {self.name} ({definition})"
        for start in range(0, len(self.rows), 400):
            chunk = self.rows[start:start + 400]
            yield f"INSERT INTO {self.name} VALUES " + ", ".join("(" + ", ".join(row) + ")" for row in chunk)


SIZES = [0, 1, 3, 8, 20, 20, 60, 2500]


def random_tables(random):
    tables = []
    for index, size in enumerate(SIZES):
        columns = [Column("id", "int4", magnitude=5000, is_key=True)]
        makers = [None]
        chosen = [type for type in ALL if random.random() < 0.75] or ALL
        for type in chosen:
            nulls = random.choice([0, 0.1, 0.3, 0.3, 0.6, 1.0 if random.random() < 0.1 else 0.2])
            if type.small is not None:
                columns.append(Column(f"{type.name}_a", type.name, magnitude=100))
                makers.append((type.small, nulls, pool(random, type.small)))
                if random.random() < 0.5:
                    columns.append(Column(f"{type.name}_x", type.name))
                    makers.append((type.values, nulls, None))
            else:
                columns.append(Column(f"{type.name}_a", type.name))
                makers.append((type.values, nulls, pool(random, type.values)))
        tables.append(Table(f"t{index}", columns, [row(random, number, makers) for number in range(size)]))
    return tables


def pool(random, values):
    """A few values for a column with many duplicates, or none."""
    return [values(random) for _ in range(random.randint(1, 6))] if random.random() < 0.5 else None


def row(random, number, makers):
    result = [str(number)]
    for values, nulls, few in makers[1:]:
        if random.random() < nulls:
            result.append("NULL")
        else:
            result.append(random.choice(few) if few else values(random))
    return result
