// Expressions: precedence, every construct and how it prints.

import Diagnostics
import Testing

@testable import SQLParser

@Suite("Expressions")
struct ExpressionTests {
    @Test(
        "Operators bind as in PostgreSQL",
        arguments: [
            ("1 + 2 * 3", "(1 + (2 * 3))"),
            ("1 - 2 - 3", "((1 - 2) - 3)"),
            ("2 ^ 3 ^ 2", "((2 ^ 3) ^ 2)"),
            ("-2 ^ 2", "(-2 ^ 2)"),
            ("- a ^ 2", "((- a) ^ 2)"),
            ("-a::int", "(- (a::int))"),
            ("-5::int2", "(- (5::int2))"),
            ("(-5)::int2", "(-5::int2)"),
            ("a || b + c", "(a || (b + c))"),
            ("a + b || c", "((a + b) || c)"),
            ("@ -5 + 2", "(@ (-5 + 2))"),
            ("@ a || b", "((@ a) || b)"),
            ("a = b || c", "(a = (b || c))"),
            ("NOT a = b", "(NOT (a = b))"),
            ("NOT NOT a", "(NOT (NOT a))"),
            ("a OR b AND NOT c", "(a OR (b AND (NOT c)))"),
            ("a AND b AND c OR d", "((a AND b AND c) OR d)"),
            ("(a AND b) AND c", "((a AND b) AND c)"),
            ("a < b IS NULL", "((a < b) IS NULL)"),
            ("a = b IS DISTINCT FROM c = d", "((a = b) DISTINCT (c = d))"),
            ("a IS NULL = b", "((a IS NULL) = b)"),
            ("a + b IS NOT NULL", "((a + b) IS NOT NULL)"),
            ("a IS NULL IS NULL", "((a IS NULL) IS NULL)"),
            ("a ISNULL AND b NOTNULL", "((a IS NULL) AND (b IS NOT NULL))"),
            ("a BETWEEN 1 AND 2 AND b", "((a BETWEEN 1 AND 2) AND b)"),
            ("a BETWEEN 1 + 1 AND 2 * 2 OR b", "((a BETWEEN (1 + 1) AND (2 * 2)) OR b)"),
            ("a LIKE b || c AND d", "((a like (b || c)) AND d)"),
            ("a = b LIKE c", "(a = (b like c))"),
            ("a IN (1, 2) = b", "((a IN 1,2) = b)"),
            ("a -> 'b' = 'c'", "((a -> 'b') = 'c')"),
            ("a -> 'b' ->> 'c'", "((a -> 'b') ->> 'c')"),
            ("a ~ 'x' AND b !~* 'y'", "((a ~ 'x') AND (b !~* 'y'))"),
            ("a AT TIME ZONE 'UTC' + b", "((a AT 'UTC') + b)"),
            ("a + b AT TIME ZONE 'UTC'", "(a + (b AT 'UTC'))"),
            ("a || b COLLATE \"C\"", "(a || (b COLLATE C))"),
            ("a::text COLLATE \"C\"", "((a::text) COLLATE C)"),
            ("a::int::text", "((a::int)::text)"),
            ("a[1]::int", "(a[]::int)"),
            ("1 OPERATOR(pg_catalog.+) 2 * 3", "(1 + (2 * 3))"),
            ("a != b", "(a <> b)"),
            ("a == b", "(a = b)"),
            ("a % b * c / d", "(((a % b) * c) / d)"),
            ("~ a # b", "((~ a) # b)"),
            ("+ a", "(+ a)"),
            ("- - 5", "5"),
            ("a - -5", "(a - -5)"),
            ("a IS TRUE AND b IS NOT UNKNOWN", "((a IS true) AND (b IS unknown))"),
            ("a <= b AND c >= d", "((a <= b) AND (c >= d))"),
        ])
    func precedence(_ sql: String, _ expected: String) throws {
        #expect(try shape(sql) == expected)
    }

    @Test(
        "Comparisons and their kin do not associate",
        arguments: [
            "a < b < c", "a = b = c", "a LIKE b LIKE c", "a BETWEEN 1 AND 2 BETWEEN 3 AND 4", "a <> b = c",
            "a LIKE b IN (1)",
        ])
    func nonAssociative(_ sql: String) {
        #expect(throws: QueryError.self) { try StatementParser.parseExpression(sql) }
    }

    /// The text and what it prints as; nil where it prints as it stands.
    static let constructs: [(String, String?)] = [
        // Constants
        ("1", nil), ("9223372036854775807", nil), ("9223372036854775808", nil), ("-9223372036854775808", nil),
        ("1.5", nil), (".5", nil), ("1.", nil), ("1e10", nil), ("1.5E-3", nil), ("-1.5", nil), ("007", "7"),
        ("NULL", nil), ("true", "TRUE"), ("FALSE", nil), ("'it''s'", nil), ("''", nil),
        ("'a'\n  'b'", "'ab'"), ("'a' -- comment\n 'b'", "'ab'"),
        (#"E'a\tb\n\\\'\x41\101\u0041\U00000042'"#, "'a\tb\n\\''AAAB'"), (#"E'\uD83D\uDE00'"#, "'😀'"),
        (#"U&'d\0061t\+000061'"#, "'data'"), ("U&'d!0061t' UESCAPE '!'", "'dat'"), ("N'x'", "'x'"),
        ("$$it's$$", "'it''s'"), ("$tag$a $$ b$tag$", "'a $$ b'"), ("'ä' || 'ö'", nil),
        ("date '2020-01-01'", nil), ("timestamp '2020-01-01'", nil),
        ("timestamp with time zone '2020-01-01'", "timestamptz '2020-01-01'"),
        ("timestamp(3) without time zone '2020-01-01'", "timestamp(3) '2020-01-01'"),
        ("time with time zone '10:00'", "timetz '10:00'"), ("interval '1' day", nil),
        ("interval '1-2' year to month", nil), ("interval '1 2:3' day to second(3)", nil), ("interval(3) '1s'", nil),
        ("interval '3' second(2)", nil), ("interval 3 day", "interval '3 day'"),
        ("double precision '1.5'", nil), ("numeric(4, 2) '1.5'", nil), ("char(3) 'abc'", nil),
        ("character varying(3) 'abc'", nil), ("pg_catalog.int4 '1'", nil), ("\"char\" 'x'", nil),
        ("float8(3) '1.5'", nil), ("\"select\"(3) 'x'", nil), ("größe '1'", nil), ("bool 't'", nil), ("json '{}'", nil),
        // Columns and parameters
        ("a", nil), ("A", "a"), ("\"A\"", nil), ("\"a\"", "a"), ("\"a\"\"b\"", nil), ("t.a", nil), ("s.t.a", nil),
        ("c.s.t.a", nil), ("U&\"d\\0061t\"", "dat"), ("\"select\"", nil), ("t.\"from\"", nil), ("$1", nil),
        ("größe", "\"größe\""),
        ("t.select", "t.\"select\""), ("name", nil), ("year", nil), ("\"values\"", nil),
        // Operators that print in a way of their own
        ("a OPERATOR(pg_catalog.~) b", nil), ("(a + b) * c", nil), ("a + b * c", nil), ("a - (b - c)", nil),
        ("(a = b) = c", nil), ("NOT (a AND b)", nil), ("(NOT a) = b", nil), ("- (-5)", "5"), ("- (- a)", "- -a"),
        ("(-1) ^ 2", "-1 ^ 2"), ("2 ^ -1", nil), ("(a OR b) AND c", nil), ("@ (a || b)", nil),
        ("(- a) :: int", "(-a)::int"),
        ("(a IS NULL) = b", nil), ("a IS NULL = b", "(a IS NULL) = b"),
        ("(a COLLATE \"C\") || b", "a COLLATE \"C\" || b"),
        // Predicates
        ("a IS NULL", nil), ("a IS NOT NULL", nil), ("a IS TRUE", nil), ("a IS NOT FALSE", nil), ("a IS UNKNOWN", nil),
        ("a IS DISTINCT FROM b", nil), ("a IS NOT DISTINCT FROM b", nil), ("a BETWEEN 1 AND 2", nil),
        ("a NOT BETWEEN SYMMETRIC 1 AND 2", nil), ("a BETWEEN ASYMMETRIC 1 AND 2", "a BETWEEN 1 AND 2"),
        ("a IN (1)", nil), ("a NOT IN (1, 2, 3)", nil), ("a IN (SELECT 1)", nil),
        ("a IN ((SELECT 1))", "a IN (SELECT 1)"),
        ("a IN ((SELECT 1), 2)", nil), ("(a, b) IN ((1, 2), (3, 4))", nil), ("a IN ((1, 2))", nil),
        ("a LIKE 'x%'", nil), ("a NOT LIKE 'x%' ESCAPE '!'", nil), ("a ILIKE b", nil),
        ("a NOT SIMILAR TO b ESCAPE 'c'", nil),
        ("a = ANY (ARRAY[1, 2])", nil), ("a = SOME (b)", "a = ANY (b)"), ("a <> ALL (SELECT 1)", nil),
        ("a LIKE ANY (b)", "a ~~ ANY (b)"), ("a NOT ILIKE ALL (b)", "a !~~* ALL (b)"), ("EXISTS (SELECT 1)", nil),
        ("NOT EXISTS (SELECT 1)", nil), ("(a, b) OVERLAPS (c, d)", nil), ("a IS NFC NORMALIZED", nil),
        ("a IS NOT NORMALIZED", "NOT a IS NORMALIZED"),
        // Subqueries, arrays, rows
        ("(SELECT 1)", nil), ("((SELECT 1))", "(SELECT 1)"), ("((SELECT 1) + 1)", "(SELECT 1) + 1"),
        ("((SELECT 1) UNION (SELECT 2))", "(SELECT 1 UNION SELECT 2)"),
        ("(((SELECT 1) LIMIT 1) UNION SELECT 2)", "((SELECT 1 LIMIT 1) UNION SELECT 2)"),
        ("((SELECT 1), 2)", nil), ("(((1)))", "1"), ("((1, 2))", "(1, 2)"), ("((1, 2), 3)", nil),
        ("ARRAY[1, 2]", nil), ("ARRAY[]::int[]", nil), ("ARRAY[[1, 2], [3, 4]]", "ARRAY[ARRAY[1, 2], ARRAY[3, 4]]"),
        ("[1, 2]", "ARRAY[1, 2]"), ("ARRAY(SELECT 1)", nil), ("a[1]", nil), ("a[1][2]", nil), ("a[1:2]", "a[1 : 2]"),
        ("a[:]", "a[ : ]"), ("a[1:]", "a[1 : ]"), ("(a || b)[1]", nil), ("(ARRAY[1, 2])[1]", "ARRAY[1, 2][1]"),
        ("(f(x))[1]", nil), ("$1[1]", nil), ("(a).b", nil), ("((a).b).c", "(a).b.c"), ("(a).b[1].c", nil),
        ("(ARRAY[a][1]).b", nil),
        ("(SELECT 1).x", "((SELECT 1)).x"), ("(f(x)).y", nil), ("a[1].b", nil), ("(a[1]).b", "a[1].b"),
        ("ROW(1, 2)", nil), ("ROW()", nil), ("(1, 2)", nil), ("ROW(t.*)", nil), ("(a, b) = (1, 2)", nil),
        // CASE, CAST
        ("CASE WHEN a THEN 1 END", nil), ("CASE a WHEN 1 THEN 'x' WHEN 2 THEN 'y' ELSE 'z' END", nil),
        ("CAST(a AS int)", "a::int"), ("a::numeric(10, 2)", nil), ("TRY_CAST(a AS int)", nil),
        ("(a + b)::text", nil), ("a::int[]", nil), ("a::int[3][]", nil), ("a::int ARRAY", "a::int[]"),
        ("a::timestamp(3) with time zone", "a::timestamptz(3)"), ("a::double precision", nil),
        ("a::character varying(5)", nil), ("a::national character(5)", "a::character(5)"), ("a::nchar", "a::character"),
        ("a::bit varying(3)", nil), ("a::interval year to month", nil), ("a::interval(2)", nil),
        ("a::\"char\"", nil), ("a::char", nil), ("a::pg_catalog.\"char\"", nil), ("a::dec(5)", "a::decimal(5)"),
        ("a::time without time zone", "a::time"), ("a::\"My Type\"", nil), ("a::s.t", nil),
        // Functions
        ("f()", nil), ("f(1, 2)", nil), ("s.f(1)", nil), ("count(*)", nil), ("count(DISTINCT a)", nil),
        ("sum(ALL a)", "sum(a)"),
        ("f(a => 1, b := 2)", "f(a => 1, b => 2)"), ("f(VARIADIC a)", nil), ("f(1, VARIADIC a)", nil),
        ("string_agg(a, ',' ORDER BY b DESC NULLS LAST, c)", nil),
        ("percentile_cont(0.5) WITHIN GROUP (ORDER BY a)", nil), ("sum(a) FILTER (WHERE b > 0)", nil),
        ("row_number() OVER ()", nil), ("sum(a) OVER w", nil), ("lag(a) IGNORE NULLS OVER w", nil),
        ("first_value(a RESPECT NULLS) OVER w", "first_value(a) RESPECT NULLS OVER w"),
        ("sum(a) FILTER (WHERE b) OVER (PARTITION BY c, d ORDER BY e)", nil),
        ("sum(a) OVER (w ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)", nil),
        ("sum(a) OVER (ORDER BY b RANGE UNBOUNDED PRECEDING EXCLUDE TIES)", nil),
        (
            "sum(a) OVER (ORDER BY b GROUPS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW)",
            nil
        ),
        ("sum(a) OVER (ORDER BY b RANGE BETWEEN interval '1' day PRECEDING AND 2 + 3 FOLLOWING EXCLUDE GROUP)", nil),
        ("sum(a) OVER (ROWS 2 PRECEDING EXCLUDE NO OTHERS)", nil),
        ("left('abc', 2)", nil), ("right('abc', 2)", nil), ("\"coalesce\"(1)", nil), ("count(t.*)", nil),
        ("EXTRACT(year FROM a)", nil), ("extract('epoch' from a)", "EXTRACT(epoch FROM a)"),
        ("EXTRACT(day FROM interval '1' day)", nil),
        ("SUBSTRING(a FROM 1 FOR 2)", nil), ("SUBSTRING(a FROM 2)", nil),
        ("substring(a for 2)", "SUBSTRING(a FROM 1 FOR 2)"),
        ("substring(a, 1, 2)", nil), ("SUBSTRING(a SIMILAR 'x' ESCAPE '#')", nil),
        ("substring('ab' similar b escape c)", "SUBSTRING('ab' SIMILAR b ESCAPE c)"),
        ("POSITION('a' IN b)", nil), ("OVERLAY(a PLACING b FROM 1 FOR 2)", nil), ("overlay(a, b, 1)", nil),
        ("TRIM(a)", "TRIM(FROM a)"), ("TRIM(LEADING 'x' FROM a)", nil),
        ("trim(trailing from a)", "TRIM(TRAILING FROM a)"),
        ("TRIM(BOTH 'x' FROM a)", "TRIM('x' FROM a)"), ("trim(a, 'x')", "TRIM('x' FROM a)"),
        ("NORMALIZE(a, NFC)", nil), ("COLLATION FOR (a)", nil), ("COALESCE(a, b, 1)", nil), ("NULLIF(a, b)", nil),
        ("GREATEST(a, b)", nil), ("least(a)", "LEAST(a)"), ("GROUPING(a, b)", nil),
        ("CURRENT_DATE", nil), ("current_timestamp(3)", "CURRENT_TIMESTAMP(3)"), ("LOCALTIME", nil),
        ("LOCALTIMESTAMP", nil),
        ("CURRENT_TIME", nil), ("CURRENT_USER", nil), ("SESSION_USER", nil), ("user", "USER"), ("CURRENT_CATALOG", nil),
        ("CURRENT_SCHEMA", nil), ("current_schema()", nil), ("CURRENT_ROLE", nil), ("date_part('year', a)", nil),
        ("a AT TIME ZONE 'UTC'", nil), ("date(a)", nil), ("\"try_cast\"(a)", nil), ("text(a)", nil),
    ]

    @Test("Every construct parses, and its print parses to the same tree", arguments: ExpressionTests.constructs)
    func construct(_ sql: String, _ expected: String?) throws {
        let tree = try StatementParser.parseExpression(sql)
        let text = SyntaxPrinter.text(of: tree)
        #expect(text == expected ?? sql)
        #expect(try StatementParser.parseExpression(text) == tree)
    }

    @Test("Positions count scalars and point at operators, names and constants")
    func positions() throws {
        let tree = try StatementParser.parseExpression("'äöü' || größe(x) ")
        #expect(tree.position.offset == 6)
        guard case .binary(_, let left, let right) = tree.kind else {
            Issue.record("not an operator")
            return
        }
        #expect(left.position.offset == 0)
        #expect(right.position.offset == 9)
    }

    @Test("Special functions carry the arguments of the plain ones")
    func specialFunctions() throws {
        func call(_ sql: String) throws -> String {
            guard case .function(let call) = try StatementParser.parseExpression(sql).kind else { return "" }
            return call.name.last + "(" + call.arguments.map { SyntaxPrinter.text(of: $0.value) }.joined(separator: ",")
                + ")"
        }
        #expect(try call("EXTRACT(YEAR FROM a)") == "extract('year',a)")
        #expect(try call("POSITION(a IN b)") == "position(b,a)")
        #expect(try call("SUBSTRING(a FOR 3)") == "substring(a,1,3)")
        #expect(try call("TRIM(LEADING 'x' FROM a)") == "ltrim(a,'x')")
        #expect(try call("TRIM(TRAILING FROM a)") == "rtrim(a)")
        #expect(try call("TRIM(a)") == "btrim(a)")
        #expect(try call("OVERLAY(a PLACING b FROM 1)") == "overlay(a,b,1)")
        #expect(try call("(a, b) OVERLAPS (c, d)") == "overlaps(a,b,c,d)")
    }
}
