// Text of the catalogue's own types: oid, name, "char", regclass and its like, int2vector and oidvector.

import Diagnostics

/// Names of catalogue objects, as one statement sees them.
package protocol ObjectNames: Sendable {
    /// The name of an object, quoted and qualified as far as the search path needs it; `nil` if there is none.
    func name(of identifier: Int64, _ kind: RegisteredKind) -> String?
    /// The object of a name as SQL writes it; `nil` if there is none. Errors: 42602 for what is no name, 42725 for a
    /// function's name that several have.
    func identifier(of text: String, _ kind: RegisteredKind) throws -> Int64?
}

package enum ObjectNameText {
    // MARK: Output

    /// 0 is shown as `-`, an identifier without object as its number.
    static func append(
        _ identifier: Int64, _ kind: RegisteredKind, names: (any ObjectNames)?, into text: inout [UInt8]
    ) {
        if identifier == 0 {
            text.append(0x2D)
        } else if kind == .type, let name = BuiltInTypes.sqlName(identifier) {
            text.append(contentsOf: name.utf8)
        } else if let name = names?.name(of: identifier, kind) {
            text.append(contentsOf: name.utf8)
        } else {
            NumericText.append(identifier, into: &text)
        }
    }

    /// Elements of int2vector and oidvector, separated by blanks.
    static func append(_ elements: Vector, into text: inout [UInt8]) {
        for row in 0..<elements.count {
            if row > 0 { text.append(0x20) }
            guard case .integer(let value) = elements.value(at: row) else { continue }
            NumericText.append(value, into: &text)
        }
    }

    // MARK: Input

    /// An oid. Negative numbers of 32 bits count from the top, as PostgreSQL takes them.
    static func parseIdentifier(_ text: UnsafeBufferPointer<UInt8>) throws -> Int64 {
        let value: Int64
        do throws(NumericText.Failure) { value = try NumericText.parseInteger(text) } catch .syntax {
            throw TextFormat.syntax(text, .oid)
        } catch .range {
            throw outOfRange(text)
        }
        if value >= 0, value <= DataType.oidMax { return value }
        guard value < 0, value >= Int64(Int32.min) else { throw outOfRange(text) }
        return value & DataType.oidMax
    }

    private static func outOfRange(_ text: UnsafeBufferPointer<UInt8>) -> QueryError {
        QueryError(
            .numericValueOutOfRange,
            "value \"\(String(decoding: text, as: UTF8.self))\" is out of range for type oid")
    }

    /// The text cut to the length of a name, between characters.
    package static func name(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        guard text.count > DataType.nameByteCountMax else { return Array(text) }
        var count = DataType.nameByteCountMax
        while count > 0, text[count] & 0xC0 == 0x80 { count -= 1 }
        return Array(text[..<count])
    }

    /// The first byte. A backslash and three octal digits stand for one byte beyond ASCII.
    package static func internalChar(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8] { Array(text.prefix(1)) }

    /// `-` is 0, digits are the number, all else a name.
    static func parse(
        _ text: UnsafeBufferPointer<UInt8>, _ kind: RegisteredKind, names: (any ObjectNames)?
    ) throws -> Int64 {
        let trimmed = NumericText.trimmed(text)
        if trimmed.count == 1, trimmed[0] == 0x2D { return 0 }
        if !trimmed.isEmpty, trimmed.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) { return try parseIdentifier(trimmed) }
        let written = String(decoding: text, as: UTF8.self)
        if kind == .type, let found = BuiltInTypes.identifier(ofSQLName: written) { return found }
        if let found = try names?.identifier(of: written, kind) { return found }
        throw missing(written, kind)
    }

    /// The error for a name that nothing has.
    package static func missing(_ name: String, _ kind: RegisteredKind) -> QueryError {
        switch kind {
        case .relation: QueryError(.undefinedTable, "relation \"\(name)\" does not exist", object: name)
        case .type: QueryError(.undefinedObject, "type \"\(name)\" does not exist", object: name)
        case .function, .procedure:
            QueryError(.undefinedFunction, "function \"\(name)\" does not exist", object: name)
        case .namespace: QueryError(.invalidSchemaName, "schema \"\(name)\" does not exist", object: name)
        case .role: QueryError(.undefinedObject, "role \"\(name)\" does not exist", object: name)
        case .operation, .operationSignature:
            QueryError(.undefinedFunction, "operator does not exist: \(name)", object: name)
        case .collation: QueryError(.undefinedObject, "collation \"\(name)\" does not exist", object: name)
        }
    }

    /// Numbers separated by blanks.
    static func parseVector(_ text: UnsafeBufferPointer<UInt8>, element: DataType) throws -> [UInt8] {
        let values = try text.split(whereSeparator: { NumericText.isSpace($0) }).map { part -> ScalarValue in
            try TextFormat.parse(UnsafeBufferPointer(rebasing: part), as: element)
        }
        return ArrayBlob.encode(values, elementType: element)
    }
}
