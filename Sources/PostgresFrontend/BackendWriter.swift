// What the server answers, as bytes.

import Columnar
import Diagnostics

/// Collects messages. Confined to one task.
struct BackendWriter: Sendable {
    private(set) var bytes: [UInt8] = []
    /// What the client has text in; `nil`: UTF-8. Of what it does not have, question marks are left: messages must not fail.
    var encoding: ClientEncoding?

    /// Hands over what was collected.
    mutating func take() -> [UInt8] {
        defer { bytes.removeAll(keepingCapacity: true) }
        return bytes
    }

    // MARK: - Pieces

    private mutating func put<T: FixedWidthInteger>(_ value: T) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }
    private mutating func put(_ text: String) {
        if let encoding { bytes += encoding.approximated(text) } else { bytes.append(contentsOf: text.utf8) }
        bytes.append(0)
    }
    private mutating func begin(_ type: Character) -> Int {
        bytes.append(type.asciiValue ?? 0)
        put(Int32(0))
        return bytes.count - 4
    }
    /// Fills in the length that begins at `start`.
    private mutating func end(_ start: Int) {
        setInt32(Int32(truncatingIfNeeded: bytes.count - start), at: start)
    }
    private mutating func setInt32(_ value: Int32, at index: Int) {
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: value.bigEndian, toByteOffset: index, as: Int32.self) }
    }
    private mutating func simple(_ type: Character) { end(begin(type)) }

    // MARK: - Start

    /// The answer to requests for encryption.
    mutating func refuseEncryption() { bytes.append(UInt8(ascii: "N")) }

    mutating func authenticationOk() {
        let start = begin("R")
        put(Int32(0))
        end(start)
    }
    /// Asks for a proof by one of the mechanisms.
    mutating func authenticationSASL(mechanisms: [String]) {
        let start = begin("R")
        put(Int32(10))
        for name in mechanisms { put(name) }
        bytes.append(0)
        end(start)
    }
    mutating func authenticationSASLContinue(_ data: [UInt8]) { authenticationData(11, data) }
    mutating func authenticationSASLFinal(_ data: [UInt8]) { authenticationData(12, data) }
    private mutating func authenticationData(_ kind: Int32, _ data: [UInt8]) {
        let start = begin("R")
        put(kind)
        bytes.append(contentsOf: data)
        end(start)
    }
    mutating func negotiateProtocolVersion(unknownOptions: [String]) {
        let start = begin("v")
        put(Int32(0))
        put(Int32(unknownOptions.count))
        for name in unknownOptions { put(name) }
        end(start)
    }
    mutating func parameterStatus(_ name: String, _ value: String) {
        let start = begin("S")
        put(name)
        put(value)
        end(start)
    }
    mutating func backendKeyData(process: Int32, secret: Int32) {
        let start = begin("K")
        put(process)
        put(secret)
        end(start)
    }
    mutating func readyForQuery(_ status: Character) {
        let start = begin("Z")
        bytes.append(status.asciiValue ?? 0x49)
        end(start)
    }

    // MARK: - Statements

    mutating func parseComplete() { simple("1") }
    mutating func bindComplete() { simple("2") }
    mutating func closeComplete() { simple("3") }
    mutating func noData() { simple("n") }
    mutating func emptyQueryResponse() { simple("I") }
    mutating func portalSuspended() { simple("s") }

    mutating func commandComplete(_ tag: String) {
        let start = begin("C")
        put(tag)
        end(start)
    }
    mutating func parameterDescription(_ types: [DataType]) {
        let start = begin("t")
        put(Int16(truncatingIfNeeded: types.count))
        for type in types { put(PostgresType(type).oid) }
        end(start)
    }
    mutating func rowDescription(_ fields: [Field], formats: [Int16]) {
        let start = begin("T")
        put(Int16(truncatingIfNeeded: fields.count))
        for (index, field) in fields.enumerated() {
            let type = PostgresType(field)
            put(field.name)
            put(Int32(0))
            put(Int16(0))
            put(type.oid)
            put(type.size)
            put(type.modifier)
            put(Self.format(formats, index))
        }
        end(start)
    }

    /// The format of a column: none is text, one is for all.
    static func format(_ formats: [Int16], _ index: Int) -> Int16 {
        formats.isEmpty ? 0 : formats.count == 1 ? formats[0] : index < formats.count ? formats[index] : 0
    }

    /// Adds what others have put together.
    mutating func append(_ message: UnsafeRawBufferPointer) { bytes.append(contentsOf: message) }

    // MARK: - COPY

    /// CopyInResponse ("G") or CopyOutResponse ("H"): text in every column.
    mutating func copyResponse(isInput: Bool, columnCount: Int) {
        let start = begin(isInput ? "G" : "H")
        bytes.append(0)
        put(Int16(truncatingIfNeeded: columnCount))
        for _ in 0..<columnCount { put(Int16(0)) }
        end(start)
    }
    mutating func copyData(_ data: [UInt8]) {
        let start = begin("d")
        bytes += data
        end(start)
    }
    mutating func copyDone() { simple("c") }

    // MARK: - Errors

    mutating func error(_ error: QueryError, severity: String = "ERROR") { report("E", error, severity) }
    mutating func notice(_ notice: QueryError) {
        report(
            "N", notice,
            notice.state.conditionClass == "01" || notice.state.conditionClass == "25" ? "WARNING" : "NOTICE")
    }

    private mutating func report(_ type: Character, _ error: QueryError, _ severity: String) {
        let start = begin(type)
        func field(_ code: Character, _ text: String, _ bytes: inout [UInt8]) {
            bytes.append(code.asciiValue ?? 0)
            // A zero would end the field.
            if let encoding {
                bytes.append(contentsOf: encoding.approximated(text).lazy.filter { $0 != 0 })
            } else {
                bytes.append(contentsOf: text.utf8.lazy.filter { $0 != 0 })
            }
            bytes.append(0)
        }
        field("S", severity, &bytes)
        field("V", severity, &bytes)
        field("C", error.state.description, &bytes)
        field("M", error.message, &bytes)
        if let detail = error.detail { field("D", detail, &bytes) }
        if let hint = error.hint { field("H", hint, &bytes) }
        if let context = error.context { field("W", context, &bytes) }
        if let position = error.position { field("P", String(position.offset + 1), &bytes) }
        bytes.append(0)
        end(start)
    }
}
