// lower, upper and initcap: ASCII in place, everything else through Unicode's mappings.

import CKernels
import Columnar
import Diagnostics

enum CaseMapping {
    static func register(in registry: FunctionRegistry) {
        func text(_ text: String, _ example: String, _ result: String) -> FunctionDocumentation {
            FunctionDocumentation("Text", text, example: example, result: result)
        }
        registry.scalar("lower", [.text], .text, text("The text in lower case.", "lower('TOM')", "tom")) {
            arguments, _, count, _ in
            try lowercased(arguments[0], count)
        }
        registry.scalar("upper", [.text], .text, text("The text in upper case.", "upper('tom')", "TOM")) {
            arguments, _, count, _ in
            try map(arguments[0], count, ascii: { $0 &- (($0 &- 0x61) < 26 ? 0x20 : 0) }) {
                CaseMapping.simple($0, $0.properties.uppercaseMapping)
            }
        }
        registry.scalar(
            "initcap", [.text], .text,
            text(
                "The first letter of each word in upper case, the rest in lower case.", "initcap('hi THOMAS')",
                "Hi Thomas")
        ) { arguments, type, count, _ in
            let column = ViewColumn(arguments[0])
            return try Kernel.text(arguments, type, count) { row, output in
                var inWord = false
                for scalar in column.string(row).unicodeScalars {
                    let mapped = simple(
                        scalar, inWord ? scalar.properties.lowercaseMapping : scalar.properties.uppercaseMapping)
                    inWord = scalar.properties.isAlphabetic || scalar.properties.numericType != nil
                    output.append(contentsOf: (inWord ? mapped : String(scalar)).utf8)
                }
                return true
            }
        }
    }

    static func lowercased(_ vector: Vector, _ count: Int) throws -> Vector {
        try map(vector, count, ascii: { $0 &+ (($0 &- 0x41) < 26 ? 0x20 : 0) }) {
            simple($0, $0.properties.lowercaseMapping)
        }
    }

    /// One character for one: where Unicode's full mapping has several, the character stays, as in C libraries.
    static func simple(_ scalar: Unicode.Scalar, _ mapped: String) -> String {
        mapped.unicodeScalars.count == 1 ? mapped : String(scalar)
    }

    @inline(__always)
    private static func map(
        _ vector: Vector, _ count: Int, ascii: (UInt8) -> UInt8, scalar: (Unicode.Scalar) -> String
    ) throws -> Vector {
        let rows = vector.encoding == .constant ? 1 : count
        let result = Vector(flat: .text, capacity: rows)
        let column = ViewColumn(vector)
        let heap = StringHeap(chunkByteCount: 16 << 10)
        let short = Buffer(byteCount: 16)
        var row = 0
        while row < rows {
            let view = column.view(row)
            let size = view.pointee.count
            let bytes = StringView.bytes(at: view)
            if vector.mayHaveNulls && vector.isNull(row) {
                result.views[row] = StringView()
            } else if ck_is_ascii(bytes, size) != 0 {
                let target = size <= 12 ? short.base.assumingMemoryBound(to: UInt8.self) : heap.reserve(size)
                var index = 0
                while index < size {
                    target[index] = ascii(bytes[index])
                    index &+= 1
                }
                result.views[row] = StringView(target, count: size)
            } else {
                var mapped: [UInt8] = []
                for character in column.string(row).unicodeScalars { mapped.append(contentsOf: scalar(character).utf8) }
                result.views[row] = heap.copy(mapped)
            }
            row &+= 1
        }
        result.pinned = heap.buffers
        if vector.encoding == .constant {
            let constant = Vector(
                type: .text, encoding: .constant, count: count, data: result.data, dataOwner: result.dataOwner,
                pinned: result.pinned)
            constant.validity = vector.validity
            constant.validityOwner = vector.validityOwner
            return constant
        }
        return result
    }
}
