<<<<<<< HEAD
// Arguments by name, of the functions that are called so: make_interval(days => 10).
=======
// Arguments by name: f(name => value), for the functions whose parameters PostgreSQL names.
>>>>>>> a0691f4 (Queries: TABLESAMPLE, LIMIT by sub-queries, named arguments, every frame, guards around sub-queries in CASE; 700 records)

import Diagnostics
import SQLParser

<<<<<<< HEAD
enum NamedArguments {
    /// Names of parameters in order; all of them may be left out and are 0 then.
    private static let parameters: [String: [String]] = [
        "make_interval": ["years", "months", "weeks", "days", "hours", "mins", "secs"]
    ]

    /// The arguments in the order of the parameters; `nil` where nothing is named. Errors: 42883, 42601.
    static func positional(_ name: String, _ arguments: [FunctionArgument], at position: SourcePosition) throws
        -> [SyntaxExpression?]?
    {
        guard let names = parameters[name] else { return nil }
        var values = [SyntaxExpression?](repeating: nil, count: names.count)
        var hasName = false
        for (index, argument) in arguments.enumerated() {
            var place = index
            if let name = argument.name {
                hasName = true
                guard let found = names.firstIndex(of: name) else { throw undefined(position) }
                place = found
            } else if hasName {
                throw QueryError(
                    .syntaxError, "positional argument cannot follow named argument", at: argument.value.position)
            }
            guard place < values.count, values[place] == nil else { throw undefined(position) }
            values[place] = argument.value
        }
        return hasName ? values : nil
    }

    private static func undefined(_ position: SourcePosition) -> QueryError {
        QueryError(.undefinedFunction, "function make_interval with these arguments does not exist", at: position)
=======
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
>>>>>>> a0691f4 (Queries: TABLESAMPLE, LIMIT by sub-queries, named arguments, every frame, guards around sub-queries in CASE; 700 records)
    }
}
