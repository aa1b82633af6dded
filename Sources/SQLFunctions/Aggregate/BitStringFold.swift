// bit_and, bit_or and bit_xor of bit strings.

import Columnar
import Diagnostics

struct BitStringFold: BoxLogic {
    let resultType: DataType
    let operation: BitFold.Operation
    var exportedTypes: [DataType] { [.varbit(length: nil)] }

    final class Box: AggregateBox {
        let operation: BitFold.Operation
        var digits: [UInt8] = []
        var isEmpty = true
        init(_ operation: BitFold.Operation) { self.operation = operation }

        func add(_ arguments: [Vector], _ row: Int) throws {
            let view = arguments[0].views + row
            try fold(UnsafeBufferPointer(start: StringView.bytes(at: view), count: view.pointee.count))
        }
        func absorb(_ other: Box) throws {
            if other.isEmpty { return }
            try other.digits.withUnsafeBufferPointer { try fold($0) }
        }
        func fold(_ other: UnsafeBufferPointer<UInt8>) throws {
            if isEmpty {
                isEmpty = false
                digits = Array(other)
                return
            }
            let operation = BitFunctions.Operation(operation)
            guard other.count == digits.count else { throw operation.differentLengths }
            for index in digits.indices { digits[index] = operation.apply(digits[index], other[index]) }
        }
    }

    func makeBox() -> Box { Box(operation) }
    func prepare(_ arguments: [Vector], count: Int) -> [Vector] { arguments.map { $0.flattened() } }
    func finish(_ box: Box?, to result: Vector, row: Int, heap: StringHeap) throws {
        guard let box, !box.isEmpty else { return result.setNull(row) }
        result.store(.bytes(box.digits), at: row, heap: heap)
    }
    func export(_ box: Box?, to columns: [Vector], row: Int, heap: StringHeap) throws {
        try finish(box, to: columns[0], row: row, heap: heap)
    }
    func load(_ columns: [Vector], row: Int) throws -> Box? {
        if columns[0].isNull(row) { return nil }
        let box = makeBox()
        try box.add(columns, row)
        return box
    }
}
