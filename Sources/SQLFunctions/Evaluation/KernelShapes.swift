// The loops that most kernels consist of: one or two operands, flat or constant, with or without failures.
// Everything here is inlined into its callers with concrete types and a literal closure.

import Columnar
import Diagnostics

enum Kernel {
    /// r = op(a) for every row.
    @inline(__always)
    static func unary<A, R>(_ arguments: [Vector], _ type: DataType, _ count: Int, _ op: (A) -> R) -> Vector {
        let result = Vector(flat: type, capacity: count)
        let target = result.values(R.self)
        let source = UnsafePointer(arguments[0].values(A.self))
        if arguments[0].encoding == .constant {
            target.update(repeating: op(source[0]), count: count)
            return result
        }
        var row = 0
        while row < count {
            target[row] = op(source[row])
            row &+= 1
        }
        return result
    }

    /// r = op(a, b) for every row.
    @inline(__always)
    static func binary<A, B, R>(
        _ a: Vector, _ b: Vector, _ type: DataType, _ count: Int, _ op: (A, B) -> R
    ) -> Vector {
        let result = Vector(flat: type, capacity: count)
        let target = result.values(R.self)
        let x = UnsafePointer(a.values(A.self))
        let y = UnsafePointer(b.values(B.self))
        var row = 0
        switch (a.encoding == .constant, b.encoding == .constant) {
        case (false, false):
            while row < count {
                target[row] = op(x[row], y[row])
                row &+= 1
            }
        case (false, true):
            let constant = y[0]
            while row < count {
                target[row] = op(x[row], constant)
                row &+= 1
            }
        case (true, false):
            let constant = x[0]
            while row < count {
                target[row] = op(constant, y[row])
                row &+= 1
            }
        case (true, true): target.update(repeating: op(x[0], y[0]), count: count)
        }
        return result
    }

    /// As `unary`, for operations that fail: `op` sets bits in its last argument. After the loop a row that is not null
    /// and failed raises `error` with its bits.
    @inline(__always)
    static func checkedUnary<A, R>(
        _ arguments: [Vector], _ type: DataType, _ count: Int, _ op: (A, inout UInt8) -> R, error: (UInt8) -> QueryError
    ) throws -> Vector {
        let result = Vector(flat: type, capacity: count)
        let target = result.values(R.self)
        let source = UnsafePointer(arguments[0].values(A.self))
        let step = arguments[0].encoding == .constant ? 0 : 1
        var failures: UInt8 = 0
        var row = 0
        while row < count {
            target[row] = op(source[row &* step], &failures)
            row &+= 1
        }
        if failures != 0 {
            for row in 0..<count where !arguments[0].isNull(row) {
                var bits: UInt8 = 0
                _ = op(source[row &* step], &bits)
                if bits != 0 { throw error(bits) }
            }
        }
        return result
    }

    /// As `binary`, for operations that fail.
    @inline(__always)
    static func checkedBinary<A, B, R>(
        _ a: Vector, _ b: Vector, _ type: DataType, _ count: Int, _ op: (A, B, inout UInt8) -> R,
        error: (UInt8) -> QueryError
    ) throws -> Vector {
        let result = Vector(flat: type, capacity: count)
        let target = result.values(R.self)
        let x = UnsafePointer(a.values(A.self))
        let y = UnsafePointer(b.values(B.self))
        let stepX = a.encoding == .constant ? 0 : 1
        let stepY = b.encoding == .constant ? 0 : 1
        var failures: UInt8 = 0
        var row = 0
        if stepX == 1 && stepY == 1 {
            while row < count {
                target[row] = op(x[row], y[row], &failures)
                row &+= 1
            }
        } else {
            while row < count {
                target[row] = op(x[row &* stepX], y[row &* stepY], &failures)
                row &+= 1
            }
        }
        if failures != 0 {
            for row in 0..<count where !a.isNull(row) && !b.isNull(row) {
                var bits: UInt8 = 0
                _ = op(x[row &* stepX], y[row &* stepY], &bits)
                if bits != 0 { throw error(bits) }
            }
        }
        return result
    }

    /// A boolean for every row from two operands of one layout.
    @inline(__always)
    static func compare<T>(_ a: Vector, _ b: Vector, _ count: Int, _ op: (T, T) -> Bool) -> Vector {
        binary(a, b, .boolean, count) { (x: T, y: T) -> UInt8 in flag(op(x, y)) }
    }

    /// Text built row by row: `body` appends a row's bytes and says whether the row is not null. Rows that are null in
    /// an argument are skipped.
    @inline(__always)
    static func text(
        _ arguments: [Vector], _ type: DataType, _ count: Int, _ body: (Int, inout [UInt8]) throws -> Bool
    ) throws -> Vector {
        let result = Vector(flat: type, capacity: count)
        let views = result.views
        let heap = StringHeap(chunkByteCount: 16 << 10)
        var bytes: [UInt8] = []
        let mayHaveNulls = arguments.contains { $0.mayHaveNulls }
        var row = 0
        while row < count {
            if mayHaveNulls && !ValidityMask.isValid(arguments, row) {
                views[row] = StringView()
            } else {
                bytes.removeAll(keepingCapacity: true)
                if try body(row, &bytes) {
                    views[row] = bytes.withUnsafeBufferPointer { buffer in
                        buffer.baseAddress.map { heap.copy($0, count: buffer.count) } ?? StringView()
                    }
                } else {
                    views[row] = StringView()
                    Validity.setNull(result.ensureValidity(), row)
                }
            }
            row &+= 1
        }
        result.pinned = heap.buffers
        return result
    }
}

/// Access to a flat or constant vector of views by row.
struct ViewColumn {
    let views: UnsafePointer<StringView>
    let step: Int

    init(_ vector: Vector) {
        views = UnsafePointer(vector.views)
        step = vector.encoding == .constant ? 0 : 1
    }
    @inline(__always) func view(_ row: Int) -> UnsafePointer<StringView> { views + row &* step }
    @inline(__always) func bytes(_ row: Int) -> UnsafeBufferPointer<UInt8> {
        let view = view(row)
        return UnsafeBufferPointer(start: StringView.bytes(at: view), count: view.pointee.count)
    }
    func string(_ row: Int) -> String { String(decoding: bytes(row), as: UTF8.self) }
}

/// Access to a flat or constant vector of plain values by row.
struct ValueColumn<T> {
    let values: UnsafePointer<T>
    let step: Int

    init(_ vector: Vector) {
        values = UnsafePointer(vector.values(T.self))
        step = vector.encoding == .constant ? 0 : 1
    }
    @inline(__always) subscript(_ row: Int) -> T { values[row &* step] }
}

/// PostgreSQL's order of floats: NaN equals NaN and is greater than everything else.
enum FloatOrder {
    @inline(__always) static func equal<T: BinaryFloatingPoint>(_ a: T, _ b: T) -> Bool {
        unsafeBitCast(flag(a == b) | (flag(a != a) & flag(b != b)), to: Bool.self)
    }
    @inline(__always) static func less<T: BinaryFloatingPoint>(_ a: T, _ b: T) -> Bool {
        unsafeBitCast(flag(a < b) | (flag(b != b) & flag(a == a)), to: Bool.self)
    }
    @inline(__always) static func lessOrEqual<T: BinaryFloatingPoint>(_ a: T, _ b: T) -> Bool {
        unsafeBitCast(flag(a <= b) | flag(b != b), to: Bool.self)
    }
}
