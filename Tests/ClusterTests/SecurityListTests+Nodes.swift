// Attacks against the ports of gRPC and of the exchange.

import Diagnostics
import Foundation
import Testing

extension SecurityListTests {
    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    /// A frame of HTTP/2.
    private static func frame(_ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ body: [UInt8] = []) -> [UInt8] {
        [UInt8(body.count >> 16 & 0xFF), UInt8(body.count >> 8 & 0xFF), UInt8(body.count & 0xFF), type, flags]
            + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: stream >> $0) } + body
    }

    /// Header fields, each by its letters (RFC 7541, 6.2.2).
    private static func fields(_ pairs: [(String, String)]) -> [UInt8] {
        func text(_ value: String) -> [UInt8] {
            let bytes = Array(value.utf8)
            return (bytes.count < 127 ? [UInt8(bytes.count)] : [127, UInt8(bytes.count - 127)]) + bytes
        }
        return pairs.flatMap { [0] + text($0.0) + text($0.1) }
    }

    static func call(_ path: String, _ more: [(String, String)] = [], message: [UInt8] = []) -> [UInt8] {
        let head = fields(
            [
                (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost"),
                ("content-type", "application/grpc"), ("te", "trailers"),
            ] + more)
        let body = [0] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: message.count >> $0) } + message
        return preface + frame(4) + frame(1, flags: 4, stream: 1, head) + frame(0, flags: 1, stream: 1, body)
    }

    /// What comes back until the stream's last headers, or the end, as far as it is text.
    private static func answer(_ bench: SecurityBench, _ bytes: [UInt8]) throws -> [UInt8] {
        let socket = try bench.socket("grpc")
        socket.send(bytes)
        var all: [UInt8] = []
        while true {
            let head = socket.read(9)
            guard head.count == 9 else { return all }
            let count = head[..<3].reduce(0) { $0 << 8 | Int($1) }
            let body = socket.read(count)
            all += head + body
            // Headers that end the stream, or a farewell.
            if head[3] == 1 && head[4] & 1 == 1 || head[3] == 7 || head[3] == 3 { return all }
        }
    }

    static let grpc: [SecurityCase] = [
        SecurityCase("gRPC: random bytes") { bench async throws in
            for _ in 0..<20 {
                let socket = try bench.socket("grpc")
                socket.send((0..<512).map { _ in UInt8.random(in: 0...255) })
                socket.endSending()
                #expect(socket.readAll().isClosed)
            }
        },
        SecurityCase("gRPC: a request of HTTP/1.1") { bench async throws in
            let socket = try bench.socket("grpc")
            socket.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            let (bytes, isClosed) = socket.readAll()
            #expect(isClosed && !String(decoding: bytes, as: UTF8.self).contains(" 200 "))
        },
        SecurityCase("gRPC: a frame of sixteen megabytes") { bench async throws in
            let socket = try bench.socket("grpc")
            socket.send(preface + frame(4) + [0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 1])
            #expect(socket.readAll().isClosed)
        },
        SecurityCase("gRPC: data on a stream that nobody opened") { bench async throws in
            let socket = try bench.socket("grpc")
            socket.send(preface + frame(4) + frame(0, flags: 1, stream: 7, [1, 2, 3]))
            #expect(socket.readAll().isClosed)
        },
        SecurityCase("gRPC: header fields that cannot be decoded") { bench async throws in
            let socket = try bench.socket("grpc")
            socket.send(preface + frame(4) + frame(1, flags: 5, stream: 1, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]))
            #expect(socket.readAll().isClosed)
        },
        SecurityCase("gRPC: header fields without an end") { bench async throws in
            let socket = try bench.socket("grpc")
            let piece = fields([("x", String(repeating: "a", count: 200))])
            socket.send(preface + frame(4) + frame(1, flags: 1, stream: 1, piece))
            for _ in 0..<2000 where !socket.send(frame(9, stream: 1, piece)) { break }
            #expect(bench.server.residentByteCount < 3 << 30)
        },
        SecurityCase("gRPC: settings and resets without end") { bench async throws in
            for flood in [
                frame(4),
                (0..<50).flatMap { frame(1, flags: 5, stream: UInt32($0 * 2 + 1), fields([(":method", "POST")])) },
            ] {
                let socket = try bench.socket("grpc", seconds: 5)
                socket.send(preface + frame(4))
                for _ in 0..<200 where !socket.send(flood) { break }
            }
            #expect(bench.server.isRunning)
        },
        SecurityCase("gRPC: a method that there is not") { bench async throws in
            #expect(try !answer(bench, call("/martlet.v1.Nothing/Nothing")).isEmpty)
        },
        SecurityCase("gRPC: a path out of the services") { bench async throws in
            for path in ["/../../etc/passwd", "", "/", "//", "/a"] {
                #expect(try !answer(bench, call(path)).isEmpty)
            }
        },
        SecurityCase("gRPC: calls of Flight without credentials") { bench async throws in
            for method in ["GetFlightInfo", "DoGet", "DoPut", "DoAction", "ListActions", "GetSchema"] {
                let path = "/arrow.flight.protocol.FlightService/\(method)"
                let refused = try answer(bench, call(path))
                let known = try answer(bench, call(path, [("authorization", "Bearer anna-token")]))
                #expect(!refused.isEmpty && refused != known, "\(method)")
            }
        },
        SecurityCase("gRPC: a message that promises two gigabytes") { bench async throws in
            let head = fields([
                (":method", "POST"), (":scheme", "http"), (":path", "/arrow.flight.protocol.FlightService/DoAction"),
                (":authority", "localhost"), ("content-type", "application/grpc"), ("te", "trailers"),
                ("authorization", "Bearer anna-token"),
            ])
            let bytes = preface + frame(4) + frame(1, flags: 4, stream: 1, head)
            #expect(try !answer(bench, bytes + frame(0, stream: 1, [0, 0x7F, 0xFF, 0xFF, 0xFF, 1])).isEmpty)
        },
        SecurityCase("gRPC: messages that are no messages") { bench async throws in
            for path in [
                "/martlet.v1.WorkerSession/Session", "/grpc.health.v1.Health/Check",
                "/arrow.flight.protocol.FlightService/DoAction",
            ] {
                let bytes = call(
                    path, [("authorization", "Bearer anna-token")], message: [0xFF, 0xFF, 0xFF, 0xFF, 0x0F])
                #expect(try !answer(bench, bytes).isEmpty, "\(path)")
            }
        },
    ]

    // MARK: - Exchange

    /// A message of the exchange with the right check (`TCPEnvelope`).
    private static func envelope(_ kind: UInt32, channel: UInt32 = 0, _ body: [UInt8] = [], length: UInt32? = nil)
        -> [UInt8]
    {
        let words = [length ?? UInt32(body.count), channel, kind]
        var hash: UInt32 = 0x811C_9DC5
        for word in words {
            hash = (hash ^ word) &* 0x9E37_79B1
            hash ^= hash >> 15
        }
        for byte in body { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
        return (words + [hash]).flatMap { word in [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: word >> $0) } } + body
    }
    private static let hello = envelope(1, [2])

    private static func exchangeEnds(_ bench: SecurityBench, _ bytes: [UInt8], _ name: String) throws {
        let socket = try RawSocket(port: bench.exchange)
        socket.send(bytes)
        socket.endSending()
        #expect(socket.readAll().isClosed, "\(name)")
    }

    static let exchange: [SecurityCase] = [
        SecurityCase("exchange: random bytes") { bench async throws in
            for _ in 0..<20 { try exchangeEnds(bench, (0..<512).map { _ in UInt8.random(in: 0...255) }, "random") }
        },
        SecurityCase("exchange: a request of HTTP") { bench async throws in
            try exchangeEnds(bench, Array("GET / HTTP/1.1\r\n\r\n".utf8), "HTTP")
        },
        SecurityCase("exchange: the largest numbers") { bench async throws in
            try exchangeEnds(bench, [UInt8](repeating: 0xFF, count: 64), "ones")
        },
        SecurityCase("exchange: zeros") { bench async throws in
            try exchangeEnds(bench, [UInt8](repeating: 0, count: 4096), "zeros")
        },
        SecurityCase("exchange: a message before the greeting") { bench async throws in
            try exchangeEnds(bench, envelope(2, channel: 1, [1, 2, 3]), "open")
            try exchangeEnds(bench, envelope(5), "ping")
        },
        SecurityCase("exchange: a greeting of another version") { bench async throws in
            try exchangeEnds(bench, envelope(1, [99]), "version")
        },
        SecurityCase("exchange: a message that promises four gigabytes") { bench async throws in
            try exchangeEnds(bench, hello + envelope(2, channel: 1, length: .max), "promise")
        },
        SecurityCase("exchange: channels that are none") { bench async throws in
            for body in [[], [0xFF], [UInt8](repeating: 0xFF, count: 100), [UInt8](repeating: 0, count: 100)]
                as [[UInt8]]
            {
                try exchangeEnds(bench, hello + envelope(2, channel: 1, body), "open")
            }
        },
        SecurityCase("exchange: a producer's messages from a reader") { bench async throws in
            for kind in [16, 17, 18, 6] as [UInt32] {
                try exchangeEnds(bench, hello + envelope(kind, channel: 1, [1, 2, 3, 4]), "kind \(kind)")
            }
        },
        SecurityCase("exchange: credit and closing of channels that nobody opened") { bench async throws in
            try exchangeEnds(bench, hello + envelope(3, channel: 9, [0x7F]) + envelope(4, channel: 9), "credit")
        },
        SecurityCase("exchange: a check that is wrong") { bench async throws in
            var bytes = hello + envelope(5)
            bytes[bytes.count - 1] ^= 1
            try exchangeEnds(bench, bytes, "check")
        },
        SecurityCase("exchange: nothing at all, a hundred times") { bench async throws in
            let idle = try (0..<100).map { _ in try RawSocket(port: bench.exchange) }
            #expect(idle.count == 100)
        },
    ]
}
