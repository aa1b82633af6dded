// The values of a column as byte strings, a whole column at a time: what protocols and files put rows together from.

/// Byte strings of one column, by row. Strings stay where they are; everything else is written into memory of its own, which
/// is used again for the next batch. Data plane: no allocation, call or check of a type for each row of the common types.
/// Confined to the task that uses it; what it points to lives until the next `render`, and as long as the vector.
package final class RenderedColumn {
    /// By row: where its bytes begin.
    package private(set) var starts: UnsafeMutablePointer<UnsafePointer<UInt8>>
    /// By row: how many there are; -1 is NULL.
    package private(set) var counts: UnsafeMutablePointer<Int32>
    private var rowCapacity = 0
    private var slots: UnsafeMutablePointer<UInt8>
    private var slotCapacity = 0
    /// What has no fixed width.
    private var texts: [UInt8] = []
    /// Values of a dictionary, by code.
    private var entries: RenderedColumn?
    /// What stands in place of rendered values, and for which rows.
    private var replacements: [UInt8] = []
    private var replaced: [(row: Int, offset: Int)] = []
    /// Values in the client's encoding.
    private var recoded: [UInt8] = []

    package init() {
        starts = .allocate(capacity: 0)
        counts = .allocate(capacity: 0)
        slots = .allocate(capacity: 0)
    }

    deinit {
        starts.deallocate()
        counts.deallocate()
        slots.deallocate()
    }

    package func value(_ row: Int) -> UnsafeBufferPointer<UInt8>? {
        counts[row] < 0 ? nil : UnsafeBufferPointer(start: starts[row], count: Int(counts[row]))
    }

    // MARK: Text

    /// The text of each value, as `TextFormat` writes it.
    package func renderText(_ vector: Vector, rowCount: Int, settings: TextSettings) {
        render(vector, rowCount: rowCount) { column, values, count in
            switch values.type {
            case .boolean: column.renderBooleans(values.values(UInt8.self), count)
            case .int16: column.renderIntegers(values.values(Int16.self), count)
            case .int32: column.renderIntegers(values.values(Int32.self), count)
            case .int64, .oid: column.renderIntegers(values.values(Int64.self), count)
            case .decimal(_, let scale) where values.physical == .int64:
                column.renderDecimals(values.values(Int64.self), scale: scale, count)
            case .date where settings.style.dateFormat == .iso: column.renderDates(values.values(Int32.self), count)
            case .text, .varchar, .unknown, .json, .name, .internalChar, .bit, .varbit:
                column.pointAtViews(values.views, count)
            default:
                column.renderOneByOne(values, count) { row, text in
                    TextFormat.append(values, row: row, settings: settings, into: &text)
                }
            }
        }
    }

    /// Whether texts of the type have only letters, digits, `+`, `-`, `.`, `:` and blanks.
    package static func hasPlainText(_ type: DataType) -> Bool {
        switch type {
        case .boolean, .int8, .int16, .int32, .int64, .oid, .decimal, .numeric, .float32, .float64, .date, .time,
            .timestamp, .uuid:
            true
        default: false
        }
    }

    // MARK: Encodings

    /// Renders the values of a column in any encoding. `body` gets a flat vector and fills the rows of the column it gets; rows
    /// that are NULL may hold anything.
    package func render(
        _ vector: Vector, rowCount: Int, _ body: (RenderedColumn, _ values: Vector, _ count: Int) -> Void
    ) {
        reserve(rowCount)
        switch vector.encoding {
        case .flat: body(self, vector, rowCount)
        case .constant:
            if rowCount > 0, !vector.isNull(0) { body(self, vector, 1) }
            for row in 0..<rowCount {
                starts[row] = starts[0]
                counts[row] = counts[0]
            }
        case .dictionary:
            guard let dictionary = vector.dictionary else { break }
            // A dictionary much larger than the batch would be work for nothing.
            if dictionary.count > 4 * rowCount + 64 {
                let flat = vector.flattened()
                body(self, flat, rowCount)
                flattened = flat
            } else {
                let entries = self.entries ?? RenderedColumn()
                self.entries = entries
                entries.reserve(dictionary.count)
                body(entries, dictionary, dictionary.count)
                for row in 0..<rowCount {
                    let code = Int(vector.codes[row])
                    starts[row] = entries.starts[code]
                    counts[row] = entries.counts[code]
                }
            }
        }
        guard vector.mayHaveNulls else { return }
        for row in 0..<rowCount where vector.isNull(row) { counts[row] = -1 }
    }

    /// Keeps the rows of the last dictionary that was too large alive.
    private var flattened: Vector?

    private func reserve(_ rowCount: Int) {
        guard rowCount > rowCapacity else { return }
        starts.deallocate()
        counts.deallocate()
        rowCapacity = max(rowCount, 2 * rowCapacity)
        starts = .allocate(capacity: rowCapacity)
        counts = .allocate(capacity: rowCapacity)
    }

    /// Memory for `count` values of at most `width` bytes each.
    private func reserveSlots(_ count: Int, width: Int) -> UnsafeMutablePointer<UInt8> {
        if count * width > slotCapacity {
            slots.deallocate()
            slotCapacity = count * width
            slots = .allocate(capacity: slotCapacity)
        }
        return slots
    }

    // MARK: Values

    /// For values of any width: `append` adds the bytes of a row.
    package func renderOneByOne(_ values: Vector, _ count: Int, _ append: (Int, inout [UInt8]) -> Void) {
        texts.removeAll(keepingCapacity: true)
        for row in 0..<count {
            if values.mayHaveNulls, values.isNull(row) {
                counts[row] = 0
                continue
            }
            let start = texts.count
            append(row, &texts)
            counts[row] = Int32(truncatingIfNeeded: texts.count - start)
        }
        // Nothing is added any more, so the array's memory stays where it is.
        texts.withUnsafeBufferPointer { bytes in
            guard var next = bytes.baseAddress else { return }
            for row in 0..<count {
                starts[row] = next
                next += Int(counts[row])
            }
        }
    }

    /// For values of one width: `write` stores the bytes of a row.
    @inline(__always)
    package func renderFixed(_ count: Int, width: Int, _ write: (Int, UnsafeMutableRawPointer) -> Void) {
        var slot = reserveSlots(count, width: width)
        for row in 0..<count {
            write(row, UnsafeMutableRawPointer(slot))
            starts[row] = UnsafePointer(slot)
            counts[row] = Int32(truncatingIfNeeded: width)
            slot += width
        }
    }

    /// For values of at most `width` bytes: `write` stores the bytes of a row so that they end at the pointer, and returns how
    /// many there are.
    @inline(__always)
    package func renderBackwards(_ count: Int, width: Int, _ write: (Int, UnsafeMutablePointer<UInt8>) -> Int) {
        var end = reserveSlots(count, width: width) + width
        for row in 0..<count {
            let size = write(row, end)
            starts[row] = UnsafePointer(end - size)
            counts[row] = Int32(truncatingIfNeeded: size)
            end += width
        }
    }

    /// Strings and byte strings as they are.
    package func pointAtViews(_ views: UnsafePointer<StringView>, _ count: Int) {
        for row in 0..<count {
            starts[row] = StringView.bytes(at: views + row)
            counts[row] = Int32(truncatingIfNeeded: views[row].count)
        }
    }

    // MARK: Changes

    /// `change` may add something else to its second argument in place of a value; then it returns true.
    @inline(__always)
    func replace(rowCount: Int, _ change: (UnsafeBufferPointer<UInt8>, inout [UInt8]) -> Bool) {
        replacements.removeAll(keepingCapacity: true)
        replaced.removeAll(keepingCapacity: true)
        for row in 0..<rowCount where counts[row] >= 0 {
            let offset = replacements.count
            if change(UnsafeBufferPointer(start: starts[row], count: Int(counts[row])), &replacements) {
                replaced.append((row, offset))
                counts[row] = Int32(truncatingIfNeeded: replacements.count - offset)
            }
        }
        // Nothing is added any more, so the array's memory stays where it is.
        replacements.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return }
            for (row, offset) in replaced { starts[row] = base + offset }
        }
    }

    /// Brings the texts of values into the client's encoding. 22P05 for what it does not have.
    package func recode(to encoding: ClientEncoding, rowCount: Int) throws {
        recoded.removeAll(keepingCapacity: true)
        for row in 0..<rowCount where counts[row] > 0 {
            let start = recoded.count
            try encoding.append(UnsafeBufferPointer(start: starts[row], count: Int(counts[row])), to: &recoded)
            counts[row] = Int32(truncatingIfNeeded: recoded.count - start)
        }
        // Nothing is added any more, so the array's memory stays where it is.
        recoded.withUnsafeBufferPointer { bytes in
            guard var next = bytes.baseAddress else { return }
            for row in 0..<rowCount where counts[row] > 0 {
                starts[row] = next
                next += Int(counts[row])
            }
        }
    }

    /// Gives NULLs a text. It must live as long as the values are read.
    func fillNulls(with text: UnsafePointer<UInt8>, count: Int, rowCount: Int) {
        for row in 0..<rowCount where counts[row] < 0 {
            starts[row] = text
            counts[row] = Int32(truncatingIfNeeded: count)
        }
    }

    private func renderBooleans(_ values: UnsafePointer<UInt8>, _ count: Int) {
        renderFixed(count, width: 1) { row, slot in
            slot.storeBytes(of: values[row] != 0 ? 0x74 : 0x66, as: UInt8.self)
        }
    }

    private func renderIntegers<Value: FixedWidthInteger>(_ values: UnsafePointer<Value>, _ count: Int) {
        renderBackwards(count, width: 20) { row, end in
            let value = Int64(truncatingIfNeeded: values[row])
            var start = Self.writeDigits(value.magnitude, endingAt: end)
            if value < 0 {
                start -= 1
                start.pointee = 0x2D
            }
            return end - start
        }
    }

    private func renderDecimals(_ values: UnsafePointer<Int64>, scale: Int, _ count: Int) {
        if scale == 0 { return renderIntegers(values, count) }
        let unit = UInt64(PowerOfTen.int64(min(scale, 18)))
        // A sign, the digits of 64 bits, a point, and a zero in front of it.
        renderBackwards(count, width: 23 + scale) { row, end in
            let value = values[row]
            let (whole, fraction) = value.magnitude.quotientAndRemainder(dividingBy: unit)
            var start = Self.writeDigits(fraction, endingAt: end)
            while end - start < scale {
                start -= 1
                start.pointee = 0x30
            }
            start -= 1
            start.pointee = 0x2E
            start = Self.writeDigits(whole, endingAt: start)
            if value < 0 {
                start -= 1
                start.pointee = 0x2D
            }
            return end - start
        }
    }

    /// Years of four digits are written here, all others by `DateTimeText`.
    private func renderDates(_ values: UnsafePointer<Int32>, _ count: Int) {
        renderBackwards(count, width: 24) { row, end in
            let date = CivilCalendar.civil(Int(values[row]))
            guard date.year >= 1000, date.year <= 9999 else {
                var text: [UInt8] = []
                DateTimeText.appendDate(values[row], into: &text)
                for (index, byte) in text.enumerated() { (end - text.count + index).pointee = byte }
                return text.count
            }
            let start = end - 10
            _ = Self.writeDigits(UInt64(date.year), endingAt: start + 4)
            start[4] = 0x2D
            start[5] = UInt8(truncatingIfNeeded: date.month / 10) + 0x30
            start[6] = UInt8(truncatingIfNeeded: date.month % 10) + 0x30
            start[7] = 0x2D
            start[8] = UInt8(truncatingIfNeeded: date.day / 10) + 0x30
            start[9] = UInt8(truncatingIfNeeded: date.day % 10) + 0x30
            return 10
        }
    }

    /// Writes decimal digits, at least one, and returns where they begin.
    @inline(__always)
    private static func writeDigits(
        _ value: UInt64, endingAt end: UnsafeMutablePointer<UInt8>
    ) -> UnsafeMutablePointer<UInt8> {
        var rest = value
        var at = end
        while rest >= 100 {
            let quotient = rest / 100
            let pair = rest &- quotient &* 100
            at -= 2
            at[0] = UInt8(truncatingIfNeeded: pair / 10) &+ 0x30
            at[1] = UInt8(truncatingIfNeeded: pair % 10) &+ 0x30
            rest = quotient
        }
        if rest >= 10 {
            at -= 2
            at[0] = UInt8(truncatingIfNeeded: rest / 10) &+ 0x30
            at[1] = UInt8(truncatingIfNeeded: rest % 10) &+ 0x30
            return at
        }
        at -= 1
        at.pointee = UInt8(truncatingIfNeeded: rest) &+ 0x30
        return at
    }
}
