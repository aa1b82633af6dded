// What makes a value one of a domain: the binder puts this call around it.

import Columnar
import Diagnostics

enum DomainFunctions {
    /// Arguments: the value, the domain's name, whether it forbids NULL, and name and result of each check.
    static func register(in registry: FunctionRegistry) {
        registry.scalar(
            "domain value", [.any, .text, .boolean, .any], typed: { $0[0] }, isVariadic: true, isStrict: false,
            canFail: true, FunctionDocumentation("Domains", "A value that its domain's constraints allow.")
        ) { arguments, _, count, _ in try checked(arguments, count) }
        registry.scalar(
            "domain value", [.any, .text, .boolean], typed: { $0[0] }, isStrict: false, canFail: true,
            FunctionDocumentation("Domains", "A value that is not NULL.")
        ) { arguments, _, count, _ in try checked(arguments, count) }
    }

    private static func checked(_ arguments: [Vector], _ count: Int) throws -> Vector {
        let name = ViewColumn(arguments[1])
        let isNotNull = ValueColumn<UInt8>(arguments[2])
        for row in 0..<count {
            if isNotNull[row] != 0, arguments[0].isNull(row) {
                throw QueryError(.notNullViolation, "domain \(name.string(row)) does not allow null values")
            }
        }
        var index = 3
        while index + 1 < arguments.count {
            let check = ViewColumn(arguments[index])
            let result = ValueColumn<UInt8>(arguments[index + 1])
            for row in 0..<count where !arguments[index + 1].isNull(row) && result[row] == 0 {
                throw QueryError(
                    .checkViolation,
                    "value for domain \(name.string(row)) violates check constraint \"\(check.string(row))\"")
            }
            index += 2
        }
        return arguments[0]
    }
}
