// Arguments by name, of the functions that are called so: make_interval(days => 10).

import Diagnostics
import SQLParser

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
    }
}
