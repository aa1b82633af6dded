// Scripts again, run in other ways that must not change a row: small batches, other encodings of vectors, other numbers of
// workers, joins forced one way, optimiser rules left out one at a time.
//
// The default tier runs a sample of the scripts. METAMORPHIC=all runs every script (`make metamorphic`), SCRIPT=name those
// whose name contains that, VARIATION=name the variations whose name contains that.

import EngineTestSupport
import Foundation
import Testing

/// A way of running a script.
private struct Variation: Sendable, CustomStringConvertible {
    var name: String
    var workers: Int
    var settings: [String]
    var description: String { name }

    init(_ name: String, workers: Int = 1, _ settings: String...) {
        self.name = name
        self.workers = workers
        self.settings = settings
    }

    static let all =
        [
            Variation("batches of 1", "debug.batch_size = 1"),
            Variation("batches of 3", "debug.batch_size = 3"),
            Variation("batches of 3 on 7 workers", workers: 7, "debug.batch_size = 3"),
            Variation("constant vectors", "debug.vector_encoding = constant"),
            Variation("dictionary vectors", "debug.vector_encoding = dictionary"),
            Variation(
                "dictionary vectors on 3 workers", workers: 3, "debug.vector_encoding = dictionary",
                "debug.batch_size = 5"),
            Variation("broadcast joins", workers: 3, "debug.join_distribution = broadcast"),
            Variation("partitioned joins", workers: 3, "debug.join_distribution = partitioned"),
        ]
        + [
            "SimplifyExpressions", "MergeProjects", "SimplifyOuterJoins", "PushDownPredicates", "PruneColumns",
            "PushDownLimits", "ReorderJoins",
        ].map { Variation("without \($0)", "debug.disabled_rules = '\($0)'") }
}

@Suite("SQL scripts, run in other ways")
struct MetamorphicTests {
    /// Scripts of the default tier: those in which the way of running matters most.
    private static let sample = [
        "queries/aggregates.slt", "queries/joins.slt", "queries/subqueries.slt", "queries/windows.slt",
        "queries/set-operations.slt", "queries/common-tables.slt", "queries/order-and-limits.slt",
        "fuzz/findings.slt", "types/decimals.slt", "types/text.slt",
    ]

    @Test("rows do not depend on batches, encodings, workers, joins and rules")
    func variations() async throws {
        let environment = ProcessInfo.processInfo.environment
        let scripts = try SQLScript.all().filter { script in
            if let only = environment["SCRIPT"] { return script.name.contains(only) }
            return environment["METAMORPHIC"] == "all" || Self.sample.contains(script.name)
        }
        let variations = Variation.all.filter { variation in
            environment["VARIATION"].map { variation.name.contains($0) } ?? true
        }
        for variation in variations {
            for script in scripts {
                let engine = try await TestEngine.start(workers: variation.workers)
                let connection = engine.makeConnection()
                for setting in variation.settings { _ = try await connection.run("SET \(setting)") }
                for failure in await ScriptRunner.run(script.withoutPlans, on: connection) {
                    Issue.record("\(variation): \(failure)")
                }
                await engine.shutdown()
            }
        }
    }
}

extension SQLScript {
    /// Without the records that show plans or settings, which depend on how a query is run.
    fileprivate var withoutPlans: SQLScript {
        var copy = self
        copy.records = records.filter { record in
            let start = record.sql.drop { $0.isWhitespace }.prefix(8).uppercased()
            return !start.hasPrefix("EXPLAIN") && !record.sql.uppercased().contains("RESET ALL")
                && !start.hasPrefix("DISCARD") && !start.hasPrefix("SHOW")
        }
        return copy
    }
}
