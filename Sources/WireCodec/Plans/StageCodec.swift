// Stages and whole plans; scan requests and splits.

import Diagnostics
import QueryPlan
import Storage

extension ByteWriter {
    package mutating func stage(_ stage: PlanStage) throws(QueryError) {
        int(stage.id.number)
        try node(stage.root)
        switch stage.placement {
        case .workers: byte(0)
        case .anyWorker: byte(1)
        case .coordinator: byte(2)
        }
        switch stage.output {
        case .single: byte(0)
        case .hash(let columns):
            byte(1)
            try positions(columns)
        case .broadcast: byte(2)
        case .roundRobin: byte(3)
        case .copies: byte(4)
        }
        try list(stage.filters) { (writer, filter) throws(QueryError) in
            writer.int(filter.number)
            writer.int(filter.publisher.number)
            writer.int(filter.join)
            writer.int(filter.key)
            writer.int(filter.reader.number)
            writer.int(filter.scan)
            writer.int(filter.column)
        }
    }

    package mutating func scanRequest(_ request: ScanRequest) throws(QueryError) {
        try positions(request.projection)
        try expressions(request.predicates)
        try optionalInt(request.limit)
    }

    package mutating func split(_ split: Split) {
        data(split.payload)
        int(split.estimatedRowCount)
        int(split.estimatedByteCount)
    }
}

extension ByteReader {
    package mutating func stage() throws(QueryError) -> PlanStage {
        let id = StageID(try int())
        let root = try node()
        let placement: StagePlacement
        switch try byte() {
        case 0: placement = .workers
        case 1: placement = .anyWorker
        case 2: placement = .coordinator
        default: throw .corrupt("an unknown placement of a stage")
        }
        let output: OutputPartitioning
        switch try byte() {
        case 0: output = .single
        case 1:
            let columns = try positions()
            guard columns.allSatisfy({ $0 < root.output.count }) else {
                throw .corrupt("a partitioning by a column that does not exist")
            }
            output = .hash(columns)
        case 2: output = .broadcast
        case 3: output = .roundRobin
        case 4: output = .copies
        default: throw .corrupt("an unknown partitioning")
        }
        let filters = try list { (reader) throws(QueryError) in
            StageFilter(
                number: try reader.int(), publisher: StageID(try reader.int()), join: try reader.int(),
                key: try reader.position(), reader: StageID(try reader.int()), scan: try reader.int(),
                column: try reader.position())
        }
        return PlanStage(id: id, root: root, placement: placement, output: output, filters: filters)
    }

    package mutating func scanRequest() throws(QueryError) -> ScanRequest {
        ScanRequest(
            projection: try positions(), predicates: try expressions(),
            limit: try optional { (reader) throws(QueryError) in try reader.position() })
    }

    package mutating func split() throws(QueryError) -> Split {
        Split(payload: try data(), estimatedRowCount: try int(), estimatedByteCount: try int())
    }
}

/// Splits that follow a task.
package enum SplitCodec {
    package static func encode(_ splits: [Split]) throws(QueryError) -> [UInt8] {
        var writer = ByteWriter()
        try writer.list(splits) { (writer, split) throws(QueryError) in writer.split(split) }
        return writer.bytes
    }

    package static func decode(_ bytes: [UInt8]) throws(QueryError) -> [Split] {
        var reader = ByteReader(bytes)
        let splits = try reader.list { (reader) throws(QueryError) in try reader.split() }
        try reader.finish()
        return splits
    }
}

/// Whole plans as bytes, with a version in front.
package enum PlanCodec {
    package static func encode(_ plan: PhysicalPlan) throws(QueryError) -> [UInt8] {
        var writer = ByteWriter()
        writer.unsigned(UInt64(WireVersion.plan))
        try writer.list(plan.stages) { (writer, stage) throws(QueryError) in try writer.stage(stage) }
        return writer.bytes
    }

    package static func decode(_ bytes: [UInt8]) throws(QueryError) -> PhysicalPlan {
        var reader = ByteReader(bytes)
        try reader.version()
        let stages = try reader.list { (reader) throws(QueryError) in try reader.stage() }
        try reader.finish()
        guard !stages.isEmpty else { throw .corrupt("a plan without stages") }
        return PhysicalPlan(stages: stages)
    }
}

extension ByteReader {
    /// Refuses every version of the plan format but the current one.
    package mutating func version() throws(QueryError) {
        let version = try unsigned()
        guard version == UInt64(WireVersion.plan) else {
            throw QueryError(
                .versionMismatch, "the plan has version \(version), this node runs version \(WireVersion.plan)")
        }
    }
}
