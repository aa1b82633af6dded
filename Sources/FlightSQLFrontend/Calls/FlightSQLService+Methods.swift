// The methods of Flight's service.

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
                try await self.call(request.metadata, context) { try await self.get(ticket, $0, writer) }
                return [:]
            }
        }
        router.registerHandler(
            forMethod: method("DoPut"), deserializer: IncomingMessageCoding<IncomingFlightData>(),
            serializer: OutgoingMessageCoding<PutResult>()
        ) { request, context in
            StreamingServerResponse(metadata: [:]) { writer in
                let metadata = try await self.call(request.metadata, context) { session in
                    try await self.put(PutStream(request.messages), session)
                }
                try await writer.write(PutResult(metadata: metadata))
                return [:]
            }
        }
        router.registerHandler(
            forMethod: method("DoAction"), deserializer: IncomingMessageCoding<FlightAction>(),
            serializer: OutgoingMessageCoding<FlightActionResult>()
        ) { request, context in
            let action = try await Self.only(request.messages)
            return StreamingServerResponse(metadata: [:]) { writer in
                let body = try await self.call(request.metadata, context) { try await self.act(action, $0) }
                if let body { try await writer.write(FlightActionResult(body: body)) }
                return [:]
            }
        }
        router.registerHandler(
            forMethod: method("ListActions"), deserializer: IncomingMessageCoding<EmptyMessage>(),
            serializer: OutgoingMessageCoding<FlightActionType>()
        ) { request, context in
            StreamingServerResponse(metadata: [:]) { writer in
                try await self.call(request.metadata, context) { _ in
                    for type in Self.actionTypes { try await writer.write(type) }
                }
                return [:]
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
        let output = try await call(request.metadata, context) { try await body(message, $0) }
        return StreamingServerResponse(single: ServerResponse(message: output))
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
            let token = try await openSession(metadata: request.metadata, payload: payload)
            let metadata: Metadata = ["authorization": "Bearer \(token)"]
            let answersPayload = payload != nil
            return StreamingServerResponse(metadata: metadata) { writer in
                if answersPayload { try await writer.write(HandshakeMessage(payload: Array(token.utf8))) }
                return metadata
            }
        } catch {
            throw FlightErrors.rpcError(error)
        }
    }
}
