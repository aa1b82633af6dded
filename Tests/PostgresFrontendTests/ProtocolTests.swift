// Messages from bytes, the order in which they are taken, and the bytes of answers.

import Columnar
import Diagnostics
import Frontends
import NIOCore
import Testing

@testable import PostgresFrontend

private func message(_ type: Character?, _ parts: [UInt8]) -> ByteBuffer {
    var buffer = ByteBuffer()
    if let type = type?.asciiValue { buffer.writeInteger(type) }
    buffer.writeInteger(Int32(parts.count + 4))
    buffer.writeBytes(parts)
    return buffer
}
private func text(_ value: String) -> [UInt8] { Array(value.utf8) + [0] }
private let startup = message(nil, [0, 3, 0, 0] + text("user") + text("me") + text("database") + text("d") + [0])

private func started() throws -> MessageFraming {
    var framing = MessageFraming(messageByteCountMax: 1000)
    var buffer = startup
    _ = try framing.next(&buffer)
    return framing
}

@Suite struct FramingTests {
    @Test func startupInPieces() throws {
        var framing = MessageFraming(messageByteCountMax: 1000)
        var buffer = ByteBuffer()
        var whole = startup
        var found: FrontendMessage?
        while let byte = whole.readInteger(as: UInt8.self) {
            #expect(found == nil)
            buffer.writeInteger(byte)
            found = try framing.next(&buffer)
        }
        #expect(
            found
                == .startup(
                    minorVersion: 0,
                    parameters: [
                        StartupParameter(name: "user", value: "me"), StartupParameter(name: "database", value: "d"),
                    ]))
    }

    @Test func encryptionThenStartup() throws {
        var framing = MessageFraming(messageByteCountMax: 1000)
        var buffer = message(nil, [0x04, 0xD2, 0x16, 0x2F])
        #expect(try framing.next(&buffer) == .sslRequest)
        buffer = message(nil, [0x04, 0xD2, 0x16, 0x2E, 0, 0, 0, 7, 0, 0, 0, 9])
        #expect(try framing.next(&buffer) == .cancelRequest(process: 7, secret: 9))
    }

    @Test func extendedMessages() throws {
        var framing = try started()
        var buffer = message("P", text("s") + text("select $1") + [0, 1, 0, 0, 0, 23])
        #expect(try framing.next(&buffer) == .parse(name: "s", sql: "select $1", types: [23]))
        buffer = message("B", text("") + text("s") + [0, 1, 0, 1, 0, 2, 0, 0, 0, 1, 65, 255, 255, 255, 255, 0, 0])
        #expect(
            try framing.next(&buffer)
                == .bind(
                    BindMessage(
                        portal: "", statement: "s", parameterFormats: [1], parameters: [[65], nil], resultFormats: [])))
        buffer = message("E", text("p") + [0, 0, 0, 5])
        #expect(try framing.next(&buffer) == .execute(portal: "p", rowLimit: 5))
    }

    @Test(arguments: [
        message("Q", [65]), message("P", text("s")), message("B", text("") + text("") + [0, 0, 0, 9]),
        message("D", [65, 0]),
        message("?", []), ByteBuffer(bytes: [UInt8(ascii: "Q"), 0, 0, 0, 3]),
        ByteBuffer(bytes: [UInt8(ascii: "Q"), 0x7F, 0, 0, 0]),
    ])
    func malformedMessagesAreErrors(_ bytes: ByteBuffer) throws {
        var framing = try started()
        var buffer = bytes
        #expect(throws: QueryError.self) { _ = try framing.next(&buffer) }
    }

    @Test func textOutsideOfTheEncodingLeavesTheConnection() throws {
        var framing = try started()
        func state(_ buffer: ByteBuffer) throws -> String? {
            var buffer = buffer
            guard case .unreadable(let error, let isExtended)? = try framing.next(&buffer) else { return nil }
            return error.state.code + (isExtended ? " extended" : "")
        }
        #expect(try state(message("Q", [0xFF, 0])) == "22021")
        #expect(try state(message("P", [0] + [0xFF, 0] + [0, 0])) == "22021 extended")
        framing.encoding = ClientEncoding.numbered(24)
        #expect(try state(message("Q", [0x81, 0])) == "22P05")
        var buffer = message("Q", [0x80, 0xE9, 0])
        #expect(try framing.next(&buffer) == .query("€é"))
    }

    @Test func randomBytesNeverCrash() throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            var framing = try started()
            var buffer = ByteBuffer(bytes: (0..<40).map { _ in UInt8.random(in: 0...80, using: &generator) })
            do { while try framing.next(&buffer) != nil {} } catch {}
        }
    }
}

@Suite struct ProtocolInstanceTests {
    private func ready() -> ProtocolInstance {
        var instance = ProtocolInstance()
        _ = instance.handle(.startup(minorVersion: 0, parameters: [StartupParameter(name: "user", value: "me")]))
        return instance
    }

    @Test func queriesBeforeStartupEndTheConnection() {
        var instance = ProtocolInstance()
        let directives = instance.handle(.query("select 1"))
        #expect(directives.last == .close)
        #expect(instance.handle(.query("select 1")).isEmpty)
    }

    @Test func errorsSkipToSync() {
        var instance = ready()
        #expect(instance.handle(.parse(name: "", sql: "x", types: [])) == [.parse(name: "", sql: "x", types: [])])
        instance.extendedMessageFailed()
        #expect(instance.handle(.execute(portal: "", rowLimit: 0)).isEmpty)
        #expect(instance.handle(.flush).isEmpty)
        #expect(instance.handle(.sync) == [.sync])
        #expect(instance.handle(.execute(portal: "", rowLimit: 0)) == [.execute(portal: "", rowLimit: 0)])
    }

    @Test func unreadableMessages() {
        var instance = ready()
        let error = QueryError(.characterNotInRepertoire, "x")
        #expect(
            instance.handle(.unreadable(error, isExtended: false)) == [.fail(error, isReadyAfterwards: true)])
        #expect(instance.handle(.query("a")) == [.runSimple("a")])
        #expect(
            instance.handle(.unreadable(error, isExtended: true)) == [.fail(error, isReadyAfterwards: false)])
        #expect(instance.handle(.execute(portal: "", rowLimit: 0)).isEmpty)
        #expect(instance.handle(.sync) == [.sync])
    }

    @Test func newerProtocolsAreNegotiated() {
        var instance = ProtocolInstance()
        let parameters = [StartupParameter(name: "user", value: "me"), StartupParameter(name: "_pq_.x", value: "1")]
        #expect(
            instance.handle(.startup(minorVersion: 2, parameters: parameters))
                == [.start(parameters: [parameters[0]], unknownOptions: ["_pq_.x"], negotiates: true)])
    }

    @Test func startupOptions() {
        #expect(
            StartupOptions.parse(#"-c statement_timeout=5 --search-path=a\ b -x"#) == [
                StartupParameter(name: "statement_timeout", value: "5"),
                StartupParameter(name: "search_path", value: "a b"),
            ])
    }
}

@Suite struct RowEncoderTests {
    private func encoded(_ vector: Vector, isBinary: Bool) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        try await RowEncoder().dataRows(
            Batch(columns: [vector], rowCount: vector.count), isBinary: [isBinary], settings: TextSettings()
        ) { bytes += $0 }
        return bytes
    }

    @Test func rows() async throws {
        let builder = VectorBuilder(type: .int32, capacity: 2)
        builder.append(.integer(7))
        builder.append(.null)
        let vector = builder.finish()
        let null: [UInt8] = [68, 0, 0, 0, 10, 0, 1, 255, 255, 255, 255]
        #expect(try await encoded(vector, isBinary: false) == [68, 0, 0, 0, 11, 0, 1, 0, 0, 0, 1, 55] + null)
        #expect(try await encoded(vector, isBinary: true) == [68, 0, 0, 0, 14, 0, 1, 0, 0, 0, 4, 0, 0, 0, 7] + null)
    }

    /// Columns with quick ways of their own, and some without.
    static let columns: [(DataType, [String])] = [
        (.boolean, ["t", "f"]), (.int16, ["0", "-32768", "32767", "9", "10", "-99"]),
        (.int32, ["0", "-2147483648", "2147483647", "100", "-1000"]),
        (.int64, ["0", "-9223372036854775808", "9223372036854775807", "42"]),
        (.decimal(precision: 12, scale: 2), ["0.00", "-0.01", "9999999999.99", "10000.00", "-1.50", "100000000.10"]),
        (
            .decimal(precision: 18, scale: 18),
            ["0.000000000000000001", "-0.999999999999999999", "0.100000000000000000"]
        ),
        (.decimal(precision: 9, scale: 7), ["12.0000001", "0.0001000", "0.0000100", "-99.9999999"]),
        (.decimal(precision: 18, scale: 0), ["0", "999999999999999999", "-10000", "100000000"]),
        (.decimal(precision: 30, scale: 3), ["123456789012345678901234567.891", "-0.001"]),
        (.float32, ["1.5", "-0", "NaN"]), (.float64, ["1e+300", "0.1", "-Infinity"]),
        (.date, ["1999-12-31", "2000-01-01", "0999-05-06", "10000-01-01", "0044-03-15 BC", "infinity"]),
        (.timestamp, ["2024-02-29 12:34:56.789", "1900-01-01 00:00:00"]), (.timestampTZ, ["2024-02-29 12:34:56+00"]),
        (.time, ["12:34:56.000001"]), (.text, ["", "a", "a string of more than twelve bytes", "ä€𝄞"]),
        (.bytea, ["\\x00ff"]), (.uuid, ["00112233-4455-6677-8899-aabbccddeeff"]),
        (.interval, ["1 mon 2 days 03:00:00"]),
        (.jsonb, ["{\"a\": 1}"]),
    ]

    @Test(arguments: columns) func everyEncoding(_ type: DataType, _ texts: [String]) async throws {
        let builder = VectorBuilder(type: type, capacity: texts.count + 1)
        for text in texts { builder.append(try TextFormat.parse(text, as: type)) }
        builder.append(.null)
        let flat = builder.finish()
        let codes = Buffer(byteCount: 4 * 2 * flat.count)
        for row in 0..<2 * flat.count {
            codes.base.assumingMemoryBound(to: UInt32.self)[row] = UInt32(row / 2)
        }
        let vectors = [
            flat, Vector(codes: codes, count: 2 * flat.count, dictionary: flat),
            Vector.constant(flat.value(at: 0), type: type, count: 3), Vector.constant(.null, type: type, count: 2),
        ]
        for vector in vectors {
            for isBinary in [false, true] {
                var expected: [UInt8] = []
                for row in 0..<vector.count {
                    var value: [UInt8] = []
                    if isBinary {
                        PostgresType.appendBinary(vector, row: row, into: &value)
                    } else if !vector.isNull(row) {
                        TextFormat.append(vector, row: row, settings: TextSettings(), into: &value)
                    }
                    let length = vector.isNull(row) ? -1 : Int32(value.count)
                    expected.append(68)
                    withUnsafeBytes(of: Int32(10 + value.count).bigEndian) { expected += $0 }
                    expected += [0, 1]
                    withUnsafeBytes(of: length.bigEndian) { expected += $0 }
                    expected += value
                }
                #expect(try await encoded(vector, isBinary: isBinary) == expected)
            }
        }
    }
}

@Suite struct BackendWriterTests {

    @Test(arguments: ["0.00", "1.50", "-12345.68", "10000.00", "0.01", "99999999.99"])
    func binaryNumericsRoundTrip(_ text: String) throws {
        let type = DataType.decimal(precision: 12, scale: 2)
        let value = try TextFormat.parse(text, as: type)
        var bytes: [UInt8] = []
        PostgresType.appendBinary(Vector.constant(value, type: type, count: 1), row: 0, into: &bytes)
        #expect(try PostgresType.value(binary: bytes, as: type) == value)
    }

    @Test(arguments: [
        "0", "0.00", "1.5", "-12345.680", "10000", "0.00010", "NaN", "Infinity", "-Infinity",
        "123456789012345678901234567890123456789012345678.000000001", "-0.00000000000000000001", "1e200", "99999999",
    ])
    func binaryNumericsOfAnySizeRoundTrip(_ text: String) throws {
        let value = try TextFormat.parse(text, as: .anyNumeric)
        var bytes: [UInt8] = []
        PostgresType.appendBinary(Vector.constant(value, type: .anyNumeric, count: 1), row: 0, into: &bytes)
        #expect(try PostgresType.value(binary: bytes, as: .anyNumeric) == value)
    }

    @Test func brokenBinaryNumerics() {
        let broken: [[UInt8]] = [
            [], [0, 1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0x80, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0, 0x27, 0x10],
            [0, 0, 0, 0, 0, 0, 0x7F, 0xFF],
        ]
        for bytes in broken {
            #expect(throws: QueryError.self) { try PostgresType.value(binary: bytes, as: .anyNumeric) }
        }
    }

    @Test func modifiers() {
        #expect(PostgresType(.anyNumeric).modifier == -1)
        #expect(PostgresType(.numeric(NumericModifier(precision: 3, scale: -2))).modifier == (3 << 16 | 0x7FE) + 4)
        #expect(PostgresType(.decimal(precision: 15, scale: 2)).modifier == (15 << 16 | 2) + 4)
        #expect(PostgresType(.char(length: 25)).modifier == 29)
        #expect(PostgresType(.array(.int32)).oid == 1007)
    }
}

@Suite struct AuthenticationTests {
    private func startupMessage() -> FrontendMessage {
        .startup(minorVersion: 0, parameters: [StartupParameter(name: "user", value: "me")])
    }

    @Test func nothingButProofsIsTakenUntilTheNameIsProven() {
        let messages: [FrontendMessage] = [
            .query("SELECT 1"), .parse(name: "", sql: "SELECT 1", types: []), .sync, .flush, .functionCall, .copyDone,
            .sslRequest, startupMessage(), .cancelRequest(process: 1, secret: 2), .execute(portal: "", rowLimit: 0),
        ]
        for message in messages {
            var instance = ProtocolInstance()
            _ = instance.handle(startupMessage())
            instance.authenticationBegan()
            #expect(instance.handle(.password([1])) == [.prove([1])])
            #expect(instance.handle(message).last == .close)
            #expect(instance.handle(.query("SELECT 1")).isEmpty)
        }
    }

    @Test func afterTheProofStatementsAreTakenAndProofsAreNot() {
        var instance = ProtocolInstance()
        _ = instance.handle(startupMessage())
        instance.authenticationBegan()
        instance.authenticated()
        #expect(instance.handle(.query("SELECT 1")) == [.runSimple("SELECT 1")])
        #expect(instance.handle(.password([1])).last == .close)
    }

    @Test func longMessagesBeforeTheSessionAreRefused() throws {
        var framing = MessageFraming(messageByteCountMax: 1 << 20)
        var buffer = startup
        _ = try framing.next(&buffer)
        let long = message("p", [UInt8](repeating: 1, count: 70_000))
        buffer = long
        #expect(throws: QueryError.self) { _ = try framing.next(&buffer) }
        framing.isTrusted = true
        buffer = long
        #expect(try framing.next(&buffer) == .password([UInt8](repeating: 1, count: 70_000)))
    }

    @Test func firstMessageOfSASL() throws {
        let verifier = SCRAMVerifier(
            iterationCount: 4096, salt: [1], storedKey: [UInt8](repeating: 1, count: 32),
            serverKey: [UInt8](repeating: 2, count: 32))
        let data = Array("n,,n=,r=abc".utf8)
        func first(_ mechanism: String, _ length: [UInt8], _ data: [UInt8]) throws -> PasswordExchange.Step {
            var exchange = PasswordExchange(user: "me", verifier: verifier)
            return try exchange.handle(text(mechanism) + length + data)
        }
        guard case .goesOn(let challenge) = try first("SCRAM-SHA-256", [0, 0, 0, 11], data) else {
            Issue.record("there is no challenge")
            return
        }
        #expect(String(decoding: challenge, as: UTF8.self).hasPrefix("r=abc"))
        #expect(throws: QueryError.self) { _ = try first("SCRAM-SHA-256-PLUS", [0, 0, 0, 11], data) }
        #expect(throws: QueryError.self) { _ = try first("PLAIN", [0, 0, 0, 11], data) }
        #expect(throws: QueryError.self) { _ = try first("SCRAM-SHA-256", [0, 0, 0, 12], data) }
        #expect(throws: QueryError.self) { _ = try first("SCRAM-SHA-256", [255, 255, 255, 255], []) }
        var exchange = PasswordExchange(user: "me", verifier: verifier)
        #expect(throws: QueryError.self) { _ = try exchange.handle([]) }
        var wrong = PasswordExchange(user: "me", verifier: verifier)
        guard case .goesOn(let question) = try wrong.handle(text("SCRAM-SHA-256") + [0, 0, 0, 11] + data) else {
            return
        }
        let nonce = String(decoding: question, as: UTF8.self).prefix { $0 != "," }
        let final = "c=biws,\(nonce),p=\(Base64Text.encode([UInt8](repeating: 0, count: 32)))"
        #expect { _ = try wrong.handle(Array(final.utf8)) } throws: { error in
            (error as? QueryError)?.state == .invalidPassword
        }
    }
}
