// What the parser's tests share: parsing with readable failures, the printer's law, and threads with little stack.

import Diagnostics
import Dispatch
import Testing

import class Foundation.Thread

@testable import SQLParser

/// Parses one statement.
func parseOne(_ sql: String) throws -> Statement {
    let statements = try StatementParser.parse(sql)
    try #require(statements.count == 1, "\(sql)")
    return statements[0].statement
}

/// The text that the printer gives for a statement.
func printed(_ sql: String) throws -> String { SyntaxPrinter.text(of: try parseOne(sql)) }

/// The text that the printer gives for an expression.
func printedExpression(_ sql: String) throws -> String {
    SyntaxPrinter.text(of: try StatementParser.parseExpression(sql))
}

/// An expression with every operator in parentheses, to show how it was read.
func shape(_ sql: String) throws -> String { shape(try StatementParser.parseExpression(sql)) }

func shape(_ expression: Expression) -> String {
    switch expression.kind {
    case .unary(let name, let operand): return "(\(name.symbol) \(shape(operand)))"
    case .binary(let name, let left, let right): return "(\(shape(left)) \(name.symbol) \(shape(right)))"
    case .and(let operands): return "(" + operands.map(shape).joined(separator: " AND ") + ")"
    case .or(let operands): return "(" + operands.map(shape).joined(separator: " OR ") + ")"
    case .not(let operand): return "(NOT \(shape(operand)))"
    case .isNull(let operand, let negated): return "(\(shape(operand)) IS \(negated ? "NOT " : "")NULL)"
    case .isTruth(let operand, let value, _): return "(\(shape(operand)) IS \(value.rawValue))"
    case .isDistinct(let left, let right, _): return "(\(shape(left)) DISTINCT \(shape(right)))"
    case .cast(let operand, let type, _): return "(\(shape(operand))::\(SyntaxPrinter.text(of: type)))"
    case .collate(let operand, let name): return "(\(shape(operand)) COLLATE \(name.last))"
    case .atTimeZone(let value, let zone): return "(\(shape(value)) AT \(shape(zone)))"
    case .between(let between):
        return "(\(shape(between.value)) BETWEEN \(shape(between.low)) AND \(shape(between.high)))"
    case .like(let like): return "(\(shape(like.value)) \(like.kind.rawValue) \(shape(like.pattern)))"
    case .inList(let value, let elements, _):
        return "(\(shape(value)) IN " + elements.map(shape).joined(separator: ",") + ")"
    case .subscripts(let base, _): return "\(shape(base))[]"
    default: return SyntaxPrinter.text(of: expression)
    }
}

/// The error that parsing gives.
func parseError(_ sql: String, limits: ParserLimits = ParserLimits()) -> QueryError? {
    do throws(QueryError) {
        _ = try StatementParser.parse(sql, limits: limits)
        return nil
    } catch {
        return error
    }
}

/// Runs the body on a thread with 512 KB of stack, the least that the engine's threads have.
func onSmallStack(_ body: @escaping @Sendable () -> Void) {
    let done = DispatchSemaphore(value: 0)
    let thread = Thread {
        body()
        done.signal()
    }
    thread.stackSize = 512 << 10
    thread.start()
    done.wait()
}
