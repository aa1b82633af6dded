// Values cut to the modifier of a declared type: digits of the second, and the fields of an interval.

import Columnar
import Diagnostics

/// The casts to `timestamp(3)` and its like call these: the value, and the modifier as the catalogue numbers it.
enum TemporalLimits {
    static func register(in registry: FunctionRegistry) {
        for (name, type) in [
            ("time", DataType.time), ("timestamp", .timestamp), ("timestamptz", .timestampTZ), ("timetz", .timeTZ),
        ] {
            registry.scalar(
                name, [.exact(type), .int32], type,
                FunctionDocumentation("Date and time", "The value with so many digits of the second.")
            ) { arguments, result, count, _ in limitedTimes(arguments, result, count) }
            registerElements(name, type, in: registry)
        }
        registry.scalar(
            "interval", [.interval, .int32], .interval,
            FunctionDocumentation("Date and time", "The interval cut to the fields and digits of a type's modifier.")
        ) { arguments, result, count, _ in limitedIntervals(arguments, result, count) }
        registerElements("interval", .interval, in: registry)
    }

    private static func limitedTimes(_ arguments: [Vector], _ result: DataType, _ count: Int) -> Vector {
        switch result {
        case .timestamp, .timestampTZ:
            Kernel.binary(arguments[0], arguments[1], result, count) { (value: Int64, digits: Int32) -> Int64 in
                TimePrecision.rounded(moment: value, to: Int(digits))
            }
        case .timeTZ:
            Kernel.binary(arguments[0], arguments[1], result, count) { (value: Int64, digits: Int32) -> Int64 in
                let time = TimeTZValue(packed: value)
                return TimeTZValue(time: TimePrecision.rounded(time.time, to: Int(digits)), offset: time.offset).packed
            }
        default:
            Kernel.binary(arguments[0], arguments[1], result, count) { (value: Int64, digits: Int32) -> Int64 in
                TimePrecision.rounded(value, to: Int(digits))
            }
        }
    }

    private static func limitedIntervals(_ arguments: [Vector], _ result: DataType, _ count: Int) -> Vector {
        Kernel.binary(arguments[0], arguments[1], result, count) {
            (value: IntervalValue, number: Int32) -> IntervalValue in
            TemporalModifier(catalogNumber: Int64(number)).applied(to: value)
        }
    }

    // MARK: - Arrays

    private static func registerElements(_ name: String, _ type: DataType, in registry: FunctionRegistry) {
        registry.scalar(
            name, [.exact(.array(type)), .int32], .array(type),
            FunctionDocumentation("Date and time", "The array with every element cut to a type's modifier.")
        ) { arguments, result, count, _ in limitedElements(arguments, type, result, count) }
    }

    private static func limitedElements(
        _ arguments: [Vector], _ element: DataType, _ type: DataType, _ count: Int
    ) -> Vector {
        let result = Vector(flat: type, capacity: count)
        let heap = StringHeap(chunkByteCount: 4 << 10)
        let arrays = ViewColumn(arguments[0])
        let modifiers = ValueColumn<Int32>(arguments[1])
        for row in 0..<count {
            result.views[row] = StringView()
            if arguments[0].isNull(row) || arguments[1].isNull(row) { continue }
            let bytes = arrays.bytes(row)
            guard let base = bytes.baseAddress else { continue }
            let elements = ArrayBlob.decode(base, byteCount: bytes.count, elementType: element)
            let modifier = Vector.constant(.integer(Int64(modifiers[row])), type: .int32, count: elements.count)
            let limited =
                element == .interval
                ? limitedIntervals([elements, modifier], element, elements.count)
                : limitedTimes([elements, modifier], element, elements.count)
            for index in 0..<elements.count where elements.isNull(index) {
                Validity.setNull(limited.ensureValidity(), index)
            }
            let blob = ArrayBlob.encode(limited, shape: ArrayBlob.shape(base, byteCount: bytes.count))
            result.views[row] = blob.withUnsafeBufferPointer { buffer in
                buffer.baseAddress.map { heap.copy($0, count: buffer.count) } ?? StringView()
            }
        }
        result.pinned = heap.buffers
        return result
    }
}
