// Task descriptors as bytes.

import Columnar
import Diagnostics
import QueryPlan
import Storage
import Transport

/// What a transport carries to a worker. Equal descriptors have equal bytes: dictionaries travel sorted by key.
package enum TaskCodec {
    package static func encode(_ task: TaskDescriptor) throws(QueryError) -> [UInt8] {
        var writer = ByteWriter()
        writer.unsigned(UInt64(WireVersion.plan))
        writer.attempt(task.attempt)
        try writer.stage(task.stage)
        writer.int(task.outputPartitionCount)
        try writer.list(task.filterRoutes.sorted { $0.key < $1.key }) { (writer, route) throws(QueryError) in
            writer.int(route.key)
            writer.int(route.value.firstPartition)
            writer.int(route.value.readerCount)
            try writer.list(route.value.publishers) { (writer, location) throws(QueryError) in
                writer.location(location)
            }
        }
        try writer.list(task.sources.sorted { $0.key < $1.key }) { (writer, source) throws(QueryError) in
            writer.int(source.key.number)
            try writer.list(source.value) { (writer, location) throws(QueryError) in writer.location(location) }
        }
        try writer.list(task.splits.sorted { $0.key < $1.key }) { (writer, scan) throws(QueryError) in
            writer.int(scan.key)
            try writer.list(scan.value) { (writer, split) throws(QueryError) in writer.split(split) }
        }
        try writer.list(task.catalogs) { (writer, catalog) throws(QueryError) in try writer.catalog(catalog) }
        writer.signed(task.statementTimestamp)
        writer.string(task.timeZone)
        writer.int(task.memoryByteLimit)
        // Only tests vary how tasks run, few sessions change how values look, and small tables have all their splits: nothing is
        // written for the rest.
        let hasLateScans = !task.lateScans.isEmpty
        let hasStyle = task.textStyle != TextStyle() || hasLateScans
        if task.variation.changesBatches || hasStyle {
            writer.int(task.variation.batchRowCount ?? 0)
            writer.string(task.variation.encoding?.rawValue ?? "")
            if hasStyle { writer.data(task.textStyle.bytes) }
            if hasLateScans {
                try writer.list(task.lateScans.sorted()) { (writer, node) throws(QueryError) in writer.int(node) }
            }
        }
        return writer.bytes
    }

    package static func decode(_ bytes: [UInt8]) throws(QueryError) -> TaskDescriptor {
        var reader = ByteReader(bytes)
        try reader.version()
        let attempt = try reader.attempt()
        let stage = try reader.stage()
        let outputPartitionCount = try reader.position()
        let filterRoutes = try reader.list { (reader) throws(QueryError) in
            (
                try reader.int(),
                StageFilterRoute(
                    firstPartition: try reader.position(), readerCount: try reader.position(),
                    publishers: try reader.list { (reader) throws(QueryError) in try reader.location() })
            )
        }
        let sources = try reader.list { (reader) throws(QueryError) in
            (
                StageID(try reader.int()),
                try reader.list { (reader) throws(QueryError) in try reader.location() }
            )
        }
        let splits = try reader.list { (reader) throws(QueryError) in
            (try reader.int(), try reader.list { (reader) throws(QueryError) in try reader.split() })
        }
        let catalogs = try reader.list { (reader) throws(QueryError) in try reader.catalog() }
        let statementTimestamp = try reader.signed()
        let timeZone = try reader.string()
        let memoryByteLimit = try reader.position()
        var variation = ExecutionVariation()
        var textStyle = TextStyle()
        var lateScans: [Int] = []
        if !reader.isAtEnd {
            let batchRowCount = try reader.position()
            variation.batchRowCount = batchRowCount == 0 ? nil : batchRowCount
            variation.encoding = ExecutionVariation.Encoding(rawValue: try reader.string())
            if !reader.isAtEnd {
                guard let style = TextStyle(bytes: try reader.data()) else { throw .corrupt("a text style") }
                textStyle = style
                if !reader.isAtEnd { lateScans = try reader.list { (reader) throws(QueryError) in try reader.int() } }
            }
        }
        try reader.finish()
        return TaskDescriptor(
            attempt: attempt, stage: stage, outputPartitionCount: outputPartitionCount,
            filterRoutes: Dictionary(filterRoutes, uniquingKeysWith: { first, _ in first }),
            sources: Dictionary(sources, uniquingKeysWith: { first, _ in first }),
            splits: Dictionary(splits, uniquingKeysWith: { first, _ in first }), lateScans: Set(lateScans),
            catalogs: catalogs,
            statementTimestamp: statementTimestamp, timeZone: timeZone, textStyle: textStyle,
            memoryByteLimit: memoryByteLimit, variation: variation)
    }
}

extension ByteWriter {
    package mutating func attempt(_ attempt: TaskAttemptID) {
        string(attempt.query.text)
        int(attempt.queryAttempt)
        int(attempt.stage.number)
        int(attempt.partition)
        int(attempt.attempt)
    }
}

extension ByteWriter {
    fileprivate mutating func location(_ location: TaskLocation) {
        attempt(location.attempt)
        string(location.worker.text)
        string(location.endpoint.host)
        int(location.endpoint.port)
        string(location.transport)
    }

    fileprivate mutating func catalog(_ catalog: CatalogDescriptor) throws(QueryError) {
        string(catalog.name)
        string(catalog.type)
        try list(catalog.values.sorted { $0.key < $1.key }) { (writer, option) throws(QueryError) in
            writer.string(option.key)
            writer.string(option.value)
        }
    }
}

extension ByteReader {
    fileprivate mutating func location() throws(QueryError) -> TaskLocation {
        TaskLocation(
            attempt: try attempt(), worker: WorkerID(try string()),
            endpoint: Endpoint(host: try string(), port: try position()), transport: try string())
    }

    fileprivate mutating func catalog() throws(QueryError) -> CatalogDescriptor {
        let name = try string()
        let type = try string()
        let values = try list { (reader) throws(QueryError) in (try reader.string(), try reader.string()) }
        return CatalogDescriptor(
            name: name, type: type, values: Dictionary(values, uniquingKeysWith: { first, _ in first }))
    }
}

extension ByteReader {
    package mutating func attempt() throws(QueryError) -> TaskAttemptID {
        TaskAttemptID(
            query: QueryID(try string()), queryAttempt: try position(), stage: StageID(try position()),
            partition: try position(), attempt: try position())
    }
}
