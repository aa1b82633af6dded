// The services as they are served: thin shells around the interfaces of Transport.

import Diagnostics
import Foundation
import GRPCCore
import Transport

/// Sessions of workers with this coordinator.
struct WorkerSessionServer: Martlet_V1_WorkerSession.SimpleServiceProtocol {
    let service: any WorkerSessionService
    /// Whether workers show that they belong to the cluster.
    let requiresNode: Bool

    func session(
        request: RPCAsyncSequence<Martlet_V1_WorkerMessage, any Error>,
        response: RPCWriter<Martlet_V1_CoordinatorMessage>, context: ServerContext
    ) async throws {
        if requiresNode { try GRPCPeer.requireNode(context) }
        let (incoming, continuation) = AsyncThrowingStream<WorkerMessage, any Error>.makeStream()
        let pump = Task {
            do {
                for try await message in request {
                    if let value = message.value { continuation.yield(value) }
                }
                continuation.finish()
            } catch {
                continuation.finish(throwing: error)
            }
        }
        await withTaskCancellationHandler {
            await service.session(incoming: incoming) { message in
                try await response.write(Martlet_V1_CoordinatorMessage(message))
            }
        } onCancel: {
            continuation.finish(throwing: CancellationError())
        }
        pump.cancel()
    }
}

/// The standard health service: what listens here is serving.
struct HealthServer: Grpc_Health_V1_Health.SimpleServiceProtocol {
    /// Full names of the services; the empty name stands for the whole server.
    let services: [String]

    private func status(_ name: String) -> Grpc_Health_V1_HealthCheckResponse {
        var response = Grpc_Health_V1_HealthCheckResponse()
        response.status = name.isEmpty || services.contains(name) ? .serving : .serviceUnknown
        return response
    }

    func check(
        request: Grpc_Health_V1_HealthCheckRequest, context: ServerContext
    ) async throws -> Grpc_Health_V1_HealthCheckResponse {
        let response = status(request.service)
        if response.status == .serviceUnknown {
            throw RPCError(code: .notFound, message: "unknown service \(request.service)")
        }
        return response
    }

    func watch(
        request: Grpc_Health_V1_HealthCheckRequest, response: RPCWriter<Grpc_Health_V1_HealthCheckResponse>,
        context: ServerContext
    ) async throws {
        try await response.write(status(request.service))
        // It stays so until the server ends, which ends the stream.
        try await context.cancellation.cancelled
    }
}
