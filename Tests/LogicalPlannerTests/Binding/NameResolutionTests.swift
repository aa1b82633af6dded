// Names: what they mean, and errors by state and place.

import Columnar
import Diagnostics
import QueryPlan
import Testing

struct NameResolutionTests {
    @Test(arguments: [
        ("select ^x from t", SQLState.undefinedColumn),
        ("select ^t.x from t", .undefinedColumn),
        ("select ^z.a from t", .undefinedTable),
        ("select * from ^nowhere", .undefinedTable),
        ("select * from ^other.t", .undefinedTable),
        ("select ^a from t, u", .ambiguousColumn),
        ("select * from t, ^t", .duplicateAlias),
        ("select ^t.a from t as s", .undefinedTable),
        ("select * from t join u using (^b)", .undefinedColumn),
        ("select a from t where ^sum(a) > 1", .groupingError),
        ("select sum(^sum(a)) from t", .groupingError),
        ("select ^b, sum(a) from t", .groupingError),
        ("select a + 1, sum(c) from t group by a + 1 having ^b = 'x'", .groupingError),
        ("select a from t group by ^3", .invalidColumnReference),
        ("select a from t order by ^2", .invalidColumnReference),
        ("select distinct a from t order by ^c", .invalidColumnReference),
        ("select a from t where ^row_number() over () = 1", .windowingError),
        ("select sum(^row_number() over ()) from t", .groupingError),
        ("select a from t group by ^row_number() over ()", .windowingError),
        ("select distinct on (a) a from t order by ^b", .invalidColumnReference),
        ("select 1 where ^1", .datatypeMismatch),
        ("select a ^= b from t", .undefinedFunction),
        ("select ^nosuch(a) from t", .undefinedFunction),
        ("select case when true then a else ^b end from t", .datatypeMismatch),
        ("select ^(select a, b from t)", .syntaxError),
        ("select 1 ^in (select a, b from t)", .syntaxError),
        ("select a from t ^union select a, d from u", .syntaxError),
        ("select a from t ^union select d from u", .datatypeMismatch),
        ("select ^'x'::integer", .invalidTextRepresentation),
        ("select ^date '1994-13-01'", .datetimeFieldOverflow),
        ("select a from t where d", .undefinedColumn),
        ("select a::^nosuch from t", .undefinedObject),
        ("select * from (values (1, 2)) as v(x, y, ^z)", .invalidColumnReference),
        ("select * from (values (1, 2), (^3)) as v", .syntaxError),
        ("select a from t limit ^-1", .invalidRowCountInLimitClause),
        ("with w as (select 1), ^w as (select 2) select * from w", .duplicateAlias),
        ("with w as (select ^x from t) select 1", .undefinedColumn),
        ("select sum(a) over ^missing from t", .undefinedObject),
        ("select ^grouping(b) from t group by a", .groupingError),
        ("^update t set a = 1", .featureNotSupported),
        ("insert into t (a, ^z) values (1, 2)", .undefinedColumn),
        ("insert into t (a, ^b) values (1)", .syntaxError),
        ("insert into t (a) values (^true)", .datatypeMismatch),
        ("insert into m (id, name) values (1, ^'abcdef')", .stringDataRightTruncation),
        ("insert into m (id) values (^null)", .notNullViolation),
        ("create table ^t (a int)", .duplicateTable),
        ("create table w (a int, ^a int)", .duplicateColumn),
        ("drop table ^nowhere", .undefinedTable),
        ("drop table ^v", .wrongObjectType),
    ])
    func errors(_ sql: String, _ state: SQLState) async {
        let failure = await BindingFixture.failure(sql)
        #expect(failure.state == state)
        if sql.contains("^"), sql.first != "^" { #expect(failure.isPlaced) }
    }

    @Test func hintNamesTheNearestColumn() async {
        do {
            _ = try await BindingFixture.bind("select l_nam from m as x(id, price, l_name)")
            Issue.record("no error")
        } catch {
            #expect((error as? QueryError)?.hint?.contains("\"x.l_name\"") == true)
        }
    }

    @Test func outputNames() async throws {
        let names = try await BindingFixture.columns(
            """
            select 1, a, a + 1, sum(a) over (), a::bigint, 1::bigint, case when true then 1 end, coalesce(a, 1),
              (select max(d) from u), exists (select 1), array[1], 'x' as y, date '2020-01-01', current_date from t
            """
        ).map { $0.split(separator: " ")[0] }
        #expect(
            names == [
                "?column?", "a", "?column?", "sum", "a", "int8", "case", "coalesce", "max", "exists", "array", "y",
                "date", "current_date",
            ])
    }

    @Test func starsAndJoins() async throws {
        #expect(
            try await BindingFixture.columns("select * from t join u using (a)") == [
                "a bigint", "b text", "c double precision", "d date", "e timestamp without time zone",
            ])
        #expect(try await BindingFixture.columns("select u.* exclude (e) from t, u") == ["a bigint", "d date"])
        #expect(
            try await BindingFixture.columns("select * replace (a + 1 as a) from t") == [
                "a integer", "b text", "c double precision",
            ])
        #expect(try await BindingFixture.columns("select * from v") == ["x integer", "y text"])
        #expect(
            try await BindingFixture.columns("select martlet.public.t.a, public.t.b from t") == ["a integer", "b text"])
        #expect(
            try await BindingFixture.columns("select * from t natural full join (select 1 as a) s") == [
                "a integer", "b text", "c double precision",
            ])
    }

    @Test func deepNestingIsAnErrorAndNoCrash() async {
        let depth = 900
        let sql = "select " + String(repeating: "(", count: depth) + "1" + String(repeating: ")", count: depth)
        _ = await BindingFixture.failure(sql)
        let chain = "select " + Array(repeating: "a", count: 900).joined(separator: " + ") + " from t"
        _ = await BindingFixture.failure(chain)
    }

    @Test func parameterTypesComeFromTheirContext() async throws {
        let result = try await BindingFixture.bind(
            "select $1, a + $2 from t where b = $3 and a between $4 and $5 and c in ($6) and $7::date is null limit $8")
        #expect(
            result.parameterTypes == [.text, .int32, .text, .int32, .int32, .float64, .date, .int64])
    }
}
