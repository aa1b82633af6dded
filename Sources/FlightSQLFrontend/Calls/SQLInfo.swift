// CommandGetSqlInfo: what the server can do, as rows of a number and a value of one of six types.

import Columnar
import Coordination
import Diagnostics
import FileFormats
import Frontends

enum SQLInfo {
    enum Value: Sendable {
        case text(String)
        case flag(Bool)
        case number(Int32)
        case texts([String])
    }

    /// Numbers are those of the protocol.
    static func entries(limits: FlightLimits) -> [(number: UInt32, value: Value)] {
        func milliseconds(_ duration: Duration) -> Value {
            .number(Int32(clamping: duration.components.seconds * 1000))
        }
        return [
            (0, .text("Martlet")), (1, .text(EngineVersion.version)), (2, .text("1.5.0")), (3, .flag(false)),
            (4, .flag(true)), (5, .flag(false)),
            // Transactions with savepoints.
            (8, .number(2)), (9, .flag(true)), (10, .flag(true)), (11, .flag(true)),
            (100, milliseconds(limits.sessionLifetime)), (101, milliseconds(limits.transactionLifetime)),
            (500, .flag(false)), (501, .flag(true)), (502, .flag(true)),
            // Names without quotes become lower case.
            (503, .number(3)), (504, .text("\"")), (505, .number(0)), (506, .flag(true)),
            // NULL sorts as if it were the largest value.
            (507, .number(0)), (508, .texts(SQLKeywords.list)), (513, .text("\\")), (514, .text("$")),
            (515, .flag(true)), (516, .flag(true)), (518, .flag(true)), (519, .flag(false)), (520, .flag(true)),
            (521, .flag(true)), (522, .number(3)), (523, .flag(true)), (524, .flag(true)), (525, .number(7)),
            (526, .number(1)), (528, .number(2)), (529, .text("schema")), (530, .text("procedure")),
            (531, .text("database")), (532, .flag(true)),
        ]
    }

    // MARK: - As Arrow

    static let fields: [ArrowField] = {
        let number = ArrowField("key", .integer(bits: 32), isNullable: false)
        let numbers = ArrowField("value", .list(ArrowField("$data$", .integer(bits: 32))))
        return [
            ArrowField("info_name", .integer(bits: 32, isSigned: false), isNullable: false),
            ArrowField(
                "value",
                .denseUnion([
                    ArrowField("string_value", .utf8), ArrowField("bool_value", .boolean),
                    ArrowField("bigint_value", .integer(bits: 64)), ArrowField("int32_bitmask", .integer(bits: 32)),
                    ArrowField("string_list", .list(ArrowField("string_data", .utf8))),
                    ArrowField("int32_to_int32_list_map", .map(key: number, value: numbers)),
                ]), isNullable: false),
        ]
    }()

    /// The rows for the numbers; all if there are none. Numbers that the server does not know are left out.
    static func rows(_ numbers: [UInt64], limits: FlightLimits) -> OutgoingFlightData {
        let wanted = Set(numbers)
        var columns = Columns()
        for (number, value) in entries(limits: limits) where wanted.isEmpty || wanted.contains(UInt64(number)) {
            columns.append(number, value)
        }
        return columns.message()
    }

    /// Offsets and bytes of texts.
    private struct Texts {
        var offsets: [Int32] = [0]
        var bytes: [UInt8] = []
        var count: Int { offsets.count - 1 }
        mutating func append(_ text: String) {
            bytes.append(contentsOf: text.utf8)
            offsets.append(Int32(bytes.count))
        }
    }

    private struct Columns {
        var names: [UInt32] = []
        var kinds: [Int8] = []
        var places: [Int32] = []
        var texts = Texts()
        var flags: [Bool] = []
        var numbers: [Int32] = []
        var listOffsets: [Int32] = [0]
        var listTexts = Texts()

        mutating func append(_ name: UInt32, _ value: Value) {
            names.append(name)
            switch value {
            case .text(let text):
                kinds.append(0)
                places.append(Int32(texts.count))
                texts.append(text)
            case .flag(let flag):
                kinds.append(1)
                places.append(Int32(flags.count))
                flags.append(flag)
            case .number(let number):
                kinds.append(3)
                places.append(Int32(numbers.count))
                numbers.append(number)
            case .texts(let list):
                kinds.append(4)
                places.append(Int32(listOffsets.count - 1))
                for text in list { listTexts.append(text) }
                listOffsets.append(Int32(listTexts.count))
            }
        }

        func message() -> OutgoingFlightData {
            var nodes: [[Int64]] = []
            var buffers: [[UInt8]] = []
            func node(_ count: Int) { nodes.append([Int64(count), 0]) }
            func bytes<T: BitwiseCopyable>(_ values: [T]) { buffers.append(values.withUnsafeBytes { Array($0) }) }
            func none() { buffers.append([]) }
            func strings(_ texts: Texts) {
                node(texts.count)
                none()
                bytes(texts.offsets)
                bytes(texts.bytes)
            }
            node(names.count)
            none()
            bytes(names)
            // A union has no validity of its own.
            node(kinds.count)
            bytes(kinds)
            bytes(places)
            strings(texts)
            node(flags.count)
            none()
            var bits = [UInt8](repeating: 0, count: (flags.count + 7) / 8)
            for (index, flag) in flags.enumerated() where flag { bits[index / 8] |= 1 << UInt8(index % 8) }
            bytes(bits)
            node(0)
            none()
            none()
            node(numbers.count)
            none()
            bytes(numbers)
            node(listOffsets.count - 1)
            none()
            bytes(listOffsets)
            strings(listTexts)
            // The map, its entries, their keys and values, and what is in these: all empty.
            node(0)
            none()
            bytes([Int32(0)])
            node(0)
            none()
            node(0)
            none()
            none()
            node(0)
            none()
            bytes([Int32(0)])
            node(0)
            none()
            none()
            return Self.pack(rowCount: names.count, nodes: nodes, buffers: buffers)
        }

        private static func pack(rowCount: Int, nodes: [[Int64]], buffers: [[UInt8]]) -> OutgoingFlightData {
            let memory = Buffer(byteCount: max(1, buffers.reduce(0) { $0 + $1.count }))
            var offset = 0
            let segments = buffers.map { buffer -> UnsafeRawBufferPointer in
                defer { offset += buffer.count }
                buffer.withUnsafeBytes { source in
                    if let start = source.baseAddress {
                        (memory.base + offset).copyMemory(from: start, byteCount: source.count)
                    }
                }
                return UnsafeRawBufferPointer(start: memory.base + offset, count: buffer.count)
            }
            return OutgoingFlightData(
                ArrowMessage.recordBatch(rowCount: rowCount, nodes: nodes, buffers: segments), owner: memory)
        }
    }
}
