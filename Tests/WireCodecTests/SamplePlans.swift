// One plan that holds every node, expression, type and value there is.

import Columnar
import Diagnostics
import QueryPlan
import Storage
import Transport
import TransportConformance
import WireCodec

enum SamplePlans {
    static let schema = Schema([
        Field(name: "a", type: .int32, isNullable: false), Field(name: "b", type: .text),
        Field(name: "größe", type: .decimal(precision: 15, scale: 2)),
    ])
    static let input = Expression.input(0, .int32)

    static var literals: [Expression] {
        var result: [Expression] = []
        for type in SampleBatches.types + [.array(.array(.text))] {
            result.append(.null(type))
            result.append(.literal(SampleBatches.value(type, 5), type))
        }
        result += [
            .literal(.integer(.min), .int64), .literal(.integer(.max), .int64),
            .literal(.decimal(.min), .decimal(precision: 38, scale: 0)),
            .literal(.float(.infinity), .float64), .literal(.float(-0.0), .float64),
        ]
        return result
    }

    static var expressions: [Expression] {
        let call = Expression.call(
            ScalarCall(name: "+", arguments: [input, .literal(.integer(1), .int32)], type: .int32, volatility: .stable))
        return literals + [
            .column(ColumnID(7), .date), input, .parameter(2, .uuid), call, .cast(input, to: .text, kind: .strict),
            .cast(input, to: .varchar(length: 3), kind: .lenient),
            .conditional([ConditionalBranch(condition: .true, result: call)], otherwise: .null(.int32), type: .int32),
            .and([.true, .false]), .or([.true, .not(.false)]), .isNull(input),
            .inList(input, [.integer(1), .null, .integer(-3)]), .coalesce([input, call], type: .int32),
            .comparison("<=", input, call),
        ]
    }

    static let keys = [SortKey(input, isDescending: true), SortKey(.input(1, .text), nullsFirst: true)]

    static func node(_ id: Int, _ kind: PhysicalNode.Kind) -> PhysicalNode {
        PhysicalNode(id: id, kind: kind, output: schema, estimatedRowCount: Double(id) * 1.5)
    }

    static var nodes: [PhysicalNode] {
        let table = TableName(catalog: "c", schema: "s", table: "t")
        let scan = node(
            1, .scan(ScanNode(table: table, projection: [2, 0], predicates: [.isNull(input)], limit: 10)))
        let values = node(2, .values(ValuesNode(rows: [expressions, []])))
        let calls = [
            AggregateCall(
                name: "sum", arguments: [input], isDistinct: true, filter: .true, ordering: keys, type: .int64),
            AggregateCall(name: "count", arguments: [], type: .int64),
        ]
        let bounds: [FrameBound] = [
            .unboundedPreceding, .unboundedFollowing, .currentRow, .preceding(input), .following(input),
        ]
        let windows = bounds.map { bound in
            WindowCall(
                name: "lag", isAggregate: false, arguments: [input], filter: .true, ignoresNulls: true,
                frame: WindowFrame(unit: .groups, start: bound, end: .currentRow, exclusion: .ties), type: .int32)
        }
        var nodes = [scan, values]
        nodes.append(node(3, .filter(FilterNode(predicate: .true, input: scan))))
        nodes.append(node(4, .project(ProjectNode(expressions: expressions, input: scan))))
        for mode in [AggregateNode.Mode.single, .partial, .final] {
            nodes.append(
                node(
                    5,
                    .aggregate(
                        AggregateNode(
                            mode: mode, groups: [input, input], groupingSets: [[0, 1], [1], []], aggregates: calls,
                            input: scan))))
        }
        for kind in [JoinKind.inner, .left, .right, .full, .semi, .anti, .mark, .single] {
            nodes.append(
                node(
                    6,
                    .hashJoin(
                        HashJoinNode(
                            kind: kind, leftKeys: [input], rightKeys: [input], nullsAreEqual: [true], residual: .true,
                            isNullAware: true, outputColumns: [1, 0], isBroadcast: true, left: scan, right: values))))
        }
        nodes.append(
            node(7, .nestedLoopJoin(NestedLoopJoinNode(kind: .full, condition: .true, left: scan, right: values))))
        nodes.append(node(8, .sort(SortNode(keys: keys, limit: 5, offset: 2, withTies: true, input: scan))))
        nodes.append(node(9, .limit(LimitNode(limit: nil, offset: 3, input: scan))))
        nodes.append(node(10, .union(UnionNode(inputs: [scan, values]))))
        nodes.append(
            node(11, .window(WindowNode(partitions: [input], ordering: keys, calls: windows, input: scan))))
        nodes.append(
            node(
                12,
                .tableFunction(
                    TableFunctionNode(
                        name: "unnest", arguments: [input], functionTypes: [.int32], withOrdinality: true,
                        isOuter: true, input: scan))))
        nodes.append(
            node(
                13,
                .recursive(
                    RecursiveNode(
                        workingTable: 4, keepsDuplicates: true, base: scan, step: node(14, .workingTable(4))))))
        nodes.append(node(15, .write(WriteNode(target: .insert(table), input: scan))))
        nodes.append(
            node(
                16,
                .write(
                    WriteNode(
                        target: .file(
                            path: "/tmp/x.csv", format: "csv", options: ["header": "true", "delimiter": ";"],
                            columns: schema.fields), input: scan))))
        nodes.append(node(17, .exchangeSource(ExchangeSourceNode(stage: StageID(3), mergeKeys: keys))))
        return nodes
    }

    static var plan: PhysicalPlan {
        let placements: [StagePlacement] = [.workers, .anyWorker, .coordinator]
        let outputs: [OutputPartitioning] = [.single, .hash([0, 2]), .broadcast, .roundRobin]
        return PhysicalPlan(
            stages: nodes.enumerated().map { index, node in
                PlanStage(
                    id: StageID(index), root: node, placement: placements[index % 3], output: outputs[index % 4],
                    filters: index == 1 ? [filter] : [])
            })
    }

    static let filter = StageFilter(
        number: 3, publisher: StageID(1), join: 5, key: 1, reader: StageID(4), scan: 9, column: 2)

    static var task: TaskDescriptor {
        let attempt = TaskAttemptID(
            query: QueryID("018f"), queryAttempt: 1, stage: StageID(2), partition: 3, attempt: 4)
        let location = TaskLocation(
            attempt: attempt, worker: WorkerID("w1"), endpoint: Endpoint(host: "::1", port: 7000), transport: "tcp")
        return TaskDescriptor(
            attempt: attempt, stage: plan.stages[1], outputPartitionCount: 4,
            filterRoutes: [3: StageFilterRoute(firstPartition: 4, readerCount: 2, publishers: [location])],
            sources: [StageID(3): [location, location], StageID(1): []],
            splits: [1: [Split(payload: [1, 2, 3], estimatedRowCount: 10, estimatedByteCount: 99)], 0: []],
            catalogs: [CatalogDescriptor(name: "local", type: "files", values: ["path": "/data", "a": "b"])],
            statementTimestamp: 1_700_000_000_000_000, timeZone: "Europe/Berlin", memoryByteLimit: 1 << 30)
    }
}
