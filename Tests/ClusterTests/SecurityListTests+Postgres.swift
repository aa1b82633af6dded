// Attacks against the PostgreSQL port, and against files by SQL.

import Authentication
import Diagnostics
import Foundation
import Frontends
import Testing

extension SecurityListTests {
    private static func refusal(_ bench: SecurityBench, _ user: String, _ password: String) throws -> QueryError? {
        do {
            _ = try bench.socket().logIn(user: user, password: password)
            return nil
        } catch { return error as? QueryError }
    }

    /// What comes back for bytes sent at the begin, until the server closes; it must close.
    private static func answer(_ bench: SecurityBench, _ bytes: [UInt8], _ name: String) throws -> String {
        let socket = try bench.socket()
        socket.send(bytes)
        let (answer, isClosed) = socket.readAll()
        #expect(isClosed, "\(name): the connection stays open")
        return String(decoding: answer, as: UTF8.self)
    }

    static let postgres: [SecurityCase] = [
        SecurityCase("a wrong password") { bench async throws in
            #expect(try refusal(bench, "anna", "battery staple")?.state == .invalidPassword)
        },
        SecurityCase("an empty password") { bench async throws in
            #expect(try refusal(bench, "anna", "")?.state == .invalidPassword)
        },
        SecurityCase("a name that nobody has, told from a wrong password by nothing") { bench async throws in
            #expect(try refusal(bench, "nobody", "correct horse")?.state == .invalidPassword)
        },
        SecurityCase("another user's password") { bench async throws in
            #expect(try refusal(bench, "ben", "correct horse")?.state == .invalidPassword)
        },
        SecurityCase("a user who has only a token") { bench async throws in
            #expect(try refusal(bench, "chief", "chief-token")?.state == .invalidPassword)
        },
        SecurityCase("a name that is part of a query") { bench async throws in
            #expect(try refusal(bench, "anna' OR '1'='1", "x")?.state == .invalidPassword)
        },
        SecurityCase("a statement before the proof") { bench async throws in
            let text = try answer(
                bench, RawSocket.startup(user: "anna") + RawSocket.message("Q", Array("SELECT 1\0".utf8)), "statement")
            #expect(text.contains("08P01"))
        },
        SecurityCase("a password in plain where a proof is asked for") { bench async throws in
            let text = try answer(
                bench, RawSocket.startup(user: "anna") + RawSocket.message("p", Array("correct horse\0".utf8)), "plain")
            #expect(text.contains("08P01") || text.contains("28P01") || text.contains("28000"))
        },
        SecurityCase("a mechanism that is not offered") { bench async throws in
            let text = try answer(
                bench, RawSocket.startup(user: "anna") + RawSocket.message("p", Array("PLAIN\0".utf8) + [0, 0, 0, 0]),
                "mechanism")
            #expect(text.contains("08P01") || text.contains("28"))
        },
        SecurityCase("channel binding that is pretended") { bench async throws in
            let first = Array("p=tls-server-end-point,,n=,r=abcdefghijklmnop".utf8)
            let body = Array("SCRAM-SHA-256\0".utf8) + [0, 0, 0, UInt8(first.count)] + first
            let text = try answer(bench, RawSocket.startup(user: "anna") + RawSocket.message("p", body), "binding")
            #expect(text.contains("08P01") || text.contains("28"))
        },
        SecurityCase("an exchange without a nonce") { bench async throws in
            let first = Array("n,,n=,r=".utf8)
            let body = Array("SCRAM-SHA-256\0".utf8) + [0, 0, 0, UInt8(first.count)] + first
            let text = try answer(bench, RawSocket.startup(user: "anna") + RawSocket.message("p", body), "nonce")
            #expect(text.contains("08P01") || text.contains("28"))
        },
        SecurityCase("an answer to somebody else's challenge") { bench async throws in
            // The proof of one exchange does not fit the nonce of another.
            var proof = SCRAMClientInstance(password: "correct horse")
            func challenge(_ socket: RawSocket) throws -> [UInt8] {
                socket.send(RawSocket.startup(user: "anna"))
                _ = socket.readMessage()
                let body =
                    Array("SCRAM-SHA-256\0".utf8) + [0, 0, 0, UInt8(proof.first.count)] + proof.first
                socket.send(RawSocket.message("p", body))
                return Array(try #require(socket.readMessage()).body.dropFirst(4))
            }
            let first = try bench.socket()
            let final = try proof.answer(try challenge(first))
            let second = try bench.socket()
            _ = try challenge(second)
            second.send(RawSocket.message("p", final))
            let (last, state) = second.readMessages(until: "Z")
            #expect(last == nil && state?.hasPrefix("28") == true || state == "08P01")
        },
        SecurityCase("a first message that promises two gigabytes") { bench async throws in
            _ = try answer(bench, [0x7F, 0xFF, 0xFF, 0xFF, 0, 3, 0, 0], "promise")
        },
        SecurityCase("a first message of a negative length") { bench async throws in
            _ = try answer(bench, [0xFF, 0xFF, 0xFF, 0xFF, 0, 3, 0, 0], "negative")
        },
        SecurityCase("a first message shorter than its length") { bench async throws in
            _ = try answer(bench, [0, 0, 0, 4, 0, 0, 0, 0], "short")
        },
        SecurityCase("an unknown version of the protocol") { bench async throws in
            _ = try answer(bench, RawSocket.message(nil, [0, 9, 0, 0] + Array("user\0anna\0\0".utf8)), "version")
        },
        SecurityCase("parameters without an end") { bench async throws in
            _ = try answer(bench, RawSocket.message(nil, [0, 3, 0, 0] + Array("user\0anna".utf8)), "parameters")
        },
        SecurityCase("a request of HTTP") { bench async throws in
            let text = try answer(bench, Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8), "HTTP")
            #expect(!text.contains("200"))
        },
        SecurityCase("random bytes") { bench async throws in
            var generator = SystemRandomNumberGenerator()
            for _ in 0..<20 {
                let socket = try bench.socket()
                socket.send((0..<512).map { _ in UInt8.random(in: 0...255, using: &generator) })
                socket.endSending()
                #expect(socket.readAll().isClosed)
            }
        },
        SecurityCase("64 KiB and more before the proof") { bench async throws in
            let text = try answer(
                bench,
                RawSocket.startup(user: "anna") + [UInt8(ascii: "p"), 0, 0x10, 0, 0]
                    + [UInt8](repeating: 65, count: 1 << 16), "64 KiB")
            #expect(text.contains("08P01") || text.contains("54000"))
        },
        SecurityCase("a message longer than the server takes") { bench async throws in
            let session = try bench.session()
            session.send([UInt8(ascii: "Q"), 0, 0x20, 0, 0])
            let (last, state) = session.readMessages(until: "Z")
            #expect(last == nil && (state == "08P01" || state == "54000"))
        },
        SecurityCase("a message of a negative length in a session") { bench async throws in
            let session = try bench.session()
            session.send([UInt8(ascii: "Q"), 0xFF, 0xFF, 0xFF, 0xFF])
            #expect(session.readMessages(until: "Z").last == nil)
        },
        SecurityCase("a kind of message that there is not") { bench async throws in
            let session = try bench.session()
            session.send(RawSocket.message("\u{1}", [1, 2, 3]))
            let (last, state) = session.readMessages(until: "Z")
            #expect(last == nil && state == "08P01")
        },
        SecurityCase("a parameter that promises more bytes than there are") { bench async throws in
            let session = try bench.session()
            session.send(RawSocket.message("P", Array("\0SELECT $1::text\0".utf8) + [0, 0]))
            session.send(
                RawSocket.message("B", [0, 0, 0, 0, 0, 1, 0x7F, 0xFF, 0xFF, 0xFF, 65]) + RawSocket.message("S", []))
            #expect(session.readMessages(until: "Z").state == "08P01")
        },
        SecurityCase("as many parameters as sixteen bits can count") { bench async throws in
            let session = try bench.session()
            session.send(
                RawSocket.message("P", Array("\0SELECT 1\0".utf8) + [0xFF, 0xFF]) + RawSocket.message("S", []))
            #expect(session.readMessages(until: "Z").state == "08P01")
        },
        SecurityCase("cancelling with a wrong secret") { bench async throws in
            let session = try bench.socket()
            let key = try session.logIn(user: "anna", password: "correct horse")
            session.send(
                RawSocket.message("Q", Array("SELECT count(*) FROM generate_series(1, 3000000) AS g(n)\0".utf8)))
            for secret in [0, key.secret &+ 1, ~key.secret] {
                let other = try bench.socket()
                let numbers = [80_877_102, key.process, secret].flatMap { number in
                    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> Int32($0)) }
                }
                other.send(RawSocket.message(nil, numbers))
                #expect(other.readAll().isClosed)
            }
            #expect(session.readMessages().state == nil)
        },
        SecurityCase("a request for Kerberos' encryption, then in plain") { bench async throws in
            let socket = try bench.socket()
            socket.send([0, 0, 0, 8, 4, 0xD2, 0x16, 0x30])
            #expect(socket.read(1) == [UInt8(ascii: "N")])
            _ = try socket.logIn(user: "anna", password: "correct horse")
        },
        SecurityCase("two hundred connections that say nothing") { bench async throws in
            let idle = try (0..<200).map { _ in try bench.socket() }
            _ = try bench.session()
            _ = idle.count
        },
        SecurityCase("a session that reads nothing of a large result") { bench async throws in
            let slow = try bench.session()
            slow.send(
                RawSocket.message(
                    "Q", Array("SELECT repeat('x', 1000) FROM generate_series(1, 3000000) AS g(n)\0".utf8)))
            #expect(bench.server.residentByteCount < 3 << 30)
        },
    ]

    static let files: [SecurityCase] = [
        SecurityCase("a file within the roots, which may be read") { bench async throws in
            #expect(try bench.state("SELECT * FROM '\(bench.roots)/inside.csv'") == nil)
        },
        SecurityCase("a file of the system") { bench async throws in
            #expect(try bench.state("SELECT * FROM '/etc/passwd'") == "42501")
        },
        SecurityCase("a file beside the roots") { bench async throws in
            #expect(try bench.state("SELECT * FROM '\(bench.directory)/outside.csv'") == "42501")
        },
        SecurityCase("a way out by dots") { bench async throws in
            #expect(try bench.state("SELECT * FROM '\(bench.roots)/../outside.csv'") == "42501")
        },
        SecurityCase("a way out by dots in the middle") { bench async throws in
            #expect(try bench.state("SELECT * FROM '\(bench.roots)/./up/../../outside.csv'") == "42501")
        },
        SecurityCase("a link that leads out") { bench async throws in
            #expect(try bench.state("SELECT * FROM '\(bench.roots)/link.csv'") == "42501")
        },
        SecurityCase("a linked directory that leads out") { bench async throws in
            #expect(try bench.state("SELECT * FROM '\(bench.roots)/up/outside.csv'") == "42501")
        },
        SecurityCase("a pattern that leads out") { bench async throws in
            #expect(try bench.state("SELECT * FROM '\(bench.directory)/*.csv'") == "42501")
            #expect(try bench.state("SELECT * FROM '\(bench.roots)/up/*.csv'") == "42501")
        },
        SecurityCase("a name that only begins like the roots") { bench async throws in
            #expect(try bench.state("SELECT * FROM '\(bench.roots)-not/file.csv'") == "42501")
        },
        SecurityCase("writing beside the roots") { bench async throws in
            #expect(try bench.state("COPY (SELECT 1 AS a) TO '\(bench.directory)/written.csv'") == "42501")
            #expect(!FileManager.default.fileExists(atPath: bench.directory + "/written.csv"))
        },
        SecurityCase("writing through a link") { bench async throws in
            #expect(try bench.state("COPY (SELECT 1 AS a) TO '\(bench.roots)/up/written.csv'") == "42501")
            #expect(!FileManager.default.fileExists(atPath: bench.directory + "/written.csv"))
        },
        SecurityCase("writing out by dots") { bench async throws in
            #expect(try bench.state("COPY (SELECT 1 AS a) TO '\(bench.roots)/../written.csv'") == "42501")
            #expect(!FileManager.default.fileExists(atPath: bench.directory + "/written.csv"))
        },
        SecurityCase("paths outside of the roots, there or not: the same answer") { bench async throws in
            let outside = bench.directory
            try FileManager.default.createDirectory(atPath: outside + "/more", withIntermediateDirectories: true)
            try "a\n1\n".write(toFile: outside + "/more/there.csv", atomically: true, encoding: .utf8)
            for (name, target) in [
                ("missing.csv", "/nothing.csv"), ("directory.csv", "/more"), ("deep.csv", "/more/there.csv"),
                ("deeper.csv", "/more/not-there.csv"),
            ] {
                try? FileManager.default.createSymbolicLink(
                    atPath: "\(bench.roots)/\(name)", withDestinationPath: outside + target)
            }
            #expect(try bench.state("CREATE TABLE IF NOT EXISTS lines (a text)") == nil)
            for path in [
                "\(outside)/outside.csv", "\(outside)/nothing.csv", "\(outside)/more", "\(outside)/less",
                "\(outside)/more/*.csv", "\(outside)/less/*.csv", "\(outside)/more/there.csv/x", "\(outside)/**/*.csv",
                "\(bench.roots)/link.csv", "\(bench.roots)/missing.csv", "\(bench.roots)/directory.csv",
                "\(bench.roots)/deep.csv", "\(bench.roots)/deeper.csv", "\(bench.roots)/up/outside.csv",
                "\(bench.roots)/up/nothing.csv", "\(bench.roots)/up/more/*.csv", "\(bench.roots)/up/less/*.csv",
                "\(bench.roots)/up/more", "\(bench.roots)/up/roots/inside.csv", "\(bench.roots)/miss*.csv",
                "\(bench.roots)/direct*.csv", "\(bench.roots)/../outside.csv", "/root/x.csv", "/nowhere/x.csv",
            ] {
                #expect(try bench.state("SELECT * FROM '\(path)'") == "42501", "\(path)")
                #expect(try bench.state("SELECT * FROM files.path.\"\(path)\"") == "42501", "\(path)")
                if !path.contains("*") {
                    #expect(try bench.state("COPY lines FROM '\(path)'") == "42501", "\(path)")
                    #expect(try bench.state("COPY (SELECT 1 AS a) TO '\(path)' (FORMAT csv)") == "42501", "\(path)")
                }
            }
            // A star does not go through a link that leads out.
            #expect(try bench.state("SELECT * FROM '\(bench.roots)/*/there.csv'") == "58P01")
            #expect(try bench.state("SELECT * FROM '\(bench.roots)/*/not-there.csv'") == "58P01")
            #expect(try bench.state("SELECT * FROM '\(bench.roots)/inside.csv'") == nil)
            #expect(try bench.state("SELECT * FROM '\(bench.roots)/nothing.csv'") == "58P01")
        },
        SecurityCase("COPY from a file beside the roots") { bench async throws in
            #expect(try bench.state("CREATE TABLE IF NOT EXISTS taken (a text, b text)") == nil)
            #expect(try bench.state("COPY taken FROM '\(bench.directory)/outside.csv'") != nil)
        },
        SecurityCase("a program behind COPY") { bench async throws in
            #expect(try bench.state("COPY (SELECT 1) TO PROGRAM 'touch \(bench.directory)/ran'") != nil)
            #expect(!FileManager.default.fileExists(atPath: bench.directory + "/ran"))
        },
        SecurityCase("a device that never ends") { bench async throws in
            #expect(try bench.state("SELECT * FROM '/dev/zero'") != nil)
        },
        SecurityCase("a statement nested ten thousand deep") { bench async throws in
            let depth = 10_000
            let sql = "SELECT " + String(repeating: "(", count: depth) + "1" + String(repeating: ")", count: depth)
            #expect(try bench.state(sql) == "54001")
        },
    ]
}
