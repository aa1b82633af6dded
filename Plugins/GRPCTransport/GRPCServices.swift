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

/// Tasks of this worker.
struct WorkerControlServer: Martlet_V1_WorkerControl.SimpleServiceProtocol {
    /// Descriptors are put together up to this size.
    static let descriptorByteLimit = 256 << 20

    let service: any WorkerService

    func startTask(
        request: RPCAsyncSequence<Martlet_V1_StartTaskChunk, any Error>, context: ServerContext
    ) async throws -> Martlet_V1_StartTaskReply {
        var attempt: TaskAttemptID?
        var descriptor: [UInt8] = []
        func start() async throws {
            guard let attempt else { throw QueryError(.protocolViolation, "a task without attempt") }
            try await service.startTask(attempt, descriptor: descriptor)
        }
        do {
            for try await chunk in request {
                if chunk.hasAttempt {
                    // The task before it is complete.
                    if attempt != nil { try await start() }
                    attempt = chunk.attempt.value
                    descriptor = []
                }
                guard descriptor.count + chunk.descriptor.count <= Self.descriptorByteLimit else {
                    throw QueryError(
                        .programLimitExceeded, "a task's descriptor exceeds \(Self.descriptorByteLimit) bytes")
                }
                descriptor.append(contentsOf: chunk.descriptor)
            }
            try await start()
        } catch {
            throw GRPCErrors.rpcError(error)
        }
        return Martlet_V1_StartTaskReply()
    }

    func cancelTasks(
        request: Martlet_V1_CancelTasksRequest, context: ServerContext
    ) async throws -> Martlet_V1_CancelTasksReply {
        await service.cancelTasks(request.attempts.map(\.value))
        return Martlet_V1_CancelTasksReply()
    }

    func watchTasks(
        request: Martlet_V1_WatchTasksRequest, response: RPCWriter<Martlet_V1_TaskStatusUpdate>,
        context: ServerContext
    ) async throws {
        do {
            for try await status in service.taskStatuses(query: QueryID(request.query)) {
                try await response.write(Martlet_V1_TaskStatusUpdate(status))
            }
        } catch {
            throw GRPCErrors.rpcError(error)
        }
    }

    func ping(request: Martlet_V1_PingRequest, context: ServerContext) async throws -> Martlet_V1_PingReply {
        Martlet_V1_PingReply()
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
