// The 22 queries of TPC-H bind, and their plans hold together.

import Columnar
import Diagnostics
import Foundation
import LogicalPlanner
import QueryPlan
import SQLParser
import Storage
import Testing

struct TPCHBindingTests {
    private static let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures/tpch/queries")

    @Test(arguments: 1...22)
    func binds(_ number: Int) async throws {
        let file = Self.directory.appendingPathComponent(number < 10 ? "q0\(number).sql" : "q\(number).sql")
        let sql = try String(contentsOf: file, encoding: .utf8)
        let catalog = Catalog()
        catalog.add(SchemaOnlyBackend(Self.tables), name: "martlet", origin: CatalogOrigin(type: "memory"))
        let binder = Binder(catalog: catalog, registry: TestFunctions.registry, session: BindingFixture.session)
        let statements = try StatementParser.parse(sql)
        let result = try await binder.bind(statements[0].statement)
        guard case .query(let plan, let names, let types) = result.statement else {
            Issue.record("not a query")
            return
        }
        #expect(plan.columns.map(\.type) == types && names.count == types.count && !types.contains(.unknown))
        #expect(PlanCheck.problems(plan) == [])
        if let wanted = ProcessInfo.processInfo.environment["MARTLET_PRINT_PLAN"], wanted == String(number) {
            print(LogicalPlanPrinter.text(plan))
        }
    }

    private static let money = DataType.decimal(precision: 15, scale: 2)
    private static func fields(_ prefix: String, _ columns: [(String, DataType)]) -> [Field] {
        columns.map { Field(name: prefix + "_" + $0.0, type: $0.1) }
    }
    static let tables: [String: [Field]] = [
        "region": fields("r", [("regionkey", .int64), ("name", .text), ("comment", .text)]),
        "nation": fields("n", [("nationkey", .int64), ("name", .text), ("regionkey", .int64), ("comment", .text)]),
        "supplier": fields(
            "s",
            [
                ("suppkey", .int64), ("name", .text), ("address", .text), ("nationkey", .int64), ("phone", .text),
                ("acctbal", money), ("comment", .text),
            ]),
        "customer": fields(
            "c",
            [
                ("custkey", .int64), ("name", .text), ("address", .text), ("nationkey", .int64), ("phone", .text),
                ("acctbal", money), ("mktsegment", .text), ("comment", .text),
            ]),
        "part": fields(
            "p",
            [
                ("partkey", .int64), ("name", .text), ("mfgr", .text), ("brand", .text), ("type", .text),
                ("size", .int32), ("container", .text), ("retailprice", money), ("comment", .text),
            ]),
        "partsupp": fields(
            "ps",
            [
                ("partkey", .int64), ("suppkey", .int64), ("availqty", .int32), ("supplycost", money),
                ("comment", .text),
            ]),
        "orders": fields(
            "o",
            [
                ("orderkey", .int64), ("custkey", .int64), ("orderstatus", .text), ("totalprice", money),
                ("orderdate", .date), ("orderpriority", .text), ("clerk", .text), ("shippriority", .int32),
                ("comment", .text),
            ]),
        "lineitem": fields(
            "l",
            [
                ("orderkey", .int64), ("partkey", .int64), ("suppkey", .int64), ("linenumber", .int32),
                ("quantity", money), ("extendedprice", money), ("discount", money), ("tax", money),
                ("returnflag", .text), ("linestatus", .text), ("shipdate", .date), ("commitdate", .date),
                ("receiptdate", .date), ("shipinstruct", .text), ("shipmode", .text), ("comment", .text),
            ]),
    ]
}

/// Checks that each node of a plan refers only to columns that its inputs or outer queries make, that identities are
/// made once, and that no type is left open.
enum PlanCheck {
    static func problems(_ plan: LogicalPlan) -> [String] {
        var made: Set<ColumnID> = []
        var result: [String] = []
        check(plan, outer: [], &made, &result)
        return result
    }

    private static func check(
        _ plan: LogicalPlan, outer: Set<ColumnID>, _ made: inout Set<ColumnID>, _ problems: inout [String]
    ) {
        let inputs = plan.inputs
        var visible = outer
        for (index, input) in inputs.enumerated() {
            var inputOuter = outer
            if case .join(let node) = plan, node.isDependent, index == 1 { inputOuter.formUnion(inputs[0].columnIDs) }
            check(input, outer: inputOuter, &made, &problems)
            visible.formUnion(input.columnIDs)
        }
        let passed = inputs.reduce(into: Set<ColumnID>()) { $0.formUnion($1.columnIDs) }
        for column in plan.columns {
            if column.type == .unknown { problems.append("\(column.name)\(column.id) has no type") }
            if !passed.contains(column.id), !made.insert(column.id).inserted {
                problems.append("\(column.name)\(column.id) is made twice")
            }
        }
        if Set(plan.columns.map(\.id)).count != plan.columns.count { problems.append("a column stands twice") }
        if case .scan = plan { visible.formUnion(plan.columnIDs) }
        for expression in plan.expressions { check(expression, visible, &made, &problems) }
    }

    private static func check(
        _ expression: QueryPlan.Expression, _ visible: Set<ColumnID>, _ made: inout Set<ColumnID>,
        _ problems: inout [String]
    ) {
        switch expression {
        case .column(let id, _): if !visible.contains(id) { problems.append("\(id) is not in sight") }
        case .subquery(let subquery): check(subquery.plan, outer: visible, &made, &problems)
        default: break
        }
        if let (name, left, right) = expression.asComparison, left.type != right.type {
            problems.append("\(name) compares \(left.type.sqlName) with \(right.type.sqlName)")
        }
        for child in expression.children { check(child, visible, &made, &problems) }
    }
}
