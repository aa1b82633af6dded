// Plans of queries as text.

import Columnar
import Diagnostics
import QueryPlan
import Testing

struct PlanTests {
    private func expect(
        _ sql: String, _ lines: String, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let plan = try await BindingFixture.plan(sql)
        #expect(plan == lines, sourceLocation: sourceLocation)
    }

    @Test func scanFilterProject() async throws {
        try await expect(
            "select b, a + 1 as n from t where a > 3 and b = 'x'",
            """
            Project [b#2, n#4 := a#1 + 1]
              Filter (a#1 > 3) and (b#2 = 'x')
                Scan martlet.public.t [a#1, b#2, c#3]
            """)
    }

    @Test func literalsTakeTheColumnsType() async throws {
        try await expect(
            "select id from m where price between 0.05 and 7 and price < 24 and name = 'toolong' and price <> 0.055",
            """
            Project [id#1]
              Filter (price#2 >= 0.05) and (price#2 <= 7.00) and (price#2 < 24.00) and (name#3 = 'toolong') and \
            (cast(price#2 as numeric(16,3)) <> 0.055)
                Scan martlet.public.m [id#1, price#2, name#3, flag#4, list#5]
            """)
        try await expect(
            "select a from u where d >= '1994-01-01' and d < date '1994-01-01' + interval '1' year and a = 5",
            """
            Project [a#1]
              Filter (d#2 >= date '1994-01-01') and (d#2 < date '1995-01-01') and (a#1 = 5)
                Scan martlet.public.u [a#1, d#2, e#3]
            """)
        try await expect(
            "select a from t where a in (1, 2, null) and b not in ('x', 'y')",
            """
            Project [a#1]
              Filter (a#1 in (1, 2, null)) and (not (b#2 in ('x', 'y')))
                Scan martlet.public.t [a#1, b#2, c#3]
            """)
    }

    @Test func grouping() async throws {
        try await expect(
            "select b, count(*), sum(a) + 1 as s from t group by 1 having max(c) > 2 order by s desc, b limit 3",
            """
            Limit 3
              Sort [s#7 desc, b#2]
                Project [b#2, count#4, s#7 := sum#5 + 1]
                  Filter max#6 > 2.0
                    Aggregate [b#2] calls [count#4 := count(*), sum#5 := sum(a#1), max#6 := max(c#3)]
                      Scan martlet.public.t [a#1, b#2, c#3]
            """)
        try await expect(
            "select a, b, grouping(a, b) from t group by rollup (a, b)",
            """
            Project [a#5, b#6, grouping#8 := case when grouping set#7 in (0) then 0 when grouping set#7 in (1) then 1 \
            else 3 end]
              Aggregate [a#5 := a#1, b#6 := b#2] sets [(a#5, b#6), (a#5), ()] set grouping set#7
                Scan martlet.public.t [a#1, b#2, c#3]
            """)
    }

    @Test func hiddenSortColumnsAreCutOff() async throws {
        try await expect(
            "select a from t order by c",
            """
            Project [a#1]
              Sort [c#3]
                Project [a#1, c#3]
                  Scan martlet.public.t [a#1, b#2, c#3]
            """)
    }

    @Test func joins() async throws {
        try await expect(
            "select t.a from t left join u on t.a = u.a and u.d is not null",
            """
            Project [a#1]
              Join left on (cast(a#1 as bigint) = a#4) and (d#5 is not null)
                Scan martlet.public.t [a#1, b#2, c#3]
                Scan martlet.public.u [a#4, d#5, e#6]
            """)
        try await expect(
            "select x from m, lateral (select m.id + 1 as x) s",
            """
            Project [x#6]
              Join cross dependent
                Scan martlet.public.m [id#1, price#2, name#3, flag#4, list#5]
                Project [x#6 := id#1 + 1]
                  Values one row
            """)
        try await expect(
            "select n from m, unnest(list) with ordinality as l(n, i)",
            """
            Project [unnest#6]
              TableFunction unnest(list#5) [unnest#6, ordinality#7]
                Scan martlet.public.m [id#1, price#2, name#3, flag#4, list#5]
            """)
    }

    @Test func subqueries() async throws {
        try await expect(
            "select a from t where exists (select 1 from u where u.a = t.a) and a not in (select a from u)",
            """
            Project [a#1]
              Filter exists (subquery 1) and (not (cast(a#1 as bigint) = any (subquery 2)))
                Subquery 1:
                  Project [?column?#7 := 1]
                    Filter a#4 = cast(a#1 as bigint)
                      Scan martlet.public.u [a#4, d#5, e#6]
                Subquery 2:
                  Project [a#8]
                    Scan martlet.public.u [a#8, d#9, e#10]
                Scan martlet.public.t [a#1, b#2, c#3]
            """)
        // The aggregate belongs to the outer query, whose column it is over.
        try await expect(
            "select (select sum(t.a)) from t",
            """
            Project [sum#6 := (subquery 1)]
              Subquery 1:
                Project [sum#5 := sum#4]
                  Values one row
              Aggregate [] calls [sum#4 := sum(a#1)]
                Scan martlet.public.t [a#1, b#2, c#3]
            """)
    }

    @Test func windowsAreStackedByTheirSpecification() async throws {
        try await expect(
            "select sum(sum(c)) over (partition by b) from t group by b qualify row_number() over (order by b) < 3",
            """
            Project [sum#5]
              Filter row_number#6 < 3
                Window order by [b#2] calls [row_number#6 := row_number()]
                  Window partition by [b#2] calls [sum#5 := sum(sum#4)]
                    Aggregate [b#2] calls [sum#4 := sum(c#3)]
                      Scan martlet.public.t [a#1, b#2, c#3]
            """)
    }

    @Test func commonTables() async throws {
        try await expect(
            "with recursive r(n) as (values (1) union all select n + 1 from r where n < 5) select * from r",
            """
            Project [n#6 := n#5]
              Recursive all working table 0 [n#5]
                Values [column1#1] (1)
                Project [?column?#4 := n#3 + 1]
                  Filter n#3 < 5
                    WorkingTable 0 [n#3]
            """)
        let text = try await BindingFixture.plan("with w as (select a from t) select * from w x, w y")
        #expect(text.contains("a#1") && text.contains("a#4"))
    }

    @Test func setOperationsFindCommonTypes() async throws {
        try await expect(
            "select a from t union all select 1.5 order by 1",
            """
            Sort [a#6]
              Union all [a#6]
                Project [a#5 := cast(a#1 as numeric)]
                  Project [a#1]
                    Scan martlet.public.t [a#1, b#2, c#3]
                Project [?column?#4 := 1.5]
                  Values one row
            """)
    }

    @Test func setReturningFunctions() async throws {
        try await expect(
            "select id, unnest(list) from m",
            """
            Project [id#1, unnest#6]
              TableFunction unnest(list#5) [unnest#6]
                Scan martlet.public.m [id#1, price#2, name#3, flag#4, list#5]
            """)
    }

    @Test func insert() async throws {
        guard case .insert(let plan) = try await BindingFixture.bind("insert into t (b, a) values ('x', 1)").statement
        else {
            Issue.record("not an insert")
            return
        }
        #expect(
            LogicalPlanPrinter.text(plan) == """
                Insert into martlet.public.t
                  Project [a#2, b#1, c#3 := null]
                    Values [b#1, a#2] ('x', 1)
                """)
    }

    /// Shapes whose plans must hold together, whatever they look like.
    @Test(arguments: [
        "select * from t a join t b using (a) left join t c using (a)",
        "select a from t full join u using (a) order by a",
        "select (select max(d) from u where u.a = t.a and t.c > (select min(id) from m where m.id = t.a)) from t",
        "select a, (select count(*) from u where u.a = t.a) from t group by a",
        "select b, count(distinct a) filter (where c > 1) from t group by cube (b, a) having grouping(b) = 0",
        "select * from t where (a, b) in (select a, 'x' from u) or (a, b) < (1, 'y')",
        "select * from t where a > all (select a from u) and a = any (array[1, 2]) and a <> any (array(select 1))",
        "with w as (select a from t), x as (select a from w union select a from u) select * from x, w where x.a = w.a",
        "select x.* from t left join lateral (select * from u where u.a = t.a order by d limit 1) x on true",
        "select unnest(list), unnest(list) + 1 from m group by 1, 2",
        "select distinct on (b) a, b from t order by b, c desc",
        "select first.a from (select a, row_number() over w as n from t window w as (partition by b)) as first",
        "select sum(a) over (order by c rows between 1 preceding and current row) from t",
        "select case a when 1 then 'x' when 2 then null end, nullif(a, 1), coalesce(null, b, 'z') from t",
        "(select a from t order by a limit 1) union all (select a from u) order by 1 desc limit 2 offset 1",
        "select t.a from t, lateral (values (t.a), (t.a + 1)) as v(x) where x > 0",
        "select * from t where exists (with w as (select t.a as q) select q from w where q > 1)",
        "values (1, 'a'), (2, null) order by 1",
        "select * from t a, (t b cross join u) where a.a = b.a",
        "select t.a from t where c between (select min(c) from t) and 5 order by (select 1)",
        "select count(*) from t where a is distinct from 3 and (c > 1) is not true",
        "select a from t order by all",
    ])
    func plansHoldTogether(_ sql: String) async throws {
        guard case .query(let plan, _, let types) = try await BindingFixture.bind(sql).statement else {
            Issue.record("not a query")
            return
        }
        #expect(PlanCheck.problems(plan) == [])
        #expect(plan.columns.map(\.type) == types)
    }
}
