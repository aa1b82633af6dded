// What libpq says went wrong, as the engine's errors.

import CLibPQ
import Diagnostics

enum ConnectionErrors {
    private static let unableToConnect = SQLState("08001")

    /// The first line of a message, without what libpq puts in front of the server's own.
    static func line(_ text: String) -> String {
        let first = text.split { $0.isNewline }.first.map(String.init) ?? text
        return String(first.drop { $0 == " " })
    }

    /// Why a connection was not made. The server's state is in the message, which is asked to be verbose.
    static func failedOpening(_ message: String, catalog: String) -> QueryError {
        let lines = message.split { $0.isNewline }.map(String.init)
        var state: SQLState?
        for line in lines {
            // "FATAL:  53300: sorry, too many clients already"
            for part in line.split(separator: ":").map({ $0.drop { $0 == " " } }) where part.utf8.count == 5 {
                let isCode = part.utf8.allSatisfy { ($0 >= 0x30 && $0 <= 0x39) || ($0 >= 0x41 && $0 <= 0x5A) }
                if isCode, part.utf8.contains(where: { $0 <= 0x39 }), part != "FATAL" { state = SQLState(String(part)) }
            }
        }
        if let known = state, known.isShutdown { state = nil }
        return QueryError(
            state ?? unableToConnect, "could not connect to the server of catalog \"\(catalog)\"",
            detail: lines.first.map { line($0) }, object: catalog)
    }

    /// An error of a statement.
    static func failure(_ result: OpaquePointer?, _ connection: OpaquePointer, catalog: String) -> QueryError {
        func field(_ code: Int32) -> String? {
            result.flatMap { PQresultErrorField($0, code) }.map { String(cString: $0) }
        }
        guard let code = field(martlet_diagnostic_state) else {
            return lost(String(cString: PQerrorMessage(connection)), catalog: catalog)
        }
        // That the server goes is no news of this engine's own processes.
        if SQLState(code).isShutdown { return lost(field(martlet_diagnostic_message) ?? "", catalog: catalog) }
        return QueryError(
            SQLState(code), field(martlet_diagnostic_message) ?? "the server reports an error",
            detail: field(martlet_diagnostic_detail), hint: field(martlet_diagnostic_hint),
            object: field(martlet_diagnostic_constraint) ?? field(martlet_diagnostic_column))
    }

    static func lost(_ message: String, catalog: String) -> QueryError {
        QueryError(
            .connectionFailure, "the connection to the server of catalog \"\(catalog)\" was lost",
            detail: message.isEmpty ? nil : line(message), object: catalog)
    }

    static func malformed(_ catalog: String, _ what: String) -> QueryError {
        QueryError(.protocolViolation, "the server of catalog \"\(catalog)\" sent \(what)", object: catalog)
    }
}

extension SQLState {
    /// The states of a server that ends or begins.
    fileprivate var isShutdown: Bool { self == .adminShutdown || self == .crashShutdown || self == .cannotConnectNow }
}
