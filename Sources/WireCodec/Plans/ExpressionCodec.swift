// Expressions. A sub-query never travels: decorrelation has removed it before a plan is cut into stages.

import Columnar
import Diagnostics
import QueryPlan

extension ByteWriter {
    package mutating func expressions(_ values: [Expression]) throws(QueryError) {
        try list(values) { (writer, value) throws(QueryError) in try writer.expression(value) }
    }

    package mutating func expression(_ value: Expression) throws(QueryError) {
        try nested { (writer) throws(QueryError) in try writer.expressionBody(value) }
    }

    private mutating func expressionBody(_ value: Expression) throws(QueryError) {
        switch value {
        case .column(let id, let type):
            byte(0)
            int(id.number)
            try self.type(type)
        case .input(let index, let type):
            byte(1)
            int(index)
            try self.type(type)
        case .literal(let literal, let type):
            byte(2)
            self.value(literal)
            try self.type(type)
        case .parameter(let index, let type):
            byte(3)
            int(index)
            try self.type(type)
        case .call(let call):
            byte(4)
            try scalarCall(call)
        case .cast(let operand, let type, let kind):
            byte(5)
            try expression(operand)
            try self.type(type)
            byte(kind.rawValue)
        case .conditional(let branches, let otherwise, let type):
            byte(6)
            try list(branches) { (writer, branch) throws(QueryError) in
                try writer.expression(branch.condition)
                try writer.expression(branch.result)
            }
            try expression(otherwise)
            try self.type(type)
        case .and(let operands):
            byte(7)
            try expressions(operands)
        case .or(let operands):
            byte(8)
            try expressions(operands)
        case .not(let operand):
            byte(9)
            try expression(operand)
        case .isNull(let operand):
            byte(10)
            try expression(operand)
        case .inList(let operand, let values):
            byte(11)
            try expression(operand)
            try list(values) { (writer, value) throws(QueryError) in writer.value(value) }
        case .coalesce(let operands, let type):
            byte(12)
            try expressions(operands)
            try self.type(type)
        case .subquery:
            throw QueryError.internalError("a sub-query is left in a physical plan")
        }
    }

    private mutating func scalarCall(_ call: ScalarCall) throws(QueryError) {
        string(call.name)
        try expressions(call.arguments)
        try type(call.type)
        byte(call.volatility.rawValue)
        flag(call.isStrict)
        flag(call.canFail)
    }
}

extension ByteReader {
    package mutating func expressions() throws(QueryError) -> [Expression] {
        try list { (reader) throws(QueryError) in try reader.expression() }
    }

    package mutating func expression() throws(QueryError) -> Expression {
        try nested { (reader) throws(QueryError) in try reader.expressionBody() }
    }

    private mutating func expressionBody() throws(QueryError) -> Expression {
        switch try byte() {
        case 0: return .column(ColumnID(try int()), try type())
        case 1: return .input(try position(), try type())
        case 2: return .literal(try value(), try type())
        case 3: return .parameter(try position(), try type())
        case 4: return .call(try scalarCall())
        case 5: return .cast(try expression(), to: try type(), kind: try choice())
        case 6:
            let branches = try list { (reader) throws(QueryError) in
                ConditionalBranch(condition: try reader.expression(), result: try reader.expression())
            }
            return .conditional(branches, otherwise: try expression(), type: try type())
        case 7: return .and(try expressions())
        case 8: return .or(try expressions())
        case 9: return .not(try expression())
        case 10: return .isNull(try expression())
        case 11:
            return .inList(
                try expression(), try list { (reader) throws(QueryError) in try reader.value() })
        case 12: return .coalesce(try expressions(), type: try type())
        default: throw .corrupt("an unknown kind of expression")
        }
    }

    private mutating func scalarCall() throws(QueryError) -> ScalarCall {
        ScalarCall(
            name: try string(), arguments: try expressions(), type: try type(), volatility: try choice(),
            isStrict: try flag(), canFail: try flag())
    }

    /// A position in a list: never negative.
    package mutating func position() throws(QueryError) -> Int {
        let value = try int()
        guard value >= 0 else { throw .corrupt("a negative position") }
        return value
    }

    package mutating func positions() throws(QueryError) -> [Int] {
        try list { (reader) throws(QueryError) in try reader.position() }
    }
}
