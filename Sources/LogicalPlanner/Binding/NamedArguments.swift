// Arguments by name: f(name => value), for the functions whose parameters PostgreSQL names.

import Diagnostics
import SQLParser

/// The parameters of a function by name; those with a default may be left out.
private struct NamedParameters {
    var names: [String]
    /// What stands for an argument that is left out.
    var defaultValue: Literal?
}

extension StatementBinder {
    private static let namedParameters: [String: NamedParameters] = [
        "make_date": NamedParameters(names: ["year", "month", "day"]),
        "make_time": NamedParameters(names: ["hour", "min", "sec"]),
        "make_timestamp": NamedParameters(names: ["year", "month", "mday", "hour", "min", "sec"]),
        "make_timestamptz": NamedParameters(names: ["year", "month", "mday", "hour", "min", "sec"]),
        "make_interval": NamedParameters(
            names: ["years", "months", "weeks", "days", "hours", "mins", "secs"], defaultValue: .integer(0)),
    ]

    /// The call with its arguments in the order of the parameters. Errors: 42601 for a place behind a name, 42883 for names
    /// that the function does not have or that are given twice.
    func withOrderedArguments(_ call: FunctionCall, _ name: String, at position: SourcePosition) throws -> FunctionCall
    {
        guard let firstNamed = call.arguments.firstIndex(where: { $0.name != nil }) else { return call }
        if let argument = call.arguments[firstNamed...].first(where: { $0.name == nil }) {
            throw QueryError(
                .syntaxError, "positional argument cannot follow named argument", at: argument.value.position)
        }
        func undefined() -> QueryError {
            QueryError(
                .undefinedFunction, "function \(name) with these argument names does not exist",
                hint:
                    "No function matches the given name and argument types. You might need to add explicit type casts.",
                at: position, object: name)
        }
        guard let parameters = Self.namedParameters[name], call.arguments.count <= parameters.names.count else {
            throw undefined()
        }
        var values = [SyntaxExpression?](repeating: nil, count: parameters.names.count)
        for (index, argument) in call.arguments.enumerated() {
            let place: Int
            if let wanted = argument.name {
                guard let found = parameters.names.firstIndex(of: wanted) else { throw undefined() }
                place = found
            } else {
                place = index
            }
            guard values[place] == nil else { throw undefined() }
            values[place] = argument.value
        }
        var result = call
        result.arguments = try values.map { value in
            if let value { return FunctionArgument(name: nil, value: value, isVariadic: false) }
            guard let literal = parameters.defaultValue else { throw undefined() }
            return FunctionArgument(
                name: nil, value: SyntaxExpression(.literal(literal), at: position), isVariadic: false)
        }
        return result
    }
}
