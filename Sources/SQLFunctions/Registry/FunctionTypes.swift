// What a function is: signatures and kernels.

import Columnar
import Diagnostics
import QueryPlan

/// A parameter's type in a signature.
package enum ParameterType: Hashable, Sendable {
    case exact(DataType)
    /// Any decimal; the kernel reads the scale from the argument.
    case anyDecimal
    /// Any array; `anyElement` parameters have its element type.
    case anyArray
    case anyElement
    /// Any type with labels; all such parameters have the same.
    case anyEnumeration
    /// Any type at all, each on its own.
    case any

    var isPolymorphic: Bool {
        self == .anyArray || self == .anyElement || self == .anyEnumeration || self == .any
    }
}

/// Documentation that travels with a function: the reference page is made of it.
package struct FunctionDocumentation: Sendable {
    package var category: String
    package var text: String
    /// `example` is an expression, `exampleResult` its text; both are checked by a test.
    package var example: String?
    package var exampleResult: String?
    package init(_ category: String, _ text: String, example: String? = nil, result: String? = nil) {
        self.category = category
        self.text = text
        self.example = example
        exampleResult = result
    }
}

/// What a kernel may ask for.
package struct EvaluationContext: Sendable {
    /// Microseconds since 1970 UTC at the start of the statement: `now()`.
    package var statementTimestamp: Int64
    package var timeZone: String
    /// How values look as text.
    package var textStyle: TextStyle
    package var variation: ExecutionVariation
    /// Only where the coordinator's process evaluates.
    package var sequences: (any SequenceAccess)?
    /// The catalogue, in statements that ask for it.
    package var catalogFacts: (any CatalogFacts)?
    package init(
        statementTimestamp: Int64 = 0, timeZone: String = "UTC", textStyle: TextStyle = TextStyle(),
        variation: ExecutionVariation = ExecutionVariation(), sequences: (any SequenceAccess)? = nil,
        catalogFacts: (any CatalogFacts)? = nil
    ) {
        self.statementTimestamp = statementTimestamp
        self.timeZone = timeZone
        self.textStyle = textStyle
        self.variation = variation
        self.sequences = sequences
        self.catalogFacts = catalogFacts
    }

    /// What the text of values depends on.
    package var textSettings: TextSettings {
        TextSettings(
            timeZoneNamed: timeZone, now: statementTimestamp, style: textStyle, objectNames: catalogFacts)
    }
}

/// One overload of a scalar function.
package struct ScalarFunction: Sendable {
    /// Arguments are dense vectors of `count` rows in any encoding (constants stay constant); types are those of the
    /// signature. For a strict function the evaluator has removed nothing: rows that are null in an argument may hold any
    /// value and must not fail; the evaluator masks their results afterwards.
    package typealias Kernel =
        @Sendable (_ arguments: [Vector], _ result: DataType, _ count: Int, _ context: EvaluationContext)
        throws -> Vector

    package var name: String
    package var parameters: [ParameterType]
    /// Further arguments repeat the last parameter.
    package var isVariadic: Bool
    /// The result's type for the actual argument types.
    package var resultType: @Sendable ([DataType]) throws -> DataType
    package var volatility: Volatility
    package var isStrict: Bool
    package var canFail: Bool
    package var documentation: FunctionDocumentation
    package var kernel: Kernel
    /// The result's type when the values of literal arguments decide it (`round(x, 2)`); `nil` leaves it to `resultType`.
    package var literalResultType: (@Sendable ([DataType], [ScalarValue?]) throws -> DataType?)?
    /// Whether a call with these argument types may raise an error, where `canFail` alone is too coarse.
    package var canFailForTypes: (@Sendable ([DataType]) -> Bool)?
    /// Whether a call with these literal arguments may raise an error: no division by 7 fails. What cannot fail may run before
    /// other predicates, within scans, and on samples.
    package var canFailForLiterals: (@Sendable ([ScalarValue?]) -> Bool)?
    /// Whether the kernel asks for `EvaluationContext.catalogFacts`.
    package var readsCatalog = false

    package init(
        _ name: String, _ parameters: [ParameterType], isVariadic: Bool = false,
        resultType: @escaping @Sendable ([DataType]) throws -> DataType, volatility: Volatility = .immutable,
        isStrict: Bool = true, canFail: Bool = false, documentation: FunctionDocumentation, kernel: @escaping Kernel
    ) {
        self.name = name
        self.parameters = parameters
        self.isVariadic = isVariadic
        self.resultType = resultType
        self.volatility = volatility
        self.isStrict = isStrict
        self.canFail = canFail
        self.documentation = documentation
        self.kernel = kernel
    }

    /// Whether a call may raise an error, as far as its arguments' types and the values of literal ones tell.
    package func mayFail(_ types: [DataType], literals: [ScalarValue?]) -> Bool {
        guard canFailForTypes?(types) ?? canFail else { return false }
        return canFailForLiterals?(literals) ?? true
    }
}

/// States of one aggregate call for all groups: an area of `stateByteCount` bytes per group, 8-byte aligned, that the hash
/// table lays out; the aggregate is told the address of each row's group.
package protocol AggregateExecutor: AnyObject, Sendable {
    /// Bytes of one group's state.
    var stateByteCount: Int { get }
    /// Types of the columns that a state is exported as; empty: states cannot be exported, rows must be grouped whole.
    var exportedTypes: [DataType] { get }
    /// Whether states own memory that `destroy` releases.
    var needsDestroy: Bool { get }

    /// Makes `count` fresh states; `states[i] + offset` is the i-th.
    func initialize(_ states: UnsafePointer<UnsafeMutableRawPointer>, offset: Int, count: Int)
    /// Adds row i of the dense arguments to `states[i] + offset`. Null arguments are the executor's business.
    func update(_ states: UnsafePointer<UnsafeMutableRawPointer>, offset: Int, arguments: [Vector], count: Int) throws
    /// Adds all rows to one state: aggregation without groups.
    func updateSingle(_ state: UnsafeMutableRawPointer, arguments: [Vector], count: Int) throws
    /// Merges exported states: row i of `exported` into `states[i] + offset`.
    func merge(_ states: UnsafePointer<UnsafeMutableRawPointer>, offset: Int, exported: [Vector], count: Int) throws
    /// Merges states of another table of the same process: `sources[i] + offset` into `states[i] + offset`.
    func combine(
        _ states: UnsafePointer<UnsafeMutableRawPointer>, sources: UnsafePointer<UnsafeMutableRawPointer>, offset: Int,
        count: Int) throws
    func export(_ states: UnsafePointer<UnsafeMutableRawPointer>, offset: Int, count: Int) throws -> [Vector]
    func finalize(_ states: UnsafePointer<UnsafeMutableRawPointer>, offset: Int, count: Int) throws -> Vector
    func destroy(_ states: UnsafePointer<UnsafeMutableRawPointer>, offset: Int, count: Int)
}

extension AggregateExecutor {
    package var needsDestroy: Bool { false }
    package func destroy(_ states: UnsafePointer<UnsafeMutableRawPointer>, offset: Int, count: Int) {}
}

/// One overload of an aggregate function.
package struct AggregateFunction: Sendable {
    package var name: String
    package var parameters: [ParameterType]
    package var isVariadic: Bool
    package var resultType: @Sendable ([DataType]) throws -> DataType
    /// Ordered-set aggregates (WITHIN GROUP): the ordering's expressions come behind the direct arguments.
    package var isOrderedSet: Bool
    /// Whether the order of rows matters to the result.
    package var isOrderSensitive: Bool
    package var documentation: FunctionDocumentation
    /// An executor for the given argument types.
    package var makeExecutor: @Sendable (_ arguments: [DataType], _ result: DataType) throws -> any AggregateExecutor

    package init(
        _ name: String, _ parameters: [ParameterType], isVariadic: Bool = false,
        resultType: @escaping @Sendable ([DataType]) throws -> DataType, isOrderedSet: Bool = false,
        isOrderSensitive: Bool = false, documentation: FunctionDocumentation,
        makeExecutor: @escaping @Sendable ([DataType], DataType) throws -> any AggregateExecutor
    ) {
        self.name = name
        self.parameters = parameters
        self.isVariadic = isVariadic
        self.resultType = resultType
        self.isOrderedSet = isOrderedSet
        self.isOrderSensitive = isOrderSensitive
        self.documentation = documentation
        self.makeExecutor = makeExecutor
    }
}

/// A pure window function (row_number, lag, …). Aggregates serve as window functions by their executors.
package struct WindowFunction: Sendable {
    /// What a window function sees: whole partitions, one behind the other, each in order. All positions are among these
    /// rows.
    package struct Rows: Sendable {
        package var rowCount: Int
        /// Arguments over the rows, flat.
        package var arguments: [Vector]
        /// For each row, the first row of its partition and the one behind its last.
        package var partitionStart: [Int32]
        package var partitionEnd: [Int32]
        /// For each row, the first row of its peer group and the one behind its last.
        package var peerStart: [Int32]
        package var peerEnd: [Int32]
        /// For each row, its frame: first row and the one behind the last. Only if `usesFrame`.
        package var frameStart: [Int32]
        package var frameEnd: [Int32]
        /// Rows around the current one that its frame leaves out.
        package var exclusion: WindowFrame.Exclusion
        package var ignoresNulls: Bool
        package init(
            rowCount: Int, arguments: [Vector], partitionStart: [Int32], partitionEnd: [Int32], peerStart: [Int32],
            peerEnd: [Int32], frameStart: [Int32], frameEnd: [Int32], exclusion: WindowFrame.Exclusion = .none,
            ignoresNulls: Bool
        ) {
            self.rowCount = rowCount
            self.arguments = arguments
            self.partitionStart = partitionStart
            self.partitionEnd = partitionEnd
            self.peerStart = peerStart
            self.peerEnd = peerEnd
            self.frameStart = frameStart
            self.frameEnd = frameEnd
            self.exclusion = exclusion
            self.ignoresNulls = ignoresNulls
        }
    }
    package var name: String
    package var parameters: [ParameterType]
    package var resultType: @Sendable ([DataType]) throws -> DataType
    package var usesFrame: Bool
    package var documentation: FunctionDocumentation
    /// The result for every row.
    package var evaluate: @Sendable (Rows, DataType) throws -> Vector

    package init(
        _ name: String, _ parameters: [ParameterType], resultType: @escaping @Sendable ([DataType]) throws -> DataType,
        usesFrame: Bool = false, documentation: FunctionDocumentation,
        evaluate: @escaping @Sendable (Rows, DataType) throws -> Vector
    ) {
        self.name = name
        self.parameters = parameters
        self.resultType = resultType
        self.usesFrame = usesFrame
        self.documentation = documentation
        self.evaluate = evaluate
    }
}

/// Rows that are made as they are asked for. Confined to who asks.
package protocol RowSeries: AnyObject {
    /// The next rows; `nil` behind the last one.
    func next() throws -> Batch?
}

/// One overload of a function that gives rows: unnest, generate_series, ….
package struct TableFunction: Sendable {
    package var name: String
    package var parameters: [ParameterType]
    /// The columns of its rows for the actual argument types.
    package var resultFields: @Sendable ([DataType]) throws -> [Field]
    package var documentation: FunctionDocumentation
    /// All rows for one set of arguments, in batches.
    package var evaluate:
        @Sendable (
            _ arguments: [ScalarValue], _ types: [DataType], _ context: EvaluationContext,
            _ emit: (Batch) throws -> Void
        ) throws -> Void
    /// For functions whose rows have no bound: the rows for one set of arguments as they are asked for.
    package var series:
        (
            @Sendable (_ arguments: [ScalarValue], _ types: [DataType], _ context: EvaluationContext) throws ->
                any RowSeries
        )?

    package init(
        _ name: String, _ parameters: [ParameterType], resultFields: @escaping @Sendable ([DataType]) throws -> [Field],
        documentation: FunctionDocumentation,
        evaluate: @escaping @Sendable ([ScalarValue], [DataType], (Batch) throws -> Void) throws -> Void
    ) {
        self.name = name
        self.parameters = parameters
        self.resultFields = resultFields
        self.documentation = documentation
        self.evaluate = { arguments, types, _, emit in try evaluate(arguments, types, emit) }
    }

    /// A function whose rows depend on the session.
    package init(
        _ name: String, _ parameters: [ParameterType], resultFields: @escaping @Sendable ([DataType]) throws -> [Field],
        documentation: FunctionDocumentation,
        evaluateInSession:
            @escaping @Sendable (
                [ScalarValue], [DataType], EvaluationContext, (Batch) throws -> Void
            ) throws -> Void
    ) {
        self.name = name
        self.parameters = parameters
        self.resultFields = resultFields
        self.documentation = documentation
        self.evaluate = evaluateInSession
    }

    /// A function that may give any number of rows.
    package init(
        _ name: String, _ parameters: [ParameterType], resultFields: @escaping @Sendable ([DataType]) throws -> [Field],
        series:
            @escaping @Sendable ([ScalarValue], [DataType], EvaluationContext) throws -> any RowSeries,
        documentation: FunctionDocumentation
    ) {
        self.name = name
        self.parameters = parameters
        self.resultFields = resultFields
        self.documentation = documentation
        self.series = series
        evaluate = { arguments, types, context, emit in
            let rows = try series(arguments, types, context)
            while let batch = try rows.next() { try emit(batch) }
        }
    }
}
