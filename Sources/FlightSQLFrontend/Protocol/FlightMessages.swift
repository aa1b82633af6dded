// The messages of Arrow Flight, coded by hand: there are few, and the large one must not be copied more than needed.

import Diagnostics
import FileFormats
import GRPCCore

/// A message that clients send.
protocol IncomingMessage: Sendable {
    init(wire bytes: UnsafeRawBufferPointer) throws
}

/// A message that is sent to clients.
protocol OutgoingMessage: Sendable {
    func write(to writer: inout ProtobufWriter)
}

extension OutgoingMessage {
    var wire: [UInt8] {
        var writer = ProtobufWriter()
        write(to: &writer)
        return writer.bytes
    }
}

extension IncomingMessage {
    init(wire bytes: [UInt8]) throws {
        self = try bytes.withUnsafeBytes { try Self(wire: $0) }
    }
}

struct IncomingMessageCoding<Message: IncomingMessage>: MessageDeserializer {
    func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> Message {
        do {
            return try bytes.withUnsafeBytes { try Message(wire: $0) }
        } catch {
            throw FlightErrors.rpcError(error)
        }
    }
}

struct OutgoingMessageCoding<Message: OutgoingMessage>: MessageSerializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ message: Message) throws -> Bytes { Bytes(message.wire) }
}

struct EmptyMessage: IncomingMessage {
    init(wire bytes: UnsafeRawBufferPointer) throws {}
}

/// Also the answer: both have the same fields.
struct HandshakeMessage: IncomingMessage, OutgoingMessage {
    var payload: [UInt8] = []
    init(payload: [UInt8]) { self.payload = payload }
    init(wire bytes: UnsafeRawBufferPointer) throws {
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            if field == 2 { payload = try reader.data() } else { try reader.skip() }
        }
    }
    func write(to writer: inout ProtobufWriter) { writer.data(2, payload) }
}

/// Name and password within the payload of a handshake.
struct BasicCredentials: IncomingMessage {
    var user = ""
    var password = ""
    init(user: String, password: String) {
        self.user = user
        self.password = password
    }
    init(wire bytes: UnsafeRawBufferPointer) throws {
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch field {
            case 2: user = try reader.string()
            case 3: password = try reader.string()
            default: try reader.skip()
            }
        }
    }
}

struct FlightDescriptor: IncomingMessage, OutgoingMessage {
    var type: UInt64 = 0
    var command: [UInt8] = []
    var path: [String] = []
    init(command: [UInt8]) {
        type = 2
        self.command = command
    }
    init(wire bytes: UnsafeRawBufferPointer) throws {
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch field {
            case 1: type = try reader.integer()
            case 2: command = try reader.data()
            case 3: path.append(try reader.string())
            default: try reader.skip()
            }
        }
    }
    func write(to writer: inout ProtobufWriter) {
        writer.integer(1, Int64(clamping: type))
        if !command.isEmpty { writer.data(2, command) }
        for part in path { writer.string(3, part) }
    }
}

struct FlightTicket: IncomingMessage, OutgoingMessage {
    var bytes: [UInt8] = []
    init(_ bytes: [UInt8]) { self.bytes = bytes }
    init(wire bytes: UnsafeRawBufferPointer) throws {
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            if field == 1 { self.bytes = try reader.data() } else { try reader.skip() }
        }
    }
    func write(to writer: inout ProtobufWriter) { writer.data(1, bytes) }
}

/// What a client gets to fetch a result by: one ticket, or none for statements without rows.
struct FlightInfo: IncomingMessage, OutgoingMessage {
    var schema: [UInt8] = []
    var descriptor: FlightDescriptor?
    var tickets: [[UInt8]] = []
    var recordCount: Int64 = -1
    init(schema: [UInt8], descriptor: FlightDescriptor, ticket: [UInt8]?, recordCount: Int64 = -1) {
        self.schema = schema
        self.descriptor = descriptor
        self.recordCount = recordCount
        tickets = ticket.map { [$0] } ?? []
    }
    init(wire bytes: UnsafeRawBufferPointer) throws {
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            guard field == 3 else {
                try reader.skip()
                continue
            }
            var endpoint = ProtobufReader(try reader.raw())
            while let field = try endpoint.next() {
                if field == 1 {
                    tickets.append(try FlightTicket(wire: try endpoint.raw()).bytes)
                } else {
                    try endpoint.skip()
                }
            }
        }
    }
    func write(to writer: inout ProtobufWriter) {
        writer.data(1, schema)
        if let descriptor { writer.message(2) { descriptor.write(to: &$0) } }
        for ticket in tickets {
            // Without a location a ticket is redeemed where it was given out.
            writer.message(3) { $0.message(1) { $0.data(1, ticket) } }
        }
        writer.integer(4, recordCount)
        writer.integer(5, -1)
        writer.boolean(6, true)
    }
}

struct SchemaResult: OutgoingMessage {
    var schema: [UInt8]
    func write(to writer: inout ProtobufWriter) { writer.data(1, schema) }
}

struct FlightAction: IncomingMessage, OutgoingMessage {
    var type = ""
    var body: [UInt8] = []
    init(type: String, body: [UInt8]) {
        self.type = type
        self.body = body
    }
    init(wire bytes: UnsafeRawBufferPointer) throws {
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch field {
            case 1: type = try reader.string()
            case 2: body = try reader.data()
            default: try reader.skip()
            }
        }
    }
    func write(to writer: inout ProtobufWriter) {
        writer.string(1, type)
        writer.data(2, body)
    }
}

struct FlightActionResult: IncomingMessage, OutgoingMessage {
    var body: [UInt8] = []
    init(body: [UInt8]) { self.body = body }
    init(wire bytes: UnsafeRawBufferPointer) throws {
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            if field == 1 { body = try reader.data() } else { try reader.skip() }
        }
    }
    func write(to writer: inout ProtobufWriter) { writer.data(1, body) }
}

struct FlightActionType: OutgoingMessage {
    var type: String
    var text: String
    func write(to writer: inout ProtobufWriter) {
        writer.string(1, type)
        writer.string(2, text)
    }
}

struct PutResult: IncomingMessage, OutgoingMessage {
    var metadata: [UInt8] = []
    init(metadata: [UInt8]) { self.metadata = metadata }
    init(wire bytes: UnsafeRawBufferPointer) throws {
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            if field == 1 { metadata = try reader.data() } else { try reader.skip() }
        }
    }
    func write(to writer: inout ProtobufWriter) { writer.data(1, metadata) }
}

// MARK: - Data

/// Rows that have come, of a client or of a server. A client sends its own in this form, too.
struct FlightData: IncomingMessage, OutgoingMessage {
    var descriptor: FlightDescriptor?
    var header: [UInt8] = []
    var body: [UInt8] = []
    init(descriptor: FlightDescriptor? = nil, header: [UInt8], body: [UInt8] = []) {
        self.descriptor = descriptor
        self.header = header
        self.body = body
    }
    func write(to writer: inout ProtobufWriter) {
        if let descriptor { writer.message(1) { descriptor.write(to: &$0) } }
        writer.data(2, header)
        writer.data(1000, body)
    }
    init(wire bytes: UnsafeRawBufferPointer) throws {
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch field {
            case 1: descriptor = try FlightDescriptor(wire: try reader.raw())
            case 2: header = try reader.data()
            case 1000: body = try reader.data()
            default: try reader.skip()
            }
        }
    }
}

/// An Arrow message to a client. Its bytes are the encoder's own: it is coded before the encoder goes on.
struct OutgoingFlightData: Sendable {
    var message: ArrowMessage
    /// Keeps the message's bytes where no encoder does.
    var owner: (any AnyObject & Sendable)?
    init(_ message: ArrowMessage, owner: (any AnyObject & Sendable)? = nil) {
        self.message = message
        self.owner = owner
    }
}

/// Writes the body of rows straight to where the transport wants the message.
struct FlightDataCoding: MessageSerializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ data: OutgoingFlightData) throws -> Bytes {
        let bodyByteCount = data.message.bodyByteCount
        var prefix = ProtobufWriter()
        prefix.data(2, data.message.header)
        prefix.key(1000, .bytes)
        prefix.varint(UInt64(bodyByteCount))
        var bytes = Bytes(repeating: 0, count: prefix.bytes.count + bodyByteCount)
        bytes.withUnsafeMutableBytes { target in
            guard let start = target.baseAddress else { return }
            prefix.bytes.withUnsafeBytes { source in
                if let from = source.baseAddress { start.copyMemory(from: from, byteCount: source.count) }
            }
            data.message.copyBody(to: start + prefix.bytes.count)
        }
        return bytes
    }
}
