// Evaluation of expressions over batches: the entry points.

import Columnar
import Diagnostics
import QueryPlan

/// A set of expressions, compiled once into a graph of resolved kernels with common sub-expressions shared, and evaluated
/// batch by batch. One instance per driver thread: it holds caches.
package final class ExpressionEvaluator: @unchecked Sendable {
    private let roots: [EvaluationNode]
    private let slotCount: Int

    /// Expressions read the batch by `.input`. Errors: 42883 for unknown functions; columns by identity, parameters (unless
    /// `parameters` gives their values) and sub-queries are internal errors.
    package init(
        _ expressions: [Expression], registry: FunctionRegistry, context: EvaluationContext,
        parameters: ParameterValues? = nil
    ) throws {
        var compiler = EvaluationCompiler(registry: registry, context: context, parameters: parameters)
        roots = try expressions.map { try compiler.compile($0) }
        slotCount = compiler.slotCount
    }

    /// One dense vector of `batch.rowCount` rows for each expression, in any encoding.
    package func evaluate(_ batch: Batch) throws -> [Vector] {
        let frame = EvaluationFrame(batch: batch, slotCount: slotCount)
        return try roots.map { try $0.value(in: frame) }
    }

    /// For a single boolean expression: positions among the live rows for which it is true; `nil` means all of them.
    package func select(_ batch: Batch) throws -> Selection? {
        let frame = EvaluationFrame(batch: batch, slotCount: slotCount)
        return try roots[0].select(in: frame)
    }
}

/// The rows that nodes are evaluated for: a batch, or some rows of an outer frame.
final class EvaluationFrame {
    let count: Int
    private let batch: Batch?
    private let parent: EvaluationFrame?
    private let selection: Selection?
    /// Results of nodes that several others read.
    var memo: [Vector?]

    init(batch: Batch, slotCount: Int) {
        count = batch.rowCount
        self.batch = batch
        parent = nil
        selection = nil
        memo = [Vector?](repeating: nil, count: slotCount)
    }

    /// The rows of `parent` that `selection` names.
    init(parent: EvaluationFrame, selection: Selection) {
        count = selection.count
        batch = nil
        self.parent = parent
        self.selection = selection
        memo = [Vector?](repeating: nil, count: parent.memo.count)
    }

    func column(_ index: Int) -> Vector? { batch?.column(index) }

    /// A shared result that an outer frame has, for this frame's rows.
    func inherited(_ slot: Int) -> Vector? {
        if let vector = memo[slot] { return vector }
        guard let parent, let selection, let vector = parent.inherited(slot) else { return nil }
        let gathered = vector.gathered(selection)
        memo[slot] = gathered
        return gathered
    }

    /// The input column, gathered through every frame on the way.
    func input(_ node: InputNode) throws -> Vector {
        if let vector = memo[node.memoSlot] { return vector }
        let vector: Vector
        if let parent, let selection {
            vector = try parent.input(node).gathered(selection)
        } else {
            vector = try node.column(of: self)
        }
        memo[node.memoSlot] = vector
        return vector
    }
}

/// A step of evaluation. Nodes are confined to their evaluator.
class EvaluationNode {
    let type: DataType
    /// Whether evaluation may raise an error for some row.
    let canFail: Bool
    /// Rough cost for one row, in units of a comparison of integers.
    let cost: Int
    let isVolatile: Bool
    /// Slot of the result in `EvaluationFrame.memo`; -1: the result has one reader and is not kept.
    var memoSlot = -1

    init(type: DataType, canFail: Bool, cost: Int, isVolatile: Bool) {
        self.type = type
        self.canFail = canFail
        self.cost = cost
        self.isVolatile = isVolatile
    }

    /// The result for every row of the frame.
    func compute(in frame: EvaluationFrame) throws -> Vector {
        throw QueryError.internalError("an evaluation node without a method")
    }

    final func value(in frame: EvaluationFrame) throws -> Vector {
        if memoSlot < 0 { return try compute(in: frame) }
        if let vector = frame.inherited(memoSlot) { return vector }
        let vector = try compute(in: frame)
        frame.memo[memoSlot] = vector
        return vector
    }

    /// Rows for which a boolean node is true; `nil`: all.
    func select(in frame: EvaluationFrame) throws -> Selection? {
        BooleanVector.selection(of: try value(in: frame))
    }
}

final class InputNode: EvaluationNode {
    let index: Int
    init(_ index: Int, _ type: DataType) {
        self.index = index
        super.init(type: type, canFail: false, cost: 0, isVolatile: false)
    }

    func column(of frame: EvaluationFrame) throws -> Vector {
        guard let vector = frame.column(index) else { throw QueryError.internalError("an input without a batch") }
        if vector.physical != type.physical {
            throw QueryError.internalError("input \(index) is \(vector.type.sqlName) where \(type.sqlName) is planned")
        }
        return vector
    }

    override func compute(in frame: EvaluationFrame) throws -> Vector { try frame.input(self) }
}

final class LiteralNode: EvaluationNode {
    private let vector: Vector
    init(_ value: ScalarValue, _ type: DataType) {
        vector = .constant(value, type: type, count: 1)
        super.init(type: type, canFail: false, cost: 0, isVolatile: false)
    }
    override func compute(in frame: EvaluationFrame) throws -> Vector { vector.constantCopy(count: frame.count) }
}

/// Values of parameters, to be set before each evaluation. Confined to the thread of the evaluators that read them.
package final class ParameterValues {
    private let types: [DataType]
    private var vectors: [Vector] = []

    package init(_ types: [DataType]) { self.types = types }

    /// One value of its type for each parameter.
    package func set(_ values: [ScalarValue]) {
        vectors = zip(values, types).map { .constant($0, type: $1, count: 1) }
    }

    fileprivate func type(_ index: Int) -> DataType? { types.indices.contains(index) ? types[index] : nil }

    fileprivate func vector(_ index: Int, count: Int) throws -> Vector {
        guard vectors.indices.contains(index) else { throw Self.missing(index) }
        return vectors[index].constantCopy(count: count)
    }

    fileprivate static func missing(_ index: Int) -> QueryError {
        QueryError(.undefinedParameter, "there is no value for parameter $\(index + 1)")
    }
}

/// The current value of a parameter. Volatile: what is computed from it must not be kept for the next one.
private final class ParameterNode: EvaluationNode {
    private let index: Int
    private let values: ParameterValues

    init(_ index: Int, _ type: DataType, _ values: ParameterValues) {
        self.index = index
        self.values = values
        super.init(type: type, canFail: false, cost: 0, isVolatile: true)
    }
    override func compute(in frame: EvaluationFrame) throws -> Vector { try values.vector(index, count: frame.count) }
}

/// Makes the graph of nodes; equal expressions become one node.
struct EvaluationCompiler {
    let registry: FunctionRegistry
    let context: EvaluationContext
    let parameters: ParameterValues?
    private(set) var slotCount = 0
    private var made: [Expression: EvaluationNode] = [:]

    init(registry: FunctionRegistry, context: EvaluationContext, parameters: ParameterValues? = nil) {
        self.registry = registry
        self.context = context
        self.parameters = parameters
    }

    private mutating func slot() -> Int {
        slotCount += 1
        return slotCount - 1
    }

    mutating func compile(_ expression: Expression) throws -> EvaluationNode {
        if let node = made[expression] {
            if node.memoSlot < 0, !(node is LiteralNode) { node.memoSlot = slot() }
            return node
        }
        let node = try make(expression)
        if node is InputNode { node.memoSlot = slot() }
        if !node.isVolatile { made[expression] = node }
        return node
    }

    private mutating func make(_ expression: Expression) throws -> EvaluationNode {
        switch expression {
        case .input(let index, let type): return InputNode(index, type)
        case .literal(let value, let type): return LiteralNode(value, type)
        case .call(let call): return try makeCall(call)
        case .cast(let operand, let type, let kind):
            let node = try compile(operand)
            return node.type == type ? node : CastNode(node, to: type, kind: kind, context: context)
        case .conditional(let branches, let otherwise, let type):
            let compiled = try branches.map {
                (condition: try compile($0.condition), result: converted(try compile($0.result), to: type))
            }
            return ConditionalNode(compiled, otherwise: converted(try compile(otherwise), to: type), type: type)
        case .and(let operands): return LogicNode(try operands.map { try compile($0) }, isAnd: true)
        case .or(let operands): return LogicNode(try operands.map { try compile($0) }, isAnd: false)
        case .not(let operand): return NotNode(try compile(operand))
        case .isNull(let operand): return IsNullNode(try compile(operand))
        case .inList(let operand, let values): return InListNode(try compile(operand), values)
        case .coalesce(let operands, let type):
            return CoalesceNode(try operands.map { converted(try compile($0), to: type) }, type: type)
        case .column(let id, _): throw QueryError.internalError("column \(id) in an expression that runs")
        case .parameter(let index, let type):
            guard let parameters, let own = parameters.type(index) else { throw ParameterValues.missing(index) }
            return converted(ParameterNode(index, own, parameters), to: type)
        case .subquery: throw QueryError.internalError("a sub-query in an expression that runs")
        }
    }

    /// Operands of one layout need no cast whatever their modifiers are, except decimals of different scales.
    private func converted(_ node: EvaluationNode, to type: DataType) -> EvaluationNode {
        if EvaluationCompiler.isSame(node.type, type) { return node }
        return CastNode(node, to: type, kind: .strict, context: context)
    }

    private static func isSame(_ a: DataType, _ b: DataType) -> Bool {
        if a == b { return true }
        switch (a, b) {
        case (.text, .varchar), (.varchar, .text), (.varchar, .varchar), (.char, .text), (.char, .varchar),
            (.unknown, .text):
            return true
        case (.decimal, .decimal): return a.scale == b.scale && a.physical == b.physical
        default: return false
        }
    }

    private mutating func makeCall(_ call: ScalarCall) throws -> EvaluationNode {
        var arguments: [EvaluationNode] = []
        for argument in call.arguments { arguments.append(try compile(argument)) }
        let resolved = try registry.resolveScalar(call.name, arguments.map(\.type))
        for (index, type) in resolved.parameterTypes.enumerated() where arguments[index].type != type {
            arguments[index] = converted(arguments[index], to: type)
        }
        return CallNode(
            resolved.function, arguments, type: call.type, canFail: call.canFail && resolved.function.canFail,
            context: context)
    }
}
