// Statements over HTTP: run and read at once, or started and looked after.

import Coordination
import Diagnostics
import NIOHTTP1

struct QueryRoutes: Sendable {
    let engine: QueryEngine
    let jobs: QueryJobs

    /// So much of a result is made before its first byte goes out: an error among it is a response of its own.
    private static let heldByteCount = 64 << 10

    var routes: [Route] {
        let body: [(type: String, schema: String?)] = [("application/json", "QueryRequest"), ("text/plain", nil)]
        let parameters = [
            Route.Parameter(
                name: "format", text: "Form of the rows, before what Accept says.",
                schema: #"{"type":"string","enum":["json","jsonl","csv","arrow"]}"#),
            Route.Parameter(
                name: "max_rows", text: "Rows beyond are not given.", schema: #"{"type":"integer","minimum":0}"#),
            Route.Parameter(
                name: "numbers", text: "text: bigint and numeric as strings in JSON, so that no reader rounds them.",
                schema: #"{"type":"string","enum":["native","text"]}"#),
            Route.Parameter(name: "user", text: "Whom the statement is run for."),
        ]
        return [
            Route(
                method: .POST, path: "/v1/query", summary: "Run statements and read the rows of the last one.",
                parameters: parameters, body: body,
                responses: [
                    Route.Response(
                        status: 200,
                        text: "The rows. A JSON document that was begun before an error has it as its last member.",
                        content: [
                            ("application/json", "QueryResult"), ("application/x-ndjson", nil), ("text/csv", nil),
                            ("application/vnd.apache.arrow.stream", nil),
                        ]),
                    Self.failure(400, "The statement is wrong."),
                    Self.failure(503, "There is no worker, or no room for another query."),
                ],
                handler: { try await run($0, $1) }),
            Route(
                method: .POST, path: "/v1/queries", summary: "Start statements and return at once.",
                parameters: parameters, body: body,
                responses: [
                    Route.Response(
                        status: 202, text: "The id to ask with.", content: [("application/json", "QueryJob")]),
                    Self.failure(503, "Too many are kept already."),
                ],
                handler: { try await start($0, $1) }),
            Route(
                method: .GET, path: "/v1/queries/{id}/rows", summary: "Read a page of the rows of a started query.",
                parameters: [
                    Self.id,
                    Route.Parameter(
                        name: "page", text: "Number of the page, from 0; the one before stays readable.",
                        schema: #"{"type":"integer","minimum":0}"#),
                    Route.Parameter(
                        name: "wait_ms", text: "How long to wait for the page.",
                        schema: #"{"type":"integer","minimum":0,"maximum":30000}"#),
                ],
                responses: [
                    Route.Response(status: 200, text: "The page.", content: [("application/json", "RowPage")]),
                    Route.Response(
                        status: 202, text: "It is not there yet.", content: [("application/json", "RowPage")]),
                    Self.failure(404, "No such query was started here, or it was dropped."),
                    Self.failure(410, "The page was read and dropped."),
                ],
                handler: { try await rows($0, $1) }),
            Route(
                method: .DELETE, path: "/v1/queries/{id}",
                summary: "Cancel a query; rows of a started one are dropped.",
                parameters: [Self.id],
                responses: [
                    Route.Response(
                        status: 200, text: "It was told to stop, or has ended.",
                        content: [("application/json", "CancelResult")]),
                    Self.failure(404, "No query of this id runs."),
                ],
                handler: { try await cancel($0, $1) }),
        ]
    }

    static let id = Route.Parameter(name: "id", text: "The query's id.")

    static func failure(_ status: Int, _ text: String) -> Route.Response {
        Route.Response(status: status, text: text, content: [("application/json", "Failure")])
    }

    // MARK: - At once

    private func run(_ http: HTTPRequest, _ writer: ResponseWriter) async throws {
        let request = try QueryRequest(http)
        let run = try StatementRun(request, engine: engine)
        defer { run.session.close() }
        try await withTaskCancellationHandler {
            let start = ContinuousClock.now
            let result = try await run.start()
            do {
                try await stream(result, of: run, request, since: start, writer)
            } catch {
                result.cancel()
                throw error
            }
        } onCancel: {
            run.session.cancelCurrent()
        }
    }

    private func stream(
        _ result: StatementResult, of run: StatementRun, _ request: QueryRequest, since start: ContinuousClock.Instant,
        _ writer: ResponseWriter
    ) async throws {
        if let query = result.queryID { writer.headers.add(name: "martlet-query-id", value: query.text) }
        let encoder = ResultEncoder(request, fields: result.fields ?? [], settings: run.textSettings(result))
        var held = encoder.begin()
        var isTruncated = false
        do {
            while let batch = try await result.next() {
                let room = (request.rowCountMax ?? .max) - encoder.rowCount
                held += try encoder.rows(batch, limit: room)
                if batch.rowCount > room {
                    isTruncated = true
                    result.cancel()
                    break
                }
                guard held.count >= Self.heldByteCount else { continue }
                if !writer.hasBegun { try await writer.begin(.ok, request.format.contentType) }
                try await writer.write(held)
                held.removeAll(keepingCapacity: true)
            }
        } catch {
            guard writer.hasBegun, request.format == .json, !(error is CancellationError) else { throw error }
            let failure = JSONWriter.document { writer in
                writer.object("error") { ErrorResponse.write(QueryError.wrapping(error), &$0) }
            }
            try await writer.write(held + Array("],".utf8) + failure.dropFirst() + [0x0A])
            return try await writer.finish()
        }
        held += try encoder.finish(
            ResultEncoder.Outcome(
                tag: result.tag, query: result.queryID, notices: result.notices, isTruncated: isTruncated,
                microseconds: Int64((ContinuousClock.now - start).wholeNanoseconds / 1000)))
        if request.format == .json { held.append(0x0A) }
        if writer.hasBegun {
            try await writer.write(held)
            try await writer.finish()
        } else {
            try await writer.send(.ok, request.format.contentType, held)
        }
    }

    // MARK: - Started

    private func start(_ http: HTTPRequest, _ writer: ResponseWriter) async throws {
        let job = try jobs.start(try QueryRequest(http))
        writer.headers.add(name: "location", value: "/v1/queries/\(job.id.text)")
        try await writer.send(
            .accepted,
            json: JSONWriter.document { writer in
                writer.member("id", job.id.text)
                writer.member("state", job.state.rawValue)
                writer.member("rows", "/v1/queries/\(job.id.text)/rows?page=0")
            })
    }

    private func rows(_ http: HTTPRequest, _ writer: ResponseWriter) async throws {
        let page = try http.integer("page", in: 0...1_000_000_000) ?? 0
        let wait = try http.integer("wait_ms", in: 0...30_000) ?? 1000
        guard let id = http.variables["id"], let job = jobs.job(QueryID(id)), http.maySee(job.user) else {
            throw HTTPFailure.notFound("no query of this id was started here, or its rows were dropped")
        }
        let answer = try await job.page(page, wait: .milliseconds(wait))
        try await writer.send(answer.isReady ? .ok : .accepted, json: answer.document)
    }

    private func cancel(_ http: HTTPRequest, _ writer: ResponseWriter) async throws {
        let id = QueryID(http.variables["id"] ?? "")
        // What belongs to somebody else is not there.
        guard let owner = jobs.job(id)?.user ?? engine.queries.profile(id)?.record.user, http.maySee(owner) else {
            throw HTTPFailure.notFound("no query of this id is known")
        }
        let runs = engine.queries.cancel(id)
        let wasStarted = jobs.remove(id)
        guard wasStarted || runs || engine.queries.profile(id) != nil else {
            throw HTTPFailure.notFound("no query of this id is known")
        }
        try await writer.send(
            json: JSONWriter.document { writer in
                writer.member("id", id.text)
                writer.member("cancelled", runs)
            })
    }
}
