// PostgresFrontend: PostgreSQL's protocol 3.0 for clients.
//
//   FrontendMessage    what clients send; MessageFraming cuts it out of bytes
//   BackendWriter      what is answered, as bytes
//   PostgresType       numbers, modifiers and binary forms of types
//   ProtocolInstance   which messages are taken when, as a state machine without input and output
//   PostgresConnection carries out what the state machine says, for one client
//   PasswordExchange   what a client proves its name by, with messages of SASL
//   EncryptionGate     TLS, before the first message
//   PostgresServer     listens, and keeps connections and their keys for cancelling
//
// This file: messages of clients.

import Columnar
import Diagnostics
import NIOCore

enum FrontendMessage: Sendable, Equatable {
    case sslRequest, gssRequest
    case cancelRequest(process: Int32, secret: Int32)
    /// Name and value pairs, and names of protocol options that we do not know.
    case startup(minorVersion: Int32, parameters: [StartupParameter])
    /// A password, or a message of SASL: what is awaited decides.
    case password([UInt8])
    case query(String)
    case parse(name: String, sql: String, types: [Int32])
    case bind(BindMessage)
    case describeStatement(String)
    case describePortal(String)
    case execute(portal: String, rowLimit: Int)
    case closeStatement(String)
    case closePortal(String)
    case sync, flush, terminate
    case functionCall
    /// Text that cannot be read in the client's encoding; the rest of the connection is not in doubt.
    case unreadable(QueryError, isExtended: Bool)
    case copyData([UInt8])
    case copyDone
    case copyFail(String)

    static func == (a: FrontendMessage, b: FrontendMessage) -> Bool {
        String(describing: a) == String(describing: b)
    }
}

struct StartupParameter: Sendable, Equatable {
    var name: String
    var value: String
}

struct BindMessage: Sendable, Equatable {
    var portal: String
    var statement: String
    /// 0 text, 1 binary; none, one for all, or one each.
    var parameterFormats: [Int16]
    var parameters: [[UInt8]?]
    var resultFormats: [Int16]
}

/// Cuts messages out of a stream of bytes. Starts with the untyped messages of a new connection.
struct MessageFraming: Sendable {
    private static let startupByteCountMax = 10_000
    /// Messages of clients that have not said who they are.
    private static let earlyByteCountMax = 65_535
    private var isStarting = true
    private let messageByteCountMax: Int
    /// Whether the client may send messages of full length.
    var isTrusted = false
    /// What the client has text in; `nil`: UTF-8.
    var encoding: ClientEncoding?

    init(messageByteCountMax: Int) { self.messageByteCountMax = messageByteCountMax }

    /// The next whole message, or `nil` until there are more bytes. 08P01 for what is no message.
    mutating func next(_ buffer: inout ByteBuffer) throws -> FrontendMessage? {
        if isStarting { return try nextStarting(&buffer) }
        guard let type = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self),
            let length = buffer.getInteger(at: buffer.readerIndex + 1, as: Int32.self)
        else { return nil }
        guard length >= 4 else { throw Self.violation("invalid message length") }
        let limit = isTrusted ? messageByteCountMax : min(messageByteCountMax, Self.earlyByteCountMax)
        guard Int(length) <= limit else {
            throw QueryError(
                .programLimitExceeded, "message of \(length) bytes is longer than the limit of \(limit)")
        }
        guard buffer.readableBytes >= 1 + Int(length) else { return nil }
        buffer.moveReaderIndex(forwardBy: 5)
        guard var body = buffer.readSlice(length: Int(length) - 4) else { return nil }
        do { return try decode(type, &body) } catch let error as QueryError {
            guard [.characterNotInRepertoire, .untranslatableCharacter].contains(error.state) else { throw error }
            return .unreadable(error, isExtended: type != UInt8(ascii: "Q"))
        }
    }

    private mutating func nextStarting(_ buffer: inout ByteBuffer) throws -> FrontendMessage? {
        guard let length = buffer.getInteger(at: buffer.readerIndex, as: Int32.self) else { return nil }
        guard length >= 8, length <= Self.startupByteCountMax else {
            throw Self.violation("invalid length of startup packet")
        }
        guard buffer.readableBytes >= Int(length) else { return nil }
        buffer.moveReaderIndex(forwardBy: 4)
        guard var body = buffer.readSlice(length: Int(length) - 4), let code = body.readInteger(as: Int32.self) else {
            return nil
        }
        switch code {
        case 80_877_103: return .sslRequest
        case 80_877_104: return .gssRequest
        case 80_877_102:
            guard let process = body.readInteger(as: Int32.self), let secret = body.readInteger(as: Int32.self) else {
                throw Self.violation("invalid cancel request")
            }
            return .cancelRequest(process: process, secret: secret)
        default: break
        }
        guard code >> 16 == 3 else {
            throw QueryError(
                .featureNotSupported,
                "unsupported frontend protocol \(code >> 16).\(code & 0xFFFF): server supports 3.0 to 3.0")
        }
        var parameters: [StartupParameter] = []
        while true {
            let name = try string(&body)
            if name.isEmpty { break }
            parameters.append(StartupParameter(name: name, value: try string(&body)))
        }
        isStarting = false
        return .startup(minorVersion: code & 0xFFFF, parameters: parameters)
    }

    private func decode(_ type: UInt8, _ body: inout ByteBuffer) throws -> FrontendMessage {
        switch Character(Unicode.Scalar(type)) {
        case "Q": return .query(try string(&body))
        case "P":
            let name = try string(&body)
            let sql = try string(&body)
            let count = try Self.int16(&body)
            return .parse(name: name, sql: sql, types: try (0..<Int(count)).map { _ in try Self.int32(&body) })
        case "B": return .bind(try bind(&body))
        case "D":
            let kind = try Self.byte(&body)
            let name = try string(&body)
            if kind == UInt8(ascii: "S") { return .describeStatement(name) }
            if kind == UInt8(ascii: "P") { return .describePortal(name) }
            throw Self.violation("invalid DESCRIBE message subtype \(kind)")
        case "E":
            let portal = try string(&body)
            return .execute(portal: portal, rowLimit: Int(max(0, try Self.int32(&body))))
        case "C":
            let kind = try Self.byte(&body)
            let name = try string(&body)
            if kind == UInt8(ascii: "S") { return .closeStatement(name) }
            if kind == UInt8(ascii: "P") { return .closePortal(name) }
            throw Self.violation("invalid CLOSE message subtype \(kind)")
        case "S": return .sync
        case "H": return .flush
        case "X": return .terminate
        case "F": return .functionCall
        case "p": return .password(Array(body.readableBytesView))
        case "d": return .copyData(Array(body.readableBytesView))
        case "c": return .copyDone
        case "f": return .copyFail(try string(&body))
        default: throw Self.violation("invalid frontend message type \(type)")
        }
    }

    private func bind(_ body: inout ByteBuffer) throws -> BindMessage {
        let portal = try string(&body)
        let statement = try string(&body)
        let formats = try (0..<Int(Self.int16(&body))).map { _ in try Self.int16(&body) }
        let parameters = try (0..<Int(Self.int16(&body))).map { _ -> [UInt8]? in
            let length = try Self.int32(&body)
            if length < 0 { return nil }
            guard let bytes = body.readBytes(length: Int(length)) else {
                throw Self.violation("insufficient data left in message")
            }
            return bytes
        }
        let results = try (0..<Int(Self.int16(&body))).map { _ in try Self.int16(&body) }
        return BindMessage(
            portal: portal, statement: statement, parameterFormats: formats, parameters: parameters,
            resultFormats: results)
    }

    static func violation(_ message: String) -> QueryError { QueryError(.protocolViolation, message) }

    private static func byte(_ body: inout ByteBuffer) throws -> UInt8 {
        guard let value = body.readInteger(as: UInt8.self) else { throw violation("insufficient data left in message") }
        return value
    }
    /// Counts and formats, never negative.
    private static func int16(_ body: inout ByteBuffer) throws -> Int16 {
        guard let value = body.readInteger(as: Int16.self), value >= 0 else {
            throw violation("insufficient data left in message")
        }
        return value
    }
    private static func int32(_ body: inout ByteBuffer) throws -> Int32 {
        guard let value = body.readInteger(as: Int32.self) else { throw violation("insufficient data left in message") }
        return value
    }
    private func string(_ body: inout ByteBuffer) throws -> String {
        guard let end = body.readableBytesView.firstIndex(of: 0),
            let bytes = body.readBytes(length: end - body.readerIndex)
        else { throw Self.violation("invalid string in message") }
        body.moveReaderIndex(forwardBy: 1)
        if let encoding { return String(decoding: try encoding.decoded(bytes), as: UTF8.self) }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw QueryError(.characterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\"")
        }
        return text
    }
}
