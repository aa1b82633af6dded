// DoAction: prepared statements, transactions, session options, cancelling.

import Columnar
import Coordination
import Diagnostics
import FileFormats

extension FlightSQLService {
    static let actionTypes: [FlightActionType] = [
        FlightActionType(type: "CreatePreparedStatement", text: "Prepares a statement without running it."),
        FlightActionType(type: "ClosePreparedStatement", text: "Forgets a prepared statement."),
        FlightActionType(type: "BeginTransaction", text: "Begins the session's transaction."),
        FlightActionType(type: "EndTransaction", text: "Commits the transaction or rolls it back."),
        FlightActionType(type: "BeginSavepoint", text: "Sets a savepoint within the transaction."),
        FlightActionType(type: "EndSavepoint", text: "Releases a savepoint or rolls back to it."),
        FlightActionType(type: "CancelFlightInfo", text: "Stops the query behind a ticket."),
        FlightActionType(type: "CancelQuery", text: "The same, in its older form."),
        FlightActionType(type: "GetSessionOptions", text: "Gives the settings of the session."),
        FlightActionType(type: "SetSessionOptions", text: "Changes settings of the session."),
        FlightActionType(type: "CloseSession", text: "Ends the session and rolls back what it has open."),
    ]

    /// The body of the answer, if there is one.
    func act(_ action: FlightAction, _ session: FlightSession) async throws -> [UInt8]? {
        switch action.type {
        case "CreatePreparedStatement": return try await createStatement(action.body, session)
        case "ClosePreparedStatement":
            let handle = FlightHandle(try request(action).withUnsafeBytes { try FlightCommand.handle($0) })
            _ = withState { $0.removeStatement(handle, of: session.key) }
            return nil
        case "BeginTransaction":
            let handle = FlightHandle.random()
            try await beginTransaction(handle, session)
            return Self.handleResult("ActionBeginTransactionResult", handle)
        case "EndTransaction":
            let (handle, choice) = try Self.choice(try request(action))
            try await endTransaction(handle, choice, session)
            return nil
        case "BeginSavepoint":
            let handle = FlightHandle.random()
            let (transaction, _) = try Self.choice(try request(action))
            let name = try withState { try $0.addSavepoint(handle, in: transaction, of: session.key) }
            _ = try await session.exclusively { try await session.run("SAVEPOINT \"\(name)\"") }
            return Self.handleResult("ActionBeginSavepointResult", handle)
        case "EndSavepoint":
            let (handle, choice) = try Self.choice(try request(action))
            guard choice == 1 || choice == 2 else {
                throw QueryError(.protocolViolation, "the action says neither release nor rollback")
            }
            let name = try withState { try $0.savepoint(handle, of: session.key, removing: choice == 1) }
            let statement = choice == 1 ? "RELEASE SAVEPOINT" : "ROLLBACK TO SAVEPOINT"
            _ = try await session.exclusively { try await session.run("\(statement) \"\(name)\"") }
            return nil
        case "CancelFlightInfo": return try cancel(Self.information(action.body), session)
        case "CancelQuery":
            let status = try cancel(Self.information(try request(action)), session)
            return NamedMessage(name: "ActionCancelQueryResult", value: status).wire
        case "GetSessionOptions": return try await SessionOptions(session).all()
        case "SetSessionOptions": return try await SessionOptions(session).set(action.body)
        case "CloseSession":
            close(session)
            var writer = ProtobufWriter()
            writer.integer(1, 1)
            return writer.bytes
        default: throw QueryError.notSupported("the Flight action \(action.type)")
        }
    }

    /// The message within an action's body.
    private func request(_ action: FlightAction) throws -> [UInt8] {
        let message = try NamedMessage(action.body)
        guard message.name == "Action\(action.type)Request" else {
            throw QueryError(.protocolViolation, "the body of action \(action.type) is another message")
        }
        return message.value
    }

    private static func handleResult(_ name: String, _ handle: FlightHandle) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.data(1, handle.bytes)
        return NamedMessage(name: name, value: writer.bytes).wire
    }

    /// A handle and a number: requests that end something.
    private static func choice(_ bytes: [UInt8]) throws -> (handle: FlightHandle, choice: UInt64) {
        try bytes.withUnsafeBytes { bytes in
            var handle: [UInt8] = []
            var choice: UInt64 = 0
            var reader = ProtobufReader(bytes)
            while let field = try reader.next() {
                switch (field, reader.wireType) {
                case (1, .bytes): handle = try reader.data()
                case (2, .varint): choice = try reader.integer()
                default: try reader.skip()
                }
            }
            return (FlightHandle(handle), choice)
        }
    }

    // MARK: - Prepared statements

    private func createStatement(_ body: [UInt8], _ session: FlightSession) async throws -> [UInt8] {
        let message = try NamedMessage(body)
        guard message.name == "ActionCreatePreparedStatementRequest" else {
            throw QueryError(.protocolViolation, "the body of action CreatePreparedStatement is another message")
        }
        let (sql, transaction) = try message.value.withUnsafeBytes { try FlightCommand.statement($0) }
        if transaction != nil { try checkTransaction(transaction, session) }
        let prepared = try await session.exclusively { try await self.prepare(sql, session) }
        let handle = FlightHandle.random()
        try withState { try $0.addStatement(handle, FlightStatement(prepared), of: session.key) }
        var writer = ProtobufWriter()
        writer.data(1, handle.bytes)
        let schema = ArrowMessage.schema(ArrowStreamEncoder.fields(prepared.fields ?? [])).encapsulated
        writer.data(2, prepared.fields == nil ? [] : schema)
        let parameters = prepared.parameterTypes.enumerated().map { Field(name: "$\($0 + 1)", type: $1) }
        if !parameters.isEmpty {
            writer.data(3, ArrowMessage.schema(ArrowStreamEncoder.fields(parameters)).encapsulated)
        }
        return NamedMessage(name: "ActionCreatePreparedStatementResult", value: writer.bytes).wire
    }

    /// Prepares a statement. A text that is no statement may be one with question marks for its parameters.
    func prepare(_ sql: String, _ session: FlightSession) async throws -> PreparedStatement {
        guard let numbered = ParameterMarkers.numbered(sql) else { return try await session.session.prepare(sql) }
        if PreparedStatement.canParse(sql) { return try await session.session.prepare(sql) }
        return try await session.session.prepare(numbered)
    }

    // MARK: - Transactions

    private func beginTransaction(_ handle: FlightHandle, _ session: FlightSession) async throws {
        try await session.exclusively {
            let now = self.now
            try self.withState { try $0.beginTransaction(handle, of: session.key, at: now) }
            do {
                guard session.session.transactionStatus == .idle else {
                    throw QueryError(.activeSQLTransaction, "there is already a transaction in progress")
                }
                _ = try await session.run("BEGIN")
            } catch {
                try? self.withState { try $0.endTransaction(handle, of: session.key) }
                throw error
            }
        }
    }

    private func endTransaction(_ handle: FlightHandle, _ choice: UInt64, _ session: FlightSession) async throws {
        guard choice == 1 || choice == 2 else {
            throw QueryError(.protocolViolation, "the action says neither commit nor rollback")
        }
        try await session.exclusively {
            try self.withState { try $0.endTransaction(handle, of: session.key) }
            switch session.session.transactionStatus {
            case .idle:
                // A statement has ended it.
                if choice == 1 {
                    throw QueryError(.noActiveSQLTransaction, "the transaction was ended by a statement before")
                }
            case .failed:
                _ = try await session.run("ROLLBACK")
                if choice == 1 {
                    throw QueryError(
                        .inFailedSQLTransaction, "the transaction could not be committed and was rolled back",
                        detail: "A statement of it had failed.")
                }
            case .inTransaction: _ = try await session.run(choice == 1 ? "COMMIT" : "ROLLBACK")
            }
        }
    }

    // MARK: - Cancelling

    private static func information(_ body: [UInt8]) throws -> FlightInfo? {
        try body.withUnsafeBytes { bytes in
            var reader = ProtobufReader(bytes)
            var info: FlightInfo?
            while let field = try reader.next() {
                if field == 1 { info = try FlightInfo(wire: try reader.raw()) } else { try reader.skip() }
            }
            return info
        }
    }

    /// A message with the status: 1 for cancelled, 3 for what cannot be cancelled. Without a ticket it is about whatever the
    /// session runs: a client has none of a statement that it waits for.
    private func cancel(_ info: FlightInfo?, _ session: FlightSession) throws -> [UInt8] {
        var isCancelled = false
        if let info, info.tickets.isEmpty {
            session.session.cancelCurrent()
            isCancelled = true
        }
        for ticket in info?.tickets ?? [] {
            guard case .ticket(let bytes) = try FlightCommand(ticket) else { continue }
            let handle = FlightHandle(bytes)
            let now = self.now
            if streams.cancel(handle) {
                isCancelled = true
            } else if let taken = try? withState({ try $0.takeTicket(handle, of: session.key, at: now) }) {
                taken.ticket.drop()
                isCancelled = true
            }
        }
        var writer = ProtobufWriter()
        writer.integer(1, isCancelled ? 1 : 3)
        return writer.bytes
    }

    func close(_ session: FlightSession) {
        guard let closed = withState({ $0.close(session.key) }) else { return }
        for ticket in closed.tickets { ticket.drop() }
        closed.session.close()
    }
}
