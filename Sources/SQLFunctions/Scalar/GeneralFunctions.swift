// Functions over values of any type: nullif, greatest, least, pg_typeof.

import Columnar
import Diagnostics
import QueryPlan

enum GeneralFunctions {
    private static func text(_ text: String, _ example: String? = nil, _ result: String? = nil) -> FunctionDocumentation
    {
        FunctionDocumentation("General", text, example: example, result: result)
    }

    static func register(in registry: FunctionRegistry) {
        registry.scalar(
            "nullif", [.anyElement, .anyElement], typed: { $0[0] }, isStrict: false,
            text("NULL when both are equal, else the first.", "nullif(1, 2)", "1")
        ) { arguments, type, count, _ in
            let a = arguments[0]
            let equal = Comparison.evaluate(.equal, a, arguments[1], count).flattened()
            let result = ValidityMask.shallowCopy(a.flattened()).retyped(type)
            let output = ValidityMask.shallowCopy(result)
            let buffer = Validity.make(rows: max(1, count), valid: true)
            let words = buffer.base.assumingMemoryBound(to: UInt64.self)
            withExtendedLifetime(equal) {
                let flags = equal.values(UInt8.self)
                for row in 0..<count {
                    let bothPresent = !a.isNull(row) && !arguments[1].isNull(row)
                    if a.isNull(row) || (bothPresent && flags[row] != 0) { Validity.setNull(words, row) }
                }
            }
            output.validity = words
            output.validityOwner = buffer
            return output
        }
        for (name, isGreatest) in [("greatest", true), ("least", false)] {
            registry.scalar(
                name, [.anyElement], typed: { $0[0] }, isVariadic: true, isStrict: false,
                text(
                    "The \(isGreatest ? "largest" : "smallest") argument that is not null.", "\(name)(3, 7, 5)",
                    isGreatest ? "7" : "3")
            ) { arguments, type, count, _ in extreme(arguments, type, count, isGreatest: isGreatest) }
        }
    }

    private static func extreme(_ arguments: [Vector], _ type: DataType, _ count: Int, isGreatest: Bool) -> Vector {
        var best = arguments[0].flattened()
        for argument in arguments.dropFirst() {
            let other = argument.flattened()
            let better =
                isGreatest
                ? Comparison.evaluate(.less, best, other, count) : Comparison.evaluate(.less, other, best, count)
            let flags = better.values(UInt8.self)
            if best.validity != nil || other.validity != nil {
                for row in 0..<count {
                    if best.isNull(row) { flags[row] = 1 } else if other.isNull(row) { flags[row] = 0 }
                }
            }
            let chosen = Selection.rows(where: flags, count: count)
            let assembler = VectorAssembler(type: type, count: count)
            assembler.put(
                best.gathered(ConditionalNode.complement(of: chosen, count: count)),
                at: ConditionalNode.complement(of: chosen, count: count))
            assembler.put(other.gathered(chosen), at: chosen)
            best = assembler.result
        }
        return best
    }
}
