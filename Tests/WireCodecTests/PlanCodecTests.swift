// Plans, tasks and errors as bytes: round trips, fixed bytes, and damaged ones.

import Columnar
import Diagnostics
import Foundation
import QueryPlan
import Storage
import Testing
import TransportConformance

@testable import WireCodec

@Suite struct PlanCodecTests {
    @Test func everyNodeComesBack() throws {
        for node in SamplePlans.nodes {
            let plan = PhysicalPlan(
                stages: [PlanStage(id: StageID(0), root: node, placement: .workers, output: .single)])
            #expect(try PlanCodec.decode(try PlanCodec.encode(plan)) == plan)
        }
        #expect(try PlanCodec.decode(try PlanCodec.encode(SamplePlans.plan)) == SamplePlans.plan)
    }

    @Test func everyExpressionComesBack() throws {
        for expression in SamplePlans.expressions {
            var writer = ByteWriter()
            try writer.expression(expression)
            var reader = ByteReader(writer.bytes)
            #expect(try reader.expression() == expression)
            #expect(reader.isAtEnd)
        }
    }

    @Test func taskComesBack() throws {
        let task = SamplePlans.task
        let got = try TaskCodec.decode(try TaskCodec.encode(task))
        #expect(got.attempt == task.attempt)
        #expect(got.stage == task.stage)
        #expect(got.outputPartitionCount == task.outputPartitionCount)
        #expect(got.filterRoutes == task.filterRoutes)
        #expect(got.publishedHintCount == 2)
        #expect(got.sources == task.sources)
        #expect(got.splits == task.splits)
        #expect(got.catalogs == task.catalogs)
        #expect(got.statementTimestamp == task.statementTimestamp)
        #expect(got.timeZone == task.timeZone)
        #expect(got.memoryByteLimit == task.memoryByteLimit)
    }

    @Test func storeQueriesComeBack() throws {
        let input = Expression.input(0, .int32)
        let call = AggregateCall(name: "sum", arguments: [input], type: .int64)
        let queries = [
            StoreQuery(
                predicates: [.comparison("<", input, .literal(.integer(3), .int32))],
                grouping: StoreQuery.Grouping(groups: [input], aggregates: [call])),
            StoreQuery(predicates: [], ordering: [SortKey(input, isDescending: true)], limit: 7),
            StoreQuery(
                joins: StoreQuery.Joins(
                    tables: [
                        StoreQuery.Table(
                            name: TableName(catalog: "c", schema: "s", table: "u"), description: "a\0b",
                            columnCount: 2)
                    ],
                    restrictions: [
                        StoreQuery.Restriction(
                            isNegated: true,
                            tables: [
                                StoreQuery.Table(
                                    name: TableName(catalog: "c", schema: "s", table: "v"), description: "",
                                    columnCount: 1)
                            ], predicates: [.comparison("=", input, .input(3, .int32))])
                    ], output: [2, 0]), predicates: [.comparison("=", input, .input(1, .int32))]),
            StoreQuery(
                joins: StoreQuery.Joins(
                    tables: [],
                    extensions: [
                        StoreQuery.Extension(
                            tables: [
                                StoreQuery.Table(
                                    name: TableName(catalog: "c", schema: "s", table: "w"), description: "d",
                                    columnCount: 3)
                            ], predicates: [.comparison("=", input, .input(2, .int32))])
                    ], restrictions: [], output: [0, 3]), predicates: []),
        ]
        for query in queries {
            let table = TableName(catalog: "c", schema: "s", table: "t")
            let node = PhysicalNode(
                id: 1, kind: .scan(ScanNode(table: table, projection: [4], limit: query.limit, storeQuery: query)),
                output: Schema([Field(name: "x", type: .int32)]), estimatedRowCount: 2)
            let stage = PlanStage(id: StageID(0), root: node, placement: .workers, output: .single)
            let plan = PhysicalPlan(stages: [stage])
            #expect(try PlanCodec.decode(PlanCodec.encode(plan)) == plan)
        }
    }

    @Test func scanRequestComesBack() throws {
        let request = ScanRequest(projection: [3, 1], predicates: SamplePlans.expressions, limit: 4)
        var writer = ByteWriter()
        try writer.scanRequest(request)
        var reader = ByteReader(writer.bytes)
        let got = try reader.scanRequest()
        #expect(got.projection == request.projection)
        #expect(got.predicates == request.predicates)
        #expect(got.limit == request.limit)
    }

    @Test func errorComesBackWithEveryField() {
        let error = QueryError(
            .divisionByZero, "m", detail: "d", hint: "h", at: SourcePosition(offset: 3), object: "o",
            cause: RemoteCause("c"))
        let got = ErrorCodec.decode(ErrorCodec.encode(error))
        #expect(got.state == error.state)
        #expect(got.message == "m")
        #expect(got.detail == "d")
        #expect(got.hint == "h")
        #expect(got.position == error.position)
        #expect(got.object == "o")
        #expect(got.cause as? RemoteCause == RemoteCause("c"))
        #expect(ErrorCodec.decode([1, 2, 3]).state == .dataCorrupted)
    }

    @Test func anotherVersionIsRefused() throws {
        var bytes = try PlanCodec.encode(SamplePlans.plan)
        bytes[0] = 99
        let error = #expect(throws: QueryError.self) { try PlanCodec.decode(bytes) }
        #expect(error?.state == .versionMismatch)
    }

    @Test func tooDeepPlansAreRefusedOnBothSides() throws {
        var deep = SamplePlans.input
        for _ in 0..<600 { deep = .not(deep) }
        var writer = ByteWriter()
        let error = #expect(throws: QueryError.self) { try writer.expression(deep) }
        #expect(error?.state == .statementTooComplex)
        // A hundred thousand NOTs, as no writer makes them.
        var reader = ByteReader([UInt8](repeating: 9, count: 100_000))
        #expect(throws: QueryError.self) { try reader.expression() }
    }

    @Test func subqueriesDoNotTravel() throws {
        let plan = LogicalPlan.values(LogicalValues(columns: [], rows: []))
        var writer = ByteWriter()
        #expect(throws: QueryError.self) {
            try writer.expression(.subquery(SubqueryExpression(kind: .exists, plan: plan, type: .boolean)))
        }
    }

    @Test func everyTruncationIsNoticed() throws {
        let bytes = try TaskCodec.encode(SamplePlans.task)
        for size in 0..<bytes.count {
            #expect(throws: QueryError.self) { try TaskCodec.decode(Array(bytes[..<size])) }
        }
    }

    @Test func damagedBytesNeverCrash() throws {
        let plan = try PlanCodec.encode(SamplePlans.plan)
        let task = try TaskCodec.encode(SamplePlans.task)
        var random = SplitMix(state: 3)
        var failures = 0
        for _ in 0..<3000 {
            var bytes = random.next() % 2 == 0 ? plan : task
            for _ in 0..<Int(1 + random.next() % 6) {
                let position = Int(random.next() % UInt64(bytes.count))
                bytes[position] = UInt8(truncatingIfNeeded: random.next())
            }
            do { _ = try PlanCodec.decode(bytes) } catch { failures += 1 }
            do { _ = try TaskCodec.decode(bytes) } catch { failures += 1 }
        }
        for size in 0..<2000 {
            let bytes = [1] + (0..<size % 200).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            do { _ = try PlanCodec.decode(bytes) } catch { failures += 1 }
        }
        #expect(failures > 3000)
    }

    /// The bytes of version 1. `MARTLET_UPDATE_GOLDEN=1` writes them anew, which is right only together with a new
    /// `WireVersion`, or before the first release.
    @Test func bytesAreThoseOfTheVersion() throws {
        var expressions = ByteWriter()
        try expressions.expressions(SamplePlans.expressions)
        var samples: [(name: String, bytes: [UInt8])] = [
            ("plan", try PlanCodec.encode(SamplePlans.plan)), ("task", try TaskCodec.encode(SamplePlans.task)),
            ("expressions", expressions.bytes),
        ]
        let frames = try FrameTests.frames([
            SampleBatches.batch(rows: 20, nulls: true), SampleBatches.constants.projecting([4, 9]),
            SampleBatches.dictionaries(nulls: true).projecting([4, 9]),
        ])
        samples.append(("frames", frames.flatMap { Array($0.bytes) }))
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Fixtures/wire/v1")
        let update = ProcessInfo.processInfo.environment["MARTLET_UPDATE_GOLDEN"] == "1"
        for sample in samples {
            let file = folder.appendingPathComponent("\(sample.name).bin")
            if update {
                try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
                try Data(sample.bytes).write(to: file)
            } else {
                let golden = try Data(contentsOf: file)
                #expect(golden == Data(sample.bytes), "the bytes of \(sample.name) have changed")
            }
        }
    }
}
