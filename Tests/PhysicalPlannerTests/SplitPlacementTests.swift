// Where splits of a table have all rows of a value, rows that agree in it need not be brought together.

import PhysicalPlanner
import QueryPlan
import Testing

@Suite struct SplitPlacementTests {
    private func plan(_ sql: String, apart: Set<String>) async throws -> PhysicalPlan {
        let bed = PlanningBed(try await DeclaredBackend.tpch(keepsDistinctCounts: true, apart: apart))
        return try await bed.plan(sql, options: PlannerOptions(workerCount: 4, coordinatorIsWorker: false))
    }

    private func hashes(_ plan: PhysicalPlan) -> Int {
        plan.stages.count { if case .hash = $0.output { true } else { false } }
    }

    @Test(arguments: [
        "SELECT l_orderkey, sum(l_quantity) FROM lineitem GROUP BY l_orderkey",
        "SELECT l_orderkey AS k, l_linenumber, count(*) FROM lineitem GROUP BY 2, 1",
        "SELECT DISTINCT l_orderkey FROM lineitem",
        "SELECT sum(l_tax) OVER (PARTITION BY l_orderkey ORDER BY l_linenumber) FROM lineitem",
        "SELECT k, max(q) FROM (SELECT l_orderkey AS k, l_quantity AS q FROM lineitem WHERE l_tax > 0) GROUP BY k",
        "SELECT o_orderkey, count(*) FROM lineitem JOIN orders ON l_orderkey = o_orderkey AND o_custkey < 9000 GROUP BY 1",
    ])
    func groupsStayWhereTheyAre(_ sql: String) async throws {
        #expect(hashes(try await plan(sql, apart: ["l_orderkey"])) == 0)
        #expect(hashes(try await plan(sql, apart: [])) > 0)
    }

    @Test("other columns, expressions, and the other side of a join are not kept together")
    func onlyTheColumnItself() async throws {
        for sql in [
            "SELECT l_partkey, sum(l_quantity) FROM lineitem GROUP BY l_partkey",
            "SELECT l_orderkey / 2, sum(l_quantity) FROM lineitem GROUP BY 1",
            "SELECT l_orderkey, sum(l_quantity) FROM (TABLE lineitem UNION ALL TABLE lineitem) GROUP BY l_orderkey",
            "SELECT l_orderkey, l_partkey, count(*) FROM lineitem GROUP BY GROUPING SETS ((l_orderkey), (l_partkey))",
        ] { #expect(hashes(try await plan(sql, apart: ["l_orderkey"])) > 0, "\(sql)") }
    }

    @Test("two tables that lie apart by the same key are still brought together to be joined")
    func joinsArePlaced() async throws {
        let sql = "SELECT count(*), sum(o_totalprice) FROM lineitem JOIN orders ON l_orderkey = o_orderkey"
        let found = try await plan(sql, apart: ["l_orderkey", "o_orderkey"])
        #expect(hashes(found) == hashes(try await plan(sql, apart: [])))
    }

    @Test("the scan is asked to keep what the plan relies on")
    func scansAreAsked() async throws {
        let found = try await plan("SELECT DISTINCT l_orderkey FROM lineitem", apart: ["l_orderkey", "l_tax"])
        #expect(found.stages.flatMap(\.scans).map(\.scan.keptTogether) == [[0]])
    }

    @Test("of a side that is only asked for a match, each task sends a key once")
    func keysAreSentOnce() async throws {
        let found = try await plan(
            "SELECT count(*) FROM customer WHERE NOT EXISTS (SELECT FROM orders WHERE o_custkey = c_custkey)", apart: []
        )
        let text = PhysicalPlanPrinter.text(found)
        #expect(text.contains("Aggregate partial by [o_custkey]"), "\(text)")
    }
}
