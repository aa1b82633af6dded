// A server with an engine of its own: routes, forms, errors, limits, started queries, events.

import Diagnostics
import EngineTestSupport
import Foundation
import Frontends
import Logging
import NIOCore
import NIOPosix
import Testing
import Transport

@testable import HTTPFrontend

private struct Running {
    let engine: TestEngine
    let server: HTTPServer
    let client: RawClient

    static func start(_ change: (inout HTTPServerOptions) -> Void = { _ in }) async throws -> Running {
        let engine = try await TestEngine.start()
        var options = HTTPServerOptions()
        options.dashboardDirectory = "/nonexistent"
        change(&options)
        let (server, endpoint) = try await HTTPServer.start(
            engine: engine.node.engine, on: Endpoint(host: "127.0.0.1", port: 0), options: options,
            group: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        return Running(engine: engine, server: server, client: RawClient(port: endpoint.port))
    }

    func stop() async {
        await server.shutdown()
        await engine.shutdown()
    }
}

func serving(
    _ change: (inout HTTPServerOptions) -> Void = { _ in }, _ body: (RawClient, TestEngine) async throws -> Void
) async throws {
    let running = try await Running.start(change)
    do { try await body(running.client, running.engine) } catch {
        await running.stop()
        throw error
    }
    await running.stop()
}

@Suite struct QueryOverHTTPTests {
    @Test func formsOfRows() async throws {
        try await serving { client, _ in
            let sql = "SELECT 1 AS a, 9007199254740993 AS b, 'x,\"y' AS c, NULL AS d, true AS e, '[1]'::jsonb AS f"
            let json = try await client.query(sql)
            #expect(json.status == 200)
            #expect(json.text.contains(#""rows":[[1,9007199254740993,"x,\"y",null,true,[1]]]"#))
            #expect(json["command"] as? String == "SELECT 1")
            #expect(json.headers["martlet-query-id"] == json["query_id"] as? String)
            let texts = try await client.query(sql, path: "/v1/query?numbers=text")
            #expect(texts.text.contains(#"[[1,"9007199254740993","#))
            let lines = try await client.send(
                "POST", "/v1/query", headers: ["Content-Type: text/plain", "Accept: application/x-ndjson"], body: sql)
            #expect(lines.text == #"{"a":1,"b":9007199254740993,"c":"x,\"y","d":null,"e":true,"f":[1]}"# + "\n")
            let csv = try await client.query(sql, path: "/v1/query?format=csv")
            #expect(csv.text == "a,b,c,d,e,f\n1,9007199254740993,\"x,\"\"y\",,t,[1]\n")
            let arrow = try await client.send(
                "POST", "/v1/query",
                headers: ["Content-Type: text/plain", "Accept: application/vnd.apache.arrow.stream"],
                body: "SELECT g FROM generate_series(1, 200000) AS s(g)")
            #expect(arrow.headers["content-type"] == "application/vnd.apache.arrow.stream")
            #expect(arrow.body.starts(with: [255, 255, 255, 255]))
            #expect(arrow.body.suffix(8) == [255, 255, 255, 255, 0, 0, 0, 0])
            #expect(arrow.body.count > 200_000 * 4)
            let none = try await client.send(
                "POST", "/v1/query", headers: ["Content-Type: text/plain", "Accept: image/png"], body: sql)
            #expect(none.status == 406)
        }
    }

    @Test func parametersSettingsAndScripts() async throws {
        try await serving { client, _ in
            func post(_ body: String) async throws -> RawResponse {
                try await client.send("POST", "/v1/query", headers: ["Content-Type: application/json"], body: body)
            }
            let sum = try await post(#"{"sql":"SELECT $1::int + 1, $2::text","parameters":[41,null]}"#)
            #expect(sum.text.contains(#""rows":[[42,null]]"#))
            let zone = try await post(
                #"{"sql":"SELECT '2024-01-01 00:00:00Z'::timestamptz","settings":{"timezone":"Asia/Tokyo"}}"#)
            #expect(zone.text.contains("2024-01-01 09:00:00+09"))
            let script = try await client.query(
                "CREATE TABLE h (a int); INSERT INTO h VALUES (1), (2); BEGIN; DELETE FROM h; ROLLBACK; SELECT count(*) FROM h"
            )
            #expect(script.text.contains(#""rows":[[2]]"#))
            // A block that is left open is rolled back.
            _ = try await client.query("BEGIN; DELETE FROM h")
            #expect(try await client.query("SELECT count(*) FROM h").text.contains(#""rows":[[2]]"#))
            let cut = try await post(#"{"sql":"SELECT * FROM generate_series(1, 10)","max_rows":3}"#)
            #expect(cut.text.contains(#""rows":[[1],"# + "\n[2],\n[3]]"))
            #expect(cut["is_truncated"] as? Bool == true)
            #expect(try await post(#"{"sql":"SELECT 1","parameter":[1]}"#).status == 400)
            #expect(try await post(#"{"sql":"SELECT $1::int"}"#).status == 400)
        }
    }

    @Test func errorsCarryStateAndPosition() async throws {
        try await serving { client, _ in
            func failure(_ sql: String) async throws -> (status: Int, error: [String: Any]) {
                let response = try await client.query(sql)
                return (response.status, response["error"] as? [String: Any] ?? [:])
            }
            let syntax = try await failure("SELECT 1;\nSELEC 2")
            #expect(syntax.status == 400 && syntax.error["state"] as? String == "42601")
            #expect(syntax.error["position"] as? Int == 11)
            let table = try await failure("SELECT * FROM missing")
            #expect(table.error["state"] as? String == "42P01" && table.error["position"] as? Int == 15)
            #expect(try await failure("SELECT 1 / (n - 1) FROM generate_series(1, 3) AS g(n)").status == 400)
            #expect(try await failure("COPY (SELECT 1) TO STDOUT").status == 501)
            let media = try await client.send("POST", "/v1/query", headers: ["Content-Type: image/png"], body: "x")
            #expect(media.status == 415)
            #expect(try await client.send("GET", "/v1/nothing").status == 404)
            let method = try await client.send("DELETE", "/v1/workers")
            #expect(method.status == 405 && method.headers["allow"] == "GET")
        }
    }

    @Test func anErrorBehindTheFirstBytesDoesNotLookLikeAnEnd() async throws {
        try await serving { client, _ in
            // More than the buffers of the query hold goes out before the division.
            let sql = "SELECT repeat('x', 900 + n % 100), 1 / (60000 - n) FROM generate_series(1, 70000) AS g(n)"
            let csv = try await client.perform { connection in
                connection.write(
                    RawClient.request("POST", "/v1/query?format=csv", headers: ["Content-Type: text/plain"], body: sql))
                return connection.response()?.isWhole
            }
            #expect(csv == false)
            let json = try await client.query(sql)
            #expect((json["error"] as? [String: Any])?["state"] as? String == "22012")
        }
    }

    @Test func resultsAreCompressedAndStreamed() async throws {
        try await serving { client, _ in
            let plain = try await client.query("SELECT * FROM generate_series(1, 100000)", path: "/v1/query?format=csv")
            #expect(plain.headers["transfer-encoding"] == "chunked")
            #expect(plain.text.hasSuffix("\n99999\n100000\n"))
            let packed = try await client.send(
                "POST", "/v1/query?format=csv", headers: ["Content-Type: text/plain", "Accept-Encoding: gzip"],
                body: "SELECT * FROM generate_series(1, 100000)")
            #expect(packed.headers["content-encoding"] == "gzip")
            #expect(packed.body.starts(with: [0x1F, 0x8B]) && packed.body.count < plain.body.count / 2)
        }
    }

    @Test func aClientThatGoesEndsItsQuery() async throws {
        try await serving { client, engine in
            try await client.perform { connection in
                connection.write(
                    RawClient.request(
                        "POST", "/v1/query", headers: ["Content-Type: text/plain"], body: "SELECT pg_sleep(60)"))
                Thread.sleep(forTimeInterval: 0.5)
            }
            let deadline = ContinuousClock.now + .seconds(20)
            while engine.node.engine.queries.counts.running > 0, ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(engine.node.engine.queries.counts.running == 0)
        }
    }
}

@Suite struct StartedQueryTests {
    @Test func pagesAreReadInOrder() async throws {
        try await serving { client, _ in
            let job = try await client.query(
                "SELECT n, repeat('x', 100) FROM generate_series(1, 20000) AS g(n)", path: "/v1/queries")
            #expect(job.status == 202)
            let id = try #require(job["id"] as? String)
            var numbers: [Int] = []
            var page: Int? = 0
            while let number = page {
                let answer = try await client.send("GET", "/v1/queries/\(id)/rows?page=\(number)&wait_ms=20000")
                numbers += ((answer["rows"] as? [[Any]]) ?? []).compactMap { $0[0] as? Int }
                page = answer["next_page"] as? Int
            }
            #expect(numbers == Array(1...20000))
            #expect(try await client.send("GET", "/v1/queries/\(id)/rows?page=0").status == 410)
            #expect(try await client.send("GET", "/v1/queries/\(id)")["state"] as? String == "finished")
            #expect(try await client.send("DELETE", "/v1/queries/\(id)").status == 200)
            #expect(try await client.send("GET", "/v1/queries/\(id)/rows").status == 404)
        }
    }

    @Test func theLastPageHasTheError() async throws {
        try await serving { client, _ in
            let job = try await client.query(
                "SELECT 1 / (2 - n) FROM generate_series(1, 3) AS g(n)", path: "/v1/queries")
            let id = try #require(job["id"] as? String)
            let page = try await client.send("GET", "/v1/queries/\(id)/rows?wait_ms=20000")
            #expect(page.status == 200 && page["state"] as? String == "failed" && page["next_page"] is NSNull)
            #expect((page["error"] as? [String: Any])?["state"] as? String == "22012")
        }
    }

    @Test func deleteCancels() async throws {
        try await serving { client, engine in
            let id = try #require(try await client.query("SELECT pg_sleep(60)", path: "/v1/queries")["id"] as? String)
            let deadline = ContinuousClock.now + .seconds(20)
            while engine.node.engine.queries.counts.running == 0, ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(20))
            }
            let live = try await client.send("GET", "/v1/queries?state=running,queued")
            #expect((live.json as? [[String: Any]])?.first?["id"] as? String == id)
            #expect(try await client.send("DELETE", "/v1/queries/\(id)")["cancelled"] as? Bool == true)
            while engine.node.engine.queries.counts.running > 0, ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(try await client.send("GET", "/v1/queries/\(id)")["state"] as? String == "cancelled")
            #expect(try await client.send("DELETE", "/v1/queries/unknown").status == 404)
        }
    }
}

@Suite struct StatusTests {
    @Test func aQueryIsToldWithItsPlanAndTasks() async throws {
        try await serving { client, _ in
            let result = try await client.query(
                "SELECT n % 3, count(*) FROM generate_series(1, 1000) AS g(n) GROUP BY 1")
            let id = try #require(result["query_id"] as? String)
            let detail = try await client.send("GET", "/v1/queries/\(id)")
            let operators = try #require(detail["operators"] as? [[String: Any]])
            #expect(operators.contains { $0["name"] as? String == "Aggregate" && $0["rows"] as? Int == 3 })
            #expect((detail["timeline"] as? [[String: Any]])?.last?["state"] as? String == "finished")
            #expect((detail["tasks"] as? [[String: Any]])?.isEmpty == false)
            #expect(detail["row_count"] as? Int == 3)
            let found = try await client.send("GET", "/v1/queries?search=GROUP%20by&state=finished&limit=5")
            #expect((found.json as? [Any])?.count == 1)
            #expect(try await client.send("GET", "/v1/queries?state=odd").status == 400)
        }
    }

    @Test func keepAliveAndPipelining() async throws {
        try await serving { client, _ in
            let statuses = try await client.perform { connection in
                connection.write(
                    RawClient.request("GET", "/healthz") + RawClient.request("HEAD", "/readyz")
                        + RawClient.request("GET", "/v1/version", headers: ["Connection: close"]))
                let answers = [connection.response(), connection.response(isHead: true), connection.response()]
                return answers.map { $0?.response.status ?? 0 } + [connection.read(1).count]
            }
            #expect(statuses == [200, 200, 200, 0])
        }
    }

    @Test func limits() async throws {
        try await serving({ options in
            options.limits.bodyByteCountMax = 1000
            options.limits.idle = .milliseconds(300)
            options.limits.bodyPause = .milliseconds(300)
        }) { client, _ in
            #expect(try await client.query(String(repeating: " ", count: 2000)).status == 413)
            // Neither half a request nor none keeps a connection.
            for text in [
                "", "GET /healthz HT", "POST /v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nSEL",
            ] {
                let end = try await client.perform { connection in
                    connection.write(text)
                    return connection.read(1).count
                }
                #expect(end == 0)
            }
        }
    }

    @Test func pagesOfOthersAreRefused() async throws {
        try await serving { client, _ in
            let refused = try await client.send(
                "POST", "/v1/query", headers: ["Content-Type: text/plain", "Origin: http://elsewhere.example"],
                body: "SELECT 1")
            #expect(refused.status == 403)
        }
    }

    @Test func theDashboardSaysHowItIsBuilt() async throws {
        try await serving { client, _ in
            let page = try await client.send("GET", "/")
            #expect(page.status == 200 && page.text.contains("make dashboard"))
            #expect(try await client.send("GET", "/../etc/passwd").status == 404)
            #expect(try await client.send("GET", "/.hidden.js").status == 404)
        }
    }

    @Test func filesOfTheDashboardAreServed() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try Data("<p>page</p>".utf8).write(to: URL(fileURLWithPath: directory + "/index.html"))
        try await serving({ $0.dashboardDirectory = directory }) { client, _ in
            let page = try await client.send("GET", "/")
            #expect(page.text == "<p>page</p>")
            let tag = try #require(page.headers["etag"])
            #expect(try await client.send("GET", "/", headers: ["If-None-Match: \(tag)"]).status == 304)
        }
    }
}

/// Two users with passwords in plain: the tests are about requests, not about keys.
private struct FixedUsers: Authenticator {
    let anonymousUser: String? = nil
    func authenticate(user: String, password: String?) async throws {
        guard ["anna": "one", "ben": "two"][user] == password, password != nil else {
            throw QueryError(.invalidPassword, "password authentication failed for user \"\(user)\"")
        }
    }
    func user(token: String) -> String? { token == "anna-token" ? "anna" : nil }
    func verifier(user: String) -> SCRAMVerifier? { nil }
    func isAdministrator(_ user: String) -> Bool { user == "ben" }
}

@Suite struct UsersOverHTTPTests {
    private static func basic(_ credentials: String) -> String {
        "Authorization: Basic " + Base64Text.encode(Array(credentials.utf8))
    }

    private func post(
        _ client: RawClient, _ path: String, _ authorization: String?, _ sql: String
    ) async throws -> RawResponse {
        try await client.send(
            "POST", path, headers: ["Content-Type: text/plain"] + (authorization.map { [$0] } ?? []), body: sql)
    }

    @Test func requestsNeedCredentials() async throws {
        try await serving({ $0.authenticator = FixedUsers() }) { client, _ in
            for path in ["/healthz", "/readyz"] { #expect(try await client.send("GET", path).status == 200) }
            for path in ["/", "/metrics", "/v1/queries", "/v1/workers", "/v1/schema", "/v1/openapi.json", "/none"] {
                let response = try await client.send("GET", path)
                #expect(response.status == 401)
                #expect(response.headers["www-authenticate"]?.hasPrefix("Basic") == true)
            }
            for header in [
                Self.basic("anna:two"), Self.basic("carl:one"), Self.basic("anna"), "Authorization: Bearer x",
                "Authorization: Digest x", "Authorization:", "Authorization: Basic",
            ] {
                #expect(try await post(client, "/v1/query", header, "SELECT 1").status == 401)
            }
            for header in [Self.basic("anna:one"), "Authorization: Bearer anna-token"] {
                let response = try await post(client, "/v1/query", header, "SELECT session_user")
                #expect(response.status == 200)
                #expect(response.text.contains(#"[["anna"]]"#))
            }
            for (user, text) in [
                ("anna:one", #"{"user":"anna","administrator":false}"#),
                ("ben:two", #"{"user":"ben","administrator":true}"#),
            ] {
                let session = try await client.send("GET", "/v1/session", headers: [Self.basic(user)])
                #expect(session.text.filter { $0 != " " && $0 != "\n" } == text)
            }
            // A person before a browser is told what is missing.
            let page = try await client.send("GET", "/", headers: ["Accept: text/html,*/*;q=0.8"])
            #expect(page.status == 401)
            #expect(page.headers["content-type"] == "text/html; charset=utf-8")
            #expect(page.text.contains("<h1>Sign in</h1>"))
            let other = try await post(client, "/v1/query?user=ben", Self.basic("anna:one"), "SELECT 1")
            #expect(other.status == 403)
            let same = try await post(client, "/v1/query?user=ben", Self.basic("ben:two"), "SELECT 1")
            #expect(same.status == 200)
        }
    }

    @Test func queriesOfOthersAreNotThere() async throws {
        try await serving({ $0.authenticator = FixedUsers() }) { client, _ in
            let anna = Self.basic("anna:one")
            let ben = Self.basic("ben:two")
            let started = try await post(client, "/v1/queries", ben, "SELECT count(*) FROM tpch.tiny.lineitem")
            #expect(started.status == 202)
            let id = try #require(started["id"] as? String)
            for (method, path) in [
                ("GET", "/v1/queries/\(id)/rows?wait_ms=0"), ("GET", "/v1/queries/\(id)"),
                ("DELETE", "/v1/queries/\(id)"),
            ] {
                #expect(try await client.send(method, path, headers: [anna]).status == 404)
            }
            #expect(try await client.send("GET", "/v1/queries", headers: [anna]).text.contains(id) == false)
            let rows = try await client.send("GET", "/v1/queries/\(id)/rows?wait_ms=30000", headers: [ben])
            #expect(rows.text.contains("[[60175]]"))
            #expect(try await client.send("GET", "/v1/queries", headers: [ben]).text.contains(id))
            #expect(try await client.send("DELETE", "/v1/queries/\(id)", headers: [ben]).status == 200)
        }
    }

    @Test func administratorsSeeQueriesOfOthers() async throws {
        try await serving({ $0.authenticator = FixedUsers() }) { client, _ in
            let started = try await post(client, "/v1/queries", Self.basic("anna:one"), "SELECT 1")
            let id = try #require(started["id"] as? String)
            let ben = Self.basic("ben:two")
            #expect(try await client.send("GET", "/v1/queries/\(id)/rows?wait_ms=30000", headers: [ben]).status == 200)
            #expect(try await client.send("DELETE", "/v1/queries/\(id)", headers: [ben]).status == 200)
        }
    }

    @Test func eventsNeedCredentials() async throws {
        try await serving({ $0.authenticator = FixedUsers() }) { client, _ in
            let upgrade = [
                "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ]
            let unknown = try await client.send("GET", "/v1/events", headers: upgrade)
            #expect(unknown.status == 401)
            let wrong = try await client.send("GET", "/v1/events", headers: upgrade + [Self.basic("anna:two")])
            #expect(wrong.status == 401)
            let plain = try await client.send("GET", "/v1/events", headers: [Self.basic("anna:one")])
            #expect(plain.status == 426)
        }
    }
}
