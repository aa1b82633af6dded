// Errors: every field that a client sees travels; the cause, an error of any type, travels as its text.

import Diagnostics

/// What a `cause` becomes on another node.
package struct RemoteCause: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

extension ByteWriter {
    package mutating func error(_ error: QueryError) throws(QueryError) {
        string(error.state.code)
        string(error.message)
        try optionalString(error.detail)
        try optionalString(error.hint)
        try optionalInt(error.position?.offset)
        try optionalString(error.object)
        try optionalString(error.cause.map { String(describing: $0) })
    }

    package mutating func optionalString(_ value: String?) throws(QueryError) {
        try optional(value) { (writer, value) throws(QueryError) in writer.string(value) }
    }
}

extension ByteReader {
    package mutating func error() throws(QueryError) -> QueryError {
        let code = try string()
        guard code.utf8.count == 5 else { throw .corrupt("a SQLSTATE that has not five characters") }
        let message = try string()
        let detail = try optionalString()
        let hint = try optionalString()
        let offset = try optional { (reader) throws(QueryError) in try reader.int() }
        let object = try optionalString()
        let cause = try optionalString()
        return QueryError(
            SQLState(code), message, detail: detail, hint: hint, at: offset.map { SourcePosition(offset: $0) },
            object: object, cause: cause.map { RemoteCause($0) })
    }

    package mutating func optionalString() throws(QueryError) -> String? {
        try optional { (reader) throws(QueryError) in try reader.string() }
    }
}

/// One error as bytes.
package enum ErrorCodec {
    package static func encode(_ error: QueryError) -> [UInt8] {
        var writer = ByteWriter()
        do {
            try writer.error(error)
        } catch {
            // Nothing in an error nests, so this is never reached; the state still travels.
            writer = ByteWriter()
            writer.string(error.state.code)
            writer.string(error.message)
            for _ in 0..<5 { writer.flag(false) }
        }
        return writer.bytes
    }

    /// The error; an error about the bytes if they hold none.
    package static func decode(_ bytes: [UInt8]) -> QueryError {
        do {
            var reader = ByteReader(bytes)
            let error = try reader.error()
            try reader.finish()
            return error
        } catch {
            return error
        }
    }
}
