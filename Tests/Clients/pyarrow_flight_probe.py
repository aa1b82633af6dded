"""pyarrow.flight: the calls of Flight SQL one by one, with messages coded here; what drivers do not show of a server."""

import os
import threading
import time

from probe import Probe, skip

try:
    import pyarrow
    import pyarrow.flight as flight
except ImportError as error:
    skip("pyarrow.flight", error)
if "FLIGHT_ADDRESS" not in os.environ:
    skip("pyarrow.flight", "FLIGHT_ADDRESS does not name a server")

probe = Probe("pyarrow.flight")
PREFIX = "type.googleapis.com/arrow.flight.protocol.sql."


def varint(value):
    result = b""
    while value > 127:
        result += bytes([value & 127 | 128])
        value >>= 7
    return result + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def fields(data):
    """The fields of a message by their numbers; the last one of each."""
    result, at = {}, 0

    def number():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = number()
        if key & 7 == 0:
            result[key >> 3] = number()
        else:
            length = number()
            result[key >> 3] = data[at:at + length]
            at += length
    return result


def message(name, *parts):
    return field(1, PREFIX + name) + field(2, b"".join(parts))


def command(name, *parts):
    return flight.FlightDescriptor.for_command(message(name, *parts))


client = flight.connect(f"grpc://{os.environ['FLIGHT_ADDRESS']}")
options = flight.FlightCallOptions(headers=[client.authenticate_basic_token(probe.user, "secret")])


def action(name, *parts, options=options):
    results = list(client.do_action(flight.Action(name, message(f"Action{name}Request", *parts)), options))
    return fields(fields(results[0].body.to_pybytes())[2]) if results else None


def info(sql, *more, options=options):
    return client.get_flight_info(command("CommandStatementQuery", field(1, sql), *more), options)


def query(sql, *more, options=options):
    return client.do_get(info(sql, *more, options=options).endpoints[0].ticket, options).read_all()


def update(sql, *more, options=options):
    writer, reader = client.do_put(command("CommandStatementUpdate", field(1, sql), *more), pyarrow.schema([]), options)
    writer.done_writing()
    result = fields(reader.read().to_pybytes())
    writer.close()
    return result.get(1, 0)


def state(error):
    text = str(error)
    return text.split("(SQLSTATE ", 1)[1][:5] if "(SQLSTATE " in text else text


def resident_megabytes():
    """Of the server's process, where it is known."""
    try:
        with open(f"/proc/{os.environ['SERVER_PROCESS']}/status") as file:
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS:"))
    except (KeyError, OSError):
        return None


with probe.part("queries"):
    probe.equal("rows", query("SELECT 1 AS a, 'x' AS b").to_pylist(), [{"a": 1, "b": "x"}])
    told = info("SELECT 1::bigint AS a, 'x' AS b")
    probe.equal("schema told", told.schema.names, ["a", "b"])
    probe.equal("schema kept", client.do_get(told.endpoints[0].ticket, options).schema, told.schema)
    probe.raises("a ticket is for once", "34000", lambda: client.do_get(told.endpoints[0].ticket, options).read_all(), state)
    schema = client.get_schema(command("CommandStatementQuery", field(1, "SELECT 1::smallint AS s")), options).schema
    probe.equal("schema alone", schema.field("s").type, pyarrow.int16())
    probe.equal("columns of no rows", query("SELECT 1 AS a WHERE false").schema.names, ["a"])
    probe.equal("rows of no columns", query("SELECT FROM generate_series(1, 5)").num_rows, 5)

with probe.part("changes run when asked about, and once"):
    update("DROP TABLE IF EXISTS probe_flight_calls")
    probe.equal("no endpoint", info("CREATE TABLE probe_flight_calls (a int)").endpoints, [])
    told = info("INSERT INTO probe_flight_calls VALUES (1), (2)")
    probe.equal("told", (told.endpoints, told.total_records), ([], 2))
    client.get_schema(command("CommandStatementQuery", field(1, "INSERT INTO probe_flight_calls VALUES (3)")), options)
    action("CreatePreparedStatement", field(1, "INSERT INTO probe_flight_calls VALUES (4)"))
    probe.equal("count", query("SELECT count(*) AS n FROM probe_flight_calls").to_pylist(), [{"n": 2}])
    probe.equal("updated", update("UPDATE probe_flight_calls SET a = a + 10"), 2)
    told = info("INSERT INTO probe_flight_calls VALUES (7) RETURNING a")
    probe.equal("returning", client.do_get(told.endpoints[0].ticket, options).read_all().to_pylist(), [{"a": 7}])
    probe.equal("with a change within", query(
        "WITH gone AS (DELETE FROM probe_flight_calls RETURNING a) SELECT count(*) AS n FROM gone").to_pylist(), [{"n": 3}])

with probe.part("prepared"):
    created = action("CreatePreparedStatement", field(1, "SELECT $1::int + 1 AS n"))
    handle = created[1]
    probe.equal("parameters", pyarrow.ipc.read_schema(pyarrow.py_buffer(created[3])).field(0).type, pyarrow.int32())
    prepared = command("CommandPreparedStatementQuery", field(1, handle))
    probe.raises("without values", "08P01", lambda: client.get_flight_info(prepared, options), state)
    batch = pyarrow.record_batch({"a": pyarrow.array([41], pyarrow.int32())})
    writer, reader = client.do_put(prepared, batch.schema, options)
    writer.write_batch(batch)
    writer.done_writing()
    reader.read()
    writer.close()
    told = client.get_flight_info(prepared, options)
    probe.equal("value", client.do_get(told.endpoints[0].ticket, options).read_all().to_pylist(), [{"n": 42}])
    action("ClosePreparedStatement", field(1, handle))
    probe.raises("closed", "26000", lambda: client.get_flight_info(prepared, options), state)

with probe.part("COPY with the client"):
    update("CREATE TABLE probe_flight_copied (a int, b text)")

    def copy(pieces):
        batch = pyarrow.record_batch({"copy_data": pieces})
        text = command("CommandStatementUpdate", field(1, "COPY probe_flight_copied FROM STDIN"))
        writer, reader = client.do_put(text, batch.schema, options)
        writer.write_batch(batch)
        writer.done_writing()
        told = reader.read()
        # Says what was wrong, if nothing was told.
        writer.close()
        return fields(told.to_pybytes()).get(1, 0)

    probe.equal("bytes, cut anywhere", copy(pyarrow.array([b"1\tone\n2\tt", b"wo\n"])), 2)
    probe.equal("text", copy(pyarrow.array(["3\tthree\n", "4\tf\u00fcr\n"])), 2)
    probe.raises("a piece that is NULL", "22P04", lambda: copy(pyarrow.array([None], pyarrow.string())), state)
    rows = query("SELECT a, b FROM probe_flight_copied ORDER BY a").to_pylist()
    probe.equal("rows", [tuple(row.values()) for row in rows], [(1, "one"), (2, "two"), (3, "three"), (4, "f\u00fcr")])
    update("DROP TABLE probe_flight_copied")

with probe.part("transactions"):
    transaction = action("BeginTransaction")[1]
    update("CREATE TABLE probe_flight_gone (a int)", field(2, transaction))
    probe.raises("must be named", "25001", lambda: query("SELECT 1"), state)
    probe.raises("only one", "25001", lambda: action("BeginTransaction"), state)
    savepoint = action("BeginSavepoint", field(1, transaction), field(2, "s"))[1]
    update("INSERT INTO probe_flight_gone VALUES (1)", field(2, transaction))
    action("EndSavepoint", field(1, savepoint), field(2, 2))
    probe.equal("back to the savepoint", query(
        "SELECT count(*) AS n FROM probe_flight_gone", field(2, transaction)).to_pylist(), [{"n": 0}])
    action("EndTransaction", field(1, transaction), field(2, 2))
    probe.raises("has ended", "25P01", lambda: query("SELECT 1", field(2, transaction)), state)
    probe.raises("rolled back", "42P01", lambda: query("SELECT * FROM probe_flight_gone"), state)

with probe.part("who"):
    probe.equal("user", query("SELECT current_user::text AS u").to_pylist(), [{"u": probe.user}])
    wrong = flight.FlightCallOptions(headers=[(b"authorization", b"Bearer nobody")])
    try:
        query("SELECT 1", options=wrong)
        probe.fail("wrong token", "it was taken")
    except flight.FlightUnauthenticatedError:
        probe.true("wrong token", True)
    bare = flight.FlightCallOptions()
    update("SET application_name = 'bare'", options=bare)
    probe.equal("without a handshake", query("SHOW application_name", options=bare).to_pylist()[0], {"application_name": "bare"})
    own = flight.FlightCallOptions(headers=[client.authenticate_basic_token("somebody", "")])
    update("CREATE TEMP TABLE probe_flight_temporary (a int)", options=own)
    list(client.do_action(flight.Action("CloseSession", b""), own))
    try:
        query("SELECT 1", options=own)
        probe.fail("closed session", "it runs")
    except flight.FlightUnauthenticatedError:
        probe.true("closed session", True)

with probe.part("what there is"):
    def listed(name, *parts):
        told = client.get_flight_info(command(name, *parts), options)
        table = client.do_get(told.endpoints[0].ticket, options).read_all()
        probe.equal(f"schema of {name}", table.schema, told.schema)
        return table.to_pylist()

    update("DROP TABLE IF EXISTS probe_flight_keys")
    update("CREATE TABLE probe_flight_keys (b int, a int, PRIMARY KEY (a, b))")
    probe.equal("catalogs", listed("CommandGetCatalogs"), [{"catalog_name": "martlet"}])
    probe.equal("schemas", [row["db_schema_name"] for row in listed("CommandGetDbSchemas", field(2, "publi_"))], ["public"])
    probe.equal("other catalog", listed("CommandGetDbSchemas", field(1, "other")), [])
    tables = listed("CommandGetTables", field(3, "probe\\_flight\\_keys"), field(4, "TABLE"), field(5, 1))
    probe.equal("tables", [row["table_name"] for row in tables], ["probe_flight_keys"])
    probe.equal("views only", listed("CommandGetTables", field(3, "probe\\_flight\\_keys"), field(4, "VIEW")), [])
    probe.equal("columns", pyarrow.ipc.read_schema(pyarrow.py_buffer(tables[0]["table_schema"])).names, ["b", "a"])
    probe.equal("keys", [(row["column_name"], row["key_sequence"]) for row in
                         listed("CommandGetPrimaryKeys", field(3, "probe_flight_keys"))], [("a", 1), ("b", 2)])
    values = {row["info_name"]: row["value"] for row in listed("CommandGetSqlInfo")}
    probe.equal("info", (values[0], values[3], values[8], values[504]), ("Martlet", False, 2, '"'))
    probe.equal("some info", [row["info_name"] for row in listed("CommandGetSqlInfo", field(1, 0), field(1, 9999))], [0])

with probe.part("unknown things"):
    for what, work in [
        ("command", lambda: client.get_flight_info(command("CommandStatementSubstraitPlan"), options)),
        ("action", lambda: list(client.do_action(flight.Action("Dance", b""), options))),
        ("path", lambda: client.get_flight_info(flight.FlightDescriptor.for_path("a"), options)),
    ]:
        probe.raises(what, "0A000", work, state)
    try:
        client.get_flight_info(flight.FlightDescriptor.for_command(b"\xff\xff"), options)
        probe.fail("malformed", "it was taken")
    except (flight.FlightError, pyarrow.ArrowInvalid) as error:
        probe.equal("malformed", state(error), "08P01")

with probe.part("a slow reader and one that goes away"):
    big = "SELECT g, repeat('x', 1000) AS t FROM generate_series(1, 100000000) AS g"
    before = resident_megabytes()
    reader = client.do_get(info(big).endpoints[0].ticket, options)
    for _ in range(20):
        reader.read_chunk()
        time.sleep(0.1)
    probe.equal("still there", query("SELECT 1 AS a").to_pylist(), [{"a": 1}])
    if before is not None:
        # The query waits for its reader: of the 100 GB there are never more than some buffers.
        grown = resident_megabytes() - before
        probe.true(f"memory of a slow reader ({grown:.0f} MB)", grown < 192)
    reader.cancel()
    told = info("SELECT count(*) FROM generate_series(1, 100000000000)")
    failures = []

    def read():
        try:
            client.do_get(told.endpoints[0].ticket, options).read_all()
        except Exception as error:
            failures.append(state(error))

    thread = threading.Thread(target=read)
    thread.start()
    time.sleep(1)
    result = list(client.do_action(flight.Action("CancelFlightInfo", field(1, told.serialize())), options))
    probe.equal("cancelled", fields(result[0].body.to_pybytes()), {1: 1})
    thread.join(20)
    probe.equal("ended with", failures, ["57014"])
    deadline = time.monotonic() + 20
    running = None
    while time.monotonic() < deadline and running != 0:
        running = query("SELECT count(*) AS n FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%0000000%' "
                        "AND query NOT LIKE '%pg_stat_activity%'").to_pylist()[0]["n"]
    probe.equal("nothing runs", running, 0)

probe.end()
