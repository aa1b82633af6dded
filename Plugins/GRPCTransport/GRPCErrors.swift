// Errors on the wire: in messages, and in the trailing metadata of failed calls.

import Diagnostics
import GRPCCore
import SwiftProtobuf
import Transport
import WireCodec

enum GRPCErrors {
    static let metadataKey = "martlet-error-bin"
    /// Trailers have a size limit; a message or a detail is cut before it reaches it.
    private static let trailerTextLimit = 1500

    static func info(_ error: QueryError, textLimit: Int = .max) -> Martlet_V1_ErrorInfo {
        func cut(_ text: String) -> String {
            text.utf8.count <= textLimit ? text : String(text.prefix(textLimit / 4)) + "…"
        }
        var info = Martlet_V1_ErrorInfo()
        info.sqlstate = error.state.code
        info.message = cut(error.message)
        if let detail = error.detail { info.detail = cut(detail) }
        if let hint = error.hint { info.hint = cut(hint) }
        if let position = error.position { info.position = UInt64(max(0, position.offset)) }
        if let object = error.object { info.object = cut(object) }
        if let cause = error.cause { info.cause = cut(String(describing: cause)) }
        return info
    }

    static func error(_ info: Martlet_V1_ErrorInfo) -> QueryError {
        QueryError(
            info.sqlstate.utf8.count == 5 ? SQLState(info.sqlstate) : .internalError, info.message,
            detail: info.hasDetail ? info.detail : nil, hint: info.hasHint ? info.hint : nil,
            at: info.hasPosition ? SourcePosition(offset: Int(clamping: info.position)) : nil,
            object: info.hasObject ? info.object : nil, cause: info.hasCause ? RemoteCause(info.cause) : nil)
    }

    /// What a node hears that has not shown that it belongs to the cluster.
    static let notANode = QueryError(
        .invalidAuthorization, "the caller has no certificate of this cluster's authority",
        hint: "Set cluster.tls.certificate, cluster.tls.key and cluster.tls.authority.")

    static func metadata(_ error: QueryError) -> Metadata {
        var metadata: Metadata = [:]
        if let bytes: [UInt8] = try? info(error, textLimit: trailerTextLimit).serializedBytes() {
            metadata.addBinary(bytes, forKey: metadataKey)
        }
        return metadata
    }

    /// What a service throws.
    static func rpcError(_ error: any Error) -> RPCError {
        let error = QueryError.wrapping(error)
        let metadata = metadata(error)
        let code: RPCError.Code =
            switch error.kind {
            case .user: .failedPrecondition
            case .resource: .resourceExhausted
            case .external: .unavailable
            case .internal: .internalError
            }
        return RPCError(code: code, message: error.message, metadata: metadata)
    }

    /// What a caller gets: the service's own error, or that the peer is gone.
    static func queryError(_ error: any Error, peer endpoint: Endpoint, lost state: SQLState) -> QueryError {
        if let error = error as? QueryError { return error }
        if error is CancellationError { return QueryError(state, "the call to \(endpoint) was cancelled") }
        if let error = error as? RPCError {
            for bytes in error.metadata[binaryValues: metadataKey] {
                if let info = try? Martlet_V1_ErrorInfo(serializedBytes: Array(bytes)) { return self.error(info) }
            }
        }
        return QueryError(
            state, "lost the connection to \(endpoint)", detail: String(describing: error),
            object: endpoint.description)
    }
}
