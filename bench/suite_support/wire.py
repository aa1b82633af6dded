"""A small client of PostgreSQL's protocol over a plain socket, so that a measured time is the server's.

Bytes are taken from the socket until the server is ready for the next query; only then is the clock read, and only after
that are rows made of them, if anybody asks. Works with any server that lets a user in without a password.
"""

import decimal
import re
import socket
import struct
import time

READY = re.compile(rb"Z\x00\x00\x00\x05[ITE]\Z")
BOOLEAN, BYTES_OF_READY = 16, 6
INTEGERS, NUMERIC, FLOATS = {20, 21, 23, 26}, 1700, {700, 701}
TEXT_FORMAT, BINARY_FORMAT = 0, 1


class ServerError(Exception):
    """The server refused a statement, or went away; then there is no SQLSTATE."""

    def __init__(self, message, state=None):
        super().__init__(f"{state}: {message}" if state else message)
        self.state = state


class Reply:
    """What one statement brought: messages as they came, and the time they took."""

    def __init__(self, data, milliseconds):
        self.data = data
        self.milliseconds = milliseconds

    def messages(self):
        position = 0
        while position < len(self.data):
            kind, length = self.data[position:position + 1], int.from_bytes(self.data[position + 1:position + 5], "big")
            yield kind, self.data[position + 5:position + 1 + length]
            position += 1 + length

    def rows(self):
        """Rows of a result in text format as Python values: numbers as decimals or floats, the rest as text."""
        types, result = [], []
        for kind, body in self.messages():
            if kind == b"T":
                types = column_types(body)
            elif kind == b"D":
                result.append([value(field, type_) for field, type_ in zip(fields(body), types)])
        return result


def column_types(body):
    """OIDs of the types in a RowDescription."""
    position, result = 2, []
    for _ in range(int.from_bytes(body[:2], "big")):
        position = body.index(b"\0", position) + 1
        result.append(int.from_bytes(body[position + 6:position + 10], "big"))
        position += 18
    return result


def fields(body):
    position, result = 2, []
    for _ in range(int.from_bytes(body[:2], "big")):
        length = int.from_bytes(body[position:position + 4], "big", signed=True)
        position += 4
        result.append(None if length < 0 else body[position:position + length])
        position += max(0, length)
    return result


def value(field, type_):
    if field is None:
        return None
    if type_ in INTEGERS:
        return int(field)
    text = field.decode()
    if type_ == NUMERIC:
        return decimal.Decimal(text)
    if type_ in FLOATS:
        return float(text)
    return text == "t" if type_ == BOOLEAN else text


def message(kind, body):
    return kind + struct.pack("!i", len(body) + 4) + body


def raise_error(data):
    for kind, body in Reply(data, 0).messages():
        if kind == b"E":
            parts = {part[:1]: part[1:].decode() for part in body.split(b"\0") if part}
            raise ServerError(parts.get(b"M", ""), parts.get(b"C"))


class Connection:
    """One session. A statement at a time; errors are raised when the server is ready again."""

    def __init__(self, host, port, user, database, timeout=None):
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        self.socket.settimeout(timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray(1 << 20)
        self.view = memoryview(self.buffer)
        body = struct.pack("!i", 196608) + f"user\0{user}\0database\0{database}\0\0".encode()
        self.socket.sendall(struct.pack("!i", len(body) + 4) + body)
        raise_error(self.receive())

    def receive(self):
        """Everything up to the server's being ready."""
        parts = bytearray()
        while not READY.search(parts, max(0, len(parts) - BYTES_OF_READY)):
            count = self.receive_some()
            parts += self.view[:count]
        return bytes(parts)

    def receive_some(self):
        try:
            count = self.socket.recv_into(self.buffer)
        except TimeoutError:
            self.close()
            raise ServerError("no answer in time") from None
        except OSError as error:
            raise ServerError(f"connection lost: {error}") from None
        if count == 0:
            raise ServerError("the server closed the connection")
        return count

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise ServerError(f"connection lost: {error}") from None

    def exchange(self, data):
        start = time.perf_counter()
        self.send(data)
        received = self.receive()
        milliseconds = (time.perf_counter() - start) * 1000
        raise_error(received)
        return Reply(received, milliseconds)

    def query(self, sql):
        """A statement by the simple protocol: results in text format."""
        return self.exchange(message(b"Q", sql.encode() + b"\0"))

    def prepare(self, name, sql):
        self.exchange(message(b"P", f"{name}\0{sql}\0".encode() + b"\0\0") + message(b"S", b""))

    @staticmethod
    def execution(name, parameters, result_format):
        """The messages that bind parameters (as texts) to a prepared statement and run it."""
        values = b"".join(struct.pack("!i", len(text)) + text for text in (str(p).encode() for p in parameters))
        bind = (b"\0" + name.encode() + b"\0" + struct.pack("!hh", 0, len(parameters)) + values
                + struct.pack("!hh", 1, result_format))
        return message(b"B", bind) + message(b"E", b"\0" + struct.pack("!i", 0)) + message(b"S", b"")

    def drain(self, data):
        """Sends messages and throws away what comes back. Returns seconds and bytes; takes no memory for rows."""
        start = time.perf_counter()
        self.send(data)
        total, tail = 0, b""
        while not READY.search(tail):
            count = self.receive_some()
            total += count
            tail = (tail + bytes(self.view[max(0, count - BYTES_OF_READY):count]))[-BYTES_OF_READY:]
            if total == count and self.buffer[0] == ord("E"):
                raise_error(bytes(self.view[:count]))
        return time.perf_counter() - start, total

    def close(self):
        self.socket.close()
