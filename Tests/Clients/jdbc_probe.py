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
