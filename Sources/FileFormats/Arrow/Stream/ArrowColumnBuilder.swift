// Collects the values of one column, vector by vector, in the form of Arrow's buffers.

import Columnar
import Diagnostics

/// Grows until it is cleared; its memory is used again. Confined to its encoder.
final class ArrowColumnBuilder {
    let form: ArrowColumnForm
    private(set) var count = 0
    private(set) var nullCount = 0
    /// Bits of rows that are not null; nothing as long as none is.
    private let validity = GrowingBits()
    /// Bits of booleans.
    private let bits = GrowingBits()
    /// Offsets, or values of one width.
    private let values = GrowingBytes(capacity: 1 << 12)
    /// What offsets point into.
    private let bytes = GrowingBytes(capacity: 1 << 12)
    private let element: ArrowColumnBuilder?
    private let settings: TextSettings
    private var text: [UInt8] = []

    init(_ form: ArrowColumnForm, settings: TextSettings) {
        self.form = form
        self.settings = settings
        if case .list(_, let elementForm) = form.kind {
            element = ArrowColumnBuilder(elementForm, settings: settings)
        } else {
            element = nil
        }
        clear()
    }

    private var hasOffsets: Bool {
        switch form.kind {
        case .bytes, .padded, .text, .list: true
        case .bits, .plain, .wideDecimal, .uuid, .interval: false
        }
    }

    func clear() {
        count = 0
        nullCount = 0
        validity.removeAll()
        bits.removeAll()
        values.removeAll()
        bytes.removeAll()
        element?.clear()
        if hasOffsets { values.append(Int32(0)) }
    }

    var byteCount: Int { values.count + bytes.count + count / 4 + (element?.byteCount ?? 0) }

    /// Counts of rows and nulls, and the buffers, of this column and what is below it; in Arrow's order.
    func collect(_ nodes: inout [[Int64]], _ buffers: inout [UnsafeRawBufferPointer]) {
        nodes.append([Int64(count), Int64(nullCount)])
        buffers.append(nullCount == 0 ? UnsafeRawBufferPointer(start: nil, count: 0) : validity.filled(count))
        switch form.kind {
        case .bits: buffers.append(bits.filled(count))
        case .plain, .wideDecimal, .uuid, .interval: buffers.append(values.filled)
        case .bytes, .padded, .text: buffers += [values.filled, bytes.filled]
        case .list: buffers.append(values.filled)
        }
        element?.collect(&nodes, &buffers)
    }

    // MARK: - Values

    /// Appends the rows of a vector in any encoding.
    func append(_ vector: Vector) throws {
        guard vector.count > 0 else { return }
        if case .bytes = form.kind {
            try appendViews(vector)
        } else {
            let flat = vector.flattened()
            switch form.kind {
            case .bits: appendBits(flat)
            case .plain(let width): values.append(flat.data, count: flat.count &* width)
            case .wideDecimal: appendWide(flat)
            case .uuid: appendIdentifiers(flat)
            case .interval: try appendIntervals(flat)
            case .bytes: break
            case .padded(let length): try appendTexts(flat) { self.pad(flat, $0, to: length) }
            case .text: try appendTexts(flat) { self.render(flat, $0) }
            case .list(let element, _): try appendLists(flat, of: element)
            }
        }
        appendValidity(vector)
        count += vector.count
    }

    private func appendValidity(_ vector: Vector) {
        guard vector.mayHaveNulls else {
            if nullCount > 0 { validity.appendOnes(vector.count, at: count) }
            return
        }
        let before = nullCount
        if before == 0 { validity.appendOnes(count, at: 0) }
        if vector.encoding == .flat, let words = vector.validity {
            nullCount += vector.count - Validity.validCount(words, rows: vector.count)
            validity.append(words, vector.count, at: count)
        } else {
            validity.appendOnes(vector.count, at: count)
            for row in 0..<vector.count where vector.isNull(row) {
                validity.clear(count + row)
                nullCount += 1
            }
        }
    }

    private func appendBits(_ vector: Vector) {
        let source = vector.values(UInt8.self)
        bits.reserve(count + vector.count)
        var row = 0
        while row < vector.count {
            if source[row] != 0 { bits.set(count &+ row) }
            row &+= 1
        }
    }

    private func appendWide(_ vector: Vector) {
        let source = vector.values(Int64.self)
        let target = values.room(vector.count &* 16).assumingMemoryBound(to: SIMD2<Int64>.self)
        var row = 0
        while row < vector.count {
            let value = source[row]
            target[row] = SIMD2(value, value &>> 63)
            row &+= 1
        }
        values.advance(vector.count &* 16)
    }

    private func appendIdentifiers(_ vector: Vector) {
        let source = vector.values(UUIDValue.self)
        let target = values.room(vector.count &* 16).assumingMemoryBound(to: SIMD2<UInt64>.self)
        var row = 0
        while row < vector.count {
            target[row] = SIMD2(source[row].high.bigEndian, source[row].low.bigEndian)
            row &+= 1
        }
        values.advance(vector.count &* 16)
    }

    private func appendIntervals(_ vector: Vector) throws {
        let source = vector.values(IntervalValue.self)
        let target = values.room(vector.count &* 16)
        for row in 0..<vector.count {
            let value = vector.isNull(row) ? IntervalValue() : source[row]
            let (nanoseconds, overflow) = value.microseconds.multipliedReportingOverflow(by: 1000)
            guard !overflow else {
                throw QueryError(
                    .numericValueOutOfRange,
                    "an interval of column \"\(form.field.name)\" is too long for Arrow",
                    hint: "Convert the column to text.", object: form.field.name)
            }
            target.storeBytes(of: value.months, toByteOffset: row &* 16, as: Int32.self)
            target.storeBytes(of: value.days, toByteOffset: row &* 16 &+ 4, as: Int32.self)
            target.storeBytes(of: nanoseconds, toByteOffset: row &* 16 &+ 8, as: Int64.self)
        }
        values.advance(vector.count &* 16)
    }

    // MARK: - Texts

    private var tooLong: QueryError {
        QueryError(
            .programLimitExceeded, "the values of column \"\(form.field.name)\" are too long for Arrow",
            object: form.field.name)
    }

    private func appendViews(_ vector: Vector) throws {
        let count = vector.count
        switch vector.encoding {
        case .flat:
            if let words = vector.validity {
                try appendViews(count, vector.views, place: { $0 }, isNull: { !Validity.isValid(words, $0) })
            } else {
                try appendViews(count, vector.views, place: { $0 }, isNull: { _ in false })
            }
        case .constant:
            let isNull = vector.isNull(0)
            try appendViews(count, vector.views, place: { _ in 0 }, isNull: { _ in isNull })
        case .dictionary:
            let views = vector.dictionary.unsafelyUnwrapped.views
            let codes = vector.codes
            if vector.mayHaveNulls {
                try appendViews(count, views, place: { Int(codes[$0]) }, isNull: { vector.isNull($0) })
            } else {
                try appendViews(count, views, place: { Int(codes[$0]) }, isNull: { _ in false })
            }
        }
    }

    /// `place` is the index of a row's view.
    @inline(__always)
    private func appendViews(
        _ rowCount: Int, _ views: UnsafeMutablePointer<StringView>, place: (Int) -> Int, isNull: (Int) -> Bool
    ) throws {
        let offsets = values.room(rowCount &* 4).assumingMemoryBound(to: Int32.self)
        var total = bytes.count
        var row = 0
        while row < rowCount {
            if !isNull(row) { total &+= views[place(row)].count }
            offsets[row] = Int32(truncatingIfNeeded: total)
            row &+= 1
        }
        guard total <= Int(Int32.max) else { throw tooLong }
        values.advance(rowCount &* 4)
        // Short values are copied whole: the next one is written over what is too much, and there is room behind the last.
        var target = bytes.room(total &- bytes.count)
        row = 0
        while row < rowCount {
            if !isNull(row) {
                let view = views + place(row)
                let length = view.pointee.count
                if length <= StringView.inlineByteCountMax {
                    target.storeBytes(of: UInt32(truncatingIfNeeded: view.pointee.head &>> 32), as: UInt32.self)
                    target.storeBytes(of: view.pointee.tail, toByteOffset: 4, as: UInt64.self)
                } else {
                    target.copyMemory(from: view.pointee.pointer, byteCount: length)
                }
                target += length
            }
            row &+= 1
        }
        bytes.advance(total &- bytes.count)
    }

    /// `write` puts the text of a row, which is not null, into `text`.
    private func appendTexts(_ vector: Vector, _ write: (Int) -> Void) throws {
        for row in 0..<vector.count {
            if !vector.isNull(row) {
                text.removeAll(keepingCapacity: true)
                write(row)
                guard bytes.count + text.count <= Int(Int32.max) else { throw tooLong }
                bytes.append(text)
            }
            values.append(Int32(bytes.count))
        }
    }

    private func pad(_ vector: Vector, _ row: Int, to length: Int) {
        let view = vector.views + row
        let start = StringView.bytes(at: view)
        let byteCount = view.pointee.count
        text.append(contentsOf: UnsafeBufferPointer(start: start, count: byteCount))
        let missing = length - Utf8.characterCount(start, byteCount)
        if missing > 0 { text.append(contentsOf: repeatElement(UInt8(ascii: " "), count: missing)) }
    }

    private func render(_ vector: Vector, _ row: Int) {
        TextFormat.append(vector, row: row, settings: settings, into: &text)
    }

    // MARK: - Lists

    private func appendLists(_ vector: Vector, of elementType: DataType) throws {
        guard let element else { return }
        for row in 0..<vector.count {
            if !vector.isNull(row) {
                let view = vector.views + row
                guard ArrayBlob.shape(view).dimensions.count <= 1 else {
                    throw QueryError(
                        .featureNotSupported,
                        "column \"\(form.field.name)\" has an array of several dimensions, which Arrow's lists are not",
                        hint: "Convert the column to text or by to_jsonb.", object: form.field.name)
                }
                let elements = ArrayBlob.decode(
                    StringView.bytes(at: view), byteCount: view.pointee.count, elementType: elementType)
                try element.append(elements)
                guard element.count <= Int(Int32.max) else { throw tooLong }
            }
            values.append(Int32(element.count))
        }
    }
}

/// Bits that are appended to, least significant first; all behind the last one are clear. Confined to its builder.
private final class GrowingBits {
    private var words: Buffer
    private var base: UnsafeMutablePointer<UInt64>
    private var wordCount: Int

    init() {
        wordCount = 64
        words = Validity.make(rows: wordCount * 64, valid: false)
        base = words.base.assumingMemoryBound(to: UInt64.self)
    }

    func removeAll() { base.update(repeating: 0, count: wordCount) }

    /// Room for bits up to `bitCount`.
    func reserve(_ bitCount: Int) {
        // Copying may touch the word behind the last one.
        let needed = Validity.wordCount(bitCount) + 2
        guard needed > wordCount else { return }
        let larger = max(needed, wordCount * 2)
        let memory = Validity.make(rows: larger * 64, valid: false)
        memory.base.copyMemory(from: words.base, byteCount: wordCount * 8)
        words = memory
        base = memory.base.assumingMemoryBound(to: UInt64.self)
        wordCount = larger
    }

    @inline(__always)
    func set(_ bit: Int) { base[bit &>> 6] |= 1 &<< UInt64(truncatingIfNeeded: bit & 63) }
    func clear(_ bit: Int) { base[bit &>> 6] &= ~(1 &<< UInt64(truncatingIfNeeded: bit & 63)) }

    func appendOnes(_ count: Int, at bit: Int) {
        reserve(bit + count)
        BitRange.set(base, bit, count: count)
    }

    func append(_ source: UnsafeMutablePointer<UInt64>, _ count: Int, at bit: Int) {
        reserve(bit + count)
        BitRange.copy(source, 0, to: base, bit, count: count)
    }

    func filled(_ bitCount: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: words.base, count: (bitCount + 7) / 8)
    }
}

extension GrowingBytes {
    var filled: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }
}
