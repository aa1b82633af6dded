// TLS of a port of gRPC, and which calls on it need a node's certificate.

import ConnectionSecurity
import Diagnostics
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import NIOCore

/// How a port takes connections. The handlers of TLS are ours and not the transport's, which cannot ask for a certificate
/// without requiring one, nor take clients in plain beside others.
enum GRPCPortSecurity: Sendable {
    case plain
    /// Nodes only: everybody shows a certificate of the cluster's authority.
    case nodes(NodeSecurity)
    /// Nodes with their certificates, and clients without; they see the server's certificate if it has one of its own.
    case nodesAndClients(NodeSecurity, allowsPlain: Bool)
    /// Clients only know the server; nodes are not asked.
    case clients(ServerSecurity, allowsPlain: Bool)

    /// Of the port that a coordinator shares between workers and the clients of other services.
    static func shared(_ nodes: NodeSecurity?, _ clients: ServerSecurity?, allowsPlain: Bool) -> GRPCPortSecurity {
        if let nodes {
            if let clients { nodes.showClients(clients) }
            return .nodesAndClients(nodes, allowsPlain: allowsPlain)
        }
        if let clients { return .clients(clients, allowsPlain: allowsPlain) }
        return .plain
    }

    /// Sets up a connection that has come in; on its event loop.
    func prepare(_ channel: any Channel) throws {
        let handlers = channel.pipeline.syncOperations
        switch self {
        case .plain: break
        case .nodes(let security):
            try handlers.addHandler(security.makeServerHandler(.everybody), position: .first)
        case .nodesAndClients(let security, let allowsPlain):
            try handlers.addHandler(
                SecurityGate(allowsPlain: allowsPlain) { security.makeServerHandler(.nodes) }, position: .first)
        case .clients(let security, let allowsPlain):
            try handlers.addHandler(
                SecurityGate(allowsPlain: allowsPlain) { security.makeHandler() }, position: .first)
        }
    }
}

enum GRPCPeer {
    /// Refuses calls of peers that have shown no certificate; those that were shown have been checked.
    static func requireNode(_ context: ServerContext) throws {
        let peer = context.transportSpecific as? HTTP2ServerTransport.Posix.Context
        guard peer?.peerCertificate == nil else { return }
        throw RPCError(
            code: .unauthenticated, message: GRPCErrors.notANode.message,
            metadata: GRPCErrors.metadata(GRPCErrors.notANode))
    }
}
