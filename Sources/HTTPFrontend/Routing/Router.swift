// Which request goes where. The same table makes the description of the API, so that the two cannot differ.

import Diagnostics
import NIOHTTP1

/// One operation of the API.
struct Route: Sendable {
    typealias Handler = @Sendable (HTTPRequest, ResponseWriter) async throws -> Void

    struct Parameter: Sendable {
        var name: String
        var text: String
        /// A JSON schema.
        var schema = #"{"type":"string"}"#
    }
    struct Response: Sendable {
        var status: Int
        var text: String
        /// Content types with the names of their schemas; no name is any text.
        var content: [(type: String, schema: String?)] = []
    }

    var method: HTTPMethod
    /// As in OpenAPI, with variables in braces.
    var path: String
    var summary: String
    var parameters: [Parameter] = []
    /// Content types of the body with the names of their schemas.
    var body: [(type: String, schema: String?)] = []
    var responses: [Response]
    var handler: Handler

    fileprivate var segments: [Substring] { path.split(separator: "/") }

    /// The values of the variables if the path is the route's.
    fileprivate func match(_ path: [String]) -> [String: String]? {
        let segments = self.segments
        guard segments.count == path.count else { return nil }
        var variables: [String: String] = [:]
        for (segment, part) in zip(segments, path) {
            if segment.hasPrefix("{") {
                variables[String(segment.dropFirst().dropLast())] = part
            } else if segment != part {
                return nil
            }
        }
        return variables
    }
}

struct Router: Sendable {
    let routes: [Route]
    /// Answers what no route does: the dashboard's files.
    let fallback: Route.Handler

    func answer(_ request: HTTPRequest, _ writer: ResponseWriter) async throws {
        var request = request
        let method = request.method == .HEAD ? .GET : request.method
        var methods: [String] = []
        for route in routes {
            guard let variables = route.match(request.path) else { continue }
            if route.method == method {
                request.variables = variables
                return try await route.handler(request, writer)
            }
            methods.append(route.method.rawValue)
        }
        guard methods.isEmpty else {
            throw HTTPFailure(
                .methodNotAllowed, QueryError(.protocolViolation, "this path does not take \(method.rawValue)"),
                headers: ["allow": methods.joined(separator: ", ")])
        }
        guard method == .GET else { throw HTTPFailure.notFound("there is nothing at this path") }
        try await fallback(request, writer)
    }
}
