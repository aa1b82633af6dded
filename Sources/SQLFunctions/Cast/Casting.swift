// Casts of vectors and values between all types: the dispatch, and casts that touch text.

import Columnar
import Diagnostics
import QueryPlan

package enum Casting {
    /// A value of another type. Errors: 22P02, 22003, 22007, 22008 and what else the type's input raises; 42846 when there
    /// is no such cast.
    package static func cast(
        _ value: ScalarValue, from source: DataType, to target: DataType,
        context: EvaluationContext = EvaluationContext()
    ) throws -> ScalarValue {
        if value.isNull { return .null }
        let vector = Vector.constant(value, type: source, count: 1)
        return try cast(vector, to: target, kind: .strict, context: context).value(at: 0)
    }

    /// The values of a vector, in any encoding, as another type. With `lenient`, what does not fit becomes NULL.
    package static func cast(
        _ vector: Vector, to target: DataType, kind: Expression.CastKind, context: EvaluationContext
    ) throws -> Vector {
        if vector.type == target { return vector }
        let count = vector.count
        switch vector.encoding {
        case .constant:
            if vector.isNull(0) { return .constant(.null, type: target, count: count) }
            let single = try flat(vector.constantCopy(count: 1).flattened(), to: target, kind: kind, context: context)
            return .constant(single.value(at: 0), type: target, count: count)
        case .dictionary: return try flat(vector.flattened(), to: target, kind: kind, context: context)
        case .flat: return try flat(vector, to: target, kind: kind, context: context)
        }
    }

    private static func flat(
        _ vector: Vector, to target: DataType, kind: Expression.CastKind, context: EvaluationContext
    ) throws -> Vector {
        let cast = FlatCast(source: vector, target: target, kind: kind, context: context)
        let result = try cast.run()
        guard let validity = vector.validity, result.validity != validity else { return result }
        if result.validity == nil {
            result.validity = validity
            result.validityOwner = vector.validityOwner
        } else {
            let words = result.ensureValidity()
            for word in 0..<Validity.wordCount(vector.count) { words[word] &= validity[word] }
        }
        return result
    }

    /// Whether some non-null value has no counterpart.
    package static func canFail(
        from source: DataType, to target: DataType, kind: Expression.CastKind = .strict
    ) -> Bool {
        if source == target { return false }
        if kind == .assignment, target.lengthLimit != nil { return true }
        if target.isString || target == .internalChar { return false }
        if source.isString { return true }
        if source.isBitString, target.isBitString { return target.catalogModifier >= 0 && kind == .assignment }
        switch (source, target) {
        case (.decimal(let p1, let s1), .decimal(let p2, let s2)): return p1 - s1 + (s2 < s1 ? 1 : 0) > p2 - s2
        case (_, .decimal(let precision, let scale)) where source.isInteger:
            guard case .decimal(let digits, _) = TypeConversion.decimalType(of: source) else { return true }
            return digits > precision - scale
        case _ where source.isInteger && target.isInteger: return source.physical.width > target.physical.width
        case _ where source.isInteger && target.isFloat: return false
        case (_, .numeric(nil)): return false
        case (.boolean, _), (_, .boolean): return false
        case (.oid, .int64), (.registered, .int64), (.oid, .registered), (.registered, .oid): return false
        case (.decimal, .float64), (.float32, .float64): return false
        case (.timestamp, .date), (.timestamp, .time), (.timestampTZ, .date), (.timestampTZ, .time),
            (.time, .interval), (.interval, .time), (.time, .timeTZ), (.timeTZ, .time), (.timestampTZ, .timeTZ):
            return false
        case (.date, .timestamp), (.date, .timestampTZ): return true
        default: return true
        }
    }

    /// Whether a cast gives the same in every session: not for zones and not for `now` in a text.
    package static func isImmutable(from source: DataType, to target: DataType, value: ScalarValue? = nil) -> Bool {
        if source == target { return true }
        // Elements and fields may be of a type whose text depends on the session.
        if target.isString, source.elementType != nil || source.recordFields != nil { return false }
        // Names of objects are those of the moment.
        if case .registered = source, !target.isObjectIdentifier { return false }
        if case .registered = target, !source.isObjectIdentifier { return false }
        if source.isString {
            if case .array(let element) = target { return isImmutable(from: .text, to: element) }
            guard target.isTemporal else { return true }
            guard let value else { return false }
            return value.text.map { readsAlike($0, as: target) } ?? false
        }
        if target.isString || target == .unknown {
            // DateStyle, IntervalStyle, extra_float_digits and bytea_output decide.
            return !(source.isTemporal || source.isFloat || source == .bytea)
                || source == .time || source == .timeTZ
        }
        switch (source, target) {
        case (.array(let a), .array(let b)): return isImmutable(from: a, to: b)
        case (.timestampTZ, _), (_, .timestampTZ), (.time, .timeTZ): return false
        default: return true
        }
    }

    /// Whether a text means the same date, time or interval in every session: ISO 8601, with an offset if it needs one.
    private static func readsAlike(_ text: String, as target: DataType) -> Bool {
        let bytes = Array(text.utf8)
        let isPlain = bytes.allSatisfy { byte in
            byte &- 0x30 <= 9 || byte == 0x2D || byte == 0x3A || byte == 0x2E || byte == 0x20 || byte == 0x2B
        }
        switch target {
        case .interval: return bytes.first != 0x2D && bytes.first != 0x20
        case .time: return isPlain
        case .date, .timestamp:
            return isPlain && bytes.count >= 10 && bytes[4] == 0x2D && bytes[7] == 0x2D
        case .timestampTZ:
            return isPlain && bytes.count > 16 && bytes[4] == 0x2D && bytes[7] == 0x2D
                && bytes[10...].contains { $0 == 0x2B || $0 == 0x2D }
        default: return false
        }
    }

    static func outOfRange(_ type: DataType) -> QueryError {
        QueryError(.numericValueOutOfRange, "\(TypeConversion.displayName(type)) out of range")
    }
}

/// One cast of one flat vector.
struct FlatCast {
    let source: Vector
    let target: DataType
    let kind: Expression.CastKind
    let context: EvaluationContext
    var count: Int { source.count }

    func run() throws -> Vector {
        let from = source.type
        if from.isString { return try fromText() }
        if from == .internalChar || target == .internalChar { return try internalChar() }
        if target.isString || target == .unknown { return try toText() }
        switch (from, target) {
        case (.array(let a), .array(let b)), (.indexVector(let a), .array(let b)): return try arrays(from: a, to: b)
        case (.record(let fields), .record):
            return try RecordFunctions.convert(source, from: fields, to: target) {
                // With the nulls of the fields, which the loops over values do not look at.
                try Casting.cast($0, to: $1, kind: kind, context: context)
            }
        case (.json, .jsonb), (.jsonb, .json): return try betweenJSON()
        case _ where from.isBitString || target.isBitString: return try bitString()
        case (.jsonb, _) where target == .boolean || target.isNumeric: return try fromJSON()
        case _ where from.isObjectIdentifier || target.isObjectIdentifier: return try objectIdentifier()
        case (.boolean, _) where target.isInteger: return try NumericCast(cast: self).run()
        case _ where from.isNumeric && target.isNumeric && (from.isNumericBlob || target.isNumericBlob):
            return try NumericBlobCast(cast: self).run()
        case _ where from.isNumeric && (target.isNumeric || target == .boolean):
            return try NumericCast(cast: self).run()
        case _ where from.isTemporal && target.isTemporal: return try TemporalCast(cast: self).run()
        case (.bytea, .uuid), (.uuid, .bytea): break
        default: break
        }
        throw QueryError(
            .cannotCoerce,
            "cannot cast type \(TypeConversion.displayName(from)) to \(TypeConversion.displayName(target))")
    }

    /// Every row by `op`, which sets its last argument for a value without counterpart.
    @inline(__always)
    func map<A, R>(_ op: (A, inout UInt8) -> R, error: (A, UInt8) -> QueryError) throws -> Vector {
        let result = Vector(flat: target, capacity: count)
        let values = UnsafePointer(source.values(A.self))
        let output = result.values(R.self)
        let count = count
        var failures: UInt8 = 0
        var row = 0
        while row < count {
            output[row] = op(values[row], &failures)
            row &+= 1
        }
        if failures != 0 {
            for row in 0..<count where !source.isNull(row) {
                var bits: UInt8 = 0
                _ = op(values[row], &bits)
                if bits == 0 { continue }
                if kind != .lenient { throw error(values[row], bits) }
                Validity.setNull(result.ensureValidity(), row)
            }
        }
        return result
    }

    private func toText() throws -> Vector {
        let settings = context.textSettings
        let isBoolean = source.type == .boolean
        let limit: Int? =
            switch target {
            case .varchar(let length): length
            case .char(let length): length
            default: nil
            }
        let padless: Bool = if case .char = target { true } else { false }
        var isCut = false
        let result = try Kernel.text([source], target, count) { row, text in
            if isBoolean {
                text.append(contentsOf: (source.values(UInt8.self)[row] != 0 ? "true" : "false").utf8)
            } else {
                TextFormat.append(source, row: row, settings: settings, into: &text)
            }
            guard let limit else { return true }
            let length = text.count
            FlatCast.cut(&text, limit, dropsBlanks: padless)
            // Texts of other types hold no blanks at their ends.
            isCut = isCut || text.count < length
            return true
        }
        if isCut, kind == .assignment { throw tooLong() }
        return result
    }

    private func tooLong() -> QueryError {
        QueryError(.stringDataRightTruncation, "value too long for type \(target.sqlName)")
    }

    /// Cuts to `limit` characters.
    private static func cut(_ text: inout [UInt8], _ limit: Int, dropsBlanks: Bool) {
        let kept = text.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { Utf8.byteOffset($0, buffer.count, character: limit) } ?? 0
        }
        if kept < text.count { text.removeSubrange(kept...) }
        if dropsBlanks { while text.last == 0x20 { text.removeLast() } }
    }

    private func fromText() throws -> Vector {
        switch target {
        case .text, .unknown, .varchar(nil): return source.retyped(target)
        case .name: return try name()
        case .varchar(let length?): return try limited(length, dropsBlanks: false)
        case .char(let length): return try limited(length, dropsBlanks: true)
        case .bit(let length?) where kind != .assignment, .varbit(let length?) where kind != .assignment:
            return try digits(length)
        default: break
        }
        let settings = context.textSettings
        let result = Vector(flat: target, capacity: count)
        let heap = StringHeap(chunkByteCount: 4 << 10)
        let column = ViewColumn(source)
        for row in 0..<count {
            if source.isNull(row) {
                clear(result, row)
                continue
            }
            do {
                result.store(
                    try TextFormat.parse(column.bytes(row), as: target, settings: settings), at: row, heap: heap)
            } catch {
                if kind != .lenient { throw error }
                clear(result, row)
                Validity.setNull(result.ensureValidity(), row)
            }
        }
        result.pinned = heap.buffers
        return result
    }

    /// Texts as bit strings, cut or filled to a length as explicit casts do.
    private func digits(_ length: Int) throws -> Vector {
        let column = ViewColumn(source)
        let isFilled: Bool = if case .bit = target { true } else { false }
        return try Kernel.text([source], target, count) { row, output in
            do { output.append(contentsOf: try BitText.parse(column.bytes(row)).prefix(length)) } catch {
                if kind != .lenient { throw error }
                return false
            }
            if isFilled { output.append(contentsOf: repeatElement(0x30, count: max(0, length - output.count))) }
            return true
        }
    }

    private func clear(_ vector: Vector, _ row: Int) {
        let width = vector.physical.width
        (vector.data + row * width).initializeMemory(as: UInt8.self, repeating: 0, count: width)
    }

    /// Text cut to a number of characters; what is short enough keeps its view.
    private func limited(_ length: Int, dropsBlanks: Bool) throws -> Vector {
        let result = Vector(flat: target, capacity: count)
        let column = ViewColumn(source)
        for row in 0..<count {
            let view = column.view(row)
            var bytes = view.pointee.count
            let base = StringView.bytes(at: view)
            if bytes > length {
                let whole = bytes
                bytes = Utf8.byteOffset(base, bytes, character: length)
                if kind == .assignment, !source.isNull(row), (bytes..<whole).contains(where: { base[$0] != 0x20 }) {
                    throw tooLong()
                }
            }
            if dropsBlanks { while bytes > 0 && base[bytes - 1] == 0x20 { bytes -= 1 } }
            result.views[row] = bytes == view.pointee.count ? view.pointee : StringView(base, count: bytes)
        }
        result.pinned = source.pinned + [source.dataOwner]
        return result
    }

    private func arrays(from: DataType, to: DataType) throws -> Vector {
        let result = Vector(flat: target, capacity: count)
        let heap = StringHeap(chunkByteCount: 4 << 10)
        let column = ViewColumn(source)
        for row in 0..<count {
            result.views[row] = StringView()
            if source.isNull(row) { continue }
            let bytes = column.bytes(row)
            guard let base = bytes.baseAddress else { continue }
            let elements = ArrayBlob.decode(base, byteCount: bytes.count, elementType: from)
            let blob = ArrayBlob.encode(
                try Casting.cast(elements, to: to, kind: kind, context: context),
                shape: ArrayBlob.shape(base, byteCount: bytes.count))
            result.views[row] = blob.withUnsafeBufferPointer { buffer in
                buffer.baseAddress.map { heap.copy($0, count: buffer.count) } ?? StringView()
            }
        }
        result.pinned = heap.buffers
        return result
    }
}
