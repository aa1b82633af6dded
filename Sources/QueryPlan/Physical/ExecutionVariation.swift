// How a query may be run in another way without a change in its rows: what tests turn, and what a session's settings named
// debug.… stand for.

/// Departures from the usual way of running a query. The default is none.
package struct ExecutionVariation: Hashable, Sendable {
    /// The encoding that columns have when they enter a pipeline.
    package enum Encoding: String, Hashable, Sendable, CaseIterable { case constant, dictionary }
    /// How the sides of a join between several tasks come together.
    package enum JoinDistribution: String, Hashable, Sendable, CaseIterable { case broadcast, partitioned }

    /// Rows of a batch that enters a pipeline; none leaves batches as they are.
    package var batchRowCount: Int?
    package var encoding: Encoding?
    package var joinDistribution: JoinDistribution?
    /// Names of optimiser rules that are left out.
    package var disabledRules: [String]
    /// Tasks start with few splits, however few there are, and ask for the others.
    package var bindsSplitsLate: Bool

    package init(
        batchRowCount: Int? = nil, encoding: Encoding? = nil, joinDistribution: JoinDistribution? = nil,
        disabledRules: [String] = [], bindsSplitsLate: Bool = false
    ) {
        self.batchRowCount = batchRowCount
        self.encoding = encoding
        self.joinDistribution = joinDistribution
        self.disabledRules = disabledRules
        self.bindsSplitsLate = bindsSplitsLate
    }

    /// Whether batches change on their way into a pipeline.
    package var changesBatches: Bool { batchRowCount != nil || encoding != nil }
}
