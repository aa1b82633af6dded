// All routes of the API in one table.

import Coordination
import Diagnostics
import NIOHTTP1

struct APIRoutes: Sendable {
    let engine: QueryEngine
    let jobs: QueryJobs
    let metrics: MetricsText

    func router(files: DashboardFiles) -> Router {
        var routes =
            QueryRoutes(engine: engine, jobs: jobs).routes
            + StatusRoutes(engine: engine, jobs: jobs, metrics: metrics).routes + SchemaRoutes(engine: engine).routes
        routes.append(
            Route(
                method: .GET, path: "/v1/events",
                summary: "Live events over WebSocket: a snapshot, then deltas with rising numbers.",
                responses: [
                    Route.Response(status: 101, text: "The connection is a WebSocket from here on."),
                    QueryRoutes.failure(426, "The request asks for no WebSocket."),
                ],
                handler: { _, _ in
                    throw HTTPFailure(
                        .upgradeRequired, QueryError(.protocolViolation, "this path is for WebSockets"),
                        headers: ["upgrade": "websocket"])
                }))
        var description = Route(
            method: .GET, path: "/v1/openapi.json", summary: "This description.",
            responses: [
                Route.Response(status: 200, text: "An OpenAPI 3.1 document.", content: [("application/json", nil)])
            ],
            handler: { _, _ in })
        let document = OpenAPI.document(routes + [description])
        description.handler = { _, writer in try await writer.send(json: document) }
        routes.append(description)
        return Router(routes: routes, fallback: { try await files.answer($0, $1) })
    }
}
