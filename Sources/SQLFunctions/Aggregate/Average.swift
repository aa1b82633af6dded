// avg: decimal for exact numbers, double precision for floats.

import Columnar
import Diagnostics
import QueryPlan

func averageFunctions() -> [AggregateFunction] {
    let documentation = FunctionDocumentation("Aggregate", "Mean of the arguments that are not null.", example: "avg(x)")
    func make(_ parameter: ParameterType, _ result: @escaping @Sendable ([DataType]) -> DataType) -> AggregateFunction {
        AggregateFunction("avg", [parameter], resultType: { result($0) }, documentation: documentation) { arguments, result in
            switch arguments[0].physical {
            case .int8, .int16, .int32, .int64, .int128:
                ExactSumExecutor(argument: arguments[0], result: result, divides: true)
            case .float32, .float64: FloatSumExecutor(result: result, divides: true)
            case .interval: IntervalSumExecutor(divides: true)
            default: throw QueryError.internalError("avg of \(arguments[0].sqlName)")
            }
        }
    }
    // Sixteen digits behind the point, as PostgreSQL gives for numbers of usual size.
    let exact: @Sendable ([DataType]) -> DataType = {
        .decimal(precision: DataType.decimalPrecisionMax, scale: max(16, $0[0].scale))
    }
    return [
        make(.exact(.int16), exact), make(.exact(.int32), exact), make(.exact(.int64), exact), make(.anyDecimal, exact),
        make(.exact(.float32)) { _ in .float64 }, make(.exact(.float64)) { _ in .float64 },
        make(.exact(.interval)) { _ in .interval },
    ]
}
