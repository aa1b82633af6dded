// One base table of the catalogue: its columns, and scans of it.

import Columnar
import Diagnostics
import QueryPlan
import Storage

/// A table over a snapshot of the catalogue, or over what the engine tells of itself.
final class SystemTable: TableProvider {
    /// A table of pg_catalog or information_schema.
    struct Specification: Sendable {
        var schema: String
        var name: String
        var identifier: Int64
        var kind: String
        var columns: [Field]
        /// Columns that are never null: what a row leaves out is zero, false or empty there.
        var requiredNames: Set<String> { Set(columns.filter { !$0.isNullable }.map(\.name)) }
        var fullName: String { "\(schema).\(name)" }
    }

    enum Content: Sendable {
        case catalog(Specification)
        case engine(String)
    }

    let content: Content
    let schema: Schema
    private let catalog: SystemCatalog

    init(_ content: Content, columns: [Field], catalog: SystemCatalog) {
        self.content = content
        schema = Schema(columns)
        self.catalog = catalog
    }

    var allowsSampling: Bool { false }

    /// Estimates only steer joins: reading the catalogue for them would cost more than it gains.
    func statistics() async throws -> TableStatistics {
        TableStatistics(rowCount: 200, columns: schema.fields.map { _ in .init() })
    }

    /// The payload is the number of the snapshot.
    func splits(for request: ScanRequest) async throws -> [Split] {
        var number: UInt64 = 0
        if case .catalog = content { number = try await catalog.refresh().number }
        return [
            Split(payload: withUnsafeBytes(of: number.littleEndian) { Array($0) }, estimatedRowCount: 200)
        ]
    }

    func makeReader(for split: Split, request: ScanRequest, context: ScanContext) throws -> any BatchReader {
        guard split.payload.count == 8 else {
            throw QueryError(.versionMismatch, "a split of the catalogue has an unknown layout")
        }
        let number = split.payload.enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << UInt64($1.offset * 8) }
        switch content {
        case .catalog(let specification):
            return SystemReader(try catalog.snapshot(number).rows(of: specification), request, context)
        case .engine(let name):
            let sink = RowSink(columns: schema.fields, requiredNames: [])
            for row in catalog.source.rows(of: name) { sink.append(row) }
            return SystemReader(sink.finish(), request, context)
        }
    }

    // MARK: - Specifications

    /// By full name.
    static let specifications: [String: Specification] = {
        var result: [String: Specification] = [:]
        func add(_ schema: String, _ words: [Substring]) {
            guard words.count >= 3, let identifier = Int64(words[1]) else { return }
            let columns = words.dropFirst(3).map { word -> Field in
                let isRequired = word.hasSuffix("!")
                let parts = word.dropLast(isRequired ? 1 : 0).split(separator: ":")
                return Field(
                    name: String(parts[0]), type: type(String(parts.last ?? "text")), isNullable: !isRequired)
            }
            let specification = Specification(
                schema: schema, name: String(words[0]), identifier: identifier, kind: String(words[2]), columns: columns
            )
            result[specification.fullName] = specification
        }
        for line in RelationSpecifications.text.split(separator: "\n") { add("pg_catalog", line.split(separator: " ")) }
        for line in RelationSpecifications.informationSchema.split(separator: "\n") {
            add("information_schema", line.split(separator: " "))
        }
        return result
    }()

    private static func type(_ name: String) -> DataType {
        if name.hasSuffix("[]") { return .array(type(String(name.dropLast(2)))) }
        switch name {
        case "oid": return .oid
        case "name": return .name
        case "bool": return .boolean
        case "int2": return .int16
        case "int4": return .int32
        case "int8": return .int64
        case "float4": return .float32
        case "float8": return .float64
        case "char": return .internalChar
        case "timestamptz": return .timestampTZ
        case "interval": return .interval
        case "numeric": return .decimal(precision: 38, scale: 0)
        case "bytea": return .bytea
        case "regproc": return .registered(.function)
        case "regtype": return .registered(.type)
        case "int2vector": return .indexVector(.int16)
        case "oidvector": return .indexVector(.oid)
        case "varchar": return .varchar(length: nil)
        default: return .text
        }
    }
}

/// Collects rows of a base table.
final class RowSink {
    private let columns: [Field]
    private let ordinals: [String: Int]
    private let defaults: [ScalarValue]
    private var builders: [VectorBuilder] = []
    private var pieces: [[Vector]] = []
    private var rowCount = 0

    init(columns: [Field], requiredNames: Set<String>) {
        self.columns = columns
        ordinals = Dictionary(
            columns.enumerated().map { ($0.element.name, $0.offset) }, uniquingKeysWith: { first, _ in first })
        defaults = columns.map { requiredNames.contains($0.name) ? Self.zero(of: $0.type) : .null }
    }

    private static func zero(of type: DataType) -> ScalarValue {
        switch type {
        case .boolean: .boolean(false)
        case .float32, .float64: .float(0)
        case .array(let element), .indexVector(let element): .bytes(ArrayBlob.encode([], elementType: element))
        case .decimal: .decimal(0)
        case .interval: .interval(IntervalValue())
        case _ where type.physical == .view: .bytes([])
        default: .integer(0)
        }
    }

    /// A row by the names of its columns; those left out have no value.
    func append(_ values: [String: ScalarValue]) {
        var row = defaults
        for (name, value) in values { if let ordinal = ordinals[name] { row[ordinal] = value } }
        append(row)
    }

    func append(_ row: [ScalarValue]) {
        if builders.isEmpty { builders = columns.map { VectorBuilder(type: $0.type) } }
        for (builder, value) in zip(builders, row) { builder.append(value) }
        rowCount += 1
        if rowCount == Batch.standardRowCount { seal() }
    }

    private func seal() {
        pieces.append(builders.map { $0.finish() })
        builders = []
        rowCount = 0
    }

    func finish() -> [[Vector]] {
        if rowCount > 0 { seal() }
        return pieces
    }
}

/// Gives rows through the filters. Confined to one thread.
private final class SystemReader: BatchReader {
    private let pieces: [[Vector]]
    private let request: ScanRequest
    private let context: ScanContext
    private var index = 0

    init(_ pieces: [[Vector]], _ request: ScanRequest, _ context: ScanContext) {
        self.pieces = pieces
        self.request = request
        self.context = context
    }

    func next() throws -> Batch? {
        while index < pieces.count {
            try context.checkCancellation()
            let piece = pieces[index]
            index += 1
            var batch = Batch(
                columns: request.projection.map { piece[$0] }, rowCount: piece.first?.count ?? 0)
            for filter in context.filters where !batch.isEmpty {
                if let chosen = try filter.select(batch) { batch = batch.selecting(chosen) }
            }
            if !batch.isEmpty { return batch }
        }
        return nil
    }
}
