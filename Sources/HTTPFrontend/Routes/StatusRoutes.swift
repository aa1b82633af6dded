// Health, workers, queries and activity.

import Coordination
import Diagnostics
import NIOHTTP1
import Transport

struct StatusRoutes: Sendable {
    let engine: QueryEngine
    let jobs: QueryJobs
    let metrics: MetricsText

    var routes: [Route] {
        let plain: [(type: String, schema: String?)] = [("text/plain", nil)]
        return [
            Route(
                method: .GET, path: "/healthz", summary: "Whether the process lives.",
                responses: [Route.Response(status: 200, text: "It does.", content: plain)],
                handler: { try await $1.send(.ok, "text/plain", Array("ok\n".utf8)) }),
            Route(
                method: .GET, path: "/readyz", summary: "Whether a query would find a worker.",
                responses: [
                    Route.Response(status: 200, text: "It would.", content: plain),
                    Route.Response(status: 503, text: "There is none.", content: plain),
                ],
                handler: { _, writer in
                    let isReady = !engine.directory.available.isEmpty
                    try await writer.send(
                        isReady ? .ok : .serviceUnavailable, "text/plain",
                        Array((isReady ? "ready\n" : "no workers\n").utf8))
                }),
            Route(
                method: .GET, path: "/metrics", summary: "Counters and gauges in Prometheus' text format.",
                responses: [Route.Response(status: 200, text: "The metrics.", content: plain)],
                handler: { try await $1.send(.ok, "text/plain; version=0.0.4", metrics.document()) }),
            Route(
                method: .GET, path: "/v1/version", summary: "The program's version.",
                responses: [
                    Route.Response(status: 200, text: "The version.", content: [("application/json", "Version")])
                ],
                handler: {
                    try await $1.send(json: JSONWriter.document { $0.member("version", EngineVersion.version) })
                }),
            Route(
                method: .GET, path: "/v1/session", summary: "Who the server takes the request's sender for.",
                responses: [
                    Route.Response(
                        status: 200, text: "The user; none where nobody has to say who he is.",
                        content: [("application/json", "Session")])
                ],
                handler: { request, writer in
                    try await writer.send(
                        json: JSONWriter.document { document in
                            document.member("user", request.user)
                            document.member("administrator", request.user == nil || request.isAdministrator)
                        })
                }),
            Route(
                method: .GET, path: "/v1/activity",
                summary: "What was done second by second, a quarter of an hour back.",
                parameters: [
                    Route.Parameter(
                        name: "after", text: "Only seconds after this one, since 1970 UTC.",
                        schema: #"{"type":"integer"}"#)
                ],
                responses: [
                    Route.Response(
                        status: 200, text: "The seconds, oldest first.", content: [("application/json", "Activity")])
                ],
                handler: { request, writer in
                    let after = try request.integer("after", in: 0...Int.max).map(Int64.init) ?? .min
                    try await writer.send(
                        json: JSONWriter.document { document in
                            document.array("samples", engine.queries.activity(after: after)) {
                                StatusDocuments.write($1, &$0)
                            }
                        })
                }),
        ] + workerRoutes + queryRoutes
    }

    private var workerRoutes: [Route] {
        [
            Route(
                method: .GET, path: "/v1/workers", summary: "The workers, with their load.",
                responses: [
                    Route.Response(
                        status: 200, text: "The workers, lost ones included for a while.",
                        content: [("application/json", "Workers")])
                ],
                handler: { _, writer in
                    var document = JSONWriter()
                    document.array(engine.directory.summaries()) { document, worker in
                        document.object { write(worker, &$0) }
                    }
                    try await writer.send(json: document.bytes)
                }),
            Route(
                method: .GET, path: "/v1/workers/{id}", summary: "One worker with the last quarter of an hour.",
                parameters: [Route.Parameter(name: "id", text: "The worker's id.")],
                responses: [
                    Route.Response(status: 200, text: "The worker.", content: [("application/json", "WorkerDetail")]),
                    QueryRoutes.failure(404, "No worker of this id is known."),
                ],
                handler: { request, writer in
                    let id = WorkerID(request.variables["id"] ?? "")
                    guard let worker = engine.directory.summaries().first(where: { $0.id == id }) else {
                        throw HTTPFailure.notFound("worker \"\(id)\" does not exist")
                    }
                    try await writer.send(
                        json: JSONWriter.document { document in
                            write(worker, &document)
                            document.array("samples", engine.monitor.samples(of: id)) {
                                StatusDocuments.write($1, &$0)
                            }
                        })
                }),
        ]
    }

    private func write(_ worker: WorkerSummary, _ writer: inout JSONWriter) {
        StatusDocuments.write(worker, latest: engine.monitor.samples(of: worker.id).last, &writer)
        StatusDocuments.writeAges(worker, &writer)
    }

    private var queryRoutes: [Route] {
        [
            Route(
                method: .GET, path: "/v1/queries", summary: "Queries that wait or run, then ended ones, newest first.",
                parameters: [
                    Route.Parameter(
                        name: "state", text: "Only queries of these states, with commas between them.",
                        schema: #"{"type":"string"}"#),
                    Route.Parameter(name: "search", text: "Only queries whose statement, id or error has this text."),
                    Route.Parameter(name: "user", text: "Only queries of this user."),
                    Route.Parameter(
                        name: "limit", text: "So many at most.",
                        schema: #"{"type":"integer","minimum":1,"maximum":1000}"#),
                ],
                responses: [
                    Route.Response(status: 200, text: "The queries.", content: [("application/json", "Queries")]),
                    QueryRoutes.failure(400, "There is no such state."),
                ],
                handler: { try await list($0, $1) }),
            Route(
                method: .GET, path: "/v1/queries/{id}",
                summary: "One query: its statement, states, plan with what the operators did, stages and tasks.",
                parameters: [QueryRoutes.id],
                responses: [
                    Route.Response(status: 200, text: "The query.", content: [("application/json", "QueryDetail")]),
                    QueryRoutes.failure(404, "No query of this id is known."),
                ],
                handler: { try await detail($0, $1) }),
        ]
    }

    private func list(_ request: HTTPRequest, _ writer: ResponseWriter) async throws {
        let limit = try request.integer("limit", in: 1...1000) ?? 1000
        let states = try request.parameter("state").map { text in
            try Set(
                text.split(separator: ",").map { name -> QueryRecord.State in
                    guard let state = QueryRecord.State(rawValue: String(name)) else {
                        throw QueryError(
                            .invalidParameterValue, "invalid value for parameter \"state\": \"\(name)\"",
                            hint: "States are \(QueryRecord.State.allCases.map(\.rawValue).joined(separator: ", ")).")
                    }
                    return state
                })
        }
        let search = request.parameter("search")?.lowercased()
        let user = request.parameter("user")
        let found = engine.queries.records().lazy.filter { query in
            if let states, !states.contains(query.state) { return false }
            if !request.maySee(query.user) { return false }
            if let user, query.user != user { return false }
            guard let search, !search.isEmpty else { return true }
            return query.sql.lowercased().contains(search) || query.id.text.contains(search)
                || (query.error?.message.lowercased().contains(search) ?? false)
        }
        var document = JSONWriter()
        document.array(found.prefix(limit)) { document, query in
            document.object { StatusDocuments.write(query, textCountMax: 2000, &$0) }
        }
        try await writer.send(json: document.bytes)
    }

    private func detail(_ request: HTTPRequest, _ writer: ResponseWriter) async throws {
        let id = QueryID(request.variables["id"] ?? "")
        if let profile = engine.profile(id), request.maySee(profile.record.user) {
            return try await writer.send(json: JSONWriter.document { StatusDocuments.write(profile, &$0) })
        }
        // A statement that started no query, or has not come so far.
        guard let job = jobs.job(id), request.maySee(job.user) else {
            throw HTTPFailure.notFound("no query of this id is known")
        }
        try await writer.send(
            json: JSONWriter.document { document in
                document.member("id", id.text)
                document.member("state", job.state.rawValue)
                document.key("error")
                if let error = job.error {
                    document.object { ErrorResponse.write(error, &$0) }
                } else {
                    document.null()
                }
            })
    }
}
