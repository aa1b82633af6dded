// The description of the API against the server: every described operation is called, every answer fits its schema.

import EngineTestSupport
import Foundation
import Logging
import NIOPosix
import Testing
import Transport

@testable import HTTPFrontend

/// So much of JSON Schema as the description uses.
private struct Validator {
    let schemas: JSONValue

    func problems(_ value: JSONValue, _ schema: JSONValue, at path: String = "$") -> [String] {
        if let reference = schema["$ref"]?.text {
            let name = String(reference.split(separator: "/").last ?? "")
            guard let named = schemas[name] else { return ["\(path): no schema \(name)"] }
            return problems(value, named, at: path)
        }
        if let choices = schema["oneOf"]?.elements {
            let fitting = choices.filter { problems(value, $0, at: path).isEmpty }
            return fitting.count == 1 ? [] : ["\(path): \(fitting.count) of the choices fit"]
        }
        var found: [String] = []
        let types = schema["type"].map { $0.elements?.compactMap(\.text) ?? [$0.text ?? ""] } ?? []
        if !types.isEmpty, !types.contains(where: { value.isType($0) }) {
            found.append("\(path): no \(types) but \(value)")
        }
        if let words = schema["enum"]?.elements, !words.contains(value) {
            found.append("\(path): \(value) is none of \(words)")
        }
        if let items = schema["items"], let elements = value.elements {
            for (index, element) in elements.enumerated() {
                found += problems(element, items, at: "\(path)[\(index)]")
            }
        }
        guard case .object(let members) = value else { return found }
        for name in schema["required"]?.elements?.compactMap(\.text) ?? [] where members[name] == nil {
            found.append("\(path): no \(name)")
        }
        for (name, member) in members {
            if let property = schema["properties"]?[name] {
                found += problems(member, property, at: "\(path).\(name)")
            } else if schema["additionalProperties"] == .boolean(false) {
                found.append("\(path): unknown \(name)")
            }
        }
        return found
    }
}

extension JSONValue {
    fileprivate var elements: [JSONValue]? { if case .array(let elements) = self { elements } else { nil } }
    fileprivate var members: [(key: String, value: JSONValue)] {
        if case .object(let members) = self { members.sorted { $0.key < $1.key } } else { [] }
    }

    fileprivate func isType(_ type: String) -> Bool {
        switch self {
        case .null: type == "null"
        case .boolean: type == "boolean"
        case .number: type == "number" || (type == "integer" && integer != nil)
        case .string: type == "string"
        case .array: type == "array"
        case .object: type == "object"
        }
    }
}

@Suite struct OpenAPITests {
    @Test func everyOperationAnswersAsDescribed() async throws {
        let engine = try await TestEngine.start()
        var options = HTTPServerOptions()
        options.dashboardDirectory = "/nonexistent"
        let (server, endpoint) = try await HTTPServer.start(
            engine: engine.node.engine, on: Endpoint(host: "127.0.0.1", port: 0), options: options,
            group: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let client = RawClient(port: endpoint.port)
        _ = try await client.query("CREATE TABLE described (a int PRIMARY KEY, b text)")
        _ = try await client.query("SELECT 1 / (n - 2) FROM generate_series(1, 3) AS g(n)")
        let finished = try #require(try await client.query("SELECT count(*) FROM described")["query_id"] as? String)
        let job = try #require(try await client.query("SELECT 1", path: "/v1/queries")["id"] as? String)
        try await Task.sleep(for: .milliseconds(1500))

        let document = try JSONValue.parse(try await client.send("GET", "/v1/openapi.json").body)
        #expect(document["openapi"]?.text == "3.1.0")
        let paths = try #require(document["paths"])
        let validator = Validator(schemas: try #require(document["components"]?["schemas"]))
        var calls = 0
        for (path, operations) in paths.members {
            // GET comes before DELETE, which cancels.
            for (method, operation) in operations.members.reversed() {
                let id = path.hasPrefix("/v1/workers") ? "local-0" : path.hasSuffix("/rows") ? job : finished
                let target = path.replacingOccurrences(of: "{id}", with: id)
                let hasBody = operation["requestBody"] != nil
                let response = try await client.send(
                    method.uppercased(), target, headers: hasBody ? ["Content-Type: application/json"] : [],
                    body: hasBody ? #"{"sql":"SELECT 1 AS a"}"# : "")
                calls += 1
                let described = operation["responses"]?[String(response.status)]
                #expect(described != nil, "\(method) \(path) answered \(response.status)")
                let type = String(response.headers["content-type"]?.prefix { $0 != ";" } ?? "")
                let content = described?["content"]?[type]
                #expect(content != nil, "\(method) \(path) answered with \(type)")
                guard type == "application/json", path != "/v1/openapi.json", let schema = content?["schema"] else {
                    continue
                }
                let problems = validator.problems(try JSONValue.parse(response.body), schema)
                #expect(problems == [], "\(method) \(path)")
            }
        }
        #expect(calls >= 16)
        let failure = JSONValue.object(["$ref": .string("#/components/schemas/Failure")])
        for (path, status) in [("/v1/queries/nobody", 404), ("/v1/workers/nobody", 404), ("/v1/events", 426)] {
            let response = try await client.send("GET", path)
            #expect(response.status == status)
            let problems = validator.problems(try JSONValue.parse(response.body), failure)
            #expect(problems == [])
        }
        await server.shutdown()
        await engine.shutdown()
    }
}
