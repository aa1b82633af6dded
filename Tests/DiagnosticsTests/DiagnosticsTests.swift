// Errors as clients and logs see them.

import Diagnostics
import TestSupport
import Testing

@Suite("Errors")
struct QueryErrorTests {
    private struct Foreign: Error {}

    @Test("the description has code, position from 1, detail and hint")
    func description() {
        let error = QueryError(
            .undefinedColumn, "column \"x\" does not exist", detail: "It never did.", hint: "Try \"y\".",
            at: SourcePosition(offset: 7))
        let lines = error.description.split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines[0].hasPrefix("ERROR 42703"))
        #expect(lines[0].hasSuffix("(at character 8)"))
        #expect(lines[1].hasPrefix("DETAIL"))
        #expect(lines[2].hasPrefix("HINT"))
    }

    @Test("the first position wins")
    func location() {
        let error = QueryError(.syntaxError, "no")
        let located = error.located(at: SourcePosition(offset: 3))
        #expect(located.position == SourcePosition(offset: 3))
        #expect(located.located(at: SourcePosition(offset: 9)).position == SourcePosition(offset: 3))
        #expect(error.located(at: nil).position == nil)
    }

    @Test("foreign errors become internal ones with a cause, cancellation becomes a cancelled statement")
    func wrapping() {
        let own = QueryError(.divisionByZero, "division by zero")
        #expect(QueryError.wrapping(own).state == .divisionByZero)
        #expect(QueryError.wrapping(CancellationError()).state == .queryCanceled)
        let foreign = QueryError.wrapping(Foreign())
        #expect(foreign.state == .internalError)
        #expect(foreign.cause is Foreign)
    }

    @Test(
        "the kind follows the class of the code",
        arguments: [
            (SQLState.syntaxError, QueryError.Kind.user), (.divisionByZero, .user), (.featureNotSupported, .user),
            (.outOfMemory, .resource), (.diskFull, .resource), (.statementTooComplex, .resource),
            (.workerLost, .external), (.noWorkers, .external), (.ioError, .external), (.connectionFailure, .external),
            (.queryCanceled, .external), (.internalError, .internal), (.dataCorrupted, .internal),
        ])
    func kind(_ state: SQLState, _ kind: QueryError.Kind) {
        #expect(QueryError(state, "message").kind == kind)
    }

    @Test("what is not supported says so by its code")
    func notSupported() {
        let error = QueryError.notSupported("TABLESAMPLE", at: SourcePosition(offset: 1), hint: "Leave it out.")
        #expect(error.state == .featureNotSupported)
        #expect(error.message.contains("TABLESAMPLE"))
        #expect(error.hint == "Leave it out.")
    }

    @Test("an internal error names the place of the broken promise")
    func internalError() throws {
        let error = QueryError.internalError("a stage without tasks")
        #expect(error.state == .internalError)
        #expect(try #require(error.detail).hasPrefix("DiagnosticsTests/DiagnosticsTests.swift:"))
    }
}

@Suite("SQLSTATE codes")
struct SQLStateTests {
    @Test("every code has five characters of A to Z and 0 to 9, and one name")
    func codes() throws {
        let source = try Repository.text("Sources/Diagnostics/SQLState.swift")
        let codes = source.matches(of: #/= SQLState\("([^"]*)"\)/#).map { String($0.1) }
        #expect(codes.count > 80)
        #expect(Set(codes).count == codes.count)
        for code in codes {
            #expect(code.count == 5, "\(code)")
            #expect(code.allSatisfy { $0.isASCII && ($0.isNumber || $0.isUppercase) }, "\(code)")
        }
    }

    @Test("the class is the first two characters")
    func conditionClass() {
        #expect(SQLState.undefinedTable.conditionClass == "42")
        #expect(SQLState.workerLost.conditionClass == "ME")
    }
}

@Suite("Identifiers")
struct IdentifierTests {
    @Test("attempts differ in every part, and their text shows all of them")
    func attempts() {
        let base = TaskAttemptID(query: QueryID("q"), stage: StageID(1), partition: 2)
        let others = [
            TaskAttemptID(query: QueryID("p"), stage: StageID(1), partition: 2),
            TaskAttemptID(query: QueryID("q"), queryAttempt: 1, stage: StageID(1), partition: 2),
            TaskAttemptID(query: QueryID("q"), stage: StageID(2), partition: 2),
            TaskAttemptID(query: QueryID("q"), stage: StageID(1), partition: 3),
            TaskAttemptID(query: QueryID("q"), stage: StageID(1), partition: 2, attempt: 1),
        ]
        #expect(Set(others + [base]).count == 6)
        #expect(Set((others + [base]).map(\.description)).count == 6)
        #expect(base.description == "q.0.1.2.0")
    }

    @Test("order")
    func order() {
        #expect(StageID(9) < StageID(10))
        #expect(Incarnation(1) < Incarnation(2))
        #expect(WorkerID("a") < WorkerID("b"))
    }
}
