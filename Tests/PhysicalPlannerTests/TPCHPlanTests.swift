// The plans of TPC-H's 22 queries at scale factor 1, as golden files: a change of an estimate or a rule shows here.
// MARTLET_UPDATE_GOLDEN=1 writes the files anew.

import Foundation
import LogicalPlanner
import PhysicalPlanner
import PlanStatistics
import QueryPlan
import Testing

@Suite struct TPCHPlanTests {
    @Test(arguments: 1...22) func planIsAsRecorded(_ number: Int) async throws {
        let name = number < 10 ? "q0\(number)" : "q\(number)"
        let sql = try Repository.text("Fixtures/tpch/queries/\(name).sql")
        let bed = PlanningBed(try await DeclaredBackend.tpch(keepsDistinctCounts: false))
        let one = try await bed.plan(sql)
        let four = try await bed.plan(
            sql, options: PlannerOptions(workerCount: 4, coordinatorIsWorker: false))
        let text = """
            -- one worker
            \(PhysicalPlanPrinter.text(one))

            -- four workers
            \(PhysicalPlanPrinter.text(four))

            """
        let isAsRecorded = try Repository.matchesGolden("Fixtures/plans/tpch/\(name).txt", text)
        #expect(isAsRecorded)
    }

    /// Planning is a small part of the shortest query's time.
    @Test func planningIsQuick() async throws {
        let bed = PlanningBed(try await DeclaredBackend.tpch(keepsDistinctCounts: true))
        var slowest = Duration.zero
        for number in 1...22 {
            let name = number < 10 ? "q0\(number)" : "q\(number)"
            let (plan, ids) = try await bed.bind(try Repository.text("Fixtures/tpch/queries/\(name).sql"))
            let snapshot = try await StatisticsSnapshot.load(for: plan, from: bed.catalog)
            let optimizer = LogicalOptimizer(catalog: bed.catalog, registry: bed.registry, ids: ids)
            let clock = ContinuousClock()
            var best = Duration.seconds(1)
            for _ in 0..<5 {
                let time = try clock.measure {
                    let logical = try optimizer.optimize(plan, snapshot: snapshot)
                    _ = try PhysicalPlanner.plan(
                        logical, registry: bed.registry, options: PlannerOptions(), snapshot: snapshot)
                }
                best = min(best, time)
            }
            slowest = max(slowest, best)
        }
        // An unoptimised build is many times slower; the limit only catches something exponential.
        #expect(slowest < .milliseconds(100))
    }
}
