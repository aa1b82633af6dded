// GetFlightInfo, GetSchema and DoGet: statements are prepared or run, and rows are fetched.

import Columnar
import Coordination
import Diagnostics
import FileFormats
import GRPCCore

extension FlightSQLService {
    // MARK: - GetFlightInfo

    func info(_ descriptor: FlightDescriptor, _ session: FlightSession) async throws -> FlightInfo {
        switch try Self.command(descriptor) {
        case .query(let sql, let transaction):
            try checkTransaction(transaction, session)
            return try await session.exclusively {
                let prepared = try await self.prepare(sql, session)
                return try await self.info(prepared, parameters: [], descriptor, session)
            }
        case .preparedQuery(let handle):
            let statement = try statement(handle, session)
            return try await session.exclusively {
                try await self.info(statement.prepared, parameters: statement.parameters, descriptor, session)
            }
        case .update(let sql, let transaction):
            // Some clients ask so for statements that give no rows.
            try checkTransaction(transaction, session)
            let count = try await session.exclusively { try await session.run(sql) }
            return FlightInfo(
                schema: ArrowMessage.schema([]).encapsulated, descriptor: descriptor, ticket: nil, recordCount: count)
        case .preparedUpdate, .ingest, .ticket:
            throw QueryError(.protocolViolation, "the command is not one for GetFlightInfo")
        case let command:
            let fields = try CatalogCommands.fields(command)
            return FlightInfo(
                schema: ArrowMessage.schema(fields).encapsulated, descriptor: descriptor, ticket: descriptor.command)
        }
    }

    /// A query only gets a ticket. Everything else runs here and once: many clients never fetch what has no rows.
    private func info(
        _ prepared: PreparedStatement, parameters: [ScalarValue], _ descriptor: FlightDescriptor,
        _ session: FlightSession
    ) async throws -> FlightInfo {
        let handle = FlightHandle.random()
        let content: FlightTicketContent
        let columns: [Field]
        if prepared.onlyReads, let fields = prepared.fields {
            guard parameters.count == prepared.parameterTypes.count else { throw Self.missingParameters(prepared) }
            content = .query(prepared, parameters: parameters)
            columns = fields
        } else {
            let result = try await session.session.execute(prepared, parameters: parameters)
            CallReport.current?.noteNotices(result)
            guard result.copyWriter == nil else { return try copyInfo(result, descriptor, session) }
            guard let fields = result.fields else {
                while try await result.next() != nil {}
                CallReport.current?.noteEnd(result)
                return FlightInfo(
                    schema: ArrowMessage.schema([]).encapsulated, descriptor: descriptor, ticket: nil,
                    recordCount: AffectedRows.count(result.tag))
            }
            content = .result(result, fields: fields)
            columns = fields
        }
        try keep(content, as: handle, session)
        let schema = ArrowMessage.schema(ArrowStreamEncoder.fields(columns, as: session.rowForm)).encapsulated
        return FlightInfo(
            schema: schema, descriptor: descriptor, ticket: FlightCommand.ticketBytes(handle.bytes))
    }

    private func keep(_ content: FlightTicketContent, as handle: FlightHandle, _ session: FlightSession) throws {
        let now = self.now
        do {
            try withState { try $0.addTicket(handle, content, of: session.key, at: now) }
        } catch {
            content.drop()
            throw error
        }
    }

    /// COPY TO STDOUT is fetched as rows of one column, whose bytes are the data, piece by piece.
    private func copyInfo(
        _ result: StatementResult, _ descriptor: FlightDescriptor, _ session: FlightSession
    ) throws -> FlightInfo {
        guard let writer = result.copyWriter else { throw QueryError.internalError("COPY without its form") }
        let handle = FlightHandle.random()
        try keep(.copy(result, writer), as: handle, session)
        CallReport.current?.noteCopy()
        let schema = ArrowMessage.schema(ArrowStreamEncoder.fields([CopyPieces.field], as: .plain)).encapsulated
        return FlightInfo(schema: schema, descriptor: descriptor, ticket: FlightCommand.ticketBytes(handle.bytes))
    }

    private static func missingParameters(_ prepared: PreparedStatement) -> QueryError {
        QueryError(
            .protocolViolation, "the statement has \(prepared.parameterTypes.count) parameters and no values for them",
            hint: "Bind them by DoPut first.")
    }

    static func command(_ descriptor: FlightDescriptor) throws -> FlightCommand {
        guard descriptor.type == 2 else { throw QueryError.notSupported("a flight's path", hint: "Send a command.") }
        return try FlightCommand(descriptor.command)
    }

    func checkTransaction(_ handle: [UInt8]?, _ session: FlightSession) throws {
        try withState { try $0.checkTransaction(handle.map { FlightHandle($0) }, of: session.key) }
    }

    func statement(_ handle: [UInt8], _ session: FlightSession) throws -> FlightStatement {
        try withState { try $0.statement(FlightHandle(handle), of: session.key) }
    }

    // MARK: - GetSchema

    /// Runs nothing.
    func schema(_ descriptor: FlightDescriptor, _ session: FlightSession) async throws -> SchemaResult {
        let fields: [ArrowField]
        switch try Self.command(descriptor) {
        case .query(let sql, let transaction), .update(let sql, let transaction):
            try checkTransaction(transaction, session)
            let prepared = try await session.exclusively { try await self.prepare(sql, session) }
            fields = ArrowStreamEncoder.fields(prepared.fields ?? [])
        case .preparedQuery(let handle), .preparedUpdate(let handle):
            fields = ArrowStreamEncoder.fields(try statement(handle, session).prepared.fields ?? [])
        case .ingest, .ticket: throw QueryError(.protocolViolation, "the command has no schema")
        case let command: fields = try CatalogCommands.fields(command)
        }
        return SchemaResult(schema: ArrowMessage.schema(fields).encapsulated)
    }

    // MARK: - DoGet

    func get(_ ticket: FlightTicket, _ session: FlightSession, _ writer: RPCWriter<OutgoingFlightData>) async throws {
        let command = try FlightCommand(ticket.bytes)
        if case .query(let sql, let transaction) = command, session.isAttached {
            try checkTransaction(transaction, session)
            return try await runAndSend(sql, session, writer)
        }
        guard case .ticket(let bytes) = command else {
            return try await CatalogCommands(session: session, limits: withState { $0.limits }).send(
                command, to: writer)
        }
        let handle = FlightHandle(bytes)
        let now = self.now
        let (content, _, owner) = try withState { try $0.takeTicket(handle, of: session.key, at: now) }
        let result: StatementResult
        let columns: [Field]
        var copyWriter: CopyWriter?
        switch content {
        case .result(let started, let fields): (result, columns) = (started, fields)
        case .copy(let started, let writer): (result, columns, copyWriter) = (started, [CopyPieces.field], writer)
        case .query(let prepared, let parameters):
            result = try await owner.exclusively {
                try await owner.session.execute(prepared, parameters: parameters)
            }
            CallReport.current?.noteNotices(result)
            columns = prepared.fields ?? []
            guard let fields = result.fields, Self.agree(fields, columns) else {
                result.cancel()
                throw QueryError(
                    .featureNotSupported, "cached plan must not change result type",
                    hint: "Something that the query reads has changed; run it again.")
            }
        }
        try await send(result, columns, copyWriter, as: handle, owner, writer)
    }

    /// Runs a statement and sends its rows, if it has any: one call instead of two, for clients that want no info first.
    private func runAndSend(_ sql: String, _ session: FlightSession, _ writer: RPCWriter<OutgoingFlightData>)
        async throws
    {
        let result = try await session.exclusively {
            let prepared = try await self.prepare(sql, session)
            guard prepared.parameterTypes.isEmpty else { throw Self.missingParameters(prepared) }
            let result = try await session.session.execute(prepared, parameters: [])
            if result.fields == nil, result.copyWriter == nil { while try await result.next() != nil {} }
            return result
        }
        CallReport.current?.noteNotices(result)
        guard let columns = result.copyWriter == nil ? result.fields : [CopyPieces.field] else {
            CallReport.current?.noteEnd(result)
            return
        }
        try await send(result, columns, result.copyWriter, as: FlightHandle.random(), session, writer)
    }

    private func send(
        _ result: StatementResult, _ columns: [Field], _ copyWriter: CopyWriter?, as handle: FlightHandle,
        _ owner: FlightSession, _ writer: RPCWriter<OutgoingFlightData>
    ) async throws {
        let stream = RunningStreams.Stream(result)
        streams.add(handle, stream)
        defer { streams.remove(handle) }
        var settings = owner.session.settings.textSettings
        settings.objectNames = result.objectNames
        let form = copyWriter == nil ? owner.rowForm : .plain
        let pieces = copyWriter.map { CopyPieces(writer: $0, settings: settings) }
        do {
            try await withRPCCancellationHandler {
                try await self.send(
                    stream, ArrowStreamEncoder(columns, as: form, settings: settings), pieces, writer)
            } onCancelRPC: {
                stream.cancel()
            }
            CallReport.current?.noteEnd(result)
        } catch {
            result.cancel()
            owner.session.noteFailure()
            throw error
        }
    }

    private static func agree(_ left: [Field], _ right: [Field]) -> Bool {
        left.count == right.count && zip(left, right).allSatisfy { $0.name == $1.name && $0.type == $1.type }
    }

    /// Writing waits until the client has taken enough of what was written before, and meanwhile the query waits too.
    private func send(
        _ stream: RunningStreams.Stream, _ encoder: ArrowStreamEncoder, _ pieces: CopyPieces?,
        _ writer: RPCWriter<OutgoingFlightData>
    ) async throws {
        try await writer.write(OutgoingFlightData(ArrowMessage.schema(encoder.fields)))
        func send(_ batch: Batch) async throws {
            var start = 0
            while start < batch.rowCount {
                start += try encoder.append(batch, from: start)
                if encoder.isFull, let message = encoder.take() {
                    try await writer.write(OutgoingFlightData(message))
                }
            }
        }
        if let first = try pieces?.first() { try await send(first) }
        while let batch = try await stream.result.next() {
            try await send(try pieces?.piece(batch) ?? batch)
            if stream.isCancelled { break }
        }
        if stream.isCancelled {
            throw QueryError(.queryCanceled, "canceling statement due to user request")
        }
        if let message = encoder.take() { try await writer.write(OutgoingFlightData(message)) }
    }
}
