// DoPut: statements without rows, parameters of prepared ones, and rows that go into a table.

import Columnar
import Coordination
import Diagnostics
import FileFormats
import GRPCCore

/// The messages of one DoPut, one after the other. Confined to its call.
final class PutStream: @unchecked Sendable {
    private var iterator: RPCAsyncSequence<FlightData, any Error>.AsyncIterator
    private var decoder = ArrowStreamDecoder()
    /// Rows that came with the message that was to bring the schema.
    private var early: Batch?

    init(_ messages: RPCAsyncSequence<FlightData, any Error>) { iterator = messages.makeAsyncIterator() }

    /// What the first message says that it is all about.
    func begin() async throws -> FlightDescriptor {
        guard let first = try await iterator.next(), let descriptor = first.descriptor else {
            throw QueryError(.protocolViolation, "the first message of DoPut has no descriptor")
        }
        if !first.header.isEmpty { early = try decoder.decode(header: first.header, body: first.body) }
        return descriptor
    }

    /// The columns of the rows; `nil` if there are none.
    func fields() async throws -> [Field]? {
        while decoder.fields == nil {
            guard let data = try await iterator.next() else { return nil }
            if !data.header.isEmpty { early = try decoder.decode(header: data.header, body: data.body) }
        }
        return decoder.fields
    }

    func next() async throws -> Batch? {
        if let batch = early {
            early = nil
            return batch
        }
        while let data = try await iterator.next() {
            if data.header.isEmpty { continue }
            if let batch = try decoder.decode(header: data.header, body: data.body), batch.rowCount > 0 { return batch }
        }
        return nil
    }
}

extension FlightSQLService {
    /// The metadata of the answer.
    func put(_ stream: PutStream, _ session: FlightSession) async throws -> [UInt8] {
        switch try Self.command(try await stream.begin()) {
        case .update(let sql, let transaction), .query(let sql, let transaction):
            try checkTransaction(transaction, session)
            let data = CopyDataChannel(stream)
            return Self.updated(try await session.exclusively { try await session.run(sql, copyData: data) })
        case .preparedQuery(let handle):
            try await bind(handle, stream, session)
            var writer = ProtobufWriter()
            writer.data(1, handle)
            return writer.bytes
        case .preparedUpdate(let handle):
            return Self.updated(try await runForEachRow(statement(handle, session), stream, session))
        case .ingest(let command): return Self.updated(try await ingest(command, stream, session))
        default: throw QueryError(.protocolViolation, "the command is not one for DoPut")
        }
    }

    private static func updated(_ count: Int64) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.integer(1, count)
        return writer.bytes
    }

    // MARK: - Parameters

    private func bind(_ handle: [UInt8], _ stream: PutStream, _ session: FlightSession) async throws {
        let statement = try statement(handle, session)
        let values = ParameterValues(
            types: statement.prepared.parameterTypes, settings: session.exactTextSettings)
        if let fields = try await stream.fields() { try values.check(fields) }
        var row: [ScalarValue]?
        while let batch = try await stream.next() {
            guard row == nil, batch.rowCount == 1 else {
                throw QueryError.notSupported(
                    "several sets of parameters for a statement that gives rows", hint: "Run it once for each.")
            }
            row = try values.row(batch, 0)
        }
        statement.parameters = row ?? []
    }

    /// All or nothing. A statement that was bound before and comes without rows runs once.
    private func runForEachRow(
        _ statement: FlightStatement, _ stream: PutStream, _ session: FlightSession
    ) async throws -> Int64 {
        let prepared = statement.prepared
        let values = ParameterValues(
            types: prepared.parameterTypes, settings: session.exactTextSettings)
        var rows: [[ScalarValue]] = []
        if !prepared.parameterTypes.isEmpty, let fields = try await stream.fields() {
            try values.check(fields)
            while let batch = try await stream.next() {
                guard rows.count + batch.rowCount <= Self.parameterRowCountMax else {
                    throw QueryError(
                        .programLimitExceeded, "more than \(Self.parameterRowCountMax) sets of parameters are given",
                        hint: "Send them in parts, or ingest them into a table.")
                }
                for row in 0..<batch.rowCount { rows.append(try values.row(batch, row)) }
            }
        } else {
            rows = [statement.parameters]
        }
        let sets = rows
        return try await session.exclusively {
            try await self.atomically(session, isNeeded: sets.count != 1) {
                var total: Int64 = 0
                for parameters in sets {
                    let result = try await session.session.execute(prepared, parameters: parameters)
                    CallReport.current?.noteNotices(result)
                    guard result.copyWriter == nil else {
                        result.cancel()
                        throw QueryError.notSupported("COPY TO STDOUT over Flight SQL", hint: "Use a query.")
                    }
                    while try await result.next() != nil {}
                    CallReport.current?.noteEnd(result)
                    let count = AffectedRows.count(result.tag)
                    total = count < 0 ? -1 : total + count
                }
                return total
            }
        }
    }

    private static let parameterRowCountMax = 1_000_000

    /// Runs `body` within the open transaction, or within one of its own.
    func atomically<Result: Sendable>(
        _ session: FlightSession, isNeeded: Bool, _ body: @Sendable () async throws -> Result
    ) async throws -> Result {
        guard isNeeded, session.session.transactionStatus == .idle else { return try await body() }
        _ = try await session.run("BEGIN")
        do {
            let result = try await body()
            _ = try await session.run("COMMIT")
            return result
        } catch {
            // A client that goes away may cancel this, too.
            for _ in 0..<8 where session.session.transactionStatus != .idle {
                _ = try? await session.run("ROLLBACK")
            }
            throw error
        }
    }
}
