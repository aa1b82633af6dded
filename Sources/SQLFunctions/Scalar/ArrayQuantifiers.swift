// `value op ANY (array)` and `value op ALL (array)` for the comparison operators, as functions named "= any" and so on.

import Columnar
import Diagnostics

package enum ArrayQuantifiers {
    /// The function that compares a value with the elements of an array; none if `name` is no comparison.
    package static func functionName(_ comparison: String, isAny: Bool) -> String? {
        operators[comparison] == nil ? nil : "\(comparison) \(isAny ? "any" : "all")"
    }

    private static let operators: [String: (kind: ComparisonKind, isSwapped: Bool)] = [
        "=": (.equal, false), "<>": (.notEqual, false), "<": (.less, false), "<=": (.lessOrEqual, false),
        ">": (.less, true), ">=": (.lessOrEqual, true),
    ]

    static func register(in registry: FunctionRegistry) {
        for (comparison, (kind, isSwapped)) in operators.sorted(by: { $0.key < $1.key }) {
            for isAny in [true, false] {
                registry.scalar(
                    "\(comparison) \(isAny ? "any" : "all")", [.any, .anyArray], .boolean, isStrict: false,
                    FunctionDocumentation(
                        "Array",
                        "Whether `value \(comparison) element` holds for \(isAny ? "some element" : "every element") of "
                            + "an array; written `value \(comparison) \(isAny ? "ANY" : "ALL") (array)`.")
                ) { arguments, _, count, _ in
                    evaluate(kind, isSwapped: isSwapped, isAny: isAny, arguments[0], arguments[1], count)
                }
            }
        }
    }

    /// All elements of all rows are compared at once; then each row's results are put together in three-valued logic.
    private static func evaluate(
        _ kind: ComparisonKind, isSwapped: Bool, isAny: Bool, _ values: Vector, _ arrays: Vector, _ count: Int
    ) -> Vector {
        let elementType = arrays.type.elementType ?? values.type
        let column = ViewColumn(arrays)
        let needles = ValueList(type: values.type)
        let elements = ValueList(type: elementType)
        var ends: [Int] = []
        ends.reserveCapacity(count)
        for row in 0..<count {
            if !arrays.isNull(row) {
                let (source, position) = values.position(row)
                let bytes = column.bytes(row)
                if let base = bytes.baseAddress {
                    let part = ArrayBlob.decode(base, byteCount: bytes.count, elementType: elementType)
                    for item in 0..<part.count {
                        needles.append(source, position)
                        elements.append(part, item)
                    }
                }
            }
            ends.append(elements.count)
        }
        let (left, right) = (needles.finished(), elements.finished())
        let tests =
            isSwapped
            ? Comparison.evaluate(kind, right, left, elements.count)
            : Comparison.evaluate(kind, left, right, elements.count)
        let flags = tests.values(UInt8.self)
        let decisive = flag(isAny)
        let result = Vector(flat: .boolean, capacity: count)
        let target = result.values(UInt8.self)
        var item = 0
        for row in 0..<count {
            target[row] = 1 - decisive
            if arrays.isNull(row) {
                result.setNull(row)
                continue
            }
            var isUnknown = false
            var isDecided = false
            while item < ends[row] {
                if left.isNull(item) || right.isNull(item) {
                    isUnknown = true
                } else if flags[item] == decisive {
                    isDecided = true
                }
                item += 1
            }
            if isDecided {
                target[row] = decisive
            } else if isUnknown {
                result.setNull(row)
            }
        }
        return result
    }
}
