// The commands of Flight SQL: what descriptors, tickets and actions carry, each as an Any with its name.

import Diagnostics

/// A message with the name of its type.
struct NamedMessage {
    static let prefix = "type.googleapis.com/arrow.flight.protocol.sql."
    var name: String
    var value: [UInt8]

    init(name: String, value: [UInt8]) {
        self.name = name
        self.value = value
    }

    /// Throws if the bytes are no Any of Flight SQL.
    init(_ bytes: [UInt8]) throws {
        var url = ""
        var value: [UInt8] = []
        try bytes.withUnsafeBytes { bytes in
            var reader = ProtobufReader(bytes)
            while let field = try reader.next() {
                switch field {
                case 1: url = try reader.string()
                case 2: value = try reader.data()
                default: try reader.skip()
                }
            }
        }
        guard let dot = url.lastIndex(of: "."), url.contains("arrow.flight.protocol.sql.") else {
            throw QueryError(.protocolViolation, "the client sent a command that is not one of Flight SQL")
        }
        name = String(url[url.index(after: dot)...])
        self.value = value
    }

    var wire: [UInt8] {
        var writer = ProtobufWriter()
        writer.string(1, Self.prefix + name)
        writer.data(2, value)
        return writer.bytes
    }
}

/// Tables are looked for by these. What is `nil` does not narrow the search.
struct TableFilter: Sendable, Hashable {
    var catalog: String?
    var schemaPattern: String?
    var tablePattern: String?
    var types: [String] = []
    var includesSchema = false
}

struct KeyFilter: Sendable, Hashable {
    var catalog: String?
    var schema: String?
    var table = ""
}

struct IngestCommand: Sendable {
    enum IfMissing: UInt64 { case unspecified = 0, create, fail }
    enum IfThere: UInt64 { case unspecified = 0, fail, append, replace }
    var ifMissing = IfMissing.unspecified
    var ifThere = IfThere.unspecified
    var table = ""
    var schema: String?
    var catalog: String?
    var isTemporary = false
    var transaction: [UInt8]?
}

/// A command of a descriptor or a ticket.
enum FlightCommand: Sendable {
    case query(String, transaction: [UInt8]?)
    case update(String, transaction: [UInt8]?)
    case preparedQuery([UInt8])
    case preparedUpdate([UInt8])
    case ingest(IngestCommand)
    /// A result that waits to be fetched.
    case ticket([UInt8])
    case sqlInfo([UInt64])
    case catalogs
    case schemas(catalog: String?, pattern: String?)
    case tables(TableFilter)
    case tableTypes
    case primaryKeys(KeyFilter)

    init(_ bytes: [UInt8]) throws {
        let message = try NamedMessage(bytes)
        self = try message.value.withUnsafeBytes { try Self.parse(message.name, $0) }
    }

    private static func parse(_ name: String, _ bytes: UnsafeRawBufferPointer) throws -> FlightCommand {
        switch name {
        case "CommandStatementQuery":
            let (text, transaction) = try statement(bytes)
            return .query(text, transaction: transaction)
        case "CommandStatementUpdate":
            let (text, transaction) = try statement(bytes)
            return .update(text, transaction: transaction)
        case "CommandPreparedStatementQuery": return .preparedQuery(try handle(bytes))
        case "CommandPreparedStatementUpdate": return .preparedUpdate(try handle(bytes))
        case "TicketStatementQuery": return .ticket(try handle(bytes))
        case "CommandStatementIngest": return .ingest(try IngestCommand(bytes))
        case "CommandGetSqlInfo":
            var numbers: [UInt64] = []
            var reader = ProtobufReader(bytes)
            while let field = try reader.next() {
                if field == 1 { try reader.integers(into: &numbers) } else { try reader.skip() }
            }
            return .sqlInfo(numbers)
        case "CommandGetCatalogs": return .catalogs
        case "CommandGetDbSchemas":
            var catalog: String?
            var pattern: String?
            var reader = ProtobufReader(bytes)
            while let field = try reader.next() {
                switch field {
                case 1: catalog = try reader.string()
                case 2: pattern = try reader.string()
                default: try reader.skip()
                }
            }
            return .schemas(catalog: catalog, pattern: pattern)
        case "CommandGetTables": return .tables(try TableFilter(bytes))
        case "CommandGetTableTypes": return .tableTypes
        case "CommandGetPrimaryKeys": return .primaryKeys(try KeyFilter(bytes))
        default: throw QueryError.notSupported("the Flight SQL command \(name)")
        }
    }

    /// The text of a statement and the transaction that it is to run in.
    static func statement(_ bytes: UnsafeRawBufferPointer) throws -> (text: String, transaction: [UInt8]?) {
        var text = ""
        var transaction: [UInt8]?
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch field {
            case 1: text = try reader.string()
            case 2: transaction = try reader.data()
            default: try reader.skip()
            }
        }
        return (text, transaction.flatMap { $0.isEmpty ? nil : $0 })
    }

    /// Messages whose only field is a handle.
    static func handle(_ bytes: UnsafeRawBufferPointer) throws -> [UInt8] {
        var handle: [UInt8] = []
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            if field == 1 { handle = try reader.data() } else { try reader.skip() }
        }
        return handle
    }

    /// The command of a statement; an update is one whose rows nobody wants.
    static func statementBytes(_ sql: String, isUpdate: Bool) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.string(1, sql)
        return NamedMessage(
            name: isUpdate ? "CommandStatementUpdate" : "CommandStatementQuery", value: writer.bytes
        ).wire
    }

    /// A ticket for a result.
    static func ticketBytes(_ handle: [UInt8]) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.data(1, handle)
        return NamedMessage(name: "TicketStatementQuery", value: writer.bytes).wire
    }
}

extension TableFilter {
    fileprivate init(_ bytes: UnsafeRawBufferPointer) throws {
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch field {
            case 1: catalog = try reader.string()
            case 2: schemaPattern = try reader.string()
            case 3: tablePattern = try reader.string()
            case 4: types.append(try reader.string())
            case 5: includesSchema = try reader.boolean()
            default: try reader.skip()
            }
        }
    }
}

extension KeyFilter {
    fileprivate init(_ bytes: UnsafeRawBufferPointer) throws {
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch field {
            case 1: catalog = try reader.string()
            case 2: schema = try reader.string()
            case 3: table = try reader.string()
            default: try reader.skip()
            }
        }
    }
}

extension IngestCommand {
    fileprivate init(_ bytes: UnsafeRawBufferPointer) throws {
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch field {
            case 1:
                var options = ProtobufReader(try reader.raw())
                while let field = try options.next() {
                    switch field {
                    case 1: ifMissing = IfMissing(rawValue: try options.integer()) ?? .unspecified
                    case 2: ifThere = IfThere(rawValue: try options.integer()) ?? .unspecified
                    default: try options.skip()
                    }
                }
            case 2: table = try reader.string()
            case 3: schema = try reader.string()
            case 4: catalog = try reader.string()
            case 5: isTemporary = try reader.boolean()
            case 6: transaction = try reader.data()
            default: try reader.skip()
            }
        }
    }
}
