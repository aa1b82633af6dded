// Arrow's stream format as messages: a schema, then record batches, for transports that frame them themselves.

import Columnar
import Diagnostics

/// The metadata of a message and where its body lies: valid until the encoder that made it is used again.
package struct ArrowMessage: @unchecked Sendable {
    /// The flat buffer, without its length, padded to eight bytes.
    package var header: [UInt8]
    /// Buffers of the body; each is padded to `alignment`.
    package var segments: [UnsafeRawBufferPointer]
    package var rowCount = 0

    package static let alignment = 8

    package init(header: [UInt8], segments: [UnsafeRawBufferPointer] = [], rowCount: Int = 0) {
        self.header = header
        self.segments = segments
        self.rowCount = rowCount
    }

    package static func padded(_ count: Int) -> Int { (count + alignment - 1) / alignment * alignment }

    package var bodyByteCount: Int { segments.reduce(0) { $0 + ArrowMessage.padded($1.count) } }

    /// Copies the body to `target`, which has room for it and is zero.
    package func copyBody(to target: UnsafeMutableRawPointer) {
        var at = target
        for segment in segments {
            if let start = segment.baseAddress { at.copyMemory(from: start, byteCount: segment.count) }
            at += ArrowMessage.padded(segment.count)
        }
    }

    /// The message's flat buffer around a header of the kind (1 schema, 3 record batch).
    fileprivate static func wrap(
        _ builder: inout FlatBufferBuilder, _ header: FlatBufferBuilder.Offset, kind: UInt8, bodyByteCount: Int
    ) -> [UInt8] {
        let message = builder.table {
            $0.field(3, Int64(bodyByteCount))
            $0.field(2, header)
            $0.field(0, Int16(4))
            $0.field(1, kind)
        }
        var bytes = builder.finish(message)
        while bytes.count % 8 != 0 { bytes.append(0) }
        return bytes
    }

    /// The message of a schema.
    package static func schema(_ fields: [ArrowField]) -> ArrowMessage {
        var builder = FlatBufferBuilder()
        let schema = ArrowSchema.write(fields, &builder)
        return ArrowMessage(header: wrap(&builder, schema, kind: 1, bodyByteCount: 0))
    }

    /// The message of a record batch. `nodes` are the rows and nulls of every array, in the order of the schema's fields.
    package static func recordBatch(
        rowCount: Int, nodes: [[Int64]], buffers: [UnsafeRawBufferPointer]
    ) -> ArrowMessage {
        var builder = FlatBufferBuilder()
        let nodeVector = builder.vector(ofStructs: nodes)
        var offset = 0
        let places = buffers.map { buffer -> [Int64] in
            defer { offset += padded(buffer.count) }
            return [Int64(offset), Int64(buffer.count)]
        }
        let bufferVector = builder.vector(ofStructs: places)
        let batch = builder.table {
            $0.field(0, Int64(rowCount))
            $0.field(1, nodeVector)
            $0.field(2, bufferVector)
        }
        return ArrowMessage(
            header: wrap(&builder, batch, kind: 3, bodyByteCount: offset), segments: buffers, rowCount: rowCount)
    }

    /// The message with its length in front, as files and streams have it.
    package var encapsulated: [UInt8] {
        let prefix = [UInt32.max, UInt32(header.count)].flatMap { withUnsafeBytes(of: $0.littleEndian) { Array($0) } }
        return prefix + header
    }

    /// The message with its body, as it stands in a stream of bytes.
    package var bytes: [UInt8] {
        let head = encapsulated
        let byteCount = head.count + bodyByteCount
        return [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, initializedCount in
            buffer.initialize(repeating: 0)
            initializedCount = byteCount
            guard let base = buffer.baseAddress.map({ UnsafeMutableRawPointer($0) }) else { return }
            head.withUnsafeBytes { bytes in
                if let start = bytes.baseAddress { base.copyMemory(from: start, byteCount: bytes.count) }
            }
            copyBody(to: base + head.count)
        }
    }

    /// What ends a stream of bytes.
    package static let streamEnd: [UInt8] = [255, 255, 255, 255, 0, 0, 0, 0]
}

/// Makes record batches of the rows of a result. Confined to its stream.
package final class ArrowStreamEncoder {
    /// A record batch has no more rows.
    package static let rowCountMax = 65_536

    package let fields: [ArrowField]
    private let builders: [ArrowColumnBuilder]
    private let byteCountTarget: Int
    private var rowCount = 0
    private var isTaken = false

    /// A batch is full when its values take `byteCountTarget` bytes.
    package init(
        _ columns: [Field], as kind: ArrowColumnForm.Fields = .result, settings: TextSettings,
        byteCountTarget: Int = 8 << 20
    ) {
        let forms = columns.map { ArrowColumnForm($0, kind) }
        fields = forms.map(\.field)
        builders = forms.map { ArrowColumnBuilder($0, settings: settings) }
        self.byteCountTarget = byteCountTarget
    }

    package static func fields(
        _ columns: [Field], as kind: ArrowColumnForm.Fields = .result
    ) -> [ArrowField] {
        columns.map { ArrowColumnForm($0, kind).field }
    }

    /// Takes rows, at most so many as fit, from `start` on; returns how many were taken. A result of 0 asks for `take`.
    package func append(_ batch: Batch, from start: Int) throws -> Int {
        clearIfTaken()
        guard !isFull else { return 0 }
        // Long values fill a batch with fewer rows.
        let byteCount = max(1, batch.estimatedByteCount)
        let room = max(1, batch.rowCount * (byteCountTarget - collectedByteCount) / byteCount)
        let count = min(batch.rowCount - start, ArrowStreamEncoder.rowCountMax - rowCount, room)
        let part = start == 0 && count == batch.rowCount ? batch : batch.slice(start, count)
        for (index, builder) in builders.enumerated() { try builder.append(part.column(index)) }
        rowCount += count
        return count
    }

    package var isFull: Bool {
        !isTaken && (rowCount >= ArrowStreamEncoder.rowCountMax || collectedByteCount >= byteCountTarget)
    }

    private var collectedByteCount: Int { builders.reduce(0) { $0 + $1.byteCount } }

    /// The rows so far as a message, which is valid until rows are appended again; `nil` if there are none.
    package func take() -> ArrowMessage? {
        guard rowCount > 0, !isTaken else { return nil }
        var nodes: [[Int64]] = []
        var buffers: [UnsafeRawBufferPointer] = []
        for builder in builders { builder.collect(&nodes, &buffers) }
        isTaken = true
        return ArrowMessage.recordBatch(rowCount: rowCount, nodes: nodes, buffers: buffers)
    }

    private func clearIfTaken() {
        guard isTaken else { return }
        isTaken = false
        rowCount = 0
        for builder in builders { builder.clear() }
    }
}
