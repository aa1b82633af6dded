// Attacks against the HTTP port.

import Diagnostics
import Foundation
import Frontends
import Testing

extension SecurityListTests {
    static func upgrade(_ headers: [String]) -> String {
        RawResponse.request(
            "GET", "/v1/events",
            [
                "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ] + headers
        ).replacingOccurrences(of: "Connection: close", with: "Connection: Upgrade")
    }

    /// The status for bytes of any kind, and that the connection ends.
    private static func status(_ bench: SecurityBench, _ text: String) throws -> Int {
        try RawResponse.send(port: bench.http, Array(text.utf8)).status
    }

    private static let credentials: [SecurityCase] = [
        SecurityCase("no credentials") { bench async throws in
            for path in [
                "/", "/v1/queries", "/v1/workers", "/v1/schema", "/metrics", "/v1/openapi.json", "/v1/version",
                "/v1/session",
            ] {
                let answer = try bench.request("GET", path, token: nil)
                #expect(answer.status == 401, "\(path)")
                #expect(answer.head.lowercased().contains("www-authenticate: basic"), "\(path)")
            }
            #expect(try bench.request("POST", "/v1/query", body: "SELECT 1", token: nil).status == 401)
        },
        SecurityCase("a wrong password by Basic") { bench async throws in
            let text = Data("anna:battery staple".utf8).base64EncodedString()
            #expect(try bench.request("GET", "/v1/queries", ["Authorization: Basic \(text)"], token: nil).status == 401)
        },
        SecurityCase("a name without a password") { bench async throws in
            for text in ["anna", "anna:", ":", ":correct horse", ""] {
                let code = Data(text.utf8).base64EncodedString()
                #expect(
                    try bench.request("GET", "/v1/queries", ["Authorization: Basic \(code)"], token: nil).status == 401)
            }
        },
        SecurityCase("a token that nobody has") { bench async throws in
            for token in ["anna-tokem", "anna-token2", "anna-toke", "*"] {
                #expect(try bench.request("GET", "/v1/queries", token: token).status == 401)
            }
        },
        SecurityCase("a password in the place of a token") { bench async throws in
            #expect(try bench.request("GET", "/v1/queries", token: "correct horse").status == 401)
        },
        SecurityCase("a token in the address") { bench async throws in
            for name in ["access_token", "token", "authorization", "bearer"] {
                #expect(try bench.request("GET", "/v1/queries?\(name)=anna-token", token: nil).status == 401)
            }
        },
        SecurityCase("a token in a cookie") { bench async throws in
            #expect(try bench.request("GET", "/v1/queries", ["Cookie: token=anna-token"], token: nil).status == 401)
        },
        SecurityCase("credentials that are no credentials") { bench async throws in
            for value in ["Basic", "Basic !!!!", "Bearer", "Digest anna", "\u{7F}", "Basic AAAA\u{0}"] {
                let status = try bench.request("GET", "/v1/queries", ["Authorization: \(value)"], token: nil).status
                #expect([400, 401, 0].contains(status), "\(value): \(status)")
            }
        },
        SecurityCase("two sets of credentials") { bench async throws in
            let headers = ["Authorization: Bearer anna-token", "Authorization: Bearer ben-token"]
            #expect(try bench.request("GET", "/v1/queries", headers, token: nil).status == 401)
        },
    ]

    private static let others: [SecurityCase] = [
        SecurityCase("another user's query") { bench async throws in
            let id = try await bench.startLongQuery(token: "ben-token")
            #expect(try bench.request("GET", "/v1/queries/\(id)").status == 404)
            #expect(try bench.request("GET", "/v1/queries/\(id)/rows?page=0&wait_ms=0").status == 404)
            #expect(try bench.request("DELETE", "/v1/queries/\(id)").status == 404)
            #expect(!(try bench.request("GET", "/v1/queries").body.contains(id)))
            #expect(!(try bench.request("GET", "/v1/queries?user=ben").body.contains(id)))
            #expect(!(try bench.request("GET", "/v1/queries?search=generate_series").body.contains(id)))
            #expect(try bench.queryState(id, token: "ben-token") == "running")
            #expect(try bench.request("DELETE", "/v1/queries/\(id)", token: "ben-token").status == 200)
        },
        SecurityCase("an administrator, who may") { bench async throws in
            let id = try await bench.startLongQuery(token: "ben-token")
            #expect(try bench.request("GET", "/v1/queries/\(id)", token: "chief-token").status == 200)
            #expect(try bench.request("GET", "/v1/queries", token: "chief-token").body.contains(id))
            #expect(try bench.request("DELETE", "/v1/queries/\(id)", token: "chief-token").status == 200)
        },
        SecurityCase("a statement under another's name") { bench async throws in
            #expect(try bench.request("POST", "/v1/query?user=ben", body: "SELECT session_user").status == 403)
            let body = #"{"sql": "SELECT session_user", "user": "ben"}"#
            let headers = ["Content-Type: application/json"]
            #expect(try bench.request("POST", "/v1/query", headers, body: body).status == 403)
            #expect(try bench.request("POST", "/v1/query", body: "SET SESSION AUTHORIZATION ben").status != 200)
        },
        SecurityCase("names of queries that are none") { bench async throws in
            for id in ["..", "%2e%2e", "%00", "'%20OR%201=1", String(repeating: "a", count: 4000), "0"] {
                let status = try bench.request("GET", "/v1/queries/\(id)").status
                #expect([400, 404].contains(status), "\(id.prefix(20)): \(status)")
            }
        },
    ]

    private static let paths: [SecurityCase] = [
        SecurityCase("ways out of the dashboard's directory") { bench async throws in
            for path in [
                "/../../../../etc/passwd", "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
                "/..%2f..%2f..%2f..%2fetc%2fpasswd",
                "/assets/..%5c..%5c..%5cetc%5cpasswd", "//etc/passwd", "/%2fetc%2fpasswd", "/./../etc/passwd",
                "/index.html%00.png", "/%252e%252e/etc/passwd",
            ] {
                let answer = try bench.request("GET", path)
                #expect(!answer.body.contains("root:"), "\(path)")
            }
        },
        SecurityCase("addresses that are not encoded as they should be") { bench async throws in
            for path in ["/%", "/%zz", "/%ff%fe", "/v1/queries?limit=%", "/v1/queries?%ff=1"] {
                #expect([400, 404].contains(try bench.request("GET", path).status), "\(path)")
            }
        },
        SecurityCase("headers put in by way of the address") { bench async throws in
            for path in [
                "/v1/queries/a%0d%0aX-Evil:%201", "/v1/query%0d%0aX-Evil:%201", "/v1/queries?state=a%0d%0aX-Evil:%201",
                "/x%0d%0aX-Evil:%201",
            ] {
                let answer = try bench.request("GET", path)
                #expect(!answer.head.lowercased().contains("\nx-evil"), "\(path)")
                #expect(answer.status >= 400, "\(path)")
            }
        },
        SecurityCase("markup by way of an error") { bench async throws in
            let answer = try bench.request("GET", "/v1/queries?state=%3Cscript%3Ealert(1)%3C/script%3E")
            #expect(answer.status == 400)
            #expect(answer.head.lowercased().contains("content-type: application/json"))
            #expect(answer.head.lowercased().contains("x-content-type-options: nosniff"))
        },
    ]

    private static let messages: [SecurityCase] = [
        SecurityCase("a header of a megabyte") { bench async throws in
            let status = try Self.status(
                bench,
                "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Large: \(String(repeating: "a", count: 1 << 20))\r\n\r\n"
            )
            #expect([0, 400, 413, 431].contains(status), "\(status)")
        },
        SecurityCase("fifty thousand headers") { bench async throws in
            let lines = (0..<50_000).map { "X-\($0): \($0)\r\n" }.joined()
            let status = try Self.status(
                bench, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\(lines)\r\n")
            #expect([0, 400, 413, 431].contains(status), "\(status)")
        },
        SecurityCase("an address of a megabyte") { bench async throws in
            let status = try Self.status(
                bench,
                "GET /\(String(repeating: "a", count: 1 << 20)) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            )
            #expect([0, 400, 401, 404, 414, 431].contains(status), "\(status)")
        },
        SecurityCase("a body that promises a terabyte") { bench async throws in
            let headers = ["Authorization: Bearer anna-token", "Content-Length: 1099511627776"]
            #expect(try Self.status(bench, RawResponse.request("POST", "/v1/query", headers)) == 413)
        },
        SecurityCase("lengths that are none") { bench async throws in
            for length in ["-1", "1e3", "0x10", "99999999999999999999999", "1, 2", ""] {
                let text = RawResponse.request("POST", "/v1/query", ["Content-Length: \(length)"]) + "SELECT 1"
                #expect([0, 400, 413].contains(try Self.status(bench, text)), "\(length)")
            }
        },
        SecurityCase("two lengths, and a length beside chunks") { bench async throws in
            for headers in [
                ["Content-Length: 8", "Content-Length: 9"], ["Content-Length: 8", "Transfer-Encoding: chunked"],
                ["Transfer-Encoding: chunked, identity"], ["Transfer-Encoding: xchunked"],
            ] {
                let text = RawResponse.request("POST", "/v1/query", headers) + "8\r\nSELECT 1\r\n0\r\n\r\n"
                // Refused as a message, or for want of credentials; in no case two requests.
                let answer = try RawResponse.send(port: bench.http, Array(text.utf8))
                #expect([0, 400, 401].contains(answer.status), "\(headers): \(answer.status)")
                #expect(answer.body.components(separatedBy: "HTTP/1.1").count == 1, "\(headers)")
            }
        },
        SecurityCase("chunks that are none") { bench async throws in
            for chunk in [
                "zz\r\nabc", "-5\r\nabc", "ffffffffffffffffff\r\na",
                "5;\(String(repeating: "x", count: 100_000))\r\nabc",
            ] {
                let text = RawResponse.request(
                    "POST", "/v1/query", ["Authorization: Bearer anna-token", "Transfer-Encoding: chunked"])
                let socket = try bench.socket("http")
                socket.send(text + chunk)
                socket.endSending()
                #expect(socket.readAll().isClosed, "\(chunk.prefix(20))")
            }
        },
        SecurityCase("lines that are no requests") { bench async throws in
            for text in [
                "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\u{0}\u{0}\u{0}\r\n\r\n",
                "GET / HTTP/1.1\r\nHost localhost\r\n\r\n",
                "GET / HTTP/1.1\r\n : x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            ] {
                let socket = try bench.socket("http")
                socket.send(text)
                socket.endSending()
                let (bytes, isClosed) = socket.readAll()
                #expect(isClosed && !String(decoding: bytes, as: UTF8.self).contains(" 200 "), "\(text.prefix(20))")
            }
        },
        SecurityCase("methods that no route has") { bench async throws in
            for method in ["TRACE", "CONNECT", "PUT", "PATCH", "PROPFIND"] {
                let status = try bench.request(method, "/v1/query").status
                #expect([0, 400, 404, 405, 501].contains(status), "\(method): \(status)")
            }
        },
        SecurityCase("JSON nested ten thousand deep") { bench async throws in
            let body = String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000)
            let headers = ["Content-Type: application/json"]
            #expect(try bench.request("POST", "/v1/query", headers, body: body).status == 400)
            #expect(
                try bench.request("POST", "/v1/query", headers, body: #"{"sql": "SELECT 1", "evil": 1}"#).status == 400)
            #expect(try bench.request("POST", "/v1/query", headers, body: "{\"sql\": \"SELECT 1").status == 400)
        },
        SecurityCase("a body that is not UTF-8") { bench async throws in
            let head = RawResponse.request(
                "POST", "/v1/query", ["Authorization: Bearer anna-token", "Content-Length: 9"])
            let answer = try RawResponse.send(port: bench.http, Array(head.utf8) + Array("SELECT '".utf8) + [0xFF])
            #expect(answer.status == 400)
        },
        SecurityCase("a hundred clients that send a byte and wait") { bench async throws in
            let slow = try (0..<100).map { _ in try bench.socket("http") }
            for socket in slow { socket.send("G") }
            #expect(try bench.request("GET", "/v1/version").status == 200)
            for socket in slow { socket.send("E") }
            #expect(try bench.request("GET", "/v1/version").status == 200)
        },
        SecurityCase("a client that reads nothing of a large result") { bench async throws in
            let slow = try bench.socket("http")
            slow.send(
                RawResponse.request(
                    "POST", "/v1/query?format=csv", ["Authorization: Bearer anna-token"],
                    body: "SELECT repeat('x', 1000) FROM generate_series(1, 3000000) AS g(n)"))
            _ = slow.read(1)
            #expect(bench.server.residentByteCount < 3 << 30)
        },
    ]

    private static let browsers: [SecurityCase] = [
        SecurityCase("a page of another origin") { bench async throws in
            for origin in ["https://evil.example", "null", "http://localhost.evil.example", "http://localhost:1"] {
                let headers = ["Origin: \(origin)"]
                #expect(try bench.request("POST", "/v1/query", headers, body: "SELECT 1").status == 403, "\(origin)")
            }
        },
        SecurityCase("a name that somebody made point here") { bench async throws in
            #expect(try bench.request("GET", "/v1/queries", host: "evil.example").status == 403)
        },
        SecurityCase("live events for a page of another origin") { bench async throws in
            let answer = try RawResponse.get(
                port: bench.http,
                upgrade(["Origin: https://evil.example", "Authorization: Bearer anna-token"]), seconds: 5)
            #expect(answer.status == 403)
        },
        SecurityCase("live events without credentials") { bench async throws in
            #expect(
                try RawResponse.get(port: bench.http, upgrade(["Origin: http://localhost"]), seconds: 5).status == 401)
            let headers = ["Origin: http://localhost", "Authorization: Bearer nobody"]
            #expect(try RawResponse.get(port: bench.http, upgrade(headers), seconds: 5).status == 401)
        },
        SecurityCase("a message of live events longer than is taken") { bench async throws in
            let socket = try bench.socket("http")
            socket.send(upgrade(["Origin: http://localhost", "Authorization: Bearer anna-token"]))
            #expect(socket.read(until: "\r\n\r\n").contains(" 101 "))
            socket.send([0x81, 0xFF, 0, 0, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0])
            #expect(socket.readAll().isClosed)
        },
        SecurityCase("a message of live events without a mask, and of an unknown kind") { bench async throws in
            for bytes in [[0x81, 0x02, 0x7B, 0x7D], [0x8B, 0x80, 0, 0, 0, 0], [0xF1, 0x80, 0, 0, 0, 0]] as [[UInt8]] {
                let socket = try bench.socket("http", seconds: 5)
                socket.send(upgrade(["Origin: http://localhost", "Authorization: Bearer anna-token"]))
                #expect(socket.read(until: "\r\n\r\n").contains(" 101 "))
                socket.send(bytes)
                _ = socket.read(64)
            }
        },
        SecurityCase("live events of what others run") { bench async throws in
            func seen(_ token: String, _ id: String) throws -> Bool {
                let socket = try bench.socket("http")
                socket.send(upgrade(["Origin: http://localhost", "Authorization: Bearer \(token)"]))
                #expect(socket.read(until: "\r\n\r\n").contains(" 101 "))
                // The snapshot, and a query that it asks to see.
                let watch = Array(#"{"type":"watch","query":"\#(id)"}"#.utf8)
                socket.send([0x81, 0x80 | UInt8(watch.count), 0, 0, 0, 0] + watch)
                var text = ""
                for _ in 0..<3 {
                    let head = socket.read(2)
                    guard head.count == 2 else { break }
                    var size = Int(head[1] & 0x7F)
                    if size >= 126 { size = socket.read(size == 126 ? 2 : 8).reduce(0) { $0 << 8 | Int($1) } }
                    text += String(decoding: socket.read(size), as: UTF8.self)
                }
                #expect(text.contains("\"snapshot\""))
                return text.contains(id)
            }
            let id = try await bench.startLongQuery(token: "ben-token")
            #expect(try seen("ben-token", id))
            #expect(!(try seen("anna-token", id)))
            #expect(try seen("chief-token", id))
            #expect(try bench.request("DELETE", "/v1/queries/\(id)", token: "ben-token").status == 200)
        },
    ]

    static let http = credentials + others + paths + messages + browsers
}
