// Pings are answered and all other bytes pass, wherever the network cuts them.

import NIOCore
import NIOEmbedded
import Testing

@testable import GRPCTransport

@Suite struct PingAnswererTests {
    private static func frame(_ type: UInt8, flags: UInt8 = 0, _ payload: [UInt8]) -> [UInt8] {
        [0, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF), type, flags, 0, 0, 0, 0] + payload
    }

    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    private static let data = frame(0, [UInt8](repeating: 7, count: 300))
    private static let ping = frame(6, [1, 2, 3, 4, 5, 6, 7, 8])
    private static let acknowledgement = frame(6, flags: 1, [8, 7, 6, 5, 4, 3, 2, 1])
    private static let bytes = preface + frame(4, []) + ping + data + ping + ping + acknowledgement + data

    private func pass(_ pieces: [ArraySlice<UInt8>]) throws -> (inbound: [UInt8], outbound: [UInt8]) {
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandler(PingAnswerer())
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        for piece in pieces { try channel.writeInbound(ByteBuffer(bytes: piece)) }
        var inbound: [UInt8] = []
        while let buffer = try channel.readInbound(as: ByteBuffer.self) { inbound += Array(buffer.readableBytesView) }
        var outbound: [UInt8] = []
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) { outbound += Array(buffer.readableBytesView) }
        _ = try? channel.finish()
        return (inbound, outbound)
    }

    @Test func everyCutGivesTheSame() throws {
        let passed = Self.preface + Self.frame(4, []) + Self.data + Self.acknowledgement + Self.data
        let answers = [UInt8](
            [[UInt8]](repeating: Self.frame(6, flags: 1, [1, 2, 3, 4, 5, 6, 7, 8]), count: 3).joined())
        for cut in 0...Self.bytes.count {
            let (inbound, outbound) = try pass([Self.bytes[..<cut], Self.bytes[cut...]])
            #expect(inbound == passed, "cut at \(cut)")
            #expect(outbound == answers, "cut at \(cut)")
        }
        let (inbound, outbound) = try pass(Self.bytes.indices.map { Self.bytes[$0...$0] })
        #expect(inbound == passed)
        #expect(outbound == answers)
    }
}
