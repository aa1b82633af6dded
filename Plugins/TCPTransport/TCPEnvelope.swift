// The messages on a connection. Each is an envelope of 16 bytes, little-endian, and a body:
//
//   0 u32 bytes of the body   4 u32 channel   8 u32 kind   12 u32 check of the first 12 bytes and, but for frames, the body
//
// A connection begins with `hello` from both sides. Channels are numbered by the reader's side, from 1.

import Columnar
import Diagnostics
import NIOCore
import Transport
import WireCodec

struct TCPEnvelope {
    static let byteCount = 16
    /// The version of this protocol, sent with `hello`.
    static let version: UInt64 = 2
    /// Bodies are frames or smaller.
    static let bodyByteLimit = (1 << 20) + 1024

    enum Kind: UInt32 {
        case hello = 1
        /// Reader: open a channel, or go on with one that another connection has carried. Body: attempt, partition, window in
        /// bytes, frames that have come, byte up to which the channel may go, number of the reader's connection.
        case open = 2
        /// Reader: more credit. Body: the byte, counted from the channel's begin, up to which it may go.
        case credit = 3
        /// Reader: no more is wanted, or the end was heard: the channel is forgotten.
        case close = 4
        case ping = 5
        case pong = 6
        /// Producer: a frame.
        case frame = 16
        /// Producer: the end of a channel. Body: frames, rows.
        case end = 17
        /// Producer: an error ends the channel. Body: the error.
        case fault = 18
    }

    var kind: Kind
    var channel: UInt32
    var bodyByteCount: Int

    /// Appends an envelope and its body.
    static func write(_ kind: Kind, channel: UInt32 = 0, body: [UInt8] = [], to buffer: inout ByteBuffer) {
        let check = body.withUnsafeBytes { TCPEnvelope.check(UInt32(body.count), channel, kind.rawValue, body: $0) }
        buffer.reserveCapacity(minimumWritableBytes: byteCount + body.count)
        buffer.writeInteger(UInt32(body.count), endianness: .little)
        buffer.writeInteger(channel, endianness: .little)
        buffer.writeInteger(kind.rawValue, endianness: .little)
        buffer.writeInteger(check, endianness: .little)
        buffer.writeBytes(body)
    }

    static func write(frame: UnsafeRawBufferPointer, channel: UInt32, to buffer: inout ByteBuffer) {
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        let check = TCPEnvelope.check(UInt32(frame.count), channel, Kind.frame.rawValue, body: empty)
        buffer.reserveCapacity(minimumWritableBytes: byteCount + frame.count)
        buffer.writeInteger(UInt32(frame.count), endianness: .little)
        buffer.writeInteger(channel, endianness: .little)
        buffer.writeInteger(Kind.frame.rawValue, endianness: .little)
        buffer.writeInteger(check, endianness: .little)
        buffer.writeBytes(frame)
    }

    /// A multiplicative hash, bijective in each word, so that no single flipped bit goes unseen.
    static func check(_ length: UInt32, _ channel: UInt32, _ kind: UInt32, body: UnsafeRawBufferPointer) -> UInt32 {
        var hash: UInt32 = 0x811c_9dc5
        for word in [length, channel, kind] {
            hash = (hash ^ word) &* 0x9e37_79b1
            hash ^= hash &>> 15
        }
        for byte in body { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
        return hash
    }
}

/// Cuts the byte stream of a connection into messages. A frame's body is copied once, into aligned memory.
///
/// Handling a message may bring more bytes in its midst: a write that fails makes NIO read all that is left before it closes the
/// connection. Whoever is called for them while `take` has said that it is his turn lets them wait for theirs.
struct TCPMessageAssembler {
    struct Message {
        var kind: TCPEnvelope.Kind
        var channel: UInt32
        /// The body, in memory fit for `FrameDecoder`.
        var body: Buffer
        var bodyByteCount: Int

        func reader() -> ByteReader {
            ByteReader(Array(UnsafeRawBufferPointer(start: body.base, count: bodyByteCount)))
        }
    }

    private var head = [UInt8](repeating: 0, count: TCPEnvelope.byteCount)
    private var headFilled = 0
    private var current: (envelope: TCPEnvelope, check: UInt32, body: Buffer, filled: Int)?
    private var arrived = ByteBuffer()
    private var isBeingRead = false

    /// Takes bytes in. `false`: the caller is within the handling of a message, or an error has ended the reading; otherwise it
    /// calls `next` until that gives `nil`.
    mutating func take(_ bytes: ByteBuffer) -> Bool {
        var bytes = bytes
        if arrived.readableBytes == 0 { arrived = bytes } else { arrived.writeBuffer(&bytes) }
        defer { isBeingRead = true }
        return !isBeingRead
    }

    /// The next whole message of the bytes that were taken in; nil when more are needed. After an error there is none.
    mutating func next() throws(QueryError) -> Message? {
        var buffer = arrived
        arrived = ByteBuffer()
        let message = try next(&buffer)
        // Nothing is kept of a buffer that is read, so that NIO can use its memory again.
        if message == nil { isBeingRead = false } else { arrived = buffer }
        return message
    }

    private mutating func next(_ buffer: inout ByteBuffer) throws(QueryError) -> Message? {
        if current == nil {
            let wanted = min(TCPEnvelope.byteCount - headFilled, buffer.readableBytes)
            buffer.readWithUnsafeReadableBytes { bytes in
                for index in 0..<wanted { head[headFilled + index] = bytes[index] }
                return wanted
            }
            headFilled += wanted
            guard headFilled == TCPEnvelope.byteCount else { return nil }
            headFilled = 0
            let (envelope, check) = try parseHead()
            current = (envelope, check, Buffer(byteCount: max(64, envelope.bodyByteCount)), 0)
        }
        guard var message = current else { return nil }
        let wanted = min(message.envelope.bodyByteCount - message.filled, buffer.readableBytes)
        if wanted > 0 {
            buffer.readWithUnsafeReadableBytes { bytes in
                (message.body.base + message.filled).copyMemory(
                    from: bytes.baseAddress.unsafelyUnwrapped, byteCount: wanted)
                return wanted
            }
            message.filled += wanted
        }
        guard message.filled == message.envelope.bodyByteCount else {
            current = message
            return nil
        }
        current = nil
        try verify(message.envelope, message.check, message.body)
        return Message(
            kind: message.envelope.kind, channel: message.envelope.channel, body: message.body,
            bodyByteCount: message.envelope.bodyByteCount)
    }

    private func parseHead() throws(QueryError) -> (TCPEnvelope, UInt32) {
        func word(_ index: Int) -> UInt32 {
            UInt32(head[index]) | UInt32(head[index + 1]) << 8 | UInt32(head[index + 2]) << 16
                | UInt32(head[index + 3]) << 24
        }
        guard let kind = TCPEnvelope.Kind(rawValue: word(8)), Int(word(0)) <= TCPEnvelope.bodyByteLimit else {
            throw QueryError(.exchangeFailed, "a peer does not speak the exchange protocol")
        }
        return (TCPEnvelope(kind: kind, channel: word(4), bodyByteCount: Int(word(0))), word(12))
    }

    private func verify(_ envelope: TCPEnvelope, _ check: UInt32, _ body: Buffer) throws(QueryError) {
        let covered = envelope.kind == .frame ? 0 : envelope.bodyByteCount
        let expected = TCPEnvelope.check(
            UInt32(envelope.bodyByteCount), envelope.channel, envelope.kind.rawValue,
            body: UnsafeRawBufferPointer(start: body.base, count: covered))
        guard check == expected else {
            throw QueryError(.dataCorrupted, "invalid data on the wire: the check of a message does not match")
        }
    }
}
