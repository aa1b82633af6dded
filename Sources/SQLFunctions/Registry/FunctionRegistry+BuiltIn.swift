// The list of all built-in functions, and the shorthand that their families register with.

import Columnar
import Diagnostics
import QueryPlan

extension FunctionRegistry {
    /// A registry with every built-in function. Plug-ins add to it at start-up.
    package static let builtIn = FunctionRegistry(builtIns: ())

    /// A new registry with every built-in function.
    package convenience init(builtIns: Void) {
        self.init()
        ComparisonFunctions.register(in: self)
        FaultFunctions.register(in: self)
        IntegerArithmetic.register(in: self)
        FloatArithmetic.register(in: self)
        DecimalArithmetic.register(in: self)
        NumericArithmetic.register(in: self)
        DateArithmetic.register(in: self)
        LikeFunctions.register(in: self)
        CaseMapping.register(in: self)
        TextSlices.register(in: self)
        TextFunctions.register(in: self)
        DateTimeFields.register(in: self)
        DateTimeFunctions.register(in: self)
        TimeTZFunctions.register(in: self)
        OverlapsFunctions.register(in: self)
        RegexFunctions.register(in: self)
        ArrayFunctions.register(in: self)
        ArrayQuantifiers.register(in: self)
        ArrayExtras.register(in: self)
        DegreeFunctions.register(in: self)
        BinaryFunctions.register(in: self)
        UnicodeFunctions.register(in: self)
        SimilarSubstring.register(in: self)
        IndexVectorFunctions.register(in: self)
        GeneralFunctions.register(in: self)
        RecordFunctions.register(in: self)
        QuerySupportFunctions.register(in: self)
        CatalogFunctions.register(in: self)
        MathFunctions.register(in: self)
        NumericFunctions.register(in: self)
        SequenceFunctions.register(in: self)
        Formatting.register(in: self)
        FormatFunctions.register(in: self)
        CountAggregates.register(in: self)
        SumAggregates.register(in: self)
        ExtremeAggregates.register(in: self)
        NumericAggregates.register(in: self)
        StatisticAggregates.register(in: self)
        CollectAggregates.register(in: self)
        WindowFunctions.register(in: self)
        TableFunctions.register(in: self)
        JSONAccess.register(in: self)
        JSONPredicates.register(in: self)
        JSONModification.register(in: self)
        JSONConstruction.register(in: self)
        JSONPathFunctions.register(in: self)
        JSONTableFunctions.register(in: self)
        JSONRecords.register(in: self)
        JSONAggregates.register(in: self)
        CatalogTableFunctions.register(in: self)
        KeywordFunctions.register(in: self)
        BitFunctions.register(in: self)
        ArrayAssignment.register(in: self)
        JSONAssignment.register(in: self)
        RangeFunctions.register(in: self)
        SendFunctions.register(in: self)
        VariadicFunctions.register(in: self)
        DomainFunctions.register(in: self)
        EnumerationFunctions.register(in: self)
    }

    /// Registers a scalar function of a fixed result type.
    func scalar(
        _ name: String, _ parameters: [ParameterType], _ result: DataType, isVariadic: Bool = false,
        volatility: Volatility = .immutable, isStrict: Bool = true, canFail: Bool = false,
        canFailForLiterals: (@Sendable ([ScalarValue?]) -> Bool)? = nil,
        _ documentation: FunctionDocumentation, kernel: @escaping ScalarFunction.Kernel
    ) {
        var function = ScalarFunction(
            name, parameters, isVariadic: isVariadic, resultType: { _ in result }, volatility: volatility,
            isStrict: isStrict, canFail: canFail, documentation: documentation, kernel: kernel)
        function.canFailForLiterals = canFailForLiterals
        register(function)
    }

    /// Registers a scalar function whose result type depends on its arguments'.
    func scalar(
        _ name: String, _ parameters: [ParameterType],
        typed result: @escaping @Sendable ([DataType]) throws -> DataType,
        isVariadic: Bool = false, volatility: Volatility = .immutable, isStrict: Bool = true, canFail: Bool = false,
        canFailForTypes: (@Sendable ([DataType]) -> Bool)? = nil,
        literalResultType: (@Sendable ([DataType], [ScalarValue?]) throws -> DataType?)? = nil,
        _ documentation: FunctionDocumentation, kernel: @escaping ScalarFunction.Kernel
    ) {
        var function = ScalarFunction(
            name, parameters, isVariadic: isVariadic, resultType: result, volatility: volatility, isStrict: isStrict,
            canFail: canFail, documentation: documentation, kernel: kernel)
        function.canFailForTypes = canFailForTypes
        function.literalResultType = literalResultType
        register(function)
    }
}

extension ParameterType {
    static let boolean = ParameterType.exact(.boolean)
    static let int16 = ParameterType.exact(.int16)
    static let int32 = ParameterType.exact(.int32)
    static let int64 = ParameterType.exact(.int64)
    static let float32 = ParameterType.exact(.float32)
    static let float64 = ParameterType.exact(.float64)
    /// Numeric of any size; decimals are cast to it.
    static let numeric = ParameterType.exact(.anyNumeric)
    static let text = ParameterType.exact(.text)
    static let bytea = ParameterType.exact(.bytea)
    static let date = ParameterType.exact(.date)
    static let time = ParameterType.exact(.time)
    static let timeTZ = ParameterType.exact(.timeTZ)
    static let timestamp = ParameterType.exact(.timestamp)
    static let timestampTZ = ParameterType.exact(.timestampTZ)
    static let interval = ParameterType.exact(.interval)
}
