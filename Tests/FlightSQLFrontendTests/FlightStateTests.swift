// What is kept between calls, driven without a clock: limits, expiry, whose things are whose.

import Diagnostics
import Testing

@testable import FlightSQLFrontend

@Suite struct FlightStateTests {
    typealias State = FlightStateInstance<String, String, String>

    private let key = FlightSessionKey.token("a")
    private let handle = FlightHandle([1])

    private func state(_ change: (inout FlightLimits) -> Void = { _ in }) throws -> State {
        var limits = FlightLimits()
        change(&limits)
        var state = State(limits: limits)
        try state.open(key, user: "u", "session a", at: .zero)
        return state
    }

    private func code(_ body: () throws -> Void) -> String? {
        do {
            try body()
            return nil
        } catch {
            return (error as? QueryError)?.state.code
        }
    }

    @Test func sessionsAreCounted() throws {
        var state = try state { $0.sessionCountMax = 1 }
        #expect(code { try state.open(.token("b"), user: "u", "session b", at: .zero) } == "53300")
        _ = state.close(key)
        try state.open(.token("b"), user: "u", "session b", at: .zero)
        #expect(state.beginCall(key, at: .zero) == nil)
        #expect(state.beginCall(.token("b"), at: .zero) == "session b")
    }

    @Test func idleSessionsEnd() throws {
        var state = try state { $0.sessionLifetime = .seconds(10) }
        _ = state.beginCall(key, at: .seconds(5))
        #expect(state.expire(at: .seconds(100)).sessions.isEmpty)
        state.endCall(key, at: .seconds(100))
        #expect(state.expire(at: .seconds(109)).sessions.isEmpty)
        #expect(state.expire(at: .seconds(110)).sessions == ["session a"])
        #expect(state.sessionCount == 0)
    }

    @Test func ticketsAreRedeemedOnce() throws {
        var state = try state()
        try state.addTicket(handle, "rows", of: key, at: .zero)
        #expect(try state.takeTicket(handle, of: key, at: .seconds(1)).ticket == "rows")
        #expect(code { _ = try state.takeTicket(handle, of: key, at: .seconds(1)) } == "34000")
    }

    @Test func ticketsExpireAndAreDropped() throws {
        var state = try state { $0.ticketLifetime = .seconds(10) }
        try state.addTicket(handle, "rows", of: key, at: .zero)
        #expect(code { _ = try state.takeTicket(handle, of: key, at: .seconds(10)) } == "34000")
        #expect(state.expire(at: .seconds(10)).tickets == ["rows"])
        #expect(state.ticketCount == 0)
    }

    @Test func ticketsBelongToTheirUser() throws {
        var state = try state()
        try state.open(.token("same"), user: "u", "session same", at: .zero)
        try state.open(.token("other"), user: "v", "session other", at: .zero)
        try state.addTicket(handle, "rows", of: key, at: .zero)
        #expect(code { _ = try state.takeTicket(handle, of: .token("other"), at: .zero) } == "34000")
        let taken = try state.takeTicket(handle, of: .token("same"), at: .zero)
        #expect(taken.session == "session a")
    }

    @Test func ticketsAreLimited() throws {
        var state = try state { $0.ticketCountMax = 1 }
        try state.addTicket(handle, "rows", of: key, at: .zero)
        #expect(code { try state.addTicket(FlightHandle([2]), "more", of: key, at: .zero) } == "53400")
    }

    @Test func ticketsEndWithTheirSession() throws {
        var state = try state()
        try state.addTicket(handle, "rows", of: key, at: .zero)
        #expect(state.close(key)?.tickets == ["rows"])
        #expect(state.ticketCount == 0)
    }

    @Test func statementsBelongToTheirSession() throws {
        var state = try state { $0.statementCountMax = 1 }
        try state.open(.token("b"), user: "u", "session b", at: .zero)
        try state.addStatement(handle, "SELECT 1", of: key)
        #expect(try state.statement(handle, of: key) == "SELECT 1")
        #expect(code { _ = try state.statement(handle, of: .token("b")) } == "26000")
        #expect(code { try state.addStatement(FlightHandle([2]), "SELECT 2", of: key) } == "53400")
        #expect(state.removeStatement(handle, of: key) == "SELECT 1")
        #expect(code { _ = try state.statement(handle, of: key) } == "26000")
    }

    @Test func aSessionHasOneTransaction() throws {
        var state = try state()
        try state.checkTransaction(nil, of: key)
        #expect(code { try state.checkTransaction(handle, of: key) } == "25P01")
        try state.beginTransaction(handle, of: key, at: .zero)
        #expect(code { try state.beginTransaction(FlightHandle([2]), of: key, at: .zero) } == "25001")
        try state.checkTransaction(handle, of: key)
        #expect(code { try state.checkTransaction(nil, of: key) } == "25001")
        #expect(code { try state.checkTransaction(FlightHandle([2]), of: key) } == "25P01")
        try state.endTransaction(handle, of: key)
        #expect(code { try state.endTransaction(handle, of: key) } == "25P01")
    }

    @Test func forgottenTransactionsAreRolledBack() throws {
        var state = try state { $0.transactionLifetime = .seconds(10) }
        try state.beginTransaction(handle, of: key, at: .zero)
        _ = state.beginCall(key, at: .seconds(8))
        #expect(state.expire(at: .seconds(20)).transactions.isEmpty)
        state.endCall(key, at: .seconds(20))
        #expect(state.expire(at: .seconds(29)).transactions.isEmpty)
        #expect(state.expire(at: .seconds(30)).transactions == ["session a"])
        #expect(code { try state.checkTransaction(handle, of: key) } == "25P01")
    }

    @Test func savepointsEndWithTheirTransaction() throws {
        var state = try state()
        let savepoint = FlightHandle([3])
        try state.beginTransaction(handle, of: key, at: .zero)
        let name = try state.addSavepoint(savepoint, in: handle, of: key)
        #expect(try state.savepoint(savepoint, of: key, removing: false) == name)
        #expect(try state.addSavepoint(FlightHandle([4]), in: handle, of: key) != name)
        try state.endTransaction(handle, of: key)
        #expect(code { _ = try state.savepoint(savepoint, of: key, removing: true) } == "3B001")
    }
}
