// What the calls of an attached session carry beside Flight SQL's own: the state of the session, notices, errors in full.
//
// A client asks for it in its handshake (`attachKey`). Then the handshake's call stays open, and the session ends with it, as
// a session of PostgreSQL's protocol ends with its connection; and trailers tell what that protocol tells in messages.

import Diagnostics
import GRPCCore

enum SessionMetadata {
    // MARK: - Of a handshake

    /// Asks for an attached session.
    static let attachKey = "sql-attach"
    static let applicationKey = "sql-application"
    static let databaseKey = "sql-database"
    /// The session's number and the server's version, in the answer.
    static let sessionKey = "sql-session"
    static let versionKey = "sql-server-version"

    // MARK: - Of trailers

    static let transactionKey = "sql-transaction"
    static let tagKey = "sql-tag"
    static let noticeKey = "sql-notice-bin"
    static let errorKey = "sql-error-bin"
    /// The rows are pieces of what COPY TO STDOUT gives.
    static let copyKey = "sql-copy"

    /// Settings that decide how values look as text.
    static let settingNames = ["timezone", "datestyle", "intervalstyle", "extra_float_digits", "bytea_output"]
    static func settingKey(_ name: String) -> String { "sql-setting-\(name)" }

    /// Bytes of all notices of a call: the trailers of a call have 16 KB in all.
    static let noticeByteCountMax = 2500
}

extension Metadata {
    /// The first text of a key.
    func first(_ key: String) -> String? { self[stringValues: key].first { _ in true } }
}

/// An error with all that people see of it.
struct ErrorMessage: IncomingMessage, OutgoingMessage {
    var error: QueryError
    init(_ error: QueryError) { self.error = error }

    private static let messageByteCountMax = 5000
    private static let detailByteCountMax = 3000
    private static let hintByteCountMax = 1000

    init(wire bytes: UnsafeRawBufferPointer) throws {
        error = QueryError(.internalError, "")
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch field {
            case 1: error.state = SQLState(try reader.string())
            case 2: error.message = try reader.string()
            case 3: error.detail = try reader.string()
            case 4: error.hint = try reader.string()
            case 5: error.position = SourcePosition(offset: Int(clamping: try reader.integer()))
            default: try reader.skip()
            }
        }
    }

    func write(to writer: inout ProtobufWriter) {
        writer.string(1, "\(error.state.code)")
        writer.string(2, Self.cut(error.message, Self.messageByteCountMax))
        if let detail = error.detail { writer.string(3, Self.cut(detail, Self.detailByteCountMax)) }
        if let hint = error.hint { writer.string(4, Self.cut(hint, Self.hintByteCountMax)) }
        if let position = error.position { writer.integer(5, Int64(position.offset)) }
    }

    private static func cut(_ text: String, _ byteCountMax: Int) -> String {
        guard text.utf8.count > byteCountMax else { return text }
        var result = ""
        var count = 0
        for character in text {
            count += character.utf8.count
            if count > byteCountMax - 3 { break }
            result.append(character)
        }
        return result + "…"
    }
}
