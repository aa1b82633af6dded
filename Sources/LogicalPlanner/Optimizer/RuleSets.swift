// The rules in the order in which they run.

enum RuleSets {
    static let standard: [any LogicalRule] = [
        UnnestSubqueries(),
        ReplaceSetOperations(),
        ReplaceDistinct(),
        SplitDistinctAggregates(),
        SimplifyExpressions(),
        PinPositions(),
        MergeProjects(),
        SimplifyOuterJoins(),
        PushDownPredicates(),
        PruneColumns(),
        PushDownLimits(),
        ReorderJoins(),
        MergeProjects(),
    ]
}
