"""pgjdbc through JayDeBeApi: prepared statements beyond the fifth run, fetch size, metadata, errors."""

import glob
import os
import shutil

from probe import Probe, skip

try:
    import jaydebeapi
    import jpype
except ImportError as error:
    skip("pgjdbc", error)
jars = [os.environ["PGJDBC_JAR"]] if "PGJDBC_JAR" in os.environ else sorted(glob.glob("/usr/share/java/postgresql*.jar"))
if not jars or not shutil.which("java"):
    skip("pgjdbc", "neither Java nor postgresql.jar may be missing")

probe = Probe("pgjdbc")
jpype.startJVM(classpath=[jars[0]])
url = f"jdbc:postgresql://{probe.host}:{probe.port}/{probe.database}"
connection = jaydebeapi.connect("org.postgresql.Driver", url, {"user": probe.user, "password": ""}, jars[0])
java = connection.jconn

with probe.part("statements"):
    java.setAutoCommit(True)
    statement = java.createStatement()
    statement.execute("DROP TABLE IF EXISTS probe_jdbc")
    statement.execute("CREATE TABLE probe_jdbc (id int PRIMARY KEY, name text, price numeric(8, 2), day date)")
    insert = java.prepareStatement("INSERT INTO probe_jdbc VALUES (?, ?, ?, ?)")
    for number in range(1, 21):
        insert.setInt(1, number)
        insert.setString(2, f"name {number}")
        insert.setBigDecimal(3, jpype.java.math.BigDecimal("2.50"))
        insert.setDate(4, jpype.java.sql.Date.valueOf("2024-02-29"))
        insert.addBatch()
    probe.equal("batch", [int(count) for count in insert.executeBatch()], [1] * 20)

with probe.part("prepared"):
    query = java.prepareStatement("SELECT name, price, day, id FROM probe_jdbc WHERE id = ?")
    for number in range(1, 12):
        query.setInt(1, number)
        rows = query.executeQuery()
        rows.next()
        got = (str(rows.getString(1)), str(rows.getBigDecimal(2)), str(rows.getDate(3)), int(rows.getInt(4)))
        probe.equal(f"run {number}", got, (f"name {number}", "2.50", "2024-02-29", number))

with probe.part("types both ways"):
    # Beyond the fifth run values come in binary.
    query = java.prepareStatement(
        "SELECT ?::boolean, ?::smallint, ?::bigint, ?::float8, ?::numeric(12, 3), ?::text, ?::bytea, ?::date, ?::time, ?::timestamp, "
        "?::uuid, ?::int[], ?::text")
    for number in range(1, 9):
        query.setBoolean(1, True)
        query.setShort(2, -7)
        query.setLong(3, 1 << 40)
        query.setDouble(4, 2.25)
        query.setBigDecimal(5, jpype.java.math.BigDecimal("-12.340"))
        query.setString(6, "Zoë 東京")
        query.setBytes(7, jpype.JArray(jpype.JByte)([0, -1]))
        query.setDate(8, jpype.java.sql.Date.valueOf("1999-12-31"))
        query.setTime(9, jpype.java.sql.Time.valueOf("23:59:58"))
        query.setTimestamp(10, jpype.java.sql.Timestamp.valueOf("2024-02-29 12:30:15.123456"))
        query.setObject(11, jpype.java.util.UUID(0, 5))
        query.setArray(12, java.createArrayOf("int4", [jpype.java.lang.Integer(1), jpype.java.lang.Integer(2)]))
        query.setString(13, None)
        rows = query.executeQuery()
        rows.next()
        got = [
            bool(rows.getBoolean(1)), int(rows.getShort(2)), int(rows.getLong(3)), float(rows.getDouble(4)), str(rows.getBigDecimal(5)),
            str(rows.getString(6)), [int(byte) for byte in rows.getBytes(7)], str(rows.getDate(8)), str(rows.getTime(9)),
            str(rows.getTimestamp(10)), str(rows.getObject(11)), [int(item) for item in rows.getArray(12).getArray()], rows.getString(13),
        ]
        wanted = [
            True, -7, 1 << 40, 2.25, "-12.340", "Zoë 東京", [0, -1], "1999-12-31", "23:59:58", "2024-02-29 12:30:15.123456",
            "00000000-0000-0000-0000-000000000005", [1, 2], None,
        ]
        probe.equal(f"run {number}", got, wanted)

with probe.part("fetch size"):
    java.setAutoCommit(False)
    statement = java.createStatement()
    statement.setFetchSize(50)
    rows = statement.executeQuery("SELECT g FROM generate_series(1, 500) AS s(g)")
    total = 0
    while rows.next():
        total += int(rows.getInt(1))
    probe.equal("rows", total, 125250)
    java.commit()
    java.setAutoCommit(True)

with probe.part("metadata"):
    data = java.getMetaData()
    probe.equal("product", str(data.getDatabaseProductName()), "PostgreSQL")

    def names(rows, column):
        found = []
        while rows.next():
            found.append(str(rows.getString(column)))
        return found

    probe.equal("tables", names(data.getTables(None, "public", "probe_jdbc", None), "TABLE_NAME"), ["probe_jdbc"])
    probe.equal("columns", names(data.getColumns(None, "public", "probe_jdbc", "%"), "COLUMN_NAME"), ["id", "name", "price", "day"])
    probe.equal("primary keys", names(data.getPrimaryKeys(None, "public", "probe_jdbc"), "COLUMN_NAME"), ["id"])
    probe.true("schemas", "public" in names(data.getSchemas(), "TABLE_SCHEM"))
    probe.equal("index", names(data.getIndexInfo(None, "public", "probe_jdbc", True, False), "COLUMN_NAME"), ["id"])
    probe.equal("foreign keys", names(data.getImportedKeys(None, "public", "probe_jdbc"), "FKCOLUMN_NAME"), [])
    probe.true("functions", "lower" in names(data.getFunctions(None, "pg_catalog", "low%"), "FUNCTION_NAME"))
    probe.true("keywords", "ilike" in str(data.getSQLKeywords()))
    probe.true("types", "int4" in names(data.getTypeInfo(), "TYPE_NAME"))

with probe.part("errors"):
    for state, sql in [("42P01", "SELECT * FROM no_such_table"), ("22012", "SELECT 1 / 0")]:
        try:
            java.createStatement().executeQuery(sql).next()
            probe.fail(sql, "did not fail")
        except jpype.JException as error:
            probe.equal(sql, str(error.getSQLState()), state)

with probe.part("cancel"):
    slow = java.createStatement()
    slow.setQueryTimeout(1)
    try:
        slow.executeQuery("SELECT pg_sleep(20)")
        probe.fail("time limit", "did not end")
    except jpype.JException as error:
        probe.equal("time limit", str(error.getSQLState()), "57014")

java.createStatement().execute("DROP TABLE IF EXISTS probe_jdbc")
java.close()
probe.end()
