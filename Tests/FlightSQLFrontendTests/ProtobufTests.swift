// Messages of Flight: what is written is read back, and nothing broken is believed.

import Diagnostics
import Testing

@testable import FlightSQLFrontend

@Suite struct ProtobufTests {
    @Test func anInfoKeepsItsTickets() throws {
        let ticket = FlightCommand.ticketBytes([1, 2, 3])
        let info = FlightInfo(schema: [9], descriptor: FlightDescriptor(command: [7]), ticket: ticket, recordCount: 5)
        #expect(try FlightInfo(wire: info.wire).tickets == [ticket])
        guard case .ticket(let handle) = try FlightCommand(ticket) else {
            Issue.record("no ticket")
            return
        }
        #expect(handle == [1, 2, 3])
    }

    @Test func brokenMessagesAreErrors() {
        let message = NamedMessage(name: "CommandStatementQuery", value: [0x0A, 0x05, 65, 66, 67, 68, 69]).wire
        // Without its second field a message is whole, too.
        let boundary = message.count - 9
        for length in 1..<message.count where length != boundary {
            #expect(throws: QueryError.self) { try FlightCommand(Array(message[..<length])) }
        }
        #expect(throws: QueryError.self) { try FlightCommand([0xFF, 0xFF, 0xFF]) }
        #expect(throws: QueryError.self) { try FlightDescriptor(wire: [UInt8](repeating: 0x80, count: 20)) }
    }

    @Test func unknownCommandsAreNotSupported() {
        let message = NamedMessage(name: "CommandGetSomething", value: []).wire
        #expect { try FlightCommand(message) } throws: { error in
            (error as? QueryError)?.state == .featureNotSupported
        }
    }

    @Test func questionMarksGetNumbers() {
        #expect(ParameterMarkers.numbered("SELECT 1") == nil)
        #expect(ParameterMarkers.numbered("SELECT '?', \"?\" -- ?\n/* ? */") == nil)
        #expect(ParameterMarkers.numbered("VALUES (?, ?)") == "VALUES ($1, $2)")
        #expect(ParameterMarkers.numbered("SELECT j ?? 'a', ?::int") == "SELECT j ? 'a', $1::int")
        #expect(ParameterMarkers.numbered("SELECT $$?$$, ?") == "SELECT $$?$$, $1")
    }

    @Test func errorsComeBackInFull() throws {
        let error = QueryError(
            .undefinedColumn, "there is no column \"äöü\"", detail: "two\nlines", hint: "another",
            at: SourcePosition(offset: 7))
        let back = try ErrorMessage(wire: ErrorMessage(error).wire).error
        #expect(back.state == error.state && back.message == error.message && back.position == error.position)
        #expect(back.detail == error.detail && back.hint == error.hint)
        let bare = try ErrorMessage(wire: ErrorMessage(QueryError(.syntaxError, "x")).wire).error
        #expect(bare.detail == nil && bare.hint == nil && bare.position == nil)
    }

    /// Trailers of a call have 16 KB; a third more is what their text takes.
    @Test func longErrorsAreCut() throws {
        let text = String(repeating: "ä", count: 100_000)
        let bytes = ErrorMessage(QueryError(.internalError, text, detail: text, hint: text)).wire
        #expect((8000...10_000).contains(bytes.count))
        #expect(try ErrorMessage(wire: bytes).error.message.hasSuffix("ä…"))
    }
}
