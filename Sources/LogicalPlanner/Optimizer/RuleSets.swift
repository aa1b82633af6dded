// The rules in the order in which they run.

package enum RuleSets {
    static let standard: [any LogicalRule] = [
        UnnestSubqueries(),
        ReplaceSetOperations(),
        ReplaceDistinct(),
        SplitDistinctAggregates(),
        SimplifyExpressions(),
        ShiftedSums(),
        PinPositions(),
        MergeProjects(),
        SimplifyOuterJoins(),
        PushDownPredicates(),
        RemoveEmptyInputs(),
        FindAntiJoins(),
        PruneColumns(),
        PushDownLimits(),
        ReorderJoins(),
        MergeProjects(),
    ]

    /// Rules without which plans are slower and not wrong: a test may leave them out.
    package static let optionalRuleNames = [
        "SimplifyExpressions", "ShiftedSums", "MergeProjects", "SimplifyOuterJoins", "PushDownPredicates",
        "RemoveEmptyInputs", "FindAntiJoins", "PruneColumns", "PushDownLimits", "ReorderJoins",
    ]
}
