// The methods of Flight's service.

import Coordination
import Diagnostics
import GRPCCore

extension FlightSQLService {
    package func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        func method(_ name: String) -> MethodDescriptor {
            MethodDescriptor(fullyQualifiedService: "arrow.flight.protocol.FlightService", method: name)
        }
        router.registerHandler(
            forMethod: method("Handshake"), deserializer: IncomingMessageCoding<HandshakeMessage>(),
            serializer: OutgoingMessageCoding<HandshakeMessage>()
        ) { request, _ in try await self.handshake(request) }
        router.registerHandler(
            forMethod: method("GetFlightInfo"), deserializer: IncomingMessageCoding<FlightDescriptor>(),
            serializer: OutgoingMessageCoding<FlightInfo>()
        ) { request, context in
            try await self.answer(request, context) { try await self.info($0, $1) }
        }
        router.registerHandler(
            forMethod: method("GetSchema"), deserializer: IncomingMessageCoding<FlightDescriptor>(),
            serializer: OutgoingMessageCoding<SchemaResult>()
        ) { request, context in
            try await self.answer(request, context) { try await self.schema($0, $1) }
        }
        router.registerHandler(
            forMethod: method("DoGet"), deserializer: IncomingMessageCoding<FlightTicket>(),
            serializer: FlightDataCoding()
        ) { request, context in
            let ticket = try await Self.only(request.messages)
            return StreamingServerResponse(metadata: [:]) { writer in
                try await self.call(request.metadata, context) { try await self.get(ticket, $0, writer) }.trailers
            }
        }
        router.registerHandler(
            forMethod: method("DoPut"), deserializer: IncomingMessageCoding<FlightData>(),
            serializer: OutgoingMessageCoding<PutResult>()
        ) { request, context in
            StreamingServerResponse(metadata: [:]) { writer in
                let (metadata, trailers) = try await self.call(request.metadata, context) { session in
                    try await self.put(PutStream(request.messages), session)
                }
                try await writer.write(PutResult(metadata: metadata))
                return trailers
            }
        }
        router.registerHandler(
            forMethod: method("DoAction"), deserializer: IncomingMessageCoding<FlightAction>(),
            serializer: OutgoingMessageCoding<FlightActionResult>()
        ) { request, context in
            let action = try await Self.only(request.messages)
            return StreamingServerResponse(metadata: [:]) { writer in
                let (body, trailers) = try await self.call(request.metadata, context) { try await self.act(action, $0) }
                if let body { try await writer.write(FlightActionResult(body: body)) }
                return trailers
            }
        }
        router.registerHandler(
            forMethod: method("ListActions"), deserializer: IncomingMessageCoding<EmptyMessage>(),
            serializer: OutgoingMessageCoding<FlightActionType>()
        ) { request, context in
            StreamingServerResponse(metadata: [:]) { writer in
                try await self.call(request.metadata, context) { _ in
                    for type in Self.actionTypes { try await writer.write(type) }
                }.trailers
            }
        }
    }

    /// The message of a call that has one.
    private static func only<Message: Sendable>(_ messages: RPCAsyncSequence<Message, any Error>) async throws
        -> Message
    {
        for try await message in messages { return message }
        throw RPCError(code: .invalidArgument, message: "the call came without a message")
    }

    private func answer<Input: Sendable, Output: Sendable>(
        _ request: StreamingServerRequest<Input>, _ context: ServerContext,
        _ body: (Input, FlightSession) async throws -> Output
    ) async throws -> StreamingServerResponse<Output> {
        let message = try await Self.only(request.messages)
        let (output, trailers) = try await call(request.metadata, context) { try await body(message, $0) }
        return StreamingServerResponse(single: ServerResponse(message: output, trailingMetadata: trailers))
    }

    /// Clients take the token from the header, the trailer or the payload.
    private func handshake(
        _ request: StreamingServerRequest<HandshakeMessage>
    ) async throws -> StreamingServerResponse<HandshakeMessage> {
        do {
            var payload: [UInt8]?
            if request.metadata[stringValues: "authorization"].first(where: { _ in true }) == nil {
                for try await message in request.messages {
                    payload = message.payload
                    break
                }
            }
            let (token, session) = try await openSession(metadata: request.metadata, payload: payload)
            let metadata: Metadata = ["authorization": "Bearer \(token)"]
            if session.isAttached { return attach(session, request.messages, token: token, metadata) }
            let answersPayload = payload != nil
            return StreamingServerResponse(metadata: metadata) { writer in
                if answersPayload { try await writer.write(HandshakeMessage(payload: Array(token.utf8))) }
                return metadata
            }
        } catch {
            guard request.metadata.first(SessionMetadata.attachKey) != nil else { throw FlightErrors.rpcError(error) }
            throw FlightErrors.rpcError(error, reporting: [:])
        }
    }

    /// The answer says how things stand and then goes on as long as the session.
    private func attach(
        _ session: FlightSession, _ messages: RPCAsyncSequence<HandshakeMessage, any Error>, token: String,
        _ metadata: Metadata
    ) -> StreamingServerResponse<HandshakeMessage> {
        var metadata = metadata
        metadata.add(contentsOf: CallReport().metadata(session.session))
        metadata.addString(String(session.session.number), forKey: SessionMetadata.sessionKey)
        metadata.addString(EngineVersion.version, forKey: SessionMetadata.versionKey)
        return StreamingServerResponse(metadata: metadata) { writer in
            do { try await writer.write(HandshakeMessage(payload: Array(token.utf8))) } catch {
                self.close(session)
                throw error
            }
            await self.hold(session, messages)
            return [:]
        }
    }
}
