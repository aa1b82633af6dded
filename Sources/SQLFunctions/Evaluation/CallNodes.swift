// Nodes that apply a kernel to whole vectors: calls, casts, IN lists, NOT and IS NULL.

import Columnar
import Diagnostics
import QueryPlan

/// Results of a function of one column over the entries of a dictionary, kept as long as the same dictionary comes again.
struct DictionaryResults {
    private var dictionary: Vector?
    private var results: Vector?
    private var rowsSeen = 0
    private var failed = false

    /// The results for the entries of `vector`'s dictionary, when computing them pays; `compute` is called at most once
    /// per dictionary. An error there may come from an entry that no row has, so it sends us back to the rows.
    mutating func results(for vector: Vector, compute: (Vector) throws -> Vector) -> Vector? {
        guard let entries = vector.dictionary else { return nil }
        if dictionary !== entries {
            dictionary = entries
            results = nil
            rowsSeen = 0
            failed = false
        }
        if let results { return results }
        rowsSeen &+= vector.count
        if failed || (entries.count > vector.count && entries.count > rowsSeen &* 2) { return nil }
        guard let computed = try? compute(entries) else {
            failed = true
            return nil
        }
        results = computed.flattened()
        return results
    }

    /// The results of the entries for the rows: booleans flat, everything else as a dictionary over the same codes.
    static func spread(_ results: Vector, over vector: Vector) -> Vector {
        let count = vector.count
        guard results.physical == .boolean else {
            let spread = Vector(
                type: results.type, encoding: .dictionary, count: count, data: vector.data, dataOwner: vector.dataOwner,
                dictionary: results)
            spread.validity = vector.validity
            spread.validityOwner = vector.validityOwner
            return spread
        }
        let spread = Vector(flat: results.type, capacity: count)
        let target = spread.values(UInt8.self)
        let table = UnsafePointer(results.values(UInt8.self))
        let codes = UnsafePointer(vector.codes)
        var row = 0
        while row < count {
            target[row] = table[Int(codes[row])]
            row &+= 1
        }
        if let valid = results.validity {
            let words = spread.ensureValidity()
            for row in 0..<count where !Validity.isValid(valid, Int(codes[row])) { Validity.setNull(words, row) }
            if let own = vector.validity {
                for word in 0..<Validity.wordCount(count) { words[word] &= own[word] }
            }
        } else {
            spread.validity = vector.validity
            spread.validityOwner = vector.validityOwner
        }
        return spread
    }
}

/// A node that applies a function to the vectors of its operands.
class VectorFunctionNode: EvaluationNode {
    let operands: [EvaluationNode]
    let isStrict: Bool
    /// Whether the function itself gives other results for the same arguments, whatever its operands are.
    private let isVolatileItself: Bool
    private var dictionaryResults = DictionaryResults()
    private var constantResult: Vector?

    init(_ operands: [EvaluationNode], type: DataType, isStrict: Bool, canFail: Bool, cost: Int, isVolatile: Bool) {
        self.operands = operands
        self.isStrict = isStrict
        isVolatileItself = isVolatile
        super.init(
            type: type, canFail: canFail || operands.contains(where: \.canFail),
            cost: operands.reduce(cost) { $0 + $1.cost },
            isVolatile: isVolatile || operands.contains(where: \.isVolatile))
    }

    /// The function over flat or constant vectors of `count` rows; nulls are masked afterwards for strict functions.
    func apply(_ arguments: [Vector], count: Int) throws -> Vector {
        throw QueryError.internalError("a function node without a function")
    }

    final override func compute(in frame: EvaluationFrame) throws -> Vector {
        let count = frame.count
        if let constantResult { return constantResult.constantCopy(count: count) }
        var arguments: [Vector] = []
        arguments.reserveCapacity(operands.count)
        var varying = 0
        var varyingIndex = 0
        for operand in operands {
            let vector = try operand.value(in: frame)
            if vector.encoding == .constant {
                if isStrict && vector.isNull(0) { return .constant(.null, type: type, count: count) }
            } else {
                varying += 1
                varyingIndex = arguments.count
            }
            arguments.append(vector)
        }
        if count == 0 { return Vector(flat: type, capacity: 0) }
        if varying == 0 && !isVolatileItself {
            let single = try apply(arguments.map { $0.constantCopy(count: 1) }, count: 1)
            let constant = Vector.constant(single.value(at: 0), type: type, count: 1)
            if operands.allSatisfy({ $0 is LiteralNode }) { constantResult = constant }
            return constant.constantCopy(count: count)
        }
        if varying == 1, !isVolatile, isStrict, arguments[varyingIndex].encoding == .dictionary {
            let vector = arguments[varyingIndex]
            let results = dictionaryResults.results(for: vector) { entries in
                var replaced = arguments.map { $0.encoding == .constant ? $0.constantCopy(count: entries.count) : $0 }
                replaced[varyingIndex] = entries
                return try masked(replaced, count: entries.count)
            }
            if let results { return DictionaryResults.spread(results, over: vector) }
        }
        for index in arguments.indices where arguments[index].encoding == .dictionary {
            arguments[index] = arguments[index].flattened()
        }
        return try masked(arguments, count: count)
    }

    private func masked(_ arguments: [Vector], count: Int) throws -> Vector {
        try Interruption.check()
        let result = try apply(arguments, count: count)
        return isStrict ? ValidityMask.apply(arguments, to: result, count: count) : result
    }
}

final class CallNode: VectorFunctionNode {
    private let kernel: ScalarFunction.Kernel
    private let context: EvaluationContext

    init(
        _ function: ScalarFunction, _ arguments: [EvaluationNode], type: DataType, canFail: Bool,
        context: EvaluationContext
    ) {
        kernel = function.kernel
        self.context = context
        super.init(
            arguments, type: type, isStrict: function.isStrict, canFail: canFail,
            cost: CallNode.cost(function, arguments),
            isVolatile: function.volatility == .volatile)
    }

    private static func cost(_ function: ScalarFunction, _ arguments: [EvaluationNode]) -> Int {
        let isView = arguments.contains { $0.type.physical == .view }
        switch function.name {
        case "=", "<>", "<", "<=", ">", ">=": return isView ? 10 : 1
        case "+", "-", "*": return 1
        case "~~", "!~~", "starts_with": return 30
        case "~", "!~", "~*", "!~*", "~~*", "!~~*": return 100
        default: return isView || function.volatility == .volatile ? 50 : 10
        }
    }

    override func apply(_ arguments: [Vector], count: Int) throws -> Vector {
        try kernel(arguments, type, count, context)
    }
}

final class CastNode: VectorFunctionNode {
    private let kind: Expression.CastKind
    private let context: EvaluationContext

    init(_ operand: EvaluationNode, to type: DataType, kind: Expression.CastKind, context: EvaluationContext) {
        self.kind = kind
        self.context = context
        super.init(
            [operand], type: type, isStrict: true,
            canFail: kind != .lenient && Casting.canFail(from: operand.type, to: type, kind: kind),
            cost: operand.type.physical == .view || type.physical == .view ? 40 : 2, isVolatile: false)
    }

    override func apply(_ arguments: [Vector], count: Int) throws -> Vector {
        try Casting.cast(arguments[0], to: type, kind: kind, context: context)
    }
}

final class NotNode: VectorFunctionNode {
    init(_ operand: EvaluationNode) {
        super.init([operand], type: .boolean, isStrict: true, canFail: false, cost: 1, isVolatile: false)
    }
    override func apply(_ arguments: [Vector], count: Int) throws -> Vector {
        let result = Vector(flat: .boolean, capacity: count)
        let source = UnsafePointer(arguments[0].values(UInt8.self))
        let target = result.values(UInt8.self)
        var row = 0
        while row < count {
            target[row] = source[row] ^ 1
            row &+= 1
        }
        return result
    }
}

final class IsNullNode: EvaluationNode {
    private let operand: EvaluationNode
    init(_ operand: EvaluationNode) {
        self.operand = operand
        super.init(type: .boolean, canFail: operand.canFail, cost: operand.cost + 1, isVolatile: operand.isVolatile)
    }

    override func compute(in frame: EvaluationFrame) throws -> Vector {
        let vector = try operand.value(in: frame)
        if !vector.mayHaveNulls { return .constant(.boolean(false), type: .boolean, count: frame.count) }
        if vector.encoding == .constant {
            return .constant(.boolean(vector.isNull(0)), type: .boolean, count: frame.count)
        }
        let count = frame.count
        let result = Vector(flat: .boolean, capacity: count)
        let target = result.values(UInt8.self)
        if vector.encoding == .flat, let validity = vector.validity {
            var row = 0
            while row < count {
                target[row] = UInt8(truncatingIfNeeded: ~(validity[row &>> 6] &>> UInt64(row & 63))) & 1
                row &+= 1
            }
        } else {
            for row in 0..<count { target[row] = flag(vector.isNull(row)) }
        }
        return result
    }
}

/// `needle IN (literals)`.
final class InListNode: VectorFunctionNode {
    private let set: ValueSet
    private let hasNull: Bool

    init(_ operand: EvaluationNode, _ values: [ScalarValue]) {
        let present = values.filter { !$0.isNull }
        hasNull = present.count != values.count
        set = ValueSet(present, type: operand.type)
        super.init(
            [operand], type: .boolean, isStrict: true, canFail: false, cost: operand.type.physical == .view ? 15 : 4,
            isVolatile: false)
    }

    override func apply(_ arguments: [Vector], count: Int) throws -> Vector {
        let result = Vector(flat: .boolean, capacity: count)
        let target = result.values(UInt8.self)
        set.contains(arguments[0], count: count, into: target)
        if hasNull {
            // Not found beside a NULL is unknown.
            let words = result.ensureValidity()
            for row in 0..<count where target[row] == 0 { Validity.setNull(words, row) }
        }
        return result
    }
}
