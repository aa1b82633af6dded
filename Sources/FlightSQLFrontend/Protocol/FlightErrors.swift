// Errors of the engine as statuses of gRPC.

import Diagnostics
import GRPCCore

enum FlightErrors {
    /// Keys of the metadata that a failed call ends with.
    static let stateKey = "sqlstate"
    static let positionKey = "sql-position"
    /// Trailers have a size limit.
    private static let textByteCountMax = 4096

    static func rpcError(_ error: any Error) -> RPCError {
        if let error = error as? RPCError { return error }
        let error = QueryError.wrapping(error)
        var metadata: Metadata = [stateKey: "\(error.state.code)"]
        if let position = error.position { metadata.addString(String(position.offset + 1), forKey: positionKey) }
        return RPCError(code: code(error.state), message: text(error), metadata: metadata)
    }

    /// For a client that reads the error itself, and more with it.
    static func rpcError(_ error: any Error, reporting report: Metadata) -> RPCError {
        if let error = error as? RPCError { return error }
        let error = QueryError.wrapping(error)
        var metadata = report
        metadata.addString("\(error.state.code)", forKey: stateKey)
        metadata.addBinary(ErrorMessage(error).wire, forKey: SessionMetadata.errorKey)
        // The text is there once; trailers have a size limit.
        return RPCError(code: code(error.state), message: "SQLSTATE \(error.state.code)", metadata: metadata)
    }

    /// Message, state, detail and hint: what clients show is this text and nothing else.
    static func text(_ error: QueryError) -> String {
        var text = "\(error.message) (SQLSTATE \(error.state.code))"
        if let detail = error.detail { text += "\nDETAIL: \(detail)" }
        if let hint = error.hint { text += "\nHINT: \(hint)" }
        return text.utf8.count <= textByteCountMax ? text : String(text.prefix(textByteCountMax / 4)) + "…"
    }

    static func code(_ state: SQLState) -> RPCError.Code {
        switch state.code {
        case "08P01": .invalidArgument
        case "23505", "42P06", "42P07", "42701", "42710", "42723", "42P05": .alreadyExists
        case "26000", "34000", "3D000", "3F000", "42P01", "42704": .notFound
        case "42501": .permissionDenied
        // Not CANCELLED for a cancelled statement: pyarrow interrupts the whole program at that status.
        case "55P03", "57014": .aborted
        default: code(ofClass: state.conditionClass)
        }
    }

    private static func code(ofClass name: Substring) -> RPCError.Code {
        switch name {
        case "08", "57", "58", "ME": .unavailable
        case "0A": .unimplemented
        case "23", "25", "2B", "2D", "3B", "55": .failedPrecondition
        case "28": .unauthenticated
        case "40": .aborted
        case "53", "54": .resourceExhausted
        case "XX": .internalError
        default: .invalidArgument
        }
    }
}
